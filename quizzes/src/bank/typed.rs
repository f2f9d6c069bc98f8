//! Marking what is typed as itself and not as a letter: numbers, intervals, texts, frames.

use super::mark::GivenError;
use super::resolve::ResolvedQuestion;

/// Most frames that one answer may name: nobody looks at more by hand.
pub(super) const FRAMES_MAX: usize = 100_000;

const WANT_NUMBER: &str = "write a number with a point before decimals, as in 8.25";
const WANT_INTERVAL: &str = "write two numbers or two times of day, as in 4-20 or 10:04:05-10:06:00";
const WANT_TEXT: &str = "write a word or a line";
const WANT_FRAMES: &str = "write frame numbers and ranges, as in 48211, 48213-48215";

/// A text as it is compared: lower case, one space between words, without the quotes around it and a full stop behind.
pub fn normalised(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let outer = |c: char| matches!(c, '"' | '\'' | '`' | ' ');
    words.trim_matches(outer).trim_end_matches('.').trim_matches(outer).to_owned()
}

pub(super) fn mark_text(accepted: &[String], given: &str) -> Result<(f64, String), GivenError> {
    let typed = normalised(given);
    if typed.is_empty() {
        return Err(GivenError::Empty { want: WANT_TEXT });
    }
    let right = accepted.iter().any(|text| normalised(text) == typed);
    let first = accepted.first().map_or("", String::as_str);
    let told =
        if right { format!("{typed} is right.") } else { format!("You wrote {typed}. Right is {first}.") };
    Ok((if right { 1.0 } else { 0.0 }, told))
}

/// A number as people type it; nothing for words, infinities and commas.
fn parse_number(typed: &str) -> Option<f64> {
    let plain = typed.bytes().all(|octet| octet.is_ascii_digit() || b"+-.eE".contains(&octet));
    typed.parse::<f64>().ok().filter(|number| plain && number.is_finite())
}

/// Credit for a number that should be `value`.
fn nearness(number: f64, value: f64, tolerance: f64) -> f64 {
    let off = (number - value).abs();
    // A tolerance of 0.1 around 7.2 takes in 7.3, whatever binary fractions make of it.
    let slack = 1e-9 * (1.0 + value.abs());
    if off <= tolerance + slack {
        1.0
    } else if off <= 2.0 * tolerance + slack {
        0.5
    } else {
        0.0
    }
}

pub(super) fn mark_number(
    question: &ResolvedQuestion,
    value: f64,
    tolerance: f64,
    given: &str,
) -> Result<(f64, String), GivenError> {
    let unit = question.unit.as_deref().unwrap_or_default();
    let bare = given.strip_suffix(unit).unwrap_or(given).trim();
    if bare.is_empty() {
        return Err(GivenError::Empty { want: WANT_NUMBER });
    }
    let number = parse_number(bare);
    let number = number.ok_or_else(|| GivenError::NotThis { got: given.to_owned(), want: WANT_NUMBER })?;
    let credit = nearness(number, value, tolerance);
    let value = (value * 1000.0).round() / 1000.0;
    let space = if unit.is_empty() { "" } else { " " };
    let within = if tolerance > 0.0 { format!(" (within {tolerance} is right)") } else { String::new() };
    Ok((credit, format!("It is {value}{space}{unit}{within}; you said {number}.")))
}

/// An end of an interval: a number, or `HH:MM:SS` as seconds of the day.
fn parse_end(typed: &str) -> Option<f64> {
    let mut clock = typed.trim().split(':');
    let (Some(hours), Some(minutes), Some(seconds), None) =
        (clock.next(), clock.next(), clock.next(), clock.next())
    else {
        return parse_number(typed.trim());
    };
    let part = |text: &str, below: u32| text.parse::<u32>().ok().filter(|part| *part < below);
    Some(f64::from(part(hours, 24)? * 3600 + part(minutes, 60)? * 60 + part(seconds, 60)?))
}

