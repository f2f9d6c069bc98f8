//! A part of the score with its account: lines whose points add up to it.

use serde::{Deserialize, Serialize};

/// Most items that a sentence lists.
const LISTED_MAX: usize = 6;

/// One line of a part's account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartLine {
    /// Points of the part; the sum over all lines is the part.
    pub points: f64,
    /// What happened, in one sentence.
    pub what: String,
    /// Why it gives these points, in one sentence.
    pub why: String,
}

impl PartLine {
    /// The first items of a list, and how many there are besides.
    pub(super) fn some_of(items: &[String]) -> String {
        let shown = items[..items.len().min(LISTED_MAX)].join(", ");
        if items.len() > LISTED_MAX {
            format!("{shown} and {} more", items.len() - LISTED_MAX)
        } else {
            shown
        }
    }
}

/// C or R with its account, or the whole score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// 0 to 100; `None` where it means nothing and is left out.
    pub points: Option<f64>,
    /// The account; where the part is left out, one line says why.
    pub lines: Vec<PartLine>,
}

impl Part {
    /// A part that means nothing here, and why.
    pub(super) fn left_out(why: &str) -> Self {
        let line = PartLine { points: 0.0, what: "not scored".to_owned(), why: why.to_owned() };
        Self { points: None, lines: vec![line] }
    }

    /// No points, and why.
    pub(super) fn nothing(why: &str) -> Self {
        Self::begin(0.0, ("no points".to_owned(), why.to_owned()))
    }

    /// The first line of an account: what happened, and why it counts.
    pub(super) fn begin(points: f64, (what, why): (String, String)) -> Self {
        Self { points: Some(points), lines: vec![PartLine { points, what, why }] }
    }

    /// One more line that adds points.
    pub(super) fn add(&mut self, points: f64, (what, why): (String, String)) {
        self.points = Some(self.points.unwrap_or(0.0) + points);
        self.lines.push(PartLine { points, what, why });
    }

    /// One more line that multiplies what there is.
    pub(super) fn scale(&mut self, factor: f64, said: (String, String)) {
        let before = self.points.unwrap_or(0.0);
        self.add(before * factor - before, said);
    }

    /// One more line, if there is more than `most`, that takes the rest away.
    pub(super) fn cap(&mut self, most: f64, said: (String, String)) {
        if let Some(before) = self.points.filter(|points| *points > most) {
            self.add(most - before, said);
        }
    }
}
