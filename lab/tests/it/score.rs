//! `fieldrange score` on whole runs: who does nothing, blocks everything, blocks what there is to block, and reports.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{done, fieldrange, lines, simulate};

/// The laptop of `first-shift`, and the controllers that it talks to.
const LAPTOP: &str = "192.168.1.77";
const CONTROLLERS: [&str; 3] = ["plc-1", "plc-2", "plc-3"];

/// A first shift with a person's commands, each with its second, scored as JSON.
fn scored(scratch: &Path, acts: &[String], more: &[&str]) -> Value {
    let run = scratch.join(format!("run-{}", scratch.read_dir().expect("readable").count()));
    let acts: Vec<&str> = acts.iter().flat_map(|act| ["--act", act]).collect();
    simulate("first-shift", 1, &run, &acts);
    score(&run, more)
}

fn score(run: &Path, more: &[&str]) -> Value {
    let words = ["score", run.to_str().expect("UTF-8"), "--json", "--mode", "active"];
    serde_json::from_str(&done(words.iter().copied().chain(more.iter().copied()))).expect("JSON")
}

fn file(scratch: &Path, name: &str, text: &str) -> PathBuf {
    let path = scratch.join(name);
    fs::write(&path, text).expect("written");
    path
}

fn points(score: &Value, part: &str) -> f64 {
    score[part]["points"].as_f64().unwrap_or_else(|| panic!("{part} has no points: {}", score[part]))
}

#[track_caller]
fn near(score: &Value, part: &str, expected: f64) {
    let got = points(score, part);
    assert!((got - expected).abs() < 0.05, "{part} is {got}, expected {expected}: {}", score[part]);
}

/// Rules at each controller; the shift's attack begins at 236 s with a look, and writes at 260 s.
fn rules(from: &str, duration: &str, at_s: u32) -> Vec<String> {
    let rule = |at: &str| {
        format!(
            r#"rule add {{"source": "{from}", "destination": "any", "action": "deny", "at": "{at}"{duration}}}@{at_s}"#
        )
    };
    CONTROLLERS.map(rule).to_vec()
}

/// Every part's lines add up to it, and each says what and why.
#[track_caller]
fn is_explained(score: &Value) {
    for part in ["containment", "recovery", "total"] {
        let lines = score[part]["lines"].as_array().unwrap_or_else(|| panic!("no {part}: {score}"));
        let sum: f64 = lines.iter().filter_map(|line| line["points"].as_f64()).sum();
        assert!((sum - score[part]["points"].as_f64().unwrap_or(0.0)).abs() < 1e-6, "{}", score[part]);
        for line in lines {
            assert!(line["what"] != "" && line["why"] != "", "{line}");
        }
    }
}

#[test]
fn containment_rewards_a_narrow_block_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let none = file(scratch.path(), "none.jsonl", "");
    let with = |acts: &[String]| {
        let score = scored(scratch.path(), acts, &["--calls", none.to_str().unwrap()]);
        is_explained(&score);
        score
    };
    let idle = with(&[]);
    for part in ["containment", "process", "recovery", "total"] {
        near(&idle, part, 0.0);
    }
    // The laptop alone, once it was seen, for an hour: nothing else suffers.
    let narrow = with(&rules(LAPTOP, r#", "duration": "1h""#, 250));
    near(&narrow, "containment", 100.0);
    near(&narrow, "process", 100.0);
    let forgotten = with(&rules(LAPTOP, "", 250));
    near(&forgotten, "containment", 100.0 * 0.9 * 0.9 * 0.9);
    // After the write there is nothing left to prevent.
    near(&with(&rules(LAPTOP, r#", "duration": "1h""#, 400)), "containment", 0.0);
    // Everything: the attack stops, and so does the plant's own talk; without a right call the plant counts for nothing.
    let mut all = rules("any", r#", "duration": "1h""#, 250);
    all.push("session kill {}@250".to_owned());
    let everything = with(&all);
    near(&everything, "containment", 0.0);
    near(&everything, "process", 0.0);
    near(&everything, "total", 0.0);
    let why = everything["containment"]["lines"][1]["why"].as_str().unwrap();
    assert!(why.contains("hmi to plc-1:502"), "{why}");
}

#[test]
fn a_right_call_a_revert_and_a_report_are_worth_their_parts() {
    let scratch = tempfile::tempdir().unwrap();
    let quiet = scratch.path().join("quiet");
    simulate("first-shift", 1, &quiet, &[]);
    let truth = lines(&quiet, "truth.jsonl");
    let dose = truth.iter().find(|step| step["step"] == "dose").expect("the attack");
    let start = dose["start"].as_f64().expect("a number");
    let call = json!({ "id": 1, "t": start + 10.0, "interval": [start, start + 10.0], "entities": [dose["target"], dose["points"][0]],
        "verdict": "attack", "technique": "T0836", "confidence": "high" });
    let calls = file(scratch.path(), "calls.jsonl", &format!("{call}\n"));
    let report = file(
        scratch.path(),
        "report.toml",
        "assets = [\"PLC-1\", \"PLC-2\"]\nindicators = [\"192.168.1.77\"]\nroot_cause = { verdict = \"attack\", entity = \"laptop\", technique = \"T0888\" }\n\
         event = [{ entity = \"PLC-1\", technique = \"T0888\" }, { entity = \"NAOH.SP\", technique = \"T0836\" }, { entity = \"PLC-2\", technique = \"T0888\" }]\n",
    );
    let (calls, report) = (calls.to_str().unwrap(), report.to_str().unwrap());
    let acts = [format!("write NAOH.SP 100@{}", start + 30.0)];
    let out = scratch.path().join("kept");
    let more = ["--calls", calls, "--report", report, "--out", out.to_str().unwrap()];
    let score = scored(scratch.path(), &acts, &more);
    is_explained(&score);
    assert!(points(&score, "process") > 90.0, "{}", score["process"]);
    near(&score, "recovery", 100.0);
    let whole = 0.35 * score["detect"].as_f64().unwrap()
        + 0.2 * points(&score, "containment")
        + 0.25 * points(&score, "process")
        + 0.2 * points(&score, "recovery");
    near(&score, "total", whole);
    assert_eq!(fs::read_to_string(out.join("score.json")).unwrap().parse::<Value>().unwrap(), score);
    assert!(out.join("report.toml").exists());
    // The same revert before the call is luck.
    let early = scored(scratch.path(), &[format!("write NAOH.SP 100@{}", start + 5.0)], &["--calls", calls]);
    near(&early, "process", 0.0);
    near(&early, "recovery", 0.0);
    // Who only looked is scored on what they saw and wrote.
    let passive = ["--calls", calls, "--report", report, "--mode", "passive"];
    let words = ["score", quiet.to_str().unwrap(), "--json"];
    let seen: Value = serde_json::from_str(&done(words.iter().chain(passive.iter()))).unwrap();
    assert_eq!(seen["containment"], Value::Null);
    near(&seen, "total", (0.35 * seen["detect"].as_f64().unwrap() + 0.2 * 100.0) / 0.55);
}

#[test]
fn a_report_with_a_mistake_is_refused_with_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let none = file(scratch.path(), "none.jsonl", "");
    let report = file(scratch.path(), "report.toml", "assets = [\n\"PLC-9\"]\n");
    let output = fieldrange([
        "score",
        run.to_str().unwrap(),
        "--calls",
        none.to_str().unwrap(),
        "--report",
        report.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    let says = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(says.contains("report.toml:2") && says.contains("PLC-9") && says.contains("fix:"), "{says}");
}
