//! `fieldrange score`: calls against ground truth.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quizzes::view::RecordView;
use quizzes::{Score, ScoreInput, read_calls};
use record::Role;

use crate::cli::{Form, ScoreArgs};
use crate::exit::Exit;

/// A run with its calls and what they came to.
pub(crate) struct Scored {
    pub(crate) view: RecordView,
    pub(crate) score: Score,
    /// The file of calls.
    text: String,
}

/// Scores calls against a sealed run; none where they cannot be read, which has been told then.
pub(crate) fn scored(run: &Path, calls: &Path, form: Form) -> Result<Option<Scored>> {
    let view = RecordView::open(run)?;
    if let Some(problem) = record::RunReader::open(run)?.verify().first() {
        bail!(
            "{problem}\n  fix: score the record as it was sealed; `fieldrange verify` names every difference"
        );
    }
    let form = match form {
        Form::Live => quizzes::Form::Live,
        Form::Offline => quizzes::Form::Offline,
    };
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
    Ok(Some(Scored { view, score, text }))
}

pub(crate) fn score(args: &ScoreArgs) -> Result<Exit> {
    let Some(Scored { score, text, .. }) = scored(&args.run, &args.calls, args.form)? else {
        return Ok(Exit::Unusable);
    };
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
