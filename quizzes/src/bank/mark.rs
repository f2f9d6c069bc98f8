//! Marking: an answer as somebody typed it, against what is right.
//!
//! | kind | credit |
//! |---|---|
//! | single | all or nothing |
//! | multi | (right ones chosen - wrong ones chosen) / right ones, not below 0 |
//! | numeric | 1 within the tolerance, half within twice the tolerance |
//! | order | pairs in the right order, less those in the wrong one, over all pairs, not below 0 (Kendall's tau) |
//! | match | right pairs over all pairs |
//! | text | all or nothing, after [`normalised`](super::typed::normalised) |
//! | interval | half for each end, as for numeric |
//! | packets | harmonic mean of the share of frames given that are right and of the share of needed ones that are given |

use serde::{Deserialize, Serialize};

use super::resolve::{Answer, ResolvedQuestion};
use super::told::right_answer;
use super::typed::{FRAMES_MAX, mark_interval, mark_number, mark_packets, mark_text};

/// Why what was typed is no answer. It is not marked; ask again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenError {
    /// Nothing was typed.
    #[error("no answer was given: {want}")]
    Empty {
        /// What is wanted.
        want: &'static str,
    },
    /// Not what the kind of question takes.
    #[error("{got:?} is no answer here: {want}")]
    NotThis {
        /// What stood there.
        got: String,
        /// What is wanted.
        want: &'static str,
    },
    /// A letter that no option has.
    #[error("there is no option {got}: the options are A to {last}")]
    NoSuchOption {
        /// The letter.
        got: char,
        /// The last letter.
        last: char,
    },
    /// A letter twice, or not all letters in an order.
    #[error("write each letter from A to {last} once, as in BAC: got {got:?}")]
    NotAnOrder {
        /// What stood there.
        got: String,
        /// The last letter.
        last: char,
    },
    /// A match that leaves items out or names one twice.
    #[error("write one letter for each of the {items} items, as in 1B 2A 3C: got {got:?}")]
    NotAMatch {
        /// What stood there.
        got: String,
        /// How many items there are.
        items: usize,
    },
    /// More frames than anybody looked at.
    #[error("an answer names at most {FRAMES_MAX} frames: name those that show it")]
    TooManyFrames,
}

const WANT_LETTER: &str = "write one letter";
const WANT_LETTERS: &str = "write letters, as in A, C";
const WANT_MATCH: &str = "write a letter for each item, as in 1B 2A 3C";

/// What an answer is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Share of the question's worth, 0 to 1.
    pub credit: f64,
    /// Whether all of it is right.
    pub right: bool,
    /// What is right, what was not, and why.
    pub explanation: String,
}

/// Marks an answer as it was typed.
pub fn mark(question: &ResolvedQuestion, given: &str) -> Result<Mark, GivenError> {
    let given = given.trim();
    let (credit, told) = match &question.answer {
        Answer::Choice(right) => mark_choice(question, *right, given)?,
        Answer::Choices(right) => mark_choices(question, right, given)?,
        Answer::Number { value, tolerance } => mark_number(question, *value, *tolerance, given)?,
        Answer::Order(right) => mark_order(question, right, given)?,
        Answer::Match(right) => mark_match(question, right, given)?,
        Answer::Text(accepted) => mark_text(accepted, given)?,
        Answer::Interval { from, to, tolerance } => mark_interval(question, [*from, *to], *tolerance, given)?,
        Answer::Packets { frames, need } => mark_packets(frames, *need, given)?,
    };
    let right = credit >= 1.0;
    let closing = if right { &question.right } else { &question.wrong };
    let explanation = format!("{told} {closing}").trim().to_owned();
    Ok(Mark { credit, right, explanation })
}

/// A question that somebody passed on: no credit, and what is right.
pub fn passed(question: &ResolvedQuestion) -> Mark {
    let explanation = format!("Right is {}. {}", right_answer(question), question.wrong);
    Mark { credit: 0.0, right: false, explanation }
}

