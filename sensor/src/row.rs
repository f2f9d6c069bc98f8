//! One row as text: Zeek's tab-separated form, or JSON.

use std::borrow::Cow;
use std::io::Write;
use std::net::IpAddr;

use crate::digits::{
    push, six_digits, small, write_indices, write_large, write_number, write_number_and, write_numbers,
};
use crate::flow::ConnId;
use crate::log::{Log, LogFormat};
use crate::value::Value;

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Unset,
    /// Nanoseconds since 1970.
    Time(u64),
    /// Nanoseconds.
    Interval(u64),
    Count(u64),
    Text(&'a str),
    /// Text of ours: printable, neither empty nor a hyphen.
    Name(&'a str),
    Address(IpAddr),
    Bool(bool),
    Set(&'a [&'a str]),
    Float(f64),
    Counts(&'a [u16]),
    Indices(&'a [u32]),
    Numbers(&'a [f64]),
    /// Nanoseconds since 1970.
    Times(&'a [u64]),
    /// DNP3 groups and variations: `g30v2`.
    Objects(&'a [(u8, u8)]),
    /// Text as a device sent it, which need not be text.
    Octets(&'a [u8]),
}

impl<'a> Field<'a> {
    /// As filters and other formats see it; `None` where it is not set.
    pub(crate) fn value(self) -> Option<Value<'a>> {
        Some(match self {
            Self::Unset => return None,
            Self::Time(nanos) => Value::Time(nanos),
            Self::Interval(nanos) => Value::Interval(nanos),
            Self::Count(count) => Value::Int(i64::try_from(count).unwrap_or(i64::MAX)),
            Self::Text(text) | Self::Name(text) => Value::Text(Cow::Borrowed(text)),
            Self::Address(address) => Value::Address(address),
            Self::Bool(flag) => Value::Bool(flag),
            Self::Float(number) => Value::Float(number),
            Self::Counts(items) => Value::List(items.iter().map(|item| Value::Int((*item).into())).collect()),
            Self::Indices(items) => {
                Value::List(items.iter().map(|item| Value::Int((*item).into())).collect())
            }
            Self::Numbers(items) => Value::List(items.iter().copied().map(Value::Float).collect()),
            Self::Times(items) => Value::List(items.iter().copied().map(Value::Time).collect()),
            Self::Objects(items) => Value::List(
                items
                    .iter()
                    .map(|(group, variation)| Value::Text(format!("g{group}v{variation}").into()))
                    .collect(),
            ),
            Self::Octets(octets) => Value::Text(as_text(octets)),
            Self::Set(items) => {
                Value::List(items.iter().map(|item| Value::Text(Cow::Borrowed(item))).collect())
            }
        })
    }
}

impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Unset, Self::Text)
    }
}

pub(crate) fn header(out: &mut Vec<u8>, log: Log, first: u64) {
    let mut text =
        String::from("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n");
    text += "#path\t";
    text += log.path();
    text += "\n#open\t";
    text += &civil(first);
    for (title, index) in [("\n#fields", 0), ("\n#types", 1)] {
        text += title;
        for column in log.columns() {
            text.push('\t');
            text += if index == 0 { column.0 } else { column.1 };
        }
    }
    text.push('\n');
    out.extend_from_slice(text.as_bytes());
}

/// `2026-03-02-06-00-00` in UTC. Days to civil date after Howard Hinnant, "chrono-compatible low-level date algorithms".
pub(crate) fn civil(unix_nanos: u64) -> String {
    let seconds = unix_nanos / 1_000_000_000;
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}")
}

/// Seconds with six decimals, rounded, as Zeek prints times and intervals.
fn write_seconds(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos.saturating_add(500) / 1000;
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    write_number_and(out, seconds, b'.');
    push(out, six_digits(fraction), 6);
}

fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets().map(u64::from);
            write_number_and(out, a, b'.');
            write_number_and(out, b, b'.');
            write_number_and(out, c, b'.');
            write_number(out, d);
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

/// An address as text; rules group by it, so it is made often.
pub(crate) fn address_text(address: IpAddr) -> String {
    let mut octets = Vec::with_capacity(15);
    write_address(&mut octets, address);
    // Digits, dots, letters and colons.
    String::from_utf8(octets).unwrap_or_default()
}

/// Fields, each with the tab behind it. What most of them are is written here, without a call for each.
pub(crate) fn write_cells(out: &mut Vec<u8>, fields: &[Field<'_>]) {
    for field in fields {
        match *field {
            Field::Unset => out.extend_from_slice(b"-\t"),
            Field::Bool(value) => out.extend_from_slice(if value { b"T\t" } else { b"F\t" }),
            Field::Count(count) => write_number_and(out, count, b'\t'),
            Field::Name(name) => {
                out.extend_from_slice(name.as_bytes());
                out.push(b'\t');
            }
            field => {
                write_tsv(out, field);
                out.push(b'\t');
            }
        }
    }
}

/// A field, and what separates it from the next.
pub(crate) fn write_field(format: LogFormat, out: &mut Vec<u8>, name: &str, field: Field<'_>) {
    if format == LogFormat::Tsv {
        return write_cells(out, &[field]);
    }
    if matches!(field, Field::Unset) {
        return;
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write_json(out, field);
    out.push(b',');
}

fn write_tsv(out: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Unset => out.push(b'-'),
        Field::Time(nanos) | Field::Interval(nanos) => write_seconds(out, nanos),
        Field::Count(count) => write_number(out, count),
        Field::Text("")
        | Field::Set([])
        | Field::Counts([])
        | Field::Indices([])
        | Field::Numbers([])
        | Field::Times([])
        | Field::Objects([])
        | Field::Octets([]) => out.extend_from_slice(b"(empty)"),
        Field::Text(text) => write_escaped(out, text.as_bytes(), false),
        Field::Name(name) => out.extend_from_slice(name.as_bytes()),
        Field::Counts(items) => {
            write_numbers(out, items, u32::from, |out, item| write_large(out, item.into()));
        }
        Field::Indices(items) => write_indices(out, items),
        Field::Numbers(items) => write_numbers(out, items, small, write_float),
        Field::Times(items) => write_items(out, items, write_seconds),
        Field::Objects(items) => write_items(out, items, write_object),
        Field::Float(number) => write_float(out, number),
        Field::Octets(octets) => write_escaped(out, octets, false),
        Field::Address(address) => write_address(out, address),
        Field::Bool(value) => out.push(if value { b'T' } else { b'F' }),
        Field::Set(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_escaped(out, item.as_bytes(), true);
            }
        }
    }
}

fn write_object(out: &mut Vec<u8>, (group, variation): (u8, u8)) {
    out.push(b'g');
    write_number_and(out, group.into(), b'v');
    write_number(out, variation.into());
}

fn write_items<T: Copy>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, *item);
    }
}

