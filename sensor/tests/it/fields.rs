//! Modbus logs against Zeek's and ICSNPP's, field for field: columns, types and rows. Ids are mapped, nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use sensor::Log;

use crate::captures::{Table, captures, link_ids, sense, uids, without};

const LOGS: [Log; 7] = [
    Log::Conn,
    Log::Modbus,
    Log::ModbusDetailed,
    Log::ModbusMaskWriteRegister,
    Log::ModbusReadWriteMultipleRegisters,
    Log::ModbusReadDeviceIdentification,
    Log::KnownModbus,
];

const FILES: [&str; 10] = [
    "zeek/modbusSmall.pcap",
    "zeek/modbusBig.pcap",
    "zeek/fuzz-72.pcap",
    "zeek/modbus-and-non-modbus-p502.pcap",
    "suricata-verify/modbus/modbus.pcap",
    "quickdraw-snort/modbus_test_data_part1.pcap",
    "icsnpp/icsnpp-modbus/testing/traces/modbus_example.pcap",
    "iti/modbus/modbus_test.pcap",
    "iti/modbus/ModbusTCP.pcap",
    "lemay/characterization_modbus_6RTU_with_operate.pcap",
];

const CALLS_FROM_502: &str = "a device opens a connection from its port 502 and sends exceptions that nobody asked \
    for: Modbus responses for tshark and us, while Zeek does not look";
const LENGTH_34820: &str = "an ADU claims 34820 octets (0x8804). The specification ends at 254, so framing is lost \
    for us; Zeek believes the length and logs the function behind it. And see above: calls from port 502";
const FUZZ: &str = "an ADU with a length of 37 in a segment of 12 octets: Zeek takes its function from the header, and then \
    gives up until later; for us it ends at the next hole, and every segment behind one that begins with a plausible \
    header is read, as tshark does";

/// File, log, rows of theirs that we lack, rows of ours that they lack, and why.
const DIFFERENT: &[(&str, Log, usize, usize, &str)] = &[
    ("zeek/fuzz-72.pcap", Log::Modbus, 1, 4, FUZZ),
    ("zeek/fuzz-72.pcap", Log::ModbusDetailed, 1, 4, FUZZ),
    (
        "zeek/modbus-and-non-modbus-p502.pcap",
        Log::Conn,
        1,
        1,
        "we name http by its request, of which Zeek sees no answer",
    ),
    ("suricata-verify/modbus/modbus.pcap", Log::Conn, 1, 1, CALLS_FROM_502),
    ("suricata-verify/modbus/modbus.pcap", Log::Modbus, 1, 5, LENGTH_34820),
    (
        "suricata-verify/modbus/modbus.pcap",
        Log::ModbusDetailed,
        1,
        6,
        "as in modbus.log; and a request whose transaction is used again is a row for us, forgotten by ICSNPP",
    ),
    ("quickdraw-snort/modbus_test_data_part1.pcap", Log::Conn, 1, 1, CALLS_FROM_502),
    ("quickdraw-snort/modbus_test_data_part1.pcap", Log::Modbus, 1, 11, LENGTH_34820),
    (
        "quickdraw-snort/modbus_test_data_part1.pcap",
        Log::ModbusDetailed,
        1,
        12,
        "as in modbus.log; and a request whose transaction is used again is a row for us, forgotten by ICSNPP",
    ),
    (
        "iti/modbus/modbus_test.pcap",
        Log::ModbusDetailed,
        3,
        4,
        "four writes with transaction 504 are under way at once: ICSNPP keeps the last and gives it the first answer, \
         we answer them in their order",
    ),
    (
        "iti/modbus/ModbusTCP.pcap",
        Log::Modbus,
        2,
        2,
        "two answers lie across two segments: we log the time of the frame that completes an ADU, as tshark does, Zeek \
         that of its header",
    ),
    (
        "lemay/characterization_modbus_6RTU_with_operate.pcap",
        Log::Conn,
        1,
        1,
        "Zeek names ntlm,smb, which we do not know",
    ),
    (
        "lemay/characterization_modbus_6RTU_with_operate.pcap",
        Log::ModbusDetailed,
        16,
        8,
        "when any connection ends, ICSNPP gives up the open requests of all: eight exchanges are cut in two there",
    ),
];

/// The logs of one tool over one capture, ids mapped.
fn mapped(mut tables: Vec<Table>, conn: &Table) -> Vec<Table> {
    let uids = uids(conn);
    for table in &mut tables {
        table.rename("uid", &uids);
    }
    let links = link_ids(&tables, "modbus_detailed_link_id");
    for table in &mut tables {
        table.rename("modbus_detailed_link_id", &links);
    }
    tables
}