/// Letters of options in what was typed, upper case, in the order typed.
fn letters(question: &ResolvedQuestion, given: &str, want: &'static str) -> Result<Vec<char>, GivenError> {
    let last = question.options.last().map_or('A', |option| option.letter);
    let mut found = Vec::new();
    for symbol in given.chars().filter(|c| !c.is_whitespace() && *c != ',' && *c != ';') {
        let letter = symbol.to_ascii_uppercase();
        if !letter.is_ascii_uppercase() {
            return Err(GivenError::NotThis { got: given.to_owned(), want });
        }
        if !question.options.iter().any(|option| option.letter == letter) {
            return Err(GivenError::NoSuchOption { got: letter, last });
        }
        found.push(letter);
    }
    if found.is_empty() { Err(GivenError::Empty { want }) } else { Ok(found) }
}

fn shown(question: &ResolvedQuestion, letter: char) -> (&str, &str) {
    let option = question.options.iter().find(|option| option.letter == letter);
    option.map_or(("", ""), |option| (&option.text, &option.feedback))
}

fn mark_choice(question: &ResolvedQuestion, right: char, given: &str) -> Result<(f64, String), GivenError> {
    let chosen = letters(question, given, WANT_LETTER)?;
    let [letter] = chosen[..] else {
        return Err(GivenError::NotThis { got: given.to_owned(), want: WANT_LETTER });
    };
    let (text, _) = shown(question, right);
    if letter == right {
        return Ok((1.0, format!("{right} is right: {text}.")));
    }
    let (chosen, feedback) = shown(question, letter);
    Ok((0.0, format!("You chose {letter} ({chosen}). {feedback} Right is {right}: {text}.")))
}

fn mark_choices(
    question: &ResolvedQuestion,
    right: &[char],
    given: &str,
) -> Result<(f64, String), GivenError> {
    let mut chosen = letters(question, given, WANT_LETTERS)?;
    chosen.sort_unstable();
    chosen.dedup();
    let (hits, wrong): (Vec<char>, Vec<char>) = chosen.into_iter().partition(|letter| right.contains(letter));
    let credit = ((hits.len() as f64 - wrong.len() as f64) / right.len().max(1) as f64).max(0.0);
    let names: Vec<String> = right.iter().map(|l| format!("{l} ({})", shown(question, *l).0)).collect();
    let mut told =
        vec![format!("Right {}: {}.", if right.len() == 1 { "is" } else { "are" }, names.join(", "))];
    for letter in wrong {
        let (text, feedback) = shown(question, letter);
        told.push(format!("{letter} ({text}) is not: {feedback}"));
    }
    for letter in right.iter().filter(|letter| !hits.contains(letter)) {
        told.push(format!("You left out {letter}."));
    }
    Ok((credit, told.join(" ")))
}

fn mark_order(question: &ResolvedQuestion, right: &[char], given: &str) -> Result<(f64, String), GivenError> {
    let order = letters(question, given, WANT_LETTERS)?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if order.len() != right.len() || sorted.len() != right.len() {
        let last = question.options.last().map_or('A', |option| option.letter);
        return Err(GivenError::NotAnOrder { got: given.to_owned(), last });
    }
    let place = |letter: char| right.iter().position(|other| *other == letter);
    let mut balance = 0_i32;
    let mut pairs = 0_i32;
    for (n, first) in order.iter().enumerate() {
        for second in &order[n + 1..] {
            pairs += 1;
            balance += if place(*first) < place(*second) { 1 } else { -1 };
        }
    }
    let credit = (f64::from(balance) / f64::from(pairs.max(1))).max(0.0);
    let names: Vec<String> = right.iter().map(|l| format!("{l} ({})", shown(question, *l).0)).collect();
    Ok((credit, format!("The order is {}.", names.join(", then "))))
}

