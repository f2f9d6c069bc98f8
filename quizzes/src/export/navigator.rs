//! Layers for ATT&CK Navigator: what a run holds, and what a person saw of it.
//!
//! Source: ATT&CK Navigator, *Layer file format definition*, version 4.5. Techniques are those of the pinned table.

use std::collections::BTreeMap;

use record::{RunManifest, TruthStep, Verdict, attack};
use serde_json::{Value, json};

use crate::score::{Outcome, Score, Subject};

const MISSED: &str = "#e08214";
const SEEN: &str = "#5aae61";

/// One layer: a technique for every attack step of the truth. With a score, the mean over its steps: 100 for one that was
/// found, 50 for one that was claimed or seen by what it did alone, 0 for one that was missed; without a score each has the
/// number of its steps.
pub fn layer(
    manifest: &RunManifest,
    truth: &[TruthStep],
    score: Option<&Score>,
    person: Option<&str>,
) -> Value {
    let mut steps: BTreeMap<&str, Vec<&TruthStep>> = BTreeMap::new();
    for step in truth.iter().filter(|step| step.verdict == Verdict::Attack) {
        for technique in &step.techniques {
            steps.entry(technique).or_default().push(step);
        }
    }
    let most = steps.values().map(Vec::len).max().unwrap_or(1);
    let techniques: Vec<Value> = steps
        .iter()
        .filter_map(|(id, steps)| Some((attack::technique(id)?, steps)))
        .map(|(technique, steps)| entry(technique, steps, score))
        .collect();
    let (name, description) = match (score, person) {
        (Some(_), Some(person)) => ("caught", format!("what {person} found")),
        (Some(_), None) => ("caught", "what was found".to_owned()),
        (None, _) => ("covered", "techniques and how many steps use them".to_owned()),
    };
    json!({
        "name": format!("{} {name}", manifest.scenario),
        "versions": { "attack": "18", "navigator": "5.1.0", "layer": "4.5" },
        "domain": "ics-attack",
        "description": format!("EXERCISE. Fieldrange, scenario {}: {description}", manifest.scenario),
        "sorting": 0,
        "layout": { "layout": "side", "showID": true, "showName": true },
        "hideDisabled": false,
        "techniques": techniques,
        "gradient": match score {
            Some(_) => json!({ "colors": [MISSED, SEEN], "minValue": 0, "maxValue": 100 }),
            None => json!({ "colors": ["#ffffff", "#6baed6"], "minValue": 0, "maxValue": most }),
        },
        "legendItems": match score {
            Some(_) => json!([{ "label": "found", "color": SEEN }, { "label": "missed", "color": MISSED }]),
            None => json!([{ "label": "used", "color": "#6baed6" }]),
        },
        "metadata": [
            { "name": "marking", "value": manifest.marking },
            { "name": "table", "value": attack::VERSION },
            { "name": "seed", "value": manifest.seed.map_or_else(|| "unknown".to_owned(), |seed| seed.to_string()) },
        ],
        "selectTechniquesAcrossTactics": true,
    })
}

fn entry(technique: attack::Technique, steps: &[&TruthStep], score: Option<&Score>) -> Value {
    let fate = |step: &TruthStep| score.map(|score| fate(score, &step.step));
    let told: Vec<String> = steps
        .iter()
        .map(|step| match fate(step) {
            Some((_, word)) => format!("{} ({word}): {}", step.step, step.summary),
            None => format!("{}: {}", step.step, step.summary),
        })
        .collect();
    let found: f64 = steps.iter().filter_map(|step| Some(fate(step)?.0)).sum();
    let figure = match score {
        Some(_) => (100.0 * found / steps.len().max(1) as f64).round(),
        None => steps.len() as f64,
    };
    json!({ "techniqueID": technique.id, "score": figure, "enabled": true, "comment": told.join("\n"),
        "metadata": [{ "name": "steps", "value": steps.len().to_string() }] })
}

/// How far a step was found, 0 to 1, and in which way.
fn fate(score: &Score, step: &str) -> (f64, &'static str) {
    let line = score.lines.iter().find(|line| line.subject == Subject::Step(step.to_owned()));
    match line.map(|line| line.outcome) {
        Some(Outcome::Found) => (1.0, "found"),
        Some(Outcome::Claimed) => (0.5, "claimed"),
        Some(Outcome::Revised) => (1.0, "found, technique mended later"),
        Some(Outcome::Consequence) => (0.5, "seen by what it did"),
        Some(_) => (0.0, "missed"),
        None => (0.0, "not to be seen in this role"),
    }
}
