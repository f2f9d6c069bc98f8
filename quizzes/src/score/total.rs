//! The whole score, S = .35 D + .20 C + .25 P + .20 R over the parts that a mode has, and its gates.
//!
//! A part is left out, not zeroed, where it means nothing; the weights of the others then add up to 1. Source: the
//! project's `scoring.md`.

use serde::{Deserialize, Serialize};

use super::part::{Part, PartLine};

/// What a person could do, and so which parts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Looks and acts: all parts.
    Active,
    /// Looks and reports: D and R.
    Passive,
    /// Decides, and a twin computes what comes of it: P and R.
    Tabletop,
}

/// The parts, each 0 to 100 (P from -50), `None` where it means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// D.
    pub detect: Option<f64>,
    /// C.
    pub contain: Option<f64>,
    /// P.
    pub process: Option<f64>,
    /// R.
    pub report: Option<f64>,
}

/// Highest S where a person's doing crossed a safety limit.
const UNSAFE: f64 = 59.0;

/// S with its account. `own_limits` are the limits that this run crossed and the run in which nobody acts did not.
pub fn total(mode: Mode, parts: Parts, own_limits: &[&str]) -> Part {
    let all = [
        ("detection (D)", 0.35, parts.detect, mode != Mode::Tabletop),
        ("containment (C)", 0.20, parts.contain, mode == Mode::Active),
        ("the plant (P)", 0.25, parts.process, mode != Mode::Passive),
        ("report and recovery (R)", 0.20, parts.report, true),
    ];
    let weights: f64 = all.iter().filter(|it| it.3 && it.2.is_some()).map(|it| it.1).sum();
    if weights <= 0.0 {
        return Part::left_out("left out: no part of the score means anything here");
    }
    let mut score = Part { points: Some(0.0), lines: Vec::new() };
    for (name, weight, points, has) in all {
        if let Some(points) = points.filter(|_| has) {
            let weight = weight / weights;
            let why = format!("{points:.1} x {weight:.3}, its share of the weights of the parts that count");
            score.add(points * weight, (name.to_owned(), why));
            continue;
        }
        let why = if has { "means nothing in this run" } else { "not a part of this mode" };
        score.lines.push(PartLine {
            points: 0.0,
            what: format!("{name}: left out"),
            why: format!("{why}; the weights of the others add up to 1"),
        });
    }
    if score.points.is_some_and(|points| points < 0.0) {
        let below = score.points.unwrap_or(0.0);
        score.add(
            -below,
            ("the plant was left worse than by nobody".to_owned(), "S is never below 0".to_owned()),
        );
    }
    if !own_limits.is_empty() {
        let what = format!("crossed in this run, and not where nobody acts: {}", own_limits.join(", "));
        let why = "S is at most 59 where a person's doing crosses a safety limit".to_owned();
        let before = score.points;
        score.cap(UNSAFE, (what.clone(), why.clone()));
        if score.points == before {
            score.lines.push(PartLine { points: 0.0, what, why });
        }
    }
    score
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Parts =
        Parts { detect: Some(80.0), contain: Some(60.0), process: Some(40.0), report: Some(20.0) };

    #[track_caller]
    fn check(mode: Mode, parts: Parts, own_limits: &[&str], expected: Option<f64>) {
        let score = total(mode, parts, own_limits);
        match (score.points, expected) {
            (Some(got), Some(expected)) => {
                assert!((got - expected).abs() < 1e-9, "{got}: {:#?}", score.lines);
            }
            (got, expected) => assert_eq!(got, expected),
        }
    }

    #[test]
    fn weights_are_those_of_the_law() {
        check(Mode::Active, ALL, &[], Some(0.35 * 80.0 + 0.2 * 60.0 + 0.25 * 40.0 + 0.2 * 20.0));
    }

    #[test]
    fn a_mode_has_its_parts_and_the_weights_add_up() {
        check(Mode::Passive, ALL, &[], Some((0.35 * 80.0 + 0.2 * 20.0) / 0.55));
        check(Mode::Tabletop, ALL, &[], Some((0.25 * 40.0 + 0.2 * 20.0) / 0.45));
        check(Mode::Active, Parts { contain: None, process: None, report: None, ..ALL }, &[], Some(80.0));
        check(Mode::Passive, Parts { detect: None, report: None, ..ALL }, &[], None);
    }

    #[test]
    fn a_safety_limit_of_ones_own_caps_the_whole() {
        let good = Parts { detect: Some(100.0), contain: Some(100.0), process: Some(100.0), report: None };
        check(Mode::Active, good, &["pH high"], Some(59.0));
        check(Mode::Active, ALL, &["pH high"], Some(54.0));
        let marked = total(Mode::Active, ALL, &["pH high"]);
        assert!(
            marked.lines.iter().any(|line| line.what.contains("pH high")),
            "marked though it costs nothing"
        );
    }

    #[test]
    fn worse_than_nobody_is_nothing() {
        check(Mode::Tabletop, Parts { process: Some(-50.0), ..Parts::default() }, &[], Some(0.0));
    }
}