fn mark_match(question: &ResolvedQuestion, right: &[char], given: &str) -> Result<(f64, String), GivenError> {
    if given.is_empty() {
        return Err(GivenError::Empty { want: WANT_MATCH });
    }
    let chosen = match_letters(question, right.len(), given)?;
    let hits = chosen.iter().zip(right).filter(|(chosen, right)| chosen == right).count();
    let pairs: Vec<String> = question
        .items
        .iter()
        .zip(right)
        .map(|(item, letter)| format!("{item}: {letter} ({})", shown(question, *letter).0))
        .collect();
    let told = format!("{hits} of {} pairs are right. {}.", right.len(), pairs.join("; "));
    Ok((hits as f64 / right.len().max(1) as f64, told))
}

/// The letter given to each item: `BAC` in the order of the items, or `1B 2A 3C` in any order.
pub(crate) fn match_letters(
    question: &ResolvedQuestion,
    items: usize,
    given: &str,
) -> Result<Vec<char>, GivenError> {
    let wrong = || GivenError::NotAMatch { got: given.to_owned(), items };
    let last = question.options.last().map_or('A', |option| option.letter);
    let mut chosen: Vec<Option<char>> = vec![None; items];
    let mut item: Option<usize> = None;
    let mut next = 0;
    for symbol in given.chars().filter(|c| !c.is_whitespace() && !",;:-=.".contains(*c)) {
        if let Some(digit) = symbol.to_digit(10) {
            item = Some(item.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize));
            continue;
        }
        let letter = symbol.to_ascii_uppercase();
        if !letter.is_ascii_uppercase() {
            return Err(wrong());
        }
        if !question.options.iter().any(|option| option.letter == letter) {
            return Err(GivenError::NoSuchOption { got: letter, last });
        }
        let place = match item.take() {
            Some(number) => number.checked_sub(1).ok_or_else(wrong)?,
            None => next,
        };
        let slot = chosen.get_mut(place).filter(|slot| slot.is_none()).ok_or_else(wrong)?;
        *slot = Some(letter);
        next = place + 1;
    }
    if item.is_some() {
        return Err(wrong());
    }
    chosen.into_iter().collect::<Option<_>>().ok_or_else(wrong)
}

/// How sure somebody is of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// 1 if right, 0 if wrong.
    Low,
    /// 2 if right, -2 if wrong.
    Mid,
    /// 3 if right, -6 if wrong.
    High,
}

impl Certainty {
    /// Splits `B @high` into the answer and how sure it is. Without an `@` word nothing is said of that.
    pub fn split(line: &str) -> (&str, Option<Self>) {
        let line = line.trim();
        let said = |(answer, word): (&'_ str, &str)| {
            let certainty = match word.trim().to_ascii_lowercase().as_str() {
                "low" => Self::Low,
                "mid" => Self::Mid,
                "high" => Self::High,
                _ => return None,
            };
            Some((answer.len(), certainty))
        };
        match line.rsplit_once('@').and_then(said) {
            Some((length, certainty)) => (line[..length].trim(), Some(certainty)),
            None => (line, None),
        }
    }
}

/// Points of certainty-based marking. What is right in part counts as that share of right and the rest as wrong.
pub fn certainty_points(credit: f64, certainty: Certainty) -> f64 {
    let (right, wrong) = match certainty {
        Certainty::Low => (1.0, 0.0),
        Certainty::Mid => (2.0, -2.0),
        Certainty::High => (3.0, -6.0),
    };
    let credit = credit.clamp(0.0, 1.0);
    credit * right + (1.0 - credit) * wrong
}

/// Credit after hints: the first used is free, the others take their share, and a fifth always stays.
pub fn with_hints(credit: f64, costs_in_order_of_use: &[f64]) -> f64 {
    let taken: f64 = costs_in_order_of_use.iter().skip(1).sum();
    credit * (1.0 - taken).max(0.2)
}

#[cfg(test)]
mod tests {
    use super::super::file::Kind;
    use super::super::resolve::ShownOption;
    use super::*;

