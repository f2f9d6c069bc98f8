//! A plan: a scenario with everything that is left to chance drawn from the seed.
//!
//! # Theory of operation
//! A plan holds absolute times, so nothing that anybody does during a run can shift a step: twins of a seed stay
//! comparable. Times of events are moved to a fixed place between two scans of the controllers (130 to 160 ms into
//! a 200 ms frame), far from every scan's edge, so that a microsecond of network jitter never decides in which scan
//! a write lands.

use std::collections::{BTreeMap, BTreeSet};

use record::{EntityId, Role, StartTime, Verdict, VirtualTime};

use crate::deed::Deed;
use crate::difficulty::Difficulty;
use crate::scenario::Actor;
use crate::variable::Values;

/// Where in a frame of this length an event is placed: longest scan period of the bundled sites.
const FRAME_NS: u64 = 200_000_000;
const PLACE_NS: u64 = 130_000_000;
pub(crate) const PLACE_WIDTH_NS: u64 = 30_000_000;

/// What is behind a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause(pub(crate) String);

impl Cause {
    /// `attack`, `fault`, `mistake`, or `none` where nothing is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether somebody hostile is.
    pub fn is_attack(&self) -> bool {
        self.0 == "attack"
    }
}

/// A value that a controller starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// Tag that a controller takes.
    pub tag: String,
    /// Value in the tag's unit.
    pub value: f64,
}

/// A fault of the plant, for the lab to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantFault {
    /// Event it belongs to.
    pub step: String,
    /// When it begins.
    pub at: VirtualTime,
    /// When it ends by itself; never where there is nothing.
    pub until: Option<VirtualTime>,
    /// Kind of fault in the plant file.
    pub kind: String,
    /// What breaks.
    pub tag: String,
    /// Particulars, as the plant file names them.
    pub params: BTreeMap<String, f64>,
}

/// Something that people are told from outside the plant's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inject {
    /// Unique among the plan's injects.
    pub id: String,
    /// When.
    pub at: VirtualTime,
    /// Roles that are told; everybody where there is none.
    pub to: Vec<Role>,
    /// How it reaches them: `telephone`, `mail`, `vpn`...
    pub channel: String,
    /// Event without which it is not said.
    pub needs: Option<String>,
    /// What is said.
    pub text: String,
}

/// How an event is to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A step of an attack.
    Step,
    /// A labelled event that is no attack.
    Benign,
    /// Work that nobody labels.
    Ordinary,
}

/// One event with its time, its deed and its label.
#[derive(Clone, Debug)]
pub struct PlannedEvent {
    /// Unique in the plan; repetitions of ordinary work end in `#N`.
    pub id: String,
    /// Story it belongs to.
    pub campaign: String,
    /// How it is to be judged.
    pub kind: EventKind,
    /// What it really is.
    pub verdict: Verdict,
    /// When it begins.
    pub at: VirtualTime,
    /// What is done.
    pub deed: Deed,
    /// Event without which it does not happen.
    pub needs: Option<String>,
    /// ATT&CK for ICS technique ids, most specific first.
    pub techniques: Vec<String>,
    /// Weight, 1 to 3; 0 for ordinary work.
    pub severity: u8,
    /// Limit of the plant file that it leads to.
    pub limit: Option<String>,
    /// Change ticket that covers it.
    pub ticket: Option<String>,
    /// One sentence for the reveal.
    pub summary: String,
    /// Who does it; nobody for a fault.
    pub source: Option<EntityId>,
    /// The asset it is done to.
    pub target: EntityId,
    /// Points and further assets.
    pub points: Vec<EntityId>,
}

impl PlannedEvent {
    /// Work that nobody planned and nobody labels.
    pub(crate) fn unlabelled(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            campaign: String::new(),
            kind: EventKind::Ordinary,
            verdict: Verdict::Authorised,
            at: VirtualTime::ZERO,
            deed: Deed::Operate { writes: Vec::new() },
            needs: None,
            techniques: Vec::new(),
            severity: 0,
            limit: None,
            ticket: None,
            summary: String::new(),
            source: None,
            target: EntityId::host(id),
            points: Vec::new(),
        }
    }
}

/// The next place between two scans at or after a time; `offset_ns` tells apart what would fall on one.
pub(crate) fn between_scans(at: VirtualTime, offset_ns: u64) -> VirtualTime {
    let place = PLACE_NS + offset_ns.min(PLACE_WIDTH_NS);
    let frame = at.as_nanos() / FRAME_NS * FRAME_NS;
    let moved = frame + place;
    VirtualTime::from_nanos(if moved < at.as_nanos() { moved + FRAME_NS } else { moved })
}

