//! The command itself: what it writes, what it says, and how it ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::session::{PLC_1, ROGUE, SECOND, Story};

/// A quiet plant, and a stranger who writes at 101 s; as a pcap with nanoseconds.
fn capture(directory: &Path) -> PathBuf {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..150, &mut talks, |_| 4.0);
    let mut rogue = story.connect(130 * SECOND, ROGUE, PLC_1, 502);
    story.ask(131 * SECOND, &mut rogue, 1, &[6, 0, 40, 1, 44], &[6, 0, 40, 1, 44]);
    story.close(132 * SECOND, &rogue);
    story.frames.sort_by_key(|(at, _)| *at);
    let mut octets = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0];
    octets.extend([0; 8]);
    octets.extend(65_535_u32.to_le_bytes());
    octets.extend(1_u32.to_le_bytes());
    for (at, frame) in &story.frames {
        let length = frame.len() as u32;
        let (seconds, nanos) = ((1_772_431_200 + at / SECOND) as u32, (at % SECOND) as u32);
        for word in [seconds, nanos, length, length] {
            octets.extend(word.to_le_bytes());
        }
        octets.extend(frame);
    }
    let path = directory.join("plant.pcap");
    std::fs::write(&path, octets).unwrap();
    path
}

fn sensor(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldrange-sensor"));
    command.current_dir(directory).args(words).output().unwrap()
}

#[track_caller]
fn done(directory: &Path, words: &[&str]) -> String {
    let output = sensor(directory, words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn check_refused(directory: &Path, words: &[&str], says: &[&str]) {
    let output = sensor(directory, words);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
    for word in says {
        assert!(stderr.contains(word), "{words:?}: {stderr:?} does not say {word:?}");
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

#[test]
fn the_summary_names_hosts_protocols_and_findings() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    let words = ["-r", "plant.pcap", "--site", "waterworks", "--log-dir", "logs"];
    let screen = done(scratch.path(), &words);
    for line in [
        "protocols: modbus 4",
        "strangers: 192.168.1.77",
        "network-stranger x1",
        "incidents: 1",
        "logs in logs",
    ] {
        assert!(screen.contains(line), "{line:?} in {screen}");
    }
    assert!(screen.lines().count() <= 24, "one screen: {screen}");
    let json: Value =
        serde_json::from_str(&done(scratch.path(), &[&words[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["protocols"]["modbus"], 4);
    assert_eq!(json["undocumented"], serde_json::json!(["192.168.1.77"]));
    assert!(json["rules"]["network-stranger"]["count"] == 1 && json["frames"].as_u64().unwrap() > 1000);
}

#[test]
fn exit_codes_are_for_scripts() {
    let scratch = tempfile::tempdir().unwrap();
    let path = capture(scratch.path());
    let words = ["-r", "plant.pcap", "--log-dir", "logs"];
    done(scratch.path(), &words);
    let strict = sensor(scratch.path(), &[&words[..], &["--strict"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    // Damaged: what could be read is there, and it is told.
    let octets = std::fs::read(&path).unwrap();
    std::fs::write(&path, &octets[..octets.len() - 10]).unwrap();
    check_refused(scratch.path(), &["-r", "plant.pcap", "--log-dir", "damaged"], &["truncated"]);
    assert!(scratch.path().join("damaged/modbus.log").exists());
    check_refused(scratch.path(), &[], &["-r FILE"]);
    check_refused(scratch.path(), &["-r", "nothing.pcap", "--log-dir", "none"], &["nothing.pcap"]);
    assert!(!scratch.path().join("none").exists());
}

#[test]
fn a_filter_picks_what_is_written_and_printed() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    let by_stranger = "id.orig_h == 192.168.1.77 and func == WRITE_SINGLE_REGISTER";
    let printed = done(
        scratch.path(),
        &["-r", "plant.pcap", "--to", "stdout", "--logs", "modbus", "--filter", by_stranger],
    );
    let rows = json_lines(&printed);
    assert_eq!(rows.len(), 2, "{printed}");
    assert!(rows.iter().all(|row| row["_path"] == "modbus" && row["id.orig_h"] == "192.168.1.77"));
    assert!(!scratch.path().join("modbus.log").exists(), "logs were not asked for");
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "some", "--filter", by_stranger]);
    let log = std::fs::read_to_string(scratch.path().join("some/modbus.log")).unwrap();
    assert_eq!(log.lines().filter(|line| !line.starts_with('#')).count(), 2);
    // The same from logs that are there, tab-separated and JSON.
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "tsv"]);
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "json", "--format", "json"]);
    assert_eq!(done(scratch.path(), &["filter", by_stranger, "tsv/modbus.log"]), log);
    assert_eq!(done(scratch.path(), &["filter", by_stranger, "json/modbus.log"]).lines().count(), 2);
    let none = sensor(scratch.path(), &["filter", "unit == 99", "json/modbus.log", "--strict"]);
    assert_eq!(none.status.code(), Some(1));
    for (filter, says) in
        [("func = X", "column 6"), ("orig_h == 1.2.3.4", "id.orig_h"), ("unit == 1 and", "column 14")]
    {
        check_refused(
            scratch.path(),
            &["-r", "plant.pcap", "--log-dir", "none", "--filter", filter],
            &[says],
        );
    }
    check_refused(scratch.path(), &["filter", "fnc == X", "tsv/modbus.log"], &["tsv/modbus.log", "func"]);
}

#[test]
fn notices_are_the_findings_in_zeeks_form() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "logs"]);
    let read = |name: &str| std::fs::read_to_string(scratch.path().join("logs").join(name)).unwrap();
    let findings = json_lines(&read("findings.jsonl"));
    let notices = read("notice.log");
    let rows: Vec<Vec<&str>> = notices
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows.len(), findings.len());
    for (row, finding) in rows.iter().zip(&findings) {
        let rule = row[10].strip_prefix("Fieldrange::").unwrap().to_lowercase().replace('_', "-");
        assert_eq!(
            (Value::from(rule), Value::from(row[11])),
            (finding["rule"].clone(), finding["message"].clone())
        );
        assert!(row[12].starts_with(finding["level"].as_str().unwrap()), "{row:?}");
        assert_eq!(
            (row[13], row[17], row[18], row[19]),
            ("192.168.1.77", "fieldrange", "Notice::ACTION_LOG", "(empty)")
        );
    }
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "basic", "--logs", "basic"]);
    assert!(!scratch.path().join("basic/notice.log").exists());
}

