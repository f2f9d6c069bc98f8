//! Firewall rules in a run: by an action, and by a real client over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::command::{done, lines, manifest, simulate};

#[test]
fn a_virtual_patch_stops_the_write_that_would_have_done_harm() {
    let scratch = tempfile::tempdir().unwrap();
    let patched = scratch.path().join("patched");
    let patch = r#"rule add {"name": "patch", "source": "any", "destination": "192.168.1.101", "at": "plc-1", "action": "deny", "modbus": {"kind": "write", "addresses": ["40"]}}@30"#;
    simulate("first-shift", 1, &patched, &["--act", patch, "--act", "rule remove 999@40"]);
    let events = lines(&patched, "events.jsonl");
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("firewall.rule_added")[0]["data"]["added"]["by"], "command line");
    let denied = of("firewall.request_denied");
    assert!(!denied.is_empty(), "the write of seed 1 comes after three minutes");
    assert_eq!(denied[0]["data"]["rule"], "patch");
    assert_eq!(denied[0]["data"]["request"]["address"], 40);
    assert_eq!(of("action")[1]["data"]["refused"], "no rule has the id 999");
    let step = |run: &std::path::Path| {
        let truth = lines(run, "truth.jsonl");
        truth.into_iter().find(|step| step["step"] == "dose").expect("the attack was tried")
    };
    let consequences = step(&patched)["consequences"].clone();
    assert_eq!(consequences.as_array().map(Vec::len), Some(0), "{consequences}");
    let twin = scratch.path().join("twin");
    simulate("first-shift", 1, &twin, &[]);
    assert_ne!(
        step(&twin)["consequences"].as_array().map(Vec::len),
        Some(0),
        "without the patch it does harm"
    );
}

#[test]
fn an_action_that_cannot_be_read_says_what_to_write() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    let acts = [
        "rule add {}@1",
        "rule remove x@2",
        "session kill {\"adress\": 1}@3",
        "dance@4",
        "session kill {}@5",
    ];
    let words: Vec<&str> = acts.iter().flat_map(|act| ["--act", act]).collect();
    simulate("first-shift", 1, &run, &words);
    let actions: Vec<Value> =
        lines(&run, "events.jsonl").into_iter().filter(|event| event["kind"] == "action").collect();
    for (action, words) in actions.iter().zip([
        "missing field `source`",
        "rule remove 7",
        "unknown field `adress`",
        "unknown command",
    ]) {
        let refused = action["data"]["refused"].as_str().unwrap();
        assert!(refused.contains(words), "{refused}");
    }
    assert!(actions[4]["data"]["refused"].is_null());
}

/// One request on a connection of its own; status and JSON.
fn ask(address: &str, key: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).expect("an answer in HTTP");
    stream.set_read_timeout(Some(Duration::from_mins(1))).expect("an answer in HTTP");
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 10.0.1.1\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("an answer in HTTP");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer in HTTP");
    assert!(!head.to_lowercase().contains("\r\ndate:"), "the host's clock is nobody's business: {head}");
    (
        head.split(' ').nth(1).expect("an answer in HTTP").parse().expect("an answer in HTTP"),
        serde_json::from_str(body).expect("an answer in HTTP"),
    )
}

#[test]
fn a_rule_made_over_http_is_in_force_until_its_time_is_over_and_replays() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("live");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_fieldrange"))
        .args(["run", "ordinary-day", "--live", "--speed", "20", "--forward", "0=10.0.1.1:80", "--out"])
        .arg(&out)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut said = BufReader::new(lab.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address =
        said.find_map(|line| Some(line.strip_prefix("forward ")?.split(' ').next()?.to_owned())).unwrap();
    let key = said.find_map(|line| Some(line.strip_prefix("key control ")?.to_owned())).unwrap();
    let rules = "/api/v1/rules";
    assert_eq!(ask(&address, "control-0", "GET", rules, "").0, 401);
    assert_eq!(ask(&address, &key, "GET", "/openapi.json", "").1["openapi"], "3.1.0");
    let body = r#"{"name": "quarantine", "source": "192.168.1.30", "destination": "zone:enterprise", "action": "deny", "duration": "10s"}"#;
    let (status, added) = ask(&address, &key, "POST", rules, body);
    assert_eq!(status, 201, "{added}");
    assert_eq!(ask(&address, &key, "POST", rules, &" ".repeat(70_000)).0, 413);
    let rule = format!("{rules}/{}", added["id"]);
    // Ten seconds of the lab are half a second here; the wait ends by itself.
    while ask(&address, &key, "GET", &rule, "").0 == 200 {}
    let (status, ticket) =
        ask(&address, &key, "POST", "/api/v1/tickets", r#"{"title": "quarantine is over"}"#);
    assert_eq!((status, &ticket["id"]), (201, &Value::from(1)));
    let mut console = lab.stdin.take().unwrap();
    console.write_all(b"stop\n").unwrap();
    assert!(lab.wait().unwrap().success());

    let events = lines(&out, "events.jsonl");
    let time = |kind: &str| {
        let found =
            events.iter().find(|event| event["kind"] == kind && event["data"]["rule"] == "quarantine");
        found.unwrap_or_else(|| panic!("no {kind}"))["t"].as_f64().unwrap()
    };
    let lasted = time("firewall.rule_expired") - time("firewall.rule_added");
    assert!((lasted - 10.0).abs() < 1e-6, "{lasted}");
    assert!(
        events
            .iter()
            .any(|event| event["kind"] == "ticket.opened" && event["data"]["by"] == "key of control")
    );
    assert_eq!(manifest(&out)["topology"]["10.0.1.1"], "rule-interface");
    let holds_key = |run: &std::path::Path| {
        let names = manifest(run)["files"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let hex: Vec<String> = key.bytes().map(|octet| format!("{octet:02x}")).collect();
        let hex = hex.concat();
        names
            .into_iter()
            .filter(|name| {
                let octets = std::fs::read(run.join(name)).unwrap();
                [&key, &hex]
                    .iter()
                    .any(|text| octets.windows(text.len()).any(|window| window == text.as_bytes()))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(holds_key(&out), ["outside.jsonl"], "no mirror sees the management zone");
    let pack = scratch.path().join("pack");
    done(["pack".as_ref(), "--trainee".as_ref(), out.as_os_str(), "--out".as_ref(), pack.as_os_str()]);
    assert!(holds_key(&pack).is_empty());
    let again: Value =
        serde_json::from_str(&done(["replay".as_ref(), out.as_os_str(), "--json".as_ref()])).unwrap();
    assert_eq!(again["same"], true, "{again}");
}
