//! Drawing a plan: variables, the cause, and from them the time and the values of every event.

use std::collections::BTreeMap;
use std::time::Duration;

use record::{EntityId, KeyedStream, Verdict, VirtualTime};
use serde_spanned::Spanned;
use site::file::Source;
use site::{FileError, Site};

use crate::deed::Deed;
use crate::difficulty::{Difficulty, LEVEL};
use crate::plan::{
    Cause, EventKind, Inject, PLACE_WIDTH_NS, Plan, PlannedEvent, Preset, between_scans, historian_of,
    station_of,
};
use crate::scenario::{EventFile, InjectFile, Scenario};
use crate::span::{Term, parse_span};
use crate::texts::fill;
use crate::variable::{Drawn, Values};

impl Scenario {
    /// Draws everything that is left to chance. `settings` are variables set by name, besides `cause` for what is
    /// behind the run and `level` for how hard it is played; `blind` lets the seed decide the cause.
    ///
    /// Errors name the setting, or the place in the scenario file where a value cannot be worked out.
    pub fn plan(
        &self,
        seed: u64,
        settings: &BTreeMap<String, String>,
        blind: bool,
    ) -> Result<Plan, FileError> {
        let values = self.values(seed, settings)?;
        let cause = self.cause(seed, settings, blind)?;
        let level = match settings.get(LEVEL).map(|word| word.parse()) {
            None => Difficulty::default(),
            Some(Ok(level)) => level,
            Some(Err(wrong)) => return Err(self.wrong_setting(wrong, "give one of easy, medium, hard")),
        };
        let draft = Draft { scenario: self, seed, values: &values, level };
        let end = VirtualTime::ZERO + parse_span(self.file.duration.get_ref()).unwrap_or_default();
        let presets = self
            .file
            .presets
            .iter()
            .map(|preset| {
                let value = draft.value(preset.tag.get_ref(), &preset.value, &preset.words)?;
                Ok(Preset { tag: preset.tag.get_ref().clone(), value })
            })
            .collect::<Result<Vec<_>, FileError>>()?;
        let mut plan = Plan {
            scenario: self.id().to_owned(),
            version: self.file.version,
            plant: self.file.plant.clone(),
            site: self.file.site.get_ref().clone(),
            seed,
            start: self.file.start,
            end,
            learn_until: VirtualTime::ZERO + parse_span(self.file.learn.get_ref()).unwrap_or_default(),
            presets,
            keys_in_program: self.file.keys_in_program.iter().map(|name| name.get_ref().clone()).collect(),
            hosts: self.file.hosts.clone(),
            actors: self.file.actors.clone(),
            events: Vec::new(),
            injects: Vec::new(),
            values: values.clone(),
            cause,
            level,
        };
        for (kind, event) in std::iter::empty()
            .chain(self.file.steps.iter().map(|e| (EventKind::Step, e)))
            .chain(self.file.benign.iter().map(|e| (EventKind::Benign, e)))
            .chain(self.file.ordinary.iter().map(|e| (EventKind::Ordinary, e)))
        {
            draft.add(&mut plan, kind, event)?;
        }
        plan.events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        for inject in &self.file.injects {
            draft.add_inject(&mut plan, inject)?;
        }
        plan.injects.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(plan)
    }

    fn wrong_setting(&self, problem: impl ToString, fix: &str) -> FileError {
        let (file, problem) = (self.file_name.clone(), problem.to_string());
        FileError { file, line: 0, problem, fix: fix.to_owned() }
    }

    fn values(&self, seed: u64, settings: &BTreeMap<String, String>) -> Result<Values, FileError> {
        let wrong =
            |problem: String, fix: String| FileError { file: self.file_name.clone(), line: 0, problem, fix };
        let names = || self.file.variables.iter().map(|v| v.name.get_ref().as_str());
        if let Some(stray) =
            settings.keys().find(|name| *name != "cause" && *name != LEVEL && !names().any(|n| n == *name))
        {
            return Err(wrong(
                format!("scenario {} has no variable {stray:?}", self.id()),
                format!("set one of: {}", names().chain(["cause", LEVEL]).collect::<Vec<_>>().join(", ")),
            ));
        }
        self.file
            .variables
            .iter()
            .map(|variable| {
                let name = variable.name.get_ref();
                let value = match settings.get(name) {
                    Some(text) => variable.read(text).map_err(|(problem, fix)| wrong(problem, fix))?,
                    None => variable.drawn(seed, self.id()),
                };
                Ok((name.clone(), value))
            })
            .collect()
    }

