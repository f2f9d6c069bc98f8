//! Laws that hold over time: what each has found at a moment, to be compared with what it allows.

use site::TieLaw;

use super::{Latest, SECOND};
use crate::repeats::{RUN, Repeats, digest};

/// How old a value may be and still prove something.
const FRESH: u64 = 60 * SECOND;
/// Span over which a balance is taken: long enough for the level to move by more than its noise.
const BALANCE: u64 = 600 * SECOND;
/// A valve or pump below this is closed.
const CLOSED: f64 = 0.5;

/// A law with what it has to remember.
#[derive(Clone, Debug)]
pub(super) enum Law {
    /// Judged when a setpoint is written, not here.
    Dose,
    Agree,
    Rate {
        from: Option<Latest>,
        fastest: f64,
        at: u64,
    },
    Moves {
        value: Option<f64>,
        since: u64,
    },
    Balance {
        area_m2: f64,
        inflows: usize,
        from: Option<Latest>,
        moved_m3: f64,
        last: u64,
        found: Option<f64>,
    },
    Follows {
        since: Option<u64>,
    },
    FlowNeeds,
    Recording {
        repeats: Repeats,
        found: usize,
    },
}

/// The word for a law in records.
pub(super) fn word(law: &Law) -> &'static str {
    match law {
        Law::Dose => "dose_within_capacity",
        Law::Agree => "agree",
        Law::Rate { .. } => "rate",
        Law::Moves { .. } => "moves",
        Law::Balance { .. } => "balance",
        Law::Follows { .. } => "follows",
        Law::FlowNeeds => "flow_needs",
        Law::Recording { .. } => "never_repeats",
    }
}

/// The law of a site file, what it allows, and for how long it may be exceeded.
pub(super) fn of(law: &TieLaw) -> (Law, f64, u64) {
    match law {
        TieLaw::DoseWithinCapacity { capacity_kg_per_h, .. } => (Law::Dose, *capacity_kg_per_h, 0),
        TieLaw::Agree { tolerance, .. } => (Law::Agree, *tolerance, 15 * SECOND),
        TieLaw::Rate { per_s, .. } => (Law::Rate { from: None, fastest: 0.0, at: 0 }, *per_s, 0),
        TieLaw::Moves { within_s, .. } => (Law::Moves { value: None, since: 0 }, *within_s, 0),
        TieLaw::Balance { area_m2, inflows, tolerance_m3_per_s, .. } => {
            let (area_m2, inflows) = (*area_m2, inflows.len());
            let law = Law::Balance { area_m2, inflows, from: None, moved_m3: 0.0, last: 0, found: None };
            (law, *tolerance_m3_per_s, 0)
        }
        TieLaw::Follows { within_s, .. } => (Law::Follows { since: None }, *within_s, 0),
        TieLaw::FlowNeeds { at_most, .. } => (Law::FlowNeeds, *at_most, 60 * SECOND),
        TieLaw::NeverRepeats { .. } => {
            (Law::Recording { repeats: Repeats::default(), found: 0 }, (RUN - 1) as f64, 0)
        }
    }
}

fn fresh(latest: Option<Latest>, now: u64) -> Option<f64> {
    latest.filter(|latest| now.saturating_sub(latest.at) <= FRESH).map(|latest| latest.value)
}

impl Law {
    /// A tag of the law was read: `place` is its place among the law's tags.
    pub(super) fn read(&mut self, place: usize, value: f64, now: u64) {
        match self {
            Self::Rate { from, fastest, at } => {
                let Some(before) = *from else {
                    *from = Some(Latest { value, at: now });
                    return;
                };
                let span = now.saturating_sub(before.at);
                if span >= SECOND {
                    // Over a pause a value may have gone anywhere.
                    *fastest = if span > FRESH {
                        0.0
                    } else {
                        (value - before.value).abs() / (span as f64 / SECOND as f64)
                    };
                    (*from, *at) = (Some(Latest { value, at: now }), now);
                }
            }
            Self::Moves { value: known, since } if *known != Some(value) => {
                (*known, *since) = (Some(value), now);
            }
            Self::Recording { repeats, found } if place == 0 => *found = repeats.step(digest(value)),
            _ => {}
        }
    }

    /// What the law finds now, in the unit of what it allows; `None` where nothing can be said. `tags` are the latest
    /// values of its tags, in its order.
    pub(super) fn found(&mut self, tags: &[Option<Latest>], to_m3_per_s: f64, now: u64) -> Option<f64> {
        let value = |place: usize| fresh(tags.get(place).copied().flatten(), now);
        match self {
            Self::Dose => None,
            Self::Agree => Some((value(0)? - value(1)?).abs()),
            Self::Rate { fastest, at, .. } => {
                (now.saturating_sub(*at) <= FRESH && *at > 0).then_some(*fastest)
            }
            Self::Moves { since, .. } => {
                value(0)?;
                Some(now.saturating_sub(*since) as f64 / SECOND as f64)
            }
            Self::Balance { area_m2, inflows, from, moved_m3, last, found } => {
                let flows = (1..tags.len()).map(|place| {
                    let sign = if place <= *inflows { 1.0 } else { -1.0 };
                    value(place).map(|flow| sign * flow)
                });
                let (level, flow) = (value(0), flows.sum::<Option<f64>>());
                let (Some(level), Some(flow)) = (level, flow) else {
                    (*from, *found) = (None, None);
                    return None;
                };
                let Some(start) = *from else {
                    (*from, *moved_m3, *last) = (Some(Latest { value: level, at: now }), 0.0, now);
                    return None;
                };
                *moved_m3 += flow * to_m3_per_s * (now.saturating_sub(*last) as f64 / SECOND as f64);
                *last = now;
                let span = now.saturating_sub(start.at);
                if span >= BALANCE {
                    let stored_m3 = (level - start.value) * *area_m2;
                    *found = Some((stored_m3 - *moved_m3).abs() / (span as f64 / SECOND as f64));
                    (*from, *moved_m3) = (Some(Latest { value: level, at: now }), 0.0);
                }
                *found
            }
            Self::Follows { since } => {
                let differ = (value(0)? - value(1)?).abs() >= CLOSED;
                if !differ {
                    *since = None;
                    return Some(0.0);
                }
                let since = *since.get_or_insert(now);
                Some(now.saturating_sub(since) as f64 / SECOND as f64)
            }
            Self::FlowNeeds => {
                let flow = value(0)?;
                let open = (1..tags.len()).map(|place| value(place).map(|opener| opener > CLOSED));
                let open: Vec<bool> = open.collect::<Option<_>>()?;
                Some(if open.contains(&true) { 0.0 } else { flow.abs() })
            }
            Self::Recording { found, .. } => Some(*found as f64),
        }
    }
}
