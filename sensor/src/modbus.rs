//! Modbus/TCP in a connection: streams to PDUs, requests to answers.
//!
//! # Theory of operation
//! Each direction has a framer that collects octets until an ADU is whole. Where framing is lost (a length that
//! cannot be), or octets are missing, the framer drops what it has and starts afresh at the next segment that begins
//! with a plausible header: clients and servers begin an ADU with a segment as a rule. So nothing that is wrong blinds
//! the rest of the stream. A UDP datagram holds whole ADUs and stands alone.
//!
//! Requests wait for their answers by transaction and unit, at most [`WAITING_MAX`]; the oldest is forgotten where
//! more come. An answer without request is an answer all the same.

use std::collections::VecDeque;

use wire::modbus::{Framing, FunctionCode, Table, next_adu};

use crate::analyser::{Item, Items};
use crate::stream::Piece;

/// Requests that wait for their answer, per connection.
const WAITING_MAX: usize = 64;
/// Octets of requests that wait, per connection.
const WAITING_OCTETS_MAX: usize = 2048;
/// Rooms kept for requests to come, per connection.
const SPARE_MAX: usize = 2;

/// A request that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Nanoseconds since 1970.
    pub(crate) at: u64,
    pub(crate) transaction: u16,
    pub(crate) unit: u8,
    pub(crate) function: FunctionCode,
    pub(crate) table: Option<Table>,
    /// Where a read starts, and how much it asks for.
    pub(crate) read: Option<(u16, u16)>,
    /// What the answer to a write has to repeat.
    pub(crate) echo: Option<(u16, u16)>,
    pub(crate) frame: u64,
    /// Its number in the connection, counted from 1.
    pub(crate) link: u32,
    /// Its octets, where a log wants them.
    pub(crate) pdu: Vec<u8>,
}

#[derive(Debug, Default)]
struct Framer {
    buffer: Vec<u8>,
    /// Waits for a segment that begins with a plausible header.
    lost: bool,
}

/// The Modbus side of a connection.
#[derive(Debug)]
pub(crate) struct ModbusConn {
    orig: Framer,
    resp: Framer,
    waiting: VecDeque<Waiting>,
    waiting_octets: usize,
    /// Room for the octets of requests to come.
    spare: Vec<Vec<u8>>,
    requests: u32,
    client_is_orig: bool,
    /// Octets were missing, so that not every request was seen.
    is_patchy: bool,
}

impl ModbusConn {
    /// `partial`: the connection is seen from the middle, so its first segment may not begin an ADU.
    pub(crate) fn new(partial: bool, client_is_orig: bool) -> Self {
        Self {
            orig: Framer { buffer: Vec::new(), lost: partial },
            resp: Framer { buffer: Vec::new(), lost: partial },
            waiting: VecDeque::new(),
            waiting_octets: 0,
            spare: Vec::new(),
            requests: 0,
            client_is_orig,
            is_patchy: partial,
        }
    }

    /// Whether the originator asks. It need not, where the connection was seen from the middle on a port of no hint.
    pub(crate) fn client_is_orig(&self) -> bool {
        self.client_is_orig
    }

    /// Whether every request was seen, so that an answer without one is news.
    pub(crate) fn is_complete(&self) -> bool {
        !self.is_patchy
    }

    /// Takes what a direction of a TCP connection gave out.
    pub(crate) fn deliver(&mut self, from_orig: bool, piece: Piece<'_>, out: &mut Items) {
        let request = from_orig == self.client_is_orig;
        let framer = if from_orig { &mut self.orig } else { &mut self.resp };
        let octets = match piece {
            Piece::Octets(octets) => octets,
            Piece::Gap(_) => {
                framer.buffer.clear();
                framer.lost = true;
                self.is_patchy = true;
                return;
            }
        };
        if framer.lost {
            if !is_plausible(octets) && !is_foreign_adu(octets) {
                return;
            }
            framer.lost = false;
        }
        if framer.buffer.is_empty() {
            // The ordinary case: whole ADUs in a segment, not copied twice.
            let (used, lost) = take_adus(octets, request, out);
            framer.lost = lost;
            if !lost {
                framer.buffer.extend_from_slice(&octets[used..]);
            }
        } else {
            framer.buffer.extend_from_slice(octets);
            let (used, lost) = take_adus(&framer.buffer, request, out);
            framer.lost = lost;
            framer.buffer.drain(..used);
            if lost {
                framer.buffer.clear();
            }
        }
    }

    /// Takes a UDP datagram.
    pub(crate) fn datagram(&mut self, from_orig: bool, octets: &[u8], out: &mut Items) {
        let (used, lost) = take_adus(octets, from_orig == self.client_is_orig, out);
        let left = octets.len() - used;
        if !lost && left > 0 {
            out.weird("modbus_datagram_cut", left as u16);
        }
    }

    /// The number of the next request, and room for its octets.
    pub(crate) fn next_request(&mut self) -> (u32, Vec<u8>) {
        self.requests = self.requests.wrapping_add(1);
        (self.requests, self.spare.pop().unwrap_or_default())
    }

    /// Remembers a request.
    pub(crate) fn expect(&mut self, request: Waiting) {
        self.waiting_octets += request.pdu.len();
        self.waiting.push_back(request);
    }

