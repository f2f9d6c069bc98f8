//! What the wire says about the plant: the latest value of every tag, and the physical ties between tags.
//!
//! # Theory of operation
//! Every read that is answered and every write that is asked for goes through the site's register maps into tags in
//! engineering units. Ties are laws that hold whoever sends the values, so they see an attack that comes from an
//! authorised host:
//! - *dose within capacity*: a dose setpoint times the flow it is paced by must not ask for more than the pump can
//!   give. The residual is the demand over the capacity, minus one: above 0 it cannot be met.
//! - the others hold over time, and are judged once a second: two copies of a value *agree*, a value has a fastest
//!   *rate*, a live transmitter *moves* and *never repeats* itself, a level rises by what flows in (*balance*), what is
//!   commanded *follows*, and a *flow needs* an open valve or a running pump. The residual is what was found over what
//!   is allowed, minus one; it counts as broken once it has stayed above 0 for a while, as values are polled at
//!   different moments. Allowed is what the site file says, and half more than was found while learning.
//!
//! - a breaker that is told to move is tried on the *grid* of the site file (`grid`), before it does.
//!
//! # What can go wrong
//! A value that was not read for [`FRESH`] proves nothing: a tie with such a value is not judged.

mod grid;
mod laws;

use crate::known::Known;
use grid::Grid;
pub(crate) use grid::Strain;
use laws::Law;

const SECOND: u64 = 1_000_000_000;
/// How old a value may be.
const FRESH: u64 = 60 * SECOND;
/// Dose in mg/L times flow in L/s is mg/s; this makes it kg/h.
const KG_PER_H_IN_MG_PER_S: f64 = 3600.0 / 1e6;

/// A tag's latest value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Latest {
    value: f64,
    at: u64,
}

#[derive(Debug)]
struct Tie {
    name: String,
    law: Law,
    /// Its tags, in the order of the law.
    tags: Vec<usize>,
    /// What it allows.
    limit: f64,
    /// How long more may be found.
    patience: u64,
    /// The unit of its flows, in m3/s.
    to_m3_per_s: f64,
    /// The most that was found while learning.
    worst_learnt: f64,
    found: f64,
    /// Since when it has been broken.
    since: Option<u64>,
    broken: bool,
}

/// A tie that is broken, as records show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Broken<'a> {
    pub(crate) tie: &'a str,
    pub(crate) law: &'static str,
    pub(crate) residual: f64,
    /// Its tags, in the order of the law.
    pub(crate) tags: &'a [usize],
    /// Values of the first two tags.
    pub(crate) values: [f64; 2],
    /// What the law allows: capacity in kg/h, tolerance, seconds.
    pub(crate) limit: f64,
    /// What was found: demand in kg/h, difference, seconds.
    pub(crate) found: f64,
}

/// The plant as seen on the wire.
#[derive(Debug)]
pub(crate) struct Process {
    values: Vec<Option<Latest>>,
    ties: Vec<Tie>,
    /// For each tag, the ties that want its readings and its place in them.
    readers: Vec<Vec<(usize, usize)>>,
    grid: Option<Grid>,
}

impl Process {
    pub(crate) fn new(known: &Known) -> Self {
        let mut readers = vec![Vec::new(); known.tag_count()];
        let mut ties = Vec::new();
        for tie in known.site().map_or(&[][..], |site| &site.ties) {
            let tags: Option<Vec<usize>> =
                tie.law.tags().into_iter().map(|tag| known.tag_number(tag)).collect();
            let Some(tags) = tags else { continue };
            let (law, limit, patience) = laws::of(&tie.law);
            for (place, tag) in tags.iter().enumerate() {
                readers[*tag].push((ties.len(), place));
            }
            let unit = tags.get(1).and_then(|tag| known.tag(*tag)).map_or("", |tag| tag.unit.as_str());
            ties.push(Tie {
                name: tie.name.clone(),
                law,
                tags,
                limit,
                patience,
                to_m3_per_s: to_m3_per_s(unit),
                worst_learnt: 0.0,
                found: 0.0,
                since: None,
                broken: false,
            });
        }
        Self { values: vec![None; known.tag_count()], ties, readers, grid: Grid::new(known) }
    }

    /// Latest value of a tag.
    pub(crate) fn value(&self, tag: usize) -> Option<f64> {
        self.values.get(tag).copied().flatten().map(|latest| latest.value)
    }

    /// A value was written to a controller.
    pub(crate) fn set(&mut self, tag: usize, value: f64, at: u64) {
        if let Some(slot) = self.values.get_mut(tag) {
            *slot = Some(Latest { value, at });
        }
    }

    /// A value was read from a controller.
    pub(crate) fn read(&mut self, tag: usize, value: f64, at: u64) {
        self.set(tag, value, at);
        for (tie, place) in self.readers.get(tag).into_iter().flatten() {
            self.ties[*tie].law.read(*place, value, at);
        }
    }

