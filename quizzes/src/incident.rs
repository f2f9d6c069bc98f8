//! The incident of the week: twelve characters that give everybody the same sealed incident, and a key that opens it.
//!
//! # Theory of operation
//! Whoever sets an incident draws a *key* of twelve characters and keeps it. The *code* is a hash of the key; it is
//! published, and everything about the incident is drawn from it: which scenario, which seed, which cause. So any copy of the same
//! version makes the same record, bit for bit, from the code alone, and scores calls on it without telling what happened. What
//! happened is told to whoever has the key, which is published when the week is over; that it hashes to the code proves that it is
//! the one that was drawn before. The lock is one of manners: who reads the program's source can open it.

use std::fmt;
use std::str::FromStr;

use record::KeyedStream;

/// Digits and letters without those that are mistaken for each other (Crockford's Base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code and of a key.
const LENGTH: usize = 12;
/// Bits of a character.
const BITS: u32 = 5;

/// Twelve characters, sixty bits. A code or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twelve(u64);

/// Why a text is no code and no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is not twelve digits and letters, as in 7K2M-9XDA-4TP0")]
pub struct NotTwelve {
    /// What stood there.
    pub got: String,
}

impl Twelve {
    /// From random bits; the highest four are not used.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << (BITS * LENGTH as u32)) - 1))
    }

    /// The code that belongs to this key.
    #[must_use]
    pub fn code(self) -> Self {
        Self::from_bits(KeyedStream::new(0, &self.to_string(), "incident of the week: code").bits(0))
    }

    /// What a code stands for: one of so many scenarios, and a seed. Seeds are below 2^53, so that every JSON reader
    /// keeps them.
    pub fn incident(self, scenarios: usize) -> (usize, u64) {
        let mut stream = KeyedStream::new(0, &self.to_string(), "incident of the week: incident");
        let scenario = usize::try_from(stream.below(0, scenarios as u64)).unwrap_or(0);
        (scenario, stream.below(1, 1 << 53))
    }
}

impl fmt::Display for Twelve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..LENGTH as u32).rev() {
            let digit = (self.0 >> (BITS * place)) & 31;
            f.write_str(char::from(ALPHABET[digit as usize]).encode_utf8(&mut [0; 4]))?;
            if place == 8 || place == 4 {
                f.write_str("-")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Twelve {
    type Err = NotTwelve;
    fn from_str(text: &str) -> Result<Self, NotTwelve> {
        let wrong = || NotTwelve { got: text.to_owned() };
        let mut bits = 0;
        let mut count = 0;
        for character in text.chars().filter(|character| !matches!(character, '-' | ' ')) {
            // What people read wrongly is taken as it was meant.
            let meant = match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit = ALPHABET.iter().position(|letter| char::from(*letter) == meant).ok_or_else(wrong)?;
            bits = (bits << BITS) | digit as u64;
            count += 1;
            if count > LENGTH {
                return Err(wrong());
            }
        }
        if count == LENGTH { Ok(Self(bits)) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_however_people_type_it() {
        for bits in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let twelve = Twelve::from_bits(bits);
            assert_eq!(twelve.to_string().parse(), Ok(twelve));
            assert_eq!(twelve.to_string().to_lowercase().replace('-', "").parse(), Ok(twelve));
        }
        assert_eq!("OIL0-0000-0000".parse(), "0110-0000-0000".parse::<Twelve>());
        for wrong in ["", "7K2M-9XDA-4TP", "7K2M-9XDA-4TP00", "7K2M-9XDA-4TPU", "ä"] {
            assert!(wrong.parse::<Twelve>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_has_one_code_and_a_code_one_incident() {
        let key: Twelve = "7K2M-9XDA-4TP0".parse().unwrap();
        assert_ne!(key.code(), key);
        assert_eq!(key.code(), key.code());
        assert_eq!(key.code().incident(9), key.code().incident(9));
        let drawn: std::collections::BTreeSet<usize> =
            (0..200).map(|bits| Twelve::from_bits(bits).code().incident(9).0).collect();
        assert_eq!(drawn.len(), 9, "every scenario comes");
        assert!((0..200).all(|bits| Twelve::from_bits(bits).code().incident(9).1 < 1 << 53));
    }
}
