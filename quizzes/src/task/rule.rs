//! A detection rule, tried on runs that its author has not seen.

use record::{Finding, TruthStep, Verdict};

use super::{Graded, at, f1};

/// Most false findings of one run that are told one by one.
const TOLD_MAX: usize = 5;

/// A run as the rule saw it.
#[derive(Clone, Debug)]
pub struct JudgedRun {
    /// Scenario and seed, for people.
    pub label: String,
    /// What happened.
    pub truth: Vec<TruthStep>,
    /// What the rule said, and nothing else.
    pub findings: Vec<Finding>,
}

/// Grades a rule by F1 over all runs: a hostile step with one of `techniques` is found where a finding names one of
/// its frames; a finding that names no frame of any hostile step is false. Hostile steps with other techniques are neither
/// asked for nor held against it. Repeats on one step count once.
pub fn grade_rule(runs: &[JudgedRun], techniques: &[String]) -> Graded {
    let mut graded = Graded::empty();
    let (mut found, mut missed, mut besides) = (0, 0, 0);
    for run in runs {
        let hostile = || run.truth.iter().filter(|step| step.verdict == Verdict::Attack);
        let names = |finding: &Finding, step: &TruthStep| {
            finding.frames.iter().any(|frame| step.frames.binary_search(frame).is_ok())
        };
        let asked = |step: &&TruthStep| {
            !step.frames.is_empty() && step.techniques.iter().any(|technique| techniques.contains(technique))
        };
        for step in hostile().filter(asked) {
            let is_found = run.findings.iter().any(|finding| names(finding, step));
            *(if is_found { &mut found } else { &mut missed }) += 1;
            let what = format!("{}: {} at {}", run.label, step.step, at(step.start));
            graded.line(is_found, what, if is_found { "found" } else { "not found" });
        }
        let false_ones: Vec<&Finding> =
            run.findings.iter().filter(|finding| !hostile().any(|step| names(finding, step))).collect();
        besides += false_ones.len();
        for finding in false_ones.iter().take(TOLD_MAX) {
            graded.line(
                false,
                format!("{}: false finding at {}", run.label, at(finding.t)),
                excuse(run, finding),
            );
        }
        if false_ones.len() > TOLD_MAX {
            let rest = false_ones.len() - TOLD_MAX;
            graded.line(false, format!("{}: {rest} more false findings", run.label), "of the same run");
        }
        if hostile().next().is_none() && false_ones.is_empty() {
            graded.line(true, run.label.clone(), "no attack, and nothing was said");
        }
    }
    graded.score = f1(found, missed, besides);
    graded
}

/// What a false finding was about.
fn excuse(run: &JudgedRun, finding: &Finding) -> String {
    let benign = run.truth.iter().find(|step| {
        step.verdict != Verdict::Attack && step.frames.iter().any(|frame| finding.frames.contains(frame))
    });
    match benign {
        Some(step) => match &step.ticket {
            Some(ticket) => format!("that was authorised: {ticket}"),
            None => format!("that was no attack: {}", step.summary),
        },
        None => format!("ordinary traffic: {}", finding.message),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use record::{EntityId, Level, VirtualTime};

    use super::*;

    pub(in crate::task) fn step(name: &str, verdict: Verdict, frames: &[u64]) -> TruthStep {
        TruthStep {
            step: name.to_owned(),
            campaign: "c".to_owned(),
            verdict,
            summary: format!("{name} happened"),
            techniques: vec!["T0836".to_owned()],
            start: VirtualTime::from_secs(60),
            end: VirtualTime::from_secs(70),
            observable: std::collections::BTreeMap::default(),
            source: None,
            target: EntityId::device("PLC-1"),
            points: Vec::new(),
            frames: frames.to_vec(),
            severity: 2,
            limit_time: None,
            consequences: Vec::new(),
            ticket: (verdict == Verdict::Authorised).then(|| "WO-1 agreed".to_owned()),
        }
    }

    fn finding(frame: u64) -> Finding {
        Finding {
            t: VirtualTime::from_secs(61),
            rule: "mine".to_owned(),
            title: String::new(),
            level: Level::High,
            techniques: Vec::new(),
            entities: Vec::new(),
            uid: None,
            frames: vec![frame],
            message: "a write".to_owned(),
            incident: None,
        }
    }

    fn run(truth: Vec<TruthStep>, frames: &[u64]) -> JudgedRun {
        JudgedRun {
            label: "x, seed 1".to_owned(),
            truth,
            findings: frames.iter().map(|n| finding(*n)).collect(),
        }
    }

    #[test]
    fn a_rule_is_good_if_it_finds_all_and_nothing_else() {
        let techniques = ["T0836".to_owned()];
        let attack = || vec![step("dose", Verdict::Attack, &[5, 6]), step("work", Verdict::Authorised, &[9])];
        let calm = || vec![step("work", Verdict::Authorised, &[9])];
        let good = grade_rule(&[run(attack(), &[5, 6]), run(calm(), &[])], &techniques);
        assert!((good.score - 100.0).abs() < 1e-9, "{good:?}");
        let eager = grade_rule(&[run(attack(), &[5, 9]), run(calm(), &[9])], &techniques);
        assert!((eager.score - 50.0).abs() < 1e-9, "{eager:?}");
        assert!(eager.lines.iter().any(|line| line.why.contains("WO-1")));
        assert_eq!(grade_rule(&[run(attack(), &[])], &techniques).score, 0.0);
        let other = grade_rule(&[run(attack(), &[5])], &["T0888".to_owned()]);
        assert!(!other.lines.iter().any(|line| line.right == Some(false)), "{other:?}");
    }
}
