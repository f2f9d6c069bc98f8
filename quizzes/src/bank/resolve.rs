//! From a bank file and a record to questions as they are asked.

use std::collections::BTreeSet;

use cel::common::value::Val;
use cel::{Context, Program, Value};
use record::KeyedStream;
use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;
use site::FileError;

use super::expression::{context, number, words};
use super::file::{Hint, Kind, Piece, Question, QuestionSet, one_line, pieces};
use super::typed::normalised;
use crate::view::{RecordView, ViewError};

/// Most options shown in a single or multi question.
const OPTIONS_MAX: usize = 6;

/// Why questions on a run cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The bank file asks about another scenario.
    #[error("these questions are on {bank:?}, the run is of {run:?}: choose a run of {bank:?}")]
    OtherScenario {
        /// Scenario of the bank file.
        bank: String,
        /// Scenario of the run.
        run: String,
    },
    /// The record lacks what expressions need.
    #[error(transparent)]
    View(#[from] ViewError),
    /// An expression does not evaluate, or its value does not fit.
    #[error(transparent)]
    File(#[from] FileError),
}

/// One option as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownOption {
    /// `A`, `B`, ...
    pub letter: char,
    /// What it says.
    pub text: String,
    /// What to say to somebody who chose it wrongly; empty for right ones.
    pub feedback: String,
}

/// What is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// One letter.
    Choice(char),
    /// These letters and no others.
    Choices(Vec<char>),
    /// A number within a tolerance, in the question's unit.
    Number {
        /// The number.
        value: f64,
        /// How far off is right.
        tolerance: f64,
    },
    /// All letters in this order.
    Order(Vec<char>),
    /// The letter that belongs to each item, in the order of the items.
    Match(Vec<char>),
    /// Any of these texts; the first is told.
    Text(Vec<String>),
    /// Two numbers or times of day (seconds), each within a tolerance.
    Interval {
        /// The lower end.
        from: f64,
        /// The upper end.
        to: f64,
        /// How far off is right.
        tolerance: f64,
    },
    /// Numbers of frames.
    Packets {
        /// All that are right, ascending.
        frames: Vec<u64>,
        /// How many of them are enough.
        need: usize,
    },
}

/// A question on one run, ready to be asked and marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolvedQuestion {
    /// Its id in the bank.
    pub id: String,
    /// How it is answered.
    pub kind: Kind,
    /// What is asked.
    pub prompt: String,
    /// What options are matched to, in the order shown; empty for other kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Options in the order shown; none for numbers and packets.
    pub options: Vec<ShownOption>,
    /// Unit of a numeric answer.
    pub unit: Option<String>,
    /// ATT&CK techniques that it is about.
    pub attack: Vec<String>,
    /// Help, at a price.
    pub hints: Vec<Hint>,
    /// Where in the record the answer can be seen; of a general question, the source of its answer.
    pub evidence: String,
    /// What is right. Not for the eyes of whoever answers.
    pub answer: Answer,
    /// What to say when it is right.
    pub right: String,
    /// What to say when it is not.
    pub wrong: String,
}

impl QuestionSet {
    /// The questions that mean something for a run, with their answers for it, in the order of the bank file.
    ///
    /// # Errors
    /// A run of another scenario, a record that was packed for a trainee, or an expression that does not evaluate to
    /// what its place needs: file, line and fix.
    pub fn resolve(&self, view: &RecordView) -> Result<Vec<ResolvedQuestion>, ResolveError> {
        let run = &view.manifest().scenario;
        if *run != self.scenario {
            return Err(ResolveError::OtherScenario { bank: self.scenario.clone(), run: run.clone() });
        }
        let programs = self.programs();
        let mut evaluator = Evaluator {
            set: self,
            context: context(view, &programs.iter().collect::<Vec<_>>())?,
            unbound: Vec::new(),
        };
        evaluator.bind();
        let seed = view.manifest().seed.unwrap_or(0);
        let mut resolved = Vec::new();
        for question in &self.questions {
            if let Some(requires) = &question.requires {
                match evaluator.value(requires)? {
                    Value::Bool(true) => {}
                    Value::Bool(false) => continue,
                    other => return Err(evaluator.misfit(requires, "true or false", &other).into()),
                }
            }
            resolved.push(evaluator.resolve(question, seed)?);
        }
        Ok(resolved)
    }

