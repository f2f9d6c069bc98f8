//! Plans: determinism, settings, twins, places between scans.

use std::collections::BTreeMap;

use record::{Verdict, VirtualTime, attack};
use scenarios::{Cast, Deed, EventKind, Plan, Scenario};

fn plan(name: &str, seed: u64) -> Plan {
    Scenario::named(name).unwrap().plan(seed, &BTreeMap::new(), false).unwrap()
}

fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_same_seed_gives_the_same_plan_and_another_seed_another() {
    for name in Scenario::names() {
        assert_eq!(format!("{:?}", plan(name, 5)), format!("{:?}", plan(name, 5)), "{name}");
        assert_ne!(plan(name, 5).values, plan(name, 6).values, "{name}");
    }
}

#[test]
fn every_technique_is_in_the_pinned_table() {
    for name in Scenario::names() {
        for event in plan(name, 1).events {
            for id in &event.techniques {
                assert!(attack::technique(id).is_some(), "{name}: {id}");
            }
            assert_eq!(event.kind == EventKind::Step, !event.techniques.is_empty(), "{name}: {}", event.id);
        }
    }
}

#[test]
fn events_keep_clear_of_the_edges_of_scans() {
    for name in Scenario::names() {
        let plan = plan(name, 9);
        for event in &plan.events {
            let place_ms = event.at.as_nanos() / 1_000_000 % 100;
            assert!((25..=65).contains(&place_ms), "{name}: {} at {}", event.id, event.at);
            assert!(event.at < plan.end);
        }
        for step in plan.steps() {
            assert!(step.at > plan.learn_until, "{name}: {} within the time to learn", step.id);
        }
    }
}

#[test]
fn a_setting_moves_nothing_but_itself() {
    let scenario = Scenario::named("oldsmar").unwrap();
    let drawn = scenario.plan(4, &BTreeMap::new(), false).unwrap();
    let set =
        scenario.plan(4, &settings(&[("high-pH trip", "on"), ("setpoint clamp", "on")]), false).unwrap();
    let times = |plan: &Plan| plan.events.iter().map(|e| (e.id.clone(), e.at)).collect::<Vec<_>>();
    assert_eq!(times(&drawn), times(&set));
    let value = |plan: &Plan, tag: &str| plan.presets.iter().find(|p| p.tag == tag).unwrap().value;
    assert_eq!((value(&drawn, "PH.TRIP.EN"), value(&drawn, "NAOH.SP.MAX")), (0.0, 0.0));
    assert_eq!((value(&set, "PH.TRIP.EN"), value(&set, "NAOH.SP.MAX")), (1.0, 150.0));
}

#[test]
fn a_wrong_setting_is_an_error_with_its_fix() {
    let scenario = Scenario::named("oldsmar").unwrap();
    for (name, value, fix) in [
        ("ph trip", "on", "high-pH trip"),
        ("high-pH trip", "yes", "give one of off, on"),
        ("second visit", "2h", "give a length of time from"),
        ("cause", "aliens", "give one of attack, mistake, fault"),
    ] {
        let error = scenario.plan(1, &settings(&[(name, value)]), false).unwrap_err();
        assert!(error.fix.contains(fix), "{error}");
    }
    let error = Scenario::named("night-tank").unwrap().plan(1, &settings(&[("cause", "attack")]), false);
    assert!(error.unwrap_err().fix.contains("leave it out"));
}

#[test]
fn a_blind_run_draws_each_cause_and_plays_only_its_events() {
    for name in ["first-shift", "oldsmar"] {
        let scenario = Scenario::named(name).unwrap();
        let mut seen = BTreeMap::new();
        for seed in 0..48 {
            let plan = scenario.plan(seed, &BTreeMap::new(), true).unwrap();
            *seen.entry(plan.cause.as_str().to_owned()).or_insert(0) += 1;
            assert_eq!(plan.steps().count() > 0, plan.cause.is_attack(), "{name} {seed}");
            let fault = plan.faults(&Cast::full()).iter().any(|fault| fault.tag == "AIT-202");
            assert_eq!(fault, plan.cause.as_str() == "fault", "{name} {seed}");
            let hosts: Vec<_> = plan.hosts.iter().map(|host| host.name.get_ref().as_str()).collect();
            assert_eq!(hosts.len(), usize::from(name == "first-shift"), "a host must not tell the cause");
        }
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen.values().all(|count| *count >= 8), "{seen:?}");
    }
}

#[test]
fn twins_differ_in_what_takes_place_alone() {
    let plan = plan("oldsmar", 4);
    let ids = |cast: &Cast| {
        plan.events.iter().filter(|e| plan.takes_place(e, cast)).map(|e| e.id.as_str()).collect::<Vec<_>>()
    };
    let full = ids(&Cast::full());
    assert!(full.contains(&"dose") && full.contains(&"vendor-visit"));
    let clean = ids(&Cast::clean());
    assert!(!clean.iter().any(|id| ["look", "return", "dose", "revert"].contains(id)), "{clean:?}");
    assert!(clean.contains(&"vendor-visit"));
    let without_dose = ids(&Cast::all_but("dose"));
    assert!(without_dose.contains(&"return") && !without_dose.contains(&"dose"));
    assert!(!without_dose.contains(&"revert"), "nobody reverts what nobody wrote");
    let without_session = ids(&Cast::all_but("return"));
    assert!(!without_session.contains(&"dose"), "no click without a session");
}

