//! Fates: what became of a plant; and twins, the same plan and seed with another cast, run fast and unwatched.

use std::cell::RefCell;
use std::rc::Rc;

use record::VirtualTime;
use scenarios::{Cast, Plan};
use sim::{HarmReport, Plant, PlantEvent};
use site::Site;

use crate::assembly::{Assembly, LabError, StepWatcher, Watchers};
use crate::progress::Progress;

/// What became of a plant.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) harm: HarmReport,
    pub(crate) events: Vec<PlantEvent>,
    pub(crate) trend: Trend,
}

impl Fate {
    /// First moment beyond a limit of the plant file.
    pub(crate) fn crossing(&self, limit: &str) -> Option<VirtualTime> {
        self.harm.limits.iter().find(|crossing| crossing.name == limit)?.first
    }

    /// First moment beyond any limit.
    pub(crate) fn first_crossing(&self) -> Option<(VirtualTime, &str)> {
        self.harm.limits.iter().filter_map(|limit| Some((limit.first?, limit.message.as_str()))).min()
    }
}

/// Values of the instruments as transmitted, once a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trend {
    tags: Vec<String>,
    spans: Vec<f64>,
    rows: Vec<(VirtualTime, Vec<f64>)>,
}

/// Seconds between two rows of a trend.
const TREND_EVERY_S: u64 = 60;
/// Share of an instrument's span by which two trends must differ to be worth showing.
const WORTH_SHOWING: f64 = 0.02;
/// Most tags that are shown side by side.
const SHOWN_MAX: usize = 3;

impl Trend {
    /// Takes a row if one is due.
    pub(crate) fn watch(&mut self, now: VirtualTime, plant: &Plant) {
        if !now.as_nanos().is_multiple_of(TREND_EVERY_S * 1_000_000_000) {
            return;
        }
        if self.tags.is_empty() {
            self.tags = plant.instruments().iter().map(|info| info.tag.clone()).collect();
            self.spans = plant.instruments().iter().map(|info| info.high - info.low).collect();
        }
        let row = plant
            .instruments()
            .iter()
            .filter_map(|info| Some(plant.read(plant.instrument_index(&info.tag)?)))
            .collect();
        self.rows.push((now, row));
    }

    /// Time of the last row at or before a moment.
    pub(crate) fn at_or_before(&self, t: VirtualTime) -> Option<VirtualTime> {
        let after = self.rows.partition_point(|(at, _)| *at <= t);
        self.rows.get(after.checked_sub(1)?).map(|(at, _)| *at)
    }

    /// Value of a tag in the row of a moment.
    pub(crate) fn value(&self, tag: &str, at: VirtualTime) -> Option<f64> {
        let column = self.tags.iter().position(|name| name == tag)?;
        let row = self.rows.binary_search_by_key(&at, |(time, _)| *time).ok()?;
        self.rows[row].1.get(column).copied()
    }

    /// The tags that differ most from another trend, over their span; at most three, most different first.
    pub(crate) fn changed_against(&self, other: &Self) -> Vec<String> {
        let mut by_tag: Vec<(f64, &String)> = self
            .tags
            .iter()
            .zip(&self.spans)
            .enumerate()
            .map(|(column, (tag, span))| {
                let pairs = self.rows.iter().zip(&other.rows);
                let most = pairs.map(|((_, a), (_, b))| (a[column] - b[column]).abs()).fold(0.0, f64::max);
                (most / span, tag)
            })
            .filter(|(difference, _)| *difference >= WORTH_SHOWING)
            .collect();
        by_tag.sort_by(|a, b| b.0.total_cmp(&a.0));
        by_tag.into_iter().take(SHOWN_MAX).map(|(_, tag)| tag.clone()).collect()
    }
}

/// A trend that fills while a lab runs, and the watcher that fills it.
pub(crate) fn trend_watcher() -> (Rc<RefCell<Trend>>, StepWatcher) {
    let trend: Rc<RefCell<Trend>> = Rc::default();
    let shared = trend.clone();
    (trend, Box::new(move |now, plant, _| shared.borrow_mut().watch(now, plant)))
}

/// Runs a twin to its end. Nobody acts in it.
pub(crate) fn run_twin(plan: &Plan, cast: &Cast, site: &Site, progress: &Progress) -> Result<Fate, LabError> {
    let progress = progress.clone();
    let (trend, watch_trend) = trend_watcher();
    let mut watchers = Watchers::default();
    watchers.each_step.push(Box::new(move |now, _, _| progress.at(now)));
    watchers.each_step.push(watch_trend);
    let mut assembly = Assembly::new(plan, cast, site, watchers)?;
    assembly.kernel.run_until(plan.end)?;
    Ok(Fate { harm: assembly.harm(), events: assembly.plant_events(), trend: trend.take() })
}
