//! `fieldrange quiz`: questions on a run, answered from its record.

use std::fs;
use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};
use quizzes::bank::right_answer;
use quizzes::{Mark, QuestionSet, RecordView, ResolvedQuestion, mark};
use serde_json::json;

use crate::cli::QuizArgs;
use crate::exit::Exit;
use crate::story::wrap;

pub(crate) fn quiz(args: &QuizArgs) -> Result<Exit> {
    let view = RecordView::open(&args.run)?;
    let set = QuestionSet::named(&view.manifest().scenario)?;
    let questions = set.resolve(&view)?;
    if args.solve {
        return solve(args, &questions);
    }
    let typed = args
        .answers
        .as_ref()
        .map(|path| fs::read_to_string(path).with_context(|| path.display().to_string()))
        .transpose()?;
    let marks = match &typed {
        Some(text) => marks_of(args, text, &questions)?,
        None => ask_all(&questions)?,
    };
    let right = marks.iter().filter(|mark| mark.right).count();
    let credit: f64 = marks.iter().map(|mark| mark.credit).sum();
    if args.json {
        let rows: Vec<_> = questions
            .iter()
            .zip(&marks)
            .map(|(question, mark)| json!({ "id": question.id, "credit": mark.credit, "right": mark.right, "explanation": mark.explanation }))
            .collect();
        println!("{}", json!({ "run": args.run, "questions": rows, "right": right, "credit": credit }));
    } else {
        if typed.is_some() {
            for (question, mark) in questions.iter().zip(&marks) {
                println!("{}: {}", question.id, verdict(mark));
            }
        }
        println!("\n{right} of {} right, {credit:.2} points", questions.len());
    }
    Ok(Exit::Done)
}

fn solve(args: &QuizArgs, questions: &[ResolvedQuestion]) -> Result<Exit> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(questions)?);
        return Ok(Exit::Done);
    }
    for (number, question) in questions.iter().enumerate() {
        print_question(number + 1, question);
        println!("  answer: {}", right_answer(question));
        println!("  {}", wrap(&question.right, 2));
        println!("  evidence: {}\n", question.evidence);
    }
    Ok(Exit::Done)
}

fn marks_of(args: &QuizArgs, text: &str, questions: &[ResolvedQuestion]) -> Result<Vec<Mark>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let file = args.answers.as_deref().unwrap_or_else(|| std::path::Path::new("-")).display();
    if lines.len() != questions.len() {
        bail!(
            "{file}: {} answers for {} questions\n  fix: write one answer per line, in the order of the questions",
            lines.len(),
            questions.len()
        );
    }
    lines
        .iter()
        .zip(questions)
        .enumerate()
        .map(|(index, (line, question))| {
            mark(question, line).with_context(|| format!("{file}:{}", index + 1))
        })
        .collect()
}

fn ask_all(questions: &[ResolvedQuestion]) -> Result<Vec<Mark>> {
    let mut input = std::io::stdin().lock();
    let mut marks = Vec::new();
    for (number, question) in questions.iter().enumerate() {
        print_question(number + 1, question);
        let mark = loop {
            print!("  > ");
            std::io::stdout().flush()?;
            let mut line = String::new();
            if input.read_line(&mut line)? == 0 {
                bail!(
                    "the answers ended after {} of {} questions\n  fix: answer them all, or use --answers FILE",
                    marks.len(),
                    questions.len()
                );
            }
            match mark(question, &line) {
                Ok(mark) => break mark,
                Err(error) => println!("  {error}"),
            }
        };
        println!("  {}\n", verdict(&mark));
        marks.push(mark);
    }
    Ok(marks)
}

fn verdict(mark: &Mark) -> String {
    let word = if mark.right { "right" } else { "not right" };
    format!("{word} ({:.2}). {}", mark.credit, wrap(&mark.explanation, 2))
}

fn print_question(number: usize, question: &ResolvedQuestion) {
    println!("{number}. {}", wrap(&question.prompt, 3));
    for option in &question.options {
        println!("   {}  {}", option.letter, option.text);
    }
    if let Some(unit) = &question.unit {
        println!("   (a number, in {unit})");
    }
}
