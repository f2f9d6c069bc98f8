//! DNP3 captures against tshark 4.0.17, against the logs of Zeek 8.0.10 with ICSNPP, against Zeek's and ICSNPP's own
//! baselines, and against the events that Suricata's tests expect. Every difference has its reason here.

use std::collections::BTreeMap;
use std::path::Path;

use sensor::{Log, MemorySink};

use crate::captures::{captures, sense};

pub(crate) type Counts = BTreeMap<String, u64>;

// Reasons for differences.

const TSHARK_GROUP_51: &str = "tshark reads nothing behind a common time of occurrence (group 51)";
const TSHARK_FUNCTION: &str =
    "tshark reads no objects under this function (stop application, assign class, authentication)";
const TSHARK_SEQUENCE: &str =
    "tshark does not put fragments together whose transport sequence goes round from 63 to 0; Zeek and we do";
const LINK_FUNCTION: &str =
    "user data under link functions that carry none: tshark reads some, Zeek and we all of them";
const ZEEK_LINK_ONLY: &str = "Zeek loses what follows a frame without user data, up to the segment's end";
const ZEEK_GROUP_4: &str =
    "Zeek reads group 4 by other sizes than the standard's, loses its place and gives the connection up";
const ZEEK_GROUP_41: &str =
    "Zeek does not read setpoints (group 41) in requests, loses its place and gives the connection up";
const ZEEK_DATA_SET: &str = "Zeek loses its place in a data set descriptor (group 86)";
const ZEEK_NOISE: &str = "Zeek gives a direction up at the first octets that are no frame; we find the next";
const ZEEK_WRITE: &str =
    "Zeek does not read binary inputs in a write, loses its place and withdraws the service";

/// Captures whose counts of fragments or of object headers are not tshark's.
pub(crate) const NOT_TSHARKS: &[(&str, &str)] = &[
    ("icsnpp/icsnpp-dnp3/testing/traces/dnp3_example.pcap", TSHARK_SEQUENCE),
    ("iti/conformance/6.6.2.5/dump.pcap", LINK_FUNCTION),
    ("iti/conformance/8.14.2.12/dump.pcap", TSHARK_GROUP_51),
    ("iti/conformance/8.14.2.13/dump.pcap", TSHARK_GROUP_51),
    ("iti/conformance/8.22.2.13/dump.pcap", TSHARK_GROUP_51),
    ("iti/conformance/8.22.2.14/dump.pcap", TSHARK_GROUP_51),
    ("iti/conformance/8.22.2.15/dump.pcap", TSHARK_GROUP_51),
    ("iti/dnp3/assign_class.pcap", TSHARK_FUNCTION),
    ("iti/dnp3/auth_control_challenge_response.pcap", TSHARK_FUNCTION),
    ("quickdraw-snort/dnp3_test_data_part1.pcap", TSHARK_FUNCTION),
    ("zeek/dnp3.pcap", TSHARK_FUNCTION),
];

/// Capture, rows that differ in `conn`, `dnp3`, `dnp3_control` and `dnp3_objects`, counted on the side that has more.
pub(crate) const NOT_ZEEKS: &[(&str, [u64; 4], &str)] = &[
    ("iti/conformance/6.1.2/dump.pcap", [0, 7, 0, 128], ZEEK_LINK_ONLY),
    ("iti/conformance/6.6.2.1/dump.pcap", [0, 1, 0, 1], ZEEK_NOISE),
    ("iti/conformance/6.6.2.2/dump.pcap", [0, 1, 0, 1], ZEEK_LINK_ONLY),
    ("iti/conformance/6.6.2.4/dump.pcap", [1, 0, 0, 0], ZEEK_NOISE),
    ("iti/conformance/8.22.2.10/dump.pcap", [1, 2, 0, 3], ZEEK_GROUP_4),
    ("iti/conformance/8.22.2.13/dump.pcap", [1, 1, 0, 1], ZEEK_GROUP_4),
    ("iti/conformance/8.22.2.15/dump.pcap", [1, 1, 0, 2], ZEEK_GROUP_4),
    ("iti/conformance/8.22.2.6/dump.pcap", [1, 1, 0, 1], ZEEK_GROUP_4),
    ("iti/conformance/8.22.2.7/dump.pcap", [1, 2, 0, 3], ZEEK_GROUP_4),
    ("iti/conformance/8.22.2.9/dump.pcap", [1, 1, 0, 1], ZEEK_GROUP_4),
    ("iti/conformance/8.4.1.2.10/dump.pcap", [1, 3, 0, 3], ZEEK_GROUP_41),
    ("iti/conformance/8.4.1.2.11/dump.pcap", [1, 3, 0, 3], ZEEK_GROUP_41),
    ("iti/conformance/8.4.1.2.5/dump.pcap", [1, 2, 0, 2], ZEEK_GROUP_41),
    ("iti/conformance/8.4.1.2.6/dump.pcap", [1, 1, 0, 1], ZEEK_GROUP_41),
    ("iti/conformance/8.4.1.2.8/dump.pcap", [1, 3, 0, 3], ZEEK_GROUP_41),
    ("iti/conformance/8.6.5.2/dump.pcap", [0, 1, 0, 1], ZEEK_LINK_ONLY),
    ("iti/conformance/8.6.6.2.4/dump.pcap", [1, 3, 0, 4], ZEEK_GROUP_4),
    ("iti/conformance/8.9.2.2/dump.pcap", [1, 3, 0, 16], ZEEK_GROUP_4),
    ("iti/dnp3/dataset_exchange.pcap", [0, 1, 0, 0], ZEEK_DATA_SET),
    ("suricata-verify/dnp3-eve/input.pcap", [1, 12, 0, 5], ZEEK_GROUP_4),
    ("suricata-verify/dnp3-max-points/test.pcap", [1, 0, 0, 0], ZEEK_WRITE),
];

