//! Rules: Sigma, one file each, with nothing in them that is silently not used.
//!
//! # Theory of operation
//! The rules that come with the sensor are embedded; `--rules DIR` adds every `.yml` file of a directory. A file holds
//! one rule, or the rules that a correlation counts and the correlation. `rsigma` evaluates them. Sigma is forgiving: a
//! misspelt key is an attribute nobody reads, a misspelt field never matches, a rule for another log source never sees
//! a record. Here each of these is an error with file, line and fix, because a rule that cannot fire looks, from
//! outside, like a plant without attacks.
//!
//! A record is shown to the rules of its service alone; what they match goes on to the correlations. That gives the
//! same as one engine with a log source extractor, at half the cost: most records match nothing.
//!
//! Correlation windows are whole seconds of the frames' time; the wall clock is never asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use rsigma_eval::fields::RuleFieldSet;
use rsigma_eval::{CorrelationConfig, CorrelationEngine, Engine, Event, compile_rule};
use rsigma_parser::{
    CorrelationCondition, CorrelationType, Detection, SigmaCollection, SigmaRule, parse_sigma_yaml,
};
use site::FileError;

use crate::event::{PRODUCT, Record, fields_of, services};
use crate::examples::Example;
use crate::memo::{Key, LEFT_OUT, Memo, Said};

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
    ("dnp3-out-of-sequence.yml", include_str!("../rules/dnp3-out-of-sequence.yml")),
    ("dnp3-oversized.yml", include_str!("../rules/dnp3-oversized.yml")),
    ("dnp3-points-scan.yml", include_str!("../rules/dnp3-points-scan.yml")),
    ("dnp3-port-foreign.yml", include_str!("../rules/dnp3-port-foreign.yml")),
    ("dnp3-report-to-stranger.yml", include_str!("../rules/dnp3-report-to-stranger.yml")),
    ("dnp3-reserved-address.yml", include_str!("../rules/dnp3-reserved-address.yml")),
    ("dnp3-restart.yml", include_str!("../rules/dnp3-restart.yml")),
    ("dnp3-second-answer.yml", include_str!("../rules/dnp3-second-answer.yml")),
    ("dnp3-sweep-of-outputs.yml", include_str!("../rules/dnp3-sweep-of-outputs.yml")),
    ("dnp3-time-write.yml", include_str!("../rules/dnp3-time-write.yml")),
    ("dnp3-unknown-function.yml", include_str!("../rules/dnp3-unknown-function.yml")),
    ("dnp3-unmatched-answers.yml", include_str!("../rules/dnp3-unmatched-answers.yml")),
    ("dnp3-unsolicited-silenced.yml", include_str!("../rules/dnp3-unsolicited-silenced.yml")),
    ("dnp3-unsolicited-storm.yml", include_str!("../rules/dnp3-unsolicited-storm.yml")),
    ("fan-out.yml", include_str!("../rules/fan-out.yml")),
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
    ("remote-session-from-outside.yml", include_str!("../rules/remote-session-from-outside.yml")),
    ("values-far-outside.yml", include_str!("../rules/values-far-outside.yml")),
    ("values-frozen-together.yml", include_str!("../rules/values-frozen-together.yml")),
    ("values-frozen.yml", include_str!("../rules/values-frozen.yml")),
    ("values-jump.yml", include_str!("../rules/values-jump.yml")),
    ("values-outside.yml", include_str!("../rules/values-outside.yml")),
    ("values-replay.yml", include_str!("../rules/values-replay.yml")),
];

