//! Which protocol a connection speaks, by what its octets say.
//!
//! # Theory of operation
//! A connection begins *undecided*. Its first octets in each direction are looked at, and as soon as they can be
//! nothing else the connection gets the analyser of that protocol, which then takes every octet, those seen before
//! included. The port is a hint and no more:
//!   - DNP3 shows itself by its start octets and a header whose checksum is right, on any port.
//!   - Modbus has no mark. On its own port an MBAP header with protocol id 0 will do. On any other port every octet has
//!     to belong to an ADU of a known function and of the length that its own fields say, and that in both directions
//!     with one transaction, or in three ADUs of one.
//!
//! What cannot be either on the port of one is reported by name, once, and looked at further: later segments may begin
//! what was expected. On other ports the connection is given up at the first octets that fit nothing, or, where its
//! beginning was not seen, after [`TRIES_MAX`] segments; an analyser that is given up costs nothing.
//!
//! # What can go wrong
//! What is held while undecided is bounded by [`HELD_MAX`] and [`PIECES_MAX`]; what exceeds them is not one of these
//! protocols.
//!
//! # Terms
//! *Hint*: the protocol whose registered port one end of the connection has.

use std::ops::Range;

use wire::dnp3::LinkHeader;

use crate::dnp3::Dnp3Conn;
use crate::flow::Proto;
use crate::guess::{Adus, Guess, Hint, guess_dnp3, guess_modbus_on_its_port};
use crate::identify;
use crate::modbus::ModbusConn;
use crate::stream::Piece;

/// The port registered for DNP3 (IEEE 1815-2012, section 13).
const DNP3_PORT: u16 = 20000;
const MODBUS_PORT: u16 = wire::modbus::mbap::PORT;
/// Octets held per connection while it is undecided: two of the longest ADUs and some.
const HELD_MAX: usize = 600;
/// Segments or datagrams held per connection while it is undecided.
const PIECES_MAX: usize = 32;
/// Segments of a connection seen from the middle, or datagrams, that are looked at on a port without hint.
const TRIES_MAX: u8 = 8;
/// Segments that fit nothing, of a connection seen from the middle, before the port's protocol counts as missing.
const STRANGE_MAX: u8 = 4;
/// Whole ADUs of one direction that are enough without the other direction.
const ADUS_ENOUGH: usize = 3;

/// When something came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Nanoseconds since 1970.
    pub(crate) at: u64,
    /// Number of the frame.
    pub(crate) frame: u64,
}

/// Something that came out of a connection.
#[derive(Debug)]
pub(crate) enum Item {
    /// What follows came then, not with the frame at hand.
    When(Moment),
    /// A whole Modbus PDU: its octets lie in [`Items::octets`].
    Modbus { request: bool, transaction: u16, unit: u8, at: Range<usize> },
    /// A whole DNP3 fragment: its octets lie in [`Items::octets`]. The header is that of its last frame.
    Dnp3 { from_orig: bool, header: LinkHeader, at: Range<usize> },
    /// A DNP3 frame without user data.
    Dnp3Link { from_orig: bool, header: LinkHeader },
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

    pub(crate) fn weird(&mut self, name: &'static str, number: u16) {
        self.items.push(Item::Weird { name, number });
    }
}

/// What takes the octets of a connection.
#[derive(Debug)]
pub(crate) enum Analyser {
    Undecided(Undecided),
    Modbus(Box<ModbusConn>),
    Dnp3(Box<Dnp3Conn>),
    /// A protocol that is not taken apart.
    None,
}

impl Analyser {
    /// `ports`: of originator and responder. `partial`: the connection is seen from the middle, so that its first
    /// segment may not begin a message.
    pub(crate) fn new(proto: Proto, ports: [u16; 2], partial: bool) -> Self {
        let hint = if ports.contains(&MODBUS_PORT) {
            Hint::Modbus
        } else if ports.contains(&DNP3_PORT) {
            Hint::Dnp3
        } else {
            Hint::None
        };
        match proto {
            Proto::Icmp => Self::None,
            Proto::Tcp | Proto::Udp => Self::Undecided(Undecided {
                hint,
                // A device that calls from its own port still answers.
                orig_serves: ports[0] == MODBUS_PORT && ports[1] != MODBUS_PORT,
                datagrams: proto == Proto::Udp,
                partial,
                tries: 0,
                reported: false,
                held: None,
            }),
        }
    }

