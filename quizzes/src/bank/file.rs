//! The bank file of a scenario: questions as people write them.
//!
//! Texts may hold `${expression}`. Whatever stands under `answer`, `value`, `tolerance`, `need`, `requires` or in a
//! `[[let]]` is an expression over the record.

use cel::Program;
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use record::attack;

use super::translation;

/// Bank files that come with Fieldrange: scenario and text.
const BUNDLED: [(&str, &str); 1] = [("oldsmar", include_str!("../../bank/oldsmar.toml"))];

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One option by its letter.
    Single,
    /// All options that hold, by their letters.
    Multi,
    /// A number within a tolerance.
    Numeric,
    /// All options in their right order, by their letters.
    Order,
    /// An option for each item, by number and letter.
    Match,
    /// A word or a line, compared after normalisation.
    Text,
    /// Two numbers, or two times of day in UTC, each within a tolerance.
    Interval,
    /// Frames of `span.pcapng` by their numbers.
    Packets,
}

/// Help, at a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// What it says.
    pub text: String,
    /// Share of the credit that it costs, 0 to 1; the first hint used is free.
    pub cost: f64,
}

/// An option that is not the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Distractor {
    /// One value or a list of them.
    pub(super) value: Spanned<String>,
    /// What to say to somebody who chose it.
    pub(super) feedback: Spanned<String>,
}

/// A name for the value of an expression.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Let {
    pub(super) name: String,
    pub(super) value: Spanned<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    pub(super) id: Spanned<String>,
    pub(super) kind: Kind,
    pub(super) prompt: Spanned<String>,
    pub(super) answer: Spanned<String>,
    /// Whether the question means anything for this run.
    #[serde(default)]
    pub(super) requires: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) tolerance: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) unit: Option<String>,
    /// How many right frames are enough; all of them if absent.
    #[serde(default)]
    pub(super) need: Option<Spanned<String>>,
    pub(super) attack: Vec<Spanned<String>>,
    /// Where in the record the answer can be seen.
    pub(super) evidence: String,
    pub(super) right: Spanned<String>,
    pub(super) wrong: Spanned<String>,
    #[serde(rename = "distractor", default)]
    pub(super) distractors: Vec<Distractor>,
    #[serde(rename = "hint", default)]
    pub(super) hints: Vec<Hint>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BankFile {
    scenario: String,
    #[serde(rename = "let", default)]
    lets: Vec<Let>,
    #[serde(rename = "question")]
    questions: Vec<Question>,
}

/// The questions of one scenario, read and checked: every expression parses.
#[derive(Clone, Debug)]
pub struct QuestionSet {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) scenario: String,
    pub(super) lets: Vec<Let>,
    pub(super) questions: Vec<Question>,
}

impl QuestionSet {
    /// Scenarios that have a bank file.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _)| *name)
    }

    /// The questions that come with Fieldrange on a scenario.
    pub fn named(scenario: &str) -> Result<Self, FileError> {
        match BUNDLED.iter().find(|(name, _)| *name == scenario) {
            Some((_, text)) => Self::parse(&format!("{scenario}.toml"), text),
            None => Err(FileError {
                file: scenario.to_owned(),
                line: 0,
                problem: format!("there are no questions on {scenario:?}"),
                fix: format!("ask about a run of {}", Self::names().collect::<Vec<_>>().join(", ")),
            }),
        }
    }

    /// Languages in which the questions on a scenario can be asked, English first.
    pub fn languages(scenario: &str) -> Vec<String> {
        let others = translation::BUNDLED.iter().filter(|(name, ..)| *name == scenario);
        std::iter::once("en").chain(others.map(|(_, language, _)| *language)).map(str::to_owned).collect()
    }

    /// The questions on a scenario in a language.
    pub fn named_in(scenario: &str, language: &str) -> Result<Self, FileError> {
        let questions = Self::named(scenario)?;
        if language == "en" {
            return Ok(questions);
        }
        let file = format!("{language}/{scenario}.toml");
        let known = |(name, code, _): &&(&str, &str, &str)| *name == scenario && *code == language;
        match translation::BUNDLED.iter().find(known) {
            Some((.., text)) => questions.told_in(&file, text),
            None => Err(FileError {
                file,
                line: 0,
                problem: format!("the questions on {scenario} are not there in the language {language:?}"),
                fix: format!("choose one of {}", Self::languages(scenario).join(", ")),
            }),
        }
    }

    /// Reads a bank file and checks it as far as that goes without a record.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file, text };
        let bank: BankFile = source.parse()?;
        for binding in &bank.lets {
            check_expression(&source, &binding.value)?;
        }
        for (number, question) in bank.questions.iter().enumerate() {
            let id = question.id.get_ref();
            if bank.questions[..number].iter().any(|other| other.id.get_ref() == id) {
                return Err(source.error(
                    &question.id,
                    format!("two questions are called {id:?}"),
                    "rename one of them",
                ));
            }
            check_question(&source, question)?;
        }
        let BankFile { scenario, lets, questions } = bank;
        Ok(Self { file: file.to_owned(), text: text.to_owned(), scenario, lets, questions })
    }

    /// Scenario that it asks about.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// Number of questions.
    pub fn len(&self) -> usize {
        self.questions.len()
    }

    /// Whether it has no question.
    pub fn is_empty(&self) -> bool {
        self.questions.is_empty()
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source { file: &self.file, text: &self.text }
    }
}