    /// Every expression of the file; those in texts too. They parsed when the file was read.
    fn programs(&self) -> Vec<Program> {
        let mut expressions: Vec<&str> = self.lets.iter().map(|l| l.value.get_ref().as_str()).collect();
        let mut texts: Vec<&str> = Vec::new();
        for question in &self.questions {
            let optional = [&question.requires, &question.tolerance, &question.need];
            expressions.push(question.answer.get_ref());
            expressions.extend(optional.into_iter().flatten().map(|e| e.get_ref().as_str()));
            expressions.extend(question.distractors.iter().map(|d| d.value.get_ref().as_str()));
            texts.extend([&question.prompt, &question.right, &question.wrong].map(|t| t.get_ref().as_str()));
            texts.extend(question.distractors.iter().map(|d| d.feedback.get_ref().as_str()));
        }
        expressions.extend(texts.into_iter().flat_map(pieces).filter_map(|piece| match piece {
            Piece::Expression(expression) => Some(expression),
            Piece::Words(_) | Piece::Open => None,
        }));
        expressions.into_iter().filter_map(|expression| Program::compile(expression).ok()).collect()
    }
}

struct Evaluator<'s> {
    set: &'s QuestionSet,
    context: Context<'static, 'static>,
    /// Names whose expression did not evaluate, and why: an error only where a question needs them.
    unbound: Vec<(String, String)>,
}

