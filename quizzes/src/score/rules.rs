//! The figures of the scoring law, as pure functions. Source: the project's `scoring.md`, part D.
//!
//! Times and spans are seconds of simulated time.

use record::{Confidence, EntityId, VirtualTime, attack};

/// How far a call's interval may miss a step, s.
pub const GRACE_S: f64 = 30.0;
/// Quality of a claim, and of a call that names the right asset and no more.
pub const QUALITY_ASSET: f64 = 0.6;
/// Quality of a call whose technique belongs to a right tactic.
pub const QUALITY_TACTIC: f64 = 0.8;
/// Quality of a call whose technique is listed for the step.
pub const QUALITY_TECHNIQUE: f64 = 1.0;
/// Quality of a call on a consequence.
pub const QUALITY_CONSEQUENCE: f64 = 0.4;
/// Share of a step's weight that quality and speed earn; the rest is for confidence.
pub const SHARE_OF_QUALITY: f64 = 0.8;
/// W of a run without an attack.
pub const WEIGHT_WITHOUT_ATTACK: f64 = 2.0;
/// Horizon of a step that leads to no limit, and of benign events, s.
pub const HORIZON_WITHOUT_LIMIT_S: f64 = 900.0;

/// The span in which a step's worth halves, s: from first sight to the limit in the do-nothing twin, within 5 minutes
/// and an hour; 900 s where no limit is crossed.
pub fn horizon(observable: VirtualTime, limit: Option<VirtualTime>) -> f64 {
    limit.map_or(HORIZON_WITHOUT_LIMIT_S, |limit| {
        (limit.as_secs_f64() - observable.as_secs_f64()).clamp(300.0, 3600.0)
    })
}

/// What is left of a step's worth after `delay_s`: half per horizon, nothing later than two horizons.
pub fn timeliness(delay_s: f64, horizon_s: f64) -> f64 {
    if (0.0..=2.0 * horizon_s).contains(&delay_s) { libm::exp2(-delay_s / horizon_s) } else { 0.0 }
}

/// What confidence adds to a right call, as a share of the step's weight.
pub const fn bonus(confidence: Confidence) -> f64 {
    match confidence {
        Confidence::Low => 0.0,
        Confidence::Mid => 0.14,
        Confidence::High => 0.20,
    }
}

/// What confidence costs in a false call, as a share of W.
pub const fn cost(confidence: Confidence) -> f64 {
    match confidence {
        Confidence::Low => 0.15,
        Confidence::Mid => 0.43,
        Confidence::High => 0.67,
    }
}

/// Credit of a call on a step of weight `weight`. Nothing where `timeliness` is 0.
pub fn credit(weight: f64, quality: f64, timeliness: f64, confidence: Confidence) -> f64 {
    if timeliness > 0.0 {
        weight * (SHARE_OF_QUALITY * quality * timeliness + bonus(confidence))
    } else {
        0.0
    }
}

/// Credit of a claim, or of a claim with a revised technique: no F1, no bonus.
pub fn claim_credit(weight: f64, quality: f64, timeliness: f64) -> f64 {
    weight * SHARE_OF_QUALITY * quality * timeliness
}

/// How well a call's technique (an id, a tactic, or nothing) fits a step's list, given that the asset is right.
pub fn technique_quality(given: Option<&str>, listed: &[String]) -> f64 {
    let Some(given) = given else { return QUALITY_ASSET };
    if listed.iter().any(|id| id == given) {
        return QUALITY_TECHNIQUE;
    }
    let mut right = listed.iter().flat_map(|id| attack::tactics(id));
    let of_given = attack::tactics(given);
    if right.any(|tactic| tactic == given || of_given.contains(&tactic)) {
        QUALITY_TACTIC
    } else {
        QUALITY_ASSET
    }
}

/// F1 of the entities named against those that took part: harmonic mean of the share of named ones that are right and
/// the share of right ones that are named. Both without repetition; 0 where either is empty.
pub fn f1(named: &[EntityId], right: &[EntityId]) -> f64 {
    let hits = named.iter().filter(|entity| right.contains(entity)).count();
    if named.is_empty() || right.is_empty() {
        0.0
    } else {
        2.0 * hits as f64 / (named.len() + right.len()) as f64
    }
}

/// Whether a call's interval meets a span, with 30 s of grace at either end.
pub fn overlaps(interval: [VirtualTime; 2], start: VirtualTime, end: VirtualTime) -> bool {
    interval[0].as_secs_f64() <= end.as_secs_f64() + GRACE_S
        && interval[1].as_secs_f64() >= start.as_secs_f64() - GRACE_S
}

