//! One test on one field, and the values it compares with.

use std::cmp::Ordering;
use std::fmt;
use std::net::IpAddr;

use record::Level;
use regex::Regex;

use super::lex::{Op, is_keyword, is_word};
use crate::value::{Fields, Value};

/// Most octets of a compiled regular expression.
const REGEX_SIZE_MAX: usize = 1 << 18;

#[derive(Clone, Debug)]
pub(super) struct Test {
    pub(super) field: String,
    pub(super) question: Question,
}

#[derive(Clone, Debug)]
pub(super) enum Question {
    Present,
    Compare(Op, Literal),
    Contains(Literal),
    Matches(Regex),
    In(Vec<Item>),
    NotIn(Vec<Item>),
}

#[derive(Clone, Debug)]
pub(super) enum Item {
    One(Literal),
    /// Both ends included.
    Range(Literal, Literal),
}

/// A value as it stands in a filter, with all that it may mean: which of them counts is up to the field.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    pub(super) text: String,
    quoted: bool,
    number: Option<f64>,
    flag: Option<bool>,
    network: Option<Network>,
}

#[derive(Clone, Copy, Debug)]
struct Network {
    address: IpAddr,
    bits: u8,
    /// Written with a prefix length.
    is_wide: bool,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (net.to_bits() ^ address.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (net.to_bits() ^ address.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// Linear in the text it is asked of, bounded in size.
pub(super) fn regular_expression(text: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(text).size_limit(REGEX_SIZE_MAX).dfa_size_limit(REGEX_SIZE_MAX).build().map_err(
        |error| error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    )
}

impl Literal {
    pub(super) fn quoted(text: String) -> Self {
        Self { text, quoted: true, number: None, flag: None, network: None }
    }

    /// A value without quotes; what is wrong with it and how to mend it otherwise.
    pub(super) fn word(word: &str) -> Result<Self, (String, String)> {
        let mut network = word.parse().ok().map(|address: IpAddr| Network {
            address,
            bits: if address.is_ipv4() { 32 } else { 128 },
            is_wide: false,
        });
        if let Some((address, bits)) = word.split_once('/')
            && let Ok(address) = address.parse::<IpAddr>()
        {
            let most = if address.is_ipv4() { 32 } else { 128 };
            match bits.parse() {
                Ok(bits) if bits <= most => network = Some(Network { address, bits, is_wide: true }),
                _ => {
                    let problem = format!("{word:?} is no network");
                    return Err((problem, format!("write a prefix length from /0 to /{most}")));
                }
            }
        }
        let flag = match word {
            "true" | "T" => Some(true),
            "false" | "F" => Some(false),
            _ => None,
        };
        let number = number(word).or_else(|| moment(word));
        Ok(Self { text: word.to_owned(), quoted: false, number, flag, network })
    }

    pub(super) fn is_network(&self) -> bool {
        self.network.is_some_and(|network| network.is_wide)
    }

    /// Whether it can be the end of a range.
    pub(super) fn is_end(&self) -> bool {
        self.number.is_some() || self.network.is_some_and(|network| !network.is_wide)
    }

    /// How a value, not a list, compares with it; `None` where the two have nothing in common.
    fn compare(&self, value: &Value<'_>) -> Option<Ordering> {
        match value {
            Value::Bool(flag) => self.flag.map(|expected| flag.cmp(&expected)),
            Value::Address(address) => {
                let network = self.network?;
                Some(if network.contains(*address) { Ordering::Equal } else { address.cmp(&network.address) })
            }
            Value::Text(text) => Some(self.compare_text(text)),
            Value::List(_) => None,
            number => number.as_number()?.partial_cmp(&self.number?),
        }
    }

    /// Texts may be addresses and numbers: JSON logs have no type for the first, and device identities hold the second.
    fn compare_text(&self, text: &str) -> Ordering {
        if let Some(network) = self.network
            && let Ok(address) = text.parse::<IpAddr>()
        {
            return if network.contains(address) { Ordering::Equal } else { address.cmp(&network.address) };
        }
        if let Some(number) = self.number
            && let Ok(found) = text.parse::<f64>()
            && let Some(order) = found.partial_cmp(&number)
        {
            return order;
        }
        if !self.quoted
            && let (Ok(found), Ok(expected)) = (text.parse::<Level>(), self.text.parse::<Level>())
        {
            return found.cmp(&expected);
        }
        text.cmp(&self.text)
    }
}

/// `502`, `0x2b`, `-1.5`, `1e4`, `250ms`, `2h`: a number, spans in seconds.
fn number(word: &str) -> Option<f64> {
    if let Some(digits) = word.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(|number| number as f64);
    }
    if !word.starts_with(|letter: char| letter.is_ascii_digit() || matches!(letter, '-' | '+' | '.')) {
        // Rust would read "inf" and "nan".
        return None;
    }
    if let Ok(number) = word.parse::<f64>() {
        return Some(number).filter(|number| number.is_finite());
    }
    let unit_at = word.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = word.split_at_checked(unit_at)?;
    let seconds = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * seconds)
}

/// `2026-03-02T06:00:00Z`, in seconds since 1970.
fn moment(word: &str) -> Option<f64> {
    let start: record::StartTime = word.parse().ok()?;
    Some(start.unix_nanos(record::VirtualTime::default()) as f64 / 1e9)
}

impl Test {
    pub(super) fn holds(&self, record: &impl Fields) -> bool {
        let value = record.field(&self.field);
        if let Question::NotIn(items) = &self.question {
            return !value
                .is_some_and(|value| any(&value, |value| items.iter().any(|item| item.holds(value))));
        }
        let Some(value) = value else { return false };
        match &self.question {
            Question::Present => value != Value::Bool(false),
            Question::Compare(Op::NotEqual, literal) => {
                !any(&value, |value| literal.compare(value) == Some(Ordering::Equal))
            }
            Question::Compare(op, literal) => any(&value, |value| {
                literal.compare(value).is_some_and(|order| match op {
                    Op::Equal => order.is_eq(),
                    Op::NotEqual => order.is_ne(),
                    Op::Less => order.is_lt(),
                    Op::LessEqual => order.is_le(),
                    Op::Greater => order.is_gt(),
                    Op::GreaterEqual => order.is_ge(),
                })
            }),
            Question::Contains(literal) => match &value {
                Value::List(items) => items.iter().any(|item| literal.compare(item) == Some(Ordering::Equal)),
                value => with_text(value, |text| text.contains(&literal.text)),
            },
            Question::Matches(regex) => any(&value, |value| with_text(value, |text| regex.is_match(text))),
            Question::In(items) => any(&value, |value| items.iter().any(|item| item.holds(value))),
            Question::NotIn(_) => false,
        }
    }
}

impl Item {
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::One(literal) => literal.compare(value) == Some(Ordering::Equal),
            Self::Range(from, to) => {
                from.compare(value).is_some_and(Ordering::is_ge)
                    && to.compare(value).is_some_and(Ordering::is_le)
            }
        }
    }
}

