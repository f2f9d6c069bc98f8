//! The questions that are asked of every table of a plant file, and the answers with line and remedy.

use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use super::Threshold;
use crate::file::Name;
use crate::hydraulics::gga::{End, Link};

/// Asks, and knows where in the file it asks.
pub(super) struct Check<'a> {
    source: Source<'a>,
}

impl<'a> Check<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        Self { source }
    }

    /// An error at a value.
    pub(super) fn refuse<T>(
        &self,
        place: &Spanned<T>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> FileError {
        self.source.error(place, problem, fix)
    }

    /// A name that is not empty.
    pub(super) fn tag(&self, name: &Name) -> Result<String, FileError> {
        if name.get_ref().trim().is_empty() {
            return Err(self.refuse(name, "the name is empty", "write the tag, for example \"LIT-401\""));
        }
        Ok(name.get_ref().clone())
    }

    pub(super) fn positive(&self, value: &Spanned<f64>, key: &str) -> Result<f64, FileError> {
        let number = *value.get_ref();
        if number.is_finite() && number > 0.0 {
            return Ok(number);
        }
        Err(self.refuse(value, format!("{key} is {number}"), format!("write a {key} above 0")))
    }

    pub(super) fn within(
        &self,
        value: &Spanned<f64>,
        key: &str,
        low: f64,
        high: f64,
    ) -> Result<f64, FileError> {
        let number = *value.get_ref();
        if number >= low && number <= high {
            return Ok(number);
        }
        let fix = format!("write a {key} from {low} to {high}");
        Err(self.refuse(value, format!("{key} is {number}"), fix))
    }

    pub(super) fn priority(&self, value: &Spanned<u8>) -> Result<u8, FileError> {
        match *value.get_ref() {
            priority @ 1..=3 => Ok(priority),
            other => Err(self.refuse(
                value,
                format!("priority is {other}"),
                "write 1 (at once), 2 (soon) or 3 (when there is time)",
            )),
        }
    }

    /// Exactly one of two limits.
    pub(super) fn threshold(
        &self,
        name: &Name,
        upper: Option<&Spanned<f64>>,
        lower: Option<&Spanned<f64>>,
        upper_key: &str,
        lower_key: &str,
    ) -> Result<Threshold, FileError> {
        match (upper, lower) {
            (Some(limit), None) => Ok(Threshold::Above(*limit.get_ref())),
            (None, Some(limit)) => Ok(Threshold::Below(*limit.get_ref())),
            _ => Err(self.refuse(
                name,
                format!("{} needs one limit", name.get_ref()),
                format!("write either {upper_key} or {lower_key}"),
            )),
        }
    }

    /// Index of a name among those that exist.
    pub(super) fn find(&self, name: &Name, what: &str, known: &[&Name]) -> Result<usize, FileError> {
        if let Some(index) = known.iter().position(|candidate| candidate.get_ref() == name.get_ref()) {
            return Ok(index);
        }
        let list: Vec<&str> = known.iter().map(|candidate| candidate.get_ref().as_str()).collect();
        let fix = if list.is_empty() {
            format!("add a table for this {what}")
        } else {
            format!("add a table for it, or write one of {}", list.join(", "))
        };
        Err(self.refuse(name, format!("there is no {what} {:?} in this file", name.get_ref()), fix))
    }

    pub(super) fn all_different<'n>(&self, names: impl Iterator<Item = &'n Name>) -> Result<(), FileError> {
        let mut seen: Vec<&Name> = Vec::new();
        for name in names {
            if let Some(first) = seen.iter().find(|known| known.get_ref() == name.get_ref()) {
                let line = self.source.line_at(first.span().start);
                let problem = format!("{} is there twice, first in line {line}", name.get_ref());
                return Err(self.refuse(name, problem, "give one of them another name"));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// Every junction reaches a tank or the reservoir through pipes, which cannot be shut.
    pub(super) fn all_fed(&self, junctions: &[&Name], pipes: &[Link]) -> Result<(), FileError> {
        let mut fed = vec![false; junctions.len()];
        let mut grown = true;
        while grown {
            grown = false;
            for pipe in pipes {
                for (end, other) in [(pipe.from, pipe.to), (pipe.to, pipe.from)] {
                    let End::Junction(index) = end else { continue };
                    let reached = match other {
                        End::Junction(neighbour) => fed[neighbour],
                        End::Fixed(_) => true,
                    };
                    if reached && !fed[index] {
                        fed[index] = true;
                        grown = true;
                    }
                }
            }
        }
        match fed.iter().position(|is_fed| !is_fed) {
            None => Ok(()),
            Some(index) => Err(self.refuse(
                junctions[index],
                format!("no pipe leads from a tank or reservoir to {}", junctions[index].get_ref()),
                "connect it with a [[pipe]]; pumps can be off and do not count",
            )),
        }
    }
}
