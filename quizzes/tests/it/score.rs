//! Part D against the figures of `scoring.md` and `scoring_check.py`, and against each of its rules.

use quizzes::score::{Outcome, Subject};
use quizzes::{Form, Score, ScoreInput, score};
use record::Confidence::{High, Low, Mid};
use record::{Call, Channel, Consequence, Role, TruthStep, Verdict};

use crate::fixtures::{at, benign, call, detect, names, near, scored, step};

/// The five steps of `scoring_check.py`: weights 1 1 2 3 3, horizons 900 900 600 300 300 s, on things of their own.
fn five() -> Vec<TruthStep> {
    let steps = [
        ("s1", 1, 900.0, "point:NAOH.SP"),
        ("s2", 1, 900.0, "point:CL2.SP"),
        ("s3", 2, 600.0, "point:LIC-301.SP"),
        ("s4", 3, 300.0, "point:P-301.CMD"),
        ("s5", 3, 300.0, "point:P-302.CMD"),
    ];
    steps
        .into_iter()
        .map(|(name, weight, horizon, entity)| {
            let mut step = step(name, weight, 10_000.0, 12_000.0, entity);
            step.limit_time = Some(at(10_000.0 + horizon));
            step
        })
        .collect()
}

fn on_all(delay: f64, technique: Option<&str>, confidence: record::Confidence) -> Vec<Call> {
    let steps = five();
    steps
        .iter()
        .zip(1..)
        .map(|(step, id)| call(id, 10_000.0 + delay, &step.target.to_string(), technique, confidence))
        .collect()
}

/// Calls on nothing.
fn false_calls(count: u64, confidence: record::Confidence) -> impl Iterator<Item = Call> {
    (0..count).map(move |n| call(100 + n, 10_060.0, "host:mail", None, confidence))
}

#[test]
fn the_table_of_the_law_holds() {
    near(detect(&five(), &on_all(20.0, Some("T0836"), High)), 97.2);
    near(detect(&five(), &on_all(60.0, Some("T0836"), High)), 92.0);
    let mut analyst = on_all(120.0, Some("impair-process-control"), Mid);
    analyst.extend(false_calls(1, Mid));
    near(detect(&five(), &analyst), 57.3);
    let late: Vec<Call> = five()
        .iter()
        .zip(1..)
        .map(|(s, id)| {
            let horizon = s.limit_time.unwrap().since(s.start).as_secs_f64();
            call(id, 10_000.0 + 1.9 * horizon, &s.target.to_string(), None, Low)
        })
        .collect();
    near(detect(&five(), &late), 12.9);
    let too_late: Vec<Call> = late
        .iter()
        .cloned()
        .map(|mut call| {
            call.t = at(10_000.0 + (call.t.as_secs_f64() - 10_000.0) / 1.9 * 2.1);
            call.technique = Some("T0836".into());
            call.confidence = High;
            call
        })
        .collect();
    near(detect(&five(), &too_late), 0.0);
    near(detect(&five(), &[]), 0.0);
}

#[test]
fn spam_does_not_pay() {
    for (count, confidence, expected) in [(15, Low, 0.0), (5, Low, 28.2), (15, High, 0.0)] {
        let mut calls = on_all(60.0, None, confidence);
        calls.extend(false_calls(count, confidence));
        near(detect(&five(), &calls), expected);
    }
}

#[test]
fn one_call_claims_a_case_at_each_steps_own_time() {
    let mut steps = five();
    for step in &mut steps {
        step.target = "device:PLC-1".parse().unwrap();
    }
    near(detect(&steps, &[call(1, 10_060.0, "device:PLC-1", None, Low)]), 43.2);
    // Silent for 90 minutes: delays 5400, 4500, 3600, 600 and 30 s.
    for (step, delay) in steps.iter_mut().zip([5400.0, 4500.0, 3600.0, 600.0, 30.0]) {
        let horizon = step.limit_time.unwrap().since(step.start).as_secs_f64();
        let seen = 16_000.0 - delay;
        step.start = at(seen);
        step.end = at(16_000.0);
        step.limit_time = Some(at(seen + horizon));
        step.observable = [(Role::Analyst, [(Channel::Network, at(seen))].into())].into();
    }
    near(detect(&steps, &[call(1, 16_000.0, "device:PLC-1", None, Low)]), 17.0);
}