#[test]
fn eve_and_ecs_carry_every_finding() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "logs", "--format", "zeek,eve,ecs"]);
    let read = |name: &str| std::fs::read_to_string(scratch.path().join("logs").join(name)).unwrap();
    let findings = json_lines(&read("findings.jsonl"));
    assert!(!findings.is_empty());
    let eve = json_lines(&read("eve.json"));
    let alerts: Vec<_> = eve.iter().filter(|event| event["event_type"] == "alert").collect();
    assert_eq!(alerts.len(), findings.len());
    for (alert, finding) in alerts.iter().zip(&findings) {
        assert_eq!(alert["fieldrange"], *finding);
        assert_eq!(alert["alert"]["metadata"]["mitre_technique_id"], finding["techniques"]);
        assert!(alert["timestamp"].as_str().unwrap().starts_with("2026-03-02T06:02:1"), "{alert}");
    }
    let write = eve.iter().find(|event| event["event_type"] == "modbus" && event["src_ip"] == "192.168.1.77");
    let modbus = &write.unwrap()["modbus"];
    assert_eq!(modbus["request"]["function_code"], "WrSingleReg");
    assert_eq!(modbus["request"]["access_type"], "WRITE | HOLDING | SINGLE");
    assert_eq!(modbus["request"]["write"], serde_json::json!({ "address": 40, "data": 300 }));
    let flows = eve.iter().filter(|event| event["event_type"] == "flow");
    let rows = read("conn.log").lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(flows.count(), rows);
    let ecs = json_lines(&read("ecs.json"));
    let alert = ecs.iter().find(|doc| doc["event"]["dataset"] == "fieldrange.findings").unwrap();
    assert_eq!(alert["event"]["kind"], "alert");
    assert_eq!(alert["source"]["ip"], "192.168.1.77");
    assert_eq!(alert["rule"]["name"], findings[0]["rule"]);
    assert_eq!(alert["@timestamp"].as_str().unwrap().len(), "2026-03-02T06:02:10.000000000Z".len());
    check_refused(
        scratch.path(),
        &["-r", "plant.pcap", "--log-dir", "x", "--format", "zeek,json"],
        &["one of them"],
    );
}