fn check_question(source: &Source<'_>, question: &Question) -> Result<(), FileError> {
    let id = question.id.get_ref();
    let expressions = [
        Some(&question.answer),
        question.requires.as_ref(),
        question.tolerance.as_ref(),
        question.need.as_ref(),
    ];
    for expression in expressions.into_iter().flatten() {
        check_expression(source, expression)?;
    }
    for text in [&question.prompt, &question.right, &question.wrong] {
        check_text(source, text)?;
    }
    for distractor in &question.distractors {
        check_expression(source, &distractor.value)?;
        check_text(source, &distractor.feedback)?;
    }
    let numeric = matches!(question.kind, Kind::Numeric | Kind::Interval);
    if numeric != question.tolerance.is_some() {
        return Err(source.error(
            &question.id,
            format!("{id}: tolerance belongs to numeric and interval questions, and to each of them"),
            "add tolerance = \"0.1\" to a numeric or interval question, remove it from any other",
        ));
    }
    if question.need.is_some() && question.kind != Kind::Packets {
        return Err(source.error(
            &question.id,
            format!("{id}: need belongs to packets questions"),
            "remove it",
        ));
    }
    let offers = matches!(question.kind, Kind::Single | Kind::Multi);
    if offers == question.distractors.is_empty() {
        return Err(source.error(
            &question.id,
            format!("{id}: distractors belong to single and multi questions, and to each of them"),
            "add a [[question.distractor]] with value and feedback, or remove those that are there",
        ));
    }
    for technique in &question.attack {
        if attack::technique(technique.get_ref()).is_none() {
            return Err(source.error(
                technique,
                format!("{:?} is no technique of {}", technique.get_ref(), attack::VERSION),
                "write an id such as T0836",
            ));
        }
    }
    if question.hints.iter().any(|hint| !(0.0..=1.0).contains(&hint.cost)) {
        return Err(source.error(
            &question.id,
            format!("{id}: a hint costs from 0 to 1"),
            "write a share such as 0.25",
        ));
    }
    Ok(())
}

pub(super) fn check_expression(source: &Source<'_>, expression: &Spanned<String>) -> Result<(), FileError> {
    Program::compile(expression.get_ref()).map(drop).map_err(|errors| {
        source.error(
            expression,
            format!("the expression does not parse: {}", one_line(&errors.to_string())),
            "expressions are CEL, as in truth.filter(s, s.step == 'dose')[0].start",
        )
    })
}

pub(super) fn check_text(source: &Source<'_>, text: &Spanned<String>) -> Result<(), FileError> {
    for piece in pieces(text.get_ref()) {
        match piece {
            Piece::Words(_) => {}
            Piece::Expression(expression) => {
                Program::compile(expression).map_err(|errors| {
                    source.error(
                        text,
                        format!("${{{expression}}} does not parse: {}", one_line(&errors.to_string())),
                        "write one CEL expression between the braces",
                    )
                })?;
            }
            Piece::Open => {
                return Err(source.error(text, "a ${ is not closed", "add the } that belongs to it"));
            }
        }
    }
    Ok(())
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Words(&'a str),
    Expression(&'a str),
    /// A `${` without its `}`.
    Open,
}

/// Splits a text at `${...}`. An expression in a text cannot hold a `}`.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((words, tail)) = rest.split_once("${") {
        found.push(Piece::Words(words));
        let Some((expression, after)) = tail.split_once('}') else {
            found.push(Piece::Open);
            return found;
        };
        found.push(Piece::Expression(expression));
        rest = after;
    }
    found.push(Piece::Words(rest));
    found
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
scenario = "oldsmar"

[[question]]
id = "one"
kind = "single"
prompt = "How many? ${size(truth)}"
answer = "size(truth)"
attack = ["T0836"]
evidence = "truth"
right = "Yes."
wrong = "No."
[[question.distractor]]
value = "size(truth) + 1"
feedback = "One too many."
"#;

    #[track_caller]
    fn check_altered(from: &str, to: &str, problem: &str) {
        assert!(GOOD.contains(from), "{from:?}");
        let error = QuestionSet::parse("bank.toml", &GOOD.replacen(from, to, 1)).unwrap_err();
        let line = GOOD[..GOOD.find(from).unwrap()].matches('\n').count() + 1;
        assert!(error.problem.contains(problem), "{error}");
        assert!(error.line.abs_diff(line) <= 8 && error.line > 0 && !error.fix.is_empty(), "{error}");
    }

    #[test]
    fn the_bundled_banks_load() {
        assert_eq!(QuestionSet::parse("bank.toml", GOOD).unwrap().len(), 1);
        for name in QuestionSet::names() {
            assert_eq!(QuestionSet::named(name).unwrap().scenario(), name);
        }
        assert!(QuestionSet::named("nowhere").unwrap_err().fix.contains("oldsmar"));
    }

    #[test]
    fn mistakes_are_named_with_line_and_fix() {
        check_altered("kind = \"single\"", "sort = \"single\"", "unknown field `sort`");
        check_altered("\"size(truth)\"", "\"size(truth\"", "does not parse");
        check_altered("${size(truth)}", "${size(}", "does not parse");
        check_altered("${size(truth)}", "${size(truth)", "not closed");
        check_altered("T0836", "T9836", "no technique");
        check_altered("\"single\"", "\"numeric\"", "tolerance belongs to numeric and interval");
        check_altered("\"single\"", "\"packets\"", "distractors belong to");
        check_altered("evidence =", "need = \"1\"\nevidence =", "need belongs to packets");
    }

    #[test]
    fn texts_split_at_expressions() {
        use Piece::{Expression, Open, Words};
        assert_eq!(pieces("a ${b} c"), [Words("a "), Expression("b"), Words(" c")]);
        assert_eq!(pieces("${b"), [Words(""), Open]);
        assert_eq!(pieces(""), [Words("")]);
    }
}