#[test]
fn a_claim_needs_the_campaign_a_shared_entity_and_first_sight() {
    let base = vec![
        step("first", 2, 1000.0, 1100.0, "device:PLC-1"),
        step("second", 2, 1000.0, 1100.0, "device:PLC-1"),
    ];
    let calls = [call(1, 1010.0, "device:PLC-1", None, Low)];
    let outcome = |truth: &[TruthStep]| {
        let score = scored(truth, &calls, Form::Live);
        score.lines.iter().filter(|line| line.outcome == Outcome::Claimed).count()
    };
    assert_eq!(outcome(&base), 1);
    let mut other = base.clone();
    other[1].campaign = "another".into();
    assert_eq!(outcome(&other), 0);
    let mut other = base.clone();
    other[1].target = "device:PLC-2".parse().unwrap();
    assert_eq!(outcome(&other), 0);
    let mut other = base;
    other[1].observable = [(Role::Analyst, [(Channel::Network, at(1011.0))].into())].into();
    assert_eq!(outcome(&other), 0, "not observable yet");
}

#[test]
fn a_match_needs_first_sight_overlap_and_the_target() {
    let truth = [step("s", 2, 1000.0, 1100.0, "device:PLC-1")];
    let good = call(1, 1010.0, "device:PLC-1", Some("T0836"), High);
    assert!(detect(&truth, std::slice::from_ref(&good)) > 95.0);
    let mut early = good.clone();
    early.t = at(999.0);
    assert_eq!(detect(&truth, &[early]), 0.0);
    let mut elsewhere = good.clone();
    elsewhere.interval = [at(900.0), at(969.0)];
    assert_eq!(detect(&truth, &[elsewhere]), 0.0);
    let mut graced = good.clone();
    graced.interval = [at(900.0), at(970.0)];
    assert!(detect(&truth, &[graced]) > 95.0);
    let mut source_only = good;
    source_only.entities = vec!["host:hmi".parse().unwrap()];
    let mut truth = truth;
    truth[0].source = Some("host:hmi".parse().unwrap());
    assert_eq!(detect(&truth, &[source_only]), 0.0, "the source alone is not enough");
}

#[test]
fn addresses_and_host_names_count_as_the_device() {
    let truth = [step("s", 2, 1000.0, 1100.0, "device:PLC-1")];
    let by_name = detect(&truth, &[call(1, 1010.0, "device:PLC-1", None, Low)]);
    assert_eq!(by_name, detect(&truth, &[call(1, 1010.0, "host:plc-1", None, Low)]));
    assert_eq!(by_name, detect(&truth, &[call(1, 1010.0, "host:192.168.1.101", None, Low)]));
}

#[test]
fn a_match_that_is_worth_nothing_is_not_a_false_call() {
    let truth = [step("s", 2, 1000.0, 9000.0, "device:PLC-1"), step("t", 2, 8000.0, 9000.0, "device:PLC-2")];
    let on_t = call(1, 8010.0, "device:PLC-2", Some("T0836"), High);
    let late = call(2, 8010.0, "device:PLC-1", Some("T0836"), High);
    assert_eq!(detect(&truth, std::slice::from_ref(&on_t)), detect(&truth, &[on_t, late]));
}

#[test]
fn entities_too_many_or_too_few_cost_quality() {
    let mut truth = [step("s", 1, 1000.0, 1100.0, "device:PLC-1")];
    truth[0].points = vec!["point:NAOH.SP".parse().unwrap()];
    let mut both = call(1, 1000.0, "device:PLC-1", None, Low);
    near(detect(&truth, std::slice::from_ref(&both)), 100.0 * 0.8 * 0.6 * 2.0 / 3.0);
    both.entities.push("point:NAOH.SP".parse().unwrap());
    near(detect(&truth, std::slice::from_ref(&both)), 48.0);
    both.entities.push("host:mail".parse().unwrap());
    near(detect(&truth, &[both]), 48.0 * 0.8);
}

fn in_case(mut call: Call, case: &str) -> Call {
    call.case = Some(case.into());
    call
}

