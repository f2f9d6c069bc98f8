//! Moodle's own XML, which holds every kind of question.
//!
//! | kind | Moodle's type | what is lost |
//! |---|---|---|
//! | single, multi | `multichoice` | nothing |
//! | numeric | `numerical` | nothing |
//! | text | `shortanswer` | spaces and quotes are compared as typed |
//! | match | `matching` | nothing |
//! | order | `ordering` (in Moodle since 4.4, a plugin before) | marks by place, not by pairs |
//! | interval | `cloze` with two numbers | times of day are seconds of the day |
//! | packets | `numerical` where one frame is enough, otherwise `essay` | the latter is marked by a person |
//!
//! Hints cost as `penalty`, which Moodle takes for each try: the mean of their costs. Source: Moodle documentation, *Moodle
//! XML format*; of `ordering`, its `questiontype.php`.

use std::fmt::Write as _;

use super::{Topic, feedback, is_right, pairs, prompt, share};
use crate::bank::{Answer, ResolvedQuestion, right_answer};

/// Most frames that are accepted one by one; more become an essay.
const FRAMES_MAX: usize = 500;

/// All questions, a category for each topic.
pub fn moodle_xml(topics: &[Topic]) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- EXERCISE: questions of Fieldrange. -->\n<quiz>\n",
    );
    for topic in topics.iter().filter(|topic| !topic.questions.is_empty()) {
        let _ = write!(
            text,
            "<question type=\"category\">\n<category><text>$course$/top/Fieldrange/{}</text></category>\n<info format=\"plain_text\"><text>EXERCISE</text></info>\n</question>\n",
            xml(&super::category(&topic.title))
        );
        for question in &topic.questions {
            write_question(&mut text, question);
        }
    }
    text.push_str("</quiz>\n");
    text
}

fn write_question(text: &mut String, question: &ResolvedQuestion) {
    let (kind, body) = body(question);
    let format = if kind == "cloze" { "html" } else { "plain_text" };
    let asked = match &question.answer {
        Answer::Interval { from, to, tolerance } => cloze(question, [*from, *to], *tolerance),
        _ => prompt(question),
    };
    let _ = write!(
        text,
        "<question type=\"{kind}\">\n<name><text>{}</text></name>\n<questiontext format=\"{format}\"><text>{}</text></questiontext>\n<generalfeedback format=\"plain_text\"><text>{}</text></generalfeedback>\n",
        xml(&question.id),
        xml(&asked),
        xml(&feedback(question)),
    );
    if kind != "cloze" {
        text.push_str("<defaultgrade>1</defaultgrade>\n");
    }
    let costs = question.hints.iter().fold(0.0, |sum, hint| sum + hint.cost);
    let penalty = costs / question.hints.len().max(1) as f64;
    let _ = write!(
        text,
        "<penalty>{penalty:.7}</penalty>\n<hidden>0</hidden>\n<idnumber>{}</idnumber>\n{body}",
        xml(&question.id)
    );
    for hint in &question.hints {
        let _ = writeln!(text, "<hint format=\"plain_text\"><text>{}</text></hint>", xml(&hint.text));
    }
    if !question.attack.is_empty() {
        text.push_str("<tags>");
        for technique in &question.attack {
            let _ = write!(text, "<tag><text>{}</text></tag>", xml(technique));
        }
        text.push_str("</tags>\n");
    }
    text.push_str("</question>\n");
}

