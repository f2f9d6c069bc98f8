//! Truth and calls made by hand.

use std::collections::BTreeMap;

use quizzes::{EntityNames, Form, Score, ScoreInput, score};
use record::{Call, Channel, Confidence, EntityId, Role, TruthStep, Verdict, VirtualTime};
use site::Site;

pub(crate) fn at(seconds: f64) -> VirtualTime {
    VirtualTime::from_secs_f64(seconds)
}

pub(crate) fn names() -> EntityNames {
    EntityNames::new(&Site::named("waterworks").unwrap(), &BTreeMap::new())
}

/// An attack step that the analyst can see from its start on.
pub(crate) fn step(name: &str, weight: u8, start: f64, end: f64, entity: &str) -> TruthStep {
    TruthStep {
        step: name.into(),
        campaign: "campaign".into(),
        verdict: Verdict::Attack,
        summary: format!("{name} happened"),
        techniques: vec!["T0836".into()],
        start: at(start),
        end: at(end),
        observable: BTreeMap::from([(Role::Analyst, BTreeMap::from([(Channel::Network, at(start))]))]),
        source: None,
        target: entity.parse().unwrap(),
        points: vec![],
        frames: vec![1],
        severity: weight,
        limit_time: None,
        consequences: vec![],
        ticket: None,
    }
}

/// A labelled benign event.
pub(crate) fn benign(name: &str, verdict: Verdict, weight: u8, start: f64, entity: &str) -> TruthStep {
    let mut step = step(name, weight, start, start + 60.0, entity);
    step.verdict = verdict;
    step.campaign = "benign".into();
    step.techniques.clear();
    step.ticket = Some("CHG-7".into());
    step
}

/// A call on one entity, with an interval that ends when it is handed in and starts a minute before.
pub(crate) fn call(id: u64, t: f64, entity: &str, technique: Option<&str>, confidence: Confidence) -> Call {
    Call {
        id,
        t: at(t),
        interval: [at((t - 60.0).max(0.0)), at(t)],
        entities: vec![entity.parse::<EntityId>().unwrap()],
        verdict: Verdict::Attack,
        technique: technique.map(Into::into),
        confidence,
        evidence: vec![],
        case: None,
    }
}

pub(crate) fn scored(truth: &[TruthStep], calls: &[Call], form: Form) -> Score {
    let names = names();
    score(&ScoreInput {
        truth,
        calls,
        duration: at(86_400.0),
        role: Role::Analyst,
        form,
        names: &names,
        false_call_weight: None,
    })
}

/// D, with the account checked: its points add up to D, and every line has its sentences.
#[track_caller]
pub(crate) fn detect(truth: &[TruthStep], calls: &[Call]) -> f64 {
    let score = scored(truth, calls, Form::Live);
    let detect = score.detect.unwrap();
    let sum: f64 = score.lines.iter().map(|line| line.points).sum();
    assert!((sum - detect).abs() < 1e-6, "lines add up to {sum}, D is {detect}: {:#?}", score.lines);
    assert!(score.lines.iter().all(|line| !line.what.is_empty() && !line.why.is_empty()));
    detect
}

#[track_caller]
pub(crate) fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 0.05, "got {got:.3}, expected {expected}");
}