#[test]
fn rows_of_captures_are_zeeks_and_icsnpps_field_for_field() {
    let Some(captures) = captures() else { return };
    let mut failed = Vec::new();
    for file in FILES {
        let folder = captures.join("oracle/zeek-8.0.10").join(file);
        let theirs = LOGS.map(|log| Table::read(&folder.join(log.file_name())));
        let logs = sense(&captures.join(file));
        let ours = LOGS.map(|log| Table::of(&logs, log));
        let (their_conn, our_conn) = (theirs[0].clone(), ours[0].clone());
        let theirs = mapped(theirs.into(), &their_conn);
        let ours = mapped(ours.into(), &our_conn);
        for (log, (theirs, ours)) in LOGS.into_iter().zip(theirs.into_iter().zip(ours)) {
            if !theirs.columns.is_empty() && !ours.columns.is_empty() {
                assert_eq!((&ours.columns, &ours.types), (&theirs.columns, &theirs.types), "{log:?}");
            }
            let (expected, actual) = (theirs.counted(), ours.counted());
            let (missing, more) = (without(&expected, &actual), without(&actual, &expected));
            let known = DIFFERENT.iter().find(|known| (known.0, known.1) == (file, log));
            let told = known.map_or((0, 0, "equal"), |known| (known.2, known.3, known.4));
            println!(
                "{file} {}: {} rows, {} missing, {} more: {}",
                log.file_name(),
                theirs.rows.len(),
                missing.len(),
                more.len(),
                told.2
            );
            if (missing.len(), more.len()) != (told.0, told.1) {
                failed.push(format!("{file} {}\n  -{missing:?}\n  +{more:?}", log.file_name()));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Logs as the projects keep them for their own tests: no times, ids in the order of their appearance.
fn as_baseline(text: &str) -> Table {
    let mut table = Table::parse(text);
    let mut names = BTreeMap::new();
    for name in ["uid", "modbus_detailed_link_id"] {
        let Some(at) = table.column(name) else { continue };
        for row in &mut table.rows {
            let next = names.len().to_string();
            if !matches!(row[at].as_str(), "-" | "(empty)") {
                let name = names.entry(row[at].clone()).or_insert(next);
                row[at].clone_from(name);
            }
        }
    }
    if let Some(at) = table.column("ts") {
        table.rows.iter_mut().for_each(|row| "T".clone_into(&mut row[at]));
    }
    table
}

#[track_caller]
fn check_baseline(folder: &Path, file: &str, ours: &sensor::MemorySink, log: Log) {
    let theirs = std::fs::read_to_string(folder.join(file)).unwrap();
    let (theirs, ours) = (as_baseline(&theirs), as_baseline(&ours.text(log)));
    assert_eq!((&ours.columns, &ours.types), (&theirs.columns, &theirs.types), "{file}");
    assert_eq!(ours.rows, theirs.rows, "{file}");
}

#[test]
fn captures_of_icsnpp_give_its_own_baseline_in_order() {
    let Some(captures) = captures() else { return };
    let ours = sense(&captures.join("icsnpp/icsnpp-modbus/testing/traces/modbus_example.pcap"));
    let folder = captures.join("icsnpp/icsnpp-modbus/testing/baseline/analyzer.basic");
    check_baseline(&folder, "modbus_detailed.log", &ours, Log::ModbusDetailed);
    check_baseline(&folder, "modbus_mask_write_register.log", &ours, Log::ModbusMaskWriteRegister);
    let read_write = "modbus_read_write_multiple_registers.log";
    check_baseline(&folder, read_write, &ours, Log::ModbusReadWriteMultipleRegisters);
    // Its modbus.log is of an older Zeek: no header, fewer columns, a row per answer.
    let theirs = std::fs::read_to_string(folder.join("modbus.log")).unwrap();
    let theirs: Vec<_> = theirs
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').skip(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let ours = Table::of(&ours, Log::Modbus);
    let few = ["id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "func", "exception"];
    let answers = ours.rows.iter().filter(|row| ours.get(row, "pdu_type") == "RESP");
    let answers: Vec<_> =
        answers.map(|row| few.map(|name| ours.get(row, name).to_owned()).to_vec()).collect();
    assert_eq!(answers, theirs);
}

#[test]
fn captures_of_zeek_give_its_own_baselines_in_order() {
    let Some(captures) = captures() else { return };
    let baseline = captures.join("zeek/Baseline");
    let ours = sense(&captures.join("zeek/modbus-and-non-modbus-p502.pcap"));
    let folder = baseline.join("scripts.base.protocols.modbus.modbus_and_non_modbus_on_port_502");
    check_baseline(&folder, "modbus.log", &ours, Log::Modbus);

    // Every event of a message is a row, in both coil captures.
    for (name, file) in [("small", "zeek/modbusSmall.pcap"), ("big", "zeek/modbusBig.pcap")] {
        let output = baseline.join(format!("scripts.base.protocols.modbus.coil_parsing_{name}/output"));
        let output = std::fs::read_to_string(output).unwrap();
        let events: usize = output
            .lines()
            .filter_map(|line| line.trim_start().split_once(" modbus_message, "))
            .map(|(count, _)| count.parse::<usize>().unwrap())
            .sum();
        assert_eq!(Table::of(&sense(&captures.join(file)), Log::Modbus).rows.len(), events, "{file}");
    }

    // The policy baseline is over four captures; the one from 10.1.1.234 is not shared.
    let policy = baseline.join("scripts.base.protocols.modbus.policy/known_modbus.log");
    let policy = std::fs::read_to_string(policy).unwrap();
    let theirs: Vec<_> = as_baseline(&policy)
        .rows
        .into_iter()
        .filter(|row| !matches!(row[1].as_str(), "10.1.1.234" | "10.10.5.85"))
        .collect();
    let ours: Vec<_> = ["quickdraw-snort/modbus_test_data_part1.pcap", "zeek/fuzz-72.pcap"]
        .iter()
        .flat_map(|file| as_baseline(&sense(&captures.join(file)).text(Log::KnownModbus)).rows)
        .collect();
    assert_eq!(ours, theirs);
}
