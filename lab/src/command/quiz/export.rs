//! Questions for other people's programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use quizzes::Certainty;
use quizzes::export::ctfd::{Secrets, challenges};
use quizzes::export::xapi::{Answered, Sitting, statements};
use quizzes::export::{ExportFile, Topic, gift, moodle};

use super::flags::read_key;
use crate::cli::{QuizArgs, QuizForm};
use crate::exit::Exit;

pub(super) fn export(args: &QuizArgs, form: QuizForm, topics: Vec<Topic>, variant: &str) -> Result<Exit> {
    let Some(out) = &args.out else { bail!("--export writes a directory\n  fix: add --out DIR") };
    if out.exists() && fs::read_dir(out).with_context(|| out.display().to_string())?.next().is_some() {
        bail!("{} holds something already\n  fix: choose another --out or move it away", out.display());
    }
    let asked: usize = topics.iter().map(|topic| topic.questions.len()).sum();
    let (files, told) = match form {
        QuizForm::Gift => in_gift(topics),
        QuizForm::MoodleXml => (vec![file("questions.xml", moodle::moodle_xml(&topics))], String::new()),
        QuizForm::Ctfd => in_ctfd(args, &topics, variant)?,
        QuizForm::Xapi => in_xapi(args, &topics, variant)?,
    };
    for file in &files {
        write(out, file)?;
    }
    println!("{}: {asked} questions in {} files{told}", out.display(), files.len());
    Ok(Exit::Done)
}

fn file(name: &str, text: String) -> ExportFile {
    ExportFile { name: name.to_owned(), text }
}

fn write(out: &Path, file: &ExportFile) -> Result<()> {
    let path = out.join(&file.name);
    let name = || path.display().to_string();
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(name)?;
    }
    fs::write(&path, &file.text).with_context(name)
}

/// GIFT, and beside it what GIFT has no form for.
fn in_gift(topics: Vec<Topic>) -> (Vec<ExportFile>, String) {
    let mut files = vec![file("questions.gift", gift::gift(&topics))];
    let mut rest = topics;
    for topic in &mut rest {
        topic.questions.retain(|question| !gift::fits(question));
    }
    let left: usize = rest.iter().map(|topic| topic.questions.len()).sum();
    if left == 0 {
        return (files, String::new());
    }
    files.push(file("rest.xml", moodle::moodle_xml(&rest)));
    (files, format!("; {left} of a kind that GIFT does not have are in rest.xml"))
}

fn in_ctfd(args: &QuizArgs, topics: &[Topic], variant: &str) -> Result<(Vec<ExportFile>, String)> {
    let key = args.event_key.as_deref().map(read_key).transpose()?;
    let secrets = key.as_ref().zip(args.whose.as_deref()).map(|(key, person)| Secrets { key, person });
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    for topic in topics {
        let (made, left) = challenges(topic, variant, secrets)?;
        files.extend(made);
        left_out.extend(left);
    }
    let told = if left_out.is_empty() {
        String::new()
    } else {
        format!("; left out, since no flag can be their answer: {}", left_out.join(", "))
    };
    Ok((files, told))
}

fn in_xapi(args: &QuizArgs, topics: &[Topic], variant: &str) -> Result<(Vec<ExportFile>, String)> {
    let (Some(answers), Some(person)) = (&args.answers, &args.whose) else {
        bail!("statements say who answered what\n  fix: add --answers FILE and --for NAME");
    };
    let lines = super::lines_of(answers)?;
    let questions: Vec<_> = topics.iter().flat_map(|topic| topic.questions.iter().cloned()).collect();
    let given = super::from_file(answers, &questions)?;
    let mut all = Vec::new();
    let mut done = 0;
    for topic in topics {
        let sitting = Sitting { person, topic: &topic.name, variant };
        let here = questions.iter().zip(&given).zip(&lines).skip(done).take(topic.questions.len());
        let answered: Vec<Answered<'_>> = here
            .map(|((question, given), line)| {
                let typed = Certainty::split(line).0;
                let typed = if typed.eq_ignore_ascii_case("pass") { "" } else { typed };
                Answered { question, given: typed, mark: &given.mark, credit: given.credit() }
            })
            .collect();
        done += topic.questions.len();
        if let serde_json::Value::Array(made) = statements(sitting, &answered) {
            all.extend(made);
        }
    }
    Ok((vec![file("statements.json", serde_json::to_string_pretty(&all)? + "\n")], String::new()))
}
