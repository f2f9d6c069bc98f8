//! Modbus/TCP in a connection: streams to PDUs, requests to answers.
//!
//! # Theory of operation
//! Each direction has a framer that collects octets until an ADU is whole. Where framing is lost (a length that
//! cannot be), or octets are missing, the framer drops what it has and starts afresh at the next segment that begins
//! with a plausible header: clients and servers begin an ADU with a segment as a rule. A connection on the Modbus port
//! that never shows a plausible ADU is reported once and left alone.
//!
//! Requests wait for their answers by transaction and unit, at most [`WAITING_MAX`]; the oldest is forgotten where
//! more come. An answer without request is an answer all the same.

use std::collections::VecDeque;
use std::ops::Range;

use wire::modbus::{Framing, FunctionCode, Table, next_adu};

use crate::stream::Piece;

/// Requests that wait for their answer, per connection.
const WAITING_MAX: usize = 64;
/// Losses of framing without a single PDU after which a connection is not Modbus.
const HOPELESS: u32 = 4;

/// Something that came out of a direction.
#[derive(Debug)]
pub(crate) enum Item {
    /// A whole PDU: its octets lie in [`Items::octets`].
    Pdu { from_orig: bool, transaction: u16, unit: u8, at: Range<usize> },
    /// Something for `weird.log`, with particulars.
    Weird { name: &'static str, number: u16 },
}

/// What one frame brought; kept between frames so that nothing is allocated in steady state.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) octets: Vec<u8>,
    pub(crate) items: Vec<Item>,
}

impl Items {
    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.items.clear();
    }
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) transaction: u16,
    pub(crate) unit: u8,
    pub(crate) function: FunctionCode,
    pub(crate) table: Option<Table>,
    /// Where a read starts, and how much it asks for.
    pub(crate) read: Option<(u16, u16)>,
    pub(crate) frame: u64,
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
    pdus: u64,
    losses: u32,
    hopeless: bool,
}

impl ModbusConn {
    /// `partial`: the connection is seen from the middle, so its first segment may not begin an ADU.
    pub(crate) fn new(partial: bool) -> Self {
        Self {
            orig: Framer { buffer: Vec::new(), lost: partial },
            resp: Framer { buffer: Vec::new(), lost: partial },
            waiting: VecDeque::new(),
            pdus: 0,
            losses: 0,
            hopeless: false,
        }
    }

    /// Takes what a direction gave out.
    pub(crate) fn deliver(&mut self, from_orig: bool, piece: Piece<'_>, out: &mut Items) {
        if self.hopeless {
            return;
        }
        let framer = if from_orig { &mut self.orig } else { &mut self.resp };
        let octets = match piece {
            Piece::Octets(octets) => octets,
            Piece::Gap(_) => {
                framer.buffer.clear();
                framer.lost = true;
                return;
            }
        };
        if framer.lost {
            if !is_plausible(octets) {
                return;
            }
            framer.lost = false;
        }
        if framer.buffer.is_empty() {
            // The ordinary case: whole ADUs in a segment, not copied twice.
            let (used, lost) = take_adus(octets, from_orig, &mut self.pdus, out);
            framer.lost = lost;
            if !lost {
                framer.buffer.extend_from_slice(&octets[used..]);
            }
        } else {
            framer.buffer.extend_from_slice(octets);
            let (used, lost) = take_adus(&framer.buffer, from_orig, &mut self.pdus, out);
            framer.lost = lost;
            framer.buffer.drain(..used);
            if lost {
                framer.buffer.clear();
            }
        }
        if framer.lost {
            self.losses += 1;
            if self.losses >= HOPELESS && self.pdus == 0 {
                self.hopeless = true;
                out.items.push(Item::Weird { name: "non_modbus_on_modbus_port", number: 0 });
            }
        }
    }

    /// Remembers a request.
    pub(crate) fn expect(&mut self, request: Waiting) {
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(request);
    }

    /// The request that an answer belongs to.
    pub(crate) fn answered(&mut self, transaction: u16, unit: u8, function: FunctionCode) -> Option<Waiting> {
        let index = self.waiting.iter().position(|request| {
            request.transaction == transaction && request.unit == unit && request.function == function
        })?;
        self.waiting.remove(index)
    }
}

/// Takes whole ADUs off the front; says how many octets were used and whether framing is lost.
fn take_adus(octets: &[u8], from_orig: bool, pdus: &mut u64, out: &mut Items) -> (usize, bool) {
    let mut used = 0;
    loop {
        match next_adu(octets.get(used..).unwrap_or_default()) {
            Framing::Short { .. } => return (used, false),
            Framing::Whole { adu, consumed } => {
                let start = out.octets.len();
                out.octets.extend_from_slice(adu.pdu);
                out.items.push(Item::Pdu {
                    from_orig,
                    transaction: adu.transaction.0,
                    unit: adu.unit.0,
                    at: start..out.octets.len(),
                });
                *pdus += 1;
                used += consumed;
            }
            Framing::Foreign { protocol, consumed } => {
                out.items.push(Item::Weird { name: "modbus_foreign_protocol_id", number: protocol });
                used += consumed;
            }
            Framing::Lost(lost) => {
                out.items.push(Item::Weird { name: "modbus_framing_lost", number: lost.length });
                return (octets.len(), true);
            }
        }
    }
}

/// Whether a segment may begin with an ADU.
fn is_plausible(octets: &[u8]) -> bool {
    matches!(octets, [_, _, 0, 0, 0, length, ..] if (2..=254).contains(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read Holding Registers, one register at 0; written out from the specification, section 6.3.
    const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];

    fn count(pieces: &[&[u8]]) -> (usize, usize) {
        let mut conn = ModbusConn::new(false);
        let mut items = Items::default();
        for piece in pieces {
            let piece = if piece.is_empty() { Piece::Gap(5) } else { Piece::Octets(piece) };
            conn.deliver(true, piece, &mut items);
        }
        let pdus = items.items.iter().filter(|item| matches!(item, Item::Pdu { .. })).count();
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
    fn another_protocol_on_the_port_is_reported_and_left_alone() {
        let tls = [0x16, 3, 1, 2, 0, 1, 0, 1];
        let segments: [&[u8]; 10] = [&tls; 10];
        let (pdus, weirds) = count(&segments);
        assert_eq!(pdus, 0);
        assert!(weirds <= 10);
    }

    #[test]
    fn answers_find_their_requests() {
        let mut conn = ModbusConn::new(false);
        for transaction in 0..100 {
            conn.expect(Waiting {
                transaction,
                unit: 1,
                function: FunctionCode(3),
                table: None,
                read: None,
                frame: 0,
            });
        }
        assert!(conn.answered(3, 1, FunctionCode(3)).is_none(), "forgotten");
        assert!(conn.answered(99, 2, FunctionCode(3)).is_none());
        assert!(conn.answered(99, 1, FunctionCode(3)).is_some());
        assert!(conn.answered(99, 1, FunctionCode(3)).is_none());
    }
}
