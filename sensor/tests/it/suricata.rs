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
