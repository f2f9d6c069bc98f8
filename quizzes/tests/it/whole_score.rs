//! What holds for C, R and the whole, whatever happened and whatever was done.

use proptest::prelude::*;
use quizzes::Form;
use quizzes::score::containment::{Block, ContainmentInput, FlowClass, Operations, Served, containment};
use quizzes::score::part::Part;
use quizzes::score::recovery::{
    HandedReport, Inject, Recovery, ReportInput, ReportedEvent, RootCause, report_and_recovery,
};
use quizzes::score::total::{Mode, Parts, total};
use record::{Confidence, EntityId, Role, TruthStep, Verdict};

use crate::fixtures::{at, benign, call, names, near, scored, step};

/// An attack by `vendor-support`: into the operator station, then from there to the dose.
fn truth() -> Vec<TruthStep> {
    let mut look = step("look", 1, 1000.0, 1300.0, "host:hmi");
    look.techniques = vec!["T0822".into()];
    look.source = Some("host:vendor-support".parse().unwrap());
    let mut dose = step("dose", 3, 1200.0, 1210.0, "device:PLC-1");
    dose.source = Some("host:hmi".parse().unwrap());
    dose.points = vec!["point:NAOH.SP".parse().unwrap()];
    vec![benign("visit", Verdict::Authorised, 1, 100.0, "host:hmi"), look, dose]
}

fn entity(text: &str) -> EntityId {
    text.parse().unwrap()
}

fn event(entity_name: &str, technique: &str) -> ReportedEvent {
    ReportedEvent { entity: entity(entity_name), technique: Some(technique.into()) }
}

fn right() -> HandedReport {
    HandedReport {
        assets: vec![entity("device:PLC-1"), entity("host:hmi")],
        events: vec![event("host:hmi", "T0822"), event("point:NAOH.SP", "T0836")],
        indicators: vec!["192.168.1.20".into(), "vendor-support".into()],
        root_cause: Some(RootCause {
            verdict: Verdict::Attack,
            entity: Some(entity("host:vendor-support")),
            technique: Some("T0822".into()),
        }),
    }
}

#[track_caller]
fn adds_up(part: &Part) {
    if let Some(points) = part.points {
        let sum: f64 = part.lines.iter().map(|line| line.points).sum();
        assert!((sum - points).abs() < 1e-6, "lines add up to {sum}, the part is {points}: {part:#?}");
    }
    assert!(!part.lines.is_empty());
    assert!(part.lines.iter().all(|line| !line.what.is_empty() && !line.why.is_empty()));
}

fn reported(truth: &[TruthStep], handed: &HandedReport) -> Option<f64> {
    let names = names();
    let part = report_and_recovery(&ReportInput {
        truth,
        role: Role::Analyst,
        names: &names,
        handed: Some(handed),
        injects: &[],
        recovery: None,
        evidence_destroyed: false,
    });
    adds_up(&part);
    part.points
}

fn recovered(recovery: &Recovery, injects: &[Inject], evidence_destroyed: bool) -> Option<f64> {
    let (names, truth) = (names(), truth());
    let part = report_and_recovery(&ReportInput {
        truth: &truth,
        role: Role::Analyst,
        names: &names,
        handed: None,
        injects,
        recovery: Some(recovery),
        evidence_destroyed,
    });
    adds_up(&part);
    part.points
}

#[test]
fn a_right_report_is_worth_everything_and_an_empty_one_nothing() {
    near(reported(&truth(), &right()).unwrap(), 100.0);
    near(reported(&truth(), &HandedReport::default()).unwrap(), 0.0);
}

#[test]
fn each_element_counts_a_quarter() {
    let of = |change: &dyn Fn(&mut HandedReport)| {
        let mut handed = right();
        change(&mut handed);
        reported(&truth(), &handed).unwrap()
    };
    near(of(&|it| it.assets.clear()), 75.0);
    near(of(&|it| it.assets.push(entity("host:mail"))), 75.0 + 25.0 * 2.0 / 3.0);
    near(of(&|it| it.events.reverse()), 75.0);
    near(of(&|it| it.events.truncate(1)), 75.0);
    near(of(&|it| it.events.push(event("host:mail", "T0846"))), 75.0 + 25.0 / 3.0);
    near(of(&|it| it.indicators.truncate(1)), 75.0 + 25.0 * 2.0 / 3.0);
    near(of(&|it| it.indicators.push("evil.example".into())), 75.0 + 25.0 * 0.8);
    near(of(&|it| it.root_cause.as_mut().unwrap().verdict = Verdict::Fault), 75.0);
    near(of(&|it| it.root_cause.as_mut().unwrap().technique = None), 75.0 + 25.0 * 0.75);
    near(of(&|it| it.root_cause.as_mut().unwrap().entity = None), 75.0 + 25.0 * 0.75);
}

