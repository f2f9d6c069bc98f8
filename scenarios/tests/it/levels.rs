//! One scenario, three ways to play it.

use std::collections::BTreeMap;

use scenarios::{Difficulty, EventKind, LEVEL, Plan, Scenario};

fn plan(scenario: &Scenario, level: Difficulty) -> Plan {
    let settings = BTreeMap::from([(LEVEL.to_owned(), level.to_string())]);
    scenario.plan(3, &settings, false).expect("a scenario can be drawn")
}

/// Events as text: deeds hold numbers, which are compared to the last digit.
fn told(plan: &Plan) -> Vec<String> {
    plan.events.iter().map(|event| format!("{event:?}")).collect()
}

#[test]
fn every_scenario_has_help_a_look_alike_more_and_a_note() {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        let [easy, medium, hard] = Difficulty::ALL.map(|level| plan(&scenario, level));
        assert_eq!(told(&easy), told(&medium), "{name}");
        let before = told(&medium);
        let more: Vec<_> = hard.events.iter().filter(|e| !before.contains(&format!("{e:?}"))).collect();
        assert!(!more.is_empty() && hard.events.len() == medium.events.len() + more.len(), "{name}");
        for event in more {
            assert_eq!(event.kind, EventKind::Benign, "{name}: {}", event.id);
            assert!(event.ticket.is_some() && event.severity > 0, "{name}: {} can be judged", event.id);
        }
        let texts = scenario.texts();
        assert!(texts.briefing_at(Difficulty::Easy).len() > texts.briefing.len(), "{name}: help");
        assert_eq!(texts.briefing_at(Difficulty::Hard), texts.briefing, "{name}");
        let notes = &texts.notes;
        for part in [&notes.look, &notes.ask, &notes.debrief] {
            assert!(part.len() >= 2, "{name}: the instructor's note");
        }
    }
}

#[test]
fn medium_is_what_is_played_where_nobody_says_how() {
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        let unsaid = scenario.plan(3, &BTreeMap::new(), false).unwrap();
        assert_eq!(told(&unsaid), told(&plan(&scenario, Difficulty::Medium)), "{name}");
    }
}

#[test]
fn a_level_that_makes_no_sense_is_refused() {
    let scenario = Scenario::named("oldsmar").unwrap();
    let settings = BTreeMap::from([(LEVEL.to_owned(), "fierce".to_owned())]);
    let error = scenario.plan(3, &settings, false).unwrap_err();
    assert!(error.problem.contains("fierce") && error.fix.contains("hard"), "{error}");

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/oldsmar/");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    let (file, texts) = (read("scenario.toml"), read("texts/en.toml"));
    for (was, now, problem) in [
        ("level = \"hard\"", "level = \"fierce\"", "fierce"),
        ("id = \"look\"", "id = \"look\"\nonly = { level = \"hard\" }", "at every level"),
    ] {
        let wrong = file.replacen(was, now, 1);
        assert_ne!(wrong, file, "{was}");
        let error = Scenario::parse("oldsmar/scenario.toml", &wrong, &texts).unwrap_err();
        assert!(error.problem.contains(problem) && error.line > 0, "{error}");
    }
}
