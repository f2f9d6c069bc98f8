//! The tank that two protocols tell of, one of them over a line that loses frames.

use std::fs;

use crate::command::{done, lines, simulate};

#[test]
fn a_bad_line_says_things_twice_and_both_protocols_tell_one_level() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, logs) = (scratch.path().join("run"), scratch.path().join("logs"));
    simulate("far-tank", 1, &run, &[]);
    let (capture, logs_name) = (run.join("span.pcapng").display().to_string(), logs.display().to_string());
    done(["sense", "-r", &capture, "--site", "waterworks", "--log-dir", &logs_name]);
    let rows = |name: &str, wanted: &str| -> Vec<Vec<String>> {
        let text = fs::read_to_string(logs.join(name)).unwrap();
        let found = text.lines().filter(|line| line.contains(wanted));
        found.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    };

    let reports: Vec<_> = rows("dnp3_detailed.log", "\tUNSOLICITED_RESPONSE\t")
        .into_iter()
        .filter(|row| row[19] == "UNSOLICITED_RESPONSE")
        .collect();
    let twice = reports.windows(2).filter(|pair| pair[0][18] == pair[1][18]).count();
    assert!(reports.len() > 100 && twice > 2, "{} reports, {twice} of them again", reports.len());

    let (mut over_modbus, mut compared) = (None, 0);
    for row in rows("values.log", "\tLIT-401\t") {
        let level_m: f64 = row[8].parse().unwrap();
        if row[5] == "502" {
            over_modbus = Some(level_m);
        } else if let Some(over_modbus) = over_modbus {
            // Some seconds on the way, and the transmitter's noise.
            assert!((level_m - over_modbus).abs() < 0.06, "{row:?}: {over_modbus} m over Modbus");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} levels over DNP3");

    for finding in lines(&run, "findings.jsonl") {
        let of_the_drift = finding["entities"].to_string().contains("point:LIT-401");
        assert!(finding["level"] == "low" || of_the_drift, "{finding}");
    }
}
