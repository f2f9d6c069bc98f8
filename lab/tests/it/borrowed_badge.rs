//! Controllers that are stopped with the vendor's function code, and what people are told meanwhile.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{fieldrange, lines, simulate};

#[test]
fn a_controller_whose_key_stands_in_program_obeys_a_stop_and_the_journal_tells_who_logged_on() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("borrowed-badge", 2, &run, &[]);
    let (events, truth) = (lines(&run, "events.jsonl"), lines(&run, "truth.jsonl"));
    let start_of = |step: &str| {
        let found = truth.iter().find(|row| row["step"] == step).unwrap();
        found["start"].as_f64().unwrap()
    };
    let modes: Vec<(f64, String)> = events
        .iter()
        .filter(|event| event["kind"] == "controller.mode")
        .map(|event| {
            let data = &event["data"];
            let words = [&data["device"], &data["from"], &data["to"]].map(|word| word.as_str().unwrap());
            (event["t"].as_f64().unwrap(), words.join(" "))
        })
        .collect();
    let words: Vec<&str> = modes.iter().map(|(_, words)| words.as_str()).collect();
    assert_eq!(
        words,
        ["PLC-2 Run Stop", "PLC-1 Run Stop", "PLC-1 Stop Run"],
        "the engineer's is started again"
    );
    let after = modes[0].0 - start_of("stop");
    assert!((20.0..21.0).contains(&after), "{after} s after the session to the workstation began");
    let stood = modes[2].0 - modes[1].0;
    assert!((89.5..91.0).contains(&stood), "{stood} s");

    let told: Vec<&Value> = events.iter().filter(|event| event["kind"] == "inject").collect();
    assert_eq!(told.len(), 6);
    let strange = told.iter().find(|event| event["data"]["inject"] == "office-log-on").unwrap();
    assert!(strange["t"].as_f64().unwrap() < start_of("stop"));
    assert_eq!(strange["data"]["channel"], "vpn");
    assert_eq!(strange["data"]["to"][0], "analyst");

    let findings = lines(&run, "findings.jsonl");
    let found = |step: &str| {
        let from = start_of(step);
        findings.iter().any(|finding| {
            let t = finding["t"].as_f64().unwrap();
            finding["rule"] == "modbus-device-control" && (from..from + 60.0).contains(&t)
        })
    };
    assert!(found("stop") && found("own-stop"), "the sensor knows no tickets: both, and the person decides");
}

/// A copy of the scenario in which one thing is written otherwise.
fn altered(scratch: &Path, was: &str, now: &str) -> String {
    let folder = scratch.join("borrowed-badge");
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/scenarios/borrowed-badge");
    fs::create_dir_all(folder.join("texts")).expect("a copy of the scenario");
    fs::copy(format!("{bundled}/texts/en.toml"), folder.join("texts/en.toml"))
        .expect("a copy of the scenario");
    let file = fs::read_to_string(format!("{bundled}/scenario.toml")).expect("a copy of the scenario");
    let other = file.replacen(was, now, 1);
    assert_ne!(file, other);
    fs::write(folder.join("scenario.toml"), other).expect("a copy of the scenario");
    folder.display().to_string()
}

#[test]
fn with_the_key_in_run_the_same_stop_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = altered(scratch.path(), "keys_in_program = [\"PLC-1\", \"PLC-2\"]", "");
    let run = scratch.path().join("run");
    simulate(&folder, 2, &run, &[]);
    assert!(!lines(&run, "events.jsonl").iter().any(|event| event["kind"] == "controller.mode"));
}

#[test]
fn check_names_an_inject_that_can_never_be_said() {
    let scratch = tempfile::tempdir().unwrap();
    // Ordinary work that comes again and again has no event of its plain name.
    let folder = altered(scratch.path(), "needs = \"stop\"", "needs = \"chlorine-trim\"");
    let output = fieldrange(["check", "--scenario", &folder]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("\"office-log-on\" is said in no run"), "{said}");
}
