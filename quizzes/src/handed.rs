//! Reading `report.toml`: what a person writes down after a run, for part R of the score.
//!
//! ```toml
//! assets = ["hmi", "PLC-1"]                 # what was attacked
//! indicators = ["203.0.113.40"]             # addresses, names, hashes, domains of those who acted
//!
//! [root_cause]                              # attack, fault or authorised; where it began, and how
//! verdict = "attack"
//! entity = "vendor-support"
//! technique = "T0822"
//!
//! [[event]]                                 # what happened, first things first
//! entity = "hmi"
//! technique = "T0822"
//! ```
//!
//! Entities may be written as addresses, MAC addresses, names or tags. Everything may be left out, and earns nothing then.

use record::{EntityId, Verdict, attack};
use serde::Deserialize;
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use crate::names::EntityNames;
use crate::score::recovery::{HandedReport, ReportedEvent, RootCause};

/// Most entries of each list.
pub const MOST_ENTRIES: usize = 64;
/// Most octets of an indicator.
const INDICATOR_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    assets: Vec<Spanned<String>>,
    #[serde(default)]
    indicators: Vec<Spanned<String>>,
    #[serde(default)]
    root_cause: Option<WrittenCause>,
    #[serde(default, rename = "event")]
    events: Vec<WrittenEvent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
    entity: Spanned<String>,
    #[serde(default)]
    technique: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCause {
    verdict: Verdict,
    #[serde(default)]
    entity: Option<Spanned<String>>,
    #[serde(default)]
    technique: Option<Spanned<String>>,
}

/// Reads and checks a report. `file` is what errors name.
///
/// # Errors
/// Every problem found: text that is not TOML or has unknown keys (alone), a name that nothing in this run has, a
/// technique that is neither in the pinned table nor a tactic of it, a list longer than 64 entries.
pub fn read_report(file: &str, text: &str, names: &EntityNames) -> Result<HandedReport, Vec<FileError>> {
    let source = Source { file, text };
    let written: Written = source.parse().map_err(|error| vec![error])?;
    let mut reader = Reader { source, names, problems: Vec::new() };
    reader.at_most("assets", written.assets.get(MOST_ENTRIES));
    reader.at_most("indicators", written.indicators.get(MOST_ENTRIES));
    reader.at_most("events", written.events.get(MOST_ENTRIES).map(|event| &event.entity));
    let assets = written.assets.iter().filter_map(|name| reader.entity(name)).collect();
    let indicators = written.indicators.iter().filter_map(|text| reader.indicator(text)).collect();
    let mut events = Vec::new();
    for event in &written.events {
        let technique = reader.technique(event.technique.as_ref());
        if let Some(entity) = reader.entity(&event.entity) {
            events.push(ReportedEvent { entity, technique });
        }
    }
    let root_cause = written.root_cause.as_ref().map(|cause| RootCause {
        verdict: cause.verdict,
        entity: cause.entity.as_ref().and_then(|name| reader.entity(name)),
        technique: reader.technique(cause.technique.as_ref()),
    });
    if reader.problems.is_empty() {
        Ok(HandedReport { assets, events, indicators, root_cause })
    } else {
        Err(reader.problems)
    }
}

struct Reader<'a> {
    source: Source<'a>,
    names: &'a EntityNames,
    problems: Vec<FileError>,
}

impl Reader<'_> {
    /// `first_beyond` is the first entry that is too many.
    fn at_most(&mut self, what: &str, first_beyond: Option<&Spanned<String>>) {
        if let Some(place) = first_beyond {
            let problem = format!("more than {MOST_ENTRIES} {what}");
            let fix = "name what was really there: whatever is too much costs points";
            self.problems.push(self.source.error(place, problem, fix));
        }
    }

    fn entity(&mut self, name: &Spanned<String>) -> Option<EntityId> {
        match self.names.resolve(name.get_ref()) {
            Ok(entity) => Some(entity),
            Err(unknown) => {
                self.problems.push(self.source.error(name, unknown.to_string(), unknown.fix()));
                None
            }
        }
    }

    /// Hashes and domains are nobody's name in the run, and stay as they are.
    fn indicator(&mut self, text: &Spanned<String>) -> Option<String> {
        let trimmed = text.get_ref().trim();
        if trimmed.is_empty() || trimmed.len() > INDICATOR_MAX {
            let problem = format!("an indicator has 1 to {INDICATOR_MAX} octets, got {}", trimmed.len());
            self.problems.push(self.source.error(text, problem, "write one address, name, hash or domain"));
            return None;
        }
        Some(trimmed.to_lowercase())
    }

    fn technique(&mut self, given: Option<&Spanned<String>>) -> Option<String> {
        let given = given?;
        let id = given.get_ref();
        if attack::technique(id).is_none() && !attack::is_tactic(id) {
            let problem = format!("{id:?} is no technique or tactic of {}", attack::VERSION);
            let fix = "write an id such as T0836, a tactic such as impair-process-control, or leave it out";
            self.problems.push(self.source.error(given, problem, fix));
            return None;
        }
        Some(id.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use site::Site;

    use super::*;

    const GOOD: &str = "assets = [\"192.168.1.101\"]\nindicators = [\"203.0.113.40\", \"Bad.example\"]\n\n[root_cause]\nverdict = \"attack\"\nentity = \"vendor-support\"\ntechnique = \"T0822\"\n\n[[event]]\nentity = \"naoh.sp\"\ntechnique = \"impact\"\n";

    fn read(text: &str) -> Result<HandedReport, Vec<FileError>> {
        let names = EntityNames::new(&Site::named("waterworks").unwrap(), &BTreeMap::new());
        read_report("report.toml", text, &names)
    }

    #[test]
    fn a_good_report_has_canonical_names() {
        let report = read(GOOD).unwrap();
        assert_eq!(report.assets, [EntityId::device("PLC-1")]);
        assert_eq!(report.events[0].entity, EntityId::point("NAOH.SP"));
        assert_eq!(report.indicators, ["203.0.113.40", "bad.example"]);
        assert_eq!(report.root_cause.unwrap().technique.as_deref(), Some("T0822"));
        assert_eq!(read("").unwrap(), HandedReport::default());
    }

    #[test]
    fn every_problem_has_its_line_and_a_fix() {
        let text = GOOD.replace("naoh.sp", "naoh.ps").replace("T0822", "T9999");
        let problems = read(&text).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [10, 7]);
        assert!(problems[0].fix.contains("NAOH.SP"), "{}", problems[0]);
        let unknown = read("aset = []").unwrap_err();
        assert!(unknown[0].line == 1 && unknown[0].problem.contains("aset"), "{}", unknown[0]);
    }

    #[test]
    fn lists_are_bounded() {
        let many = vec!["\"hmi\""; MOST_ENTRIES + 1].join(", ");
        assert!(read(&format!("assets = [{many}]")).is_err());
        assert!(read("indicators = [\"\"]").is_err());
    }
}