    /// Whether octets are of use to it.
    pub(crate) fn wants(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether it knows, or by its port may expect, what the connection speaks.
    pub(crate) fn is_taken(&self) -> bool {
        match self {
            Self::Undecided(undecided) => undecided.hint != Hint::None,
            Self::Modbus(_) | Self::Dnp3(_) => true,
            Self::None => false,
        }
    }

    /// Octets that unfinished messages take, beyond the little that every connection may hold.
    pub(crate) fn held(&self) -> usize {
        if let Self::Dnp3(dnp3) = self { dnp3.held() } else { 0 }
    }

    /// Drops unfinished messages.
    pub(crate) fn forget_held(&mut self) {
        if let Self::Dnp3(dnp3) = self {
            dnp3.forget_held();
        }
    }

    /// Its Modbus side, where it has one.
    pub(crate) fn modbus(&mut self) -> Option<&mut ModbusConn> {
        if let Self::Modbus(modbus) = self { Some(modbus) } else { None }
    }

    /// Takes what a direction of a TCP connection gave out.
    pub(crate) fn deliver(&mut self, now: Moment, from_orig: bool, piece: Piece<'_>, out: &mut Items) {
        match self {
            Self::Modbus(modbus) => modbus.deliver(from_orig, piece, out),
            Self::Dnp3(dnp3) => dnp3.deliver(from_orig, piece, out),
            Self::Undecided(undecided) => {
                let Piece::Octets(octets) = piece else {
                    undecided.gap();
                    return;
                };
                if let Some(next) = undecided.look(now, from_orig, octets, out) {
                    self.become_and_replay(next, now, from_orig, octets, out);
                }
            }
            Self::None => {}
        }
    }

    /// Takes a UDP datagram.
    pub(crate) fn datagram(&mut self, now: Moment, from_orig: bool, octets: &[u8], out: &mut Items) {
        match self {
            Self::Modbus(modbus) => modbus.datagram(from_orig, octets, out),
            Self::Dnp3(dnp3) => dnp3.datagram(from_orig, octets, out),
            Self::Undecided(undecided) => {
                if octets.is_empty() {
                    return;
                }
                if let Some(next) = undecided.look(now, from_orig, octets, out) {
                    self.become_and_replay(next, now, from_orig, octets, out);
                }
            }
            Self::None => {}
        }
    }

    /// Decided: gives what was held, and what is at hand, to the analyser that takes over.
    fn become_and_replay(
        &mut self,
        next: Self,
        now: Moment,
        from_orig: bool,
        octets: &[u8],
        out: &mut Items,
    ) {
        let Self::Undecided(undecided) = std::mem::replace(self, next) else { return };
        let datagrams = undecided.datagrams;
        let give = |this: &mut Self, when: Moment, from_orig: bool, octets: &[u8], out: &mut Items| {
            if datagrams {
                this.datagram(when, from_orig, octets, out);
            } else {
                this.deliver(when, from_orig, Piece::Octets(octets), out);
            }
        };
        if let Some(held) = undecided.held {
            let mut from = [0, 0];
            for piece in &held.pieces {
                let side = usize::from(!piece.from_orig);
                let octets = held.octets[side].get(from[side]..from[side] + piece.len).unwrap_or_default();
                from[side] += piece.len;
                out.items.push(Item::When(piece.when));
                give(self, piece.when, piece.from_orig, octets, out);
            }
            out.items.push(Item::When(now));
        }
        give(self, now, from_orig, octets, out);
    }
}

/// Octets kept until it is decided whose they are.
#[derive(Debug, Default)]
struct Held {
    /// Of the originator, of the responder.
    octets: [Vec<u8>; 2],
    pieces: Vec<HeldPiece>,
}

#[derive(Debug)]
struct HeldPiece {
    when: Moment,
    from_orig: bool,
    len: usize,
}

/// A connection of which nothing is known yet.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug)]
pub(crate) struct Undecided {
    hint: Hint,
    orig_serves: bool,
    datagrams: bool,
    partial: bool,
    /// Segments and datagrams that fitted nothing.
    tries: u8,
    reported: bool,
    held: Option<Box<Held>>,
}

impl Undecided {
    /// Octets are missing: what follows is seen from the middle.
    fn gap(&mut self) {
        self.partial = true;
        self.held = None;
    }

