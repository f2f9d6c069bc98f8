//! Containment, part C of the score: what of the attack was kept from happening, and what of the plant's own talk went on.
//!
//! # Theory of operation
//! Two runs of one seed are compared, *none* (the attack, nobody acts) and *actual*, by what crossed the mirror port in
//! both. An *operation* is a request of a hostile step that changes something and that was carried out; C asks how many
//! of those that *none* has since the attack could first be seen are missing from *actual*. An *exchange* is a request
//! that was answered and belongs to no hostile step; C asks which share of each legitimate flow's exchanges was still
//! there between the first containing act and the end of the attack. So C = 100 x prevented x served squared, times 0.9
//! for each block that has no end or stops more than it must. Source: the project's `scoring.md`, part C.
//!
//! Who counts is whoever has both runs (the lab); here is the law alone.
//!
//! # Where the law leaves room
//! - Operations are counted step by step, so that more of one step does not outweigh less of another, and what a person
//!   provoked beyond *none* counts as nothing prevented.
//! - The share of a class is the mean over its flows, each at most 1: a busy flow does not hide a quiet one, and
//!   traffic of one's own makes up for nothing.
//! - Weights by consequence: control and view 3, engineering and replication 1. A class without exchanges in *none* is
//!   left out. One share of 0 gives 0, as a geometric mean does.
//! - An attack that changes nothing is counted by its answered requests, since nothing worse is there to prevent.

use record::VirtualTime;
use serde::{Deserialize, Serialize};

use super::lines::clock;
use super::part::{Part, PartLine};

/// What a legitimate flow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowClass {
    /// Commands of operators, and what controllers tell each other.
    Control,
    /// What operators see.
    View,
    /// Engineers at controllers.
    Engineering,
    /// Historians and their copies.
    Replication,
}

impl FlowClass {
    /// All, by consequence.
    pub const ALL: [Self; 4] = [Self::Control, Self::View, Self::Engineering, Self::Replication];

    /// How much its loss weighs.
    pub const fn weight(self) -> f64 {
        match self {
            Self::Control | Self::View => 3.0,
            Self::Engineering | Self::Replication => 1.0,
        }
    }

    /// The word in sentences.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::View => "view",
            Self::Engineering => "engineering",
            Self::Replication => "replication",
        }
    }
}

/// Operations of one hostile step since the attack could first be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// The step.
    pub step: String,
    /// How many there were where nobody acts.
    pub none: u64,
    /// How many there were in this run.
    pub actual: u64,
}

/// Answered exchanges of one legitimate flow between containment and the end of the attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// What it is for.
    pub class: FlowClass,
    /// Who talks to whom, for sentences.
    pub name: String,
    /// How many there were where nobody acts.
    pub none: u64,
    /// How many there were in this run.
    pub actual: u64,
}

/// A rule that a person put in and that denies something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// Whether it goes away by itself.
    pub expires: bool,
    /// A legitimate flow that it stops, if it does.
    pub stops: Option<String>,
}

/// Everything that part C depends on.
#[derive(Clone, Copy, Debug)]
pub struct ContainmentInput<'a> {
    /// Hostile operations by step.
    pub operations: &'a [Operations],
    /// Legitimate flows.
    pub flows: &'a [Served],
    /// What the person blocked.
    pub blocks: &'a [Block],
    /// When a person first did something against it; `None` where nobody did.
    pub contained: Option<VirtualTime>,
}

/// What a block costs that has no end, or stops more than it must.
const BLOCK_FACTOR: f64 = 0.9;

/// Share of the operations of *none* that did not happen; `None` where there were none.
pub fn prevented(operations: &[Operations]) -> Option<f64> {
    let all: u64 = operations.iter().map(|it| it.none).sum();
    let missing: u64 = operations.iter().map(|it| it.none.saturating_sub(it.actual)).sum();
    (all > 0).then(|| missing as f64 / all as f64)
}

