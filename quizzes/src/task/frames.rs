//! Frames of an attack: numbers as `tshark -Y FILTER -T fields -e frame.number` prints them, against ground truth.

use std::collections::BTreeSet;

use record::{TruthStep, Verdict};
use site::FileError;

use super::{Graded, at, f1};

/// Most numbers that are read.
const FRAMES_MAX: usize = 5_000_000;

/// Grades frame numbers, one per line, against the frames of all hostile steps: F1. In a run without an attack an
/// empty list is right, and any frame is wrong.
///
/// # Errors
/// The first line that is no number; more than five million of them.
pub fn grade_frames(file: &str, text: &str, truth: &[TruthStep]) -> Result<Graded, FileError> {
    let named = read(file, text)?;
    let hostile: Vec<&TruthStep> = truth.iter().filter(|step| step.verdict == Verdict::Attack).collect();
    let wanted: BTreeSet<u64> = hostile.iter().flat_map(|step| &step.frames).copied().collect();
    let found = named.intersection(&wanted).count();
    let mut graded = Graded::empty();
    graded.score = if wanted.is_empty() && named.is_empty() {
        100.0
    } else {
        f1(found, wanted.len() - found, named.len() - found)
    };
    if wanted.is_empty() {
        graded.line(None, "no attack", "nothing in this run was hostile: an empty list is right");
    }
    for step in hostile {
        let seen = step.frames.iter().filter(|frame| named.contains(frame)).count();
        let what = format!("{} at {}: {}", step.step, at(step.start), step.summary);
        let why = match (step.frames.len(), step.frames.iter().find(|frame| !named.contains(frame))) {
            (0, _) => "it left no frame on the mirror port".to_owned(),
            (all, None) => format!("all {all} frames"),
            (all, Some(first)) => format!("{seen} of {all} frames; the first that is missing is {first}"),
        };
        graded.line((!step.frames.is_empty()).then_some(seen == step.frames.len()), what, why);
    }
    let benign: Vec<u64> = named.difference(&wanted).copied().collect();
    if let Some(first) = benign.first() {
        let what = format!("{} frames that were not hostile", benign.len());
        graded.line(false, what, format!("the first of them is {first}"));
    }
    Ok(graded)
}

fn read(file: &str, text: &str) -> Result<BTreeSet<u64>, FileError> {
    let mut named = BTreeSet::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| FileError {
            file: file.to_owned(),
            line: index + 1,
            problem,
            fix: "write one frame number per line: tshark -r span.pcapng -Y FILTER -T fields -e frame.number"
                .to_owned(),
        };
        let number =
            line.trim().parse().map_err(|_| wrong(format!("{:?} is no frame number", line.trim())))?;
        named.insert(number);
        if named.len() > FRAMES_MAX {
            return Err(wrong(format!("more than {FRAMES_MAX} frames")));
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::rule::tests::step;

    #[test]
    fn every_frame_and_no_other() {
        let truth = [step("contact", Verdict::Attack, &[10, 11]), step("work", Verdict::Authorised, &[20])];
        let score = |text: &str| grade_frames("f.txt", text, &truth).unwrap().score;
        assert!((score("10\n11\n") - 100.0).abs() < 1e-9);
        assert!((score("10") - 200.0 / 3.0).abs() < 1e-9);
        assert_eq!(score(""), 0.0);
        assert!(score(&(1..=1000).map(|n| n.to_string()).collect::<Vec<_>>().join("\n")) < 1.0);
        assert_eq!(grade_frames("f.txt", "10\nx", &truth).unwrap_err().line, 2);
        assert!((grade_frames("f.txt", "", &truth[1..]).unwrap().score - 100.0).abs() < 1e-9);
        assert_eq!(grade_frames("f.txt", "20", &truth[1..]).unwrap().score, 0.0);
    }
}
