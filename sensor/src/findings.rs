//! From matches to findings: who it is about, how often it is said, and in which words.
//!
//! The same rule about the same entities is said at most once in ten minutes, and ever more rarely while it goes on;
//! what is swallowed is counted and told with the next one. After ten quiet minutes it is a new episode and is said at
//! once. Findings of one story are grouped by [`crate::incidents`]. Correlations show the frames of what they
//! counted within their time, the last [`FRAMES_MAX`] of them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::IpAddr;

use indexmap::IndexMap;
use record::{EntityId, Finding, Incident, Level, StartTime};

use crate::event::{Facts, Record};
use crate::incidents::{Incidents, Seen};
use crate::known::HostView;
use crate::log::{Log, LogWriter, finding_time};
use crate::output::About;
use crate::row::{Field, address_text, prefix};
use crate::rules::{Found, RuleSet};
use crate::sentence::sentence;
use crate::sink::LogSink;

const SECOND: u64 = 1_000_000_000;
/// A finding is not repeated within this time, and within twice as long each time that it goes on, up to the second.
const QUIET: u64 = 600 * 1_000_000_000;
const QUIET_MAX: u64 = 4 * 3600 * 1_000_000_000;
/// Frames shown by one finding.
const FRAMES_MAX: usize = 32;
/// Pause between two looks for what can be forgotten.
const CLEARING: u64 = 1_000_000_000;
/// Findings remembered for suppression, and sources remembered for correlations.
const REMEMBERED_MAX: usize = 4096;

/// What a rule says something about: what is the same is not said twice in a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// Source and target of a record, from which its entities follow.
    Hosts(IpAddr, Option<IpAddr>),
    Entities(Vec<EntityId>),
    /// Whatever else there is.
    All,
}

impl Subject {
    fn of(record: &Record<'_>, by_target: bool) -> Self {
        if names_points(record) && by_target {
            return Self::Entities(entities(record, by_target));
        }
        let target = record.target.as_ref().filter(|_| by_target);
        Self::Hosts(record.source.address, target.map(|target| target.address))
    }
}

#[derive(Debug)]
struct Said {
    at: u64,
    /// When it last happened, said or not.
    last: u64,
    /// Not said again within this time.
    quiet: u64,
    swallowed: u64,
    /// The incident that it belonged to.
    incident: Option<u32>,
}

/// Turns what the rules say into findings.
#[derive(Debug)]
pub(crate) struct Findings {
    rules: RuleSet,
    origin: Option<StartTime>,
    /// By rule and what it was said about.
    said: IndexMap<(usize, Subject), Said, foldhash::fast::RandomState>,
    /// Times and frames of what correlations count: by the counted rule and the source.
    counted: IndexMap<(usize, IpAddr), VecDeque<(u64, u64)>, foldhash::fast::RandomState>,
    /// What the rules found in the record at hand.
    found: Vec<Found>,
    /// When room is looked for again.
    next_clearing: u64,
    pub(crate) by_level: [u64; 5],
    pub(crate) swallowed: u64,
    incidents: Incidents,
    /// Incidents written, by the level of each.
    pub(crate) incidents_by_level: [u64; 5],
}

impl Findings {
    pub(crate) fn new(rules: RuleSet, origin: Option<StartTime>) -> Self {
        Self {
            rules,
            origin,
            said: IndexMap::default(),
            counted: IndexMap::default(),
            found: Vec::new(),
            next_clearing: 0,
            by_level: [0; 5],
            swallowed: 0,
            incidents: Incidents::new(origin),
            incidents_by_level: [0; 5],
        }
    }

    /// Writes the incidents that are over by now.
    pub(crate) fn tick<S: LogSink>(&mut self, now: u64, log: &mut LogWriter<S>) {
        let over = self.incidents.over(now);
        self.tell(now, over, log);
    }

    /// Writes the incidents that are left: the traffic has ended.
    pub(crate) fn finish<S: LogSink>(&mut self, now: u64, log: &mut LogWriter<S>) {
        let all = self.incidents.all();
        self.tell(now, all, log);
    }