    fn cause(&self, seed: u64, settings: &BTreeMap<String, String>, blind: bool) -> Result<Cause, FileError> {
        let causes =
            self.file.blind.as_ref().map(|blind| blind.causes.get_ref().as_slice()).unwrap_or_default();
        if let Some(wanted) = settings.get("cause") {
            return if causes.contains(wanted) {
                Ok(Cause(wanted.clone()))
            } else {
                Err(FileError {
                    file: self.file_name.clone(),
                    line: 0,
                    problem: format!("cause cannot be {wanted:?}"),
                    fix: match causes {
                        [] => format!("scenario {} has no causes to choose from: leave it out", self.id()),
                        _ => format!("give one of {}", causes.join(", ")),
                    },
                })
            };
        }
        if blind && !causes.is_empty() {
            let index = KeyedStream::new(seed, self.id(), "cause").below(0, causes.len() as u64) as usize;
            return Ok(Cause(causes.get(index).cloned().unwrap_or_default()));
        }
        Ok(Cause(if self.has_attack() { "attack" } else { "none" }.to_owned()))
    }
}

/// What is needed to work out the events of a plan.
struct Draft<'a> {
    scenario: &'a Scenario,
    seed: u64,
    values: &'a Values,
    level: Difficulty,
}

impl Draft<'_> {
    fn add(&self, plan: &mut Plan, kind: EventKind, event: &EventFile) -> Result<(), FileError> {
        let wanted = match kind {
            EventKind::Step => Some("attack"),
            _ => event.cause.as_ref().map(|cause| cause.get_ref().as_str()),
        };
        let fits = wanted.is_none_or(|cause| plan.cause.as_str() == cause)
            && event.only.iter().all(|(name, word)| self.has(name, word));
        if !fits {
            return Ok(());
        }
        let first = match (&event.at, &event.after, &event.delay) {
            (Some(at), ..) => VirtualTime::ZERO + self.span(at)?,
            (None, Some(after), Some(delay)) => match plan.event(after.get_ref()) {
                Some(before) => before.at + self.span(delay)?,
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let Some(every) = &event.every else {
            return self.add_one(plan, kind, event, event.id.get_ref().clone(), first);
        };
        let every = self.span(every)?.max(Duration::from_secs(1));
        let mut drift = KeyedStream::new(self.seed, event.id.get_ref(), "again");
        for n in 0_u32.. {
            let at = first + every * n + every.mul_f64(0.5 * drift.uniform(u64::from(n)));
            if at >= plan.end {
                break;
            }
            self.add_one(plan, kind, event, format!("{}#{n}", event.id.get_ref()), at)?;
        }
        Ok(())
    }

    /// Whether a variable, or the level, has the word that an event asks for.
    fn has(&self, name: &str, word: &str) -> bool {
        match name {
            LEVEL => self.level.as_str() == word,
            _ => self.values.get(name).is_some_and(|value| value.to_string() == word),
        }
    }

    /// An inject whose event is not in the plan is not said.
    fn add_inject(&self, plan: &mut Plan, inject: &InjectFile) -> Result<(), FileError> {
        let needs = inject.needs.as_ref().or(inject.after.as_ref()).map(|event| event.get_ref().clone());
        if needs.as_ref().is_some_and(|event| plan.event(event).is_none()) {
            return Ok(());
        }
        let at = match (&inject.at, &inject.after, &inject.delay) {
            (Some(at), ..) => VirtualTime::ZERO + self.span(at)?,
            (None, Some(after), Some(delay)) => match plan.event(after.get_ref()) {
                Some(event) => event.at + self.span(delay)?,
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        let id = inject.id.get_ref().clone();
        if at >= plan.end {
            return Err(self.error(
                &inject.id,
                format!("{id} would be said at {at}, after the end of the run"),
                "choose an earlier time or a longer duration",
            ));
        }
        let text =
            self.scenario.texts.inject.get(&id).map(|text| fill(text, self.values)).unwrap_or_default();
        plan.injects.push(Inject {
            id,
            at,
            to: inject.to.clone(),
            channel: inject.channel.clone(),
            needs,
            text,
        });
        Ok(())
    }

    fn add_one(
        &self,
        plan: &mut Plan,
        kind: EventKind,
        event: &EventFile,
        id: String,
        at: VirtualTime,
    ) -> Result<(), FileError> {
        let at = self.place(&id, at);
        if at >= plan.end {
            let place = event.at.as_ref().or(event.delay.as_ref()).or(event.every.as_ref());
            return match (kind, place) {
                (EventKind::Ordinary, _) | (_, None) => Ok(()),
                (_, Some(place)) => Err(self.error(
                    place,
                    format!("{id} would begin at {at}, after the end of the run"),
                    "choose an earlier time or a longer duration",
                )),
            };
        }
        let site = &self.scenario.site;
        let none = BTreeMap::new();
        let deed =
            event.deed.resolve(&mut |tag, term| self.value(tag, term, &none), &mut |term| self.span(term))?;
        let source = deed.source(station_of(&plan.actors));
        let target = deed
            .target(site, historian_of(&plan.actors))
            .unwrap_or_else(|| EntityId::host(station_of(&plan.actors)));
        let room = if source.is_some() { 2 } else { 3 };
        let points = match &event.points {
            Some(points) => points.clone(),
            None => deed.points(room),
        };
        let told = self.scenario.texts.event.get(event.id.get_ref());
        let summary = told.map(|text| fill(&text.summary, self.values)).unwrap_or_default();
        let ticket = told.and_then(|text| text.ticket.as_ref()).or(event.ticket.as_ref());
        // A write through a remote session needs the session.
        let needs = match (&event.needs, &deed) {
            (Some(needs), _) => Some(needs.get_ref().clone()),
            (None, Deed::RemoteWrite { session, .. }) => Some(session.get_ref().clone()),
            _ => None,
        };
        plan.events.push(PlannedEvent {
            campaign: event.campaign.clone().unwrap_or_else(|| id.clone()),
            id,
            kind,
            verdict: match kind {
                EventKind::Step => Verdict::Attack,
                _ => event.verdict.unwrap_or(Verdict::Authorised),
            },
            at,
            needs,
            deed,
            techniques: event.techniques.iter().map(|t| t.get_ref().clone()).collect(),
            severity: event.severity.as_ref().map_or(0, |severity| *severity.get_ref()),
            limit: event.limit.clone(),
            ticket: ticket.map(|ticket| fill(ticket, self.values)),
            summary,
            source,
            target,
            points,
        });
        Ok(())
    }

    /// Moves a time to its place between two scans.
    fn place(&self, id: &str, at: VirtualTime) -> VirtualTime {
        let offset = KeyedStream::new(self.seed, id, "place between scans").below(0, PLACE_WIDTH_NS);
        between_scans(at, offset)
    }

    fn error<T>(&self, place: &Spanned<T>, problem: String, fix: &str) -> FileError {
        Source { file: &self.scenario.file_name, text: &self.scenario.text }.error(place, problem, fix)
    }

    fn span(&self, term: &Spanned<Term>) -> Result<Duration, FileError> {
        let wrong = |got: &str| {
            self.error(
                term,
                format!("{got:?} is no length of time"),
                "write it as in 3min20s, or =NAME of a duration",
            )
        };
        match term.get_ref() {
            Term::Text(text) => match term.get_ref().variable() {
                Some(name) => match self.values.get(name) {
                    Some(Drawn::Duration(span)) => Ok(*span),
                    _ => Err(wrong(text)),
                },
                None => parse_span(text).map_err(|_| wrong(text)),
            },
            Term::Number(number) => Err(wrong(&number.to_string())),
        }
    }

    fn value(
        &self,
        tag: &str,
        term: &Spanned<Term>,
        words: &BTreeMap<String, f64>,
    ) -> Result<f64, FileError> {
        let text = match term.get_ref() {
            Term::Number(number) => return Ok(*number),
            Term::Text(text) => text,
        };
        let word = match term.get_ref().variable() {
            Some(name) => match self.values.get(name) {
                Some(Drawn::Integer(number)) => return Ok(*number as f64),
                Some(Drawn::Duration(span)) => return Ok(span.as_secs_f64()),
                Some(Drawn::Word(word)) => word,
                None => text,
            },
            None => text,
        };
        words
            .get(word)
            .copied()
            .or_else(|| state_of(&self.scenario.site, tag, word))
            .or_else(|| word.parse().ok())
            .ok_or_else(|| {
                self.error(
                    term,
                    format!("{word:?} is no value of {tag}"),
                    "write a number, a state of the tag, or say under words what it means",
                )
            })
    }
}

fn state_of(site: &Site, tag: &str, word: &str) -> Option<f64> {
    site.tag(tag)?.states.iter().position(|state| state == word).map(|index| index as f64)
}
