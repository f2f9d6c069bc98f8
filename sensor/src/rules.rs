//! Rules: Sigma, one file each, with nothing in them that is silently not used.
//!
//! # Theory of operation
//! The rules that come with the sensor are embedded; `--rules DIR` adds every `.yml` file of a directory. A file holds
//! one rule, or the rules that a correlation counts and the correlation (`rules/file.rs`). `rsigma` evaluates them, service by
//! service: a record is shown to the rules of its service alone, and to those only if none like it was shown before
//! (`rules/memo.rs`). What they match goes on to the correlations that count it (`rules/count.rs`): most records match nothing.
//!
//! Rules are known by their place in the order of their ids.

mod count;
mod file;
mod memo;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use rsigma_eval::fields::RuleFieldSet;
use rsigma_eval::{Engine, Event};
use rsigma_parser::{Detection, SigmaCollection};
use site::FileError;

use crate::event::{Record, services};
use crate::examples::Example;

use count::Correlation;
use file::RuleFile;
use memo::{ADDRESSES, LEFT_OUT, Memo};

/// The rules that come with the sensor.
const EMBEDDED: &[(&str, &str)] = &[
    ("address-conflict.yml", include_str!("../rules/address-conflict.yml")),
    ("connection-exhaustion.yml", include_str!("../rules/connection-exhaustion.yml")),
    ("connection-flood.yml", include_str!("../rules/connection-flood.yml")),
    ("controller-refuses.yml", include_str!("../rules/controller-refuses.yml")),
    ("dnp3-address-sweep.yml", include_str!("../rules/dnp3-address-sweep.yml")),
    ("dnp3-application-control.yml", include_str!("../rules/dnp3-application-control.yml")),
    ("dnp3-bad-checksum.yml", include_str!("../rules/dnp3-bad-checksum.yml")),
    ("dnp3-broadcast-command.yml", include_str!("../rules/dnp3-broadcast-command.yml")),
    ("dnp3-class-assigned.yml", include_str!("../rules/dnp3-class-assigned.yml")),
    ("dnp3-command-by-new-master.yml", include_str!("../rules/dnp3-command-by-new-master.yml")),
    ("dnp3-command-repeated.yml", include_str!("../rules/dnp3-command-repeated.yml")),
    ("dnp3-configuration.yml", include_str!("../rules/dnp3-configuration.yml")),
    ("dnp3-deadband-write.yml", include_str!("../rules/dnp3-deadband-write.yml")),
    ("dnp3-device-restarted.yml", include_str!("../rules/dnp3-device-restarted.yml")),
    ("dnp3-file.yml", include_str!("../rules/dnp3-file.yml")),
    ("dnp3-flood.yml", include_str!("../rules/dnp3-flood.yml")),
    ("dnp3-framing.yml", include_str!("../rules/dnp3-framing.yml")),
    ("dnp3-function-scan.yml", include_str!("../rules/dnp3-function-scan.yml")),
    ("dnp3-identity.yml", include_str!("../rules/dnp3-identity.yml")),
    ("dnp3-malformed.yml", include_str!("../rules/dnp3-malformed.yml")),
    ("dnp3-new-address.yml", include_str!("../rules/dnp3-new-address.yml")),
    ("dnp3-new-control-point.yml", include_str!("../rules/dnp3-new-control-point.yml")),
    ("dnp3-new-function.yml", include_str!("../rules/dnp3-new-function.yml")),
    ("dnp3-new-master.yml", include_str!("../rules/dnp3-new-master.yml")),
    ("dnp3-operate-unselected.yml", include_str!("../rules/dnp3-operate-unselected.yml")),
    ("dnp3-other-outstation.yml", include_str!("../rules/dnp3-other-outstation.yml")),
    ("dnp3-out-of-sequence.yml", include_str!("../rules/dnp3-out-of-sequence.yml")),
    ("dnp3-outputs-at-once.yml", include_str!("../rules/dnp3-outputs-at-once.yml")),
    ("dnp3-oversized.yml", include_str!("../rules/dnp3-oversized.yml")),
    ("dnp3-points-scan.yml", include_str!("../rules/dnp3-points-scan.yml")),
    ("dnp3-port-foreign.yml", include_str!("../rules/dnp3-port-foreign.yml")),
    ("dnp3-report-to-stranger.yml", include_str!("../rules/dnp3-report-to-stranger.yml")),
    ("dnp3-reports-left-off.yml", include_str!("../rules/dnp3-reports-left-off.yml")),
    ("dnp3-reserved-address.yml", include_str!("../rules/dnp3-reserved-address.yml")),
    ("dnp3-restart.yml", include_str!("../rules/dnp3-restart.yml")),
    ("dnp3-second-answer.yml", include_str!("../rules/dnp3-second-answer.yml")),
    ("dnp3-select-skipped.yml", include_str!("../rules/dnp3-select-skipped.yml")),
    ("dnp3-sweep-of-outputs.yml", include_str!("../rules/dnp3-sweep-of-outputs.yml")),
    ("dnp3-time-write.yml", include_str!("../rules/dnp3-time-write.yml")),
    ("dnp3-unawaited.yml", include_str!("../rules/dnp3-unawaited.yml")),
    ("dnp3-unknown-function.yml", include_str!("../rules/dnp3-unknown-function.yml")),
    ("dnp3-unmatched-answers.yml", include_str!("../rules/dnp3-unmatched-answers.yml")),
    ("dnp3-unsolicited-silenced.yml", include_str!("../rules/dnp3-unsolicited-silenced.yml")),
    ("dnp3-unsolicited-storm.yml", include_str!("../rules/dnp3-unsolicited-storm.yml")),
    ("dnp3-upkeep-unasked.yml", include_str!("../rules/dnp3-upkeep-unasked.yml")),
    ("fan-out.yml", include_str!("../rules/fan-out.yml")),
    ("grid-cannot-bear.yml", include_str!("../rules/grid-cannot-bear.yml")),
    ("impossible-source.yml", include_str!("../rules/impossible-source.yml")),
    ("lost-peer.yml", include_str!("../rules/lost-peer.yml")),
    ("lost-poll.yml", include_str!("../rules/lost-poll.yml")),
    ("modbus-address-walk.yml", include_str!("../rules/modbus-address-walk.yml")),
    ("modbus-busy.yml", include_str!("../rules/modbus-busy.yml")),
    ("modbus-clear-counters.yml", include_str!("../rules/modbus-clear-counters.yml")),
    ("modbus-device-control.yml", include_str!("../rules/modbus-device-control.yml")),
    ("modbus-exceptions.yml", include_str!("../rules/modbus-exceptions.yml")),
    ("modbus-file-record.yml", include_str!("../rules/modbus-file-record.yml")),
    ("modbus-first-write.yml", include_str!("../rules/modbus-first-write.yml")),
    ("modbus-flood.yml", include_str!("../rules/modbus-flood.yml")),
    ("modbus-function-scan.yml", include_str!("../rules/modbus-function-scan.yml")),
    ("modbus-identity-by-stranger.yml", include_str!("../rules/modbus-identity-by-stranger.yml")),
    ("modbus-identity.yml", include_str!("../rules/modbus-identity.yml")),
    ("modbus-malformed.yml", include_str!("../rules/modbus-malformed.yml")),
    ("modbus-new-reader.yml", include_str!("../rules/modbus-new-reader.yml")),
    ("modbus-new-writer.yml", include_str!("../rules/modbus-new-writer.yml")),
    ("modbus-port-foreign.yml", include_str!("../rules/modbus-port-foreign.yml")),
    ("modbus-read-by-stranger.yml", include_str!("../rules/modbus-read-by-stranger.yml")),
    ("modbus-register-sweep.yml", include_str!("../rules/modbus-register-sweep.yml")),
    ("modbus-setpoint-creep.yml", include_str!("../rules/modbus-setpoint-creep.yml")),
    ("modbus-unit-sweep.yml", include_str!("../rules/modbus-unit-sweep.yml")),
    ("network-arp-scan.yml", include_str!("../rules/network-arp-scan.yml")),
    ("network-scan.yml", include_str!("../rules/network-scan.yml")),
    ("network-stranger.yml", include_str!("../rules/network-stranger.yml")),
    ("new-talker.yml", include_str!("../rules/new-talker.yml")),
    ("process-balance.yml", include_str!("../rules/process-balance.yml")),
    ("process-command-ignored.yml", include_str!("../rules/process-command-ignored.yml")),
    ("process-copies-disagree.yml", include_str!("../rules/process-copies-disagree.yml")),
    ("process-flow-unexplained.yml", include_str!("../rules/process-flow-unexplained.yml")),
    ("process-frozen.yml", include_str!("../rules/process-frozen.yml")),
    ("process-impossible-command.yml", include_str!("../rules/process-impossible-command.yml")),
    ("process-impossible-setpoint.yml", include_str!("../rules/process-impossible-setpoint.yml")),
    ("process-jump.yml", include_str!("../rules/process-jump.yml")),
    ("process-replay.yml", include_str!("../rules/process-replay.yml")),
    ("process-unusual-setpoint.yml", include_str!("../rules/process-unusual-setpoint.yml")),
    ("pump-forced.yml", include_str!("../rules/pump-forced.yml")),
    ("remote-desktop-new.yml", include_str!("../rules/remote-desktop-new.yml")),
    ("remote-session-from-outside.yml", include_str!("../rules/remote-session-from-outside.yml")),
    ("values-far-outside.yml", include_str!("../rules/values-far-outside.yml")),
    ("values-frozen-together.yml", include_str!("../rules/values-frozen-together.yml")),
    ("values-frozen.yml", include_str!("../rules/values-frozen.yml")),
    ("values-jump.yml", include_str!("../rules/values-jump.yml")),
    ("values-outside.yml", include_str!("../rules/values-outside.yml")),
    ("values-replay.yml", include_str!("../rules/values-replay.yml")),
];