/// Matches kept per group of a correlation, at least and, unless a threshold is higher, at most.
const ENTRIES_MIN: usize = 32;
const ENTRIES_MAX: usize = 4096;

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
    /// Rules by the service whose records they look at: a record is shown to those alone.
    by_service: BTreeMap<&'static str, Engine>,
    /// What counts matches over time. Sees a record only where a rule matched.
    correlations: CorrelationEngine,
    /// By rule id.
    cards: BTreeMap<String, Rc<RuleCard>>,
    /// What was said to records like the one at hand; absent where a rule asks for more than that tells.
    memo: Option<Memo>,
    /// Ids of rules of whose matches a correlation counts the different values.
    values: BTreeSet<String>,
    /// Ids of rules whose matches a correlation counts one by one, or in another way.
    events: BTreeSet<String>,
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
        let mut by_service: BTreeMap<&'static str, Engine> = BTreeMap::new();
        let mut whole = SigmaCollection::new();
        let mut cards: BTreeMap<String, Rc<RuleCard>> = BTreeMap::new();
        for (file, text) in files {
            let source = RuleFile { file: &file, text: &text };
            let collection = source.parse()?;
            for (id, card) in source.cards(&collection)? {
                if let Some(other) = cards.values().find(|other| other.name == card.name) {
                    return Err(source.error(
                        &card.name,
                        format!("the name {:?} is taken by {}", card.name, other.file),
                        "give each rule a name of its own",
                    ));
                }
                if let Some(other) = cards.insert(id.clone(), Rc::new(card)) {
                    let problem = format!("the id is taken by {:?} of {}", other.name, other.file);
                    return Err(source.error(&id, problem, "give each rule an id of its own"));
                }
            }
            whole.rules.extend(collection.rules);
            whole.correlations.extend(collection.correlations);
        }
        let unresolved = |error: rsigma_eval::EvalError| FileError {
            file: "rules".to_owned(),
            line: 0,
            problem: error.to_string(),
            fix: "a correlation names the rules it counts by name or id, and they stand in these files"
                .to_owned(),
        };
        for service in services() {
            let rules = whole.rules.iter().filter(|rule| rule.logsource.service.as_deref() == Some(service));
            let one = SigmaCollection { rules: rules.cloned().collect(), ..SigmaCollection::new() };
            if !one.rules.is_empty() {
                by_service.entry(service).or_default().add_collection(&one).map_err(unresolved)?;
            }
        }
        let config = CorrelationConfig {
            max_group_entries: Some(entries_max(&whole)),
            ..CorrelationConfig::default()
        };
        let mut correlations = CorrelationEngine::new(config);
        correlations.add_collection(&whole).map_err(unresolved)?;
        let memo = is_repeatable(&whole).then(|| Memo::new(shortest_span(&whole)));
        let counted = |by_value: bool| {
            let is_such = |kind| matches!(kind, CorrelationType::ValueCount) == by_value;
            let correlations = whole.correlations.iter().filter(|one| is_such(one.correlation_type));
            let names: BTreeSet<&String> = correlations.flat_map(|correlation| &correlation.rules).collect();
            let named = |name: &Option<String>| name.as_ref().is_some_and(|name| names.contains(name));
            let rules = whole.rules.iter().filter(|rule| named(&rule.name) || named(&rule.id));
            rules.filter_map(|rule| rule.id.clone()).collect()
        };
        let (values, events) = (counted(true), counted(false));
        Ok(Self { by_service, correlations, cards, memo, values, events })
    }

    /// What each rule says about itself, by name; rules that only feed a correlation are left out.
    pub fn cards(&self) -> Vec<&RuleCard> {
        let mut cards: Vec<&RuleCard> =
            self.cards.values().map(Rc::as_ref).filter(|card| !card.base).collect();
        cards.sort_by(|one, other| one.name.cmp(&other.name));
        cards
    }

    /// Every rule with its id, those included that only feed a correlation.
    pub(crate) fn all_cards(&self) -> impl Iterator<Item = (&str, &RuleCard)> {
        self.cards.iter().map(|(id, card)| (id.as_str(), card.as_ref()))
    }

    /// Ids of the rules that match an event of a service at a moment, in seconds.
    pub(crate) fn matches(&mut self, service: &str, event: &impl Event, seconds: i64) -> Vec<String> {
        let Some(engine) = self.by_service.get(service) else { return Vec::new() };
        let matches = engine.evaluate(event);
        let matches = self.correlations.process_with_detections(event, matches, seconds);
        matches.into_iter().filter_map(|found| found.header.rule_id).collect()
    }

    /// Shows a record to every rule; says which matched, detections before the correlations that count them.
    pub(crate) fn evaluate(&mut self, record: &Record<'_>) -> Rc<[Said]> {
        let key = self.memo.as_ref().and_then(|_| Key::of(record));
        if let (Some(memo), Some(key)) = (&self.memo, &key)
            && let Some(said) = memo.get(key, record.at)
        {
            return said;
        }
        let Some(engine) = self.by_service.get(record.service()) else { return Rc::new([]) };
        let matches = engine.evaluate(record);
        let mut said: Vec<Said> = Vec::new();
        let among = |ids: &BTreeSet<String>| {
            matches.iter().any(|found| found.header.rule_id.as_ref().is_none_or(|id| ids.contains(id)))
        };
        let (counts_values, counts_events) = (among(&self.values), among(&self.events));
        if !matches.is_empty() {
            let second = (record.at / 1_000_000_000) as i64;
            let found = self.correlations.process_with_detections(record, matches, second);
            said.extend(found.into_iter().filter_map(|found| {
                let count = found.as_correlation().map(|body| body.aggregated_value);
                Some((count.is_some(), found.header.rule_id?, count))
            }));
            // Detections first, so that a correlation finds the frame of the one that completed it; each by id.
            said.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        }
        let said: Rc<[Said]> = said.into();
        if let (Some(memo), Some(key), false) = (&mut self.memo, key, counts_events) {
            memo.keep(key, record.at, counts_values, said.clone());
        }
        said
    }

    /// The card of a rule that matched.
    pub(crate) fn card(&self, id: &str) -> Option<Rc<RuleCard>> {
        self.cards.get(id).cloned()
    }
}

