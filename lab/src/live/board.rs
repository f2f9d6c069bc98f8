//! What a live lab shows of itself: the operator's view, alarms, rules, talkers, how time goes.
//!
//! # Theory of operation
//! The kernel's thread fills the board after each second of plant; any number of pages read it. Nothing here
//! flows back: a board is written by watchers, which cannot alter a run. Everything is bounded: a trend keeps an hour,
//! talkers and outcomes keep the latest. Records, findings and frames are not here but in the record's files, which are
//! written out while the run goes on.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::Network;
use record::VirtualTime;
use scenarios::Stage;
use serde::Serialize;
use site::Site;
use tokio::sync::watch;

use crate::assembly::{Assembly, StepWatcher};
use crate::recording::{ActionWatcher, AssemblyWatcher};

/// Points of a trend.
const TREND_POINTS: usize = 1800;
/// Seconds of plant between two points of a trend.
const TREND_EVERY_S: u64 = 2;
/// Outcomes of actions that are kept.
const OUTCOMES: usize = 200;
/// Pairs of talkers that are kept; what comes after is counted in `unlisted_frames`.
const TALKERS: usize = 500;

/// Where a run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It is being put together, or brought back to where it was.
    Starting,
    /// Time passes.
    Running,
    /// Time stands still.
    Paused,
    /// It ended; twins are being run.
    Debriefing,
    /// The record is sealed.
    Sealed,
    /// No record was sealed.
    Failed,
}

/// One value as the operator's station shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Shown {
    pub(crate) value: f64,
    /// When the station read it.
    pub(crate) at: VirtualTime,
}

/// One line of the alarm list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AlarmLine {
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) priority: u8,
    pub(crate) since: VirtualTime,
    /// ISA-18.2: `unacknowledged`, `acknowledged`, `returned` (gone, and nobody has acknowledged it).
    pub(crate) state: &'static str,
}

/// A rule of the firewall in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RuleLine {
    pub(crate) id: u64,
    pub(crate) rule: serde_json::Value,
    pub(crate) expires: Option<VirtualTime>,
    pub(crate) hits: u64,
}

/// Two hosts that talk, by service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) client: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
    pub(crate) service: u16,
}