    fn question(answer: Answer) -> ResolvedQuestion {
        let options = ['A', 'B', 'C', 'D'].map(|letter| ShownOption {
            letter,
            text: format!("option {letter}"),
            feedback: format!("not {letter}, because."),
        });
        ResolvedQuestion {
            id: "q".into(),
            kind: Kind::Single,
            prompt: String::new(),
            items: vec!["one".into(), "two".into(), "three".into()],
            options: options.into(),
            unit: Some("pH".into()),
            attack: vec![],
            hints: vec![],
            evidence: String::new(),
            answer,
            right: "Good.".into(),
            wrong: "Look again.".into(),
        }
    }

    #[track_caller]
    fn check(answer: Answer, given: &str, credit: f64) {
        let mark = mark(&question(answer), given).unwrap();
        assert!((mark.credit - credit).abs() < 1e-9, "{given}: {mark:?}");
        assert_eq!(mark.right, credit == 1.0);
        assert!(mark.explanation.ends_with(if mark.right { "Good." } else { "Look again." }), "{mark:?}");
    }

    #[track_caller]
    fn refuse(answer: Answer, given: &str, want: &str) {
        let error = mark(&question(answer), given).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }

    #[test]
    fn single_is_all_or_nothing() {
        check(Answer::Choice('B'), " b ", 1.0);
        check(Answer::Choice('B'), "A", 0.0);
        assert!(mark(&question(Answer::Choice('B')), "A").unwrap().explanation.contains("not A, because."));
        refuse(Answer::Choice('B'), "AB", "one letter");
        refuse(Answer::Choice('B'), "E", "A to D");
        refuse(Answer::Choice('B'), "", "no answer");
        refuse(Answer::Choice('B'), "7", "one letter");
    }

    #[test]
    fn multi_takes_off_what_is_wrong() {
        let right = || Answer::Choices(vec!['A', 'C']);
        check(right(), "a, c", 1.0);
        check(right(), "CA", 1.0);
        check(right(), "A", 0.5);
        check(right(), "AB", 0.0);
        check(right(), "ABC", 0.5);
        check(right(), "ABCD", 0.0);
        check(right(), "AAA", 0.5);
    }

    #[test]
    fn numbers_have_a_tolerance_and_half_credit_beyond() {
        let right = || Answer::Number { value: 7.2, tolerance: 0.1 };
        check(right(), "7.3", 1.0);
        check(right(), "7.1 pH", 1.0);
        check(right(), "7.4", 0.5);
        check(right(), "7.41", 0.0);
        check(right(), "-7.2", 0.0);
        refuse(right(), "7,2", "with a point");
        refuse(right(), "inf", "with a point");
        refuse(right(), "", "no answer");
    }

    #[test]
    fn orders_count_pairs() {
        let right = || Answer::Order(vec!['B', 'A', 'D', 'C']);
        check(right(), "BADC", 1.0);
        check(right(), "b a c d", 4.0 / 6.0);
        check(right(), "CDAB", 0.0);
        refuse(right(), "BAD", "each letter from A to D once");
        refuse(right(), "BADD", "each letter from A to D once");
    }

    #[test]
    fn matches_count_pairs_and_options_may_repeat() {
        let right = || Answer::Match(vec!['B', 'A', 'B']);
        check(right(), "BAB", 1.0);
        check(right(), "3b, 1b 2:A", 1.0);
        check(right(), "1-B 2-A 3-C", 2.0 / 3.0);
        check(right(), "CCC", 0.0);
        for wrong in
            ["BA", "BABA", "1B 1A 2B", "0B 1A 2B", "9B 1A 2B", "BA1", "1B 2A 3?", "99999999999999999999999B"]
        {
            refuse(right(), wrong, "each of the 3 items");
        }
        refuse(right(), "BAE", "A to D");
        refuse(right(), "", "no answer");
    }

    #[test]
    fn texts_are_compared_as_people_write_them() {
        let right = || Answer::Text(vec!["function_code".into(), "headers$function_code".into()]);
        check(right(), " `Function_Code`. ", 1.0);
        check(right(), "headers$function_code", 1.0);
        check(right(), "func_code", 0.0);
        refuse(right(), " \"\" ", "no answer");
    }

