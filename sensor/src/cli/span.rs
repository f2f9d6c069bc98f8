//! Spans of time and sizes as people write them.

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

/// `64M`, `2G`, `500k`; a bare number is octets.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("a size is a number with k, M or G, as in 64M; got {text:?}"))
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

    #[test]
    fn sizes_are_numbers_with_units() {
        for (text, octets) in [("7", 7), ("64k", 64 << 10), ("64M", 64 << 20), ("2G", 2 << 30)] {
            assert_eq!(parse_size(text), Ok(octets));
        }
        for wrong in ["", "M", "-1", "1T", "99999999999999999999", "18446744073709551615G"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
