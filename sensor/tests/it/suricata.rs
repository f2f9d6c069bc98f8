//! Suricata's events by our names, and its counts where they are right.
//!
//! Suricata 8.0.8 raises four of its Modbus events on valid polls: "Data mismatch" because it expects a register read to
//! answer an octet for every eight registers, the others because it does not put ADUs together that lie across segments
//! or share one. Over these captures the events below are therefore expected of us only where the octets show them.

use std::collections::BTreeMap;

use sensor::Log;

use crate::captures::{Table, captures, sense};

/// Suricata's event rule, and names in our `weird.log` for what it means.
const NAMES: &[(&str, &[&str])] = &[
    ("SURICATA Modbus invalid Protocol version", &["modbus_foreign_protocol_id"]),
    ("SURICATA Modbus unsolicited response", &["modbus_unsolicited_response"]),
    ("SURICATA Modbus invalid Length", &["modbus_framing_lost", "modbus_length_mismatch"]),
    (
        "SURICATA Modbus invalid Function code",
        &["modbus_unknown_function", "modbus_request_with_exception_bit"],
    ),
    ("SURICATA Modbus invalid Value", &["modbus_bad_value", "modbus_bad_quantity"]),
    ("SURICATA Modbus Exception code invalid", &["modbus_unknown_exception"]),
    ("SURICATA Modbus Data mismatch", &["modbus_answer_mismatch"]),
    ("SURICATA Modbus Request flood detected", &["modbus_unanswered_requests"]),
    ("SURICATA DNP3 Request flood detected", &["dnp3_unanswered_requests"]),
    ("SURICATA DNP3 Length too small", &["dnp3_negative_or_zero_length_link_layer"]),
    ("SURICATA DNP3 Bad link CRC", &["dnp3_corrupt_header_checksum", "dnp3_corrupt_app_chunk_checksum"]),
    ("SURICATA DNP3 Bad transport CRC", &["dnp3_corrupt_app_chunk_checksum"]),
    ("SURICATA DNP3 Unknown object", &["dnp3_unknown_object", "dnp3_short_object_data"]),
    ("SURICATA DNP3 Too many points in message", &["dnp3_too_many_points"]),
    ("SURICATA DNP3 Too many objects", &["dnp3_too_many_objects"]),
    ("SURICATA DNP3 Too long reassembly", &["dnp3_fragment_too_long"]),
];

/// What we see in captures beyond Suricata, by file: name and connections that show it.
const OURS: &[(&str, &[(&str, usize)])] = &[
    (
        "quickdraw-snort/modbus_test_data_part1.pcap",
        &[
            ("modbus_foreign_protocol_id", 1),
            ("modbus_framing_lost", 2),
            ("modbus_length_mismatch", 2),
            ("modbus_unknown_function", 1),
            ("modbus_unsolicited_response", 1),
        ],
    ),
    (
        "suricata-verify/modbus/modbus.pcap",
        &[
            ("modbus_foreign_protocol_id", 1),
            ("modbus_framing_lost", 1),
            ("modbus_length_mismatch", 2),
            ("modbus_unsolicited_response", 1),
        ],
    ),
    (
        "zeek/fuzz-72.pcap",
        &[("modbus_foreign_protocol_id", 1), ("modbus_framing_lost", 1), ("modbus_unknown_function", 1)],
    ),
];

#[test]
fn suricatas_modbus_events_over_captures_have_our_names_and_no_false_ones() {
    let Some(captures) = captures() else { return };
    let oracle = captures.join("oracle/suricata-8.0.8-tx-and-event-alerts.json");
    let oracle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(oracle).unwrap()).unwrap();
    for (file, entry) in oracle.as_object().unwrap() {
        let is_modbus = |name: &String| name.contains("odbus");
        let (alerts, transactions) = (entry["event_rule_alerts"].as_object(), entry["tx"].as_object());
        let keys = alerts.into_iter().chain(transactions).flatten().map(|(name, _)| name);
        if !keys.clone().any(is_modbus) && !OURS.iter().any(|ours| ours.0 == file) {
            continue;
        }
        for alert in alerts.into_iter().flatten().map(|(name, _)| name).filter(|name| is_modbus(name)) {
            assert!(NAMES.iter().any(|(name, _)| name == alert), "{alert} has no name of ours");
        }
        let weird = Table::of(&sense(&captures.join(file)), Log::Weird);
        let mut counted = BTreeMap::new();
        for row in &weird.rows {
            let name = weird.get(row, "name");
            if NAMES.iter().any(|(_, names)| names.contains(&name)) {
                *counted.entry(name).or_insert(0) += 1;
            }
        }
        let counted: Vec<_> = counted.into_iter().collect();
        let expected = OURS.iter().find(|ours| ours.0 == file).map_or(&[][..], |ours| ours.1);
        println!("{file}: Suricata {alerts:?}, ours {counted:?}");
        assert_eq!(counted, expected, "{file}");
    }
}

