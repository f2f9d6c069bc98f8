//! GIFT, the plain text in which Moodle and others take questions.
//!
//! Source: Moodle documentation, *GIFT format*; the characters to be escaped are those of Moodle's own reader
//! (`question/format/gift/format.php`). GIFT has no form for an order, an interval and a set of frames: [`fits`] says
//! which questions it can hold. Hints have no place in it either.

use std::fmt::Write as _;

use super::{Topic, feedback, is_right, pairs, prompt, share};
use crate::bank::{Answer, ResolvedQuestion};

/// Whether GIFT has a form for a question.
pub fn fits(question: &ResolvedQuestion) -> bool {
    match question.answer {
        Answer::Choice(_) | Answer::Choices(_) | Answer::Number { .. } | Answer::Text(_) => true,
        // Moodle wants three pairs.
        Answer::Match(_) => question.items.len() >= 3,
        Answer::Order(_) | Answer::Interval { .. } | Answer::Packets { .. } => false,
    }
}

/// The questions that [`fits`] lets through, a category for each topic.
pub fn gift(topics: &[Topic]) -> String {
    let mut text = String::from("// EXERCISE: questions of Fieldrange.\n");
    for topic in topics {
        let questions: Vec<_> = topic.questions.iter().filter(|question| fits(question)).collect();
        if !questions.is_empty() {
            let _ = write!(
                text,
                "\n$CATEGORY: $course$/top/Fieldrange/{}\n",
                one_line(&super::category(&topic.title))
            );
        }
        for question in questions {
            let _ = write!(
                text,
                "\n// source: {}\n::{}::[plain]{} {{\n",
                one_line(&question.evidence),
                escaped(&question.id),
                escaped(&prompt(question))
            );
            for answer in answers(question) {
                let _ = writeln!(text, "{answer}");
            }
            let _ = writeln!(text, "####{}\n}}", escaped(&feedback(question)));
        }
    }
    text
}

fn answers(question: &ResolvedQuestion) -> Vec<String> {
    match &question.answer {
        Answer::Choice(_) => choices(question, "=", "~"),
        Answer::Choices(right) => {
            let share = share(right.len());
            choices(question, &format!("~%{share}%"), &format!("~%-{share}%"))
        }
        Answer::Number { value, tolerance } => {
            let mut lines = vec!["#".to_owned(), format!("=%100%{value}:{tolerance}")];
            if *tolerance > 0.0 {
                lines.push(format!("=%50%{value}:{}", tolerance * 2.0));
            }
            lines
        }
        Answer::Text(accepted) => accepted.iter().map(|text| format!("={}", short(text))).collect(),
        Answer::Match(letters) => pairs(question, letters)
            .iter()
            .map(|(item, option)| format!("={} -> {}", escaped(item), escaped(option)))
            .collect(),
        Answer::Order(_) | Answer::Interval { .. } | Answer::Packets { .. } => Vec::new(),
    }
}

fn choices(question: &ResolvedQuestion, right: &str, wrong: &str) -> Vec<String> {
    let line = |option: &crate::bank::ShownOption| {
        let sign = if is_right(question, option.letter) { right } else { wrong };
        let feedback = escaped(&option.feedback);
        let hash = if feedback.is_empty() { "" } else { "#" };
        format!("{sign}{}{hash}{feedback}", escaped(&option.text))
    };
    question.options.iter().map(line).collect()
}

/// A short answer: Moodle reads an asterisk in it as *anything*.
fn short(text: &str) -> String {
    escaped(&text.replace('*', "\\*"))
}

/// A text in which nothing is a sign of GIFT; lines are kept, on one line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for symbol in text.trim().chars() {
        match symbol {
            '\n' => safe.push_str("\\n"),
            '\\' | '~' | '=' | '#' | '{' | '}' | ':' => safe.extend(['\\', symbol]),
            '\r' => {}
            other => safe.push(other),
        }
    }
    safe
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GeneralBank;

    fn of(id: &str) -> String {
        let bank = GeneralBank::bundled().unwrap();
        let question = bank.questions().iter().find(|question| question.id == id).unwrap();
        let topic =
            Topic { name: "t".into(), title: "A topic".into(), questions: vec![question.resolved(1)] };
        gift(&[topic])
    }

    #[test]
    fn signs_of_the_format_are_escaped() {
        assert_eq!(escaped("a {b} = c: 5~6 #1 \\x\n\nd"), "a \\{b\\} \\= c\\: 5\\~6 \\#1 \\\\x\\n\\nd");
        assert_eq!(short("*.pcap"), "\\\\*.pcap");
    }

    #[test]
    fn each_kind_has_its_form() {
        let text = of("modbus-mbap-length");
        assert!(text.contains("{\n#\n=%100%7:0\n####Transaction identifier 2"), "{text}");
        assert!(of("modbus-exception-bit").contains("{\n=0x86\n=86\n=86h\n####"));
        assert!(of("ports-of-protocols").contains("=Modbus/TCP -> 502\n"));
        let single = of("modbus-length-field");
        assert!(single.contains("\n=6\n") && single.contains("\n~12#That is the whole ADU."), "{single}");
        assert!(single.contains("$CATEGORY: $course$/top/Fieldrange/A topic\n\n"));
    }
}
