//! What a scenario says to people: title, briefing, one sentence per event, what to try next.
//!
//! Sentences may hold `{NAME}` of a variable; it is filled in from the plan. Texts of a scenario stand apart from
//! its file so that they can be had in more than one language, and so that a briefing can be shown without
//! opening the file that gives the game away.
//!
//! `texts/en.toml` is there always; any other language is held against it: the same keys, as many paragraphs, the
//! same variables in each sentence. A run is told in one language, which its record keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use site::FileError;
use site::file::Source;

use crate::difficulty::Difficulty;
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
    /// What the briefing says besides to those who play it easy: paragraphs.
    #[serde(default)]
    pub help: Vec<String>,
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
    /// What the game in the terminal says itself, by key, where it plays this scenario.
    #[serde(default)]
    pub game: BTreeMap<String, String>,
    /// For whoever leads the exercise.
    #[serde(default)]
    pub notes: Notes,
}

/// The instructor's note of a scenario, in sentences. The moments of a run are not written here: a plan has them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// What to look at while it runs.
    pub look: Vec<String>,
    /// What to ask people.
    pub ask: Vec<String>,
    /// What to come back to afterwards.
    pub debrief: Vec<String>,
}

/// What is said of one labelled event once it is revealed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventText {
    /// One sentence: what was done.
    pub summary: String,
    /// One or two sentences: how it could have been seen, and what it means.
    pub reveal: String,
    /// Words of its change ticket, where the scenario's file has them in another language.
    #[serde(default)]
    pub ticket: Option<String>,
}

/// The language that every scenario has.
pub const ENGLISH: &str = "en";

/// Whether this may name a language: two or three small letters, as ISO 639 has them.
pub fn is_language_code(code: &str) -> bool {
    (2..=3).contains(&code.len()) && code.bytes().all(|letter| letter.is_ascii_lowercase())
}

impl Texts {
    /// Reads texts. [`crate::Scenario::parse`] also compares them with the scenario.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        Source { file, text }.parse()
    }

    /// What a person is told before the run.
    pub fn briefing_at(&self, level: Difficulty) -> Vec<String> {
        let help = self.help.iter().filter(|_| level == Difficulty::Easy);
        self.briefing.iter().chain(help).cloned().collect()
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

impl Texts {
    /// Holds texts in another language against the English ones. `file` names them in errors.
    pub(crate) fn check_against(
        &self,
        english: &Self,
        file: &str,
        text: &str,
        scenario: &ScenarioFile,
    ) -> Result<(), FileError> {
        let source = Source { file, text };
        let wrong = |key: &str, problem: String, fix: String| {
            let place = key.rsplit('.').next().unwrap_or(key);
            Err(source.error_at(text.find(place).unwrap_or(0), problem, fix))
        };
        for (key, here, there) in
            [("briefing", &self.briefing, &english.briefing), ("try_next", &self.try_next, &english.try_next)]
        {
            if here.len() != there.len() {
                return wrong(
                    key,
                    format!("{key} has {} paragraphs, the English {}", here.len(), there.len()),
                    "translate paragraph by paragraph".to_owned(),
                );
            }
        }
        let (here, there) = (self.sentences(), english.sentences());
        for (key, english) in &there {
            let Some(sentence) = here.get(key) else {
                return wrong(key, format!("{key} is missing"), format!("translate {english:?}"));
            };
            if placeholders(sentence) != placeholders(english) {
                return wrong(
                    key,
                    format!("{key} does not hold the same variables as the English sentence"),
                    format!("put the braces of {english:?} into it"),
                );
            }
        }
        if let Some(stray) = here.keys().find(|key| !there.contains_key(*key)) {
            return wrong(stray, format!("{stray} is not among the English texts"), "remove it".to_owned());
        }
        let tickets = scenario.steps.iter().chain(&scenario.benign).filter(|event| event.ticket.is_some());
        for id in tickets.map(|event| event.id.get_ref()) {
            if self.event.get(id).is_none_or(|event| event.ticket.is_none()) {
                return wrong(
                    id,
                    format!("event.{id}.ticket is missing"),
                    format!("add ticket = \"...\" to [event.{id}]"),
                );
            }
        }
        Ok(())
    }

    /// Sentences by key, paragraphs and tickets left out.
    fn sentences(&self) -> BTreeMap<String, &str> {
        let story = self.story.iter().map(|(cause, text)| (format!("story.{cause}"), text.as_str()));
        let events = self.event.iter().flat_map(|(id, event)| {
            [(format!("event.{id}.summary"), &*event.summary), (format!("event.{id}.reveal"), &*event.reveal)]
        });
        let game = self.game.iter().map(|(key, text)| (format!("game.{key}"), text.as_str()));
        let injects = self.inject.iter().map(|(id, text)| (format!("inject.{id}"), text.as_str()));
        story.chain(events).chain(injects).chain(game).collect()
    }
}

/// What stands in braces in a sentence.
fn placeholders(sentence: &str) -> BTreeSet<&str> {
    sentence.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

/// A sentence with `{NAME}` of every variable filled in.
pub fn fill(sentence: &str, values: &Values) -> String {
    values.iter().fold(sentence.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &value.to_string())
    })
}
