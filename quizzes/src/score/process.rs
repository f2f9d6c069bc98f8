//! The plant, part P of the score: how much of the money that the attack would have cost was kept.
//!
//! Three runs of one seed are compared: *none* (the attack, nobody acts), *clean* (no attack) and *actual*. Source: the
//! project's `scoring.md`, part P.

use record::VirtualTime;
use serde::{Deserialize, Serialize};

/// Everything that part P depends on. Money in the plant file's currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessInput {
    /// Harm where nobody acts.
    pub none: f64,
    /// Harm without the attack.
    pub clean: f64,
    /// Harm in this run.
    pub actual: f64,
    /// Below this much money harm means nothing.
    pub floor: f64,
    /// When a person first wrote to the plant or cut its own talk; `None` where nobody did.
    pub first_change: Option<VirtualTime>,
    /// When the first call that was right came; `None` without any.
    pub first_right_call: Option<VirtualTime>,
}

/// Part P with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessScore {
    /// -50 to 100; `None` where the part is left out.
    pub points: Option<f64>,
    /// Why, in one sentence.
    pub why: String,
}

/// Scores part P: `100 clamp((none - actual) / (none - clean), -0.5, 1)`, left out where the attack would have cost less
/// than the floor; at most 0 where the plant was changed, or its own talk cut, with no right call before it.
pub fn process(input: &ProcessInput) -> ProcessScore {
    let at_stake = input.none - input.clean;
    if at_stake < input.floor {
        let why = format!(
            "left out: the attack alone would have cost {at_stake:.0}, less than the {:.0} from which harm counts",
            input.floor
        );
        return ProcessScore { points: None, why };
    }
    let kept = input.none - input.actual;
    let points = 100.0 * (kept / at_stake).clamp(-0.5, 1.0);
    let reason = format!("{kept:.0} of the {at_stake:.0} that the attack would have cost was kept");
    let justified = match (input.first_change, input.first_right_call) {
        (Some(change), Some(call)) => call <= change,
        (Some(_), None) => false,
        (None, _) => true,
    };
    if justified || points <= 0.0 {
        return ProcessScore { points: Some(points), why: reason };
    }
    let why = format!(
        "{reason}, {points:.0} points; but the plant was changed, or its own talk cut, with no right call before it, which gives at most 0"
    );
    ProcessScore { points: Some(0.0), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(actual: f64) -> ProcessInput {
        ProcessInput {
            none: 10_000.0,
            clean: 0.0,
            actual,
            floor: 1000.0,
            first_change: Some(VirtualTime::from_secs(100)),
            first_right_call: Some(VirtualTime::from_secs(90)),
        }
    }

    #[test]
    fn what_was_kept_counts_from_minus_fifty_to_a_hundred() {
        for (actual, points) in
            [(0.0, 100.0), (2500.0, 75.0), (10_000.0, 0.0), (12_000.0, -20.0), (90_000.0, -50.0)]
        {
            assert_eq!(process(&input(actual)).points, Some(points), "{actual}");
        }
    }

    #[test]
    fn below_the_floor_the_part_is_left_out() {
        let small = ProcessInput { none: 900.0, ..input(0.0) };
        assert_eq!(process(&small).points, None);
    }

    #[test]
    fn a_change_without_a_right_call_before_it_gives_at_most_nothing() {
        let late = VirtualTime::from_secs(101);
        for first_right_call in [None, Some(late)] {
            let unjustified = ProcessInput { first_right_call, ..input(0.0) };
            assert_eq!(process(&unjustified).points, Some(0.0));
            assert_eq!(process(&ProcessInput { actual: 12_000.0, ..unjustified }).points, Some(-20.0));
        }
        let nobody = ProcessInput { first_change: None, first_right_call: None, ..input(2500.0) };
        assert_eq!(process(&nobody).points, Some(75.0), "the plant's own protection may keep it");
    }
}
