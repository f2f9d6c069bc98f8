//! Statements for a learning record store: who answered what, and how well.
//!
//! Source: xAPI 1.0.3, part two, sections 2.4 (statements) and 2.4.4.1 (interaction activities, with the response
//! patterns of `cmi.interaction` of SCORM 2004). Statements carry no time: the store that takes them knows when.

use serde_json::{Value, json};

use super::{HOME, option_text, uuid};
use crate::bank::{Answer, Kind, Mark, ResolvedQuestion};

/// Who answered, and in which sitting; a sitting that is exported twice gives the same ids.
#[derive(Clone, Copy, Debug)]
pub struct Sitting<'a> {
    /// Name of the account.
    pub person: &'a str,
    /// Scenario or domain.
    pub topic: &'a str,
    /// Seed of the run, or of the order of options.
    pub variant: &'a str,
}

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The question.
    pub question: &'a ResolvedQuestion,
    /// What was typed.
    pub given: &'a str,
    /// What it is worth.
    pub mark: &'a Mark,
    /// Share that was credited after hints.
    pub credit: f64,
}

/// An `answered` statement for each answer.
pub fn statements(sitting: Sitting<'_>, answers: &[Answered<'_>]) -> Value {
    answers.iter().map(|answer| statement(sitting, answer)).collect()
}

fn statement(sitting: Sitting<'_>, answer: &Answered<'_>) -> Value {
    let Sitting { person, topic, variant } = sitting;
    let question = answer.question;
    let parent = format!("{HOME}/xapi/{topic}");
    json!({
        "id": uuid(&["xapi", person, topic, variant, &question.id]),
        "version": "1.0.3",
        "actor": { "objectType": "Agent", "account": { "homePage": HOME, "name": person } },
        "verb": { "id": "http://adlnet.gov/expapi/verbs/answered", "display": { "en": "answered" } },
        "object": { "objectType": "Activity", "id": format!("{parent}/{}", question.id), "definition": definition(question) },
        "result": {
            "score": { "scaled": (answer.credit.clamp(0.0, 1.0) * 1e4).round() / 1e4 },
            "success": answer.mark.right,
            "completion": true,
            "response": response(question, answer.given),
        },
        "context": {
            "platform": "Fieldrange (EXERCISE)",
            "revision": variant,
            "language": "en",
            "contextActivities": { "parent": [{ "objectType": "Activity", "id": parent }] },
        },
    })
}

fn definition(question: &ResolvedQuestion) -> Value {
    let (kind, pattern) = pattern(question);
    let mut definition = json!({
        "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
        "name": { "en": question.id },
        "description": { "en": super::prompt(question) },
        "interactionType": kind,
        "correctResponsesPattern": pattern,
    });
    let component = |id: String, text: &str| json!({ "id": id, "description": { "en": text } });
    let options: Vec<Value> =
        question.options.iter().map(|option| component(option.letter.to_string(), &option.text)).collect();
    match kind {
        "choice" | "sequencing" => definition["choices"] = options.into(),
        "matching" => {
            let items = question.items.iter().enumerate();
            definition["source"] = items.map(|(n, item)| component((n + 1).to_string(), item)).collect();
            definition["target"] = options.into();
        }
        _ => {}
    }
    definition
}

/// Interaction type, and the responses that are right.
fn pattern(question: &ResolvedQuestion) -> (&'static str, Vec<String>) {
    match &question.answer {
        Answer::Choice(letter) => ("choice", vec![letter.to_string()]),
        Answer::Choices(letters) => ("choice", vec![listed(letters)]),
        Answer::Order(letters) => ("sequencing", vec![listed(letters)]),
        Answer::Match(letters) => ("matching", vec![paired(letters)]),
        Answer::Number { value, tolerance } => {
            ("numeric", vec![format!("{}[:]{}", value - tolerance, value + tolerance)])
        }
        Answer::Text(accepted) => {
            ("fill-in", accepted.iter().map(|text| format!("{{case_matters=false}}{text}")).collect())
        }
        Answer::Interval { from, to, .. } => ("other", vec![format!("{from} to {to}")]),
        Answer::Packets { frames, .. } => ("other", frames.iter().take(100).map(u64::to_string).collect()),
    }
}

/// What was typed in the form of the pattern; as it was where letters do not tell.
fn response(question: &ResolvedQuestion, given: &str) -> String {
    let mut letters: Vec<char> = given
        .chars()
        .map(|c| c.to_ascii_uppercase())
        .filter(|c| !option_text(question, *c).is_empty())
        .collect();
    match question.kind {
        Kind::Single | Kind::Multi => {
            letters.sort_unstable();
            letters.dedup();
            listed(&letters)
        }
        Kind::Order => listed(&letters),
        // 1B 2A in any order, or BA.
        Kind::Match => match crate::bank::mark::match_letters(question, question.items.len(), given) {
            Ok(letters) => paired(&letters),
            Err(_) => given.to_owned(),
        },
        Kind::Numeric | Kind::Text | Kind::Interval | Kind::Packets => given.trim().to_owned(),
    }
}

fn listed(letters: &[char]) -> String {
    letters.iter().map(char::to_string).collect::<Vec<_>>().join("[,]")
}

fn paired(letters: &[char]) -> String {
    let pairs = letters.iter().enumerate().map(|(n, letter)| format!("{}[.]{letter}", n + 1));
    pairs.collect::<Vec<_>>().join("[,]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneralBank, mark};

    fn answered(id: &str, given: &str) -> Value {
        let bank = GeneralBank::bundled().unwrap();
        let question = bank.questions().iter().find(|question| question.id == id).unwrap().resolved(1);
        let mark = mark(&question, given).unwrap();
        let sitting = Sitting { person: "ann", topic: "protocols", variant: "seed 1" };
        statements(sitting, &[Answered { question: &question, given, mark: &mark, credit: mark.credit }])[0]
            .clone()
    }

    #[test]
    fn responses_have_the_form_of_the_pattern() {
        let right = answered("modbus-mbap-length", "7");
        assert_eq!(right["object"]["definition"]["correctResponsesPattern"][0], "7[:]7");
        assert_eq!((&right["result"]["success"], &right["result"]["response"]), (&json!(true), &json!("7")));
        let text = answered("modbus-exception-bit", "0x86");
        assert_eq!(text["object"]["definition"]["correctResponsesPattern"][0], "{case_matters=false}0x86");
        let pairs = answered("ports-of-protocols", "2B 1A 3C 4D 5E 6F");
        assert_eq!(pairs["result"]["response"], "1[.]A[,]2[.]B[,]3[.]C[,]4[.]D[,]5[.]E[,]6[.]F");
        assert_eq!(pairs["id"], answered("ports-of-protocols", "ABCDEF")["id"]);
    }
}
