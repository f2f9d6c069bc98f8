//! How customers' demand wanders.
//!
//! Demand is constant until somebody starts it: the reference has constant loads, and a study wants to see one thing move at a
//! time. In a lab it wanders about its steady state, as the sum of many small customers does, so that frequency and
//! flows are never quite still. Each `every_s` there is a keyed draw; between two of them demand runs in a straight line.

use record::KeyedStream;

use super::design::WanderDesign;

/// The demand of one load.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    draws: KeyedStream,
}

/// Draws beyond this many standard deviations are cut: demand does not leap.
const DRAW_MAX: f64 = 2.5;
/// Time over which wandering sets in, s: a run begins in the steady state.
const ONSET_S: f64 = 60.0;

impl Demand {
    pub(crate) fn new(seed: u64, load: &str) -> Self {
        Self { draws: KeyedStream::new(seed, load, "demand") }
    }

    /// Demand over that of the steady state, `since_s` after it was started at `offset_s` into its pattern.
    pub(crate) fn multiplier(&mut self, design: &WanderDesign, offset_s: f64, since_s: f64) -> f64 {
        let place = (offset_s + since_s) / design.every_s;
        let before = place.floor();
        let mut draw = |occurrence: f64| self.draws.normal(occurrence as u64).clamp(-DRAW_MAX, DRAW_MAX);
        let (from, to) = (draw(before), draw(before + 1.0));
        let wander = from + (place - before) * (to - from);
        1.0 + (since_s / ONSET_S).min(1.0) * design.share * wander
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESIGN: WanderDesign = WanderDesign { share: 0.006, every_s: 20.0 };

    #[test]
    fn it_begins_at_the_steady_state_and_stays_close_to_it() {
        let mut demand = Demand::new(1, "52L5");
        assert_eq!(demand.multiplier(&DESIGN, 28_800.0, 0.0), 1.0);
        let values: Vec<f64> =
            (0..3600).map(|second| demand.multiplier(&DESIGN, 28_800.0, f64::from(second))).collect();
        assert!(values.iter().all(|value| (value - 1.0).abs() <= 0.015));
        let fastest = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
        assert!(fastest > 1e-4 && fastest < 2e-3, "{fastest}");
    }

    #[test]
    fn a_moment_has_one_demand_whatever_was_asked_before() {
        let mut one = Demand::new(1, "52L5");
        let mut other = one.clone();
        other.multiplier(&DESIGN, 0.0, 500.0);
        assert_eq!(one.multiplier(&DESIGN, 0.0, 100.0), other.multiplier(&DESIGN, 0.0, 100.0));
    }
}