/// Intersection over union of a call's interval with a step's span widened by the grace: timeliness in the offline form.
pub fn overlap_share(interval: [VirtualTime; 2], start: VirtualTime, end: VirtualTime) -> f64 {
    let (a0, a1) = (interval[0].as_secs_f64(), interval[1].as_secs_f64());
    let (b0, b1) = (start.as_secs_f64() - GRACE_S, end.as_secs_f64() + GRACE_S);
    let common = (a1.min(b1) - a0.max(b0)).max(0.0);
    let whole = (a1 - a0) + (b1 - b0) - common;
    if whole > 0.0 { common / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> VirtualTime {
        VirtualTime::from_secs(seconds)
    }

    #[test]
    fn the_horizon_is_clamped() {
        assert_eq!(horizon(at(100), None), 900.0);
        assert_eq!(horizon(at(100), Some(at(150))), 300.0);
        assert_eq!(horizon(at(100), Some(at(700))), 600.0);
        assert_eq!(horizon(at(100), Some(at(90_000))), 3600.0);
        assert_eq!(horizon(at(100), Some(at(50))), 300.0, "a limit crossed before the step showed");
    }

    #[test]
    fn worth_halves_per_horizon_and_ends_after_two() {
        assert_eq!(timeliness(0.0, 900.0), 1.0);
        assert_eq!(timeliness(900.0, 900.0), 0.5);
        assert_eq!(timeliness(1800.0, 900.0), 0.25);
        assert_eq!(timeliness(1800.1, 900.0), 0.0);
        assert_eq!(timeliness(-0.1, 900.0), 0.0);
    }

    /// Which level of confidence is best when a call is right with probability p: low up to 2/3, mid up to 4/5, then high,
    /// whatever the quality and however late.
    #[test]
    fn honesty_about_confidence_pays() {
        for (low, high, p) in
            [(Confidence::Low, Confidence::Mid, 2.0 / 3.0), (Confidence::Mid, Confidence::High, 0.8)]
        {
            for (quality, timeliness) in [(0.6, 1.0), (1.0, 0.25)] {
                let expected = |c, p: f64| p * credit(1.0, quality, timeliness, c) - (1.0 - p) * cost(c);
                assert!(expected(high, p + 0.001) > expected(low, p + 0.001));
                assert!(expected(high, p - 0.001) < expected(low, p - 0.001));
            }
        }
    }

    #[test]
    fn techniques_count_by_id_then_by_tactic() {
        let listed = ["T0836".to_owned(), "T0831".to_owned()];
        assert_eq!(technique_quality(None, &listed), 0.6);
        assert_eq!(technique_quality(Some("T0831"), &listed), 1.0);
        assert_eq!(technique_quality(Some("T0855"), &listed), 0.8, "the same tactic as T0836");
        assert_eq!(technique_quality(Some("impact"), &listed), 0.8, "the tactic of T0831");
        assert_eq!(technique_quality(Some("T0846"), &listed), 0.6, "discovery is neither");
        assert_eq!(technique_quality(Some("discovery"), &listed), 0.6);
    }

    #[test]
    fn f1_falls_with_what_is_missing_and_with_what_is_too_much() {
        let [a, b, c] = ["a", "b", "c"].map(EntityId::host);
        assert_eq!(f1(&[a.clone(), b.clone()], &[b.clone(), a.clone()]), 1.0);
        assert_eq!(f1(std::slice::from_ref(&a), &[a.clone(), b.clone()]), 2.0 / 3.0);
        assert_eq!(f1(&[a.clone(), c.clone()], &[a.clone(), b]), 0.5);
        assert_eq!(f1(&[c], &[a]), 0.0);
        assert_eq!(f1(&[], &[]), 0.0);
    }

    #[test]
    fn grace_is_thirty_seconds_either_side() {
        assert!(overlaps([at(130), at(130)], at(50), at(100)));
        assert!(!overlaps([at(131), at(140)], at(50), at(100)));
        assert!(overlaps([at(0), at(20)], at(50), at(100)));
        assert!(!overlaps([at(0), at(19)], at(50), at(100)));
    }

    #[test]
    fn the_offline_form_takes_intersection_over_union() {
        assert_eq!(overlap_share([at(70), at(230)], at(100), at(200)), 1.0);
        assert_eq!(overlap_share([at(70), at(150)], at(100), at(200)), 0.5);
        assert_eq!(overlap_share([at(300), at(400)], at(100), at(200)), 0.0);
    }
}