/// What a rule says about itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RuleCard {
    /// Its name, unique: `modbus-new-writer`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The file it stands in.
    pub file: String,
    /// How much a finding of it matters.
    pub level: record::Level,
    /// ATT&CK for ICS technique ids, `T0855`.
    pub techniques: Vec<String>,
    /// What may set it off without an attack.
    pub falsepositives: Vec<String>,
    /// What it does not see.
    pub misses: String,
    /// Whether it only feeds a correlation and gives no findings itself.
    #[serde(skip)]
    pub(crate) base: bool,
    /// Ids of the rules it counts, for a correlation.
    #[serde(skip)]
    pub(crate) counts: Vec<String>,
    /// Whether it tells findings apart by the target.
    #[serde(skip)]
    pub(crate) by_target: bool,
    /// Records on which it fires or is silent.
    #[serde(skip)]
    pub(crate) examples: Vec<Example>,
}

/// Loaded rules.
pub struct RuleSet {
    /// Rules by the service whose records they look at.
    by_service: BTreeMap<&'static str, Engine>,
    /// In the order of their ids.
    cards: Vec<Rc<RuleCard>>,
    /// Places of the cards, by rule id.
    places: BTreeMap<String, usize>,
    /// Correlations, each with the place of its card.
    correlations: Vec<(usize, Correlation)>,
    /// By place: which correlations count its matches, and as which of the rules that they name.
    counted_by: Vec<Vec<(usize, usize)>>,
    /// What matched records like the one at hand; absent where a rule asks for more than that tells.
    memo: Option<Memo>,
}

