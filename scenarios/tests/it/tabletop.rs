//! Tabletop files: that the bundled ones make sense, and errors with file, line and fix.

use std::collections::BTreeMap;

use scenarios::tabletop::{OUTSIDE, Sheet, standards};
use scenarios::{Scenario, Tabletop};
use site::FileError;

const FILE: &str = include_str!("../../scenarios/oldsmar/tabletop.toml");
const TEXTS: &str = include_str!("../../scenarios/oldsmar/texts/tabletop.en.toml");

fn parse(file: &str, texts: &str) -> Result<Tabletop, FileError> {
    let scenario = Scenario::named("oldsmar").unwrap();
    Tabletop::parse([("x/tabletop.toml", file), ("x/texts/tabletop.en.toml", texts)], "en", &scenario)
}

/// Replaces `from` in the file; the error must name the problem and a line near it.
#[track_caller]
fn check_altered(from: &str, to: &str, problem: &str) {
    assert!(FILE.contains(from), "{from:?} is gone from the file");
    let error = parse(&FILE.replacen(from, to, 1), TEXTS).unwrap_err();
    let line = FILE[..FILE.find(from).unwrap()].matches('\n').count() + 1;
    assert!(error.problem.contains(problem), "{error}");
    assert!(!error.fix.is_empty(), "{error}");
    assert!(error.line.abs_diff(line) <= 6, "{error}: expected near line {line}");
}

#[track_caller]
fn check_texts(from: &str, to: &str, problem: &str) {
    assert!(TEXTS.contains(from), "{from:?} is gone from the texts");
    let error = parse(FILE, &TEXTS.replacen(from, to, 1)).unwrap_err();
    assert!(error.problem.contains(problem) && error.file.ends_with("en.toml"), "{error}");
}

#[test]
fn the_bundled_tabletops_make_sense() {
    for name in Tabletop::names() {
        let scenario = Scenario::named(name).unwrap();
        let tabletop = Tabletop::load(name, "en", &scenario).unwrap();
        let told = |room: &str| {
            tabletop.file().moves.iter().flat_map(|it| &it.injects).filter(|it| it.reaches(room)).count()
        };
        let rooms: Vec<&str> = tabletop.file().rooms.iter().map(|room| room.get_ref().as_str()).collect();
        assert!(rooms.iter().all(|room| told(room) > 0), "{name}");
        // Neither room can do without the other: each knows something that the other needs.
        for (from, to) in [("it", "ot"), ("ot", "it")] {
            let hands =
                |it: &scenarios::tabletop::Handoff| it.from.get_ref() == from && it.to.get_ref() == to;
            assert!(tabletop.handoffs().any(|(_, it)| hands(it)), "{name}: nothing goes from {from} to {to}");
        }
        assert!(tabletop.handoffs().any(|(_, it)| it.to.get_ref() == OUTSIDE), "{name}");
        assert!((60..=120).contains(&tabletop.minutes()), "{name}: {} min", tabletop.minutes());
        assert!(tabletop.decisions().count() >= 3, "{name}");
    }
}

#[test]
fn the_day_of_oldsmar_is_told_in_german_too() {
    let scenario = Scenario::named("oldsmar").unwrap();
    let tabletop = Tabletop::load("oldsmar", "de", &scenario).unwrap();
    assert_eq!(tabletop.language(), "de");
    assert_eq!(tabletop.texts().title, "Elftausendeinhundert");
    assert!(Tabletop::load("oldsmar", "fr", &scenario).unwrap_err().fix.contains("en, de"));
}

#[test]
fn moves_stand_in_the_order_of_the_day() {
    let scenario = Scenario::named("oldsmar").unwrap();
    let tabletop = parse(FILE, TEXTS).unwrap();
    let plan = scenario.plan(3, &BTreeMap::new(), false).unwrap();
    let schedule = tabletop.schedule(&plan).unwrap();
    assert!(schedule.moves.is_sorted());
    assert_eq!(schedule.clock_from, plan.event("dose").unwrap().at);
    assert_eq!(schedule.decisions.len(), tabletop.decisions().count());
    let mistake = BTreeMap::from([("cause".to_owned(), "mistake".to_owned())]);
    let other = scenario.plan(3, &mistake, false).unwrap();
    assert!(tabletop.schedule(&other).unwrap_err().problem.contains("does not happen"));
}

