//! `fieldrange report`: the page, its figures, and what would have been.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{done, fieldrange, lines, simulate};

/// A first shift in which somebody puts the dose back `late_s` after the attack; the directory and the moment.
fn acted(scratch: &Path, name: &str, late_s: f64) -> (PathBuf, f64) {
    let quiet = scratch.join(format!("{name}-quiet"));
    simulate("first-shift", 1, &quiet, &[]);
    let truth = lines(&quiet, "truth.jsonl");
    let dose = truth.iter().find(|step| step["step"] == "dose").expect("the attack");
    let at = dose["start"].as_f64().expect("a number") + late_s;
    let run = scratch.join(name);
    simulate("first-shift", 1, &run, &["--act", &format!("write NAOH.SP 100@{at}")]);
    (run, at)
}

/// The right call on the dose, and a wrong one.
fn calls(run: &Path, out: &Path) {
    let truth = lines(run, "truth.jsonl");
    let dose = truth.iter().find(|step| step["step"] == "dose").expect("the attack");
    let (start, seen) = (
        dose["start"].as_f64().expect("a number"),
        dose["observable"]["analyst"]["network"].as_f64().expect("a number"),
    );
    let right = json!({ "id": 1, "t": seen + 10.0, "interval": [start, seen + 10.0], "entities": [dose["target"], dose["points"][0]],
        "verdict": "attack", "technique": dose["techniques"][0], "confidence": "high" });
    let wrong = json!({ "id": 2, "t": 30.0, "interval": [10.0, 30.0], "entities": ["host:historian"], "verdict": "attack", "confidence": "low" });
    fs::write(out, format!("{right}\n{wrong}\n")).expect("written");
}

fn report(run: &Path, page: &Path, more: &[&str]) -> Value {
    let words = ["report", run.to_str().expect("UTF-8"), "--json", "--out", page.to_str().expect("UTF-8")];
    let all: Value =
        serde_json::from_str(&done(words.iter().copied().chain(more.iter().copied()))).expect("JSON");
    all[0].clone()
}

fn harm(report: &Value, course: usize) -> f64 {
    report["fates"][course]["harm"].as_f64().expect("a number")
}

#[test]
fn a_report_says_what_was_called_done_and_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, at) = acted(scratch.path(), "run", 60.0);
    let (page, handed) = (scratch.path().join("report.html"), scratch.path().join("calls.jsonl"));
    calls(&run, &handed);
    let told = report(&run, &page, &["--calls", handed.to_str().unwrap()]);
    let dose = told["happened"].as_array().unwrap().iter().find(|it| it["step"]["step"] == "dose").unwrap();
    assert_eq!((&dose["outcome"], &dose["call"]), (&json!("found"), &json!(1)), "{dose}");
    let by_call: Vec<f64> =
        told["calls"].as_array().unwrap().iter().map(|it| it["points"].as_f64().unwrap()).collect();
    assert!(by_call[0] > 10.0 && by_call[1] < 0.0, "{by_call:?}");
    let score: Value = serde_json::from_str(&done([
        "score",
        run.to_str().unwrap(),
        "--calls",
        handed.to_str().unwrap(),
        "--json",
    ]))
    .unwrap();
    let parts = ["mode", "containment", "process", "recovery", "total", "own_limits"];
    for name in parts {
        assert_eq!(told[name], score[name], "the report's {name} is that of `fieldrange score`");
    }
    let mut detection = score.clone();
    detection.as_object_mut().unwrap().retain(|name, _| !parts.contains(&name.as_str()));
    assert_eq!(told["detection"], detection, "the report's score is that of `fieldrange score`");
    assert_eq!(told["actions"][0]["command"], "write NAOH.SP 100");
    assert!((told["actions"][0]["t"].as_f64().unwrap() - at).abs() < 1.0);
    assert!(harm(&told, 0) < harm(&told, 1), "acting kept something: {}", told["fates"]);
    assert_eq!(
        told["process"]["points"].as_f64().map(|points| points > 0.0),
        Some(true),
        "{}",
        told["process"]
    );
    let courses = told["curves"][0]["lines"].as_array().unwrap();
    assert_eq!(courses.len(), 3);
    assert!(courses.iter().all(|line| line.as_array().unwrap().len() > 50));

    let html = fs::read_to_string(&page).unwrap();
    for said in ["EXERCISE", "<svg", "call 1", "write NAOH.SP 100", "nobody acts", "no attack", "T0836"] {
        assert!(html.contains(said), "{said:?} is missing");
    }
    let elsewhere = html.matches("http").count()
        - html.matches("http-equiv").count()
        - html.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(elsewhere, 0, "nothing is loaded from elsewhere");
    assert!(!html.contains("<script") && !html.contains("<link") && !html.contains("<img"));
    let again = scratch.path().join("again.html");
    report(&run, &again, &["--calls", handed.to_str().unwrap()]);
    assert_eq!(html, fs::read_to_string(again).unwrap(), "the same record and calls give the same page");
}