/// DNP3 events that Suricata raises and we do not, by capture and why.
const NOT_OURS: &[(&str, &str, &str)] = &[
    (
        "iti/conformance/6.6.2.4/dump.pcap",
        "SURICATA DNP3 Length too small",
        "two frames whose header checksum is wrong, which is reported; Suricata reads what follows them as a frame",
    ),
    ("iti/conformance/8.14.2.10/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.14.2.11/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.14.2.13/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.22.2.10/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.22.2.13/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.22.2.14/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.22.2.7/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.5.2.2.3/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.5.3.2.2/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.6.6.2.1/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.6.6.2.2/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.6.6.2.3/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/conformance/8.6.6.2.4/dump.pcap", UNKNOWN, LIMITED_READ),
    ("iti/dnp3/dataset_exchange.pcap", UNKNOWN, "data sets (groups 85 and 86), which Suricata does not know"),
    ("iti/dnp3/file_list_directory.pcap", UNKNOWN, FILES),
    ("suricata-verify/dnp3-file-write/input.pcap", UNKNOWN, FILES),
    (
        "zeek/dnp3_link_only.pcap",
        "SURICATA DNP3 Too many points in message",
        "2,136 points answer a read of class 0, and all of them are there; our limit is 16,384 in a fragment",
    ),
];
const UNKNOWN: &str = "SURICATA DNP3 Unknown object";
const LIMITED_READ: &str = "two reads ask for one or two events (qualifiers 07 and 08) and carry none, as they should; \
    Suricata looks for them";
const FILES: &str = "objects of files (group 70), which Suricata does not all read";

#[test]
fn suricatas_dnp3_events_over_captures_are_ours_by_our_names() {
    let Some(captures) = captures() else { return };
    let oracle = captures.join("oracle/suricata-8.0.8-tx-and-event-alerts.json");
    let oracle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(oracle).unwrap()).unwrap();
    let mut failed = Vec::new();
    for (file, entry) in oracle.as_object().unwrap() {
        let alerts = entry["event_rule_alerts"].as_object().into_iter().flatten().map(|(name, _)| name);
        let alerts: Vec<_> = alerts.filter(|name| name.contains("DNP3")).collect();
        if alerts.is_empty() {
            continue;
        }
        let weird = Table::of(&sense(&captures.join(file)), Log::Weird);
        let said: Vec<_> = weird.rows.iter().map(|row| weird.get(row, "name")).collect();
        for alert in alerts {
            let (_, names) = NAMES.iter().find(|(name, _)| name == alert).unwrap();
            let is_ours = names.iter().any(|name| said.contains(name));
            let excused = NOT_OURS.iter().find(|known| (known.0, known.1) == (file, alert));
            println!("{file} {alert}: ours {is_ours} {}", excused.map_or("", |known| known.2));
            if is_ours == excused.is_some() {
                failed.push(format!("{file} {alert}: {said:?}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What `suricata-verify/modbus/test.yaml` counts by fields of the record: signatures whose rule is not shared are left
/// out.
#[test]
fn suricata_verifys_modbus_counts_hold_in_captures() {
    let Some(captures) = captures() else { return };
    let logs = sense(&captures.join("suricata-verify/modbus/modbus.pcap"));
    let table = Table::of(&logs, Log::ModbusDetailed);
    let count = |func: &str, matched: &str| {
        let is = |row: &&Vec<String>| table.get(row, "func") == func && table.get(row, "matched") == matched;
        table.rows.iter().filter(is).count()
    };
    // modbus.request.function_code: RdCoils, and MEI without answer.
    assert_eq!(count("READ_COILS", "T"), 2);
    assert_eq!(count("ENCAP_INTERFACE_TRANSPORT", "F"), 2);
    // tx: functions 3, 5, 6 and 8; 17 is a row per PDU.
    assert_eq!(count("READ_HOLDING_REGISTERS", "T"), 1);
    assert_eq!(count("WRITE_SINGLE_COIL", "T"), 2);
    assert_eq!(count("WRITE_SINGLE_REGISTER", "T"), 1);
    assert_eq!(count("DIAGNOSTICS", "T"), 8);
    assert_eq!(count("REPORT_SLAVE_ID", "-"), 4);
}