    fn tell<S: LogSink>(&mut self, now: u64, incidents: Vec<Incident>, log: &mut LogWriter<S>) {
        let about = About { at: now, conn: None, source: None, target: None, service: "incident" };
        for incident in incidents {
            self.incidents_by_level[level_index(incident.level)] += 1;
            // An incident always serialises.
            if let Ok(line) = serde_json::to_string(&incident) {
                log.json_line(Log::Incidents, &line, &about);
            }
        }
    }

    /// Shows a record to the rules and writes what they find.
    pub(crate) fn judge<S: LogSink>(&mut self, record: &Record<'_>, log: &mut LogWriter<S>) {
        let mut found = std::mem::take(&mut self.found);
        self.rules.evaluate(record, &mut found);
        for one in &found {
            if self.rules.card(one.place).base {
                self.note_frame(one.place, record);
            } else {
                self.say(*one, record, log);
            }
        }
        self.found = found;
    }

    /// Keeps the frame of a match that a correlation counts.
    fn note_frame(&mut self, place: usize, record: &Record<'_>) {
        let key = (place, record.source.address);
        if self.counted.len() >= REMEMBERED_MAX && !self.counted.contains_key(&key) {
            self.counted.clear();
        }
        let frames = self.counted.entry(key).or_default();
        if frames.len() == FRAMES_MAX {
            frames.pop_front();
        }
        frames.push_back((record.at, record.frame));
    }

    fn say<S: LogSink>(&mut self, found: Found, record: &Record<'_>, log: &mut LogWriter<S>) {
        let card = self.rules.card(found.place).clone();
        let mut key = (found.place, Subject::of(record, card.by_target));
        let mut said = self.said.get_index_of(&key);
        if said.is_none() && self.said.len() >= REMEMBERED_MAX {
            // A flood of new names: the rule is then said about all of them together.
            key.1 = Subject::All;
            said = self.said.get_index_of(&key);
        }
        let mut said = said.and_then(|at| self.said.get_index_mut(at)).map(|(_, said)| said);
        let target = if card.by_target { record.target.as_ref().map(|target| target.address) } else { None };
        let seen = Seen {
            at: record.at,
            card: &card,
            hosts: [Some(record.source.address), target],
            frame: record.frame,
            names_points: names_points(record),
        };
        let before = said.as_ref().and_then(|said| said.incident).filter(|_| key.1 != Subject::All);
        let incident = match before {
            Some(incident) if self.incidents.again(incident, &seen) => Some(incident),
            _ => self.incidents.note(&seen, || entities(record, card.by_target), || sentence(record)),
        };
        let (mut since_last, mut quiet) = (0, QUIET);
        if let Some(said) = &mut said {
            let pause = record.at.saturating_sub(said.last);
            said.last = record.at;
            said.incident = incident;
            if pause < QUIET && record.at.saturating_sub(said.at) < said.quiet {
                said.swallowed += 1;
                self.swallowed += 1;
                return;
            }
            since_last = said.swallowed;
            if since_last > 0 && pause < QUIET {
                quiet = (said.quiet * 2).min(QUIET_MAX);
            }
        }
        // Not for each new one: going through all of them is what a flood is after.
        if self.said.len() >= REMEMBERED_MAX && record.at >= self.next_clearing {
            self.next_clearing = record.at + CLEARING;
            self.said.retain(|_, said| record.at.saturating_sub(said.last) < QUIET);
        }
        if self.said.len() < REMEMBERED_MAX || key.1 == Subject::All {
            let said = Said { at: record.at, last: record.at, quiet, swallowed: 0, incident };
            self.said.insert(key, said);
        }
        let mut message = sentence(record);
        if let Some(count) = found.count {
            let within = match self.rules.span_s(found.place) {
                60 => "a minute".to_owned(),
                span => format!("{span} s"),
            };
            let _ = write!(message, "; {count:.0} of this kind within {within}");
        }
        if since_last > 0 {
            let _ = write!(message, "; {since_last} more since this was last said");
        }
        let counted = self.rules.counted(&card);
        // As a correlation counts: in whole seconds.
        let since = (record.at / SECOND).saturating_sub(self.rules.span_s(found.place)) * SECOND;
        let mut frames: Vec<u64> = counted
            .filter_map(|place| self.counted.get(&(place, record.source.address)))
            .flatten()
            .filter(|(at, _)| *at >= since)
            .map(|(_, frame)| *frame)
            .collect();
        frames.extend((record.frame > 0).then_some(record.frame));
        frames.sort_unstable();
        frames.dedup();
        let finding = Finding {
            t: finding_time(self.origin, record.at),
            rule: card.name.clone(),
            title: card.title.clone(),
            level: card.level,
            techniques: card.techniques.clone(),
            entities: entities(record, card.by_target),
            uid: record.conn.map(|conn| conn.uid.as_str().to_owned()),
            frames,
            message,
            incident,
        };
        self.by_level[level_index(card.level)] += 1;
        notice(record, &finding, found.count, quiet, log);
        // A finding always serialises.
        if let Ok(line) = serde_json::to_string(&finding) {
            log.json_line(Log::Findings, &line, &About::record(record));
        }
        self.tick(record.at, log);
    }
}

