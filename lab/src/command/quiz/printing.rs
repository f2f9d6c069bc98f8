//! Questions, answers and sums as they are printed.

use anyhow::Result;
use quizzes::ResolvedQuestion;
use quizzes::bank::{Answer, right_answer};
use serde_json::{Value, json};

use super::asking::Given;
use crate::cli::QuizArgs;
use crate::exit::Exit;
use crate::story::wrap;

/// What a session came to.
pub(super) struct Sum {
    pub(super) right: usize,
    /// After hints.
    pub(super) credit: f64,
    /// Of certainty-based marking, where at least one answer said how sure.
    pub(super) points: Option<f64>,
}

impl Sum {
    pub(super) fn of(given: &[Given]) -> Self {
        Self {
            right: given.iter().filter(|given| given.mark.right).count(),
            credit: given.iter().map(Given::credit).sum(),
            points: given.iter().filter_map(Given::points).reduce(|a, b| a + b),
        }
    }
}

pub(super) fn print_sum(given: &[Given]) {
    let sum = Sum::of(given);
    print!("\n{} of {} right, {:.2} points", sum.right, given.len(), sum.credit);
    match sum.points {
        Some(points) => println!("; with certainty {points:.1}"),
        None => println!(),
    }
}

pub(super) fn print_verdict(before: &str, given: &Given) {
    let word = if given.mark.right { "right" } else { "not right" };
    let sure = given.points().map_or_else(String::new, |points| format!("; {points:+.1} for certainty"));
    println!("{before}{word} ({:.2}{sure}). {}", given.credit(), wrap(&given.mark.explanation, 2));
}

pub(super) fn print_question(number: usize, question: &ResolvedQuestion) {
    println!("{number}. {}", wrap(&question.prompt, 3));
    for (index, item) in question.items.iter().enumerate() {
        println!("   {}  {}", index + 1, wrap(item, 6));
    }
    if !question.items.is_empty() {
        println!();
    }
    for option in &question.options {
        println!("   {}  {}", option.letter, wrap(&option.text, 6));
    }
    if let Some(how) = how_to_answer(question) {
        println!("   ({how})");
    }
}

/// What to type, where the letters before the options do not say it.
fn how_to_answer(question: &ResolvedQuestion) -> Option<String> {
    let unit = question.unit.as_ref().map_or_else(String::new, |unit| format!(", in {unit}"));
    Some(match &question.answer {
        Answer::Choice(_) => return None,
        Answer::Choices(_) => "all that hold, as in AC".to_owned(),
        Answer::Order(_) => "all letters in their order, as in BAC".to_owned(),
        Answer::Match(_) => "a letter for each number, as in 1B 2A".to_owned(),
        Answer::Number { .. } => format!("a number{unit}"),
        Answer::Interval { .. } => format!("two numbers or times, as in 1-9{unit}"),
        Answer::Text(_) => "a word or a line".to_owned(),
        Answer::Packets { .. } => "frame numbers, as in 48211, 48213-48215".to_owned(),
    })
}

/// Questions with what is right and why.
pub(super) fn print_solved(args: &QuizArgs, questions: &[ResolvedQuestion]) -> Result<Exit> {
    if args.json {
        println!("{}", serde_json::to_string_pretty(questions)?);
        return Ok(Exit::Done);
    }
    let evidence = if args.run.is_some() { "evidence" } else { "source" };
    for (number, question) in questions.iter().enumerate() {
        print_question(number + 1, question);
        println!("  answer: {}", wrap(&right_answer(question), 2));
        println!("  {}", wrap(&question.right, 2));
        println!("  {evidence}: {}\n", wrap(&question.evidence, 2));
    }
    Ok(Exit::Done)
}

/// Questions without anything that tells what is right.
pub(super) fn print_paper(args: &QuizArgs, questions: &[ResolvedQuestion]) -> Result<Exit> {
    if args.json {
        let sheet: Vec<Value> = questions.iter().map(sheet_of).collect();
        println!("{}", serde_json::to_string_pretty(&sheet)?);
        return Ok(Exit::Done);
    }
    for (number, question) in questions.iter().enumerate() {
        print_question(number + 1, question);
        println!();
    }
    Ok(Exit::Done)
}

fn sheet_of(question: &ResolvedQuestion) -> Value {
    let options: Vec<Value> =
        question.options.iter().map(|o| json!({ "letter": o.letter, "text": o.text })).collect();
    json!({ "id": question.id, "kind": question.kind, "prompt": question.prompt, "items": question.items,
        "options": options, "unit": question.unit, "how": how_to_answer(question) })
}
