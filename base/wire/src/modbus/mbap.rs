//! MBAP framing: where one ADU ends and the next begins in a TCP stream.
//!
//! # Theory of operation
//! Modbus/TCP has no start mark. The only way from one ADU to the next is the length field, so a reader collects
//! octets in a buffer, asks [`next_adu`] what stands at its front, and drops what was consumed. *Short* means read
//! more. *Foreign* means an ADU of another protocol: pass over it in silence. *Lost* means that no next header can
//! be found in this stream, ever: nothing is answered and the connection should be closed. One segment may hold
//! several ADUs, and one ADU several segments.
//!
//! [`next_adu`] decides as early as it can: a header with an impossible length is lost at its sixth octet.

use super::{RegisterAddress, TransactionId, UnitId};

/// Octets before the part that the length field counts: transaction, protocol and length.
pub const PREFIX_LEN: usize = 6;
/// Octets of the header, unit included.
pub const HEADER_LEN: usize = 7;
/// Octets of the longest PDU (the specification, section 4.1).
pub const PDU_MAX: usize = 253;
/// Octets of the longest ADU (the specification, section 4.1).
pub const ADU_MAX: usize = HEADER_LEN + PDU_MAX;
/// The TCP port registered for Modbus.
pub const PORT: u16 = 502;

/// One whole ADU: its header's fields, and its PDU of 1 to 253 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adu<'a> {
    /// Pairs a response with its request.
    pub transaction: TransactionId,
    /// The server behind the address.
    pub unit: UnitId,
    /// Function code and data. Never empty.
    pub pdu: &'a [u8],
}

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing<'a> {
    /// Not enough for a decision: at least `need` octets in all are wanted. An empty buffer is short too.
    Short {
        /// Octets, from the front of the buffer, without which nothing more can be said.
        need: usize,
    },
    /// One ADU; drop `consumed` octets and ask again.
    Whole {
        /// The ADU.
        adu: Adu<'a>,
        /// Its octets, header included.
        consumed: usize,
    },
    /// A whole ADU with a protocol id other than 0: drop `consumed` octets in silence and ask again.
    Foreign {
        /// The protocol id.
        protocol: u16,
        /// Its octets, header included.
        consumed: usize,
    },
    /// Framing is lost for good: answer nothing, close.
    Lost(FramingLost),
}

/// A length field from which no next header can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("MBAP length must be 2 to 254, got {length} (transaction {transaction}, protocol {protocol})")]
pub struct FramingLost {
    /// The length field.
    pub length: u16,
    /// The transaction id before it.
    pub transaction: TransactionId,
    /// The protocol id before it.
    pub protocol: u16,
}

/// Says what stands at the front of `buffer`.
pub fn next_adu(buffer: &[u8]) -> Framing<'_> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX_LEN>() else {
        return Framing::Short { need: PREFIX_LEN };
    };
    let [t0, t1, p0, p1, l0, l1] = *prefix;
    let transaction = TransactionId(u16::from_be_bytes([t0, t1]));
    let protocol = u16::from_be_bytes([p0, p1]);
    let length = u16::from_be_bytes([l0, l1]);
    if !(2..=PDU_MAX as u16 + 1).contains(&length) {
        return Framing::Lost(FramingLost { length, transaction, protocol });
    }
    let consumed = PREFIX_LEN + usize::from(length);
    match rest.get(..usize::from(length)).and_then(<[u8]>::split_first) {
        None => Framing::Short { need: consumed },
        Some(_) if protocol != 0 => Framing::Foreign { protocol, consumed },
        Some((&unit, pdu)) => Framing::Whole { adu: Adu { transaction, unit: UnitId(unit), pdu }, consumed },
    }
}

/// Address and quantity, the pair at the front of most requests.
pub(super) fn address_and_quantity(data: &[u8]) -> Option<(RegisterAddress, u16)> {
    let &[a0, a1, q0, q1] = data.first_chunk::<4>()?;
    Some((RegisterAddress(u16::from_be_bytes([a0, a1])), u16::from_be_bytes([q0, q1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read holding register 4 of unit 255: the example of section 4.2.1 of the guide, with transaction 0x1501.
    const REQUEST: [u8; 12] = [0x15, 0x01, 0, 0, 0, 6, 0xff, 3, 0, 4, 0, 1];

    fn with_length(length: u16) -> Vec<u8> {
        let mut octets = vec![0; 300];
        octets[4..6].copy_from_slice(&length.to_be_bytes());
        octets
    }

    #[test]
    fn one_adu_and_the_front_of_the_next() {
        let adu = Adu { transaction: TransactionId(0x1501), unit: UnitId::DEVICE, pdu: &REQUEST[7..] };
        assert_eq!(next_adu(&REQUEST), Framing::Whole { adu, consumed: 12 });
        let two = [REQUEST, REQUEST].concat();
        assert_eq!(next_adu(&two), Framing::Whole { adu, consumed: 12 });
        assert_eq!(next_adu(&two[12..]), Framing::Whole { adu, consumed: 12 });
    }

    #[test]
    fn every_front_of_an_adu_is_short_not_wrong() {
        for len in 0..REQUEST.len() {
            let need = if len < PREFIX_LEN { PREFIX_LEN } else { REQUEST.len() };
            assert_eq!(next_adu(&REQUEST[..len]), Framing::Short { need }, "{len} octets");
        }
    }

    #[test]
    fn impossible_lengths_lose_framing_at_once() {
        for length in [0, 1, 255, 256, 0xffff] {
            let lost = FramingLost { length, transaction: TransactionId(0), protocol: 0 };
            assert_eq!(next_adu(&with_length(length)[..6]), Framing::Lost(lost));
        }
        assert!(matches!(next_adu(&with_length(254)), Framing::Whole { consumed: ADU_MAX, .. }));
        assert!(matches!(next_adu(&with_length(2)), Framing::Whole { consumed: 8, .. }));
    }

    #[test]
    fn another_protocol_is_passed_over_by_its_length() {
        let mut octets = REQUEST;
        octets[3] = 1;
        assert_eq!(next_adu(&octets), Framing::Foreign { protocol: 1, consumed: 12 });
        assert_eq!(next_adu(&octets[..11]), Framing::Short { need: 12 });
    }
}
