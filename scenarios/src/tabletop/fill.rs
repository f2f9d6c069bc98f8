//! What stands in braces in a tabletop's texts: the time of day of an event, or what an instrument shows then.
//!
//! `{clock NAME}`, `{clock NAME + 5min}`: NAME is an event of the scenario or a move. `{value TAG NAME - 1h}`: what an
//! instrument shows at that moment where nobody acts.

use std::time::Duration;

use crate::span::parse_span;

/// One pair of braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// A time of day.
    Clock(Moment),
    /// What a tag shows at a moment.
    Value(String, Moment),
}

/// A moment, counted from an event or a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Event of the scenario, or move.
    pub of: String,
    /// How long after; before where `is_before`.
    pub by: Duration,
    /// Whether it lies before.
    pub is_before: bool,
}

impl Placeholder {
    /// The moment that it asks for.
    pub const fn moment(&self) -> &Moment {
        match self {
            Self::Clock(moment) | Self::Value(_, moment) => moment,
        }
    }

    fn read(inside: &str) -> Result<Self, String> {
        let words: Vec<&str> = inside.split_whitespace().collect();
        let wrong = || format!("{{{inside}}} is neither {{clock NAME + 5min}} nor {{value TAG NAME + 5min}}");
        match words[..] {
            ["clock", ref moment @ ..] => Moment::read(moment).map(Self::Clock).ok_or_else(wrong),
            ["value", tag, ref moment @ ..] => {
                Moment::read(moment).map(|moment| Self::Value(tag.to_owned(), moment)).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl Moment {
    fn read(words: &[&str]) -> Option<Self> {
        let (of, by, is_before) = match words {
            [of] => (of, Duration::ZERO, false),
            [of, "+", by] => (of, parse_span(by).ok()?, false),
            [of, "-", by] => (of, parse_span(by).ok()?, true),
            _ => return None,
        };
        Some(Self { of: (*of).to_owned(), by, is_before })
    }
}

/// Every placeholder of a text, in order.
///
/// # Errors
/// Braces that hold something else, or are not closed.
pub fn placeholders(text: &str) -> Result<Vec<Placeholder>, String> {
    let mut found = Vec::new();
    walk(text, |_| {}, |placeholder| found.push(placeholder))?;
    Ok(found)
}

/// A text with its placeholders replaced. What [`placeholders`] refuses stays as it stands.
pub fn filled(text: &str, mut say: impl FnMut(&Placeholder) -> String) -> String {
    let out = std::cell::RefCell::new(String::with_capacity(text.len()));
    let whole = walk(
        text,
        |plain| out.borrow_mut().push_str(plain),
        |placeholder| out.borrow_mut().push_str(&say(&placeholder)),
    );
    if whole.is_ok() { out.into_inner() } else { text.to_owned() }
}

fn walk(text: &str, mut plain: impl FnMut(&str), mut found: impl FnMut(Placeholder)) -> Result<(), String> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        plain(before);
        let (inside, behind) =
            after.split_once('}').ok_or_else(|| format!("a brace is not closed: {{{after}"))?;
        found(Placeholder::read(inside)?);
        rest = behind;
    }
    plain(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_hold_a_time_or_a_value() {
        let text = "At {clock dose + 90s} AIT-202 shows {value AIT-202 dose - 1h}.";
        let filled = filled(text, |it| match it {
            Placeholder::Clock(moment) => format!("<{} {:?}>", moment.of, moment.by),
            Placeholder::Value(tag, moment) => format!("<{tag} {} {}>", moment.of, moment.is_before),
        });
        assert_eq!(filled, "At <dose 90s> AIT-202 shows <AIT-202 dose true>.");
    }

    #[test]
    fn anything_else_in_braces_is_told() {
        for wrong in
            ["{", "{clock}", "{time dose}", "{clock dose +}", "{clock dose + soon}", "{value AIT-202}", "{}"]
        {
            assert!(placeholders(wrong).is_err(), "{wrong}");
        }
        assert_eq!(placeholders("no braces, } alone").unwrap(), []);
    }
}
