//! What a person knows, as a file that they keep, and what to ask them next.
//!
//! # Theory of operation
//! A [`Progress`] holds an Elo rating per domain, one per question met, and how well each is remembered ([`Memory`]). After
//! each answer the ratings of person and question move and the memory is set anew. What to ask next: first what is due
//! again, the least remembered first; then, in the domain with the fewest answers, a new question whose chance of a
//! right answer is within [`elo::WANTED`], or nearest to its middle; when nothing is new, what is least remembered. Ties
//! are drawn, keyed by the person's seed. Days come from the caller; a file and a day give the same next question anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use record::KeyedStream;
use serde::{Deserialize, Serialize};

use crate::bank::{Certainty, Domain, GeneralBank, GeneralQuestion, with_hints};
use crate::elo::{self, Rating};
use crate::fsrs::{Grade, Memory};

/// Version of the file's form.
const VERSION: u32 = 1;

/// Why a file of progress cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// It is not such a file, or a damaged one.
    #[error("this is no file of progress: {0}\n  fix: name another file, or remove it to start over")]
    NotProgress(#[from] serde_json::Error),
    /// A later program wrote it.
    #[error("version {0} of the form is not known\n  fix: use the program that wrote it")]
    Version(u32),
    /// Numbers that no answers lead to.
    #[error(
        "{0} has a rating or a memory that is no number in its range\n  fix: name another file, or remove it to start over"
    )]
    Range(String),
}

/// One question as a person met it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Met {
    /// How hard the question turned out.
    pub rating: Rating,
    /// How well it is remembered.
    pub memory: Memory,
}

/// A rating as the file holds it: in few digits, which JSON gives back to the last bit.
fn in_file(rating: Rating) -> Rating {
    Rating { elo: rounded(rating.elo, 1e3), ..rating }
}

fn rounded(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

/// How far somebody is in a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Rating below 975: begin with the easiest lab.
    Novice,
    /// In between.
    Working,
    /// Rating from 1100: a dozen right answers at least.
    Expert,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Novice => "novice",
            Self::Working => "working",
            Self::Expert => "expert",
        })
    }
}

impl Level {
    /// The level of a rating.
    pub fn of(elo: f64) -> Self {
        match elo {
            elo if elo < 975.0 => Self::Novice,
            elo if elo < 1100.0 => Self::Working,
            _ => Self::Expert,
        }
    }

    /// The lab of a domain that suits it.
    pub fn lab(self, domain: &Domain) -> Option<&str> {
        let last = domain.labs.len().checked_sub(1)?;
        domain.labs.get((self as usize).min(last)).map(String::as_str)
    }
}

/// An answer as it was given and marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Credit before hints, 0 to 1.
    pub credit: f64,
    /// Costs of the hints used, in their order.
    pub hints: Vec<f64>,
    /// How sure the person was, if they said.
    pub certainty: Option<Certainty>,
    /// Days since 1970-01-01.
    pub day: u32,
}

impl Answered {
    /// Credit after hints.
    pub fn worth(&self) -> f64 {
        with_hints(self.credit, &self.hints)
    }

    fn grade(&self) -> Grade {
        match (self.credit >= 1.0, self.certainty) {
            (false, _) if self.credit < 0.5 => Grade::Again,
            (false, _) | (true, Some(Certainty::Low)) => Grade::Hard,
            (true, _) if !self.hints.is_empty() => Grade::Hard,
            (true, Some(Certainty::High)) => Grade::Easy,
            (true, _) => Grade::Good,
        }
    }
}

/// What a person knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    version: u32,
    seed: u64,
    domains: BTreeMap<String, Rating>,
    questions: BTreeMap<String, Met>,
}

