//! Spans of time as people write them.

use std::time::Duration;

/// `90s`, `30min`, `2h`, `250ms`; a bare number is seconds.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let split = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("a span is a number with ms, s, min, h or d, as in 120s; got {text:?}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("a span begins with a number; got {text:?}"))?;
    Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|_| format!("{text:?} is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_numbers_with_units() {
        for (text, seconds) in [("120s", 120.0), ("30min", 1800.0), ("2h", 7200.0), ("0.5s", 0.5), ("7", 7.0)]
        {
            assert_eq!(parse_span(text).unwrap().as_secs_f64(), seconds);
        }
        for wrong in ["", "s", "1 week", "-1s", "1e9999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
