//! The questions on `oldsmar` against a record made by hand, whose answers are known.

use quizzes::bank::resolve::ResolveError;
use quizzes::bank::{Answer, Kind};
use quizzes::{QuestionSet, ResolvedQuestion, mark};

use crate::made_up_run::open;

fn asked(attacked: bool) -> Vec<ResolvedQuestion> {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", attacked);
    QuestionSet::named("oldsmar").unwrap().resolve(&view).unwrap()
}

fn question(id: &str) -> ResolvedQuestion {
    asked(true).into_iter().find(|question| question.id == id).unwrap()
}

/// Letters of the options with these texts.
fn letters(question: &ResolvedQuestion, texts: &[&str]) -> String {
    let find = |text: &&str| question.options.iter().find(|o| o.text == **text).map(|o| o.letter);
    texts
        .iter()
        .map(|text| find(text).unwrap_or_else(|| panic!("{text:?} in {:?}", question.options)))
        .collect()
}

#[test]
fn another_language_asks_the_same_and_marks_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", true);
    let german = QuestionSet::named_in("oldsmar", "de").unwrap().resolve(&view).unwrap();
    let english = asked(true);
    assert_eq!(german.len(), english.len());
    for (german, english) in german.iter().zip(&english) {
        assert_eq!((&german.id, &german.answer), (&english.id, &english.answer));
        assert_ne!((&german.prompt, &german.right), (&english.prompt, &english.right));
        assert!(!german.prompt.contains("${") && !german.wrong.contains("${"), "{german:?}");
    }
    let wrong = mark(&german[0], &letters(&german[0], &["host:vendor-support"])).unwrap();
    assert!(wrong.explanation.contains("Fernwartung"), "{wrong:?}");
}

#[test]
fn six_questions_of_five_kinds() {
    let questions = asked(true);
    assert_eq!(questions.len(), 6);
    for kind in [Kind::Single, Kind::Multi, Kind::Numeric, Kind::Order, Kind::Packets] {
        assert!(questions.iter().any(|question| question.kind == kind), "{kind:?}");
    }
    for question in &questions {
        assert!(!question.right.is_empty() && !question.wrong.is_empty() && !question.attack.is_empty());
        assert!(!question.prompt.contains("${"), "{}", question.prompt);
        if matches!(question.kind, Kind::Single | Kind::Multi) {
            let wrong = question.options.iter().filter(|option| !option.feedback.is_empty()).count();
            assert!(wrong >= 1 && question.options.len() <= 6, "{question:?}");
        }
    }
}

#[test]
fn the_writer_comes_from_the_protocol_log() {
    let question = question("who-wrote");
    assert!(question.prompt.contains("08:00:00"), "{}", question.prompt);
    assert!(mark(&question, &letters(&question, &["host:hmi"])).unwrap().right);
    let wrong = mark(&question, &letters(&question, &["host:vendor-support"])).unwrap();
    assert!(wrong.credit == 0.0 && wrong.explanation.contains("never spoke Modbus"), "{wrong:?}");
    letters(&question, &["host:historian"]);
}

#[test]
fn the_sessions_are_told_apart_by_ticket() {
    let question = question("sessions-without-ticket");
    assert!(mark(&question, &letters(&question, &["07:35:00", "07:58:20"])).unwrap().right);
    let vendor = letters(&question, &["07:45:00"]);
    let wrong = mark(&question, &vendor).unwrap();
    assert!(wrong.credit == 0.0 && wrong.explanation.contains("WO-1187"), "{wrong:?}");
}

#[test]
fn the_highest_ph_comes_from_the_process() {
    let question = question("highest-ph");
    assert_eq!(question.answer, Answer::Number { value: 11.2, tolerance: 0.1 });
    assert_eq!(mark(&question, "11.15 pH").unwrap().credit, 1.0);
    assert_eq!(mark(&question, "11.4").unwrap().credit, 0.5);
    assert_eq!(mark(&question, "13").unwrap().credit, 0.0);
}

#[test]
fn events_stand_in_their_order() {
    let question = question("what-came-when");
    let right = [
        "a remote session looks and touches nothing",
        "the remote session comes back",
        "the setpoint of caustic soda is written",
        "the analyser behind the mixer passes pH 8.5",
        "the analyser at the clearwell outlet passes pH 8.5",
    ];
    let given = letters(&question, &right);
    assert!(mark(&question, &given).unwrap().right);
    let reversed: String = given.chars().rev().collect();
    assert_eq!(mark(&question, &reversed).unwrap().credit, 0.0);
}

#[test]
fn the_frame_comes_from_the_truth() {
    let question = question("frame-of-the-write");
    assert!(mark(&question, "41").unwrap().right);
    assert_eq!(mark(&question, "40-42").unwrap().credit, 1.0);
    assert_eq!(mark(&question, "39").unwrap().credit, 0.0);
}