/// A rule that matched, or a correlation that is above its threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    /// Which rule.
    pub(crate) place: usize,
    /// What a correlation counted.
    pub(crate) count: Option<f64>,
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet").field("cards", &self.cards).finish_non_exhaustive()
    }
}

impl RuleSet {
    /// The rules that come with the sensor.
    pub fn embedded() -> Result<Self, FileError> {
        Self::load(EMBEDDED.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
    }

    /// The rules that come with the sensor, and every `.yml` or `.yaml` file of a directory.
    pub fn with_directory(directory: &Path) -> Result<Self, FileError> {
        let trouble = |path: &Path, error: std::io::Error| FileError {
            file: path.display().to_string(),
            line: 0,
            problem: error.to_string(),
            fix: "name a directory of Sigma rules that can be read".to_owned(),
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(|error| trouble(directory, error))? {
            let path = entry.map_err(|error| trouble(directory, error))?.path();
            if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut files: Vec<(String, String)> =
            EMBEDDED.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|error| trouble(&path, error))?;
            files.push((path.display().to_string(), text));
        }
        Self::load(files)
    }

    /// Rules from files: name and text of each.
    pub fn load(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, FileError> {
        let mut whole = SigmaCollection::new();
        let mut by_id: BTreeMap<String, Rc<RuleCard>> = BTreeMap::new();
        for (file, text) in files {
            let source = RuleFile { file: &file, text: &text };
            let collection = source.parse()?;
            for (id, card) in source.cards(&collection)? {
                if let Some(other) = by_id.values().find(|other| other.name == card.name) {
                    return Err(source.error(
                        &card.name,
                        format!("the name {:?} is taken by {}", card.name, other.file),
                        "give each rule a name of its own",
                    ));
                }
                if let Some(other) = by_id.insert(id.clone(), Rc::new(card)) {
                    let problem = format!("the id is taken by {:?} of {}", other.name, other.file);
                    return Err(source.error(&id, problem, "give each rule an id of its own"));
                }
            }
            whole.rules.extend(collection.rules);
            whole.correlations.extend(collection.correlations);
        }
        let places: BTreeMap<String, usize> =
            by_id.keys().enumerate().map(|(place, id)| (id.clone(), place)).collect();
        let mut rules = Self {
            by_service: BTreeMap::new(),
            counted_by: vec![Vec::new(); by_id.len()],
            cards: by_id.into_values().collect(),
            places,
            correlations: Vec::new(),
            memo: Self::memo(&whole),
        };
        for service in services() {
            let of_service =
                |rule: &&rsigma_parser::SigmaRule| rule.logsource.service.as_deref() == Some(service);
            let one = whole.rules.iter().filter(of_service).cloned().collect();
            let one = SigmaCollection { rules: one, ..SigmaCollection::new() };
            if !one.rules.is_empty() {
                let engine = rules.by_service.entry(service).or_default();
                engine
                    .add_collection(&one)
                    .map_err(|error| rules_error(error.to_string(), "mend the rule"))?;
            }
        }
        for correlation in &whole.correlations {
            rules.add_correlation(&whole, correlation)?;
        }
        Ok(rules)
    }

    /// `correlation` has a card, and what of it could not be counted was refused with its file.
    fn add_correlation(
        &mut self,
        whole: &SigmaCollection,
        correlation: &rsigma_parser::CorrelationRule,
    ) -> Result<(), FileError> {
        let title = &correlation.title;
        let compiled = Correlation::new(correlation)
            .map_err(|problem| rules_error(format!("{title:?} has {problem}"), "count matches or values"))?;
        let place = |id: &Option<String>| id.as_ref().and_then(|id| self.places.get(id)).copied();
        let Some(own) = place(&correlation.id) else { return Ok(()) };
        for (number, name) in correlation.rules.iter().enumerate() {
            let named = whole
                .rules
                .iter()
                .find(|rule| rule.name.as_ref() == Some(name) || rule.id.as_ref() == Some(name));
            let Some(counted) = named.and_then(|rule| place(&rule.id)) else {
                return Err(rules_error(
                    format!("{title:?} counts {name:?}, which no rule is called"),
                    "a correlation names the rules it counts by name or id, and they stand in these files",
                ));
            };
            self.counted_by[counted].push((self.correlations.len(), number));
        }
        self.correlations.push((own, compiled));
        Ok(())
    }

    /// A memory for what matched, where the rules can be asked once for all records with the same key: they ask for
    /// fields by name, and for none that keys leave out.
    fn memo(whole: &SigmaCollection) -> Option<Memo> {
        fn is_plain(detection: &Detection) -> bool {
            match detection {
                Detection::AllOf(items) => items.iter().all(|item| item.field.name.is_some()),
                Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().all(is_plain),
                _ => false,
            }
        }
        // By which fields correlations keep matches apart is their affair: they see every match.
        let detections = SigmaCollection { rules: whole.rules.clone(), ..SigmaCollection::new() };
        let used = RuleFieldSet::collect(&detections, &[], true);
        let asks = |fields: &[&str]| fields.iter().any(|field| used.contains(field));
        let is_repeatable = whole.rules.iter().all(|rule| rule.detection.named.values().all(is_plain));
        (is_repeatable && !asks(&LEFT_OUT)).then(|| Memo::new(asks(&ADDRESSES)))
    }

    /// What each rule says about itself, by name; rules that only feed a correlation are left out.
    pub fn cards(&self) -> Vec<&RuleCard> {
        let mut cards: Vec<&RuleCard> = self.cards.iter().map(Rc::as_ref).filter(|card| !card.base).collect();
        cards.sort_by(|one, other| one.name.cmp(&other.name));
        cards
    }

    /// Every rule with its id, those included that only feed a correlation.
    pub(crate) fn all_cards(&self) -> impl Iterator<Item = (&str, &RuleCard)> {
        self.places.iter().map(|(id, place)| (id.as_str(), self.cards[*place].as_ref()))
    }

    /// Ids of the rules that match an event of a service at a moment, in seconds.
    pub(crate) fn matches(&mut self, service: &str, event: &impl Event, seconds: i64) -> Vec<String> {
        let Some(engine) = self.by_service.get(service) else { return Vec::new() };
        let matched = asked(engine, &self.places, event);
        let mut found = Vec::new();
        self.count(&matched, event, seconds, &mut found);
        let id = |found: &Found| self.places.iter().find(|(_, place)| **place == found.place);
        found.iter().filter_map(id).map(|(id, _)| id.clone()).collect()
    }

    /// Shows a record to every rule; puts into `found` what matched, detections before the correlations that count
    /// them, each in the order of their ids.
    pub(crate) fn evaluate(&mut self, record: &Record<'_>, found: &mut Vec<Found>) {
        found.clear();
        let Self { by_service, places, memo, .. } = self;
        if by_service.is_empty() {
            return;
        }
        let ask = || match by_service.get(record.service()) {
            Some(engine) => asked(engine, places, record),
            None => Rc::default(),
        };
        let matched = match memo {
            Some(memo) => memo.matched(record, ask),
            None => ask(),
        };
        self.count(&matched, record, (record.at / 1_000_000_000).cast_signed(), found);
    }

    /// Detections, and the correlations that they bring above their thresholds.
    fn count(&mut self, matched: &[usize], event: &impl Event, second: i64, found: &mut Vec<Found>) {
        found.extend(matched.iter().map(|place| Found { place: *place, count: None }));
        for place in matched {
            for (correlation, number) in &self.counted_by[*place] {
                let (own, correlation) = &mut self.correlations[*correlation];
                if let Some(count) = correlation.count(event, *number, second) {
                    found.push(Found { place: *own, count: Some(count) });
                }
            }
        }
        if let Some(counted) = found.get_mut(matched.len()..) {
            counted.sort_by_key(|found| found.place);
        }
    }

    /// The card of a rule that matched.
    pub(crate) fn card(&self, place: usize) -> &Rc<RuleCard> {
        &self.cards[place]
    }

    /// Over how many seconds a correlation counts; 0 for a rule that counts nothing.
    pub(crate) fn span_s(&self, place: usize) -> u64 {
        let own = self.correlations.iter().find(|(own, _)| *own == place);
        own.map_or(0, |(_, correlation)| correlation.span_s().unsigned_abs())
    }

    /// The rules whose matches a correlation counts.
    pub(crate) fn counted(&self, card: &RuleCard) -> impl Iterator<Item = usize> {
        card.counts.iter().filter_map(|id| self.places.get(id).copied())
    }
}

/// Places of the rules that match an event, in order.
fn asked(engine: &Engine, places: &BTreeMap<String, usize>, event: &impl Event) -> Rc<[usize]> {
    let ids = engine.evaluate(event).into_iter().filter_map(|found| found.header.rule_id);
    let mut matched: Vec<usize> = ids.filter_map(|id| places.get(&id).copied()).collect();
    matched.sort_unstable();
    matched.into()
}

/// An error of rules that stand in several files.
fn rules_error(problem: String, fix: &str) -> FileError {
    FileError { file: "rules".to_owned(), line: 0, problem, fix: fix.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = include_str!("../rules/modbus-new-writer.yml");

    fn load(text: &str) -> Result<RuleSet, FileError> {
        RuleSet::load([("mine.yml".to_owned(), text.to_owned())])
    }

    #[track_caller]
    fn check_refused(from: &str, to: &str, problem: &str) {
        assert!(RULE.contains(from), "{from:?} is gone from the rule");
        let error = load(&RULE.replacen(from, to, 1)).unwrap_err();
        assert!(error.problem.contains(problem), "{error}");
        assert!(error.file == "mine.yml" && error.line > 0 && !error.fix.is_empty(), "{error}");
    }

    #[test]
    fn the_embedded_rules_load_and_say_what_they_miss() {
        let rules = RuleSet::embedded().unwrap();
        let cards = rules.cards();
        assert!(cards.len() >= 16, "{}", cards.len());
        for card in cards {
            assert!(!card.misses.is_empty() && !card.techniques.is_empty(), "{}", card.name);
            assert!(card.file.trim_end_matches(".yml") == card.name, "{}", card.file);
        }
    }

    #[test]
    fn every_embedded_rule_fires_and_is_silent_where_it_says_so() {
        let mut complaints = Vec::new();
        for (file, text) in EMBEDDED {
            complaints.extend(crate::examples::check_examples(file, text).unwrap().0);
        }
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    #[test]
    fn a_rule_that_could_never_match_does_not_load() {
        check_refused("level: high", "levle: high", "\"levle\"");
        check_refused("detection:", "detecton:", "etection");
        check_refused("baseline.new_writer", "baseline.new_writr", "no field \"baseline.new_writr\"");
        check_refused("service: modbus", "service: modbsu", "\"modbsu\"");
        check_refused("product: fieldrange", "product: zeek", "\"zeek\"");
        check_refused("misses:", "mises:", "custom.misses");
        check_refused("condition: write", "condition: wirte", "wirte");
    }

    #[test]
    fn broken_yaml_is_named_with_its_line() {
        let error = load("title: x\nlogsource: {product: fieldrange\n").unwrap_err();
        assert!(error.file == "mine.yml" && error.line > 0, "{error}");
    }
}
