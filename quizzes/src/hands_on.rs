//! What a trainee does with their hands, and where in Fieldrange: a table of 51 rows from published field guides.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use site::{FileError, parse_toml};

/// One thing that a trainee does.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandsOn {
    /// Its number in the list that the rows come from.
    pub number: u8,
    /// What the trainee does.
    pub does: String,
    /// Where: `task:`, `quiz:`, `scenario:`, `command:`, `page:`, `file:` and a name.
    #[serde(rename = "where", default)]
    pub places: Vec<Place>,
    /// How it is scored; empty where it is not.
    pub scored: String,
    /// What is missing; empty where it is whole.
    #[serde(default)]
    pub waits: String,
}

/// Where something is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    /// `task`, `quiz`, `scenario`, `command`, `page` or `file`.
    pub kind: String,
    /// Its name there.
    pub name: String,
}

/// Kinds of places.
pub const KINDS: [&str; 6] = ["task", "quiz", "scenario", "command", "page", "file"];

impl TryFrom<String> for Place {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some((kind, name)) if KINDS.contains(&kind) && !name.is_empty() => {
                Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("{text:?} names no place; write KIND:NAME with one of {}", KINDS.join(", "))),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        format!("{}:{}", place.kind, place.name)
    }
}

impl HandsOn {
    /// `whole`, `part` or `waits`.
    pub fn state(&self) -> &'static str {
        match (self.places.is_empty(), self.waits.is_empty()) {
            (true, _) => "waits",
            (false, true) => "whole",
            (false, false) => "part",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    row: Vec<HandsOn>,
}

/// The table that comes with Fieldrange.
pub fn hands_on() -> Result<Vec<HandsOn>, FileError> {
    Ok(parse_toml::<Rows>("hands-on.toml", include_str!("../hands-on.toml"))?.row)
}

/// The table as a page of Markdown, which `docs/hands-on.md` is.
pub fn markdown(rows: &[HandsOn]) -> String {
    let count = |state: &str| rows.iter().filter(|row| row.state() == state).count();
    let mut page = format!(
        "# What a trainee does with their hands\n\n{} things that three published field guides ask of people who defend control systems, and where each is done and scored here.\n{} are whole, {} in part, {} wait. Made by `fieldrange list hands-on --markdown`; the table itself is `quizzes/hands-on.toml`.\n\n| | a trainee | where | scored by | waits for |\n|---|---|---|---|---|\n",
        rows.len(),
        count("whole"),
        count("part"),
        count("waits"),
    );
    for row in rows {
        let places: Vec<String> =
            row.places.iter().map(|place| format!("{} `{}`", place.kind, place.name)).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            row.number,
            row.does,
            places.join(", "),
            row.scored,
            row.waits
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneralBank, task};

    #[test]
    fn all_51_rows_are_there_and_say_where_or_what_they_wait_for() {
        let rows = hands_on().unwrap();
        assert!(rows.iter().map(|row| row.number).eq(1..=51));
        for row in &rows {
            assert!(!row.places.is_empty() || !row.waits.is_empty(), "row {}", row.number);
            assert_eq!(
                row.places.is_empty(),
                row.scored.is_empty() && row.state() == "waits",
                "row {}",
                row.number
            );
        }
    }

    #[test]
    fn questions_and_tasks_of_the_table_exist() {
        let bank = GeneralBank::bundled().unwrap();
        let tasks = task::tasks().unwrap();
        for row in hands_on().unwrap() {
            for place in &row.places {
                let exists = match place.kind.as_str() {
                    "quiz" => bank.questions().iter().any(|question| question.id == place.name),
                    "task" => tasks.iter().any(|task| task.name == place.name),
                    _ => true,
                };
                assert!(exists, "row {}: {place:?}", row.number);
            }
        }
    }

    #[test]
    fn a_place_of_no_kind_is_refused() {
        assert!(Place::try_from("house:red".to_owned()).is_err());
        assert!(Place::try_from("task:".to_owned()).is_err());
    }
}