/// The shortest decimal that reads back as the same number. What is no number is not set.
fn write_float(out: &mut Vec<u8>, number: f64) {
    let whole = number as i64;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 53 {
        // Most values are whole, and whole numbers are quickly written.
        if whole < 0 {
            out.push(b'-');
        }
        write_number(out, whole.unsigned_abs());
    } else if number.is_finite() {
        // Writing to a Vec cannot fail.
        drop(write!(out, "{number}"));
    } else {
        out.push(b'-');
    }
}

/// Tabs, backslashes, control characters and what is not UTF-8 become `\xNN`, so that a row stays a row whatever a
/// device sends.
fn write_escaped(out: &mut Vec<u8>, octets: &[u8], in_set: bool) {
    if octets == b"-" {
        out.extend_from_slice(b"\\x2d");
        return;
    }
    let is_plain = |octet: u8| (0x20..0x7f).contains(&octet) && octet != b'\\' && !(in_set && octet == b',');
    if octets.iter().copied().all(is_plain) {
        // Nearly all there is.
        out.extend_from_slice(octets);
        return;
    }
    for chunk in octets.utf8_chunks() {
        for octet in chunk.valid().bytes() {
            if octet < 0x80 && !is_plain(octet) {
                write_escape(out, octet);
            } else {
                out.push(octet);
            }
        }
        chunk.invalid().iter().for_each(|octet| write_escape(out, *octet));
    }
}