#[test]
fn what_if_changes_what_a_person_did_and_nothing_else() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, _) = acted(scratch.path(), "run", 120.0);
    let page = scratch.path().join("report.html");
    let with = |change: &str| report(&run, &page, &["--what-if", change]);
    let [same, sooner, without, worse] =
        ["earlier 0", "earlier 90", "without", "instead 1 write NAOH.SP 60000"].map(with);
    assert_eq!(harm(&same, 3), harm(&same, 0), "moved by nothing, nothing changes");
    assert_eq!(same["curves"][0]["lines"][3], same["curves"][0]["lines"][0]);
    assert_eq!(harm(&without, 3), harm(&without, 1), "without the action nobody acts");
    assert!(harm(&sooner, 3) < harm(&sooner, 0), "{} not below {}", harm(&sooner, 3), harm(&sooner, 0));
    assert!(harm(&worse, 3) >= harm(&worse, 0));
}

#[test]
fn a_change_that_does_not_fit_is_refused_with_what_would() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, page) = (scratch.path().join("run"), scratch.path().join("report.html"));
    simulate("first-shift", 1, &run, &[]);
    for (change, says) in [
        ("sooner 60", "earlier SECONDS"),
        ("earlier 60", "nobody acted"),
        ("without 3", "no action 3"),
        ("also 90000 write NAOH.SP 100", "after the end"),
        ("also 60 write NO.SUCH 1", "refused"),
    ] {
        let words = ["report", run.to_str().unwrap(), "--out", page.to_str().unwrap(), "--what-if", change];
        let output = fieldrange(words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{change}: {told}");
        assert!(told.contains(says), "{change}: {told}");
        assert!(!page.exists(), "{change}");
    }
}

#[test]
fn a_record_packed_for_a_trainee_gives_no_report() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, packed) = (scratch.path().join("run"), scratch.path().join("packed"));
    simulate("first-shift", 1, &run, &[]);
    done(["pack", run.to_str().unwrap(), "--trainee", "--out", packed.to_str().unwrap()]);
    let output = fieldrange([
        "report",
        packed.to_str().unwrap(),
        "--out",
        scratch.path().join("r.html").to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("packed for a trainee"));
}

#[test]
fn runs_of_one_scenario_stand_side_by_side() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, _) = acted(scratch.path(), "acted", 60.0);
    let quiet = scratch.path().join("acted-quiet");
    let (handed, page) = (scratch.path().join("calls.jsonl"), scratch.path().join("both.html"));
    calls(&run, &handed);
    let none = scratch.path().join("none.jsonl");
    fs::write(&none, "").unwrap();
    let (handed, none) = (handed.to_str().unwrap(), none.to_str().unwrap());
    let runs = ["report", quiet.to_str().unwrap(), run.to_str().unwrap(), "--out", page.to_str().unwrap()];
    done(runs.iter().copied().chain(["--calls", none, "--calls", handed]));
    let html = fs::read_to_string(&page).unwrap();
    let (first, second) = (html.find("acted</th>").unwrap(), html.find("acted-quiet</th>").unwrap());
    assert!(first < second, "the better detection stands first");
    assert_eq!(html.matches("<svg").count(), 2);
    // Another scenario's run is refused before anything is computed.
    let other = scratch.path().join("other");
    fs::create_dir(&other).unwrap();
    let renamed = fs::read_to_string(run.join("run.json")).unwrap().replace("\"first-shift\"", "\"oldsmar\"");
    fs::write(other.join("run.json"), renamed).unwrap();
    let output = fieldrange([
        "report",
        run.to_str().unwrap(),
        other.to_str().unwrap(),
        "--out",
        page.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("one scenario"));
}
