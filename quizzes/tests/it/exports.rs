//! Exports of a run, and other people's alerts on it.

use std::fs;

use proptest::prelude::*;
use quizzes::export::badge::{Award, IssuerKey, badge};
use quizzes::export::{flag::EventKey, labels, navigator, results, stix};
use quizzes::judge::read_alerts;
use quizzes::{Form, RecordView, Score, ScoreInput, read_calls, score};
use record::Role;
use serde_json::Value;

use crate::made_up_run::open;

const CALLS: &str = r#"{"id":1,"t":1830,"interval":[1790,1830],"entities":["PLC-1","hmi","NAOH.SP"],"verdict":"attack","technique":"T0836","confidence":"high"}"#;

fn run(attacked: bool) -> (tempfile::TempDir, RecordView) {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", attacked);
    (directory, view)
}

fn scored(view: &RecordView, text: &str) -> Score {
    let duration = view.manifest().duration;
    let calls = read_calls("calls", text, view.names(), duration, Form::Live).unwrap();
    score(&ScoreInput {
        truth: view.truth().unwrap(),
        calls: &calls,
        duration,
        role: Role::Analyst,
        form: Form::Live,
        names: view.names(),
        false_call_weight: None,
    })
}

fn bundle(view: &RecordView) -> Value {
    stix::bundle(stix::Source {
        manifest: view.manifest(),
        truth: view.truth().unwrap(),
        names: view.names(),
        connections: view.conn().unwrap(),
    })
}

fn of_kind<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    bundle["objects"].as_array().unwrap().iter().filter(|object| object["type"] == kind).collect()
}

#[test]
fn a_bundle_names_nothing_of_the_plant_and_is_the_same_again() {
    let (_kept, view) = run(true);
    let made = bundle(&view);
    assert_eq!(made, bundle(&run(true).1));
    let text = made.to_string();
    for word in ["192.168.", "203.0.113.", "PLC", "NAOH", "hmi", "vendor", "oldsmar", "WO-1187", "11,100"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let patterns: Vec<&str> =
        of_kind(&made, "indicator").iter().map(|object| object["pattern"].as_str().unwrap()).collect();
    assert_eq!(
        patterns,
        [
            "[network-traffic:src_ref.value = '198.51.100.1' AND network-traffic:dst_port = 5900]",
            // No connection of the log is open when the station writes.
            "[ipv4-addr:value = '192.0.2.1']"
        ]
    );
    assert_eq!(of_kind(&made, "indicator")[1]["indicator_types"][0], "compromised");
    assert_eq!(of_kind(&made, "sighting").len(), 3);
}

#[test]
fn without_an_attack_nothing_is_indicated() {
    let (_kept, view) = run(false);
    let made = bundle(&view);
    assert!(of_kind(&made, "indicator").is_empty() && of_kind(&made, "ipv4-addr").is_empty());
    assert_eq!(
        navigator::layer(view.manifest(), view.truth().unwrap(), None, None)["techniques"],
        Value::Array(vec![])
    );
}

#[test]
fn a_layer_shows_what_was_caught() {
    let (_kept, view) = run(true);
    let score = scored(&view, CALLS);
    let layer = navigator::layer(view.manifest(), view.truth().unwrap(), Some(&score), Some("ann"));
    let figure = |id: &str| {
        let found =
            layer["techniques"].as_array().unwrap().iter().find(|technique| technique["techniqueID"] == id);
        found.unwrap()["score"].as_f64().unwrap()
    };
    assert_eq!(figure("T0836"), 100.0);
    assert_eq!(figure("T0822"), 50.0, "two sessions were claimed by the call on the write: {layer}");
}

#[test]
fn lines_of_the_account_add_up_in_csv() {
    let (_kept, view) = run(true);
    let score = scored(&view, CALLS);
    let rows = [results::Scored { manifest: view.manifest(), person: Some("ann, \"A\""), score: &score }];
    let text = results::csv(&rows).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let points = reader.headers().unwrap().iter().position(|name| name == "points").unwrap();
    let sum: f64 = reader.records().map(|row| row.unwrap()[points].parse::<f64>().unwrap()).sum();
    assert!((sum - score.detect.unwrap()).abs() < 1e-9, "{text}");
    assert_eq!(results::json(&rows)[0]["person"], "ann, \"A\"");
}

#[test]
fn labels_hold_every_frame_and_every_step() {
    let (_kept, view) = run(true);
    let truth = view.truth().unwrap();
    let frames = labels::frames(truth).unwrap();
    assert!(frames.contains("\n41,attack,dose,remote,T0836 T0831 T0823\n"), "{frames}");
    assert_eq!(labels::intervals(view.manifest(), truth).unwrap().lines().count(), truth.len() + 1);
    assert_eq!(labels::frames(&[]).unwrap().lines().count(), 1);
}

#[test]
fn a_badge_is_given_from_the_points_that_were_asked_for() {
    let (_kept, view) = run(true);
    let score = scored(&view, CALLS);
    let reached = score.detect.unwrap();
    let key = IssuerKey::draw().unwrap();
    let award = |pass| Award {
        issuer: "Somebody",
        person: "ann",
        manifest: view.manifest(),
        title: "A title",
        score: &score,
        pass,
        day: "2026-03-02T00:00:00Z".parse().unwrap(),
    };
    let token = badge(&key, &award(reached - 0.1)).unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(Some(token), badge(&key, &award(reached - 0.1)), "Ed25519 signs without a random draw");
    assert!(badge(&key, &award(reached + 0.1)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a product writes: calls within the law, or an error with its line.
    #[test]
    fn alerts_of_any_form_give_calls_within_the_law(
        head in prop_oneof![Just("#fields\tts\tnote\tsrc\tdst\n"), Just("time,name,src,dst\n"), Just("{\"event_type\":\"alert\"}\n"), Just("")],
        rows in prop::collection::vec(("[0-9TZ:+.e-]{0,24}", "\\PC{0,8}", "(192\\.168\\.1\\.(20|101)|PLC-1|\\PC{0,6})"), 0..8),
        separator in prop_oneof![Just("\t"), Just(",")],
    ) {
        let (kept, view) = run(false);
        let body: String = rows.iter().map(|(t, name, end)| [t, name, end, "192.168.1.20"].join(separator) + "\n").collect();
        let file = kept.path().join("alerts");
        fs::write(&file, format!("{head}{body}")).unwrap();
        if let Ok(judged) = read_alerts(&file, view.manifest(), view.names()) {
            prop_assert!(judged.calls.len() + judged.left_out <= judged.alerts);
            for call in &judged.calls {
                prop_assert!(call.t <= view.manifest().duration && call.interval[0] <= call.interval[1]);
                prop_assert!((1..=4).contains(&call.entities.len()));
            }
        }
    }

    #[test]
    fn keys_are_read_or_refused(text in "\\PC{0,200}") {
        prop_assert!(EventKey::parse(&text).is_err() || text.trim().len() >= 64);
        prop_assert!(IssuerKey::parse(&text).is_err());
    }
}
