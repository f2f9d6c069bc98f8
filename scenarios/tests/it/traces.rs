//! Traces beside the network: one story through mail, log-ons, hosts and connections.

use std::collections::BTreeMap;

use record::{TruthStep, VirtualTime};
use scenarios::Scenario;
use scenarios::traces::{Flow, Traces, traces};
use serde_json::Value;
use site::Site;

fn flow(start_s: u64, end_s: u64, ends: (&str, u16, &str, u16)) -> Flow {
    Flow {
        start: VirtualTime::from_secs(start_s),
        end: VirtualTime::from_secs(end_s),
        client: ends.0.parse().unwrap(),
        client_port: ends.1,
        server: ends.2.parse().unwrap(),
        server_port: ends.3,
    }
}

/// The plan's hostile stop, as truth has it.
fn stop(at_s: u64) -> TruthStep {
    serde_json::from_value(serde_json::json!({
        "step": "stop", "campaign": "badge", "verdict": "attack", "summary": "", "techniques": ["T0858"],
        "start": at_s, "end": at_s + 60, "observable": {}, "source": "host:ews", "target": "device:PLC-2", "points": [],
        "frames": [7], "severity": 3, "limit_time": null, "consequences": [], "ticket": null
    }))
    .unwrap()
}

fn made(seed: u64, truth: &[TruthStep]) -> Traces {
    let plan = Scenario::named("borrowed-badge").unwrap().plan(seed, &BTreeMap::default(), false).unwrap();
    let site = Site::named("waterworks").unwrap();
    let flows = [
        flow(1000, 1300, ("10.0.35.5", 40_001, "192.168.1.30", 3389)),
        flow(1010, 1290, ("192.168.1.30", 40_002, "192.168.1.101", 502)),
        flow(2000, 2090, ("10.0.35.5", 40_003, "192.168.1.30", 3389)),
        flow(2010, 2080, ("192.168.1.30", 40_004, "192.168.1.102", 502)),
    ];
    traces(&plan, truth, &flows, &site, VirtualTime::from_secs(4000))
}

fn events(traces: &Traces, file: &str) -> Vec<Value> {
    traces.files[file].lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn one_story_goes_through_mail_log_on_session_process_and_port() {
    let traces = made(1, &[stop(2005)]);
    let fact = |name: &str| traces.facts[name].as_str();
    let account = fact("vpn.account");
    let log_on = events(&traces, "vpn.jsonl")
        .into_iter()
        .find(|line| line["source_ip"] == fact("vpn.source"))
        .unwrap();
    assert_eq!((log_on["user"].as_str(), log_on["device"].as_str()), (Some(account), Some("new")));
    let mail =
        events(&traces, "mail.jsonl").into_iter().find(|line| line["sha256"] == fact("mail.sha256")).unwrap();
    assert!(mail["to"].as_str().unwrap().starts_with(account), "{mail}");
    let session = events(&traces, "jump-security.jsonl")
        .into_iter()
        .find(|line| line["EventID"] == 4624 && line["TargetLogonId"] == fact("session.logon_id"))
        .unwrap();
    assert_eq!(session["IpAddress"], log_on["assigned_ip"]);
    let desktop = events(&traces, "ews-security.jsonl")
        .into_iter()
        .find(|line| line["EventID"] == 4624 && line["TargetLogonId"] == fact("session.logon_id"))
        .unwrap();
    assert_eq!(
        (desktop["IpAddress"].as_str(), desktop["IpPort"].as_u64()),
        (Some("10.0.35.5"), Some(40_003))
    );
    let spoke = events(&traces, "ews-sysmon.jsonl")
        .into_iter()
        .find(|line| line["EventID"] == 3 && line["SourcePort"] == 40_004)
        .unwrap();
    assert_eq!(spoke["ProcessId"].to_string(), fact("process.pid"));
    assert_eq!(spoke["DestinationIp"], fact("process.remote"));
    assert!(
        traces.files["ews-netstat.txt"].contains("192.168.1.30:40004"),
        "{}",
        traces.files["ews-netstat.txt"]
    );
    assert!(traces.files["ews-memory/pstree.txt"].contains(fact("process.pid")));
    let swept =
        traces.files["historian-files.csv"].lines().find(|line| line.ends_with(fact("file.sha256"))).unwrap();
    assert!(swept.starts_with(fact("historian.path")), "{swept}");
    assert!(traces.files["notification.json"].contains(fact("file.sha256")));
}

#[test]
fn without_an_intruder_there_is_nothing_to_find() {
    let traces = made(1, &[]);
    for name in
        ["vpn.account", "mail.sender", "session.logon_id", "process.pid", "historian.path", "door.badge"]
    {
        assert_eq!(traces.facts[name], "none", "{name}");
    }
    assert!(!traces.files.values().any(|text| text.contains("hs-sync.exe -q")));
    // The partner reports all the same: the indicators are not here.
    assert!(traces.files["notification.json"].contains("hs-sync.exe"));
}

#[test]
fn the_seed_decides_and_nothing_else() {
    assert_eq!(made(3, &[stop(2005)]), made(3, &[stop(2005)]));
    let (one, other) = (made(3, &[stop(2005)]), made(4, &[stop(2005)]));
    assert_ne!(one.facts["file.sha256"], other.facts["file.sha256"]);
    for (name, text) in &one.files {
        assert!(text.len() < 100_000, "{name}");
        if name.contains(".jsonl") {
            for line in text.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                let time = ["time", "TimeCreated", "UtcTime"].iter().find_map(|key| line[*key].as_str());
                assert!(time.is_some_and(|time| time.ends_with('Z')), "{name}: {line}");
            }
        }
    }
}