#[test]
fn collectors_do_not_change_what_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    done(scratch.path(), &["-r", "plant.pcap", "--log-dir", "alone"]);
    // Nobody listens on the port of the discard service here.
    let words = ["-r", "plant.pcap", "--log-dir", "sent", "--wait", "100ms"];
    let screen = done(scratch.path(), &[&words[..], &["--to", "syslog+tcp://127.0.0.1:9"]].concat());
    assert!(screen.contains("waiting: ") && screen.contains("sent/queue"), "{screen}");
    for entry in std::fs::read_dir(scratch.path().join("alone")).unwrap().flatten() {
        let other = scratch.path().join("sent").join(entry.file_name());
        assert_eq!(std::fs::read(entry.path()).unwrap(), std::fs::read(other).unwrap(), "{:?}", entry.path());
    }
    let lost = sensor(
        scratch.path(),
        &["-r", "plant.pcap", "--to", "syslog+tcp://127.0.0.1:9", "--wait", "100ms", "--strict"],
    );
    assert_eq!(lost.status.code(), Some(1));
    check_refused(scratch.path(), &["-r", "plant.pcap", "--to", "syslog://x"], &["syslog+udp://"]);
    check_refused(
        scratch.path(),
        &["-r", "plant.pcap", "--to", "splunk+http://127.0.0.1:9?token_env=FIELDRANGE_NO_SUCH"],
        &["FIELDRANGE_NO_SUCH"],
    );
}

#[test]
fn inventory_and_rules_are_commands() {
    let scratch = tempfile::tempdir().unwrap();
    capture(scratch.path());
    let table = done(scratch.path(), &["inventory", "plant.pcap", "--site", "waterworks"]);
    assert!(table.starts_with("HOST") && table.contains("192.168.1.101  plc-1"), "{table}");
    let hosts = json_lines(&done(scratch.path(), &["inventory", "plant.pcap", "--json"]));
    assert_eq!(hosts.len(), 5);
    assert_eq!(hosts.iter().filter(|host| host["role"] == "controller").count(), 3);
    let rules = json_lines(&done(scratch.path(), &["rules", "list", "--json"]));
    assert!(rules.iter().any(|rule| rule["name"] == "modbus-new-writer" && rule["misses"].is_string()));
    let rule = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/modbus-new-writer.yml");
    let words = ["rules", "test", rule, "--capture", "plant.pcap", "--expect"];
    let told = done(scratch.path(), &[&words[..], &["1"]].concat());
    assert!(told.starts_with("modbus-new-writer: 1 finding in"), "{told}");
    assert_eq!(sensor(scratch.path(), &[&words[..], &["0"]].concat()).status.code(), Some(1));
    assert!(done(scratch.path(), &["rules", "test", rule]).contains("examples hold"));
    let text = std::fs::read_to_string(rule).unwrap();
    let turned = text.replace("fires:", "other:").replace("silent:", "fires:").replace("other:", "silent:");
    std::fs::write(scratch.path().join("turned.yml"), turned).unwrap();
    let turned = sensor(scratch.path(), &["rules", "test", "turned.yml"]);
    assert_eq!(turned.status.code(), Some(1), "{turned:?}");
    std::fs::write(scratch.path().join("mine.yml"), text.replace("modbus.write", "modbus.wirte")).unwrap();
    check_refused(scratch.path(), &["rules", "test", "mine.yml"], &["mine.yml", "modbus.wirte"]);
}