    /// A request that has to go because there are too many; to be asked until it says `None`.
    pub(crate) fn forget(&mut self) -> Option<Waiting> {
        if self.waiting.len() <= WAITING_MAX && self.waiting_octets <= WAITING_OCTETS_MAX {
            return None;
        }
        self.take(0)
    }

    /// The next request that stayed without answer; for when the connection is over.
    pub(crate) fn unanswered(&mut self) -> Option<Waiting> {
        self.take(0)
    }

    /// The request that an answer belongs to.
    pub(crate) fn answered(&mut self, transaction: u16, unit: u8, function: FunctionCode) -> Option<Waiting> {
        let index = self.waiting.iter().position(|request| {
            request.transaction == transaction && request.unit == unit && request.function == function
        })?;
        self.take(index)
    }

    fn take(&mut self, index: usize) -> Option<Waiting> {
        let request = self.waiting.remove(index)?;
        self.waiting_octets -= request.pdu.len();
        Some(request)
    }

    /// Takes back the room of a request that is done with.
    pub(crate) fn recycle(&mut self, mut request: Waiting) {
        if self.spare.len() < SPARE_MAX {
            request.pdu.clear();
            self.spare.push(request.pdu);
        }
    }
}

/// Takes whole ADUs off the front; says how many octets were used and whether framing is lost.
fn take_adus(octets: &[u8], request: bool, out: &mut Items) -> (usize, bool) {
    let mut used = 0;
    loop {
        match next_adu(octets.get(used..).unwrap_or_default()) {
            Framing::Short { .. } => return (used, false),
            Framing::Whole { adu, consumed } => {
                let start = out.octets.len();
                out.octets.extend_from_slice(adu.pdu);
                out.items.push(Item::Modbus {
                    request,
                    transaction: adu.transaction.0,
                    unit: adu.unit.0,
                    at: start..out.octets.len(),
                });
                used += consumed;
            }
            Framing::Foreign { protocol, consumed } => {
                out.weird("modbus_foreign_protocol_id", protocol);
                used += consumed;
            }
            Framing::Lost(lost) => {
                out.weird("modbus_framing_lost", lost.length);
                return (octets.len(), true);
            }
        }
    }
}

/// Whether a segment may begin with an ADU.
fn is_plausible(octets: &[u8]) -> bool {
    matches!(octets, [_, _, 0, 0, 0, length, ..] if (2..=254).contains(length))
}

/// Whether a segment is one ADU of another protocol id, to the octet.
fn is_foreign_adu(octets: &[u8]) -> bool {
    matches!(next_adu(octets), Framing::Foreign { consumed, .. } if consumed == octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read Holding Registers, one register at 0; written out from the specification, section 6.3.
    const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];

    fn count(pieces: &[&[u8]]) -> (usize, usize) {
        let mut conn = ModbusConn::new(false, true);
        let mut items = Items::default();
        for piece in pieces {
            let piece = if piece.is_empty() { Piece::Gap(5) } else { Piece::Octets(piece) };
            conn.deliver(true, piece, &mut items);
        }
        let pdus = items.items.iter().filter(|item| matches!(item, Item::Modbus { .. })).count();
        (pdus, items.items.len() - pdus)
    }

    #[test]
    fn adus_come_out_however_they_are_cut() {
        let two = [REQUEST, REQUEST].concat();
        assert_eq!(count(&[&two]), (2, 0));
        for cut in 1..two.len() {
            assert_eq!(count(&[&two[..cut], &two[cut..]]), (2, 0), "{cut}");
        }
    }

    #[test]
    fn lost_framing_starts_afresh_at_the_next_segment() {
        let mut broken = REQUEST;
        broken[4] = 9;
        assert_eq!(count(&[&broken, &REQUEST]), (1, 1));
        assert_eq!(count(&[&REQUEST[..5], &[], b"rest of an ADU", &REQUEST]), (1, 0));
    }

    #[test]
    fn a_datagram_stands_alone() {
        let mut conn = ModbusConn::new(false, true);
        let mut items = Items::default();
        conn.datagram(true, &[REQUEST.as_slice(), &REQUEST[..5]].concat(), &mut items);
        conn.datagram(true, &REQUEST, &mut items);
        assert_eq!(items.items.len(), 3, "{items:?}");
        assert!(matches!(items.items[1], Item::Weird { name: "modbus_datagram_cut", number: 5 }));
    }

    #[test]
    fn answers_find_their_requests() {
        let mut conn = ModbusConn::new(false, true);
        for transaction in 0..100 {
            conn.expect(Waiting {
                at: 0,
                transaction,
                unit: 1,
                function: FunctionCode(3),
                table: None,
                read: None,
                echo: None,
                frame: 0,
                link: 0,
                pdu: vec![0; 40],
            });
            while conn.forget().is_some() {}
        }
        assert!(conn.waiting.len() <= WAITING_MAX && conn.waiting_octets <= WAITING_OCTETS_MAX);
        assert!(conn.answered(3, 1, FunctionCode(3)).is_none(), "forgotten");
        assert!(conn.answered(99, 2, FunctionCode(3)).is_none());
        assert!(conn.answered(99, 1, FunctionCode(3)).is_some());
        assert!(conn.answered(99, 1, FunctionCode(3)).is_none());
    }
}