impl Evaluator<'_> {
    fn bind(&mut self) {
        let set = self.set;
        for binding in &set.lets {
            let value: Result<Box<dyn Val>, String> = match Program::compile(binding.value.get_ref()) {
                Ok(program) => Value::resolve_val(program.expression(), &self.context)
                    .map(cel::common::value::CowVal::into_owned)
                    .map_err(|error| one_line(&error.to_string())),
                Err(errors) => Err(one_line(&errors.to_string())),
            };
            match value {
                Ok(value) => self.context.add_variable_as_val(binding.name.clone(), value),
                Err(problem) => self.unbound.push((binding.name.clone(), problem)),
            }
        }
    }

    fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let program = Program::compile(expression).map_err(|errors| one_line(&errors.to_string()))?;
        program.execute(&self.context).map_err(|error| {
            let cause = self.unbound.iter().find(|(name, _)| program.references().has_variable(name));
            match cause {
                Some((name, problem)) => format!("{name} has no value here: {problem}"),
                None => one_line(&error.to_string()),
            }
        })
    }

    fn value(&self, expression: &Spanned<String>) -> Result<Value, FileError> {
        self.evaluate(expression.get_ref()).map_err(|problem| {
            self.set.source().error(
                expression,
                format!("the expression does not evaluate for this run: {problem}"),
                "mend the expression, or add requires = \"...\" so that the question is left out where it means nothing",
            )
        })
    }

    fn misfit(&self, place: &Spanned<String>, want: &str, got: &Value) -> FileError {
        self.set.source().error(
            place,
            format!("the expression gives {}, {want} is wanted", one_line(&format!("{got:?}"))),
            "mend the expression",
        )
    }

    fn number(&self, expression: &Spanned<String>) -> Result<f64, FileError> {
        let value = self.value(expression)?;
        number(&value).filter(|n| n.is_finite()).ok_or_else(|| self.misfit(expression, "a number", &value))
    }

    fn text(&self, text: &Spanned<String>) -> Result<String, FileError> {
        let mut told = String::new();
        for piece in pieces(text.get_ref()) {
            match piece {
                Piece::Words(words) => told += words,
                Piece::Open => told += "${",
                Piece::Expression(expression) => {
                    let at = |problem: String| {
                        self.set.source().error(
                            text,
                            format!("${{{expression}}}: {problem}"),
                            "mend the expression",
                        )
                    };
                    let value = self.evaluate(expression).map_err(at)?;
                    told += &words(&value).ok_or_else(|| at(format!("{value:?} cannot stand in a text")))?;
                }
            }
        }
        Ok(told)
    }

    /// Texts that an expression gives: one, or a list of them.
    fn texts(&self, expression: &Spanned<String>) -> Result<Vec<String>, FileError> {
        let value = self.value(expression)?;
        let one =
            |value: &Value| words(value).ok_or_else(|| self.misfit(expression, "a text or a number", value));
        match &value {
            Value::List(items) => items.iter().map(one).collect(),
            other => Ok(vec![one(other)?]),
        }
    }

    fn resolve(&self, question: &Question, seed: u64) -> Result<ResolvedQuestion, FileError> {
        let id = question.id.get_ref();
        let mut order = Order::new(seed, id);
        let mut items = Vec::new();
        let (options, answer) = match question.kind {
            Kind::Single | Kind::Multi => self.choice(question, &mut order)?,
            Kind::Order => {
                let right = self.texts(&question.answer)?;
                let repeats = right.iter().enumerate().any(|(n, text)| right[..n].contains(text));
                if right.len() < 3 || repeats {
                    return Err(self.too_few(question, "three different texts to put in order", right.len()));
                }
                let shown = order.shuffle(right.iter().map(|text| (text.clone(), String::new())).collect());
                let options = lettered(shown);
                let letters = right.iter().filter_map(|text| letter_of(&options, text)).collect();
                (options, Answer::Order(letters))
            }
            Kind::Numeric => {
                let tolerance = match &question.tolerance {
                    Some(tolerance) => self.number(tolerance)?.abs(),
                    None => 0.0,
                };
                (Vec::new(), Answer::Number { value: self.number(&question.answer)?, tolerance })
            }
            Kind::Match => {
                let pairs = self.pairs(question)?;
                let (options, letters) = matched(&pairs, &mut order);
                items = pairs.into_iter().map(|(item, _)| item).collect();
                (options, Answer::Match(letters))
            }
            Kind::Text => {
                let accepted = self.texts(&question.answer)?;
                if accepted.iter().all(|text| normalised(text).is_empty()) {
                    return Err(self.too_few(question, "a text", 0));
                }
                (Vec::new(), Answer::Text(accepted))
            }
            Kind::Interval => (Vec::new(), self.interval(question)?),
            Kind::Packets => (Vec::new(), self.packets(question)?),
        };
        Ok(ResolvedQuestion {
            id: id.clone(),
            kind: question.kind,
            prompt: self.text(&question.prompt)?,
            items,
            options,
            unit: question.unit.clone(),
            attack: question.attack.iter().map(|id| id.get_ref().clone()).collect(),
            hints: question.hints.clone(),
            evidence: question.evidence.clone(),
            answer,
            right: self.text(&question.right)?,
            wrong: self.text(&question.wrong)?,
        })
    }

    fn choice(
        &self,
        question: &Question,
        order: &mut Order,
    ) -> Result<(Vec<ShownOption>, Answer), FileError> {
        let mut right = self.texts(&question.answer)?;
        right.sort();
        right.dedup();
        if right.is_empty() || (question.kind == Kind::Single && right.len() != 1) {
            return Err(self.too_few(question, "one right option (several only in multi)", right.len()));
        }
        let mut others: Vec<(String, String)> = Vec::new();
        for distractor in &question.distractors {
            let feedback = self.text(&distractor.feedback)?;
            for text in self.texts(&distractor.value)? {
                if !right.contains(&text) && !others.iter().any(|(other, _)| *other == text) {
                    others.push((text, feedback.clone()));
                }
            }
        }
        if others.is_empty() {
            return Err(self.too_few(question, "a distractor that is not the answer", 0));
        }
        let mut shown = order.shuffle(others);
        shown.truncate(OPTIONS_MAX.saturating_sub(right.len()).max(1));
        shown.extend(right.iter().map(|text| (text.clone(), String::new())));
        let options = lettered(order.shuffle(shown));
        let mut letters: Vec<char> = right.iter().filter_map(|text| letter_of(&options, text)).collect();
        letters.sort_unstable();
        let answer = match (question.kind, letters.as_slice()) {
            (Kind::Single, [letter]) => Answer::Choice(*letter),
            _ => Answer::Choices(letters),
        };
        Ok((options, answer))
    }

    /// Items and what belongs to each: a list of `[item, option]`.
    fn pairs(&self, question: &Question) -> Result<Vec<(String, String)>, FileError> {
        let value = self.value(&question.answer)?;
        let pair = |value: &Value| match value {
            Value::List(pair) => match pair.as_slice() {
                [item, option] => words(item).zip(words(option)),
                _ => None,
            },
            _ => None,
        };
        let misfit = || self.misfit(&question.answer, "a list of [item, option]", &value);
        let Value::List(pairs) = &value else { return Err(misfit()) };
        let pairs: Vec<(String, String)> =
            pairs.iter().map(pair).collect::<Option<_>>().ok_or_else(misfit)?;
        let distinct: BTreeSet<&String> = pairs.iter().map(|(_, option)| option).collect();
        let repeats = pairs.iter().map(|(item, _)| item).collect::<BTreeSet<_>>().len() < pairs.len();
        if pairs.len() < 2 || distinct.len() < 2 || repeats {
            return Err(self.too_few(question, "two different items with two options", pairs.len()));
        }
        Ok(pairs)
    }

    fn interval(&self, question: &Question) -> Result<Answer, FileError> {
        let value = self.value(&question.answer)?;
        let ends = match &value {
            Value::List(ends) => ends.iter().map(number).collect::<Option<Vec<f64>>>(),
            _ => None,
        };
        let tolerance =
            question.tolerance.as_ref().map_or(Ok(0.0), |tolerance| self.number(tolerance))?.abs();
        match ends.as_deref() {
            Some([from, to]) if from <= to && from.is_finite() && to.is_finite() => {
                Ok(Answer::Interval { from: *from, to: *to, tolerance })
            }
            _ => Err(self.misfit(&question.answer, "two numbers, the lower first", &value)),
        }
    }

    fn packets(&self, question: &Question) -> Result<Answer, FileError> {
        let value = self.value(&question.answer)?;
        let misfit = || self.misfit(&question.answer, "a list of frame numbers", &value);
        let Value::List(items) = &value else { return Err(misfit()) };
        let frame = |item: &Value| number(item).filter(|n| *n >= 1.0 && n.fract() == 0.0).map(|n| n as u64);
        let mut frames: Vec<u64> = items.iter().map(frame).collect::<Option<_>>().ok_or_else(misfit)?;
        frames.sort_unstable();
        frames.dedup();
        if frames.is_empty() {
            return Err(self.too_few(question, "at least one frame", 0));
        }
        let need = match &question.need {
            Some(need) => (self.number(need)?.max(1.0) as usize).min(frames.len()),
            None => frames.len(),
        };
        Ok(Answer::Packets { frames, need })
    }

    fn too_few(&self, question: &Question, want: &str, got: usize) -> FileError {
        self.set.source().error(
            &question.answer,
            format!("{}: this run gives {got}, {want} is wanted", question.id.get_ref()),
            "mend the expression, or add requires = \"...\" so that the question is left out where it means nothing",
        )
    }
}

