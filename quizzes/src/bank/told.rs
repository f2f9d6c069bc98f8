//! What is right, in words.

use super::resolve::{Answer, ResolvedQuestion};

/// Most frames that are told one by one.
const FRAMES_TOLD: usize = 12;

/// The right answer as somebody would type it, with what its letters stand for.
pub fn right_answer(question: &ResolvedQuestion) -> String {
    let option = |letter: &char| {
        let found = question.options.iter().find(|option| option.letter == *letter);
        found.map_or_else(|| letter.to_string(), |option| format!("{letter} ({})", option.text))
    };
    let options = |letters: &[char]| letters.iter().map(option).collect::<Vec<_>>();
    let unit = question.unit.as_ref().map_or_else(String::new, |unit| format!(" {unit}"));
    match &question.answer {
        Answer::Choice(letter) => option(letter),
        Answer::Choices(right) => options(right).join(", "),
        Answer::Order(right) => options(right).join(", then "),
        Answer::Match(right) => {
            let pairs = question.items.iter().zip(right);
            pairs.map(|(item, letter)| format!("{item}: {}", option(letter))).collect::<Vec<_>>().join("; ")
        }
        Answer::Text(accepted) => accepted.join(", or "),
        Answer::Number { value, tolerance } => format!("{value}{unit}{}", within(*tolerance)),
        Answer::Interval { from, to, tolerance } => format!("{from} to {to}{unit}{}", within(*tolerance)),
        Answer::Packets { frames, need } => {
            let told: Vec<String> = frames.iter().take(FRAMES_TOLD).map(u64::to_string).collect();
            let more = match frames.len() - told.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{need} of frames {}{more}", told.join(", "))
        }
    }
}

fn within(tolerance: f64) -> String {
    if tolerance > 0.0 { format!(" (within {tolerance} is right)") } else { String::new() }
}