    /// Looks at the next octets of a direction; says what the connection is to become, if that is clear.
    fn look(&mut self, now: Moment, from_orig: bool, octets: &[u8], out: &mut Items) -> Option<Analyser> {
        let side = usize::from(!from_orig);
        let joined;
        let view = match &self.held {
            // A datagram stands alone.
            Some(held) if !self.datagrams && !held.octets[side].is_empty() => {
                joined = [&held.octets[side], octets].concat();
                &joined
            }
            _ => octets,
        };
        match guess_dnp3(view, self.hint) {
            Guess::Is => return Some(Analyser::Dnp3(Box::new(Dnp3Conn::new(self.partial)))),
            Guess::MayBe => {
                self.hold(now, from_orig, octets);
                return None;
            }
            Guess::IsNot => {}
        }
        let guess = if self.hint == Hint::Modbus {
            guess_modbus_on_its_port(view, self.reported)
        } else {
            self.guess_modbus_elsewhere(view, from_orig)
        };
        match guess {
            Guess::Is => {
                let modbus = ModbusConn::new(self.partial || self.reported, self.client_is_orig(from_orig));
                return Some(Analyser::Modbus(Box::new(modbus)));
            }
            Guess::MayBe if self.hold(now, from_orig, octets) => return None,
            Guess::MayBe | Guess::IsNot => {}
        }
        self.fits_nothing(octets, out);
        (self.hint == Hint::None && self.is_over()).then_some(Analyser::None)
    }

    fn is_over(&self) -> bool {
        self.tries >= if self.partial || self.datagrams { TRIES_MAX } else { 1 }
    }

    fn fits_nothing(&mut self, octets: &[u8], out: &mut Items) {
        self.held = None;
        self.tries = self.tries.saturating_add(1);
        let name = match self.hint {
            Hint::Modbus => "non_modbus_on_modbus_port",
            Hint::Dnp3 => "non_dnp3_on_dnp3_port",
            Hint::None => return,
        };
        let is_certain = identify::tcp_service(0, true, octets).is_some_and(identify::is_certain);
        if !self.reported && (!self.partial || is_certain || self.tries >= STRANGE_MAX) {
            self.reported = true;
            let first = [octets.first(), octets.get(1)].map(|octet| octet.copied().unwrap_or(0));
            out.weird(name, u16::from_be_bytes(first));
        }
    }

    /// Keeps octets; false where they are too many.
    fn hold(&mut self, when: Moment, from_orig: bool, octets: &[u8]) -> bool {
        let held = self.held.get_or_insert_default();
        let octets_held = held.octets.iter().map(Vec::len).sum::<usize>();
        if octets_held + octets.len() > HELD_MAX || held.pieces.len() >= PIECES_MAX {
            return false;
        }
        held.octets[usize::from(!from_orig)].extend_from_slice(octets);
        held.pieces.push(HeldPiece { when, from_orig, len: octets.len() });
        true
    }

    /// Who asks: who spoke first of the two that fit together. Where only one side was seen, the one who opened.
    fn client_is_orig(&self, from_orig: bool) -> bool {
        if self.hint == Hint::Modbus || !self.partial {
            return !self.orig_serves;
        }
        self.held
            .as_ref()
            .and_then(|held| held.pieces.iter().find(|piece| piece.from_orig != from_orig))
            .is_none_or(|first| first.from_orig)
    }

