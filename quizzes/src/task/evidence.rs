//! Evidence: a slice of the capture, and the form that says who took it and that it is whole.

use record::{TruthStep, Verdict, VirtualTime};
use serde::Deserialize;
use site::{FileError, parse_toml};

use super::{Graded, at};

/// The form, as it is handed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custody {
    /// The slice, a path from where the form lies.
    pub capture: String,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// What case it belongs to.
    pub case: String,
    /// Where it was taken.
    pub taken_from: String,
    /// Who took it.
    pub taken_by: String,
    /// When: seconds since the start of the run.
    pub taken_at: f64,
    /// With what.
    pub tool: String,
    /// First and last moment that it holds, seconds since the start of the run.
    pub holds: [f64; 2],
    /// Who has it now.
    pub handed_to: String,
    /// Since when, seconds since the start of the run.
    pub handed_at: f64,
}

/// Reads a form.
///
/// # Errors
/// Text that is not TOML, a field that is missing or unknown.
pub fn read_custody(file: &str, text: &str) -> Result<Custody, FileError> {
    parse_toml(file, text)
}

/// A frame of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedFrame {
    /// When.
    pub t: VirtualTime,
    /// First octets of a hash of its content.
    pub digest: u64,
}

/// Grades evidence in four parts of 25 points: the hash on the form is that of the file; its frames are the record's,
/// none altered and none left out in between; share of the frames of hostile steps that it holds; the form is filled in and agrees
/// with the slice and with itself. `sha256` is the hash of the file that was handed in.
pub fn grade_evidence(
    form: &Custody,
    sha256: &str,
    slice: &[CapturedFrame],
    recorded: &[CapturedFrame],
    truth: &[TruthStep],
) -> Graded {
    const PART: f64 = 25.0;
    let mut graded = Graded::empty();
    let is_hash = form.sha256.trim().eq_ignore_ascii_case(sha256);
    graded.line(
        is_hash,
        "hash",
        if is_hash {
            "the form's SHA-256 is that of the file".to_owned()
        } else {
            format!("the file's SHA-256 is {sha256}")
        },
    );
    graded.score += if is_hash { PART } else { 0.0 };

    let begin = slice.first().and_then(|first| {
        let from = recorded.partition_point(|frame| frame.t < first.t);
        let same_time = recorded[from..].iter().take_while(|frame| frame.t == first.t);
        same_time.enumerate().find(|(_, frame)| *frame == first).map(|(index, _)| from + index)
    });
    let held = begin.and_then(|begin| recorded.get(begin..begin + slice.len())).filter(|part| *part == slice);
    let is_whole = held.is_some();
    let why = match (slice.is_empty(), begin, is_whole) {
        (true, ..) => "there is no frame in it",
        (_, None, _) => "its first frame is not in the record",
        (_, _, true) => "its frames are the record's, one after the other",
        _ => "a frame is altered, is missing or was put in",
    };
    graded.line(is_whole, "whole", why);
    graded.score += if is_whole { PART } else { 0.0 };

    let first = begin.map_or(1, |begin| begin as u64 + 1);
    let last = first + slice.len() as u64;
    let (mut has, mut all) = (0, 0);
    for step in truth.iter().filter(|step| step.verdict == Verdict::Attack && !step.frames.is_empty()) {
        let inside = step.frames.iter().filter(|frame| is_whole && (first..last).contains(frame)).count();
        has += inside;
        all += step.frames.len();
        let what = format!("{} at {}", step.step, at(step.start));
        graded.line(
            inside == step.frames.len(),
            what,
            format!("{inside} of {} frames are in it", step.frames.len()),
        );
    }
    graded.score += if all == 0 && is_whole {
        PART
    } else {
        PART * f64::from(has as u32) / f64::from((all as u32).max(1))
    };

    let problems = form_problems(form, slice);
    for problem in &problems {
        graded.line(false, "form", problem.clone());
    }
    if problems.is_empty() {
        graded.line(true, "form", "filled in, and it agrees with the slice");
        graded.score += PART;
    }
    graded
}

fn form_problems(form: &Custody, slice: &[CapturedFrame]) -> Vec<String> {
    const CLOSE_S: f64 = 1.0;
    let mut problems = Vec::new();
    for (name, text) in [
        ("case", &form.case),
        ("taken_from", &form.taken_from),
        ("taken_by", &form.taken_by),
        ("tool", &form.tool),
        ("handed_to", &form.handed_to),
    ] {
        if text.trim().is_empty() {
            problems.push(format!("{name} is empty"));
        }
    }
    if let (Some(first), Some(last)) = (slice.first(), slice.last()) {
        let (first, last) = (first.t.as_secs_f64(), last.t.as_secs_f64());
        let [from, to] = form.holds;
        if (from - first).abs() > CLOSE_S || (to - last).abs() > CLOSE_S {
            problems.push(format!("holds is {from} to {to}; the slice goes from {first:.1} to {last:.1}"));
        }
        if form.taken_at < last {
            problems.push(format!("taken_at is {}, before the slice ends at {last:.1}", form.taken_at));
        }
    }
    if form.handed_at < form.taken_at {
        problems.push("handed_at is before taken_at".to_owned());
    }
    if form.handed_to.trim() == form.taken_by.trim() {
        problems.push("it was handed to the person who took it".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::rule::tests::step;

    fn frames(numbers: std::ops::Range<u64>) -> Vec<CapturedFrame> {
        numbers.map(|n| CapturedFrame { t: VirtualTime::from_secs(n), digest: n * 7 }).collect()
    }

    const FORM: &str = "capture = \"slice.pcapng\"\nsha256 = \"AB12\"\ncase = \"dose\"\ntaken_from = \"mirror port\"\ntaken_by = \"analyst-1\"\ntaken_at = 100\ntool = \"editcap\"\nholds = [10, 29]\nhanded_to = \"duty officer\"\nhanded_at = 120\n";

    #[test]
    fn what_is_whole_counts_and_what_is_not_does_not() {
        let form = read_custody("custody.toml", FORM).unwrap();
        let recorded = frames(0..60);
        let truth = [step("dose", Verdict::Attack, &[15, 20])];
        let grade = |form: &Custody, slice: &[CapturedFrame]| {
            grade_evidence(form, "ab12", slice, &recorded, &truth).score
        };
        let slice = frames(10..30);
        assert!((grade(&form, &slice) - 100.0).abs() < 1e-9);
        let mut altered = slice.clone();
        altered[3].digest += 1;
        assert!((grade(&form, &altered) - 50.0).abs() < 1e-9);
        let mut gap = slice.clone();
        gap.remove(4);
        assert!((grade(&form, &gap) - 50.0).abs() < 1e-9);
        let late = Custody { handed_at: 99.0, sha256: "00".to_owned(), ..form.clone() };
        assert!((grade(&late, &slice) - 50.0).abs() < 1e-9);
        assert!(grade(&form, &[]) <= 50.0);
        assert!(grade(&form, &frames(55..90)) <= 50.0);
        assert!(read_custody("custody.toml", &FORM.replace("tool", "tols")).is_err());
    }
}
