//! Lengths of time and values as people write them in scenario files: `1h30min`, `250 ms`, `=name of a variable`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Why a text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is written as in 45min, 1h30min, 20s or 250ms, got {got:?}")]
pub struct SpanError {
    /// What stood there.
    pub got: String,
}

/// Reads a length of time: numbers with the units h, min, s, ms, largest first.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let wrong = || SpanError { got: text.to_owned() };
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    let mut finest = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit_ms = match &rest[..letters] {
            "h" => 3_600_000,
            "min" => 60_000,
            "s" => 1000,
            "ms" => 1,
            _ => return Err(wrong()),
        };
        if unit_ms >= finest {
            return Err(wrong());
        }
        finest = unit_ms;
        rest = rest[letters..].trim_start();
        total += Duration::from_millis(count.checked_mul(unit_ms).ok_or_else(wrong)?);
    }
    if finest == u64::MAX { Err(wrong()) } else { Ok(total) }
}

/// A length of time as [`parse_span`] reads it.
pub fn print_span(span: Duration) -> String {
    let ms = span.as_millis();
    let parts = [(ms / 3_600_000, "h"), (ms / 60_000 % 60, "min"), (ms / 1000 % 60, "s"), (ms % 1000, "ms")];
    let mut text = String::new();
    for (n, unit) in parts.iter().filter(|(n, _)| *n > 0) {
        text.push_str(&n.to_string());
        text.push_str(unit);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A value in a scenario file before variables are drawn: a number, a word, a length of time, or `=NAME`.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A number.
    Number(f64),
    /// A word, a length of time, or `=` and the name of a variable.
    Text(String),
}

impl Term {
    /// The variable it refers to, if it does.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.strip_prefix('=').map(str::trim),
            Self::Number(_) => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Terms;
        impl Visitor<'_> for Terms {
            type Value = Term;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text or \"=NAME\" of a variable")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Term, E> {
                Ok(Term::Number(number as f64))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Term, E> {
                Ok(Term::Number(number as f64))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Term, E> {
                Ok(Term::Number(number))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Term, E> {
                Ok(Term::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_and_print() {
        for (text, ms) in
            [("45min", 2_700_000), ("1h30min", 5_400_000), ("20 s", 20_000), ("1s250ms", 1250), ("0s", 0)]
        {
            let span = parse_span(text).unwrap();
            assert_eq!(span, Duration::from_millis(ms), "{text}");
            assert_eq!(parse_span(&print_span(span)), Ok(span));
        }
        for wrong in
            ["", "45", "min", "45m", "1s1h", "1s2s", "-3s", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