fn write_escape(out: &mut Vec<u8>, octet: u8) {
    let digits = b"0123456789abcdef";
    out.extend_from_slice(b"\\x");
    out.push(digits[usize::from(octet >> 4)]);
    out.push(digits[usize::from(octet & 15)]);
}

/// Octets as text, as Zeek shows them in JSON: what is not printable as `\xNN`.
fn as_text(octets: &[u8]) -> Cow<'_, str> {
    let is_plain = |octet: &u8| *octet >= 0x20 && *octet != 0x7f && *octet != b'\\';
    if let Ok(text) = std::str::from_utf8(octets)
        && octets.iter().all(is_plain)
    {
        return Cow::Borrowed(text);
    }
    let mut escaped = Vec::new();
    write_escaped(&mut escaped, octets, false);
    Cow::Owned(String::from_utf8_lossy(&escaped).into_owned())
}

pub(crate) fn write_json(out: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Float(number) if !number.is_finite() => write_json(out, Field::Unset),
        Field::Unset => out.extend_from_slice(b"null"),
        Field::Time(nanos) | Field::Interval(nanos) => write_seconds(out, nanos),
        Field::Count(count) => write_number(out, count),
        Field::Text(text) | Field::Name(text) => write_json_text(out, text),
        Field::Address(address) => {
            out.push(b'"');
            write_address(out, address);
            out.push(b'"');
        }
        Field::Float(number) => write_float(out, number),
        Field::Counts(_) | Field::Indices(_) | Field::Times(_) | Field::Numbers(_) => {
            out.push(b'[');
            match field {
                Field::Numbers(items) => {
                    write_numbers(out, items, small, |out, item| write_json(out, Field::Float(item)));
                }
                Field::Counts([]) | Field::Indices([]) | Field::Times([]) => {}
                _ => write_tsv(out, field),
            }
            out.push(b']');
        }
        Field::Objects(items) => {
            out.push(b'[');
            write_items(out, items, |out, item| {
                out.push(b'"');
                write_object(out, item);
                out.push(b'"');
            });
            out.push(b']');
        }
        Field::Octets(octets) => write_json_text(out, &as_text(octets)),
        Field::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Field::Set(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json_text(out, item);
            }
            out.push(b']');
        }
    }
}

fn write_json_text(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|octet| octet >= 0x20 && octet != b'"' && octet != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // A str always serialises.
        drop(serde_json::to_writer(out, text));
    }
}

/// The first six columns of every log about a connection: time, uid, and its ends.
pub(crate) fn prefix(at: u64, id: &ConnId) -> [Field<'_>; 6] {
    [
        Field::Time(at),
        Field::Name(id.uid.as_str()),
        Field::Address(id.orig.0),
        Field::Count(id.orig.1.into()),
        Field::Address(id.resp.0),
        Field::Count(id.resp.1.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_that_are_no_text_are_escaped() {
        let show = |field| {
            let (mut tsv, mut json) = (Vec::new(), Vec::new());
            write_tsv(&mut tsv, field);
            write_json(&mut json, field);
            (String::from_utf8(tsv).unwrap(), String::from_utf8(json).unwrap())
        };
        let both = |tsv: &str, json: &str| (tsv.to_owned(), json.to_owned());
        assert_eq!(show(Field::Octets(&[0, 0])), both("\\x00\\x00", "\"\\\\x00\\\\x00\""));
        assert_eq!(
            show(Field::Octets(b"1.2\xff\xe2\x82\xac")),
            both("1.2\\xff\u{20ac}", "\"1.2\\\\xff\u{20ac}\"")
        );
        assert_eq!(show(Field::Counts(&[1, 65_535])), both("1,65535", "[1,65535]"));
        assert_eq!(show(Field::Counts(&[])), both("(empty)", "[]"));
        assert_eq!(show(Field::Float(7.25)), both("7.25", "7.25"));
        assert_eq!(show(Field::Float(f64::NAN)), both("-", "null"));
    }

    #[test]
    fn civil_dates_hold_at_the_edges() {
        assert_eq!(civil(0), "1970-01-01-00-00-00");
        assert_eq!(civil(951_782_399 * 1_000_000_000), "2000-02-28-23-59-59");
        assert_eq!(civil(951_782_400 * 1_000_000_000), "2000-02-29-00-00-00");
    }
}