#[test]
fn without_an_attack_the_root_cause_alone_is_asked_for() {
    let truth = [benign("probe", Verdict::Fault, 2, 100.0, "point:AIT-202")];
    let mut handed = HandedReport::default();
    near(reported(&truth, &handed).unwrap(), 0.0);
    handed.root_cause =
        Some(RootCause { verdict: Verdict::Fault, entity: Some(entity("point:AIT-202")), technique: None });
    near(reported(&truth, &handed).unwrap(), 100.0);
    assert_eq!(reported(&[], &handed), None, "nothing happened at all");
}

#[test]
fn recovery_counts_what_was_broken_and_needs_a_right_call() {
    let broken = |restored: &[&str], justified| Recovery {
        broken: vec!["NAOH.SP".into(), "CL2.SP".into()],
        restored: restored.iter().map(|tag| (*tag).to_owned()).collect(),
        upset: vec!["pH high".into()],
        still_upset: vec![],
        justified,
    };
    near(recovered(&broken(&["NAOH.SP", "CL2.SP"], true), &[], false).unwrap(), 100.0);
    near(recovered(&broken(&["NAOH.SP"], true), &[], false).unwrap(), 75.0);
    near(recovered(&broken(&["NAOH.SP", "CL2.SP"], false), &[], false).unwrap(), 0.0);
    near(recovered(&broken(&["NAOH.SP", "CL2.SP"], true), &[], true).unwrap(), 50.0);
    assert_eq!(recovered(&Recovery { justified: true, ..Recovery::default() }, &[], false), None);
}

#[test]
fn injects_halve_with_each_window() {
    let inject = |late_s| Inject { name: "call the shift".into(), points: 10.0, late_s, window_s: 300.0 };
    let of = |injects: &[Inject]| recovered(&Recovery::default(), injects, false).unwrap();
    near(of(&[inject(Some(0.0))]), 100.0);
    near(of(&[inject(Some(300.0)), inject(None)]), 25.0);
    near(of(&[inject(Some(-5.0)), inject(Some(600.0))]), 62.5);
}

fn operations() -> impl Strategy<Value = Vec<Operations>> {
    proptest::collection::vec((0_u64..40, 0_u64..40), 0..5).prop_map(|list| {
        let numbered = list.into_iter().enumerate();
        numbered.map(|(n, (none, actual))| Operations { step: format!("s{n}"), none, actual }).collect()
    })
}

fn flows() -> impl Strategy<Value = Vec<Served>> {
    proptest::collection::vec((0_usize..4, 0_u64..500, 0_u64..600), 0..8).prop_map(|list| {
        let flow = |(class, none, actual): (usize, u64, u64)| Served {
            class: FlowClass::ALL[class],
            name: format!("flow {class}"),
            none,
            actual,
        };
        list.into_iter().map(flow).collect()
    })
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    proptest::collection::vec((any::<bool>(), any::<bool>()), 0..4).prop_map(|list| {
        let block = |(expires, wide): (bool, bool)| Block {
            name: "b".into(),
            expires,
            stops: wide.then(|| "a flow".to_owned()),
        };
        list.into_iter().map(block).collect()
    })
}

fn contained(operations: &[Operations], flows: &[Served], blocks: &[Block]) -> Part {
    let part = containment(&ContainmentInput { operations, flows, blocks, contained: Some(at(100.0)) });
    adds_up(&part);
    part
}

const THINGS: [&str; 6] =
    ["device:PLC-1", "device:PLC-2", "device:PLC-3", "host:hmi", "point:NAOH.SP", "host:mail"];

fn handed() -> impl Strategy<Value = HandedReport> {
    let things = || proptest::collection::vec(0_usize..6, 0..8);
    let cause = proptest::option::of((0_usize..3, 0_usize..6));
    (things(), things(), things(), cause).prop_map(|(assets, events, indicators, cause)| HandedReport {
        assets: assets.into_iter().map(|n| entity(THINGS[n])).collect(),
        events: events.into_iter().map(|n| event(THINGS[n], "T0836")).collect(),
        indicators: indicators.into_iter().map(|n| THINGS[n].to_owned()).collect(),
        root_cause: cause.map(|(verdict, n)| RootCause {
            verdict: [Verdict::Attack, Verdict::Fault, Verdict::Authorised][verdict],
            entity: Some(entity(THINGS[n])),
            technique: None,
        }),
    })
}