/// How much a pair talked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Talk {
    pub(crate) frames: u64,
    pub(crate) octets: u64,
    pub(crate) last: VirtualTime,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ActionOutcome {
    pub(crate) t: VirtualTime,
    pub(crate) source: String,
    pub(crate) command: String,
    pub(crate) is_done: bool,
    /// What was done, or what to ask for instead.
    pub(crate) says: String,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct BoardState {
    pub(crate) phase: Phase,
    /// What had been is being made again: nobody can act yet.
    pub(crate) is_replaying: bool,
    /// Why it failed or ended early.
    pub(crate) reason: Option<String>,
    pub(crate) now: VirtualTime,
    pub(crate) pace: f64,
    pub(crate) values: BTreeMap<String, Shown>,
    pub(crate) lost: Vec<String>,
    pub(crate) alarms: Vec<AlarmLine>,
    pub(crate) rules: Vec<RuleLine>,
    pub(crate) sessions: usize,
    pub(crate) frames: u64,
    pub(crate) talkers: BTreeMap<Pair, Talk>,
    pub(crate) unlisted_frames: u64,
    pub(crate) outcomes: VecDeque<ActionOutcome>,
    /// How many messages this process said to the team: a page that sees it move asks for them.
    pub(crate) messages: u64,
    trends: BTreeMap<String, VecDeque<f32>>,
    trend_times: VecDeque<VirtualTime>,
}

impl BoardState {
    /// Points of a tag's trend since `from`: seconds and value.
    pub(crate) fn trend(&self, tag: &str, from: VirtualTime) -> Vec<(f64, f32)> {
        let Some(values) = self.trends.get(tag) else { return Vec::new() };
        // A tag that was first read later has fewer points than there are times.
        let missing = self.trend_times.len() - values.len().min(self.trend_times.len());
        let times = self.trend_times.iter().skip(missing);
        times.zip(values).filter(|(t, _)| **t >= from).map(|(t, value)| (t.as_secs_f64(), *value)).collect()
    }

    /// Who changed a tag last from the console: when and what.
    pub(crate) fn last_change(&self, tag: &str) -> Option<&ActionOutcome> {
        let names = |outcome: &&ActionOutcome| {
            let mut words = outcome.command.split_whitespace();
            words.next() == Some("write") && words.next() == Some(tag)
        };
        self.outcomes.iter().rev().filter(|outcome| outcome.is_done).find(names)
    }

    fn take_view(&mut self, site: &Site, stage: &Stage, now: VirtualTime) {
        let Some(view) = stage.view_ref() else { return };
        for (tag, (value, at)) in &view.values {
            let shown = Shown { value: *value, at: *at };
            match self.values.get_mut(tag) {
                Some(known) => *known = shown,
                None => {
                    self.values.insert(tag.clone(), shown);
                }
            }
        }
        self.lost.clone_from(&view.lost);
        self.alarms = view.alarms.iter().map(|alarm| alarm_line(site, alarm)).collect();
        if (now.as_nanos() / 1_000_000_000).is_multiple_of(TREND_EVERY_S) {
            self.trend_times.push_back(now);
            let too_long = self.trend_times.len() > TREND_POINTS;
            if too_long {
                self.trend_times.pop_front();
            }
            for (tag, shown) in &self.values {
                let trend = self.trends.entry(tag.clone()).or_default();
                trend.push_back(shown.value as f32);
                if trend.len() > self.trend_times.len() {
                    trend.pop_front();
                }
            }
        }
    }

    fn take_network(&mut self, network: &Network) {
        let firewall = network.firewall();
        let rules = firewall.rules();
        self.rules = rules
            .into_iter()
            .map(|listed| RuleLine {
                id: listed.id,
                rule: serde_json::to_value(&listed.rule).unwrap_or_default(),
                expires: listed.expires,
                hits: listed.hits,
            })
            .collect();
        self.sessions = firewall.sessions().len();
    }
}

fn alarm_line(site: &Site, alarm: &scenarios::HmiAlarm) -> AlarmLine {
    let tag = site.tag(&alarm.tag);
    AlarmLine {
        tag: alarm.tag.clone(),
        description: tag
            .map_or_else(|| format!("{} does not answer", alarm.tag), |tag| tag.description.clone()),
        priority: tag.map_or(site::Tag::USUAL_PRIORITY, site::Tag::alarm_priority),
        since: alarm.since,
        state: match (alarm.is_standing, alarm.is_acknowledged) {
            (true, false) => "unacknowledged",
            (true, true) => "acknowledged",
            (false, _) => "returned",
        },
    }
}

/// A lab's board, shared between the kernel's thread and the pages.
#[derive(Debug)]
pub(crate) struct Board {
    state: Mutex<BoardState>,
    version: watch::Sender<u64>,
}

impl Board {
    /// An empty board.
    pub(crate) fn new(pace: f64) -> Arc<Self> {
        let state = BoardState {
            phase: Phase::Starting,
            is_replaying: false,
            reason: None,
            now: VirtualTime::ZERO,
            pace,
            values: BTreeMap::new(),
            lost: Vec::new(),
            alarms: Vec::new(),
            rules: Vec::new(),
            sessions: 0,
            frames: 0,
            talkers: BTreeMap::new(),
            unlisted_frames: 0,
            outcomes: VecDeque::new(),
            messages: 0,
            trends: BTreeMap::new(),
            trend_times: VecDeque::new(),
        };
        Arc::new(Self { state: Mutex::new(state), version: watch::Sender::new(0) })
    }

    /// Looks at it. Keep it short: the lab waits meanwhile.
    pub(crate) fn read(&self) -> MutexGuard<'_, BoardState> {
        // A reader that panicked has altered nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes it and tells who waits.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut BoardState) -> T) -> T {
        let result = change(&mut self.read());
        self.version.send_modify(|version| *version += 1);
        result
    }

    /// Hears of changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

/// The watchers that fill a board: one for the lab as it stands, one for each step, one for each action.
pub(crate) struct BoardWatchers {
    pub(crate) assembled: AssemblyWatcher,
    pub(crate) each_step: StepWatcher,
    pub(crate) each_action: ActionWatcher,
}

/// Makes them. To be called on the kernel's thread.
pub(crate) fn board_watchers(board: &Arc<Board>, site: &Arc<Site>) -> BoardWatchers {
    let behind: Rc<RefCell<Option<(Stage, Network)>>> = Rc::default();
    let (keep, on_assembly) = (behind.clone(), board.clone());
    let assembled = move |assembly: &Assembly| {
        let talkers = on_assembly.clone();
        let mirror = Box::new(move |now, number, octets: &[u8]| {
            let mut state = talkers.read();
            state.frames = number;
            count_talk(&mut state, now, octets);
        });
        assembly.network.mirror(assembly.network.mirror_zone(), mirror);
        *keep.borrow_mut() = Some((assembly.stage.clone(), assembly.network.clone()));
        on_assembly.change(|state| state.take_network(&assembly.network));
    };
    let (on_step, site) = (board.clone(), site.clone());
    let each_step = move |now: VirtualTime, _: &sim::Plant, _: &crate::assembly::Controllers| {
        if !now.as_nanos().is_multiple_of(1_000_000_000) {
            return;
        }
        if let Some((stage, network)) = &*behind.borrow() {
            on_step.change(|state| {
                state.now = now;
                state.take_view(&site, stage, now);
                state.take_network(network);
            });
        }
    };
    let on_action = board.clone();
    let each_action = move |t: VirtualTime, source: &str, command: &str, result: &Result<String, String>| {
        let (Ok(says) | Err(says)) = result;
        let outcome = ActionOutcome {
            t,
            source: source.to_owned(),
            command: command.to_owned(),
            is_done: result.is_ok(),
            says: says.clone(),
        };
        on_action.change(|state| {
            state.outcomes.push_back(outcome);
            if state.outcomes.len() > OUTCOMES {
                state.outcomes.pop_front();
            }
        });
    };
    BoardWatchers {
        assembled: Box::new(assembled),
        each_step: Box::new(each_step),
        each_action: Box::new(each_action),
    }
}

/// Counts a frame under the two hosts and the lower port, which is the service's.
fn count_talk(state: &mut BoardState, now: VirtualTime, octets: &[u8]) {
    let Some(pair) = pair_of(octets) else { return };
    let is_full = state.talkers.len() >= TALKERS;
    let talk = match state.talkers.entry(pair) {
        std::collections::btree_map::Entry::Vacant(_) if is_full => {
            state.unlisted_frames += 1;
            return;
        }
        entry => entry.or_default(),
    };
    talk.frames += 1;
    talk.octets += octets.len() as u64;
    talk.last = now;
}

fn pair_of(octets: &[u8]) -> Option<Pair> {
    const TCP: u8 = 6;
    let ip = octets.get(14..34)?;
    if octets[12..14] != [8, 0] || ip[9] != TCP {
        return None;
    }
    let header = usize::from(ip[0] & 15) * 4;
    let ports = octets.get(14 + header..14 + header + 4)?;
    let (from, to) = (u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]]));
    let (source, destination) =
        (Ipv4Addr::new(ip[12], ip[13], ip[14], ip[15]), Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]));
    Some(if to <= from {
        Pair { client: source, server: destination, service: to }
    } else {
        Pair { client: destination, server: source, service: from }
    })
}
