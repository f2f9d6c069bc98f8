//! The bots on a record made by hand, and the bands they are held to.

use quizzes::bots::{BOTS, bot};
use quizzes::{BotInput, BotResult, EntityNames, Form, bands, play_all, read_calls};
use record::{Call, Confidence, Role, Verdict};

use crate::made_up_run::open;

fn with_input<T>(attacked: bool, test: impl FnOnce(&BotInput<'_>) -> T) -> T {
    let directory = tempfile::tempdir().unwrap();
    let view = open(&directory.path().join("run"), "oldsmar", attacked);
    test(&BotInput::of(&view, Role::Analyst).unwrap())
}

fn calls(name: &str) -> Vec<Call> {
    with_input(true, |input| bot(name).unwrap().play(input))
}

fn results() -> Vec<BotResult> {
    with_input(true, |input| play_all(input, None))
}

fn d(results: &[BotResult], name: &str) -> f64 {
    results.iter().find(|result| result.bot == name).unwrap().score.detect.unwrap()
}

#[test]
fn every_bots_calls_would_be_taken_from_a_person() {
    with_input(true, |input| {
        let names: &EntityNames = input.names;
        for bot in BOTS {
            let calls = bot.play(input);
            let lines: String =
                calls.iter().map(|call| serde_json::to_string(call).unwrap() + "\n").collect();
            let read = read_calls(bot.name, &lines, names, input.duration, Form::Live);
            assert_eq!(read.map(|read| read.len()), Ok(calls.len()), "{}", bot.name);
        }
    });
}

#[test]
fn the_oracle_calls_steps_and_benign_events_after_twenty_seconds() {
    let calls = calls("oracle");
    assert_eq!(calls.len(), 4);
    assert_eq!(calls.iter().filter(|call| call.verdict == Verdict::Authorised).count(), 1);
    let dose = calls.iter().find(|call| call.technique.as_deref() == Some("T0836")).unwrap();
    assert_eq!((dose.t.as_secs_f64(), dose.confidence), (1820.25, Confidence::High));
}

#[test]
fn alert_on_everything_sees_pairs_writes_and_exceptions() {
    // Three pairs of hosts, 12 ordinary writes and the hostile one, one exception.
    assert_eq!(calls("alert-on-everything").len(), 3 + 13 + 1);
}

#[test]
fn silent_speaks_once_of_the_last_target() {
    let calls = calls("silent");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].t.as_secs_f64(), calls[0].entities[0].to_string()),
        (1920.25, "device:PLC-1".into())
    );
}

#[test]
fn the_blind_ones_speak_by_the_clock() {
    assert_eq!(calls("all-entities").len(), 60);
    assert_eq!(calls("all-entities")[0].entities.len(), 2);
    let clock = calls("clock");
    assert_eq!(clock.len(), 12);
    assert_eq!(clock[0].entities[0].to_string(), "device:PLC-1");
    assert_eq!(clock[4].entities[0].to_string(), "device:PLC-2");
    assert_eq!(calls("stuffed").len(), 3);
    assert!(calls("stuffed").iter().all(|call| call.t.as_secs_f64() >= 3540.0));
    assert!(calls("do-nothing").is_empty());
}

#[test]
fn the_sensors_copy_hands_in_what_is_above_informational() {
    let calls = calls("copy-the-sensor");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].confidence, Confidence::High);
}

#[test]
fn a_fair_scenario_keeps_every_bot_in_its_band() {
    let results = results();
    assert_eq!(bands(&results), []);
    assert!(d(&results, "oracle") >= 85.0);
    assert_eq!(d(&results, "do-nothing"), 0.0);
}

#[test]
fn a_bot_outside_its_band_is_named() {
    let mut results = results();
    for result in &mut results {
        match result.bot {
            "oracle" => result.score.detect = Some(84.9),
            "do-nothing" => result.score.detect = Some(0.1),
            "alert-on-everything" => result.score.metrics.false_calls = 8,
            "silent" => result.score.detect = None,
            _ => {}
        }
    }
    let violations = bands(&results);
    let named: Vec<&str> = violations.iter().map(|violation| violation.bot.as_str()).collect();
    assert_eq!(named, ["oracle", "do-nothing", "alert-on-everything", "silent"]);
    assert!(violations[0].to_string().contains("84.9"));
}

#[test]
fn a_record_packed_for_a_trainee_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run");
    drop(open(&path, "oldsmar", true));
    let text = std::fs::read_to_string(path.join("run.json")).unwrap();
    let packed = text.replace("\"truth.jsonl\"", "\"left-out.jsonl\"");
    std::fs::write(path.join("run.json"), packed).unwrap();
    let view = quizzes::RecordView::open(&path).unwrap();
    let error = BotInput::of(&view, Role::Analyst).unwrap_err();
    assert!(error.to_string().contains("truth.jsonl") && error.to_string().contains("trainee"), "{error}");
}
