//! What Wireshark's dissectors say about the traffic of the scenarios. Where tshark is not installed these checks say so
//! and check nothing; CI has it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use scenarios::{Cast, Scenario};

use crate::run::Run;

/// Runs tshark over a capture; its output lines. `None` where there is no tshark.
fn tshark(capture: &[u8], arguments: &[&str]) -> Option<Vec<String>> {
    if let Ok(folder) = std::env::var("KEEP_CAPTURES") {
        let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
        std::fs::write(format!("{folder}/{name}.pcapng"), capture).unwrap();
    }
    let child = Command::new("tshark")
        .args(["-n", "-r", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("tshark is not installed: not checked");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let capture = capture.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&capture));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

const ODD: &str = "_ws.malformed || tcp.analysis.flags";

#[test]
fn the_first_shift_is_clean() {
    let mut run = Run::new("first-shift", 7, &[], &Cast::full());
    run.finish();
    let capture = run.captured();
    let Some(odd) = tshark(&capture, &["-Y", ODD]) else { return };
    assert!(odd.is_empty(), "{odd:#?}");
    // Ground truth's frames are the laptop's, all of them, and among them the write.
    let of_laptop =
        tshark(&capture, &["-Y", "ip.addr == 192.168.1.77", "-T", "fields", "-e", "frame.number"]);
    let mut frames: Vec<u64> =
        ["contact", "dose", "next-door"].iter().flat_map(|id| run.step(id).frames).collect();
    frames.sort_unstable();
    assert_eq!(of_laptop.unwrap(), frames.iter().map(u64::to_string).collect::<Vec<_>>());
    let filter = "ip.src == 192.168.1.77 && modbus.func_code == 6 && modbus.reference_num == 40";
    let writes = tshark(&capture, &["-Y", filter, "-T", "fields", "-e", "frame.number"]).unwrap();
    assert_eq!(writes.len(), 1);
    assert!(run.step("dose").frames.contains(&writes[0].parse().unwrap()));
}

#[test]
fn a_remote_session_dissects_as_one() {
    let mut run = Run::new("oldsmar", 5, &[], &Cast::full());
    let until = run.plan.event("look").unwrap().at + Duration::from_secs(700);
    run.kernel.run_until(until).unwrap();
    let capture = run.captured();
    let Some(odd) = tshark(&capture, &["-Y", ODD]) else { return };
    assert!(odd.is_empty(), "{odd:#?}");
    let fields = ["-Y", "vnc", "-T", "fields", "-e", "vnc.server_proto_ver", "-e", "vnc.desktop_name"];
    let session = tshark(&capture, &fields).unwrap();
    assert!(session.iter().any(|line| line.contains("003.008")), "{session:?}");
    assert!(session.iter().any(|line| line.contains("HMI")), "{session:?}");
    assert!(session.len() > 500);
    let tds = tshark(&capture, &["-Y", "tds", "-T", "fields", "-e", "tds.type"]).unwrap();
    for kind in ["1", "4", "16", "18"] {
        assert!(tds.iter().any(|line| line == kind), "no TDS packet of type {kind}");
    }
}

/// The ordinary day with its maintenance and its restart in the first hour, so that tshark has less to read.
const DAY: &str = include_str!("../../scenarios/ordinary-day/scenario.toml");
const DAY_TEXTS: &str = include_str!("../../scenarios/ordinary-day/texts/en.toml");

#[test]
fn a_desktop_behind_the_jump_server_and_a_restart_are_clean() {
    let file = DAY
        .replace("at = \"=maintenance\"", "at = \"5min\"")
        .replace("at = \"=historian restart\"", "at = \"44min\"");
    let scenario = Scenario::parse("day/scenario.toml", &file, DAY_TEXTS).unwrap();
    let mut run = Run::of(&scenario, 1, &BTreeMap::new(), &Cast::full());
    run.until(3600);
    let restart = run.step("historian-restart");
    let capture = run.captured();
    let Some(odd) = tshark(&capture, &["-Y", "_ws.malformed"]) else { return };
    assert!(odd.is_empty(), "{odd:#?}");
    let desktop = tshark(&capture, &["-Y", "tcp.port == 3389 && cotp"]).unwrap();
    assert_eq!(desktop.len(), 2, "{desktop:?}");
    let odd = tshark(&capture, &["-Y", "tcp.analysis.flags", "-T", "fields", "-e", "frame.number"]).unwrap();
    let strange: Vec<_> = odd.iter().filter(|n| !restart.frames.contains(&n.parse().unwrap())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(restart.frames.len() > 20);
}

#[test]
fn a_night_at_the_tank_is_odd_only_where_the_attack_makes_it_so() {
    let mut run = Run::new("night-tank", 1, &[], &Cast::full());
    let exhaust = run.plan.event("exhaust").unwrap().at;
    run.kernel.run_until(exhaust + Duration::from_mins(3)).unwrap();
    let capture = run.captured();
    let Some(malformed) = tshark(&capture, &["-Y", "_ws.malformed"]) else { return };
    assert!(malformed.is_empty(), "{malformed:#?}");
    let filter = format!("tcp.analysis.flags && frame.time_relative < {}", exhaust.as_secs_f64());
    let odd = tshark(&capture, &["-Y", &filter, "-T", "fields", "-e", "ip.src", "-e", "ip.dst"]).unwrap();
    assert!(odd.iter().all(|pair| pair.contains("192.168.1.88")), "{odd:#?}");
}