/// A row of `notice.log`.
fn notice<S: LogSink>(
    record: &Record<'_>,
    finding: &Finding,
    count: Option<f64>,
    quiet: u64,
    log: &mut LogWriter<S>,
) {
    if !log.wants(Log::Notice) {
        return;
    }
    // Zeek's names are identifiers: `Fieldrange::Modbus_New_Writer`.
    let mut note = "Fieldrange::".to_owned();
    for (index, word) in finding.rule.split('-').enumerate() {
        note.push_str(if index > 0 { "_" } else { "" });
        let mut letters = word.chars();
        note.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        note.push_str(letters.as_str());
    }
    let sub = format!("{}: {} {}", finding.level, finding.title, finding.techniques.join(" "));
    let [_, uid, orig_h, orig_p, resp_h, resp_p] = match &record.conn {
        Some(id) => prefix(record.at, id),
        None => [Field::Unset; 6],
    };
    log.row(
        Log::Notice,
        &[
            Field::Time(record.at),
            uid,
            orig_h,
            orig_p,
            resp_h,
            resp_p,
            Field::Unset,
            Field::Unset,
            Field::Unset,
            Field::Unset,
            Field::Text(&note),
            Field::Text(&finding.message),
            Field::Text(sub.trim_end()),
            Field::Address(record.source.address),
            record.target.map_or(Field::Unset, |target| Field::Address(target.address)),
            resp_p,
            count.map_or(Field::Unset, |count| Field::Count(count as u64)),
            Field::Text("fieldrange"),
            Field::Set(&["Notice::ACTION_LOG"]),
            Field::Set(&[]),
            Field::Interval(quiet),
        ],
    );
}

/// Whether a record's entities are more than its hosts.
fn names_points(record: &Record<'_>) -> bool {
    match &record.facts {
        Facts::Modbus(modbus) => modbus.write && !modbus.points.is_empty(),
        facts => matches!(facts, Facts::Process { .. } | Facts::Grid { .. }),
    }
}

const fn level_index(level: Level) -> usize {
    match level {
        Level::Informational => 0,
        Level::Low => 1,
        Level::Medium => 2,
        Level::High => 3,
        Level::Critical => 4,
    }
}

/// Source, target (as a device where it is one) and points; of a correlation over many targets, the source alone.
fn entities(record: &Record<'_>, by_target: bool) -> Vec<EntityId> {
    let host = |view: &HostView<'_>| {
        EntityId::host(view.name.map_or_else(|| address_text(view.address), str::to_owned))
    };
    let mut entities = vec![host(&record.source)];
    if !by_target {
        return entities;
    }
    if let Some(device) = record.device {
        entities.push(EntityId::device(device));
    } else if let Some(target) = &record.target {
        entities.push(host(target));
    }
    match &record.facts {
        Facts::Modbus(modbus) if modbus.write => {
            entities.extend(modbus.points.iter().map(|point| EntityId::point(point.tag)));
        }
        Facts::Grid { breaker, .. } => entities.push(EntityId::point(*breaker)),
        Facts::Process { names, .. } => {
            entities.clear();
            if let Some(device) = record.device {
                entities.push(EntityId::device(device));
            }
            entities.extend(names.iter().map(|tag| EntityId::point(*tag)));
        }
        _ => {}
    }
    entities
}
