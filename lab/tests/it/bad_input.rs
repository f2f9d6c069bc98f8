//! Wrong input: a clear error with place and fix, exit code 2, and what was recorded stays whole.

use std::fs;

use crate::command::{done, fieldrange, simulate};

/// The command refuses, and says all of `said`.
#[track_caller]
fn check_refused<S: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = S>, said: &[&str]) {
    let output = fieldrange(words);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{text}");
    for word in said {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn names_that_do_not_exist_are_met_with_those_that_do() {
    let out = "never-made";
    check_refused(["simulate", "nonsense", "--out", out], &["nonsense", "first-shift"]);
    check_refused(["plant", "nonsense"], &["nonsense", "water"]);
    check_refused(["simulate", "oldsmar", "--var", "nonsense=1", "--out", out], &["nonsense", "fix"]);
    check_refused(["plant", "water", "--hours", "1", "--set", "NOWHERE=1@0"], &["NOWHERE", "NAOH.SP"]);
    check_refused(["plant", "water", "--set", "NAOH.SP=1"], &["TAG=VALUE@TIME"]);
    check_refused(["plant", "water", "--hours", "-1"], &["hours"]);
    assert!(!std::path::Path::new(out).exists());
}

#[test]
fn a_run_is_never_written_over() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let before = fs::read(run.join("run.json")).unwrap();
    let path = run.display().to_string();
    check_refused(["simulate", "first-shift", "--seed", "2", "--out", &path], &["already holds a run"]);
    assert_eq!(fs::read(run.join("run.json")).unwrap(), before);
    done(["verify", &path]);
}

#[test]
fn an_altered_record_is_found_out() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let path = run.display().to_string();
    let capture = run.join("span.pcapng");
    let mut octets = fs::read(&capture).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(&capture, &octets).unwrap();
    check_refused(["verify", &path], &["span.pcapng", "altered"]);
    fs::write(&capture, &octets[..middle]).unwrap();
    let logs = scratch.path().join("logs").display().to_string();
    check_refused(["sense", "-r", &capture.display().to_string(), "--log-dir", &logs], &["span.pcapng"]);
    assert!(scratch.path().join("logs/modbus.log").exists(), "what could be read was logged");
}

#[test]
fn a_call_outside_the_run_is_refused_with_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("first-shift", 1, &run, &[]);
    let calls = scratch.path().join("calls.jsonl");
    let good = r#"{"id":1,"t":300,"interval":[200,300],"entities":["host:hmi"],"verdict":"attack","confidence":"low"}"#;
    fs::write(&calls, format!("{good}\n{}\n", good.replace("\"id\":1,\"t\":300", "\"id\":2,\"t\":99999")))
        .unwrap();
    let words = ["score".as_ref(), run.as_os_str(), "--calls".as_ref(), calls.as_os_str()];
    check_refused(words, &["calls.jsonl:2", "fix"]);
}

#[test]
fn a_site_with_two_hosts_at_one_address_is_refused_with_its_line() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("mine.toml");
    let text = include_str!("../../../base/site/sites/waterworks.toml");
    fs::write(&file, text.replacen("192.168.1.103", "192.168.1.102", 1)).unwrap();
    check_refused(["check".as_ref(), file.as_os_str()], &["mine.toml:", "both have the address", "fix"]);
}

#[test]
fn a_rule_that_does_not_parse_is_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("mine.yml");
    fs::write(&file, "title: Mine\ndetection:\n  x: {modbus.write: true\n  condition: x\n").unwrap();
    check_refused(["check".as_ref(), file.as_os_str()], &["mine.yml"]);
}
