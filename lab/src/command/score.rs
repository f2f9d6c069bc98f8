//! `fieldrange score`: what was handed in against ground truth, and the plant against its twins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use quizzes::score::part::Part;
use quizzes::score::total::Mode;
use quizzes::view::RecordView;
use quizzes::{Score, ScoreInput, read_calls};
use record::{Call, OutsideInput, Role, RunReader};
use serde::Serialize;
use site::Site;

use crate::cli::{Form, ScoreArgs};
use crate::exit::Exit;
use crate::order::order_again;
use crate::report::{Courses, Points, PointsInput, handed, mode_of};

/// All that is printed: part D at the top, as it always was, the rest beside it.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    detection: &'a Score,
    #[serde(flatten)]
    points: &'a Points,
}

/// A run with its calls and what they came to.
pub(crate) struct Scored {
    pub(crate) view: RecordView,
    pub(crate) score: Score,
    calls: Vec<Call>,
    /// The file of calls.
    text: String,
}

/// Scores calls against a sealed run; none where they cannot be read, which has been told then.
pub(crate) fn scored(run: &Path, calls: &Path, form: Form) -> Result<Option<Scored>> {
    let view = RecordView::open(run)?;
    if let Some(problem) = RunReader::open(run)?.verify().first() {
        bail!(
            "{problem}\n  fix: score the record as it was sealed; `fieldrange verify` names every difference"
        );
    }
    let form = form.into();
    let text = fs::read_to_string(calls).with_context(|| calls.display().to_string())?;
    let duration = view.manifest().duration;
    let calls = match read_calls(&calls.display().to_string(), &text, view.names(), duration, form) {
        Ok(calls) => calls,
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            return Ok(None);
        }
    };
    let score = quizzes::score(&ScoreInput {
        truth: view.truth()?,
        calls: &calls,
        duration,
        role: Role::Analyst,
        form,
        names: view.names(),
        false_call_weight: None,
    });
    Ok(Some(Scored { view, score, calls, text }))
}

pub(crate) fn score(args: &ScoreArgs) -> Result<Exit> {
    let Some(Scored { view, score, calls, text }) = scored(&args.run, &args.calls, args.form)? else {
        return Ok(Exit::Unusable);
    };
    let written = written(args.report.as_ref())?;
    let handed = match written.as_ref().map(|(name, text)| handed(&view, name, text)).transpose() {
        Ok(handed) => handed,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(Exit::Unusable);
        }
    };
    let site = Site::named(&view.manifest().site)?;
    let inputs: Vec<OutsideInput> = RunReader::open(&args.run)?.json_lines("outside.jsonl")?;
    let mode = args.mode.map_or_else(|| mode_of(args.form.into(), &inputs), Into::into);
    let three = match (mode, order_again(view.manifest())) {
        (Mode::Active, Ok(ordered)) => {
            Some(Courses::default().of(view.manifest(), &ordered.order, &inputs)?)
        }
        (Mode::Active, Err(problem)) => {
            eprintln!("containment and the plant are left out: {problem}");
            None
        }
        _ => None,
    };
    let input = PointsInput {
        view: &view,
        site: &site,
        mode,
        score: Some((&score, &calls)),
        handed: handed.as_ref(),
        three: three.as_deref(),
    };
    let points = input.points()?;
    let whole = Whole { detection: &score, points: &points };
    if let Some(out) = &args.out {
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        fs::write(out.join("calls.jsonl"), &text)?;
        if let Some((_, text)) = &written {
            fs::write(out.join("report.toml"), text)?;
        }
        fs::write(out.join("score.json"), serde_json::to_string_pretty(&whole)? + "\n")?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&whole)?);
    } else {
        print_score(&score);
        println!();
        print_points(&points);
    }
    Ok(Exit::Done)
}

/// Name and text of a file that may have been named.
pub(super) fn written(path: Option<&PathBuf>) -> Result<Option<(String, String)>> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| name.clone())?;
        Ok((name, text))
    };
    path.map(read).transpose()
}

/// Prints a score with a sentence for every point.
pub(crate) fn print_score(score: &Score) {
    match score.detect {
        Some(detect) => println!("Detection: {detect:.1} of 100\n"),
        None => println!("Detection: not scored: nothing of what happened could be seen in this role\n"),
    }
    for line in &score.lines {
        println!("{:>+7.1}  {}\n         {}", line.points, line.what, line.why);
    }
}

/// Prints the other parts and the whole, with a sentence for every point.
pub(super) fn print_points(points: &Points) {
    let print = |name: &str, part: Option<&Part>| {
        let Some(part) = part else { return };
        match part.points {
            Some(points) => println!("{name}: {points:.1} of 100\n"),
            None => println!("{name}: not scored\n"),
        }
        for line in &part.lines {
            println!("{:>+7.1}  {}\n         {}", line.points, line.what, line.why);
        }
        println!();
    };
    print("Containment", points.containment.as_ref());
    if let Some(process) = &points.process {
        match process.points {
            Some(points) => println!("The plant: {points:.1} of 100: {}\n", process.why),
            None => println!("The plant: {}\n", process.why),
        }
    }
    print("Report and recovery", points.recovery.as_ref());
    print("The whole", points.total.as_ref());
}
