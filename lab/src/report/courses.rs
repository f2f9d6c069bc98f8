//! Courses: how the plant went in one run of a plan, with curves fine enough to draw.
//!
//! # Theory of operation
//! A report compares three courses of one seed: *this run*, made again from what came from outside, *nobody acts*, and
//! *no attack*. None of them is on the disk, since a course is a function of the record: it is run again, fast and
//! unwatched, and [`Courses`] keeps the latest ones in memory. A what-if is a fourth course, whose actions are put in by
//! time.
//!
//! # What can go wrong
//! A run that ended by a panic of a task ends there again; what it had come to until then is its course.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use net::{FirewallEvent, FirewallEventKind, KernelError};
use record::{OutsideInput, RunManifest, TruthStep, VirtualTime};
use scenarios::Cast;
use sim::{HarmReport, Plant, PlantEvent};
use site::FirewallRule;

use super::talk::{Listener, Talk};
use super::what_if::{changes_something, writes_to_plant};
use crate::action::act;
use crate::assembly::{Assembly, LabError, StepWatcher, Watchers};
use crate::kernel_thread::on_kernel_thread;
use crate::process_table::ProcessColumns;
use crate::recording::Order;

/// About as many points as a curve gets.
const POINTS: u64 = 360;
/// Share of an instrument's span by which two curves must differ to be worth showing.
const WORTH_SHOWING: f64 = 0.02;
/// Values of tags are taken within so long of the end.
const LAST_NS: u64 = 1_000_000_000;
/// Runs whose courses are kept.
const KEPT: usize = 64;

/// Values of all instruments as transmitted, at regular moments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curves {
    tags: Vec<String>,
    spans: Vec<f64>,
    rows: Vec<(VirtualTime, Vec<f64>)>,
}

impl Curves {
    fn watch(&mut self, now: VirtualTime, plant: &Plant, every_ns: u64) {
        if !now.as_nanos().is_multiple_of(every_ns) {
            return;
        }
        if self.tags.is_empty() {
            self.tags = plant.instruments().iter().map(|info| info.tag.clone()).collect();
            self.spans = plant.instruments().iter().map(|info| info.high - info.low).collect();
        }
        let read = |tag: &String| plant.instrument_index(tag).map(|index| plant.read(index));
        let row = self.tags.iter().filter_map(read).collect();
        self.rows.push((now, row));
    }

    /// Time in seconds and value of a tag, in order of time; empty where there is no such tag.
    pub(crate) fn of(&self, tag: &str) -> Vec<(f64, f64)> {
        let Some(column) = self.tags.iter().position(|name| name == tag) else { return Vec::new() };
        let cell = |(t, row): &(VirtualTime, Vec<f64>)| Some((t.as_secs_f64(), *row.get(column)?));
        self.rows.iter().filter_map(cell).collect()
    }

    /// Tags that differ from other curves by at least 2 % of their span, most different first.
    pub(crate) fn changed_against(&self, other: &Self) -> Vec<(f64, String)> {
        let difference = |column: usize| {
            let pairs = self.rows.iter().zip(&other.rows);
            let apart = pairs.filter_map(|((_, a), (_, b))| Some((a.get(column)? - b.get(column)?).abs()));
            apart.fold(0.0, f64::max)
        };
        let mut changed: Vec<(f64, String)> = self
            .tags
            .iter()
            .zip(&self.spans)
            .enumerate()
            .map(|(column, (tag, span))| (difference(column) / span, tag.clone()))
            .filter(|(share, _)| *share >= WORTH_SHOWING)
            .collect();
        changed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        changed
    }
}

