//! The incident of the week: the same for everybody who has the code, sealed until the key is there.

use std::fs;

use crate::command::{done, fieldrange, hashes, manifest};

/// A key, and the code that belongs to it: another code would be another incident for everybody.
const KEY: &str = "1HYX-0KWS-8AVE";
const CODE: &str = "J4E6-ANNN-A7ZC";

#[test]
fn a_code_gives_everybody_the_same_sealed_record() {
    let scratch = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| scratch.path().join(name));
    done(["incident", "play", CODE, "--out", one.to_str().unwrap()]);
    done(["incident", "play", &CODE.to_lowercase().replace('-', ""), "--out", other.to_str().unwrap()]);
    assert_eq!(hashes(&one), hashes(&other));
    for answer in ["truth.jsonl", "facts.jsonl", "findings.jsonl", "incidents.jsonl"] {
        assert!(!one.join(answer).exists(), "{answer}");
    }
    let sealed = manifest(&one);
    assert_eq!(sealed["scenario"], format!("incident {CODE}"));
    assert!(sealed["seed"].is_null() && sealed["settings"].is_null(), "{sealed}");
}

#[test]
fn the_line_of_a_score_tells_nothing_and_the_key_tells_all() {
    let scratch = tempfile::tempdir().unwrap();
    let calls = scratch.path().join("calls.jsonl");
    fs::write(&calls, "").unwrap();
    let line = done(["incident", "score", CODE, "--calls", calls.to_str().unwrap(), "--for", "ann"]);
    assert_eq!(line, format!("fieldrange incident {CODE}  ann  detection 0.0  calls 0\n"));
    let key = scratch.path().join("me.jwk");
    done(["key", "issuer", key.to_str().unwrap()]);
    let signed = done([
        "incident",
        "score",
        CODE,
        "--calls",
        calls.to_str().unwrap(),
        "--for",
        "ann",
        "--key",
        key.to_str().unwrap(),
    ]);
    let public = scratch.path().join("me.pub.jwk");
    done(["incident", "check", signed.trim(), "--key", public.to_str().unwrap()]);
    let better = signed.trim().replace("detection 0.0", "detection 99.0");
    let altered = fieldrange(["incident", "check", &better, "--key", public.to_str().unwrap()]);
    assert_eq!(altered.status.code(), Some(1));
    let wrong = fieldrange(["incident", "tell", CODE, "0000-0000-0000"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty());
    let told = done(["incident", "tell", CODE, KEY]);
    assert!(told.contains("What happened (EXERCISE)"), "{told}");
}