fn any(value: &Value<'_>, test: impl Fn(&Value<'_>) -> bool) -> bool {
    match value {
        Value::List(items) => items.iter().any(test),
        value => test(value),
    }
}

fn with_text(value: &Value<'_>, test: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => test(text),
        Value::Address(address) => test(&address.to_string()),
        Value::Bool(flag) => test(if *flag { "true" } else { "false" }),
        Value::Int(number) => test(&number.to_string()),
        Value::List(_) => false,
        value => test(&value.as_number().unwrap_or_default().to_string()),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        match &self.question {
            Question::Present => Ok(()),
            Question::Compare(op, literal) => write!(f, " {} {literal}", op.as_str()),
            Question::Contains(literal) => write!(f, " contains {literal}"),
            Question::Matches(regex) => write!(f, " matches {}", Quoted(regex.as_str())),
            Question::In(items) => write!(f, " in {}", Set(items)),
            Question::NotIn(items) => write!(f, " not in {}", Set(items)),
        }
    }
}

struct Set<'a>(&'a [Item]);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "{" } else { ", " })?;
            match item {
                Item::One(literal) => write!(f, "{literal}")?,
                Item::Range(from, to) => write!(f, "{}..{}", from.text, to.text)?,
            }
        }
        f.write_str("}")
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = !self.quoted && !is_keyword(&self.text) && self.text.chars().all(is_word);
        if bare { f.write_str(&self.text) } else { Quoted(&self.text).fmt(f) }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\"",
            self.0.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
        )
    }
}
