//! What a record holds, and what is made from it.

use std::fs;

use crate::command::{done, fieldrange, lines, manifest, simulate};

#[test]
fn the_sensor_reads_the_capture_as_it_saw_it_in_line() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, logs) = (scratch.path().join("run"), scratch.path().join("logs"));
    simulate("first-shift", 1, &run, &[]);
    let capture = run.join("span.pcapng");
    // Site and start come from the record.
    done([
        "sense".as_ref(),
        "-r".as_ref(),
        capture.as_os_str(),
        "--logs".as_ref(),
        "basic".as_ref(),
        "--log-dir".as_ref(),
        logs.as_os_str(),
    ]);
    let mut compared = 0;
    for entry in fs::read_dir(&logs).unwrap().flatten() {
        let name = entry.file_name();
        let beside = name.to_string_lossy().ends_with(".jsonl");
        let in_line = if beside { run.join(&name) } else { run.join("logs").join(&name) };
        assert_eq!(fs::read(entry.path()).unwrap(), fs::read(&in_line).unwrap(), "{}", in_line.display());
        compared += 1;
    }
    assert!(compared >= 4, "{compared} logs");
    assert_eq!(
        fs::read_dir(run.join("logs")).unwrap().count() + ["findings.jsonl", "incidents.jsonl"].len(),
        compared,
        "no log is in the record alone"
    );
}

#[test]
fn a_record_for_a_trainee_holds_no_answers() {
    let scratch = tempfile::tempdir().unwrap();
    let (run, packed) = (scratch.path().join("run"), scratch.path().join("packed"));
    simulate("first-shift", 1, &run, &["--blind"]);
    let words =
        ["pack".as_ref(), run.as_os_str(), "--trainee".as_ref(), "--out".as_ref(), packed.as_os_str()];
    done(words);
    assert!(!packed.join("truth.jsonl").exists() && !packed.join("findings.jsonl").exists());
    assert!(run.join("incidents.jsonl").exists() && !packed.join("incidents.jsonl").exists());
    let manifest = manifest(&packed);
    assert!(manifest.get("seed").is_none() && manifest.get("settings").is_none());
    assert!(!manifest["topology"].as_object().unwrap().contains_key("192.168.1.77"));
    done(["verify".as_ref(), packed.as_os_str()]);
    let refused = fieldrange(["replay".as_ref(), packed.as_os_str()]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn the_oracle_and_the_silent_get_what_they_deserve() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let calls: String = lines(&run, "truth.jsonl")
        .iter()
        .zip(1..)
        .map(|(step, id)| {
            let seen = step["observable"]["analyst"].as_object().unwrap().values().map(|t| t.as_f64().unwrap()).fold(f64::MAX, f64::min);
            let mut entities = vec![step["source"].clone(), step["target"].clone()];
            entities.extend(step["points"].as_array().unwrap().iter().cloned());
            entities.retain(|entity| !entity.is_null());
            let technique = step["techniques"].get(0).cloned().unwrap_or_default();
            serde_json::json!({ "id": id, "t": seen + 20.0, "interval": [step["start"], seen + 20.0], "entities": entities,
                "verdict": step["verdict"], "technique": technique, "confidence": "high" })
            .to_string()
                + "\n"
        })
        .collect();
    let (all, none) = (scratch.path().join("all.jsonl"), scratch.path().join("none.jsonl"));
    fs::write(&all, calls).unwrap();
    fs::write(&none, "").unwrap();
    let detect = |calls: &std::path::Path| {
        let words =
            ["score".as_ref(), run.as_os_str(), "--calls".as_ref(), calls.as_os_str(), "--json".as_ref()];
        let score: serde_json::Value = serde_json::from_str(&done(words)).unwrap();
        score["detect"].as_f64().unwrap()
    };
    assert!(detect(&all) >= 85.0, "{}", detect(&all));
    assert_eq!(detect(&none), 0.0);
}

#[test]
fn blame_falls_on_the_write() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let blame: serde_json::Value =
        serde_json::from_str(&done(["blame".as_ref(), run.as_os_str(), "--json".as_ref()])).unwrap();
    let steps = blame["steps"].as_array().unwrap();
    assert_eq!(steps[0]["step"], "dose", "{blame}");
    assert!(steps[0]["blame"].as_f64().unwrap() > 1000.0, "{blame}");
    assert!(steps[1..].iter().all(|step| step["blame"].as_f64().unwrap().abs() < 1.0), "{blame}");
}

#[test]
fn without_a_terminal_a_bot_stands_the_first_shift() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("shift");
    let story = done(["shift".as_ref(), "--out".as_ref(), out.as_os_str()]);
    for said in ["NAOH.SP", "The call: attack", "Your verdict is right", "pH", "without"] {
        assert!(story.contains(said), "{said:?} is missing in\n{story}");
    }
    done(["verify".as_ref(), out.as_os_str()]);
}

#[test]
fn a_blind_shift_draws_every_cause() {
    let mut causes: Vec<String> = (1..=8)
        .map(|seed| {
            let scratch = tempfile::tempdir().unwrap();
            let run = scratch.path().join("run");
            simulate("first-shift", seed, &run, &["--blind"]);
            let truth = lines(&run, "truth.jsonl");
            let heaviest = truth.iter().max_by_key(|step| step["severity"].as_u64()).unwrap();
            heaviest["verdict"].as_str().unwrap().to_owned()
        })
        .collect();
    causes.sort();
    causes.dedup();
    assert_eq!(causes, ["attack", "authorised", "fault"]);
}