/// Captures with DNP3, and tshark's counts.
fn files(captures: &Path) -> Vec<(String, serde_json::Value)> {
    let oracle = std::fs::read_to_string(captures.join("oracle/tshark-4.0.17-pdu-counts.json")).unwrap();
    let oracle: BTreeMap<String, serde_json::Value> = serde_json::from_str(&oracle).unwrap();
    let is_dnp3 = |counts: &serde_json::Value| counts["dnp3_link_frames"].as_u64().unwrap_or(0) > 0;
    oracle.into_iter().filter(|(_, counts)| is_dnp3(counts)).collect()
}

fn counted<'a>(items: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::new();
    items.filter(|item| *item != "-").for_each(|item| *counts.entry(item.to_owned()).or_default() += 1);
    counts
}

/// One column of a log, row by row.
fn column<'a>(text: &'a str, log: Log, name: &str) -> Vec<&'a str> {
    let at = log.columns().iter().position(|(column, _)| *column == name).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split('\t').nth(at).unwrap()).collect()
}

/// Fragments by Zeek's name of their function, and object headers.
pub(crate) fn counts_of(logs: &MemorySink) -> (Counts, Counts) {
    let detailed = logs.text(Log::Dnp3Detailed);
    let functions = counted(column(&detailed, Log::Dnp3Detailed, "function_code").into_iter());
    let objects = column(&detailed, Log::Dnp3Detailed, "objects");
    (functions, counted(objects.iter().flat_map(|objects| objects.split(','))))
}

pub(crate) fn tsharks(counts: &serde_json::Value) -> (Counts, Counts) {
    let of = |name: &str, rename: fn(&str) -> String| {
        let counts = counts[name].as_object().unwrap();
        counts.iter().map(|(name, count)| (rename(name), count.as_u64().unwrap())).collect()
    };
    let function = |code: &str| {
        let code = wire::dnp3::FunctionCode(code.parse().unwrap());
        code.name().map_or_else(|| format!("unknown-{}", code.0), str::to_owned)
    };
    (of("dnp3_app_fc", function), of("dnp3_objects", str::to_owned))
}

pub(crate) fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

/// What is not the same in both, with the counts of the one and the other.
fn difference(ours: &Counts, theirs: &Counts) -> BTreeMap<String, (u64, u64)> {
    let names = ours.keys().chain(theirs.keys());
    let pair = |name: &String| (ours.get(name).copied().unwrap_or(0), theirs.get(name).copied().unwrap_or(0));
    names.map(|name| (name.clone(), pair(name))).filter(|(_, (one, other))| one != other).collect()
}