#[test]
fn an_attack_has_bands_that_can_be_kept() {
    for name in ["first-shift", "oldsmar", "night-tank"] {
        for seed in 0..16 {
            let plan = plan(name, seed);
            let last = plan.steps().last().unwrap();
            let all: f64 = plan.events.iter().map(|e| f64::from(e.severity)).sum();
            // What one low call on the last step's target alone can claim of earlier steps at best, scoring.md.
            let shared: f64 = plan
                .steps()
                .filter(|s| s.id != last.id && s.campaign == last.campaign)
                .filter(|s| s.target == last.target || s.points.contains(&last.target))
                .filter(|s| last.at.since(s.at).as_secs() < 1800)
                .map(|s| f64::from(s.severity))
                .sum();
            let silent = (0.48 * f64::from(last.severity) + 0.48 * shared) / all * 100.0;
            assert!(silent < 25.0, "{name} {seed}: {silent}");
            for event in plan.events.iter().filter(|e| e.kind != EventKind::Ordinary) {
                let entities = 1 + usize::from(event.source.is_some()) + event.points.len();
                assert!(entities <= 4, "{name}: {} has more entities than a call can name", event.id);
                assert!((1..=3).contains(&event.severity));
            }
            let ordinary = plan.events.iter().filter(|e| e.kind == EventKind::Ordinary).count();
            assert!(ordinary >= 5, "{name}: too quiet");
        }
    }
}

#[test]
fn an_ordinary_day_has_four_labelled_events_and_no_attack() {
    let plan = plan("ordinary-day", 3);
    assert_eq!(plan.cause.as_str(), "none");
    let labelled: Vec<_> = plan.events.iter().filter(|e| e.kind == EventKind::Benign).collect();
    assert_eq!(labelled.len(), 4);
    assert_eq!(labelled.iter().filter(|e| e.verdict == Verdict::Fault).count(), 1);
    assert_eq!(labelled.iter().filter(|e| e.ticket.is_some()).count(), 3);
    assert_eq!(plan.steps().count(), 0);
    assert_eq!(plan.end, VirtualTime::from_secs(86_400));
    assert!(plan.events.iter().filter(|e| matches!(e.deed, Deed::Trim { .. })).count() > 20);
}

#[test]
fn the_far_tank_has_three_labelled_events_and_no_attack() {
    let plan = plan("far-tank", 3);
    let labelled: Vec<_> = plan.events.iter().filter(|e| e.kind == EventKind::Benign).collect();
    assert_eq!(
        labelled.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(),
        ["point-check", "drift", "pressure-check"]
    );
    assert_eq!(labelled.iter().filter(|e| e.ticket.is_some()).count(), 2);
    assert_eq!(plan.steps().count(), 0);
    assert_eq!(plan.station(), "hmi", "the operator's writes come from the works");
    assert_eq!(
        plan.faults(&Cast::full()).iter().map(|fault| fault.tag.as_str()).collect::<Vec<_>>(),
        ["LIT-401"]
    );
}

#[test]
fn an_inject_is_said_only_with_the_event_that_it_needs() {
    let scenario = Scenario::named("borrowed-badge").unwrap();
    let with = |cause: &str| scenario.plan(3, &settings(&[("cause", cause)]), false).unwrap();
    let ids = |plan: &Plan, cast: &Cast| {
        let told = plan.injects.iter().filter(|inject| plan.is_told(inject, cast));
        told.map(|inject| inject.id.clone()).collect::<Vec<_>>()
    };
    let attack = with("attack");
    let all = ids(&attack, &Cast::full());
    assert!(all.iter().any(|id| id == "office-log-on") && all.len() == 6, "{all:?}");
    assert!(attack.injects.is_sorted_by_key(|inject| inject.at));
    assert!(attack.injects.iter().all(|inject| !inject.text.contains('{')), "variables are filled in");
    let (log_on, stop) = (&attack.injects[2], attack.event("stop").unwrap());
    assert!(log_on.id == "office-log-on" && log_on.at < stop.at);
    let unasked = ["early-log-on", "engineer-log-on", "engineer-again"];
    assert_eq!(ids(&attack, &Cast::clean()), unasked, "the twin without an attack");
    assert_eq!(ids(&with("mistake"), &Cast::full()), unasked);
}

#[test]
fn an_inject_that_makes_no_sense_is_an_error_with_its_line() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/borrowed-badge/");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let (file, texts) = (read("scenario.toml"), read("texts/en.toml"));
    let timed = "after = \"stop\"\ndelay = \"4min\"";
    for (was, now, problem) in [
        (timed, "after = \"halt\"\ndelay = \"4min\"", "no event is called \"halt\""),
        (timed, "after = \"stop\"", "has at, or after and delay"),
        ("id = \"employee\"", "id = \"low-pressure\"", "two injects are called"),
        ("in_program = [\"PLC-1\"", "in_program = [\"PLC-9\"", "no controller is called \"PLC-9\""),
        ("source = \"No single", "attack = \"T0858\", source = \"No single", "is no campaign, group or"),
    ] {
        let wrong = file.replacen(was, now, 1);
        assert_ne!(wrong, file, "{was}");
        let error = Scenario::parse("borrowed-badge/scenario.toml", &wrong, &texts).unwrap_err();
        assert!(error.problem.contains(problem) && error.line > 0, "{error}");
    }
    let error = Scenario::parse("x/scenario.toml", &file, &texts.replacen("employee = ", "stranger = ", 1));
    assert!(error.unwrap_err().problem.contains("employee"));
}