/// The options of a match in a drawn order, and the letter that belongs to each item.
pub(super) fn matched(pairs: &[(String, String)], order: &mut Order) -> (Vec<ShownOption>, Vec<char>) {
    let distinct: BTreeSet<&String> = pairs.iter().map(|(_, option)| option).collect();
    let shown = distinct.into_iter().map(|option| (option.clone(), String::new())).collect();
    let options = lettered(order.shuffle(shown));
    let letters = pairs.iter().filter_map(|(_, option)| letter_of(&options, option)).collect();
    (options, letters)
}

pub(super) fn lettered(texts: Vec<(String, String)>) -> Vec<ShownOption> {
    let letters = 'A'..='Z';
    letters.zip(texts).map(|(letter, (text, feedback))| ShownOption { letter, text, feedback }).collect()
}

pub(super) fn letter_of(options: &[ShownOption], text: &str) -> Option<char> {
    options.iter().find(|option| option.text == text).map(|option| option.letter)
}

/// The order in which options are shown: drawn by seed and question, never by anything else.
pub(super) struct Order {
    stream: KeyedStream,
    drawn: u64,
}

impl Order {
    pub(super) fn new(seed: u64, id: &str) -> Self {
        Self { stream: KeyedStream::new(seed, id, "order of options"), drawn: 0 }
    }

    /// Fisher and Yates's shuffle.
    pub(super) fn shuffle<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        for last in (1..items.len()).rev() {
            let chosen = self.stream.below(self.drawn, last as u64 + 1) as usize;
            self.drawn += 1;
            items.swap(last, chosen);
        }
        items
    }
}
