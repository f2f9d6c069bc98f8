//! `fieldrange quiz`: questions on a run, answered from its record, and questions of the general bank.

mod asking;
mod export;
mod flags;
mod general;
mod printing;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quizzes::export::Topic;
use quizzes::{QuestionSet, RecordView, ResolvedQuestion};
use record::RunManifest;
use scenarios::texts::ENGLISH;
use serde_json::json;

use self::asking::{Given, ask, read_line_of};
use self::printing::{print_paper, print_solved, print_sum, print_verdict};
use crate::cli::QuizArgs;
use crate::exit::Exit;
use crate::language::{LANGUAGE, known};

pub(crate) fn quiz(args: &QuizArgs) -> Result<Exit> {
    match &args.run {
        Some(run) => quiz_on_run(args, run),
        None => general::quiz(args),
    }
}

fn quiz_on_run(args: &QuizArgs, run: &Path) -> Result<Exit> {
    let view = RecordView::open(run)?;
    let manifest = view.manifest();
    let asked = args.language.asked().or_else(|| manifest.settings.get(LANGUAGE).cloned());
    let languages = QuestionSet::languages(&manifest.scenario);
    let language = asked.and_then(|code| known(code, &languages, &manifest.scenario));
    let set = QuestionSet::named_in(&manifest.scenario, language.as_deref().unwrap_or(ENGLISH))?;
    let questions = set.resolve(&view)?;
    let sitting = Sitting { topic: manifest.scenario.clone(), variant: variant(manifest) };
    if let Some(form) = args.export {
        let title = scenarios::Scenario::named(&manifest.scenario)?.texts().title.clone();
        let topic = Topic { name: sitting.topic, title, questions };
        return export::export(args, form, vec![topic], &sitting.variant);
    }
    if args.solve {
        return print_solved(args, &questions);
    }
    if args.paper {
        return print_paper(args, &questions);
    }
    let given = match &args.answers {
        Some(file) => from_file(file, &questions)?,
        None => ask_all(&questions)?,
    };
    if args.json {
        let rows: Vec<_> =
            questions.iter().zip(&given).map(|(question, given)| given.row(question)).collect();
        let sum = printing::Sum::of(&given);
        let flags = flags::of(args, &sitting, &questions, &given)?;
        println!(
            "{}",
            json!({ "run": run, "questions": rows, "right": sum.right, "credit": sum.credit, "flags": flags })
        );
        return Ok(Exit::Done);
    }
    if args.answers.is_some() {
        for (question, given) in questions.iter().zip(&given) {
            print_verdict(&format!("{}: ", question.id), given);
        }
    }
    print_sum(&given);
    flags::print(args, &sitting, &questions, &given)?;
    Ok(Exit::Done)
}

/// What questions were about, as flags and statements name it.
struct Sitting {
    topic: String,
    variant: String,
}

/// Which of a scenario's runs this is.
fn variant(manifest: &RunManifest) -> String {
    let seed = manifest.seed.map_or_else(|| "unknown".to_owned(), |seed| seed.to_string());
    let settings = manifest.settings.iter().map(|(name, value)| format!(", {name}={value}"));
    format!("seed {seed}{}", settings.collect::<String>())
}

/// Answers from a file, one per line, in the order of the questions.
fn from_file(file: &Path, questions: &[ResolvedQuestion]) -> Result<Vec<Given>> {
    let name = file.display();
    let lines = lines_of(file)?;
    if lines.len() != questions.len() {
        bail!(
            "{name}: {} answers for {} questions\n  fix: write one answer per line, in the order of the questions; `pass` for none",
            lines.len(),
            questions.len()
        );
    }
    lines
        .iter()
        .zip(questions)
        .enumerate()
        .map(|(index, (line, question))| {
            read_line_of(question, line).with_context(|| format!("{name}:{}", index + 1))
        })
        .collect()
}

/// Answers as they were typed.
fn lines_of(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn ask_all(questions: &[ResolvedQuestion]) -> Result<Vec<Given>> {
    let mut input = std::io::stdin().lock();
    let mut all = Vec::new();
    for (number, question) in questions.iter().enumerate() {
        let Some(given) = ask(number + 1, question, &mut input)? else {
            bail!(
                "the answers ended after {} of {} questions\n  fix: answer them all, or use --answers FILE",
                all.len(),
                questions.len()
            );
        };
        all.push(given);
    }
    Ok(all)
}
