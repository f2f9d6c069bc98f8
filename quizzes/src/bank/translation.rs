//! Questions on a run in another language: the words of each question, by its name.
//!
//! A translation holds words alone. Expressions, kinds, tolerances and costs stay in the bank file, so that no
//! translation can make another answer right; the one exception is an `order` question, whose answer names the things
//! to be ordered. What a translation lacks or has too much is an error that names file, question and key.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_spanned::Spanned;
use site::FileError;
use site::file::Source;

use super::file::{Kind, Question, QuestionSet, check_expression, check_text};

/// Translations that come with Fieldrange: scenario, language, text.
pub(super) const BUNDLED: [(&str, &str, &str); 1] =
    [("oldsmar", "de", include_str!("../../bank/de/oldsmar.toml"))];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TranslationFile {
    scenario: String,
    question: BTreeMap<String, QuestionWords>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionWords {
    prompt: Spanned<String>,
    /// The things to be ordered, in an `order` question.
    #[serde(default)]
    answer: Option<Spanned<String>>,
    evidence: String,
    right: Spanned<String>,
    wrong: Spanned<String>,
    /// Feedback of each distractor, in their order.
    #[serde(default)]
    feedback: Vec<Spanned<String>>,
    /// Text of each hint, in their order.
    #[serde(default)]
    hints: Vec<String>,
}

impl QuestionSet {
    /// The same questions, asked by the words of a translation. `file` names it in errors.
    pub fn told_in(mut self, file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file, text };
        let TranslationFile { scenario, question: mut words } = source.parse()?;
        let wrong = |place: &str, problem: String, fix: String| {
            source.error_at(text.find(place).unwrap_or(0), problem, fix)
        };
        if scenario != self.scenario() {
            return Err(wrong(
                &scenario,
                format!("these are words on {scenario:?}, the questions are on {:?}", self.scenario()),
                "name the same scenario".to_owned(),
            ));
        }
        for question in &mut self.questions {
            let id = question.id.get_ref().clone();
            let Some(words) = words.remove(&id) else {
                let fix = format!("add [question.{id}] with prompt, evidence, right and wrong");
                return Err(wrong(&id, format!("question {id:?} is missing"), fix));
            };
            for (what, here, there) in [
                ("feedback", words.feedback.len(), question.distractors.len()),
                ("hints", words.hints.len(), question.hints.len()),
                ("answer", usize::from(words.answer.is_some()), usize::from(question.kind == Kind::Order)),
            ] {
                if here != there {
                    let problem =
                        format!("question {id:?}: {here} of {what}, the bank file calls for {there}");
                    return Err(wrong(&id, problem, "translate one by one, in the same order".to_owned()));
                }
            }
            for told in [&words.prompt, &words.right, &words.wrong].into_iter().chain(&words.feedback) {
                check_text(&source, told)?;
            }
            if let Some(answer) = &words.answer {
                check_expression(&source, answer)?;
            }
            tell(question, words);
        }
        match words.keys().next() {
            Some(stray) => {
                let fix = "mend the name, or remove it".to_owned();
                Err(wrong(stray, format!("no question is called {stray:?}"), fix))
            }
            None => Ok(self),
        }
    }
}

/// Puts the words in the places of the English ones. Places in errors of a later evaluation stay those of the bank file.
fn tell(question: &mut Question, words: QuestionWords) {
    let put = |place: &mut Spanned<String>, told: Spanned<String>| *place.get_mut() = told.into_inner();
    put(&mut question.prompt, words.prompt);
    put(&mut question.right, words.right);
    put(&mut question.wrong, words.wrong);
    question.evidence = words.evidence;
    if let Some(answer) = words.answer {
        put(&mut question.answer, answer);
    }
    for (distractor, told) in question.distractors.iter_mut().zip(words.feedback) {
        put(&mut distractor.feedback, told);
    }
    for (hint, told) in question.hints.iter_mut().zip(words.hints) {
        hint.text = told;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_translation_has_all_questions() {
        for (scenario, language, _) in BUNDLED {
            assert_eq!(QuestionSet::named_in(scenario, language).unwrap().scenario(), scenario);
        }
        assert_eq!(QuestionSet::languages("oldsmar"), ["en", "de"]);
        assert!(QuestionSet::named_in("oldsmar", "fr").unwrap_err().fix.contains("en, de"));
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let (.., german) = BUNDLED[0];
        for (from, to, problem) in [
            ("[question.who-wrote]", "[question.who-writes]", "\"who-wrote\" is missing"),
            (
                "[question.who-wrote]",
                "[question.more]\nprompt = \"?\"\nevidence = \"\"\nright = \"\"\nwrong = \"\"\n[question.who-wrote]",
                "no question is called \"more\"",
            ),
            ("hints = [", "hints = [\"?\",", "of hints, the bank file calls for"),
            ("prompt = ", "promt = ", "promt"),
            ("${time_of_day", "${time_of_day(", "does not parse"),
            ("scenario = \"oldsmar\"", "scenario = \"night-tank\"", "these are words on"),
        ] {
            assert!(german.contains(from), "{from}");
            let set = QuestionSet::named("oldsmar").unwrap();
            let error = set.told_in("de/oldsmar.toml", &german.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error.file, "de/oldsmar.toml");
            assert!(error.problem.contains(problem) && !error.fix.is_empty(), "{error}");
        }
    }
}
