//! Challenges for CTFd: a folder with a `challenge.yml` for each, as ctfcli takes them (specification version 0.1).
//!
//! A person answers in Fieldrange and gets a flag for it, which is theirs alone ([`super::flag`]); so an export with a key
//! is for one person. Without a key the flag is the answer itself, the same for all, and needs no Fieldrange beside the
//! contest; questions whose answer cannot be typed exactly are left out then.
//!
//! The first challenge of a topic opens the others. As in Fieldrange the first hint is free, the others cost their share.

use serde::Serialize;

use super::flag::EventKey;
use super::{ExportFile, Topic, prompt};
use crate::bank::{Answer, ResolvedQuestion};

/// Points of each challenge.
const VALUE: u32 = 100;
/// Tries at an answer that can be guessed.
const TRIES: u32 = 3;

/// Whose flags.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// The event's key.
    pub key: &'a EventKey,
    /// Who gets these flags.
    pub person: &'a str,
}

#[derive(Serialize)]
struct Challenge<'a> {
    name: &'a str,
    author: &'a str,
    category: &'a str,
    description: String,
    attribution: &'a str,
    value: u32,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    flags: Vec<Flag>,
    topics: &'a [String],
    tags: [&'a str; 2],
    hints: Vec<HintEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    requirements: Vec<&'a str>,
    state: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Flag {
    r#type: &'static str,
    content: String,
    data: &'static str,
}

#[derive(Serialize)]
struct HintEntry<'a> {
    content: &'a str,
    cost: u32,
}