impl Progress {
    /// Of somebody who has answered nothing; ties are drawn with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { version: VERSION, seed, domains: BTreeMap::new(), questions: BTreeMap::new() }
    }

    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, ProgressError> {
        let progress: Self = serde_json::from_str(text)?;
        if progress.version != VERSION {
            return Err(ProgressError::Version(progress.version));
        }
        let sound = |rating: &Rating| rating.elo.is_finite() && rating.elo.abs() < 1e5;
        if let Some((name, _)) = progress.domains.iter().find(|(_, rating)| !sound(rating)) {
            return Err(ProgressError::Range(name.clone()));
        }
        let remembered = |m: &Memory| {
            m.stability.is_finite()
                && m.stability > 0.0
                && (1.0..=10.0).contains(&m.difficulty)
                && m.due >= m.asked
        };
        match progress.questions.iter().find(|(_, met)| !sound(&met.rating) || !remembered(&met.memory)) {
            Some((id, _)) => Err(ProgressError::Range(id.clone())),
            None => Ok(progress),
        }
    }

    /// The file: JSON, the same for the same answers.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always serialise.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Seed of the person's draws, and of the order in which options are shown.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Rating in a domain.
    pub fn rating(&self, domain: &str) -> Rating {
        self.domains.get(domain).copied().unwrap_or_else(|| Rating::starting_at(elo::START))
    }

    /// Questions that are due on a day.
    pub fn due(&self, day: u32) -> usize {
        self.questions.values().filter(|met| met.memory.due <= day).count()
    }

    fn rating_of(&self, question: &GeneralQuestion) -> Rating {
        self.questions.get(&question.id).map_or_else(|| Rating::starting_at(question.elo), |met| met.rating)
    }

    /// How likely this person is to answer a question rightly, 0 to 1.
    pub fn chance(&self, question: &GeneralQuestion) -> f64 {
        elo::expected(self.rating(&question.domain).elo, self.rating_of(question).elo)
    }

    /// Takes an answer in.
    pub fn take(&mut self, question: &GeneralQuestion, answered: &Answered) {
        let (person, rating) =
            elo::after(self.rating(&question.domain), self.rating_of(question), answered.worth());
        let memory = match self.questions.get(&question.id) {
            Some(met) => met.memory.after(answered.grade(), answered.day),
            None => Memory::first(answered.grade(), answered.day),
        };
        self.domains.insert(question.domain.clone(), in_file(person));
        let memory = Memory {
            stability: rounded(memory.stability, 1e6).max(1e-6),
            difficulty: rounded(memory.difficulty, 1e6),
            ..memory
        };
        self.questions.insert(question.id.clone(), Met { rating: in_file(rating), memory });
    }

    /// What to ask next among the questions of `domains`, leaving out those in `asked`. None when all were asked.
    pub fn next<'b>(
        &self,
        bank: &'b GeneralBank,
        domains: &[&str],
        asked: &BTreeSet<String>,
        day: u32,
    ) -> Option<&'b GeneralQuestion> {
        let open: Vec<&GeneralQuestion> = bank
            .questions()
            .iter()
            .filter(|question| domains.contains(&question.domain.as_str()) && !asked.contains(&question.id))
            .collect();
        let recall = |question: &&GeneralQuestion| {
            self.questions.get(&question.id).map_or(0.0, |met| met.memory.recall(day))
        };
        let met = |question: &&GeneralQuestion| self.questions.get(&question.id);
        let due = open.iter().copied().filter(|q| met(q).is_some_and(|met| met.memory.due <= day));
        if let Some(question) = due.min_by(|a, b| recall(a).total_cmp(&recall(b))) {
            return Some(question);
        }
        self.new_one(&open, domains)
            .or_else(|| open.iter().copied().min_by(|a, b| recall(a).total_cmp(&recall(b))))
    }

    /// A question of `domains` that was never met and is not in `asked`, whatever is due.
    pub fn next_new<'b>(
        &self,
        bank: &'b GeneralBank,
        domains: &[&str],
        asked: &BTreeSet<String>,
    ) -> Option<&'b GeneralQuestion> {
        let open: Vec<&GeneralQuestion> =
            bank.questions().iter().filter(|question| !asked.contains(&question.id)).collect();
        self.new_one(&open, domains)
    }

    /// A question never met, of the domain with the fewest answers that has one.
    fn new_one<'b>(&self, open: &[&'b GeneralQuestion], domains: &[&str]) -> Option<&'b GeneralQuestion> {
        let new: Vec<&GeneralQuestion> =
            open.iter().copied().filter(|question| !self.questions.contains_key(&question.id)).collect();
        let has_new = |name: &&&str| new.iter().any(|question| question.domain == ***name);
        let domain = domains.iter().filter(has_new).min_by_key(|name| self.rating(name).answers)?;
        let middle = f64::midpoint(*elo::WANTED.start(), *elo::WANTED.end());
        let draw =
            |question: &GeneralQuestion| KeyedStream::new(self.seed, &question.id, "which question").bits(0);
        // All within the wanted band are as good as each other: the draw decides.
        let off = |question: &GeneralQuestion| {
            let chance = self.chance(question);
            if elo::WANTED.contains(&chance) { 0.0 } else { (chance - middle).abs() }
        };
        let of_domain = new.into_iter().filter(|question| question.domain == **domain);
        of_domain.min_by(|a, b| off(a).total_cmp(&off(b)).then_with(|| draw(a).cmp(&draw(b))))
    }
}