    #[test]
    fn an_interval_has_two_ends() {
        let right = || Answer::Interval { from: 4.0, to: 20.0, tolerance: 0.0 };
        check(right(), "4-20", 1.0);
        check(right(), "4 to 20 pH", 1.0);
        check(right(), "4..20", 1.0);
        check(right(), "0 - 20", 0.5);
        check(right(), "0-10", 0.0);
        refuse(right(), "20", "two numbers");
        refuse(right(), "20-4", "two numbers");
        refuse(right(), "4-", "two numbers");
        refuse(right(), "", "no answer");
        let cold = || Answer::Interval { from: -20.0, to: -5.0, tolerance: 1.0 };
        check(cold(), "-20 to -5", 1.0);
        check(cold(), "-20--3", 0.75);
        let times = || Answer::Interval { from: 36_245.0, to: 36_300.0, tolerance: 5.0 };
        check(times(), "10:04:05-10:05:00", 1.0);
        check(times(), "10:04:05 to 10:05:09", 0.75);
        refuse(times(), "10:61:00-10:62:00", "two numbers");
    }

    #[test]
    fn who_passes_is_told_what_is_right() {
        let told = |answer| passed(&question(answer)).explanation;
        assert_eq!(told(Answer::Choice('B')), "Right is B (option B). Look again.");
        assert!(told(Answer::Order(vec!['B', 'A'])).contains("B (option B), then A"));
        assert!(told(Answer::Match(vec!['B', 'A', 'C'])).contains("one: B (option B); two: A"));
        assert!(told(Answer::Number { value: 7.2, tolerance: 0.1 }).contains("7.2 pH (within 0.1 is right)"));
        assert!(told(Answer::Interval { from: 4.0, to: 20.0, tolerance: 0.0 }).contains("4 to 20 pH. "));
        assert!(told(Answer::Text(vec!["x".into(), "y".into()])).contains("x, or y"));
        assert!(told(Answer::Packets { frames: (1..20).collect(), need: 1 }).contains("12 and 7 more"));
    }

    #[test]
    fn certainty_follows_the_answer() {
        assert_eq!(Certainty::split("B @high "), ("B", Some(Certainty::High)));
        assert_eq!(Certainty::split("1A 2B@Low"), ("1A 2B", Some(Certainty::Low)));
        assert_eq!(Certainty::split("alice@plant.example"), ("alice@plant.example", None));
        assert_eq!(Certainty::split(" B"), ("B", None));
    }

    #[test]
    fn packets_count_right_ones_against_named_and_needed() {
        let right = |need| Answer::Packets { frames: vec![10, 11, 12, 20], need };
        check(right(1), "11", 1.0);
        check(right(4), "10-12, 20", 1.0);
        check(right(4), "10 11", 2.0 / 3.0);
        check(right(1), "9,10", 2.0 / 3.0);
        check(right(1), "13-19", 0.0);
        refuse(right(1), "1-99999999999", "at most 100000");
        refuse(right(1), "1-100001", "at most 100000");
        for wrong in ["0", "x", "12-10", "-5", "1.5"] {
            refuse(right(1), wrong, "48211");
        }
    }

    #[test]
    fn certainty_is_paid_for() {
        let points =
            |credit| [Certainty::Low, Certainty::Mid, Certainty::High].map(|c| certainty_points(credit, c));
        assert_eq!(points(1.0), [1.0, 2.0, 3.0]);
        assert_eq!(points(0.0), [0.0, -2.0, -6.0]);
        assert_eq!(points(0.5), [0.5, 0.0, -1.5]);
    }

    #[test]
    fn the_first_hint_is_free_and_a_fifth_stays() {
        assert_eq!(with_hints(1.0, &[]), 1.0);
        assert_eq!(with_hints(1.0, &[0.5]), 1.0);
        assert_eq!(with_hints(1.0, &[0.5, 0.25]), 0.75);
        assert_eq!(with_hints(1.0, &[0.5, 0.9, 0.9]), 0.2);
    }
}