    fn fresh(&self, tag: usize, now: u64) -> Option<f64> {
        let latest = self.values.get(tag).copied().flatten()?;
        (now.saturating_sub(latest.at) <= FRESH).then_some(latest.value)
    }

    /// What a setpoint would ask of the plant, if a tie speaks of it; the residual may be below 0.
    pub(crate) fn judge_setpoint(&self, tag: usize, value: f64, now: u64) -> Option<Broken<'_>> {
        let dose = |tie: &&Tie| matches!(tie.law, Law::Dose) && tie.tags.first() == Some(&tag);
        self.ties.iter().filter(dose).find_map(|tie| {
            let flow = self.fresh(*tie.tags.get(1)?, now)?;
            let demand = value * flow * KG_PER_H_IN_MG_PER_S;
            Some(Broken {
                tie: &tie.name,
                law: laws::word(&tie.law),
                residual: demand / tie.limit - 1.0,
                tags: &tie.tags,
                values: [value, flow],
                limit: tie.limit,
                found: demand,
            })
        })
    }

    /// What a command would do to the grid, if it moves a breaker and the grid feels it.
    pub(crate) fn judge_switching(&self, tag: usize, value: f64) -> Option<Strain> {
        self.grid.as_ref()?.judge(tag, value, |tag| self.value(tag))
    }

    /// Looks at the ties that hold over time; returns the numbers of those that have just been found broken. While
    /// `learning`, what is found is what is normal.
    pub(crate) fn judge_ties(&mut self, now: u64, learning: bool) -> Vec<usize> {
        let mut found = Vec::new();
        for (number, tie) in self.ties.iter_mut().enumerate() {
            let values: Vec<_> =
                tie.tags.iter().map(|tag| self.values.get(*tag).copied().flatten()).collect();
            let Some(now_found) = tie.law.found(&values, tie.to_m3_per_s, now) else { continue };
            tie.found = now_found;
            if learning {
                tie.worst_learnt = tie.worst_learnt.max(now_found);
            }
            if now_found <= tie.allowed() {
                tie.since = None;
                tie.broken = false;
                continue;
            }
            let since = *tie.since.get_or_insert(now);
            if !tie.broken && now.saturating_sub(since) >= tie.patience {
                tie.broken = true;
                found.push(number);
            }
        }
        found
    }

    /// A tie of [`Process::judge_ties`], with the values of now.
    pub(crate) fn broken(&self, tie: usize) -> Option<Broken<'_>> {
        let tie = self.ties.get(tie)?;
        let value = |place: usize| tie.tags.get(place).and_then(|tag| self.value(*tag)).unwrap_or(f64::NAN);
        Some(Broken {
            tie: &tie.name,
            law: laws::word(&tie.law),
            residual: tie.found / tie.allowed() - 1.0,
            tags: &tie.tags,
            values: [value(0), value(1)],
            limit: tie.allowed(),
            found: tie.found,
        })
    }

    /// Whether some tie between a tag's neighbours is broken now: commands are then given on false values.
    pub(crate) fn any_tie_broken(&self) -> bool {
        self.ties.iter().any(|tie| tie.broken && matches!(tie.law, Law::Agree | Law::Moves { .. }))
    }
}

impl Tie {
    /// What the site file allows, and half more than was found while learning where that is more.
    fn allowed(&self) -> f64 {
        self.limit.max(1.5 * self.worst_learnt)
    }
}