    /// Whether a stream on a port that says nothing is Modbus.
    fn guess_modbus_elsewhere(&self, view: &[u8], from_orig: bool) -> Guess {
        let Some(mine) = Adus::new(view, self.datagrams) else { return Guess::IsNot };
        let other = self.held.as_ref().map(|held| held.octets[usize::from(from_orig)].as_slice());
        let fits = other
            .and_then(|other| Adus::new(other, false))
            .is_some_and(|mut other| other.any(|theirs| mine.clone().any(|ours| ours.belongs_to(theirs))));
        if fits || mine.count() >= ADUS_ENOUGH { Guess::Is } else { Guess::MayBe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read Holding Registers, one register at 0, and its answer; written out from the specification, section 6.3.
    const REQUEST: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
    const ANSWER: [u8; 11] = [0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 7];
    /// Request link status, master 1 to outstation 10.
    const DNP3: [u8; 10] = [0x05, 0x64, 0x05, 0xc9, 0x0a, 0x00, 0x01, 0x00, 0xfe, 0xda];
    const TLS: [u8; 9] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

    fn play(proto: Proto, port: u16, partial: bool, pieces: &[(bool, &[u8])]) -> (Analyser, Items) {
        let mut analyser = Analyser::new(proto, [50_000, port], partial);
        let mut items = Items::default();
        for (index, (from_orig, octets)) in pieces.iter().enumerate() {
            let now = Moment { at: index as u64, frame: index as u64 };
            if proto == Proto::Udp {
                analyser.datagram(now, *from_orig, octets, &mut items);
            } else {
                analyser.deliver(now, *from_orig, Piece::Octets(octets), &mut items);
            }
        }
        (analyser, items)
    }

    fn pdus(items: &Items) -> usize {
        items.items.iter().filter(|item| matches!(item, Item::Modbus { .. })).count()
    }

    fn weirds(items: &Items) -> Vec<&'static str> {
        let name = |item: &Item| if let Item::Weird { name, .. } = item { Some(*name) } else { None };
        items.items.iter().filter_map(name).collect()
    }

    #[test]
    fn modbus_is_found_on_any_port_with_what_was_held() {
        for proto in [Proto::Tcp, Proto::Udp] {
            let (analyser, items) = play(proto, 10_502, false, &[(true, &REQUEST), (false, &ANSWER)]);
            assert!(matches!(analyser, Analyser::Modbus(_)), "{proto:?}");
            assert_eq!(pdus(&items), 2);
            assert!(matches!(items.items[0], Item::When(Moment { frame: 0, .. })));
        }
        let three = [REQUEST, REQUEST, REQUEST].concat();
        assert_eq!(pdus(&play(Proto::Tcp, 10_502, false, &[(true, &three)]).1), 3);
        let cut: Vec<(bool, &[u8])> = vec![(true, &REQUEST[..3]), (true, &REQUEST[3..]), (false, &ANSWER)];
        assert_eq!(pdus(&play(Proto::Tcp, 10_502, false, &cut).1), 2);
    }

    proptest::proptest! {
        #[test]
        fn adus_come_out_however_the_streams_are_cut(
            cuts in proptest::collection::vec(1_usize..24, 1..20),
            port in proptest::sample::select(vec![502_u16, 10_502]),
        ) {
            // Five exchanges; each direction is cut at places of its own.
            let mut pieces: Vec<(bool, Vec<u8>)> = Vec::new();
            let mut cut = cuts.iter().cycle();
            for transaction in 1..=5_u8 {
                for (from_orig, octets) in [(true, &REQUEST[..]), (false, &ANSWER[..])] {
                    let mut octets = octets.to_vec();
                    octets[1] = transaction;
                    while !octets.is_empty() {
                        let length = (*cut.next().unwrap()).min(octets.len());
                        pieces.push((from_orig, octets.drain(..length).collect()));
                    }
                }
            }
            let pieces: Vec<(bool, &[u8])> = pieces.iter().map(|(side, octets)| (*side, octets.as_slice())).collect();
            let (_, items) = play(Proto::Tcp, port, false, &pieces);
            proptest::prop_assert_eq!(pdus(&items), 10);
            proptest::prop_assert!(weirds(&items).is_empty());
        }

        #[test]
        fn any_octets_are_held_within_bounds(
            pieces in proptest::collection::vec(
                (proptest::prelude::any::<bool>(), proptest::collection::vec(0_u8..8, 0..40)),
                0..60,
            ),
            port in proptest::sample::select(vec![502_u16, 20_000, 1]),
            partial in proptest::prelude::any::<bool>(),
        ) {
            let pieces: Vec<(bool, &[u8])> = pieces.iter().map(|(side, octets)| (*side, octets.as_slice())).collect();
            for proto in [Proto::Tcp, Proto::Udp] {
                let (analyser, _) = play(proto, port, partial, &pieces);
                if let Analyser::Undecided(Undecided { held: Some(held), .. }) = &analyser {
                    proptest::prop_assert!(held.octets.iter().map(Vec::len).sum::<usize>() <= HELD_MAX);
                }
            }
        }
    }

    #[test]
    fn one_plausible_adu_on_another_port_is_not_enough() {
        let (analyser, items) = play(Proto::Tcp, 8080, false, &[(true, &REQUEST)]);
        assert!(matches!(analyser, Analyser::Undecided(_)));
        assert!(items.items.is_empty());
        let (analyser, _) = play(Proto::Tcp, 8080, false, &[(true, &REQUEST), (false, b"HTTP/1.1 400")]);
        assert!(matches!(analyser, Analyser::None));
    }

    #[test]
    fn a_conversation_picked_up_at_an_answer_knows_who_asks() {
        let next_request = [0, 2, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
        let next_answer = [0, 2, 0, 0, 0, 5, 1, 3, 2, 0, 7];
        let pieces: Vec<(bool, &[u8])> = vec![(true, &ANSWER), (false, &next_request), (true, &next_answer)];
        let (analyser, items) = play(Proto::Tcp, 10_502, true, &pieces);
        let Analyser::Modbus(modbus) = analyser else { panic!("{analyser:?}") };
        assert!(!modbus.client_is_orig());
        let requests: Vec<_> = items
            .items
            .iter()
            .filter_map(|item| if let Item::Modbus { request, .. } = item { Some(*request) } else { None })
            .collect();
        assert_eq!(requests, [false, true, false]);
    }

    #[test]
    fn dnp3_is_found_on_any_port_by_its_checksum() {
        for port in [20_000, 20_001, 502] {
            let (analyser, _) = play(Proto::Tcp, port, false, &[(true, &DNP3)]);
            assert!(matches!(analyser, Analyser::Dnp3(_)), "{port}");
            let (analyser, _) = play(Proto::Tcp, port, false, &[(true, &DNP3[..4]), (true, &DNP3[4..])]);
            assert!(matches!(analyser, Analyser::Dnp3(_)), "{port}");
        }
        let mut broken = DNP3;
        broken[8] ^= 1;
        assert!(matches!(play(Proto::Tcp, 20_001, false, &[(true, &broken)]).0, Analyser::None));
        assert!(matches!(play(Proto::Tcp, 20_000, false, &[(true, &broken)]).0, Analyser::Dnp3(_)));
    }

    #[test]
    fn what_is_not_the_protocol_of_the_port_is_reported_once_and_blinds_nothing() {
        let pieces: Vec<(bool, &[u8])> = vec![(true, &TLS), (true, &TLS), (false, &TLS), (true, &REQUEST)];
        let (analyser, items) = play(Proto::Tcp, 502, false, &pieces);
        assert_eq!(weirds(&items), ["non_modbus_on_modbus_port"]);
        assert!(matches!(analyser, Analyser::Modbus(_)));
        assert_eq!(pdus(&items), 1);
        let (_, items) = play(Proto::Tcp, 20_000, false, &[(true, &TLS)]);
        assert_eq!(weirds(&items), ["non_dnp3_on_dnp3_port"]);
    }

    #[test]
    fn other_connections_are_given_up_at_once() {
        assert!(!play(Proto::Tcp, 443, false, &[(true, &TLS)]).0.wants());
        let many: Vec<(bool, &[u8])> = vec![(true, &TLS); 8];
        assert!(!play(Proto::Tcp, 443, true, &many).0.wants());
        assert!(!play(Proto::Udp, 53, false, &many).0.wants());
    }

    #[test]
    fn a_device_that_calls_from_its_own_port_answers() {
        let mut analyser = Analyser::new(Proto::Tcp, [502, 4446], false);
        let mut items = Items::default();
        analyser.deliver(Moment::default(), true, Piece::Octets(&ANSWER), &mut items);
        assert!(matches!(items.items[0], Item::Modbus { request: false, .. }));
    }

    #[test]
    fn held_octets_are_bounded() {
        // The front of the longest ADU, in single octets, then again and again.
        let mut analyser = Analyser::new(Proto::Tcp, [1, 2], true);
        let mut items = Items::default();
        for round in 0..10_000_u32 {
            let octet = [0, 0, 0, 0, 0, 254, 1, 3][(round % 8) as usize];
            analyser.deliver(Moment::default(), true, Piece::Octets(&[octet]), &mut items);
            if let Analyser::Undecided(Undecided { held: Some(held), .. }) = &analyser {
                assert!(held.octets[0].len() <= HELD_MAX);
            }
        }
    }
}