/// A challenge for each question of a topic that has a flag, and the ids of those that have none.
///
/// `variant` is the seed of the run, or of the order of options.
///
/// # Errors
/// What the YAML writer says; texts and numbers alone give no cause.
pub fn challenges<'t>(
    topic: &'t Topic,
    variant: &str,
    secrets: Option<Secrets<'_>>,
) -> Result<(Vec<ExportFile>, Vec<&'t str>), yaml_serde::Error> {
    let mut files = Vec::new();
    let mut left_out = Vec::new();
    let mut first: Option<&str> = None;
    for question in &topic.questions {
        let flags = match secrets {
            Some(Secrets { key, person }) => {
                let content = key.flag(&topic.name, variant, person, &question.id);
                vec![Flag { r#type: "static", content, data: "case_insensitive" }]
            }
            None => answers(question),
        };
        if flags.is_empty() {
            left_out.push(question.id.as_str());
            continue;
        }
        let guessable = secrets.is_none() && !question.options.is_empty();
        let challenge = Challenge {
            name: &question.id,
            author: "Fieldrange",
            category: &topic.title,
            description: description(topic, question, variant, secrets.is_some()),
            attribution: "EXERCISE. Everything in it is simulated.",
            value: VALUE,
            r#type: "standard",
            attempts: guessable.then_some(TRIES),
            flags,
            topics: &question.attack,
            tags: [&topic.name, "exercise"],
            hints: hints(question),
            requirements: first.into_iter().collect(),
            state: "visible",
            version: "0.1",
        };
        files.push(ExportFile {
            name: format!("{}/{}/challenge.yml", topic.name, question.id),
            text: yaml_serde::to_string(&challenge)?,
        });
        first.get_or_insert(&question.id);
    }
    Ok((files, left_out))
}

fn description(topic: &Topic, question: &ResolvedQuestion, variant: &str, by_person: bool) -> String {
    let mut lines = vec![prompt(question)];
    let items = question.items.iter().enumerate();
    lines.extend(items.map(|(n, item)| format!("{}. {item}", n + 1)));
    lines.extend(question.options.iter().map(|option| format!("- **{}** {}", option.letter, option.text)));
    lines.push(if by_person {
        format!("Answer it in Fieldrange (`{}`, {variant}), which gives you a flag of your own.", topic.name)
    } else {
        how(question).to_owned()
    });
    lines.join("\n\n")
}

/// How to write the flag of an answer that is typed.
fn how(question: &ResolvedQuestion) -> &'static str {
    match &question.answer {
        Answer::Choice(_) => "The flag is the letter, as in `flag{B}`.",
        Answer::Choices(_) => "The flag has all letters that hold, from A on, as in `flag{AC}`.",
        Answer::Order(_) => "The flag has all letters in their order, as in `flag{BAC}`.",
        Answer::Match(_) => {
            "The flag has the letter of each item in the order of the items, as in `flag{BAC}`."
        }
        Answer::Number { .. } => "The flag is the number, as in `flag{7}`.",
        Answer::Text(_) => "The flag is the word or line, as in `flag{word}`.",
        Answer::Interval { .. } => "The flag has both numbers, as in `flag{1-9}`.",
        Answer::Packets { .. } => "The flag is the number of one frame, as in `flag{48211}`.",
    }
}

/// Flags that are the answer; none where it cannot be typed exactly.
fn answers(question: &ResolvedQuestion) -> Vec<Flag> {
    let contents: Vec<String> = match &question.answer {
        Answer::Choice(letter) => vec![letter.to_string()],
        Answer::Choices(letters) | Answer::Order(letters) | Answer::Match(letters) => {
            vec![letters.iter().collect()]
        }
        Answer::Number { value, tolerance } if *tolerance == 0.0 => vec![value.to_string()],
        Answer::Interval { from, to, tolerance } if *tolerance == 0.0 => vec![format!("{from}-{to}")],
        Answer::Text(accepted) => accepted.clone(),
        Answer::Packets { frames, need: 1 } => frames.iter().take(100).map(u64::to_string).collect(),
        Answer::Number { .. } | Answer::Interval { .. } | Answer::Packets { .. } => Vec::new(),
    };
    let flag =
        |content| Flag { r#type: "static", content: format!("flag{{{content}}}"), data: "case_insensitive" };
    contents.into_iter().map(flag).collect()
}

fn hints(question: &ResolvedQuestion) -> Vec<HintEntry<'_>> {
    let cost = |number: usize, share: f64| match number {
        0 => 0,
        _ => (share * f64::from(VALUE)).round().clamp(0.0, f64::from(VALUE)) as u32,
    };
    let hints = question.hints.iter().enumerate();
    hints.map(|(number, hint)| HintEntry { content: &hint.text, cost: cost(number, hint.cost) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GeneralBank;

    fn topic() -> Topic {
        let bank = GeneralBank::bundled().unwrap();
        let questions = bank.questions_of("protocols").map(|question| question.resolved(1)).collect();
        Topic { name: "protocols".into(), title: "Industrial protocols".into(), questions }
    }

    #[test]
    fn without_a_key_the_answer_is_the_flag() {
        let topic = topic();
        let (files, left_out) = challenges(&topic, "seed 1", None).unwrap();
        assert_eq!(files.len() + left_out.len(), topic.questions.len());
        let exception =
            files.iter().find(|file| file.name == "protocols/modbus-exception-bit/challenge.yml").unwrap();
        let read: yaml_serde::Value = yaml_serde::from_str(&exception.text).unwrap();
        assert_eq!(read["flags"][0]["content"].as_str(), Some("flag{0x86}"));
        assert_eq!(read["hints"][0]["cost"].as_u64(), Some(0));
        assert_eq!(read["requirements"][0].as_str(), Some("ports-of-protocols"));
    }

    #[test]
    fn with_a_key_every_question_has_a_flag_of_the_person() {
        let topic = topic();
        let key = EventKey::parse(&"0b".repeat(32)).unwrap();
        let of = |person| {
            let (files, left_out) =
                challenges(&topic, "seed 1", Some(Secrets { key: &key, person })).unwrap();
            assert!(left_out.is_empty());
            files
        };
        let (ann, bob) = (of("ann"), of("bob"));
        assert_eq!(ann.len(), topic.questions.len());
        assert!(ann.iter().zip(&bob).all(|(a, b)| a.name == b.name && a.text != b.text));
        assert!(ann[0].text.contains(&key.flag("protocols", "seed 1", "ann", &topic.questions[0].id)));
        assert!(!ann[0].text.contains("flag{B}"));
    }
}
