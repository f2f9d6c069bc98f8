//! The general bank as it comes with Fieldrange, and somebody who works through it.

use std::collections::{BTreeMap, BTreeSet};

use quizzes::bank::Answer;
use quizzes::bank::typed::normalised;
use quizzes::progress::Answered;
use quizzes::{Certainty, GeneralBank, GeneralQuestion, Level, Progress, ResolvedQuestion, mark};

fn bank() -> GeneralBank {
    GeneralBank::bundled().unwrap()
}

/// What somebody types who knows the answer.
fn typed(question: &ResolvedQuestion) -> String {
    match &question.answer {
        Answer::Choice(letter) => letter.to_string(),
        Answer::Choices(letters) | Answer::Order(letters) | Answer::Match(letters) => {
            letters.iter().collect()
        }
        Answer::Number { value, .. } => value.to_string(),
        Answer::Interval { from, to, .. } => format!("{from} to {to}"),
        Answer::Text(accepted) => accepted[0].clone(),
        Answer::Packets { .. } => panic!("a general question has no frames"),
    }
}

#[test]
fn every_right_answer_is_marked_right_and_every_other_option_wrong_with_its_reason() {
    for question in bank().questions() {
        let asked = question.resolved(7);
        let told = mark(&asked, &typed(&asked)).unwrap();
        assert!(told.right && told.credit == 1.0, "{}: {told:?}", question.id);
        if let Answer::Text(accepted) = &asked.answer {
            for text in accepted {
                assert!(mark(&asked, text).unwrap().right, "{}: {text}", question.id);
            }
        }
        let Answer::Choice(right) = asked.answer else { continue };
        for option in asked.options.iter().filter(|option| option.letter != right) {
            let told = mark(&asked, &option.letter.to_string()).unwrap();
            assert!(!told.right && told.explanation.contains(&option.feedback), "{}: {told:?}", question.id);
        }
    }
}

#[test]
fn options_are_shown_in_an_order_of_the_seed() {
    let (bank, other) = (bank(), bank());
    let shown = |bank: &GeneralBank, seed| -> Vec<ResolvedQuestion> {
        bank.questions().iter().map(|question| question.resolved(seed)).collect()
    };
    assert_eq!(shown(&bank, 3), shown(&other, 3));
    assert_ne!(shown(&bank, 3), shown(&bank, 4));
}

/// A right answer that is the longest or stands always in one place is found without knowing anything.
#[test]
fn neither_place_nor_length_gives_the_answer_away() {
    let bank = bank();
    let mut places: BTreeMap<char, usize> = BTreeMap::new();
    let (mut longest, mut singles) = (0, 0);
    for question in bank.questions() {
        let asked = question.resolved(1);
        let Answer::Choice(right) = asked.answer else { continue };
        singles += 1;
        *places.entry(right).or_default() += 1;
        let length =
            |letter: char| asked.options.iter().find(|o| o.letter == letter).map_or(0, |o| o.text.len());
        longest +=
            usize::from(asked.options.iter().all(|o| o.letter == right || o.text.len() < length(right)));
    }
    assert!(longest * 100 <= singles * 40, "{longest} of {singles} right answers are the longest option");
    assert!(places.values().all(|count| count * 100 <= singles * 45), "{places:?}");
}

#[test]
fn no_feedback_repeats_its_option_and_no_prompt_holds_its_answer() {
    for question in bank().questions() {
        let asked = question.resolved(1);
        for option in &asked.options {
            assert_ne!(normalised(&option.text), normalised(&option.feedback), "{}", question.id);
        }
        if let Answer::Text(accepted) = &asked.answer {
            let prompt = normalised(&asked.prompt);
            let given_away = accepted.iter().any(|text| text.len() > 3 && prompt.contains(&normalised(text)));
            assert!(!given_away, "{}: the prompt holds the answer", question.id);
        }
    }
}