/// Which events of a plan take place: twins of a run differ in this alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cast {
    /// Leave out every step of the attack.
    pub no_attack: bool,
    /// Leave out these events.
    pub without: BTreeSet<String>,
}

impl Cast {
    /// Everything takes place.
    pub fn full() -> Self {
        Self::default()
    }

    /// No attack.
    pub fn clean() -> Self {
        Self { no_attack: true, without: BTreeSet::new() }
    }

    /// Everything but one event.
    pub fn all_but(event: &str) -> Self {
        Self { no_attack: false, without: BTreeSet::from([event.to_owned()]) }
    }
}

/// A scenario for one seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Scenario by name.
    pub scenario: String,
    /// Its version.
    pub version: u32,
    /// Plant by name.
    pub plant: String,
    /// Site by name.
    pub site: String,
    /// The seed.
    pub seed: u64,
    /// Start in UTC.
    pub start: StartTime,
    /// End of the run.
    pub end: VirtualTime,
    /// Until when the run is ordinary for certain.
    pub learn_until: VirtualTime,
    /// Every variable.
    pub values: Values,
    /// What is behind it. Not for the trainee.
    pub cause: Cause,
    /// How hard it is played.
    pub level: Difficulty,
    /// Values that controllers start with.
    pub presets: Vec<Preset>,
    /// Controllers whose key stands in Program, so that they take start and stop from the network.
    pub keys_in_program: Vec<String>,
    /// Machines that the site's documentation does not know.
    pub hosts: Vec<site::Host>,
    /// Who works all the time.
    pub actors: Vec<Actor>,
    /// By time.
    pub events: Vec<PlannedEvent>,
    /// By time.
    pub injects: Vec<Inject>,
}

impl Plan {
    /// Whether an event takes place with a cast.
    pub fn takes_place(&self, event: &PlannedEvent, cast: &Cast) -> bool {
        if cast.without.contains(&event.id) || (cast.no_attack && event.kind == EventKind::Step) {
            return false;
        }
        match &event.needs {
            Some(id) => self.event(id).is_some_and(|before| self.takes_place(before, cast)),
            None => true,
        }
    }

    /// Whether an inject is said with a cast.
    pub fn is_told(&self, inject: &Inject, cast: &Cast) -> bool {
        let needs = inject.needs.as_ref();
        needs.is_none_or(|id| self.event(id).is_some_and(|event| self.takes_place(event, cast)))
    }

    /// An event by its name.
    pub fn event(&self, id: &str) -> Option<&PlannedEvent> {
        self.events.iter().find(|event| event.id == id)
    }

    /// Steps of the attack, by time.
    pub fn steps(&self) -> impl Iterator<Item = &PlannedEvent> {
        self.events.iter().filter(|event| event.kind == EventKind::Step)
    }

    /// Faults of the plant that take place, for the lab to apply.
    pub fn faults(&self, cast: &Cast) -> Vec<PlantFault> {
        self.events
            .iter()
            .filter(|event| self.takes_place(event, cast))
            .filter_map(|event| match &event.deed {
                Deed::PlantFault { kind, tag, lasts, with, .. } => Some(PlantFault {
                    step: event.id.clone(),
                    at: event.at,
                    until: lasts.map(|span| event.at + span),
                    kind: kind.get_ref().clone(),
                    tag: tag.get_ref().clone(),
                    params: with.clone(),
                }),
                _ => None,
            })
            .collect()
    }

    /// Name of the host from which the operator's writes come; empty where the scenario has no operator station.
    pub fn station(&self) -> &str {
        station_of(&self.actors)
    }
}

pub(crate) fn station_of(actors: &[Actor]) -> &str {
    actors
        .iter()
        .find_map(|actor| match actor {
            Actor::Hmi { on, .. } | Actor::FrontEnd { on, .. } => Some(on.get_ref().as_str()),
            _ => None,
        })
        .unwrap_or_default()
}

pub(crate) fn historian_of(actors: &[Actor]) -> &str {
    actors
        .iter()
        .find_map(|actor| match actor {
            Actor::Historian { on, .. } => Some(on.get_ref().as_str()),
            _ => None,
        })
        .unwrap_or_default()
}
