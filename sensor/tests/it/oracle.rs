//! The table of all captures: our counts of PDUs beside tshark's and Zeek's.
//!
//! `cargo test -p sensor --test it captures_decode -- --nocapture` prints it. Where tshark and Zeek agree, our count is
//! theirs. Every other difference stands in [`DIFFERENT`], with what it comes to and why; one that does not stand
//! there, or that is no longer there, fails.

use std::collections::BTreeMap;
use std::path::Path;

use sensor::{Log, MemorySink};

use crate::captures::{Table, captures, sense};

/// File, our Modbus PDUs, and why they are not as many as tshark's or as Zeek's.
const DIFFERENT: &[(&str, u64, &str)] = &[
    (
        "quickdraw-snort/modbus_test_data_part1.pcap",
        45,
        "Zeek does not look at the exceptions that a device sends from port 502 of its own accord, and reads a function \
         in an ADU that claims 34820 octets; tshark reads no ADU there, and so do we",
    ),
    ("suricata-verify/modbus/modbus.pcap", 39, "as in the capture of Quickdraw, of which it is a part"),
    (
        "zeek/fuzz-72.pcap",
        18,
        "sequence numbers are noise. tshark reads segment by segment, but no answer that lies behind a hole (3 of ours), \
         and two requests that never fit into the stream: frame 20 claims 35124 octets, frame 36 waits behind a hole \
         that nobody acknowledges. Zeek pauses behind an ADU whose length is wrong",
    ),
];

/// What one tool counts in one capture.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    pdus: u64,
    exceptions: u64,
    functions: BTreeMap<String, u64>,
}

#[test]
fn captures_decode_to_the_counts_that_others_agree_on() {
    let Some(captures) = captures() else { return };
    let oracle = std::fs::read_to_string(captures.join("oracle/tshark-4.0.17-pdu-counts.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&oracle).unwrap();
    let mut failed = Vec::new();
    println!(
        "{:72} {:>7} {:>7} {:>7} {:>7}  verdict",
        "capture (Modbus PDUs)", "packets", "tshark", "Zeek", "ours"
    );
    for (file, entry) in oracle.as_object().unwrap() {
        let logs = sense(&captures.join(file));
        let theirs = tsharks(entry);
        let zeeks = zeek_rows(&captures, file, "modbus.log");
        let ours = counts(&logs);
        if (theirs.pdus, zeeks, ours.pdus) == (0, 0, 0) {
            continue;
        }
        let known = DIFFERENT.iter().find(|known| known.0 == file);
        let verdict = match known {
            None if ours == theirs && ours.pdus == zeeks => "equal",
            Some((_, pdus, reason)) if *pdus == ours.pdus => reason,
            _ => {
                failed.push(format!("{file}: ours {ours:?}, tshark's {theirs:?}, Zeek's {zeeks}"));
                "DIFFERENT, UNEXPLAINED"
            }
        };
        let packets = entry["packets"].as_u64().unwrap();
        println!("{file:72} {packets:7} {:7} {zeeks:7} {:7}  {verdict}", theirs.pdus, ours.pdus);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn tsharks(entry: &serde_json::Value) -> Counts {
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let functions = entry["modbus_fc"].as_object().into_iter().flatten();
    Counts {
        pdus: number(&entry["modbus_pdus"]),
        exceptions: number(&entry["modbus_exceptions"]),
        functions: functions.map(|(code, count)| (code.clone(), number(count))).collect(),
    }
}

fn zeek_rows(captures: &Path, file: &str, log: &str) -> u64 {
    Table::read(&captures.join("oracle/zeek-8.0.10").join(file).join(log)).rows.len() as u64
}

fn counts(logs: &MemorySink) -> Counts {
    let table = Table::of(logs, Log::Modbus);
    let mut counts = Counts::default();
    for row in &table.rows {
        let (name, is_response) = (table.get(row, "func"), table.get(row, "pdu_type") == "RESP");
        counts.pdus += 1;
        let raw = number_of(name);
        let is_exception = is_response && (name.ends_with("_EXCEPTION") || raw & 0x80 != 0);
        counts.exceptions += u64::from(is_exception);
        let function = if is_exception { raw & 0x7f } else { raw };
        *counts.functions.entry(function.to_string()).or_default() += 1;
    }
    counts
}

/// The function code behind Zeek's name.
fn number_of(name: &str) -> u8 {
    if let Some(number) = name.strip_prefix("unknown-") {
        return number.parse().unwrap();
    }
    let plain = name.trim_end_matches("_EXCEPTION");
    (0..128).find(|code| wire::modbus::FunctionCode(*code).name() == Some(plain)).unwrap()
}
