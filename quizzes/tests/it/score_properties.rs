//! What holds for D whatever happened and whatever was called.

use proptest::prelude::*;
use quizzes::Form;
use record::{Call, Confidence, Consequence, TruthStep, Verdict};

use crate::fixtures::{at, call, scored, step};

const THINGS: [&str; 6] =
    ["device:PLC-1", "device:PLC-2", "device:PLC-3", "host:hmi", "point:NAOH.SP", "point:AIT-202"];
const TECHNIQUES: [Option<&str>; 4] = [None, Some("T0836"), Some("impact"), Some("T0846")];

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![4 => Just(Verdict::Attack), 1 => Just(Verdict::Fault), 1 => Just(Verdict::Authorised)]
}

fn confidence() -> impl Strategy<Value = Confidence> {
    prop_oneof![Just(Confidence::Low), Just(Confidence::Mid), Just(Confidence::High)]
}

fn truth() -> impl Strategy<Value = Vec<TruthStep>> {
    let one = (0_usize..6, 1_u8..4, 0_u32..3000, 1_u32..900, verdict(), 0_usize..6, 0_usize..6);
    proptest::collection::vec(one, 0..6).prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(|(n, (thing, weight, start, length, verdict, point, effect))| {
                let start = f64::from(start);
                let mut step =
                    step(&format!("s{n}"), weight, start, start + f64::from(length), THINGS[thing]);
                step.verdict = verdict;
                step.campaign = format!("c{}", n % 2);
                step.points = vec![THINGS[point].parse().unwrap()];
                if effect < 2 {
                    let point = THINGS[4 + effect].parse().unwrap();
                    step.consequences =
                        vec![Consequence { name: "effect".into(), point, time: at(start + 100.0) }];
                }
                step
            })
            .collect()
    })
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let one = (0_u32..4000, 0_usize..6, 0_usize..6, 0_usize..4, confidence(), verdict(), 0_usize..3);
    proptest::collection::vec(one, 0..10).prop_map(|list| {
        list.into_iter()
            .zip(1..)
            .map(|((t, first, second, technique, confidence, verdict, case), id)| {
                let mut call = call(id, f64::from(t), THINGS[first], TECHNIQUES[technique], confidence);
                if second != first {
                    call.entities.push(THINGS[second].parse().unwrap());
                }
                call.interval[0] = at((f64::from(t) - 600.0).max(0.0));
                call.verdict = verdict;
                call.case = ["a", "b"].get(case).map(|case| (*case).to_owned());
                call
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn d_is_from_0_to_100_and_its_lines_add_up(truth in truth(), calls in calls(), live in any::<bool>()) {
        let score = scored(&truth, &calls, if live { Form::Live } else { Form::Offline });
        if let Some(detect) = score.detect {
            prop_assert!((0.0..=100.0).contains(&detect));
            let sum: f64 = score.lines.iter().map(|line| line.points).sum();
            prop_assert!((sum - detect).abs() < 1e-6);
        }
    }

    #[test]
    fn one_more_false_call_never_helps(truth in truth(), calls in calls(), confidence in confidence(), case in any::<bool>()) {
        let before = scored(&truth, &calls, Form::Live).detect;
        let mut more = calls;
        let mut extra = call(99, 500.0, "host:mail", Some("T0836"), confidence);
        extra.case = case.then(|| "a".to_owned());
        more.push(extra);
        prop_assert!(scored(&truth, &more, Form::Live).detect <= before);
    }

    #[test]
    fn the_order_of_lines_in_the_file_does_not_matter(truth in truth(), calls in calls()) {
        let forwards = scored(&truth, &calls, Form::Live);
        let mut turned = calls;
        turned.reverse();
        prop_assert_eq!(&scored(&truth, &turned, Form::Live), &forwards);
        let mut shuffled = truth;
        shuffled.reverse();
        prop_assert_eq!(&scored(&shuffled, &turned, Form::Live).lines, &forwards.lines);
    }

    #[test]
    fn no_step_earns_more_than_its_weight(truth in truth(), calls in calls()) {
        let score = scored(&truth, &calls, Form::Live);
        prop_assert!(score.earned <= score.possible + 1e-9);
    }
}
