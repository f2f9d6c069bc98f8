//! What a scenario says to people: title, briefing, one sentence per event, what to try next.
//!
//! Sentences may hold `{NAME}` of a variable; it is filled in from the plan. Texts of a scenario stand apart from
//! its file so that they can be had in more than one language, and so that a briefing can be shown without
//! opening the file that gives the game away.

use std::collections::BTreeMap;

use serde::Deserialize;
use site::FileError;
use site::file::Source;

use crate::scenario::ScenarioFile;
use crate::variable::Values;

/// Texts of one scenario in one language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Title.
    pub title: String,
    /// What a person knows before the run: paragraphs. Gives nothing away.
    pub briefing: Vec<String>,
    /// What to try next: paragraphs.
    pub try_next: Vec<String>,
    /// The story in one or two sentences, by cause (`attack`, `none`, ...): shown at the reveal only.
    pub story: BTreeMap<String, String>,
    /// Labelled events by name: what happened.
    #[serde(default)]
    pub event: BTreeMap<String, EventText>,
    /// Injects by name: what is said.
    #[serde(default)]
    pub inject: BTreeMap<String, String>,
}

/// What is said of one labelled event once it is revealed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventText {
    /// One sentence: what was done.
    pub summary: String,
    /// One or two sentences: how it could have been seen, and what it means.
    pub reveal: String,
}

impl Texts {
    /// Reads texts. [`crate::Scenario::parse`] also compares them with the scenario.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        Source { file, text }.parse()
    }

    /// Checks that every labelled event has its text and that no text speaks of something else.
    pub(crate) fn check(&self, file: &str, text: &str, scenario: &ScenarioFile) -> Result<(), FileError> {
        let source = Source { file, text };
        let labelled: Vec<&str> =
            scenario.steps.iter().chain(&scenario.benign).map(|e| e.id.get_ref().as_str()).collect();
        if let Some(missing) = labelled.iter().find(|id| !self.event.contains_key(**id)) {
            return Err(source.error_at(
                text.len(),
                format!("event {missing:?} has no text"),
                format!("add [event.{missing}] with summary and reveal"),
            ));
        }
        if let Some(stray) = self.event.keys().find(|id| !labelled.contains(&id.as_str())) {
            return Err(source.error_at(
                text.find(&format!("event.{stray}")).unwrap_or(0),
                format!("no step or benign event is called {stray:?}"),
                "mend the name, or remove the text",
            ));
        }
        let injects: Vec<&str> = scenario.injects.iter().map(|inject| inject.id.get_ref().as_str()).collect();
        if let Some(missing) = injects.iter().find(|id| !self.inject.contains_key(**id)) {
            return Err(source.error_at(
                text.len(),
                format!("inject {missing:?} has no text"),
                format!("add {missing} = \"...\" under [inject]"),
            ));
        }
        if let Some(stray) = self.inject.keys().find(|id| !injects.contains(&id.as_str())) {
            return Err(source.error_at(
                text.find("[inject]").unwrap_or(0),
                format!("no inject is called {stray:?}"),
                "mend the name, or remove the text",
            ));
        }
        let causes: Vec<String> = match &scenario.blind {
            Some(blind) => blind.causes.get_ref().clone(),
            None if scenario.steps.is_empty() => vec!["none".to_owned()],
            None => vec!["attack".to_owned()],
        };
        if let Some(missing) = causes.iter().find(|cause| !self.story.contains_key(*cause)) {
            return Err(source.error_at(
                text.find("[story]").unwrap_or(0),
                format!("cause {missing:?} has no story"),
                format!("add {missing} = \"...\" under [story]"),
            ));
        }
        Ok(())
    }
}

/// A sentence with `{NAME}` of every variable filled in.
pub fn fill(sentence: &str, values: &Values) -> String {
    values.iter().fold(sentence.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &value.to_string())
    })
}
