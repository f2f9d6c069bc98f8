//! `fieldrange score`: calls against ground truth.

use std::fs;

use anyhow::{Context, Result, bail};
use quizzes::view::RecordView;
use quizzes::{Score, ScoreInput, read_calls};
use record::Role;

use crate::cli::{Form, ScoreArgs};
use crate::exit::Exit;

pub(crate) fn score(args: &ScoreArgs) -> Result<Exit> {
    let view = RecordView::open(&args.run)?;
    if let Some(problem) = record::RunReader::open(&args.run)?.verify().first() {
        bail!(
            "{problem}\n  fix: score the record as it was sealed; `fieldrange verify` names every difference"
        );
    }
    let form = match args.form {
        Form::Live => quizzes::Form::Live,
        Form::Offline => quizzes::Form::Offline,
    };
    let text = fs::read_to_string(&args.calls).with_context(|| args.calls.display().to_string())?;
    let duration = view.manifest().duration;
    let calls = match read_calls(&args.calls.display().to_string(), &text, view.names(), duration, form) {
        Ok(calls) => calls,
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            return Ok(Exit::Unusable);
        }
    };
    let input = ScoreInput {
        truth: view.truth()?,
        calls: &calls,
        duration,
        role: Role::Analyst,
        form,
        names: view.names(),
        false_call_weight: None,
    };
    let score = quizzes::score(&input);
    if let Some(out) = &args.out {
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        fs::write(out.join("calls.jsonl"), &text)?;
        fs::write(out.join("score.json"), serde_json::to_string_pretty(&score)? + "\n")?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&score)?);
    } else {
        print_score(&score);
    }
    Ok(Exit::Done)
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