#[test]
fn captures_count_as_tshark_counts() {
    let Some(captures) = captures() else { return };
    let mut failed = Vec::new();
    println!("fragments and object headers, ours and tshark's");
    for (file, counts) in files(&captures) {
        let (ours, theirs) = (counts_of(&sense(&captures.join(&file))), tsharks(&counts));
        let known = NOT_TSHARKS.iter().find(|(name, _)| *name == file);
        let numbers = [sum(&ours.0), sum(&ours.1), sum(&theirs.0), sum(&theirs.1)];
        println!("{numbers:4?} {file} {}", known.map_or("", |(_, why)| why));
        if (ours == theirs) != known.is_none() {
            let (functions, objects) = (difference(&ours.0, &theirs.0), difference(&ours.1, &theirs.1));
            failed.push(format!("{file}: {functions:?} {objects:?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Rows without their uid, and where two columns are masked without their time; counted.
fn rows(text: &str, masked: usize) -> Counts {
    let mut rows = Counts::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let kept = line
            .split('\t')
            .enumerate()
            .filter(|(at, _)| !(2 - masked..2).contains(at))
            .map(|(_, field)| field);
        *rows.entry(kept.collect::<Vec<_>>().join("\t")).or_default() += 1;
    }
    rows
}

/// Rows that one side has and the other has not, the larger number of the two.
fn rows_that_differ(difference: &BTreeMap<String, (u64, u64)>) -> u64 {
    let ours = difference.values().map(|(ours, theirs)| ours.saturating_sub(*theirs)).sum::<u64>();
    let theirs = difference.values().map(|(ours, theirs)| theirs.saturating_sub(*ours)).sum::<u64>();
    ours.max(theirs)
}

#[test]
fn captures_give_zeeks_rows_field_for_field() {
    let Some(captures) = captures() else { return };
    let mut failed = Vec::new();
    println!("rows of conn, dnp3, dnp3_control and dnp3_objects, and how many differ from Zeek's");
    for (file, _) in files(&captures) {
        let logs = sense(&captures.join(&file));
        let oracle = captures.join("oracle/zeek-8.0.10").join(&file);
        let mut numbers = [(0, 0); 4];
        let mut details = Vec::new();
        let all = [Log::Conn, Log::Dnp3, Log::Dnp3Control, Log::Dnp3Objects];
        for (log, numbers) in all.into_iter().zip(&mut numbers) {
            let theirs = rows(&std::fs::read_to_string(oracle.join(log.file_name())).unwrap_or_default(), 1);
            let ours = rows(&logs.text(log), 1);
            let difference = difference(&ours, &theirs);
            *numbers = (sum(&theirs), rows_that_differ(&difference));
            details.extend(
                difference.into_iter().map(|(row, sides)| format!("  {} {sides:?} {row}", log.file_name())),
            );
        }
        let known = NOT_ZEEKS.iter().find(|(name, _, _)| *name == file);
        println!("{numbers:?} {file} {}", known.map_or("", |(_, _, why)| why));
        if numbers.map(|(_, differ)| differ) != known.map_or([0; 4], |(_, differ, _)| *differ) {
            failed.push(format!("{file} {numbers:?}\n{}", details.join("\n")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// The baselines that Zeek and ICSNPP keep for their own tests, times and uids masked: capture, baseline, log.
const BASELINES: &[(&str, &str, Log)] = &[
    ("zeek/dnp3_en_spon.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_en_spon", Log::Dnp3),
    ("zeek/dnp3_file_del.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_file_del", Log::Dnp3),
    ("zeek/dnp3_file_read.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_file_read", Log::Dnp3),
    ("zeek/dnp3_read.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_read", Log::Dnp3),
    (
        "zeek/dnp3_select_operate.pcap",
        "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_select_operate",
        Log::Dnp3,
    ),
    ("zeek/dnp3_udp_read.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_udp_read", Log::Dnp3),
    ("zeek/dnp3_write.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.dnp3_write", Log::Dnp3),
    ("zeek/dnp3.pcap", "zeek/Baseline/scripts.base.protocols.dnp3.events", Log::Dnp3),
    (ICSNPP, "icsnpp/icsnpp-dnp3/testing/baseline/analyzer.basic", Log::Dnp3),
    (ICSNPP, "icsnpp/icsnpp-dnp3/testing/baseline/analyzer.basic", Log::Dnp3Control),
    (ICSNPP, "icsnpp/icsnpp-dnp3/testing/baseline/analyzer.basic", Log::Dnp3Objects),
];
const ICSNPP: &str = "icsnpp/icsnpp-dnp3/testing/traces/dnp3_example.pcap";

#[test]
fn captures_give_the_rows_of_zeeks_and_icsnpps_own_baselines() {
    let Some(captures) = captures() else { return };
    for (file, baseline, log) in BASELINES {
        let theirs = std::fs::read_to_string(captures.join(baseline).join(log.file_name())).unwrap();
        let (ours, theirs) = (rows(&sense(&captures.join(file)).text(*log), 2), rows(&theirs, 2));
        println!("{file} {}: {} rows", log.file_name(), sum(&theirs));
        assert_eq!(difference(&ours, &theirs), BTreeMap::new(), "{file} {}", log.file_name());
        assert!(sum(&theirs) > 0);
    }
}

/// Suricata's decoder events by our names: capture, name, rows of `weird.log`.
const EVENTS: &[(&str, &str, usize)] = &[
    ("suricata-verify/dnp3-flood/input.pcap", "dnp3_unanswered_requests", 1),
    ("suricata-verify/dnp3-max-points/test.pcap", "dnp3_too_many_points", 1),
    ("suricata-verify/dnp3-too-long-reassembly-request/input.pcap", "dnp3_fragment_too_long", 1),
];

#[test]
fn captures_of_suricatas_tests_give_the_same_events() {
    let Some(captures) = captures() else { return };
    for (file, name, expected) in EVENTS {
        let weird = sense(&captures.join(file)).text(Log::Weird);
        let names = column(&weird, Log::Weird, "name");
        assert_eq!(names.iter().filter(|found| *found == name).count(), *expected, "{file}: {names:?}");
    }
    // 55 transactions: every fragment but the confirmations.
    let (functions, _) = counts_of(&sense(&captures.join("suricata-verify/dnp3-eve/input.pcap")));
    assert_eq!(sum(&functions) - functions["CONFIRM"], 55);
}

#[test]
fn captures_on_another_port_are_read_all_the_same() {
    let Some(captures) = captures() else { return };
    let logs = sense(&captures.join("zeek/dnp3_read_p20001.pcap"));
    assert_eq!(column(&logs.text(Log::Conn), Log::Conn, "service"), ["dnp3_tcp"]);
    let (functions, objects) = counts_of(&logs);
    let (usual, usual_objects) = counts_of(&sense(&captures.join("zeek/dnp3_read.pcap")));
    assert_eq!((functions, objects), (usual, usual_objects));
}
