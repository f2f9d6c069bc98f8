//! A live run with a real client: answered, recorded, and the same again when it is replayed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::command::{done, lines, manifest};

#[test]
fn a_live_run_with_a_real_client_replays_to_the_same_record() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("live");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_fieldrange"))
        .args(["run", "first-shift", "--live", "--speed", "20", "--forward", "0=192.168.1.101:502", "--out"])
        .arg(&out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut said = BufReader::new(lab.stdout.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "the lab ended before its forward was open");
        if let Some(rest) = line.strip_prefix("forward ") {
            break rest.split(' ').next().unwrap().to_owned();
        }
    };
    let mut client = TcpStream::connect(&address).unwrap();
    // Read one holding register at 40, the NaOH setpoint, then write it: the specification's functions 3 and 6.
    client.write_all(&[0, 1, 0, 0, 0, 6, 1, 3, 0, 40, 0, 1]).unwrap();
    let mut answer = [0; 11];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 100], "100 mg/L");
    let write = [0, 2, 0, 0, 0, 6, 1, 6, 0, 40, 0, 110];
    client.write_all(&write).unwrap();
    let mut echo = [0; 12];
    client.read_exact(&mut echo).unwrap();
    assert_eq!(echo, write);
    drop(client);
    let mut console = lab.stdin.take().unwrap();
    console.write_all(b"write CL2.SP 1.1\nstop\n").unwrap();
    assert!(lab.wait().unwrap().success());

    let inputs = lines(&out, "outside.jsonl");
    let kinds: Vec<&str> =
        inputs.iter().map(|i| i["input"].as_object().unwrap().keys().next().unwrap().as_str()).collect();
    for kind in ["open", "data", "close", "action"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!(manifest(&out)["topology"]["192.168.1.250"], "uplink");
    let again: serde_json::Value =
        serde_json::from_str(&done(["replay".as_ref(), out.as_os_str(), "--json".as_ref()])).unwrap();
    assert_eq!(again["same"], true, "{again}");
}
