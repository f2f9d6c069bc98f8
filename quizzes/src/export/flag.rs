//! Flags of a contest that are worth nothing to anybody else.
//!
//! A flag is HMAC-SHA256 (RFC 2104) under the event's key, over the JSON array `[scenario, variant, person, item]` without
//! spaces: scenario or domain, seed, name, and id of the question. Whoever organises the event keeps the key; it is never
//! in a lab or in a record that trainees get. Fieldrange tells a flag to somebody who answered rightly, and the contest
//! takes only that person's.

use ring::{digest, hmac};

/// Fewest octets of a key: those of the hash (RFC 2104, section 3).
pub const KEY_OCTETS: usize = 32;

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of an event is at least 64 hexadecimal digits: make one with `fieldrange key`")]
pub struct KeyError;

/// The secret of an event.
#[derive(Clone, Debug)]
pub struct EventKey(hmac::Key);

impl EventKey {
    /// Reads a key as a file holds it: hexadecimal digits, and space around them.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let digits: Vec<u32> =
            text.trim().chars().map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or(KeyError)?;
        let octets: Vec<u8> = digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        if octets.len() < KEY_OCTETS || !digits.len().is_multiple_of(2) {
            return Err(KeyError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &octets)))
    }

    /// The flag of one person for one item.
    pub fn flag(&self, scenario: &str, variant: &str, person: &str, item: &str) -> String {
        let names = serde_json::json!([scenario, variant, person, item]).to_string();
        format!("flag{{{}}}", record::hex(hmac::sign(&self.0, names.as_bytes()).as_ref()))
    }
}

/// Hexadecimal SHA-256 of a text, for what must be named without being shown.
pub(crate) fn digest_of(text: &str) -> String {
    record::hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac`.
    #[test]
    fn flags_are_hmacs_over_the_four_names() {
        let key = EventKey::parse(&"0b".repeat(32)).unwrap();
        assert_eq!(key.flag("oldsmar", "seed 7", "ann", "who-wrote"), FLAG);
        assert_ne!(key.flag("oldsmar", "seed 7", "bob", "who-wrote"), FLAG);
        assert_ne!(
            key.flag("a", "b,c", "d", "e"),
            EventKey::parse(&"0b".repeat(32)).unwrap().flag("a", "b", "c,d", "e")
        );
    }

    #[test]
    fn short_and_odd_keys_are_refused() {
        for wrong in [String::new(), "0b".repeat(31), "0g".repeat(32), format!("{}0", "0b".repeat(32))] {
            assert_eq!(EventKey::parse(&wrong).unwrap_err(), KeyError, "{wrong}");
        }
        assert!(EventKey::parse(&format!("{}\n", "AB".repeat(40))).is_ok());
    }

    const FLAG: &str = "flag{c2dad37c398135a6d11eb7618d61aa0663a891c0550292e70ca365a27ab66e20}";
}