#[test]
fn the_technique_is_the_most_specific_one() {
    let question = question("technique-of-the-write");
    assert!(mark(&question, &letters(&question, &["T0836 Modify Parameter"])).unwrap().right);
    assert!(
        !question.options.iter().any(|o| o.text.contains("T0823")),
        "T0823 is right as well: {question:?}"
    );
}

#[test]
fn options_keep_their_order_for_a_seed_and_the_right_one_has_no_fixed_place() {
    assert_eq!(asked(true), asked(true));
    let places: std::collections::BTreeSet<String> =
        asked(true).iter().map(|question| format!("{:?}", question.answer)).collect();
    assert!(places.len() > 3);
}

#[test]
fn where_nothing_was_attacked_nothing_is_asked() {
    assert!(asked(false).is_empty());
}

#[test]
fn a_run_of_another_scenario_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "night-tank", true);
    let error = QuestionSet::named("oldsmar").unwrap().resolve(&view).unwrap_err();
    assert!(matches!(error, ResolveError::OtherScenario { .. }), "{error}");
}

#[track_caller]
fn check_does_not_resolve(question: &str, problem: &str) {
    let text = format!(
        "scenario = \"oldsmar\"\n\n[[let]]\nname = \"gone\"\nvalue = \"truth.filter(s, s.step == 'gone')[0]\"\n\n[[question]]\nid = \"q\"\nprompt = \"p\"\nattack = []\nevidence = \"e\"\nright = \"r\"\nwrong = \"w\"\n{question}"
    );
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", true);
    let error = QuestionSet::parse("bank.toml", &text).unwrap().resolve(&view).unwrap_err();
    let ResolveError::File(error) = error else { panic!("{error}") };
    assert!(error.problem.contains(problem) && !error.fix.is_empty(), "{error}");
    assert!(error.line >= 7 && error.file == "bank.toml", "{error}");
}

#[test]
fn expressions_that_do_not_fit_are_named_with_line_and_fix() {
    let numeric = |answer: &str| format!("kind = \"numeric\"\ntolerance = \"1\"\nanswer = \"{answer}\"");
    check_does_not_resolve(&numeric("nonsense + 1"), "nonsense");
    check_does_not_resolve(&numeric("gone.start"), "gone has no value here");
    check_does_not_resolve(&numeric("'seven'"), "a number is wanted");
    check_does_not_resolve(&numeric("process.max('AIT-203', 0, 10)"), "AIT-202");
    check_does_not_resolve(&numeric("process.at('AIT-202', -1)"), "no row");
    check_does_not_resolve(&numeric("1.0 / 0.0"), "a number is wanted");
    check_does_not_resolve("kind = \"order\"\nanswer = \"['one', 'two']\"", "three different texts");
    check_does_not_resolve("kind = \"packets\"\nanswer = \"[0]\"", "frame numbers");
    let single =
        "kind = \"single\"\nanswer = \"'x'\"\n[[question.distractor]]\nvalue = \"'x'\"\nfeedback = \"f\"";
    check_does_not_resolve(single, "a distractor");
    check_does_not_resolve("requires = \"3\"\nkind = \"packets\"\nanswer = \"[1]\"", "true or false");
}

#[test]
fn expressions_see_logs_and_process() {
    let text = |answer: &str| {
        format!(
            "scenario = \"oldsmar\"\n[[question]]\nid = \"q\"\nprompt = \"p\"\nattack = []\nevidence = \"e\"\nright = \"r\"\nwrong = \"w\"\nkind = \"numeric\"\ntolerance = \"0\"\nanswer = \"{answer}\"\n"
        )
    };
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", true);
    for (answer, expected) in [
        ("size(modbus)", 7228.0),
        ("size(modbus.filter(r, r.write))", 13.0),
        ("size(modbus.filter(r, r.exception != ''))", 1.0),
        ("conn.filter(c, c.port == 5900)[2].t", 1700.0),
        ("conn[0].duration + double(conn[0].client_octets)", 310.0),
        ("findings.filter(f, f.level == 'high')[0].t", 1801.0),
        ("process.at('FIT-101', 12.5)", 190.0),
        ("process.min('AIT-202', 0, 100)", 7.2),
        ("process.first_above('AIT-202', 8.5, 0) - 1800.0", 181.0),
        ("process.seconds_above('AIT-301', 11)", 819.0),
        ("process.first_below('AIT-202', 1, 0) == null ? 1 : 0", 1.0),
        ("rounded(run.duration / 7.0, 2)", 514.29),
        ("size(flatten(truth.map(s, s.techniques)))", 7.0),
    ] {
        let set = QuestionSet::parse("bank.toml", &text(answer)).unwrap();
        let got = set.resolve(&view).map(|questions| questions[0].answer.clone());
        assert!(
            matches!(got, Ok(Answer::Number { value, .. }) if (value - expected).abs() < 1e-9),
            "{answer}: {got:?}, expected {expected}"
        );
    }
}
