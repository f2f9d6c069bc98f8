//! Results for spreadsheets and scripts: every line of the account, as CSV or JSON.

use record::RunManifest;
use serde::Serialize;
use serde_json::{Value, json};

use crate::score::{Outcome, Score, Subject};

/// One scored run.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// Which run.
    pub manifest: &'a RunManifest,
    /// Who handed in, where somebody said so.
    pub person: Option<&'a str>,
    /// What it came to.
    pub score: &'a Score,
}

#[derive(Serialize)]
struct Row<'a> {
    marking: &'a str,
    scenario: &'a str,
    seed: Option<u64>,
    person: Option<&'a str>,
    detect: Option<f64>,
    subject: &'static str,
    name: String,
    outcome: Outcome,
    call: Option<u64>,
    points: f64,
    what: &'a str,
    why: &'a str,
}

/// All of it, with the figures beside the points.
pub fn json(scored: &[Scored<'_>]) -> Value {
    let of = |one: &Scored<'_>| {
        json!({ "marking": one.manifest.marking, "scenario": one.manifest.scenario, "seed": one.manifest.seed,
            "version": one.manifest.version, "settings": one.manifest.settings, "person": one.person, "score": one.score })
    };
    scored.iter().map(of).collect()
}

/// A row for every line of the account; points of one run add up to its D.
///
/// # Errors
/// What the CSV writer says; rows in memory give no cause.
pub fn csv(scored: &[Scored<'_>]) -> Result<String, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    for one in scored {
        for line in &one.score.lines {
            let (subject, name) = match &line.subject {
                Subject::Step(step) => ("step", step.clone()),
                Subject::Call(number) => ("call", number.to_string()),
                Subject::Total => ("total", String::new()),
            };
            out.serialize(Row {
                marking: &one.manifest.marking,
                scenario: &one.manifest.scenario,
                seed: one.manifest.seed,
                person: one.person,
                detect: one.score.detect,
                subject,
                name,
                outcome: line.outcome,
                call: line.call,
                points: line.points,
                what: &line.what,
                why: &line.why,
            })?;
        }
    }
    let octets = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}