/// Share of a class that was served, the mean over its flows; `None` where it has no exchange in *none*.
pub fn share(flows: &[Served], class: FlowClass) -> Option<f64> {
    let shares: Vec<f64> = flows
        .iter()
        .filter(|flow| flow.class == class && flow.none > 0)
        .map(|flow| (flow.actual as f64 / flow.none as f64).min(1.0))
        .collect();
    (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
}

/// Weighted geometric mean of the shares of all classes; 1 where there are none.
pub fn served(flows: &[Served]) -> f64 {
    let shares = FlowClass::ALL.into_iter().filter_map(|class| Some((class.weight(), share(flows, class)?)));
    let (mut weights, mut logarithms) = (0.0, 0.0);
    for (weight, share) in shares {
        if share <= 0.0 {
            return 0.0;
        }
        weights += weight;
        logarithms += weight * libm::log(share);
    }
    if weights > 0.0 { libm::exp(logarithms / weights) } else { 1.0 }
}

/// Scores part C. Left out where the attack did nothing that could have been prevented.
pub fn containment(input: &ContainmentInput<'_>) -> Part {
    let Some(prevented) = prevented(input.operations) else {
        return Part::left_out(
            "left out: since it could first be seen, the attack carried out nothing that could have been prevented",
        );
    };
    let Some(contained) = input.contained else {
        return Part::nothing("nobody did anything against the attack");
    };
    let mut account = Part::begin(100.0 * prevented, prevented_line(input.operations, prevented));
    let served = served(input.flows);
    account.scale(served * served, served_line(input.flows, served, contained));
    for block in input.blocks {
        let name = &block.name;
        if !block.expires {
            let why = "a block without an end is forgotten and found in the next outage: x 0.9";
            account.scale(BLOCK_FACTOR, (format!("the rule {name} has no duration"), why.to_owned()));
        }
        if let Some(flow) = &block.stops {
            let what = format!("the rule {name} also stops {flow}");
            let why = "a block that stops legitimate talk is wider than needed: x 0.9";
            account.scale(BLOCK_FACTOR, (what, why.to_owned()));
        }
    }
    account
}

fn prevented_line(operations: &[Operations], prevented: f64) -> (String, String) {
    let all: u64 = operations.iter().map(|it| it.none).sum();
    let missing: u64 = operations.iter().map(|it| it.none.saturating_sub(it.actual)).sum();
    let partly: Vec<String> = operations
        .iter()
        .filter(|it| it.none > 0)
        .map(|it| format!("{} {} of {}", it.step, it.none.saturating_sub(it.actual), it.none))
        .collect();
    let what = format!("{missing} of {all} hostile operations did not happen");
    let why = format!(
        "{:.0} % of what the attack carries out where nobody acts, since it could first be seen: {}",
        100.0 * prevented,
        PartLine::some_of(&partly)
    );
    (what, why)
}

fn served_line(flows: &[Served], served: f64, contained: VirtualTime) -> (String, String) {
    let classes: Vec<String> = FlowClass::ALL
        .into_iter()
        .filter_map(|class| Some(format!("{} {:.0} %", class.word(), 100.0 * share(flows, class)?)))
        .collect();
    let what = format!("{:.0} % of the plant's own talk was still served", 100.0 * served);
    let mut why = if classes.is_empty() {
        format!("from {} to the end of the attack nobody else would have talked", clock(contained))
    } else {
        format!(
            "from {} to the end of the attack, against the run where nobody acts: {}; the weighted geometric mean counts squared",
            clock(contained),
            classes.join(", ")
        )
    };
    let cut: Vec<String> = flows
        .iter()
        .filter(|flow| flow.actual < flow.none)
        .map(|flow| format!("{} {} of {}", flow.name, flow.actual, flow.none))
        .collect();
    if !cut.is_empty() {
        why.push_str("; less than before: ");
        why.push_str(&PartLine::some_of(&cut));
    }
    (what, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(none: u64, actual: u64) -> Vec<Operations> {
        vec![Operations { step: "write".into(), none, actual }]
    }

    fn flow(class: FlowClass, none: u64, actual: u64) -> Served {
        Served { class, name: "hmi to plc-1:502".into(), none, actual }
    }

    #[track_caller]
    fn check(operations: &[Operations], flows: &[Served], blocks: &[Block], expected: Option<f64>) {
        let contained = Some(VirtualTime::from_secs(100));
        let part = containment(&ContainmentInput { operations, flows, blocks, contained });
        let near = match (part.points, expected) {
            (Some(got), Some(expected)) => (got - expected).abs() < 1e-9,
            (got, expected) => got == expected,
        };
        assert!(near, "got {:?}, expected {expected:?}: {:#?}", part.points, part.lines);
    }

    #[test]
    fn prevented_counts_once_and_served_twice() {
        check(&operations(4, 1), &[flow(FlowClass::View, 100, 100)], &[], Some(75.0));
        check(&operations(4, 0), &[flow(FlowClass::View, 100, 50)], &[], Some(25.0));
        check(&operations(4, 4), &[], &[], Some(0.0));
        check(&operations(4, 9), &[], &[], Some(0.0));
        check(&operations(0, 0), &[], &[], None);
    }

    #[test]
    fn classes_weigh_by_consequence() {
        let flows = [flow(FlowClass::View, 10, 5), flow(FlowClass::Replication, 10, 10)];
        let mean = libm::exp2(-0.75);
        check(&operations(1, 0), &flows, &[], Some(100.0 * mean * mean));
        let flows = [flow(FlowClass::View, 10, 10), flow(FlowClass::Replication, 10, 5)];
        let mean = libm::exp2(-0.25);
        check(&operations(1, 0), &flows, &[], Some(100.0 * mean * mean));
    }

    #[test]
    fn blocking_everything_gives_nothing() {
        let flows = FlowClass::ALL.map(|class| flow(class, 60, 0));
        check(&operations(50, 0), &flows, &[], Some(0.0));
    }

    #[test]
    fn what_is_talked_besides_makes_up_for_nothing() {
        let flows = [flow(FlowClass::View, 10, 1000), flow(FlowClass::View, 10, 5)];
        check(&operations(1, 0), &flows, &[], Some(100.0 * 0.75 * 0.75));
    }

    #[test]
    fn a_block_without_end_or_wider_than_needed_costs_a_tenth_each() {
        let block =
            |expires, stops: Option<&str>| Block { name: "b".into(), expires, stops: stops.map(Into::into) };
        for (blocks, points) in [
            (vec![block(true, None)], 100.0),
            (vec![block(false, None)], 90.0),
            (vec![block(false, Some("hmi to plc-1:502"))], 81.0),
            (vec![block(false, None), block(true, Some("x"))], 81.0),
        ] {
            check(&operations(1, 0), &[], &blocks, Some(points));
        }
    }

    #[test]
    fn who_does_nothing_gets_nothing() {
        let operations = operations(5, 0);
        let input = ContainmentInput { operations: &operations, flows: &[], blocks: &[], contained: None };
        assert_eq!(containment(&input).points, Some(0.0));
    }
}
