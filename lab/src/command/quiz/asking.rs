//! Asking one question in the terminal: prompt, hints, answer, verdict.

use std::io::{BufRead, Write};

use anyhow::Result;
use quizzes::bank::{GivenError, passed, with_hints};
use quizzes::{Certainty, Mark, ResolvedQuestion, certainty_points, mark};
use serde_json::{Value, json};

use super::printing::{print_question, print_verdict};
use crate::story::wrap;

/// An answer, marked.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) mark: Mark,
    /// Costs of the hints used, in their order.
    pub(super) hints: Vec<f64>,
    pub(super) certainty: Option<Certainty>,
}

impl Given {
    /// Credit after hints.
    pub(super) fn credit(&self) -> f64 {
        with_hints(self.mark.credit, &self.hints)
    }

    /// Points of certainty-based marking, where somebody said how sure they were.
    pub(super) fn points(&self) -> Option<f64> {
        self.certainty.map(|certainty| certainty_points(self.mark.credit, certainty))
    }

    /// The answer as a row of JSON.
    pub(super) fn row(&self, question: &ResolvedQuestion) -> Value {
        json!({ "id": question.id, "credit": self.credit(), "right": self.mark.right, "hints": self.hints.len(),
            "certainty": self.certainty, "points": self.points(), "explanation": self.mark.explanation })
    }
}

/// A typed line as an answer: the answer itself, `pass`, and behind it how sure the person is.
pub(super) fn read_line_of(question: &ResolvedQuestion, line: &str) -> Result<Given, GivenError> {
    if line.trim().eq_ignore_ascii_case("pass") {
        return Ok(Given { mark: passed(question), hints: Vec::new(), certainty: None });
    }
    let (answer, certainty) = Certainty::split(line);
    Ok(Given { mark: mark(question, answer)?, hints: Vec::new(), certainty })
}

/// Asks until there is an answer. None at the end of the input.
pub(super) fn ask(
    number: usize,
    question: &ResolvedQuestion,
    input: &mut impl BufRead,
) -> Result<Option<Given>> {
    print_question(number, question);
    let mut hints = Vec::new();
    loop {
        print!("  > ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim().eq_ignore_ascii_case("hint") {
            match question.hints.get(hints.len()) {
                Some(hint) => {
                    println!("  {}", wrap(&hint.text, 2));
                    hints.push(hint.cost);
                }
                None => println!("  there is no {}hint", if hints.is_empty() { "" } else { "other " }),
            }
            continue;
        }
        match read_line_of(question, &line) {
            Ok(given) => {
                let given = Given { hints, ..given };
                print_verdict("  ", &given);
                println!();
                return Ok(Some(given));
            }
            Err(error) => println!("  {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use quizzes::GeneralBank;

    use super::*;

    fn question() -> ResolvedQuestion {
        let bank = GeneralBank::bundled().unwrap();
        let question = bank.questions().iter().find(|question| question.id == "modbus-exception-bit");
        question.unwrap().resolved(1)
    }

    fn answer(typed: &str) -> Option<Given> {
        ask(1, &question(), &mut typed.as_bytes()).unwrap()
    }

    #[test]
    fn hints_and_certainty_come_with_the_answer() {
        let given = answer("hint\nhint\n\n0x86 @high\n").unwrap();
        assert!(given.mark.right && given.hints.len() == 1, "{given:?}");
        assert_eq!((given.credit(), given.points()), (1.0, Some(3.0)));
        let given = answer("0x06 @high\n").unwrap();
        assert_eq!((given.credit(), given.points()), (0.0, Some(-6.0)));
    }

    #[test]
    fn who_passes_gets_no_points_and_the_answer() {
        let given = answer("pass\n").unwrap();
        assert!(!given.mark.right && given.mark.explanation.contains("0x86") && given.points().is_none());
    }

    #[test]
    fn the_end_of_the_input_is_no_answer() {
        assert!(answer("hint\n").is_none());
    }
}
