//! What octets may be: DNP3, Modbus, or neither. Pure functions for `analyser`, which holds the octets.

use wire::dnp3::crc::crc16;
use wire::modbus::{Framing, FunctionCode, Packet, next_adu};

/// The protocol whose port a connection is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    Modbus,
    Dnp3,
    None,
}

/// What octets may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guess {
    Is,
    MayBe,
    IsNot,
}

/// Start octets and a header whose checksum is right; on its own port the start octets alone.
pub(crate) fn guess_dnp3(octets: &[u8], hint: Hint) -> Guess {
    match octets {
        [5, 0x64, ..] if hint == Hint::Dnp3 => Guess::Is,
        [5, 0x64, length, header @ ..] if *length >= 5 => match header {
            [_, _, _, _, _, low, high, ..] => {
                let told = u16::from_le_bytes([*low, *high]);
                if crc16(&octets[..8]) == told { Guess::Is } else { Guess::IsNot }
            }
            _ => Guess::MayBe,
        },
        [5] | [5, 0x64] => Guess::MayBe,
        _ => Guess::IsNot,
    }
}

/// Protocol id 0 will do; another one where its length is right to the octet, so that it can be reported as such.
pub(crate) fn guess_modbus_on_its_port(octets: &[u8], strange_before: bool) -> Guess {
    match octets {
        [] | [_] | [_, _] | [_, _, 0] => Guess::MayBe,
        [_, _, 0, 0, ..] => Guess::Is,
        _ => match next_adu(octets) {
            Framing::Foreign { consumed, .. } if consumed == octets.len() && !strange_before => Guess::Is,
            _ => Guess::IsNot,
        },
    }
}

/// The ADU's transaction, unit and function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sign(u16, u8, u8);

impl Sign {
    /// One answers the other, whichever is which.
    pub(crate) fn belongs_to(self, other: Self) -> bool {
        self.0 == other.0 && self.1 == other.1 && self.2 & 0x7f == other.2 & 0x7f
    }
}

/// The whole ADUs at the front of octets of which every one has a known function and a length that agrees with it.
#[derive(Clone, Debug)]
pub(crate) struct Adus<'a> {
    octets: &'a [u8],
}

impl<'a> Adus<'a> {
    /// `None` where something is no such ADU. The last may be cut off, unless they stand in one datagram.
    pub(crate) fn new(octets: &'a [u8], whole: bool) -> Option<Self> {
        let mut rest = octets;
        loop {
            match next_adu(rest) {
                Framing::Whole { adu, consumed } if is_sound(adu.pdu) => {
                    rest = rest.get(consumed..).unwrap_or_default();
                }
                Framing::Short { .. } if rest.is_empty() || (!whole && may_begin_adu(rest)) => break,
                _ => return None,
            }
        }
        Some(Self { octets })
    }
}

impl Iterator for Adus<'_> {
    type Item = Sign;
    fn next(&mut self) -> Option<Sign> {
        let Framing::Whole { adu, consumed } = next_adu(self.octets) else { return None };
        self.octets = self.octets.get(consumed..).unwrap_or_default();
        Some(Sign(adu.transaction.0, adu.unit.0, *adu.pdu.first()?))
    }
}

/// The beginning of an ADU with protocol id 0 of a known function.
fn may_begin_adu(octets: &[u8]) -> bool {
    let zero = |at: usize| octets.get(at).is_none_or(|octet| *octet == 0);
    let known = octets.get(7).is_none_or(|code| FunctionCode(code & 0x7f).is_known());
    zero(2) && zero(3) && zero(4) && known
}

/// Known, and as long as its own fields say, as a request or as a response.
fn is_sound(pdu: &[u8]) -> bool {
    let Some(code) = pdu.first() else { return false };
    FunctionCode(code & 0x7f).is_known()
        && [Packet::request(pdu), Packet::response(pdu)]
            .iter()
            .any(|packet| packet.declared_len().is_some_and(|len| len == pdu.len()))
}
