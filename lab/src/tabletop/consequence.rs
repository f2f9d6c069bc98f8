//! What comes of a decision: the day run again with its commands, and what is worth telling of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::{Result, bail};
use record::{TruthStep, Verdict, VirtualTime};
use scenarios::Cast;
use serde::Serialize;
use sim::Plant;

use super::Table;
use crate::assembly::{LabError, StepWatcher};
use crate::kernel_thread::on_kernel_thread;
use crate::report::{Course, Hands, Timed, run_watched};

/// A labelled event counts as kept out where less than this share of its frames went over the network.
const KEPT_OUT: f64 = 0.2;
/// Money below this is not listed.
const WORTH_LISTING: f64 = 0.5;

/// What a plant and its network came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Consequence {
    /// Money, in the plant file's currency.
    pub(crate) harm: f64,
    pub(crate) currency: String,
    /// Name, money, and amount: seconds beyond a limit, m3, kg, or a number.
    pub(crate) causes: Vec<(String, f64, f64)>,
    pub(crate) limits: Vec<Crossing>,
    pub(crate) extremes: Vec<Extreme>,
    /// Steps of the attack that did not get through, in a sentence each.
    pub(crate) stopped: Vec<String>,
    /// Authorised work that did not get through.
    pub(crate) turned_away: Vec<String>,
    /// Whether the plant went as where nobody acts.
    pub(crate) as_nobody: bool,
}

/// A limit that was crossed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Crossing {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) first: VirtualTime,
    /// Seconds after the tabletop's clock starts; `None` where it was before.
    pub(crate) after_s: Option<f64>,
}

/// Highest and lowest value of an instrument, as transmitted, over the day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Extreme {
    pub(crate) tag: String,
    pub(crate) unit: String,
    pub(crate) low: f64,
    pub(crate) low_at: VirtualTime,
    pub(crate) high: f64,
    pub(crate) high_at: VirtualTime,
}

/// What is written down of a day while it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Pens {
    watched: Vec<String>,
    asked: BTreeSet<(VirtualTime, String)>,
    pub(super) values: BTreeMap<(VirtualTime, String), f64>,
    /// By place in `watched`: lowest and highest with their times.
    extremes: Vec<Option<[(f64, VirtualTime); 2]>>,
}

impl Pens {
    fn watch(&mut self, now: VirtualTime, plant: &Plant) {
        let read = |tag: &str| plant.instrument_index(tag).map(|index| plant.read(index));
        self.extremes.resize(self.watched.len(), None);
        for (tag, extreme) in self.watched.iter().zip(&mut self.extremes) {
            let Some(value) = read(tag) else { continue };
            let [low, high] = extreme.get_or_insert([(value, now); 2]);
            if value < low.0 {
                *low = (value, now);
            }
            if value > high.0 {
                *high = (value, now);
            }
        }
        let first = (now, String::new());
        for (t, tag) in self.asked.range(first..).take_while(|(t, _)| *t == now) {
            if let Some(value) = read(tag) {
                self.values.insert((*t, tag.clone()), value);
            }
        }
    }
}

/// A day as it was run.
#[derive(Clone, Debug)]
pub(super) struct Day {
    pub(super) course: Course,
    pub(super) pens: Pens,
}

/// Runs the day, with or without the attack, with commands by time.
///
/// # Errors
/// The lab refuses a command or cannot be put together.
pub(super) fn day(
    table: &Table,
    attacked: bool,
    acts: &[Timed],
    readings: &BTreeSet<(VirtualTime, String)>,
) -> Result<Day> {
    let order = &table.ordered.order;
    let cast = if attacked { Cast::full() } else { Cast::clean() };
    let watched = table.tabletop.file().watch.iter().map(|tag| tag.get_ref().clone()).collect();
    let blank = Pens { watched, asked: readings.clone(), ..Pens::default() };
    let day = on_kernel_thread(|| -> Result<Day, LabError> {
        let pens = Rc::new(RefCell::new(blank));
        let writing = Rc::clone(&pens);
        let watcher: StepWatcher = Box::new(move |now, plant, _| writing.borrow_mut().watch(now, plant));
        let hands = if acts.is_empty() { Hands::Nobody } else { Hands::At(acts) };
        let course = run_watched(order, &cast, &hands, order.plan.end, Some(watcher))?;
        Ok(Day { course, pens: pens.take() })
    })?;
    if let Some((command, reason)) = day.course.refused.first() {
        bail!("{command:?} was refused: {reason}\n  fix: mend the option in the tabletop's file");
    }
    Ok(day)
}

impl Consequence {
    /// What is worth telling of a day, against the one in which nobody acts.
    pub(super) fn of(table: &Table, day: &Day, none: &Day) -> Self {
        let harm = &day.course.harm;
        let clock = table.schedule.clock_from;
        let crossing = |limit: &sim::LimitCrossing| {
            let first = limit.first?;
            let after_s = (first >= clock).then(|| first.since(clock).as_secs_f64());
            Some(Crossing { name: limit.name.clone(), message: limit.message.clone(), first, after_s })
        };
        let unit =
            |tag: &str| table.ordered.order.site.tag(tag).map_or_else(String::new, |it| it.unit.clone());
        let extremes = day.pens.watched.iter().zip(&day.pens.extremes);
        Self {
            harm: harm.total,
            currency: harm.currency.clone(),
            causes: harm
                .causes
                .iter()
                .filter(|cause| cause.money >= WORTH_LISTING)
                .map(|cause| (cause.name.clone(), cause.money, cause.amount))
                .collect(),
            limits: harm.limits.iter().filter_map(crossing).collect(),
            extremes: extremes
                .filter_map(|(tag, extreme)| {
                    let [low, high] = (*extreme)?;
                    Some(Extreme {
                        tag: tag.clone(),
                        unit: unit(tag),
                        low: low.0,
                        low_at: low.1,
                        high: high.0,
                        high_at: high.1,
                    })
                })
                .collect(),
            stopped: kept_out(day, none, |verdict| verdict == Verdict::Attack),
            turned_away: kept_out(day, none, |verdict| verdict == Verdict::Authorised),
            as_nobody: day.course.harm == none.course.harm && day.pens.extremes == none.pens.extremes,
        }
    }
}

/// Labelled events that went over the network where nobody acts, and here did not or hardly.
fn kept_out(day: &Day, none: &Day, wanted: impl Fn(Verdict) -> bool) -> Vec<String> {
    let frames = |steps: &[TruthStep], id: &str| {
        steps.iter().find(|step| step.step == id).map_or(0, |step| step.frames.len())
    };
    let theirs = none.course.truth.iter().filter(|step| wanted(step.verdict) && !step.frames.is_empty());
    theirs
        .filter(|step| {
            let here = frames(&day.course.truth, &step.step) as f64;
            here < KEPT_OUT * step.frames.len() as f64
        })
        .map(|step| step.summary.clone())
        .collect()
}