/// Moodle's type of a question, and what only that type has.
fn body(question: &ResolvedQuestion) -> (&'static str, String) {
    let mut body = String::new();
    match &question.answer {
        Answer::Choice(_) => {
            choices(&mut body, question, 1);
            ("multichoice", body)
        }
        Answer::Choices(right) => {
            choices(&mut body, question, right.len());
            ("multichoice", body)
        }
        Answer::Number { value, tolerance } => {
            number(&mut body, "100", *value, *tolerance);
            if *tolerance > 0.0 {
                number(&mut body, "50", *value, 2.0 * tolerance);
            }
            body.push_str(NO_UNITS);
            ("numerical", body)
        }
        Answer::Text(accepted) => {
            body.push_str("<usecase>0</usecase>\n");
            for text in accepted {
                answer(&mut body, "100", &text.replace('*', "\\*"), "");
            }
            ("shortanswer", body)
        }
        Answer::Match(letters) => {
            body.push_str("<shuffleanswers>true</shuffleanswers>\n");
            for (item, option) in pairs(question, letters) {
                let _ = writeln!(
                    body,
                    "<subquestion format=\"plain_text\"><text>{}</text><answer><text>{}</text></answer></subquestion>",
                    xml(item),
                    xml(option)
                );
            }
            ("matching", body)
        }
        Answer::Order(letters) => {
            body.push_str("<layouttype>VERTICAL</layouttype>\n<selecttype>ALL</selecttype>\n<selectcount>0</selectcount>\n<gradingtype>RELATIVE_TO_CORRECT</gradingtype>\n<showgrading>SHOW</showgrading>\n<numberingstyle>none</numberingstyle>\n<shownumcorrect>1</shownumcorrect>\n");
            for (place, letter) in letters.iter().enumerate() {
                answer(
                    &mut body,
                    &format!("{}.0000000", place + 1),
                    super::option_text(question, *letter),
                    "",
                );
            }
            ("ordering", body)
        }
        Answer::Interval { .. } => ("cloze", body),
        Answer::Packets { frames, need: 1 } if frames.len() <= FRAMES_MAX => {
            for frame in frames {
                number(&mut body, "100", *frame as f64, 0.0);
            }
            body.push_str(NO_UNITS);
            ("numerical", body)
        }
        Answer::Packets { .. } => {
            let _ = write!(
                body,
                "<responseformat>editor</responseformat>\n<responserequired>1</responserequired>\n<responsefieldlines>5</responsefieldlines>\n<attachments>0</attachments>\n<graderinfo format=\"plain_text\"><text>{}</text></graderinfo>\n<responsetemplate format=\"plain_text\"><text></text></responsetemplate>\n",
                xml(&right_answer(question))
            );
            ("essay", body)
        }
    }
}

/// The unit stands in the prompt.
const NO_UNITS: &str = "<unitgradingtype>0</unitgradingtype>\n<unitpenalty>0.1000000</unitpenalty>\n<showunits>3</showunits>\n<unitsleft>0</unitsleft>\n";

fn choices(body: &mut String, question: &ResolvedQuestion, right: usize) {
    let single = matches!(question.answer, Answer::Choice(_));
    let _ = write!(
        body,
        "<single>{single}</single>\n<shuffleanswers>true</shuffleanswers>\n<answernumbering>ABCD</answernumbering>\n"
    );
    let share = share(right);
    for option in &question.options {
        let fraction = match (is_right(question, option.letter), single) {
            (true, _) => share.to_string(),
            (false, true) => "0".to_owned(),
            (false, false) => format!("-{share}"),
        };
        answer(body, &fraction, &option.text, &option.feedback);
    }
}

fn answer(body: &mut String, fraction: &str, text: &str, feedback: &str) {
    let _ = writeln!(
        body,
        "<answer fraction=\"{fraction}\" format=\"plain_text\"><text>{}</text><feedback format=\"plain_text\"><text>{}</text></feedback></answer>",
        xml(text),
        xml(feedback)
    );
}

fn number(body: &mut String, fraction: &str, value: f64, tolerance: f64) {
    let _ = writeln!(
        body,
        "<answer fraction=\"{fraction}\" format=\"plain_text\"><text>{value}</text><feedback format=\"plain_text\"><text></text></feedback><tolerance>{tolerance}</tolerance></answer>"
    );
}

/// The text of an interval's question: HTML with a number for each end.
fn cloze(question: &ResolvedQuestion, ends: [f64; 2], tolerance: f64) -> String {
    // A brace in the prompt would begin a number of its own.
    let asked = xml(&prompt(question)).replace('{', "&#123;").replace('}', "&#125;");
    let [from, to] = ends.map(|end| {
        let half = if tolerance > 0.0 { format!("~%50%{end}:{}", 2.0 * tolerance) } else { String::new() };
        format!("{{1:NUMERICAL:=%100%{end}:{tolerance}{half}}}")
    });
    format!("<p>{asked}</p><p>From {from} to {to}</p>")
}

/// A text as XML holds it. Control characters, which XML 1.0 cannot hold, become spaces.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for symbol in text.chars() {
        match symbol {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(symbol),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GeneralBank;

    #[test]
    fn every_question_of_the_bank_has_a_type() {
        let bank = GeneralBank::bundled().unwrap();
        let questions: Vec<_> = bank.questions().iter().map(|question| question.resolved(1)).collect();
        let count = questions.len();
        let text = moodle_xml(&[Topic { name: "all".into(), title: "A & B".into(), questions }]);
        assert_eq!(text.matches("<question type=").count(), count + 1);
        assert!(text.contains("Fieldrange/A &amp; B</text>") && text.contains("type=\"ordering\""));
        assert!(text.contains("{1:NUMERICAL:=%100%"));
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(xml("a<b>&\"c\"\u{1}\n"), "a&lt;b&gt;&amp;&quot;c&quot; \n");
    }
}
