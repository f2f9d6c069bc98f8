//! What the wire says about the plant: the latest value of every tag, and the physical ties between tags.
//!
//! # Theory of operation
//! Every read that is answered and every write that is asked for goes through the site's register maps into tags in
//! engineering units. Ties are laws that hold whoever sends the values, so they see an attack that comes from an
//! authorised host:
//! - *dose within capacity*: a dose setpoint times the flow it is paced by must not ask for more than the pump can
//!   give. The residual is the demand over the capacity, minus one: above 0 it cannot be met.
//! - *agree*: two tags that show the same quantity. The residual is their difference over the tolerance, minus one. It
//!   counts as broken once it has stayed above 0 for [`AGREE_WITHIN`], as both are polled at different moments.
//!
//! # What can go wrong
//! A value that was not read for [`FRESH`] proves nothing: a tie with such a value is not judged.

use site::TieLaw;

use crate::known::Known;

const SECOND: u64 = 1_000_000_000;
/// How long two copies of a value may differ.
const AGREE_WITHIN: u64 = 15 * SECOND;
/// How old a value may be.
const FRESH: u64 = 60 * SECOND;
/// Dose in mg/L times flow in L/s is mg/s; this makes it kg/h.
const KG_PER_H_IN_MG_PER_S: f64 = 3600.0 / 1e6;

/// A tag's latest value.
#[derive(Clone, Copy, Debug)]
struct Latest {
    value: f64,
    at: u64,
}

#[derive(Debug)]
enum Law {
    Dose { setpoint: usize, flow: usize, capacity_kg_per_h: f64 },
    Agree { first: usize, second: usize, tolerance: f64 },
}

#[derive(Debug)]
struct Tie {
    name: String,
    law: Law,
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
    /// The two tags, and their values: setpoint and flow, or the two that should agree.
    pub(crate) tags: [usize; 2],
    pub(crate) values: [f64; 2],
    /// What the law allows: capacity in kg/h, or tolerance.
    pub(crate) limit: f64,
    /// What was found: demand in kg/h, or difference.
    pub(crate) found: f64,
}

/// The plant as seen on the wire.
#[derive(Debug)]
pub(crate) struct Process {
    values: Vec<Option<Latest>>,
    ties: Vec<Tie>,
}

impl Process {
    pub(crate) fn new(known: &Known) -> Self {
        let ties = known.site().map_or(&[][..], |site| &site.ties);
        let ties = ties.iter().filter_map(|tie| {
            let [one, other] = tie.law.tags().map(|tag| known.tag_number(tag));
            let law = match &tie.law {
                TieLaw::DoseWithinCapacity { capacity_kg_per_h, .. } => {
                    Law::Dose { setpoint: one?, flow: other?, capacity_kg_per_h: *capacity_kg_per_h }
                }
                TieLaw::Agree { tolerance, .. } => {
                    Law::Agree { first: one?, second: other?, tolerance: *tolerance }
                }
            };
            Some(Tie { name: tie.name.clone(), law, since: None, broken: false })
        });
        Self { values: vec![None; known.tag_count()], ties: ties.collect() }
    }

    /// Latest value of a tag.
    pub(crate) fn value(&self, tag: usize) -> Option<f64> {
        self.values.get(tag).copied().flatten().map(|latest| latest.value)
    }

    /// A value was read from, or written to, a controller.
    pub(crate) fn set(&mut self, tag: usize, value: f64, at: u64) {
        if let Some(slot) = self.values.get_mut(tag) {
            *slot = Some(Latest { value, at });
        }
    }

    fn fresh(&self, tag: usize, now: u64) -> Option<f64> {
        let latest = self.values.get(tag).copied().flatten()?;
        (now.saturating_sub(latest.at) <= FRESH).then_some(latest.value)
    }

    /// What a setpoint would ask of the plant, if a tie speaks of it; the residual may be below 0.
    pub(crate) fn judge_setpoint(&self, tag: usize, value: f64, now: u64) -> Option<Broken<'_>> {
        self.ties.iter().find_map(|tie| match tie.law {
            Law::Dose { setpoint, flow, capacity_kg_per_h } if setpoint == tag => {
                let flow_value = self.fresh(flow, now)?;
                let demand = value * flow_value * KG_PER_H_IN_MG_PER_S;
                Some(Broken {
                    tie: &tie.name,
                    law: "dose_within_capacity",
                    residual: demand / capacity_kg_per_h - 1.0,
                    tags: [setpoint, flow],
                    values: [value, flow_value],
                    limit: capacity_kg_per_h,
                    found: demand,
                })
            }
            _ => None,
        })
    }

    /// Looks at the ties that hold over time; returns the numbers of those that have just been found broken.
    pub(crate) fn judge_ties(&mut self, now: u64) -> Vec<usize> {
        let mut found = Vec::new();
        for index in 0..self.ties.len() {
            let Law::Agree { first, second, tolerance } = self.ties[index].law else { continue };
            let (Some(one), Some(other)) = (self.fresh(first, now), self.fresh(second, now)) else {
                continue;
            };
            let tie = &mut self.ties[index];
            if (one - other).abs() <= tolerance {
                tie.since = None;
                tie.broken = false;
                continue;
            }
            let since = *tie.since.get_or_insert(now);
            if !tie.broken && now.saturating_sub(since) >= AGREE_WITHIN {
                tie.broken = true;
                found.push(index);
            }
        }
        found
    }

    /// A tie of [`Process::judge_ties`], with the values of now.
    pub(crate) fn broken(&self, tie: usize) -> Option<Broken<'_>> {
        let tie = self.ties.get(tie)?;
        let Law::Agree { first, second, tolerance } = tie.law else { return None };
        let (one, other) = (self.value(first)?, self.value(second)?);
        let difference = (one - other).abs();
        Some(Broken {
            tie: &tie.name,
            law: "agree",
            residual: difference / tolerance - 1.0,
            tags: [first, second],
            values: [one, other],
            limit: tolerance,
            found: difference,
        })
    }

    /// Whether some tie between a tag's neighbours is broken now: commands are then given on false values.
    pub(crate) fn any_tie_broken(&self) -> bool {
        self.ties.iter().any(|tie| tie.broken)
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
            let found = process.judge_ties(now);
            broken.extend(
                found.into_iter().filter_map(|tie| Some((second, process.broken(tie)?.tie.to_owned()))),
            );
        }
        assert_eq!(broken, [(65, "tank-level-at-plc-2-agrees-with-rtu".to_owned())]);
        assert!(process.any_tie_broken());
    }
}