#[test]
fn what_does_not_make_sense_is_told_with_its_line() {
    check_altered("minutes = 8", "minuets = 8", "unknown field `minuets`");
    check_altered("minutes = 8", "minutes = 0", "takes 1 to");
    check_altered("after = \"look\"", "after = \"lok\"", "none of the events");
    check_altered("to = [\"it\"]", "to = [\"cellar\"]", "none of the rooms");
    check_altered("to = \"outside\"", "to = \"management\"", "goes to another room");
    check_altered("from = \"ot\"\nto = \"it\"", "from = \"it\"\nto = \"it\"", "goes to another room");
    check_altered("points = 2", "points = 0", "is worth something");
    check_altered("csf = [\"GV.RR\"", "csf = [\"GV.XX\"", "no category of the NIST CSF");
    check_altered("iec = [\"SR 1.13\"", "iec = [\"SR 9.9\"", "no requirement of IEC 62443-3-3");
    check_altered("write NAOH.SP.MAX 150", "write AIT-202 150", "no controller takes the tag");
    check_altered("write NAOH.SP 100", "write NAOH.SP much", "no number");
    check_altered("\"action\": \"deny\"", "\"action\": \"drop\"", "drop");
    check_altered("session kill {\"address\"", "session kill {\"adress\"", "adress");
    check_altered("acts = [\"safe-stop\"]", "acts = [\"open the window\"]", "is not among");
    check_altered("T0822", "T9822", "no technique");
    check_altered("revealed_by = [\"second-gauge\"]", "revealed_by = []", "nothing reveals");
    check_altered("target = 8", "target = 13", "cannot reach");
}

#[test]
fn what_nobody_can_come_to_is_an_error() {
    check_altered(
        "when = { door = [\"leave\", \"pause\"] }",
        "when = { doors = [\"leave\"] }",
        "is never told",
    );
    check_altered(
        "when = { door = [\"leave\", \"pause\"] }",
        "when = { door = [\"ajar\"] }",
        "is never told",
    );
    check_altered(
        "when = { door = [\"leave\", \"pause\"] }",
        "when = { supply = [\"both\"] }",
        "no earlier move",
    );
    let early = FILE.replacen("at = \"10min\"", "at = \"3h\"", 1);
    assert!(parse(&early, TEXTS).unwrap_err().problem.contains("comes at"));
    let late = FILE.replace("delay = \"55min\"", "delay = \"5h\"");
    assert!(parse(&late, TEXTS).unwrap_err().problem.contains("after the end"));
}

#[test]
fn everything_has_its_text_and_every_text_its_place() {
    check_texts("[handoff.spare-screen]", "[handoff.spare-scren]", "spare-screen");
    check_texts("clamp = \"Set", "clamps = \"Set", "clamp");
    check_texts("[card.storm]", "[card.strom]", "storm");
    check_texts("{clock dose}", "{clock doze}", "no event and no move");
    check_texts("{value AIT-202 dose", "{value AIT-902 dose", "no tag");
    check_texts("{clock noon}", "{clok noon}", "neither");
}

#[test]
fn a_sheet_names_what_there_is() {
    let tabletop = parse(FILE, TEXTS).unwrap();
    let check = |toml: &str| {
        let sheet: Sheet = site::file::parse_toml("sheet.toml", toml)?;
        tabletop.check_sheet("sheet.toml", &sheet)
    };
    check("[choice]\ndoor = \"shut\"\n[handoff]\nwork-orders = \"noon\"\n[verdict]\nnoon = \"authorised\"\n")
        .unwrap();
    for (wrong, fix) in [
        ("choice = { doors = \"shut\" }", "first-minutes"),
        ("choice = { door = \"ajar\" }", "island"),
        ("handoff = { work = \"noon\" }", "work-orders"),
        ("handoff = { work-orders = \"midnight\" }", "eleven-thousand"),
        ("verdict = { midnight = \"attack\" }", "eleven-thousand"),
    ] {
        assert!(check(wrong).unwrap_err().fix.contains(fix), "{wrong}");
    }
}

#[test]
fn a_deal_is_the_seeds_and_complete() {
    let tabletop = parse(FILE, TEXTS).unwrap();
    let deck = &tabletop.file().deck;
    let ids = |seed: u64| -> Vec<String> {
        deck.deal(seed).hidden.iter().map(|card| card.id.get_ref().clone()).collect()
    };
    assert_eq!(ids(3), ids(3));
    let all: std::collections::BTreeSet<_> = (1..=40).flat_map(ids).collect();
    assert_eq!(all.len(), deck.attacks.len(), "every card is dealt by some seed");
    for seed in 1..=40 {
        let deal = deck.deal(seed);
        let stages: Vec<&str> = deal.hidden.iter().map(|card| card.stage.get_ref().as_str()).collect();
        assert_eq!(stages, deck.stages.iter().map(|stage| stage.get_ref().as_str()).collect::<Vec<_>>());
        assert_eq!(deal.practised.len(), deck.practised);
        assert_eq!(deal.pile.len(), deck.events.len());
        assert!(deal.throws.len() >= deck.turns as usize);
        assert!(deal.throws.iter().all(|throw| (1..=6).contains(&throw.it) && (1..=6).contains(&throw.ot)));
    }
}

#[test]
fn standards_know_their_names() {
    assert_eq!(standards::csf("DE.AE"), Some("Adverse Event Analysis"));
    assert_eq!(standards::iec("SR 2.6"), Some("Remote session termination"));
    assert_eq!(standards::csf("SR 2.6"), None);
}
