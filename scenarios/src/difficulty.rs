//! How hard a scenario is played: one file, three ways.
//!
//! *Easy*: the briefing says where to look, and the sensor's findings are shown. *Medium*: the scenario as its file has it;
//! records are shown and a person finds. *Hard*: the capture alone, and events that the file keeps for it, look-alikes that
//! are authorised. The attack, its times and its values are the same in all three: a step may not depend on it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Name of the setting, beside a scenario's variables and `cause`.
pub const LEVEL: &str = "level";

/// How hard a scenario is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Difficulty {
    /// With help.
    Easy,
    /// As the file has it.
    #[default]
    Medium,
    /// With more look-alikes.
    Hard,
}

impl Difficulty {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is none of the three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("level is easy, medium or hard, not {0:?}")]
pub struct UnknownLevel(String);

impl FromStr for Difficulty {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == word);
        found.ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_back_from_its_word_and_nothing_else_is_one() {
        for level in Difficulty::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for word in ["", "Hard", "hard ", "4"] {
            assert_eq!(word.parse::<Difficulty>(), Err(UnknownLevel(word.to_owned())));
        }
    }
}
