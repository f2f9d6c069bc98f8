//! Tasks: what a person makes is tried for real, and neither everything nor nothing earns points.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{fieldrange, lines, simulate};

/// Points and whether it counts as done.
#[track_caller]
fn grade(task: &str, file: &Path, more: &[&str]) -> (f64, bool) {
    let mut words = vec!["task", task, file.to_str().expect("a path in UTF-8"), "--json"];
    words.extend(more);
    let output = fieldrange(words);
    let account: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let passed = account["passed"].as_bool().expect("passed or not");
    assert_eq!(output.status.code(), Some(i32::from(!passed)));
    (account["score"].as_f64().expect("points"), passed)
}

const ALLOW_LIST: &[(&str, &str, &str, u16)] = &[
    ("replication", "10.0.4.10", "192.168.1.10", 1433),
    ("analysts", "10.10.5.0/24", "10.0.35.5", 3389),
    ("rules", "10.10.5.0/24", "10.0.1.1", 80),
    ("engineering", "10.0.35.5", "192.168.1.30", 3389),
    ("dispatch", "192.168.60.15", "192.168.1.103", 20000),
];

fn firewall(rules: &[(&str, &str, &str, u16)]) -> String {
    rules.iter().fold(String::new(), |text, (name, source, destination, port)| {
        format!("{text}[[firewall]]\nname = \"{name}\"\nsource = \"{source}\"\ndestination = \"{destination}\"\nprotocol = \"tcp\"\nports = [{port}]\naction = \"allow\"\n\n")
    })
}

#[test]
fn an_allow_list_is_probed_with_real_connections() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rules.toml");
    let score = |text: &str| {
        fs::write(&file, text).unwrap();
        grade("allow-list", &file, &[]).0
    };
    assert!((score(&firewall(ALLOW_LIST)) - 100.0).abs() < 1e-9);
    assert!(score("") < 1e-9, "a wall");
    let all = "[[firewall]]\nname = \"all\"\nsource = \"any\"\ndestination = \"any\"\naction = \"allow\"\n";
    assert!(score(all) < 1e-9, "a hole");
    let without_dispatch = score(&firewall(&ALLOW_LIST[..4]));
    assert!((without_dispatch - 64.0).abs() < 1e-9, "{without_dispatch}");
}

#[test]
fn frames_are_compared_with_ground_truth() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 5, &run, &[]);
    let hostile: Vec<u64> = lines(&run, "truth.jsonl")
        .iter()
        .filter(|step| step["verdict"] == "attack")
        .flat_map(|step| {
            step["frames"].as_array().unwrap().iter().map(|frame| frame.as_u64().unwrap()).collect::<Vec<_>>()
        })
        .collect();
    let file = scratch.path().join("frames.txt");
    let score = |frames: &[u64]| {
        let text: Vec<String> = frames.iter().map(ToString::to_string).collect();
        fs::write(&file, text.join("\n")).unwrap();
        grade("attack-frames", &file, &["--run", run.to_str().unwrap()]).0
    };
    assert!((score(&hostile) - 100.0).abs() < 1e-9);
    assert!(score(&(1..20_000).collect::<Vec<_>>()) < 1.0);
    assert!(score(&[]) < 1e-9);
}

#[test]
fn a_rule_is_tried_on_days_that_nobody_has_seen() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rule.yml");
    let rule = |condition: &str| {
        format!(
            "title: Mine\nname: mine\nid: 5b5f7a52-6f5e-4a0e-9a55-0b8f6f2f7c77\ndescription: mine\nlogsource: {{product: fieldrange, service: modbus}}\ndetection:\n  write: {{modbus.write: true, pdu_type: REQ}}\n  known: {{site.writer: true}}\n  condition: {condition}\nlevel: high\ncustom: {{misses: much}}\n"
        )
    };
    fs::write(&file, rule("write and not known")).unwrap();
    let (good, passed) = grade("foreign-write", &file, &["--seeds", "1"]);
    assert!(passed && good > 99.0, "{good}");
    fs::write(&file, rule("write")).unwrap();
    let (eager, passed) = grade("foreign-write", &file, &["--seeds", "1"]);
    assert!(!passed, "{eager}");
}

#[test]
fn what_cannot_be_tried_is_refused_with_the_place_and_the_fix() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("rules.toml");
    fs::write(
        &file,
        "[[firewall]]\nname = \"x\"\nsource = \"zone:nowhere\"\ndestination = \"any\"\naction = \"allow\"\n",
    )
    .unwrap();
    let path = file.to_str().unwrap();
    for (words, said) in [
        (vec!["task", "nonsense"], "allow-list"),
        (vec!["task", "allow-list", path], "nowhere"),
        (vec!["task", "foreign-write", path], "rules.toml"),
        (vec!["task", "attack-frames", path], "--run RUN"),
        (vec!["task", "allow-list", "nowhere.toml"], "nowhere.toml"),
    ] {
        let output = fieldrange(&words);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(said) && !text.contains("panicked"), "{words:?}: {text}");
    }
}
