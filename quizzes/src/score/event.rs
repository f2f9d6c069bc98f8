//! What a run is scored on, prepared for matching: steps that the role could see, and calls under canonical names.

use record::{Call, EntityId, TruthStep, Verdict, VirtualTime};

use super::rules::{
    QUALITY_CONSEQUENCE, credit, f1, horizon, overlap_share, overlaps, technique_quality, timeliness,
};
use super::{Form, ScoreInput};

/// A step or labelled benign event that the role could see.
pub(super) struct Event<'a> {
    pub(super) truth: &'a TruthStep,
    pub(super) observable: VirtualTime,
    pub(super) horizon_s: f64,
    pub(super) weight: f64,
    /// Source, target and points under canonical names, without repetition.
    pub(super) entities: Vec<EntityId>,
    /// Target and points: one of them must be named.
    marks: Vec<EntityId>,
    /// When, where and what it is called.
    consequences: Vec<(VirtualTime, EntityId, &'a str)>,
}

/// A call under canonical names.
pub(super) struct Seen<'a> {
    pub(super) call: &'a Call,
    pub(super) entities: Vec<EntityId>,
}

/// Why a call may be matched to an event, and what that earns.
#[derive(Clone, Copy)]
pub(super) struct Match<'a> {
    pub(super) by: Through<'a>,
    /// Quality of the technique alone.
    pub(super) technique: f64,
    pub(super) f1: f64,
    pub(super) timeliness: f64,
    pub(super) credit: f64,
}

/// What the call is on.
#[derive(Clone, Copy)]
pub(super) enum Through<'a> {
    /// The step itself.
    Step,
    /// Something that the step brought about.
    Consequence(&'a str),
}

impl<'a> Event<'a> {
    /// Every event that the role could see, by first sight, then by name.
    pub(super) fn all(input: &ScoreInput<'a>) -> Vec<Self> {
        let mut events: Vec<Self> =
            input.truth.iter().filter_map(|truth| Self::seen_by_role(input, truth)).collect();
        events.sort_by(|a, b| (a.observable, &a.truth.step).cmp(&(b.observable, &b.truth.step)));
        events
    }

    fn seen_by_role(input: &ScoreInput<'a>, truth: &'a TruthStep) -> Option<Self> {
        let observable = truth.observable_by(input.role)?;
        Some(Self::new(input, truth, observable))
    }

    /// The event as if it could be seen from `observable` on.
    pub(super) fn new(input: &ScoreInput<'a>, truth: &'a TruthStep, observable: VirtualTime) -> Self {
        let canonical = |entity: &EntityId| input.names.canonical(entity);
        let limit = if truth.verdict == Verdict::Attack { truth.limit_time } else { None };
        Self {
            truth,
            observable,
            horizon_s: horizon(observable, limit),
            weight: f64::from(truth.severity),
            entities: distinct(truth.entities().iter().map(canonical)),
            marks: distinct(std::iter::once(&truth.target).chain(&truth.points).map(canonical)),
            consequences: truth
                .consequences
                .iter()
                .map(|c| (c.time, canonical(&c.point), c.name.as_str()))
                .collect(),
        }
    }

    pub(super) fn is_attack(&self) -> bool {
        self.truth.verdict == Verdict::Attack
    }

    /// Whether a call points at this event: right thing, right time, not before it could be seen. The verdict is left open.
    pub(super) fn is_meant_by(&self, seen: &Seen<'_>, form: Form) -> bool {
        (form == Form::Offline || seen.call.t >= self.observable)
            && overlaps(seen.call.interval, self.truth.start, self.truth.end)
            && seen.entities.iter().any(|entity| self.marks.contains(entity))
    }

    /// The consequence that a call points at. A consequence lasts: nothing in a record says when it is over.
    pub(super) fn consequence_meant_by(&self, seen: &Seen<'_>, form: Form) -> Option<&'a str> {
        let meant = self.consequences.iter().find(|(time, point, _)| {
            (form == Form::Offline || seen.call.t >= *time)
                && overlaps(seen.call.interval, *time, VirtualTime::MAX)
                && seen.entities.contains(point)
        });
        meant.map(|(_, _, name)| *name)
    }

    /// What is left of its worth for a call.
    pub(super) fn timeliness(&self, call: &Call, input: &ScoreInput<'_>) -> f64 {
        match input.form {
            Form::Offline => overlap_share(call.interval, self.truth.start, self.truth.end),
            Form::Live if call.t > input.duration => 0.0,
            Form::Live => timeliness(call.t.as_secs_f64() - self.observable.as_secs_f64(), self.horizon_s),
        }
    }

    /// How a call may be matched to this event, if it may: on the step itself, else on a consequence.
    pub(super) fn match_with(&self, seen: &Seen<'_>, input: &ScoreInput<'_>) -> Option<Match<'a>> {
        if seen.call.verdict != self.truth.verdict {
            return None;
        }
        let timeliness = self.timeliness(seen.call, input);
        let (by, technique, f1) = if self.is_meant_by(seen, input.form) {
            let technique = if self.is_attack() {
                technique_quality(seen.call.technique.as_deref(), &self.truth.techniques)
            } else {
                1.0
            };
            (Through::Step, technique, f1(&seen.entities, &self.entities))
        } else {
            let name = self.consequence_meant_by(seen, input.form)?;
            (Through::Consequence(name), QUALITY_CONSEQUENCE, 1.0)
        };
        let credit = credit(self.weight, technique * f1, timeliness, seen.call.confidence);
        Some(Match { by, technique, f1, timeliness, credit })
    }

    pub(super) fn shares_an_entity_with(&self, seen: &Seen<'_>) -> bool {
        seen.entities.iter().any(|entity| self.entities.contains(entity))
    }
}

impl<'a> Seen<'a> {
    /// Calls by ascending id, so that the order in which they are given does not matter.
    pub(super) fn all(input: &ScoreInput<'a>) -> Vec<Self> {
        let mut seen: Vec<Self> = input
            .calls
            .iter()
            .map(|call| Self {
                call,
                entities: distinct(call.entities.iter().map(|entity| input.names.canonical(entity))),
            })
            .collect();
        seen.sort_by_key(|seen| seen.call.id);
        seen
    }
}

fn distinct(entities: impl Iterator<Item = EntityId>) -> Vec<EntityId> {
    let mut found = Vec::new();
    for entity in entities {
        if !found.contains(&entity) {
            found.push(entity);
        }
    }
    found
}