/// How the plant went in one run.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) harm: HarmReport,
    pub(crate) events: Vec<PlantEvent>,
    pub(crate) curves: Curves,
    /// Commands of a person that the lab refused, with its reason.
    pub(crate) refused: Vec<(String, String)>,
    /// What happened; limits and consequences, which lie in the plant, are not filled in.
    pub(crate) truth: Vec<TruthStep>,
    /// Who talked with whom; empty where no attack was planned.
    pub(super) talk: Talk,
    /// Values of all tags at the end.
    pub(super) last: BTreeMap<String, f64>,
    /// Rules that a person added, by time.
    pub(super) rules: Vec<(VirtualTime, FirewallRule)>,
    /// When a person first changed something in plant or network.
    pub(super) first_act: Option<VirtualTime>,
    /// When a person first wrote to the plant.
    pub(super) first_write: Option<VirtualTime>,
}

/// What people did in a course, as the lab took it.
#[derive(Default)]
struct Doings {
    refused: Vec<(String, String)>,
    rules: Vec<(VirtualTime, FirewallRule)>,
    first_act: Option<VirtualTime>,
    first_write: Option<VirtualTime>,
}

impl Doings {
    /// Time never goes back: the first is the earliest.
    fn acted(&mut self, t: VirtualTime) {
        self.first_act = self.first_act.or(Some(t));
    }

    /// What was done through the rule interface comes by here alone.
    fn at_firewall(&mut self, event: &FirewallEvent) {
        match (&event.kind, &event.added) {
            (FirewallEventKind::RuleAdded, Some(rule)) if !rule.by.is_empty() => {
                self.acted(event.time);
                self.rules.push((event.time, (**rule).clone()));
            }
            (FirewallEventKind::SessionKilled, _) if event.by.is_some() => self.acted(event.time),
            _ => {}
        }
    }
}

/// One command of a person at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timed {
    pub(crate) t: VirtualTime,
    pub(crate) source: String,
    pub(crate) command: String,
}