#[test]
fn a_later_call_of_the_case_revises_the_technique_at_the_claims_own_time() {
    let truth =
        [step("first", 2, 1000.0, 3000.0, "device:PLC-1"), step("second", 2, 1000.0, 3000.0, "device:PLC-1")];
    let first = in_case(call(1, 1000.0, "device:PLC-1", None, Low), "a");
    near(detect(&truth, std::slice::from_ref(&first)), 48.0);
    // Call 2 is matched to the second step; its technique counts at the claim's timeliness 1, not at its own 0.46.
    let second = in_case(call(2, 2000.0, "device:PLC-1", Some("T0836"), Low), "a");
    near(detect(&truth, &[first.clone(), second.clone()]), 64.0);
    // A third one revises the first step; a fourth has nothing left to revise and costs .15 W of a total of 2 W.
    let third = in_case(call(3, 2000.0, "device:PLC-1", Some("T0836"), Low), "a");
    let three = [first.clone(), second.clone(), third.clone()];
    near(detect(&truth, &three), 80.0);
    let fourth = in_case(call(4, 2100.0, "device:PLC-1", Some("T0836"), Low), "a");
    let four = [first.clone(), second.clone(), third, fourth];
    near(detect(&truth, &four), 80.0 - 7.5);
    // Outside the case it is no revision: two matches of their own.
    let apart = Call { case: None, ..second };
    assert!(detect(&truth, &[first, apart]) < 60.0);
}

#[test]
fn a_first_report_is_not_a_false_call_because_the_case_came_back_to_it() {
    let truth = [step("only", 2, 1000.0, 3000.0, "device:PLC-1")];
    let first = in_case(call(1, 1000.0, "device:PLC-1", None, Low), "a");
    let second = in_case(call(2, 1100.0, "device:PLC-1", Some("T0836"), High), "a");
    // On its own the second earns .8 x .926 + .2; the first, revised, .8 and no bonus.
    near(detect(&truth, &[first, second]), 100.0 * (0.8 * 0.5_f64.powf(100.0 / 900.0) + 0.2));
}

#[test]
fn a_consequence_earns_part_of_its_cause_and_is_never_false() {
    let mut truth = [step("write", 2, 1000.0, 1005.0, "point:NAOH.SP")];
    truth[0].consequences = vec![Consequence {
        name: "pH high".into(),
        point: "point:AIT-202".parse().unwrap(),
        time: at(1300.0),
    }];
    let on_ph = call(1, 1450.0, "point:AIT-202", None, Mid);
    near(detect(&truth, std::slice::from_ref(&on_ph)), 100.0 * (0.8 * 0.4 * 0.5_f64.powf(0.5) + 0.14));
    let again = call(2, 1500.0, "point:AIT-202", None, High);
    let both = scored(&truth, &[on_ph.clone(), again], Form::Live);
    assert_eq!(both.metrics.false_calls, 0);
    assert!(
        both.lines.iter().any(|line| line.outcome == Outcome::Neutral && line.subject == Subject::Call(1)
            || line.subject == Subject::Call(2))
    );
    let mut before = on_ph;
    before.t = at(1299.0);
    assert_eq!(scored(&truth, &[before], Form::Live).metrics.false_calls, 1, "it had not happened");
}

#[test]
fn benign_events_take_the_right_verdict() {
    let truth = [
        step("attack", 2, 1000.0, 1100.0, "device:PLC-1"),
        benign("valve", Verdict::Fault, 1, 2000.0, "point:FCV-101"),
    ];
    let attack = call(1, 1000.0, "device:PLC-1", Some("T0836"), High);
    near(detect(&truth, std::slice::from_ref(&attack)), 100.0 * 2.0 / 3.0);
    let with = |verdict| {
        let mut call = call(2, 2000.0, "point:FCV-101", None, High);
        call.verdict = verdict;
        scored(&truth, &[attack.clone(), call], Form::Live)
    };
    near(with(Verdict::Fault).detect.unwrap(), 100.0);
    near(with(Verdict::Authorised).detect.unwrap(), 100.0 * 2.0 / 3.0);
    let accused = with(Verdict::Attack);
    near(accused.detect.unwrap(), 100.0 * (2.0 - 0.67 * 2.0) / 3.0);
    let line = accused.lines.iter().find(|line| line.outcome == Outcome::False).unwrap();
    assert!(line.what.contains("a fault") && line.what.contains("CHG-7"), "{}", line.what);
}