/// `4-20`, `4 to 20`, `4..20`, `-20--5`: the lower end first.
fn parse_interval(typed: &str) -> Option<[f64; 2]> {
    let dash = |text: &str| {
        // A minus sign is no dash: at the start, or behind the e of a power of ten.
        let at = text.char_indices().skip(1).find(|(at, c)| *c == '-' && !text[..*at].ends_with(['e', 'E']));
        at.map(|(at, _)| (text[..at].to_owned(), text[at + 1..].to_owned()))
    };
    let owned = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    let (first, last) =
        typed.split_once(" to ").or_else(|| typed.split_once("..")).map(owned).or_else(|| dash(typed))?;
    let ends = [parse_end(&first)?, parse_end(&last)?];
    (ends[0] <= ends[1]).then_some(ends)
}

/// `value` as an end is told: a whole number or three decimals.
fn told_end(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

pub(super) fn mark_interval(
    question: &ResolvedQuestion,
    right: [f64; 2],
    tolerance: f64,
    given: &str,
) -> Result<(f64, String), GivenError> {
    let unit = question.unit.as_deref().unwrap_or_default();
    let bare = given.strip_suffix(unit).unwrap_or(given).trim();
    if bare.is_empty() {
        return Err(GivenError::Empty { want: WANT_INTERVAL });
    }
    let typed = parse_interval(bare);
    let typed = typed.ok_or_else(|| GivenError::NotThis { got: given.to_owned(), want: WANT_INTERVAL })?;
    let credit: f64 =
        typed.iter().zip(right).map(|(end, right)| nearness(*end, right, tolerance) / 2.0).sum();
    let [from, to] = right.map(told_end);
    let space = if unit.is_empty() { "" } else { " " };
    let within =
        if tolerance > 0.0 { format!(" (within {tolerance} at each end is right)") } else { String::new() };
    Ok((credit, format!("It is {from} to {to}{space}{unit}{within}.")))
}

pub(super) fn mark_packets(right: &[u64], need: usize, given: &str) -> Result<(f64, String), GivenError> {
    let frames = parse_frames(given)?;
    let hits = frames.iter().filter(|frame| right.binary_search(frame).is_ok()).count();
    let precision = hits as f64 / frames.len() as f64;
    let recall = (hits as f64 / need.max(1) as f64).min(1.0);
    let credit = if hits == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
    let told = format!(
        "{hits} of the {} frames you named {} right; the record has {} ({}), and {need} would be enough.",
        frames.len(),
        if hits == 1 { "is" } else { "are" },
        right.len(),
        ranges(right),
    );
    Ok((credit, told))
}

/// Frame numbers as people type them: `48211`, `48211, 48213-48215`. Ascending, without repetition.
pub fn parse_frames(given: &str) -> Result<Vec<u64>, GivenError> {
    let wrong = || GivenError::NotThis { got: given.to_owned(), want: WANT_FRAMES };
    let mut frames = Vec::new();
    for part in given.split([',', ';', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        let number = |text: &str| text.trim().parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(wrong);
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(wrong());
        }
        if (last - first) as usize >= FRAMES_MAX - frames.len().min(FRAMES_MAX) {
            return Err(GivenError::TooManyFrames);
        }
        frames.extend(first..=last);
    }
    frames.sort_unstable();
    frames.dedup();
    if frames.is_empty() { Err(GivenError::Empty { want: WANT_FRAMES }) } else { Ok(frames) }
}

/// The first few of some frames as ranges.
fn ranges(frames: &[u64]) -> String {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for frame in frames {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == *frame => *last = *frame,
            _ => spans.push((*frame, *frame)),
        }
    }
    let shown: Vec<String> = spans
        .iter()
        .take(6)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    shown.join(", ") + if spans.len() > 6 { ", ..." } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_as_ranges() {
        assert_eq!(ranges(&[10, 11, 12, 20]), "10-12, 20");
    }

    #[test]
    fn texts_lose_what_carries_no_meaning() {
        assert_eq!(normalised("  `Nmap  -p 502`. "), "nmap -p 502");
        assert_eq!(normalised("@load policy/x"), "@load policy/x");
        assert_eq!(normalised("''"), "");
    }

    proptest::proptest! {
        #[test]
        fn nothing_typed_makes_a_parser_panic(typed in ".{0,40}") {
            let _ = (parse_interval(&typed), parse_frames(&typed), parse_number(&typed), normalised(&typed));
        }
    }
}