/// Who acts in a course.
pub(crate) enum Hands<'a> {
    Nobody,
    /// Everything from outside, put back where it was.
    AsRecorded(&'a [OutsideInput]),
    /// Commands by time, in order.
    At(&'a [Timed]),
}

/// Runs one course up to `end`. To be called on a thread of its own: the kernel confines it.
pub(crate) fn run_course(
    order: &Order,
    cast: &Cast,
    hands: &Hands<'_>,
    end: VirtualTime,
) -> Result<Course, LabError> {
    run_watched(order, cast, hands, end, None)
}

/// The same with somebody who looks on besides.
pub(crate) fn run_watched(
    order: &Order,
    cast: &Cast,
    hands: &Hands<'_>,
    end: VirtualTime,
    watcher: Option<StepWatcher>,
) -> Result<Course, LabError> {
    let every_ns = (end.as_nanos() / 1_000_000_000).div_ceil(POINTS).max(1) * 1_000_000_000;
    let curves: Rc<RefCell<Curves>> = Rc::default();
    let filled = Rc::clone(&curves);
    let mut watchers = Watchers::default();
    watchers.each_step.push(Box::new(move |now, plant, _| filled.borrow_mut().watch(now, plant, every_ns)));
    let last: Rc<RefCell<BTreeMap<String, f64>>> = Rc::default();
    let (written, site, mut columns) = (Rc::clone(&last), Arc::clone(&order.site), None);
    watchers.each_step.push(Box::new(move |now, plant, controllers| {
        if end.as_nanos().saturating_sub(now.as_nanos()) >= LAST_NS {
            return;
        }
        let columns = columns.get_or_insert_with(|| ProcessColumns::new(&site, plant, controllers));
        *written.borrow_mut() = columns.tags().iter().cloned().zip(columns.values(plant)).collect();
    }));
    watchers.each_step.extend(watcher);
    let mut assembly = Assembly::new(&order.plan, cast, &order.site, watchers)?;
    let doings: Rc<RefCell<Doings>> = Rc::default();
    let (stage, desk, told) = (assembly.stage.clone(), Rc::clone(&assembly.desk), Rc::clone(&doings));
    assembly.kernel.on_action(Box::new(move |t, source, command| {
        let outcome = act(&stage, &desk, source, command);
        let mut doings = told.borrow_mut();
        match outcome {
            Err(reason) => doings.refused.push((command.to_owned(), reason)),
            Ok(_) if changes_something(command) => {
                doings.acted(t);
                if writes_to_plant(command) {
                    doings.first_write = doings.first_write.or(Some(t));
                }
            }
            Ok(_) => {}
        }
    }));
    let told = Rc::clone(&doings);
    assembly.kernel.on_firewall_event(Box::new(move |event| told.borrow_mut().at_firewall(event)));
    let listener: Rc<RefCell<Listener>> = Rc::default();
    if order.plan.steps().next().is_some() {
        let heard = Rc::clone(&listener);
        let consumer = move |t, frame, octets: &[u8]| heard.borrow_mut().observe(t, frame, octets);
        assembly.network.mirror(assembly.network.mirror_zone(), Box::new(consumer));
    }
    let kernel = &mut assembly.kernel;
    let driven = match hands {
        Hands::Nobody => kernel.run_until(end),
        Hands::AsRecorded(inputs) => kernel.run_replay(inputs, end),
        Hands::At(acts) => acts
            .iter()
            .filter(|act| act.t < end)
            .try_for_each(|act| kernel.run_until_action(act.t, &act.source, &act.command))
            .and_then(|()| kernel.run_until(end)),
    };
    match driven {
        Ok(()) | Err(KernelError::TaskPanicked { .. } | KernelError::Stuck { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let (harm, events) = (assembly.harm(), assembly.plant_events());
    let mut truth = assembly.stage.truth();
    truth.retain(|step| step.start <= end);
    drop(assembly);
    let Doings { refused, rules, first_act, first_write } = doings.take();
    let talk = listener.take().digest(&truth);
    Ok(Course {
        harm,
        events,
        curves: curves.take(),
        refused,
        truth,
        talk,
        last: last.take(),
        rules,
        first_act,
        first_write,
    })
}

/// The three courses of a run.
#[derive(Debug)]
pub(crate) struct Three {
    /// This run, as it was.
    pub(crate) actual: Arc<Course>,
    /// The attack, and nobody acts.
    pub(crate) none: Arc<Course>,
    /// No attack, and nobody acts.
    pub(crate) clean: Arc<Course>,
}

/// Courses of the runs that were asked for last. Shared by all who make reports.
#[derive(Debug, Default)]
pub(crate) struct Courses {
    kept: Mutex<Vec<(String, Arc<Three>)>>,
}

impl Courses {
    /// The courses of a run, computed where they are not kept: some seconds for a short scenario.
    pub(crate) fn of(
        &self,
        manifest: &RunManifest,
        order: &Order,
        inputs: &[OutsideInput],
    ) -> anyhow::Result<Arc<Three>> {
        let key = key(manifest);
        let kept = |courses: &Self| {
            let kept = courses.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter().find(|(of, _)| *of == key).map(|(_, three)| Arc::clone(three))
        };
        if let Some(three) = kept(self) {
            return Ok(three);
        }
        let end = manifest.duration;
        let three = Arc::new(on_kernel_thread(|| -> Result<Three, LabError> {
            let none = Arc::new(run_course(order, &Cast::full(), &Hands::Nobody, end)?);
            let actual = if inputs.is_empty() {
                Arc::clone(&none)
            } else {
                Arc::new(run_course(order, &Cast::full(), &Hands::AsRecorded(inputs), end)?)
            };
            let clean = if order.plan.steps().next().is_some() {
                Arc::new(run_course(order, &Cast::clean(), &Hands::Nobody, end)?)
            } else {
                Arc::clone(&none)
            };
            Ok(Three { actual, none, clean })
        })?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&three)));
        Ok(three)
    }
}

/// Everything that the courses of a run depend on within one version of the program.
fn key(manifest: &RunManifest) -> String {
    format!(
        "{} {:?} {:?} {} {:?}",
        manifest.scenario,
        manifest.seed,
        manifest.settings,
        manifest.duration.as_nanos(),
        manifest.files.get("outside.jsonl")
    )
}