fn answered(right: bool, day: u32) -> Answered {
    Answered { credit: if right { 1.0 } else { 0.0 }, hints: vec![], certainty: Some(Certainty::Mid), day }
}

fn names(bank: &GeneralBank) -> Vec<&str> {
    bank.domains().iter().map(|domain| domain.name.as_str()).collect()
}

#[test]
fn who_knows_the_protocols_and_nothing_else_is_found_out() {
    let bank = bank();
    let mut progress = Progress::new(5);
    let mut asked = BTreeSet::new();
    for _ in 0..32 {
        let question = progress.next(&bank, &names(&bank), &asked, 100).unwrap();
        progress.take(question, &answered(question.domain == "protocols", 100));
        asked.insert(question.id.clone());
    }
    for domain in bank.domains() {
        assert_eq!(progress.rating(&domain.name).answers, 4, "{}", domain.name);
        let level = Level::of(progress.rating(&domain.name).elo);
        assert_eq!(level > Level::Novice, domain.name == "protocols", "{}: {level:?}", domain.name);
        assert!(level.lab(domain).is_some());
    }
    assert_eq!(Progress::parse(&progress.to_json()).unwrap(), progress);
}

#[test]
fn new_questions_are_neither_too_easy_nor_too_hard() {
    let bank = bank();
    let progress = Progress::new(1);
    for domain in names(&bank) {
        let question = progress.next(&bank, &[domain], &BTreeSet::new(), 0).unwrap();
        let chance = progress.chance(question);
        assert!((0.6..=0.75).contains(&chance), "{domain}: {} has {chance}", question.id);
    }
}

#[test]
fn what_is_due_comes_before_what_is_new_and_the_forgotten_one_first() {
    let bank = bank();
    let of: Vec<&GeneralQuestion> = bank.questions_of("protocols").take(2).collect();
    let mut progress = Progress::new(1);
    progress.take(of[0], &answered(true, 10));
    progress.take(of[1], &answered(false, 10));
    let next = |progress: &Progress, day| {
        progress
            .next(&bank, &["protocols"], &BTreeSet::new(), day)
            .map(|question| question.id.clone())
            .unwrap()
    };
    assert!(![&of[0].id, &of[1].id].contains(&&next(&progress, 10)), "nothing is due on the same day");
    assert_eq!(next(&progress, 11), of[1].id);
    let asked = BTreeSet::from([of[1].id.clone()]);
    assert_eq!((progress.due(11), progress.due(12)), (1, 2));
    assert_eq!(progress.next(&bank, &["protocols"], &asked, 12).unwrap().id, of[0].id);
}

#[test]
fn a_damaged_file_of_progress_is_refused_with_a_fix() {
    let mut progress = Progress::new(1);
    progress.take(&bank().questions()[0], &answered(true, 10));
    let good = progress.to_json();
    for (from, to, problem) in [
        ("\"version\": 1", "\"version\": 2", "version 2"),
        ("\"version\"", "\"edition\"", "no file of progress"),
        ("\"difficulty\": ", "\"difficulty\": -", "in its range"),
        ("\"stability\": ", "\"stability\": -", "in its range"),
        ("\"elo\": ", "\"elo\": 9999999", "in its range"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Progress::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("fix:"), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_typed_makes_marking_panic_or_pay_too_much(typed in "[A-F0-9a-z ,.:;@-]{0,16}", number in 0_usize..1000) {
        let bank = bank();
        let question = bank.questions()[number % bank.questions().len()].resolved(number as u64);
        let (answer, _) = Certainty::split(&typed);
        if let Ok(told) = mark(&question, answer) {
            assert!((0.0..=1.0).contains(&told.credit) && told.right == (told.credit >= 1.0), "{told:?}");
        }
    }

    #[test]
    fn no_text_makes_reading_progress_panic(text in ".{0,60}") {
        assert!(Progress::parse(&text).is_err());
    }
}
