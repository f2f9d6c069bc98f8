//! Real captures against Zeek 8.0.10's own logs over them. Runs where `../shared/captures` lies beside the project.
//!
//! Rows are compared field for field, all but the uid. What differs is explained here, by file:
//! - `fuzz-72`: noise on the Modbus port. Zeek gives its analyser up and takes it up again by rules of its own; we start
//!   afresh at every segment that begins with a plausible header.
//! - `modbus.pcap`, `modbus_test_data_part1.pcap`: a device opens a connection from its port 502 and sends exceptions
//!   that nobody asked for. tshark and we read them as Modbus responses, Zeek does not look. And one ADU claims 2180 octets. The specification ends at 254: framing is
//!   lost for us, while Zeek waits for the rest and takes the next request for it.
//! - `ModbusTCP.pcap`: two answers lie across two segments. We log the time of the frame that completes an ADU, as
//!   tshark does; Zeek logs the time of its header.
//! - `modbus-and-non-modbus-p502`, `lemay`: services other than Modbus that only Zeek's analysers recognise.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use sensor::{CaptureReader, Log, MemorySink, RuleSet, Sensor, SensorConfig};

/// File, and rows of `conn.log` and `modbus.log` that may differ.
const CAPTURES: [(&str, usize, usize); 10] = [
    ("zeek/modbusSmall.pcap", 0, 0),
    ("zeek/modbusBig.pcap", 0, 0),
    ("zeek/fuzz-72.pcap", 0, 5),
    ("zeek/modbus-and-non-modbus-p502.pcap", 2, 0),
    ("suricata-verify/modbus/modbus.pcap", 1, 6),
    ("quickdraw-snort/modbus_test_data_part1.pcap", 1, 12),
    ("icsnpp/icsnpp-modbus/testing/traces/modbus_example.pcap", 0, 0),
    ("iti/modbus/modbus_test.pcap", 0, 0),
    ("iti/modbus/ModbusTCP.pcap", 0, 2),
    ("lemay/characterization_modbus_6RTU_with_operate.pcap", 1, 0),
];

fn captures() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: ../shared/captures is not there");
    None
}

/// Rows without their uid, counted.
fn rows(text: &str) -> BTreeMap<String, usize> {
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<_> =
            line.split('\t').enumerate().filter(|(n, _)| *n != 1).map(|(_, field)| field).collect();
        *rows.entry(fields.join("\t")).or_default() += 1;
    }
    rows
}

fn sense(path: &std::path::Path) -> MemorySink {
    let mut reader = CaptureReader::<File>::open(path).unwrap();
    let mut sensor =
        Sensor::new(SensorConfig::default(), RuleSet::embedded().unwrap(), MemorySink::default());
    while let Some(frame) = reader.next_frame().unwrap() {
        sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
    }
    sensor.finish().unwrap();
    sensor.into_sink()
}

#[test]
fn rows_are_zeeks_field_for_field() {
    let Some(captures) = captures() else { return };
    let mut failed = Vec::new();
    for (file, conn_may_differ, modbus_may_differ) in CAPTURES {
        let logs = sense(&captures.join(file));
        for (log, may_differ) in [(Log::Conn, conn_may_differ), (Log::Modbus, modbus_may_differ)] {
            let path = captures.join("oracle/zeek-8.0.10").join(file).join(log.file_name());
            let expected = rows(&std::fs::read_to_string(path).unwrap_or_default());
            let actual = rows(&logs.text(log));
            let differ = |one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>| {
                one.iter()
                    .map(|(row, count)| count.saturating_sub(*other.get(row).unwrap_or(&0)))
                    .sum::<usize>()
            };
            let different = differ(&expected, &actual).max(differ(&actual, &expected));
            println!(
                "{file} {}: {} rows, {different} differ",
                log.file_name(),
                expected.values().sum::<usize>()
            );
            if different > may_differ {
                failed.push(format!(
                    "{file} {}: {different} rows differ, {may_differ} explained",
                    log.file_name()
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
