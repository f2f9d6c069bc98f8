//! Same seed, same bits; and what an action of a person leaves alone.

use std::thread;

use crate::command::{hashes, lines, simulate};

/// Two processes, one seed: every file of the record is the same.
#[track_caller]
fn check_same(scenario: &str) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
    thread::scope(|scope| {
        scope.spawn(|| simulate(scenario, 3, &one, &[]));
        scope.spawn(|| simulate(scenario, 3, &other, &[]));
    });
    let (one, other) = (hashes(&one), hashes(&other));
    assert!(one.len() >= 8, "{one:?}");
    assert_eq!(one, other, "{scenario}");
}

#[test]
fn first_shift_is_the_same_twice() {
    check_same("first-shift");
}

#[test]
fn oldsmar_is_the_same_twice() {
    check_same("oldsmar");
}

#[test]
fn night_tank_is_the_same_twice() {
    check_same("night-tank");
}

#[test]
fn ordinary_day_is_the_same_twice() {
    check_same("ordinary-day");
}

#[test]
fn breaker_sweep_is_the_same_twice() {
    check_same("breaker-sweep");
}

#[test]
fn aurora_is_the_same_twice() {
    check_same("aurora");
}

#[test]
fn switching_order_is_the_same_twice() {
    check_same("switching-order");
}

#[test]
fn far_tank_is_the_same_twice() {
    check_same("far-tank");
}

#[test]
fn rogue_station_is_the_same_twice() {
    check_same("rogue-station");
}

#[test]
fn slow_creep_is_the_same_twice() {
    check_same("slow-creep");
}

#[test]
fn borrowed_badge_is_the_same_twice() {
    check_same("borrowed-badge");
}

/// Scenarios run twice above.
const RUN_TWICE: [&str; 11] = [
    "first-shift",
    "oldsmar",
    "night-tank",
    "ordinary-day",
    "breaker-sweep",
    "aurora",
    "switching-order",
    "far-tank",
    "rogue-station",
    "slow-creep",
    "borrowed-badge",
];

/// Scenarios whose actors and deeds are those of one that is run twice, and of which.
const MADE_OF_THE_SAME: [(&str, &str); 5] = [
    ("task-list", "slow-creep"),
    ("quiet-reader", "borrowed-badge"),
    ("change-window", "slow-creep"),
    ("eager-scan", "night-tank"),
    ("address-list", "breaker-sweep"),
];

#[test]
fn every_scenario_has_its_test_of_sameness() {
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&crate::command::done(["list", "scenarios", "--json"])).unwrap();
    for row in &listed {
        let name = row["name"].as_str().unwrap();
        let alike = MADE_OF_THE_SAME.iter().find(|(it, _)| *it == name).map_or(name, |(_, alike)| alike);
        assert!(RUN_TWICE.contains(&alike), "{name}: add a test of sameness above");
    }
}

#[test]
fn medium_is_the_run_that_is_made_where_nobody_says_how_and_hard_is_another() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |level: &[&str]| {
        let out = scratch.path().join(level.join(""));
        simulate("first-shift", 1, &out, level);
        (hashes(&out), lines(&out, "truth.jsonl").len())
    };
    let (plain, events) = run(&[]);
    assert_eq!(run(&["--level", "medium"]), (plain.clone(), events));
    let (hard, more) = run(&["--level", "hard"]);
    assert_eq!(more, events + 1);
    assert_ne!(plain["span.pcapng"], hard["span.pcapng"]);
}

#[test]
fn the_note_for_the_instructor_tells_the_moments_of_the_seed() {
    let note = crate::command::done([
        "list",
        "scenarios",
        "--notes",
        "borrowed-badge",
        "--seed",
        "2",
        "--level",
        "hard",
    ]);
    for said in ["new device", "WO-2378", "function 90", "What to ask", "played easy"] {
        assert!(note.to_lowercase().contains(&said.to_lowercase()), "{said}: {note}");
    }
    let time = |word: &str| note.lines().position(|line| line.contains(word)).unwrap();
    assert!(time("(new device)") < time("was stopped with function 90"));
}

#[test]
fn two_seeds_give_different_captures() {
    let scratch = tempfile::tempdir().unwrap();
    let (one, other) = (scratch.path().join("one"), scratch.path().join("other"));
    simulate("first-shift", 1, &one, &[]);
    simulate("first-shift", 2, &other, &[]);
    assert_ne!(hashes(&one)["span.pcapng"], hashes(&other)["span.pcapng"]);
}

#[test]
fn writing_the_value_that_is_there_already_leaves_the_story_as_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let (twin, acted) = (scratch.path().join("twin"), scratch.path().join("acted"));
    simulate("first-shift", 1, &twin, &[]);
    simulate("first-shift", 1, &acted, &["--act", "write NAOH.SP 100@150"]);
    let inputs = lines(&acted, "outside.jsonl");
    assert_eq!(inputs.len(), 1, "the action is in the record: {inputs:?}");
    assert_ne!(hashes(&twin)["span.pcapng"], hashes(&acted)["span.pcapng"], "the write crossed the network");
    let (twin, acted) = (lines(&twin, "truth.jsonl"), lines(&acted, "truth.jsonl"));
    assert_eq!(twin.len(), acted.len());
    assert!(twin.len() >= 3);
    for (twin, acted) in twin.iter().zip(&acted) {
        for same in ["step", "start", "limit_time"] {
            assert_eq!(twin[same], acted[same], "{}: {same}", twin["step"]);
        }
        let harm = |step: &serde_json::Value| {
            step["consequences"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| (c["name"].clone(), c["time"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(harm(twin), harm(acted), "{}", twin["step"]);
        let apart = (twin["end"].as_f64().unwrap() - acted["end"].as_f64().unwrap()).abs();
        assert!(apart <= 0.001, "{}: ends {apart} s apart", twin["step"]);
    }
}
