//! EVE against what Suricata's own tests expect of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sensor::output::{JsonLines, Rendering};
use sensor::{CaptureReader, LogFormat, MemorySink, RuleSet, Sensor, SensorConfig};
use serde_json::Value;

/// Fields that our rows have no column for; see `sensor/src/output/dnp3_eve.rs`.
const NOT_OURS: &[&str] = &[
    "dnp3.control.fcb",
    "dnp3.control.fcv",
    "dnp3.control.pri",
    ".count",
    ".prefix_code",
    ".qualifier",
    ".range_code",
    ".start",
    ".stop",
    ".points",
    // Suricata tells a transaction with the frame that ended it.
    "pcap_cnt",
];

fn folder(test: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures/suricata-verify"))
        .join(test);
    if folder.exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is not there", folder.display());
    None
}

fn events(capture: &PathBuf) -> Vec<Value> {
    let file = std::fs::File::open(capture).unwrap();
    let mut reader = CaptureReader::new("capture", file).unwrap();
    let config = SensorConfig { format: LogFormat::Off, ..SensorConfig::default() };
    let mut sensor = Sensor::new(config, RuleSet::embedded().unwrap(), MemorySink::default());
    let eve = tempfile::NamedTempFile::new().unwrap();
    sensor.add_output(Box::new(JsonLines::new(Rendering::Eve, eve.reopen().unwrap())));
    while let Some(frame) = reader.next_frame().unwrap() {
        sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
    }
    sensor.finish().unwrap();
    let text = std::fs::read_to_string(eve.path()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `- filter: {count: N, match: {KEY: VALUE...}}` of a test.yaml, read by its lines.
fn filters(yaml: &str) -> Vec<(usize, BTreeMap<String, String>)> {
    let mut filters: Vec<(usize, BTreeMap<String, String>)> = Vec::new();
    for line in yaml.lines().map(str::trim) {
        let line = line.trim_start_matches("- ");
        if line == "filter:" {
            filters.push((0, BTreeMap::new()));
        } else if let (Some(filter), Some((key, value))) = (filters.last_mut(), line.split_once(": ")) {
            let value = value.trim_matches('"').to_owned();
            if key == "count" {
                filter.0 = value.parse().unwrap();
            } else {
                filter.1.insert(key.to_owned(), value);
            }
        }
    }
    filters
}

/// `dnp3.application.objects[0].group` in an event.
fn find<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(event, |value, part| match part.split_once('[') {
        Some((name, index)) => value.get(name)?.get(index.trim_end_matches(']').parse::<usize>().ok()?),
        None => value.get(part),
    })
}

fn matches(event: &Value, expected: &BTreeMap<String, String>) -> bool {
    let ours = expected.iter().filter(|(key, _)| !NOT_OURS.iter().any(|not| key.contains(not)));
    ours.into_iter().all(|(key, expected)| match find(event, key) {
        Some(Value::String(text)) => text == expected,
        Some(value) => *expected == *value.to_string(),
        None => false,
    })
}

#[test]
fn captures_of_dnp3_give_suricatas_events() {
    let mut checked = 0;
    for (test, capture) in
        [("dnp3-eve", "input.pcap"), ("dnp3-select-operate", "input.pcap"), ("dnp3-write", "input.pcap")]
    {
        let Some(folder) = folder(test) else { return };
        let events = events(&folder.join(capture));
        let yaml = std::fs::read_to_string(folder.join("test.yaml")).unwrap();
        for (count, expected) in filters(&yaml) {
            if expected.get("event_type").is_none_or(|kind| kind != "dnp3") {
                continue;
            }
            // Filters that differ in what we do not have fall together here: at least as many must match.
            let found = events.iter().filter(|event| matches(event, &expected)).count();
            let plain = expected.len() == 1;
            assert!(
                if plain { found == count } else { found >= count },
                "{test}: {found} of {count}: {expected:#?}"
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn captures_of_modbus_give_suricatas_events() {
    let Some(folder) = folder("modbus") else { return };
    let events = events(&folder.join("modbus.pcap"));
    let of = |field: &str, value: &str| {
        let of_kind = events.iter().filter(|event| event["event_type"] == "modbus");
        of_kind.filter(|event| find(event, field).is_some_and(|found| found == value)).count()
    };
    // test.yaml: two reads of coils, both assigned functions.
    assert_eq!(of("modbus.request.function_code", "RdCoils"), 2);
    assert_eq!(of("modbus.request.access_type", "READ | COILS"), 2);
    assert_eq!(of("modbus.request.function_code", "MEI"), 2);
    let coils: Vec<_> =
        events.iter().filter(|event| event["modbus"]["request"]["function_code"] == "RdCoils").collect();
    assert!(coils.iter().all(|event| event["modbus"]["response"]["category"] == "PUBLIC_ASSIGNED"));
}