struct RuleFile<'a> {
    file: &'a str,
    text: &'a str,
}

/// What the two kinds of rule have in common.
struct Head<'a> {
    id: Option<&'a String>,
    name: Option<&'a String>,
    title: &'a str,
    level: Option<rsigma_parser::Level>,
    tags: &'a [String],
    falsepositives: &'a [String],
    misses: Option<String>,
    odd_key: Option<&'a String>,
}

impl RuleFile<'_> {
    fn error(&self, near: &str, problem: impl Into<String>, fix: impl Into<String>) -> FileError {
        let place = self.text.find(near).unwrap_or(0);
        let line = self.text[..place].bytes().filter(|octet| *octet == b'\n').count() + 1;
        FileError { file: self.file.to_owned(), line, problem: problem.into(), fix: fix.into() }
    }

    fn parse(&self) -> Result<SigmaCollection, FileError> {
        let collection = parse_sigma_yaml(self.text)
            .map_err(|error| self.error("", error.to_string(), "mend the YAML"))?;
        if let Some(problem) = collection.errors.first() {
            // The parser names the line of YAML errors in its text, and the key of the others.
            let line = problem.split("line ").nth(1).and_then(|rest| {
                rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
            });
            let near = problem.split(['\'', '"', '`']).nth(1).unwrap_or("");
            let mut error = self.error(
                near,
                problem.clone(),
                "a rule has title, logsource and detection with a condition; a correlation has title and correlation: see the rules that come with the sensor",
            );
            if let Some(line) = line {
                error.line = line;
            }
            return Err(error);
        }
        if collection.rules.is_empty() && collection.correlations.is_empty() {
            return Err(self.error("", "no rule in this file", "write one, or take the file away"));
        }
        if let Some(filter) = collection.filters.first() {
            return Err(self.error(
                &filter.title,
                "filters are not used here",
                "put the condition into the rule",
            ));
        }
        Ok(collection)
    }

    fn cards(&self, collection: &SigmaCollection) -> Result<Vec<(String, RuleCard)>, FileError> {
        let mut cards = Vec::new();
        let counted = |rule: &SigmaRule| {
            collection.correlations.iter().any(|correlation| {
                !correlation.generate
                    && correlation
                        .rules
                        .iter()
                        .any(|name| rule.name.as_ref() == Some(name) || rule.id.as_ref() == Some(name))
            })
        };
        for rule in &collection.rules {
            self.check_source(rule)?;
            let base = counted(rule);
            let head = Head {
                id: rule.id.as_ref(),
                name: rule.name.as_ref(),
                title: &rule.title,
                level: rule.level,
                tags: &rule.tags,
                falsepositives: &rule.falsepositives,
                misses: misses(rule.custom_attributes.get("custom")),
                odd_key: odd_key(rule.custom_attributes.keys()),
            };
            let (id, card) = self.card(head, base)?;
            let examples = self.examples(rule.custom_attributes.get("custom"), rule)?;
            cards.push((id, RuleCard { base, by_target: true, examples, ..card }));
        }
        for correlation in &collection.correlations {
            let head = Head {
                id: correlation.id.as_ref(),
                name: correlation.name.as_ref(),
                title: &correlation.title,
                level: correlation.level,
                tags: &correlation.tags,
                falsepositives: &correlation.falsepositives,
                misses: misses(correlation.custom_attributes.get("custom")),
                odd_key: odd_key(correlation.custom_attributes.keys()),
            };
            let (id, card) = self.card(head, false)?;
            let counted = collection.rules.iter().filter(|rule| {
                correlation
                    .rules
                    .iter()
                    .any(|name| rule.name.as_ref() == Some(name) || rule.id.as_ref() == Some(name))
            });
            let counted: Vec<_> = counted.collect();
            let examples = match counted.first() {
                Some(rule) => self.examples(correlation.custom_attributes.get("custom"), rule)?,
                None => Vec::new(),
            };
            let counts = counted.iter().filter_map(|rule| rule.id.clone()).collect();
            let by_target = correlation.group_by.iter().any(|field| {
                field == "id.resp_h" || field.starts_with("target.") || field.starts_with("device.")
            });
            cards.push((id, RuleCard { counts, by_target, examples, ..card }));
        }
        Ok(cards)
    }

    fn card(&self, head: Head<'_>, base: bool) -> Result<(String, RuleCard), FileError> {
        let needs =
            |key: &str, fix: &str| self.error(head.title, format!("rule {:?} has no {key}", head.title), fix);
        if let Some(key) = head.odd_key {
            return Err(self.error(
                key,
                format!("key {key:?} is none that a rule has"),
                "spell it as in the rules that come with the sensor, or put it under custom",
            ));
        }
        let id = head.id.ok_or_else(|| needs("id", "add id: with a UUID of its own"))?;
        let name = head.name.ok_or_else(|| needs("name", "add name: in lower-case words with hyphens"))?;
        let level = match head.level.and_then(|level| level.as_str().parse().ok()) {
            Some(level) => level,
            None if base => record::Level::Informational,
            None => return Err(needs("level", "add level: informational, low, medium, high or critical")),
        };
        let misses = match head.misses {
            Some(misses) => misses,
            None if base => String::new(),
            None => {
                return Err(needs(
                    "custom.misses",
                    "say what the rule does not see: custom: {misses: \"...\"}",
                ));
            }
        };
        let techniques = head.tags.iter().filter_map(|tag| tag.strip_prefix("attack.t"));
        let card = RuleCard {
            name: name.clone(),
            title: head.title.to_owned(),
            file: self.file.to_owned(),
            level,
            techniques: techniques.map(|number| format!("T{number}")).collect(),
            falsepositives: head.falsepositives.to_vec(),
            misses,
            base,
            counts: Vec::new(),
            by_target: true,
            examples: Vec::new(),
        };
        Ok((id.clone(), card))
    }

    /// The examples of a rule; `source` is the rule whose records they are.
    fn examples(
        &self,
        custom: Option<&impl serde::Serialize>,
        source: &SigmaRule,
    ) -> Result<Vec<Example>, FileError> {
        let service = source.logsource.service.as_deref().unwrap_or("");
        let custom = custom.and_then(|custom| serde_json::to_value(custom).ok()).unwrap_or_default();
        let Some(service) = services().find(|name| *name == service) else { return Ok(Vec::new()) };
        let fix =
            "write fires: [{FIELD: VALUE, ..}] and silent: [..] beside misses, with fields of the record";
        let examples =
            Example::all(&custom, service).map_err(|problem| self.error("custom:", problem, fix))?;
        let known: Vec<_> = fields_of(service).into_iter().flatten().collect();
        for field in examples.iter().flat_map(Example::fields) {
            if !known.contains(&field) {
                let problem = format!("an example has the field {field:?}, records of {service} do not");
                return Err(self.error(field, problem, fix));
            }
        }
        Ok(examples)
    }

    /// A rule must speak of a log that there is, and of fields that it has.
    fn check_source(&self, rule: &SigmaRule) -> Result<(), FileError> {
        let product = rule.logsource.product.as_deref().unwrap_or("");
        if product != PRODUCT {
            return Err(self.error(
                "product:",
                format!("logsource.product is {product:?}; the sensor's records have {PRODUCT:?}, so the rule could never match"),
                format!("write logsource: {{product: {PRODUCT}, service: modbus}}"),
            ));
        }
        let service = rule.logsource.service.as_deref().unwrap_or("");
        let Some(fields) = fields_of(service) else {
            return Err(self.error(
                "service:",
                format!("logsource.service is {service:?}, which is no log of the sensor"),
                format!("use one of {}", services().collect::<Vec<_>>().join(", ")),
            ));
        };
        compile_rule(rule).map_err(|error| {
            let problem = error.to_string();
            let near = problem.rsplit(' ').next().unwrap_or("").to_owned();
            self.error(&near, problem, "a condition names the selections that stand beside it")
        })?;
        let fields: Vec<_> = fields.collect();
        let one = SigmaCollection { rules: vec![rule.clone()], ..SigmaCollection::new() };
        let used = RuleFieldSet::collect(&one, &[], false);
        if let Some(unknown) = used.names().find(|name| !fields.contains(name)) {
            return Err(self.error(
                unknown,
                format!("records of {service} have no field {unknown:?}, so the rule could never match"),
                format!("use one of {}", fields.join(", ")),
            ));
        }
        Ok(())
    }
}

