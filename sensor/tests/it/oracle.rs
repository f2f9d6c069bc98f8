//! The table of all captures: our counts of PDUs beside tshark's and Zeek's.
//!
//! `cargo test -p sensor --test it captures -- --nocapture` prints it, with the tables of rows. Where tshark and Zeek
//! agree, our count is theirs. Every other difference stands in a list, with what it comes to and why; one that does not
//! stand there, or that is no longer there, fails. The lists of DNP3 are in `dnp3.rs`.
//!
//! Modbus PDUs are rows of `modbus.log` for Zeek and us. DNP3 fragments are those of tshark and ours; Zeek's `dnp3.log`
//! pairs them, and its rows are compared with our pairs.

use std::collections::BTreeMap;
use std::path::Path;

use sensor::{Log, MemorySink};

use crate::captures::{Table, captures, sense};
use crate::dnp3;

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

/// Captures in a folder and the folders below it, by their path from `root`.
fn files(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("oracle") {
            files(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "pcap") && path.is_file() {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

#[test]
fn captures_decode_to_the_counts_that_others_agree_on() {
    let Some(captures) = captures() else { return };
    let oracle = std::fs::read_to_string(captures.join("oracle/tshark-4.0.17-pdu-counts.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&oracle).unwrap();
    let mut found = Vec::new();
    files(&captures, &captures, &mut found);
    let mut failed = Vec::new();
    let head = ["tshark", "Zeek", "ours"];
    println!("{:64} {:8} {:>7} {:>7} {:>13}  verdict", "capture", "protocol", head[0], head[1], head[2]);
    for file in &found {
        let entry = &oracle[file];
        let logs = sense(&captures.join(file));
        let row = |protocol: &str, tshark: u64, zeek: u64, ours: &str, verdict: &str| {
            println!("{file:64} {protocol:8} {tshark:7} {zeek:7} {ours:>13}  {verdict}");
        };
        let (theirs, ours) = (tsharks(entry), counts(&logs));
        let zeeks = zeek_rows(&captures, file, "modbus.log");
        if (theirs.pdus, zeeks, ours.pdus) != (0, 0, 0) {
            let known = DIFFERENT.iter().find(|known| known.0 == file);
            let verdict = match known {
                None if ours == theirs && ours.pdus == zeeks => "equal",
                Some((_, pdus, reason)) if *pdus == ours.pdus => reason,
                _ => {
                    failed.push(format!("{file}: ours {ours:?}, tshark's {theirs:?}, Zeek's {zeeks}"));
                    "DIFFERENT, UNEXPLAINED"
                }
            };
            row("Modbus", theirs.pdus, zeeks, &ours.pdus.to_string(), verdict);
        }
        let (fragments, pairs) =
            (dnp3::sum(&dnp3::counts_of(&logs).0), Table::of(&logs, Log::Dnp3).rows.len());
        let theirs = if entry["dnp3_app_fc"].is_object() { dnp3::sum(&dnp3::tsharks(entry).0) } else { 0 };
        let zeeks = zeek_rows(&captures, file, "dnp3.log");
        if (theirs, zeeks, fragments) != (0, 0, 0) {
            let reasons = [
                dnp3::NOT_TSHARKS.iter().find(|known| known.0 == file).map(|known| known.1),
                dnp3::NOT_ZEEKS.iter().find(|known| known.0 == file).map(|known| known.2),
            ];
            let is_equal = (theirs, zeeks) == (fragments, pairs as u64);
            let verdict = match reasons {
                _ if entry.is_null() => "not counted by others".to_owned(),
                [None, None] if is_equal => "equal".to_owned(),
                [None, None] => {
                    failed
                        .push(format!("{file}: {fragments} fragments, {pairs} pairs; {theirs} and {zeeks}"));
                    "DIFFERENT, UNEXPLAINED".to_owned()
                }
                reasons => reasons.into_iter().flatten().collect::<Vec<_>>().join("; "),
            };
            row("DNP3", theirs, zeeks, &format!("{fragments}, {pairs}"), &verdict);
        }
        if theirs + zeeks + fragments + ours.pdus == 0 {
            row("-", 0, 0, "0", "nothing of either, for none of the three");
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(found.len() >= oracle.as_object().unwrap().len());
}

/// The same conversation on another port, which the other tools do not look at (Zeek #3962).
#[test]
fn captures_on_an_odd_port_decode_as_on_the_usual_one() {
    let Some(captures) = captures() else { return };
    let [usual, odd] = ["zeek/dnp3_read.pcap", "zeek/dnp3_read_p20001.pcap"].map(|file| {
        let logs = sense(&captures.join(file));
        let rows = |log| {
            let table = Table::of(&logs, log);
            let about =
                ["ts", "fc_request", "fc_reply", "iin", "function_code", "object_type", "object_count"];
            let of = |row: &Vec<String>| about.map(|name| table.get(row, name).to_owned());
            table.rows.iter().map(of).collect::<Vec<_>>()
        };
        [rows(Log::Dnp3), rows(Log::Dnp3Objects)]
    });
    assert!(!usual[0].is_empty());
    assert_eq!(odd, usual);
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
