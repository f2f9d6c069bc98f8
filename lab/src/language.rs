//! In which language a run is told.
//!
//! The language is one of a run's settings, and its manifest keeps it: what the record says to people (summaries, tickets)
//! is in that language, and a replay says the same again. Frames, values and points do not depend on it.

use anyhow::Result;
use clap::Args;
use scenarios::Scenario;
use scenarios::texts::ENGLISH;

use crate::cli::WhichRun;

/// Name under which settings and a manifest keep the language, where it is not English.
pub(crate) const LANGUAGE: &str = "language";
/// Where the language is looked up if no option names it.
const VARIABLE: &str = "FIELDRANGE_LANGUAGE";

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LanguageArgs {
    /// Language of the scenario's texts, as in `de`. Default: FIELDRANGE_LANGUAGE, or English.
    #[arg(long, value_name = "CODE")]
    language: Option<String>,
}

impl LanguageArgs {
    /// The language that was asked for.
    pub(crate) fn asked(&self) -> Option<String> {
        self.language.clone().or_else(|| std::env::var(VARIABLE).ok()).filter(|code| !code.is_empty())
    }

    /// The same run, told in the language that was asked for. Where the scenario has no texts in it, standard error says so and
    /// English stays.
    pub(crate) fn told(&self, scenario: &str, which: &WhichRun) -> Result<WhichRun> {
        let mut which = which.clone();
        let Some(language) = self.asked().filter(|code| code != ENGLISH) else { return Ok(which) };
        Scenario::load(scenario)?;
        let language = known(language, &Scenario::languages(scenario), scenario);
        which.settings.extend(language.map(|code| (LANGUAGE.to_owned(), code)));
        Ok(which)
    }
}

/// A language if it is among those that `what` has. Otherwise standard error says so, and English stays.
pub(crate) fn known(language: String, languages: &[String], what: &str) -> Option<String> {
    if languages.contains(&language) {
        return Some(language);
    }
    eprintln!(
        "{what}: there are no texts in the language {language:?}, but in {}; it is told in English",
        languages.join(", ")
    );
    None
}