fn part() -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(0.0..=100.0_f64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn c_is_from_0_to_100_and_blocking_all_gives_0(operations in operations(), flows in flows(), blocks in blocks()) {
        if let Some(points) = contained(&operations, &flows, &blocks).points {
            prop_assert!((-1e-9..=100.0 + 1e-9).contains(&points));
        }
        let cut: Vec<Served> = flows.iter().map(|flow| Served { actual: 0, ..flow.clone() }).collect();
        let stopped: Vec<Operations> = operations.iter().map(|it| Operations { actual: 0, ..it.clone() }).collect();
        if flows.iter().any(|flow| flow.none > 0) && let Some(points) = contained(&stopped, &cut, &blocks).points {
            prop_assert!(points.abs() < 1e-9, "{points}");
        }
    }

    #[test]
    fn to_prevent_later_to_cut_more_or_to_block_wider_never_helps(operations in operations(), flows in flows(), blocks in blocks(), which in 0_usize..8) {
        let before = contained(&operations, &flows, &blocks).points;
        let mut later = operations.clone();
        if let Some(one) = later.get_mut(which) { one.actual += 1; }
        prop_assert!(contained(&later, &flows, &blocks).points <= before.map(|points| points + 1e-9));
        let mut cut = flows.clone();
        if let Some(one) = cut.get_mut(which) { one.actual /= 2; }
        prop_assert!(contained(&operations, &cut, &blocks).points <= before.map(|points| points + 1e-9));
        let mut more = blocks.clone();
        more.push(Block { name: "b".into(), expires: false, stops: Some("a flow".into()) });
        prop_assert!(contained(&operations, &flows, &more).points <= before.map(|points| points + 1e-9));
    }

    #[test]
    fn to_stuff_a_report_never_helps(handed in handed()) {
        let truth = truth();
        let before = reported(&truth, &handed).unwrap();
        prop_assert!((0.0..=100.0 + 1e-9).contains(&before));
        let mut stuffed = handed.clone();
        stuffed.assets.push(entity("host:office-7"));
        stuffed.events.insert(0, event("host:office-7", "T0846"));
        stuffed.indicators.push("198.51.100.77".into());
        prop_assert!(reported(&truth, &stuffed).unwrap() <= before + 1e-9);
        let mut copied = handed.clone();
        copied.assets.extend(handed.assets.clone());
        copied.indicators.extend(handed.indicators.clone());
        prop_assert!((reported(&truth, &copied).unwrap() - before).abs() < 1e-9);
    }

    #[test]
    fn s_lies_between_its_parts_and_explains_itself(detect in part(), contain in part(), process in part(), report in part(), mode in 0_usize..3, own in any::<bool>()) {
        let mode = [Mode::Active, Mode::Passive, Mode::Tabletop][mode];
        let parts = Parts { detect, contain, process, report };
        let score = total(mode, parts, &[]);
        adds_up(&score);
        let all: Vec<f64> = [detect, contain, process, report].into_iter().flatten().collect();
        if let Some(points) = score.points {
            let (low, high) = all.iter().fold((100.0_f64, 0.0_f64), |(low, high), it| (low.min(*it), high.max(*it)));
            prop_assert!((low - 1e-9..=high + 1e-9).contains(&points), "{points} of {all:?}");
        }
        if own {
            let gated = total(mode, parts, &["pH high"]);
            adds_up(&gated);
            prop_assert!(gated.points.is_none_or(|points| points <= 59.0 + 1e-9));
            prop_assert!(gated.points <= score.points.map(|points| points + 1e-9));
        }
    }

    #[test]
    fn the_same_call_later_never_earns_more(first in 0_u32..4000, later in 0_u32..2000, technique in 0_usize..3, horizon in 300_u32..3600) {
        let mut one = step("s", 2, 1000.0, 9000.0, "device:PLC-1");
        one.limit_time = Some(at(1000.0 + f64::from(horizon)));
        let technique = [None, Some("T0836"), Some("T0846")][technique];
        for confidence in [Confidence::Low, Confidence::Mid, Confidence::High] {
            let at_time = |t: u32| {
                let calls = [call(1, 1000.0 + f64::from(t), "device:PLC-1", technique, confidence)];
                scored(std::slice::from_ref(&one), &calls, Form::Live).detect
            };
            prop_assert!(at_time(first + later) <= at_time(first));
        }
    }

    #[test]
    fn to_copy_ones_calls_never_helps(delays in proptest::collection::vec(0_u32..2000, 1..4), confidence in 0_usize..3) {
        let truth: Vec<TruthStep> = THINGS.iter().zip(0..3).map(|(thing, n)| step(&format!("s{n}"), 2, 1000.0, 4000.0, thing)).collect();
        let confidence = [Confidence::Low, Confidence::Mid, Confidence::High][confidence];
        let calls: Vec<_> = delays.iter().zip(1..).map(|(delay, id)| call(id, 1000.0 + f64::from(*delay), THINGS[id as usize % 4], None, confidence)).collect();
        let mut twice = calls.clone();
        twice.extend(calls.iter().cloned().map(|mut call| { call.id += 100; call }));
        prop_assert!(scored(&truth, &twice, Form::Live).detect <= scored(&truth, &calls, Form::Live).detect);
    }
}

/// A score is a function of what the record holds: read back from its lines, the truth gives the same account.
#[test]
fn a_record_read_again_gives_the_same_account() {
    let truth = truth();
    let lines: Vec<String> = truth.iter().map(|step| serde_json::to_string(step).unwrap()).collect();
    let again: Vec<TruthStep> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let calls = [call(1, 1260.0, "device:PLC-1", Some("T0836"), Confidence::High)];
    assert_eq!(scored(&truth, &calls, Form::Live), scored(&again, &calls, Form::Live));
}