/// Matches that a correlation keeps per group. Each match is compared with all of them, so they are few: as many as the
/// highest threshold takes, and a margin for the numbers in messages.
fn entries_max(rules: &SigmaCollection) -> usize {
    let thresholds = rules.correlations.iter().filter_map(|correlation| match &correlation.condition {
        CorrelationCondition::Threshold { predicates, .. } => {
            predicates.iter().map(|(_, value)| *value).max()
        }
        CorrelationCondition::Extended(_) => None,
    });
    let highest = usize::try_from(thresholds.max().unwrap_or(0)).unwrap_or(usize::MAX);
    highest.saturating_mul(2).clamp(ENTRIES_MIN, ENTRIES_MAX).max(highest)
}

/// The shortest time over which anything is counted, in seconds.
fn shortest_span(rules: &SigmaCollection) -> u64 {
    rules.correlations.iter().map(|correlation| correlation.timespan.seconds).min().unwrap_or(0)
}

/// Whether the rules can be asked once for all records with the same key: they ask for fields by name, and for none that
/// keys leave out.
fn is_repeatable(rules: &SigmaCollection) -> bool {
    fn is_plain(detection: &Detection) -> bool {
        match detection {
            Detection::AllOf(items) => items.iter().all(|item| item.field.name.is_some()),
            Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().all(is_plain),
            _ => false,
        }
    }
    let used = RuleFieldSet::collect(rules, &[], true);
    rules.rules.iter().all(|rule| rule.detection.named.values().all(is_plain))
        && !LEFT_OUT.iter().any(|field| used.contains(field))
}

fn odd_key<'a>(keys: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    keys.filter(|key| *key != "custom").min()
}

/// `custom.misses`, read through JSON so that the YAML crate stays the parser's own affair.
fn misses(custom: Option<&impl serde::Serialize>) -> Option<String> {
    let custom = serde_json::to_value(custom?).ok()?;
    custom.get("misses")?.as_str().map(str::to_owned)
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
