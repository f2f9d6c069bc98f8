//! Errors in scenario files: file, line and fix.

use scenarios::Scenario;

const FILE: &str = include_str!("../../scenarios/oldsmar/scenario.toml");
const TEXTS: &str = include_str!("../../scenarios/oldsmar/texts/en.toml");

#[track_caller]
fn check_altered(from: &str, to: &str, problem: &str) {
    assert!(FILE.contains(from), "{from:?} is gone from the file");
    let error = Scenario::parse("x/scenario.toml", &FILE.replacen(from, to, 1), TEXTS).unwrap_err();
    let line = FILE[..FILE.find(from).unwrap()].matches('\n').count() + 1;
    assert!(error.problem.contains(problem), "{error}");
    assert!(!error.fix.is_empty(), "{error}");
    assert_eq!(error.file, "x/scenario.toml");
    assert!(error.line.abs_diff(line) <= 4, "{error}: expected near line {line}");
}

#[test]
fn the_bundled_scenarios_make_sense() {
    for name in Scenario::names() {
        assert_eq!(Scenario::named(name).unwrap().id(), name);
    }
    let error = Scenario::named("second-shift").unwrap_err();
    assert!(error.fix.contains("first-shift"), "{error}");
}

#[test]
fn a_scenario_loads_from_a_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/oldsmar");
    assert_eq!(Scenario::load(folder).unwrap().id(), "oldsmar");
    let error = Scenario::load("./no/such/folder").unwrap_err();
    assert!(error.fix.contains("scenario.toml"), "{error}");
}

#[test]
fn an_unknown_key_is_an_error_with_line_and_fix() {
    check_altered("severity = 3", "severty = 3", "unknown field `severty`");
    check_altered("lasts = \"9min\"", "length = \"9min\"", "unexpected keys in table: length");
    check_altered("do = { remote_session", "do = { remote_sesion", "unknown variant `remote_sesion`");
}

#[test]
fn a_length_of_time_without_a_unit_is_an_error() {
    check_altered("duration = \"8h\"", "duration = \"8\"", "a length of time is written as");
}

#[test]
fn names_that_nobody_has_are_errors() {
    check_altered("from = \"vendor-support\"", "from = \"vendor\"", "no host is called");
    check_altered("device = \"PLC-2\"", "device = \"PLC-9\"", "no controller is called");
    check_altered(
        "tag = \"NAOH.SP\", value = 11100",
        "tag = \"AIT-202\", value = 11100",
        "no controller takes the tag",
    );
    check_altered("at = \"=first visit\"", "at = \"=zeroth visit\"", "no variable is called");
    check_altered("after = \"return\"", "after = \"retrun\"", "no event before this one");
    check_altered("session = \"return\"", "session = \"visit\"", "no event before this one");
    check_altered("\"T0836\"", "\"T9836\"", "is no technique");
    check_altered("cause = \"mistake\"", "cause = \"ghost\"", "is no cause");
    check_altered("site = \"waterworks\"", "site = \"gasworks\"", "no site is called");
}

#[test]
fn labels_that_contradict_are_errors() {
    check_altered("severity = 3", "severity = 4", "severity is 1, 2 or 3");
    check_altered("verdict = \"authorised\"", "verdict = \"attack\"", "a benign event is no attack");
    check_altered("id = \"morning-round\"", "id = \"morning-round\"\nseverity = 1", "ordinary work has no");
    check_altered("id = \"return\"", "id = \"look\"", "two events are called");
}

#[test]
fn an_event_without_its_text_is_an_error() {
    let texts = TEXTS.replacen("[event.dose]", "[event.dosis]", 1);
    let error = Scenario::parse("x/scenario.toml", FILE, &texts).unwrap_err();
    assert_eq!(error.file, "x/texts/en.toml");
    assert!(error.problem.contains("\"dose\" has no text"), "{error}");
}

const GERMAN: &str = include_str!("../../scenarios/oldsmar/texts/de.toml");

#[track_caller]
fn check_german(from: &str, to: &str, problem: &str) {
    assert!(GERMAN.contains(from), "{from:?} is gone from the texts");
    let english = Scenario::parse("x/scenario.toml", FILE, TEXTS).unwrap();
    let error = english.told_in("de", "x/texts/de.toml", &GERMAN.replacen(from, to, 1)).unwrap_err();
    assert_eq!(error.file, "x/texts/de.toml");
    assert!(error.problem.contains(problem) && !error.fix.is_empty(), "{error}");
}

#[test]
fn every_translation_has_all_that_the_english_texts_have() {
    let told = Scenario::names()
        .flat_map(|name| Scenario::languages(name).into_iter().map(move |code| (name, code)));
    for (name, language) in told {
        assert_eq!(Scenario::load_in(name, &language).unwrap().language(), language);
    }
    assert_eq!(Scenario::languages("oldsmar"), ["en", "de"]);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/oldsmar");
    assert_eq!(Scenario::languages(folder), ["en", "de"]);
    assert_eq!(Scenario::load_in(folder, "de").unwrap().texts().title, "Elftausendeinhundert");
    for code in ["fr", "../en", "DE", ""] {
        let error = Scenario::load_in("oldsmar", code).unwrap_err();
        assert!(error.fix.contains("en, de"), "{error}");
    }
}

#[test]
fn what_a_translation_lacks_is_named() {
    check_german("[event.dose]", "[event.dosis]", "\"dose\" has no text");
    check_german("reveal = ", "revel = ", "reveal");
    check_german("title = ", "titel = ", "title");
    check_german("briefing = [", "briefing = [\"\",", "briefing has 3 paragraphs, the English 2");
    check_german("ticket = ", "# ", "event.vendor-visit.ticket is missing");
    let shift = include_str!("../../scenarios/first-shift/texts/de.toml").replacen("{dose}", "305", 1);
    let error = Scenario::named("first-shift").unwrap().told_in("de", "de.toml", &shift).unwrap_err();
    assert!(error.problem.contains("same variables"), "{error}");
}

#[test]
fn the_language_changes_what_is_said_and_nothing_else() {
    let plan = |language| {
        let scenario = Scenario::load_in("oldsmar", language).unwrap();
        scenario.plan(3, &std::collections::BTreeMap::new(), false).unwrap()
    };
    let (english, mut german) = (plan("en"), plan("de"));
    let dose = german.event("dose").unwrap();
    assert!(dose.summary.contains("Natronlauge"), "{dose:?}");
    for (told, event) in german.events.iter_mut().zip(&english.events) {
        told.summary.clone_from(&event.summary);
        told.ticket.clone_from(&event.ticket);
    }
    assert_eq!(format!("{german:?}"), format!("{english:?}"));
}

#[test]
fn cut_and_garbled_files_are_errors_and_never_a_panic() {
    for end in (0..FILE.len()).step_by(97).filter(|end| FILE.is_char_boundary(*end)) {
        let cut = Scenario::parse("x/scenario.toml", &FILE[..end], TEXTS);
        let garbled = Scenario::parse("x/scenario.toml", &FILE.replacen(&FILE[end..=end], "%", 3), TEXTS);
        drop((cut, garbled));
    }
}
