//! Variables of a scenario: drawn by key from the seed, or set by name by the person who starts the run.
//!
//! Each variable has a draw of its own, keyed by (seed, scenario, name): to set one leaves the others as they were.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use record::KeyedStream;
use serde::Deserialize;
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use crate::span::{parse_span, print_span};

/// `[[var]]` of a scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// What people call it, `high-pH trip`.
    pub name: Spanned<String>,
    /// What it is drawn from.
    pub draw: Draw,
    /// Value where nobody sets it and the seed is not to decide.
    #[serde(default)]
    pub fixed: Option<Spanned<String>>,
}

/// What a variable is drawn from, evenly.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Draw {
    /// Whole numbers from `low` to `high`, in steps of `step`.
    Integer {
        /// Smallest.
        low: i64,
        /// Largest.
        high: Spanned<i64>,
        /// Distance between two of them.
        #[serde(default = "one")]
        step: i64,
    },
    /// A length of time from `low` to `high`, to the millisecond.
    Duration {
        /// Shortest.
        low: Spanned<String>,
        /// Longest.
        high: Spanned<String>,
    },
    /// One of a few words; a word that stands twice is twice as likely.
    Choice(Spanned<Vec<String>>),
}

fn one() -> i64 {
    1
}

/// What a variable turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// A whole number.
    Integer(i64),
    /// A length of time.
    Duration(Duration),
    /// A word.
    Word(String),
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Duration(span) => print_span(*span).fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

impl Variable {
    /// Checks what a file says of it.
    pub(crate) fn check(&self, source: &Source<'_>) -> Result<(), FileError> {
        match &self.draw {
            Draw::Integer { low, high, step } => {
                if low > high.get_ref() || *step < 1 {
                    return Err(source.error(
                        high,
                        format!("{}: low must not be above high, and step at least 1", self.name.get_ref()),
                        "swap or mend low and high",
                    ));
                }
            }
            Draw::Duration { low, high } => {
                let (from, to) = (self.span(low, source)?, self.span(high, source)?);
                if from > to {
                    return Err(source.error(
                        high,
                        format!("{}: low must not be above high", self.name.get_ref()),
                        "swap low and high",
                    ));
                }
            }
            Draw::Choice(words) => {
                if words.get_ref().is_empty() {
                    return Err(source.error(
                        words,
                        format!("{}: there is nothing to choose from", self.name.get_ref()),
                        "write at least one word",
                    ));
                }
            }
        }
        if let Some(fixed) = &self.fixed {
            self.read(fixed.get_ref()).map_err(|(problem, fix)| source.error(fixed, problem, fix))?;
        }
        Ok(())
    }

    fn span(&self, place: &Spanned<String>, source: &Source<'_>) -> Result<Duration, FileError> {
        parse_span(place.get_ref()).map_err(|e| {
            source.error(place, format!("{}: {e}", self.name.get_ref()), "write it as in 3min20s")
        })
    }

    /// Its value for a seed, where nobody sets it.
    pub(crate) fn drawn(&self, seed: u64, scenario: &str) -> Drawn {
        if let Some(fixed) = &self.fixed
            && let Ok(value) = self.read(fixed.get_ref())
        {
            return value;
        }
        let mut stream = KeyedStream::new(seed, scenario, &format!("variable {}", self.name.get_ref()));
        match &self.draw {
            Draw::Integer { low, high, step } => {
                let count = (high.get_ref() - low) / step + 1;
                Drawn::Integer(low + step * stream.below(0, count as u64) as i64)
            }
            Draw::Duration { low, high } => {
                let (from, to) = bounds(low, high);
                let width_ms = to.saturating_sub(from).as_millis() as u64 + 1;
                Drawn::Duration(from + Duration::from_millis(stream.below(0, width_ms)))
            }
            Draw::Choice(words) => {
                let index = stream.below(0, words.get_ref().len() as u64) as usize;
                Drawn::Word(words.get_ref().get(index).cloned().unwrap_or_default())
            }
        }
    }

    /// Reads a value that a person set; the error is problem and fix.
    pub(crate) fn read(&self, text: &str) -> Result<Drawn, (String, String)> {
        let name = self.name.get_ref();
        match &self.draw {
            Draw::Integer { low, high, .. } => match text.parse::<i64>() {
                Ok(number) if (*low..=*high.get_ref()).contains(&number) => Ok(Drawn::Integer(number)),
                _ => Err((
                    format!("{name} cannot be {text:?}"),
                    format!("give a whole number from {low} to {}", high.get_ref()),
                )),
            },
            Draw::Duration { low, high } => {
                let (from, to) = bounds(low, high);
                match parse_span(text) {
                    Ok(span) if (from..=to).contains(&span) => Ok(Drawn::Duration(span)),
                    _ => Err((
                        format!("{name} cannot be {text:?}"),
                        format!("give a length of time from {} to {}", low.get_ref(), high.get_ref()),
                    )),
                }
            }
            Draw::Choice(words) => {
                if words.get_ref().iter().any(|word| word == text) {
                    Ok(Drawn::Word(text.to_owned()))
                } else {
                    let mut known = words.get_ref().clone();
                    known.dedup();
                    Err((format!("{name} cannot be {text:?}"), format!("give one of {}", known.join(", "))))
                }
            }
        }
    }
}

/// Ends of a range of lengths of time; both were checked when the file was read.
fn bounds(low: &Spanned<String>, high: &Spanned<String>) -> (Duration, Duration) {
    let read = |text: &Spanned<String>| parse_span(text.get_ref()).unwrap_or_default();
    (read(low), read(high))
}

/// Every variable of one run, by name.
pub type Values = BTreeMap<String, Drawn>;