#[test]
fn an_attack_called_a_fault_costs() {
    let truth = [step("a", 2, 1000.0, 1100.0, "device:PLC-1"), step("b", 2, 1000.0, 1100.0, "device:PLC-2")];
    let right = call(1, 1000.0, "device:PLC-1", Some("T0836"), High);
    let mut wrong = call(2, 1000.0, "device:PLC-2", None, Low);
    wrong.verdict = Verdict::Fault;
    near(detect(&truth, &[right, wrong]), 50.0 - 7.5);
}

#[test]
fn a_run_without_an_attack_starts_at_100() {
    let truth = [benign("valve", Verdict::Fault, 1, 2000.0, "point:FCV-101")];
    near(detect(&truth, &[]), 100.0);
    near(detect(&[], &[]), 100.0);
    // The base is 3 W = 6; a low false call costs .15 x 2.
    near(detect(&truth, &[call(1, 50.0, "host:mail", None, Low)]), 95.0);
    near(detect(&truth, &[call(1, 2000.0, "point:FCV-101", None, High)]), 100.0 * (1.0 - 1.34 / 6.0));
    let many: Vec<Call> = (1..40).map(|id| call(id, 50.0, "host:mail", None, High)).collect();
    near(detect(&truth, &many), 0.0);
}

#[test]
fn offline_the_overlap_takes_the_place_of_time() {
    let truth = [step("s", 2, 1000.0, 1100.0, "device:PLC-1")];
    let mut late = call(1, 80_000.0, "device:PLC-1", Some("T0836"), Low);
    late.interval = [at(970.0), at(1130.0)];
    near(scored(&truth, std::slice::from_ref(&late), Form::Offline).detect.unwrap(), 80.0);
    late.interval = [at(970.0), at(1050.0)];
    near(scored(&truth, std::slice::from_ref(&late), Form::Offline).detect.unwrap(), 40.0);
    late.t = at(0.0);
    near(scored(&truth, &[late], Form::Offline).detect.unwrap(), 40.0);
}

#[test]
fn steps_that_a_role_cannot_see_are_left_out() {
    let mut truth =
        [step("seen", 2, 1000.0, 1100.0, "device:PLC-1"), step("hidden", 2, 1000.0, 1100.0, "device:PLC-2")];
    truth[1].observable.clear();
    let right = call(1, 1000.0, "device:PLC-1", Some("T0836"), High);
    near(detect(&truth, std::slice::from_ref(&right)), 100.0);
    let clever = call(2, 1000.0, "device:PLC-2", Some("T0836"), High);
    near(detect(&truth, &[right, clever]), 100.0);
    truth[0].observable.clear();
    assert_eq!(scored(&truth, &[], Form::Live).detect, None);
}

#[test]
fn nothing_counts_after_the_end_of_the_run() {
    let truth = [step("s", 2, 1000.0, 1100.0, "device:PLC-1")];
    let mut after = call(1, 1050.0, "device:PLC-1", Some("T0836"), High);
    after.interval = [at(1000.0), at(1050.0)];
    let names = names();
    let calls = [after];
    let input = ScoreInput {
        truth: &truth,
        calls: &calls,
        duration: at(1049.0),
        role: Role::Analyst,
        form: Form::Live,
        names: &names,
        false_call_weight: None,
    };
    assert_eq!(score(&input).detect, Some(0.0));
    assert_eq!(score(&input).metrics.false_calls, 0);
}

#[test]
fn a_score_survives_its_file() {
    let mut calls = on_all(60.0, None, Low);
    calls.extend(false_calls(2, Mid));
    let score = scored(&five(), &calls, Form::Live);
    let json = serde_json::to_string(&score).unwrap();
    assert_eq!(serde_json::from_str::<Score>(&json).unwrap(), score);
    assert_eq!(score.metrics.false_calls, 2);
    assert_eq!(score.metrics.recall, Some(1.0));
    assert_eq!(score.metrics.mean_time_to_detect_s, Some(60.0));
}