fn to_m3_per_s(unit: &str) -> f64 {
    match unit {
        "L/s" => 1e-3,
        "m3/h" => 1.0 / 3600.0,
        "L/h" => 1e-3 / 3600.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn process() -> (Known, Process) {
        let known = Known::new(Some(Arc::new(site::Site::named("waterworks").unwrap())));
        let process = Process::new(&known);
        (known, process)
    }

    #[test]
    fn oldsmars_setpoint_asks_for_more_than_the_pump_gives() {
        let (known, mut process) = process();
        let setpoint = known.tag_number("NAOH.SP").unwrap();
        assert!(process.judge_setpoint(setpoint, 11_100.0, 0).is_none(), "no flow seen yet");
        process.set(known.tag_number("FIT-101").unwrap(), 190.0, 0);
        let judged = process.judge_setpoint(setpoint, 11_100.0, SECOND).unwrap();
        // 11,100 mg/L x 190 L/s = 7592 kg/h, of 239.4.
        assert!((judged.found - 7592.4).abs() < 0.1 && judged.residual > 30.0, "{judged:?}");
        assert!(process.judge_setpoint(setpoint, 100.0, SECOND).unwrap().residual < -0.7);
        assert!(process.judge_setpoint(setpoint, 11_100.0, 2 * FRESH).is_none(), "too old to prove anything");
    }

    /// A site with one more tie: what it finds over a story of readings, second by second.
    #[track_caller]
    fn story(law: &str, readings: impl Fn(u64) -> Vec<(&'static str, f64)>) -> Vec<(u64, f64)> {
        let text = include_str!("../../../base/site/sites/waterworks.toml");
        let ties = text.find("[[tie]]").unwrap();
        let text = format!("{}\n[[tie]]\nname = \"mine\"\nlaw = {law}\n", &text[..ties]);
        let known = Known::new(Some(Arc::new(site::Site::parse("mine.toml", &text).unwrap())));
        let mut process = Process::new(&known);
        let mut found = Vec::new();
        for second in 1..3000 {
            let now = second * SECOND;
            for (tag, value) in readings(second) {
                process.read(known.tag_number(tag).unwrap(), value, now);
            }
            for tie in process.judge_ties(now, second < 100) {
                found.push((second, process.broken(tie).unwrap().residual));
            }
        }
        found
    }

    fn noise(n: u64) -> f64 {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 31;
        ((x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) % 100) as f64 / 1000.0
    }

    #[test]
    fn a_value_that_jumps_is_seen_and_one_that_moves_is_not() {
        let law = "{ rate = { tag = \"LIT-401\", per_s = 0.2 } }";
        assert!(story(law, |s| vec![("LIT-401", 3.0 + noise(s))]).is_empty());
        let found = story(law, |s| vec![("LIT-401", if s < 500 { 3.0 } else { 4.0 } + noise(s))]);
        assert_eq!(found.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [500]);
    }

    #[test]
    fn a_frozen_transmitter_is_seen() {
        let law = "{ moves = { tag = \"LIT-401\", within_s = 120.0 } }";
        assert!(story(law, |s| vec![("LIT-401", 3.0 + noise(s))]).is_empty());
        let found = story(law, |s| vec![("LIT-401", 3.0 + noise(s.min(700)))]);
        assert_eq!(found.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [821]);
    }

    #[test]
    fn a_level_that_does_not_follow_its_flow_is_seen_and_what_was_learnt_is_allowed() {
        let law = "{ balance = { level = \"LIT-401\", area_m2 = 500.0, inflows = [\"FIT-401\"], tolerance_m3_per_s = 0.01 } }";
        // 50 L/s into 500 m2 is 0.1 mm a second.
        let level = |s: u64| 3.0 + s as f64 * 1e-4 + noise(s) / 10.0;
        assert!(story(law, |s| vec![("LIT-401", level(s)), ("FIT-401", 50.0)]).is_empty());
        let found = story(law, |s| vec![("LIT-401", level(s.min(1000))), ("FIT-401", 50.0)]);
        assert!(found.len() == 1 && found[0].0 <= 2000 && found[0].1 > 0.5, "{found:?}");
    }

    #[test]
    fn a_pump_that_does_not_follow_and_a_flow_without_a_pump_are_seen() {
        let law = "{ follows = { command = \"P-301\", feedback = \"P-301.RUN\", within_s = 30.0 } }";
        let lag = |s: u64| if s < 510 { 0.0 } else { 1.0 };
        let told = |s: u64| if s < 500 { 0.0 } else { 1.0 };
        assert!(story(law, |s| vec![("P-301", told(s)), ("P-301.RUN", lag(s))]).is_empty());
        assert_eq!(story(law, |s| vec![("P-301", told(s)), ("P-301.RUN", 0.0)])[0].0, 531);
        let law = "{ flow_needs = { flow = \"FIT-301\", openers = [\"P-301.RUN\", \"P-302.RUN\"], at_most = 3.0 } }";
        let flow = |run: f64| move |_: u64| vec![("FIT-301", 80.0), ("P-301.RUN", 0.0), ("P-302.RUN", run)];
        assert!(story(law, flow(1.0)).is_empty());
        let none = story(law, |s| {
            vec![("FIT-301", if s < 200 { 1.0 } else { 80.0 }), ("P-301.RUN", 0.0), ("P-302.RUN", 0.0)]
        });
        assert_eq!(none[0].0, 260);
    }

    #[test]
    fn a_recording_is_seen() {
        let law = "{ never_repeats = { tag = \"LIT-401\" } }";
        assert!(story(law, |s| vec![("LIT-401", 3.0 + noise(s))]).is_empty());
        let found = story(law, |s| vec![("LIT-401", 3.0 + noise(if s < 1000 { s } else { s - 400 }))]);
        assert_eq!(found.iter().map(|(second, _)| *second).collect::<Vec<_>>(), [1023]);
    }

    #[test]
    fn two_copies_of_a_level_must_agree_but_not_at_once() {
        let (known, mut process) = process();
        let copy = known.tag_number("TANK.LEVEL").unwrap();
        let level = known.tag_number("LIT-401").unwrap();
        let mut broken = Vec::new();
        for second in 0..100 {
            let now = second * SECOND;
            process.set(copy, 4.0, now);
            process.set(level, if second < 50 { 4.05 } else { 3.5 }, now);
            let found = process.judge_ties(now, false);
            broken.extend(
                found.into_iter().filter_map(|tie| Some((second, process.broken(tie)?.tie.to_owned()))),
            );
        }
        assert_eq!(broken, [(65, "tank-level-at-plc-2-agrees-with-rtu".to_owned())]);
        assert!(process.any_tie_broken());
    }
}
