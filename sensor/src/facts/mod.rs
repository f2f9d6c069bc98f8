//! The baseline: who talks to whom, how, and how often; learnt first, judged afterwards.
//!
//! # Theory of operation
//! Everything is kept by *pair*: source, target, transport and service port. For the first span of a capture the pairs
//! learn; after it, what a pair does that it did not do while learning is *new*, and stays new however often it is
//! done: a finding's suppression, not forgetting, keeps it from being repeated. What the site's documentation allows
//! counts as learnt where the rules say so (writers), and nowhere else.
//!
//! # What can go wrong
//! An attacker who was there while the baseline was learnt is part of it. A flood makes pairs without end: at most
//! [`PAIRS_MAX`] are kept; where more come, those that were not learnt and have no open connection are forgotten, and
//! where that does not help, all further pairs share one that knows nothing.

mod creep;
mod dnp3;
mod file;
mod polls;
mod reports;
pub(crate) mod values;

use std::collections::BTreeSet;
use std::net::IpAddr;

use indexmap::IndexMap;
use site::MacAddress;
use wire::modbus::Table;

use creep::Creep;
pub(crate) use creep::{Crept, PointKey};
pub(crate) use dnp3::{Dnp3Facts, Dnp3News, Dnp3Request};
pub use file::{Baseline, BaselineDnp3, BaselineHost, BaselineModbus, BaselinePair};
use polls::Polls;
use reports::Reports;
pub(crate) use reports::{ReportsOff, ReportsRequest};
use values::Values;
pub use values::{BaselineBlock, BaselinePoint, BaselineValues, ValueKind};

use crate::flow::Proto;

/// Pairs kept.
const PAIRS_MAX: usize = 16 << 10;
/// Separate address ranges kept per table of a pair.
const RANGES_MAX: usize = 256;
/// Different refusals kept per pair.
const EXCEPTIONS_MAX: usize = 64;
/// Network cards kept per host.
const CARDS_MAX: usize = 4;

/// Where a pair lies; 0 is the one that stands for all that found no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairIndex(u32);

/// Source, target, transport, service port.
pub(crate) type PairKey = (IpAddr, IpAddr, Proto, u16);

/// The Modbus side of a pair.
#[derive(Debug, Default)]
struct ModbusFacts {
    /// Function codes that were learnt, one bit each.
    functions: u128,
    /// Unit identifiers that were learnt, one bit each.
    units: [u64; 4],
    /// Learnt refusals: function and exception code.
    exceptions: Vec<(u8, u8)>,
    reads: bool,
    writes: bool,
    /// Learnt address ranges by table, first and last address.
    ranges: [Vec<(u16, u16)>; 4],
    walk: Walk,
}

impl ModbusFacts {
    fn has_unit(&self, unit: u8) -> bool {
        self.units[usize::from(unit >> 6)] & (1 << (unit & 63)) != 0
    }

    fn learn_unit(&mut self, unit: u8) {
        self.units[usize::from(unit >> 6)] |= 1 << (unit & 63);
    }
}

/// A client that reads one thing at each address in turn. Who polls a plant reads what it needs, in blocks; who reads
/// address after address wants to know what there is. Needs no baseline.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    at: Option<(Table, u16)>,
    len: u32,
}

impl Walk {
    /// How many addresses in turn were read one by one, this read included; 0 where this one is no part of such a row.
    fn step(&mut self, range: Option<(Table, u16, u16)>) -> u32 {
        let Some((table, first, last)) = range else { return 0 };
        if first != last {
            *self = Self::default();
            return 0;
        }
        match self.at {
            Some((known, at)) if known == table && first == at => return 0,
            Some((known, at)) if known == table && at.checked_add(1) == Some(first) => self.len += 1,
            _ => self.len = 1,
        }
        self.at = Some((table, first));
        self.len
    }
}

/// Who calls whom on which service.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) key: PairKey,
    learnt: bool,
    /// The target accepted a connection at some time.
    accepted: bool,
    /// The rules have been told that it is new.
    announced: bool,
    connections: u64,
    pub(crate) open: u32,
    open_learnt: u32,
    modbus: Option<Box<ModbusFacts>>,
    dnp3: Option<Box<Dnp3Facts>>,
    polls: Polls,
}

impl Pair {
    fn new(key: PairKey) -> Self {
        Self {
            key,
            learnt: false,
            accepted: false,
            announced: false,
            connections: 0,
            open: 0,
            open_learnt: 0,
            modbus: None,
            dnp3: None,
            polls: Polls::default(),
        }
    }
}

/// What is new about a connection's outcome.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that rules ask for by name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairNews {
    pub(crate) new_talker: bool,
    /// Open connections of the source to the service, this one included.
    pub(crate) open: u32,
    pub(crate) more_connections: bool,
    /// The target took no connection on this port from anybody while learning.
    pub(crate) new_service: bool,
    pub(crate) used_to_accept: bool,
}

/// What is new about a request.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that rules ask for by name")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RequestNews {
    pub(crate) new_reader: bool,
    pub(crate) new_writer: bool,
    /// A new writer that has polled this controller steadily and wrote to others before: a control station that does
    /// what it is there for.
    pub(crate) usual_writer: bool,
    pub(crate) new_function: bool,
    pub(crate) new_range: bool,
    /// A unit identifier that was not asked for.
    pub(crate) new_unit: bool,
    /// Addresses read one by one in turn so far.
    pub(crate) walk: u32,
    /// How many times the learnt most this second has brought.
    pub(crate) rate: u32,
}

/// A poll that stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LostPoll {
    pub(crate) source: IpAddr,
    pub(crate) target: IpAddr,
    /// Nanoseconds since its last request.
    pub(crate) silence: u64,
    /// Mean interval between requests while learning, nanoseconds.
    pub(crate) interval: u64,
}

/// The baseline.
#[derive(Debug)]
pub(crate) struct Facts {
    pairs: IndexMap<PairKey, Pair, foldhash::fast::RandomState>,
    overflow: Pair,
    learn: u64,
    learn_until: Option<u64>,
    learning: bool,
    /// Pairs that poll.
    pollers: Vec<PairKey>,
    /// Hosts that were seen while learning, with their network cards.
    hosts: IndexMap<IpAddr, Vec<MacAddress>, foldhash::fast::RandomState>,
    /// Hosts that wrote to some controller while learning.
    writers: BTreeSet<IpAddr>,
    creep: Creep,
    /// Services that took connections while learning.
    services: BTreeSet<(IpAddr, u16)>,
    /// Outstations that were told not to report by themselves.
    pub(crate) reports: Reports,
    /// What registers and points usually say.
    pub(crate) values: Values,
    /// How often pairs were forgotten; part of a uid, so that none repeats.
    pub(crate) forgotten: u64,
    /// New pairs to come before room is looked for again.
    crowd: usize,
}

impl Facts {
    /// Learns for `learn` nanoseconds from the first frame on.
    pub(crate) fn new(learn: u64) -> Self {
        let nobody = IpAddr::from([0, 0, 0, 0]);
        Self {
            pairs: IndexMap::default(),
            overflow: Pair::new((nobody, nobody, Proto::Tcp, 0)),
            learn,
            learn_until: None,
            learning: true,
            pollers: Vec::new(),
            hosts: IndexMap::default(),
            writers: BTreeSet::new(),
            creep: Creep::default(),
            services: BTreeSet::new(),
            reports: Reports::default(),
            values: Values::default(),
            forgotten: 0,
            crowd: 0,
        }
    }

    /// Moves on; learning ends when its time is over.
    pub(crate) fn tick(&mut self, now: u64) {
        let until = *self.learn_until.get_or_insert(now.saturating_add(self.learn));
        if !self.learning || now < until {
            return;
        }
        self.learning = false;
        for pair in self.pairs.values_mut() {
            if pair.learnt && pair.accepted {
                self.services.insert((pair.key.1, pair.key.3));
            }
            if pair.polls.end_of_learning(self.learn, until) {
                self.pollers.push(pair.key);
            }
        }
    }

    /// Whether more pairs came than are kept.
    pub(crate) fn is_full(&self) -> bool {
        self.forgotten > 0 || self.overflow.connections > 0
    }

    pub(crate) fn is_learning(&self) -> bool {
        self.learning
    }

    /// A host sent something, or was spoken to; with the network card that spoke for it.
    pub(crate) fn host_seen(&mut self, address: IpAddr, card: Option<MacAddress>) {
        if !self.learning || (self.hosts.len() >= PAIRS_MAX && !self.hosts.contains_key(&address)) {
            return;
        }
        let cards = self.hosts.entry(address).or_default();
        if let Some(card) = card
            && !cards.contains(&card)
            && cards.len() < CARDS_MAX
        {
            cards.push(card);
        }
    }

    /// Whether another network card speaks for a host than those that were learnt.
    pub(crate) fn is_other_card(&self, address: IpAddr, card: MacAddress) -> bool {
        !self.learning
            && self.hosts.get(&address).is_some_and(|cards| !cards.is_empty() && !cards.contains(&card))
    }

    pub(crate) fn knows_host(&self, address: IpAddr) -> bool {
        self.hosts.contains_key(&address)
    }

    /// Whether a network card was learnt, under whatever address. A host gets new addresses (IPv6 gives it several), and
    /// hosts behind a router all have the router's card: neither is a stranger on this network.
    pub(crate) fn knows_card(&self, card: MacAddress) -> bool {
        self.hosts.values().any(|cards| cards.contains(&card))
    }

    /// The pair of a new connection, and which one it is of that pair.
    pub(crate) fn open_pair(&mut self, key: PairKey) -> (PairIndex, u64) {
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&key) {
            self.crowd = self.crowd.saturating_sub(1);
            // Looking through all of them for each new one would be what a flood is after.
            if self.crowd == 0 {
                self.crowd = PAIRS_MAX / 16;
                self.pairs.retain(|_, pair| pair.learnt || pair.open > 0);
                self.forgotten += 1;
            }
        }
        // Indices stay valid while nothing is removed: connections hold keys' places only until the next `retain`,
        // and look themselves up by key afterwards (see `pair`).
        let full = self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&key);
        if full {
            self.overflow.connections += 1;
            return (PairIndex(0), self.overflow.connections);
        }
        let entry = self.pairs.entry(key);
        let index = PairIndex(entry.index() as u32 + 1);
        let pair = entry.or_insert_with(|| Pair::new(key));
        pair.connections += 1;
        // Forgotten pairs start counting again: keep their ids apart.
        (index, pair.connections + (self.forgotten << 32))
    }

    fn pair(&mut self, index: PairIndex, key: PairKey) -> &mut Pair {
        let place = (index.0 as usize).checked_sub(1);
        let place = match place {
            Some(place) if self.pairs.get_index(place).is_some_and(|(found, _)| *found == key) => Some(place),
            Some(_) => self.pairs.get_index_of(&key),
            None => None,
        };
        match place.and_then(|place| self.pairs.get_index_mut(place)) {
            Some((_, pair)) => pair,
            None => &mut self.overflow,
        }
    }

    /// A connection of a pair was taken.
    pub(crate) fn accepted(&mut self, index: PairIndex, key: PairKey) -> PairNews {
        let learning = self.learning;
        let pair = self.pair(index, key);
        pair.open += 1;
        pair.accepted = true;
        if learning {
            pair.open_learnt = pair.open_learnt.max(pair.open);
        }
        let more_connections = !learning && pair.open > pair.open_learnt;
        let open = pair.open;
        let new_service = !learning && !self.services.contains(&(key.1, key.3));
        PairNews { open, more_connections, new_service, ..self.talked(index, key) }
    }

    /// A connection of a pair was refused, dropped or not answered.
    pub(crate) fn refused(&mut self, index: PairIndex, key: PairKey) -> PairNews {
        let news = self.talked(index, key);
        let pair = self.pair(index, key);
        PairNews { open: pair.open, used_to_accept: pair.accepted, ..news }
    }

    /// A pair exchanged packets.
    pub(crate) fn talked(&mut self, index: PairIndex, key: PairKey) -> PairNews {
        let learning = self.learning;
        let pair = self.pair(index, key);
        pair.learnt |= learning;
        let new_talker = !pair.learnt && !pair.announced;
        pair.announced = true;
        PairNews { new_talker, ..PairNews::default() }
    }

    /// An accepted connection of a pair is over.
    pub(crate) fn closed(&mut self, index: PairIndex, key: PairKey) {
        let pair = self.pair(index, key);
        pair.open = pair.open.saturating_sub(1);
    }

    /// A Modbus request of a pair.
    pub(crate) fn request(&mut self, index: PairIndex, key: PairKey, request: &RequestFacts) -> RequestNews {
        let learning = self.learning;
        if learning && request.writes {
            self.writers.insert(key.0);
        }
        let writes_elsewhere = self.writers.contains(&key.0);
        let pair = self.pair(index, key);
        let rate = pair.polls.request(request.at, learning);
        let polls = pair.polls.interval().is_some();
        let modbus = pair.modbus.get_or_insert_default();
        let bit = 1u128 << (request.function & 0x7f);
        let walk = modbus.walk.step(request.range);
        if learning {
            modbus.functions |= bit;
            modbus.learn_unit(request.unit);
            modbus.reads |= request.reads;
            modbus.writes |= request.writes;
            if let Some((table, first, last)) = request.range {
                learn_range(&mut modbus.ranges[table as usize], first, last);
            }
            return RequestNews { walk, ..RequestNews::default() };
        }
        let new_writer = request.writes && !modbus.writes;
        RequestNews {
            new_reader: request.reads && !modbus.reads,
            new_writer,
            usual_writer: new_writer && polls && writes_elsewhere,
            new_function: modbus.functions & bit == 0,
            new_range: request.range.is_some_and(|(table, first, last)| {
                !modbus.ranges[table as usize].iter().any(|(from, to)| *from <= first && last <= *to)
            }),
            new_unit: !modbus.has_unit(request.unit),
            walk,
            rate,
        }
    }

    /// A DNP3 request of a pair.
    pub(crate) fn dnp3_request(
        &mut self,
        index: PairIndex,
        key: PairKey,
        request: &Dnp3Request<'_>,
    ) -> Dnp3News {
        let learning = self.learning;
        let pair = self.pair(index, key);
        let rate = pair.polls.request(request.at, learning);
        Dnp3News { rate, ..pair.dnp3.get_or_insert_default().request(request, learning) }
    }

    /// A DNP3 response, report or confirmation of a pair.
    pub(crate) fn dnp3_other(&mut self, index: PairIndex, key: PairKey) -> Dnp3News {
        let learning = self.learning;
        self.pair(index, key).dnp3.get_or_insert_default().other(learning)
    }

    /// A value that is written to a point: how far its setpoint has crept.
    pub(crate) fn written(&mut self, point: PointKey, value: f64) -> Crept {
        self.creep.write(point, value, self.learning)
    }

    /// A refusal that a pair got: whether it is new.
    pub(crate) fn exception(&mut self, index: PairIndex, key: PairKey, function: u8, code: u8) -> bool {
        let learning = self.learning;
        let modbus = self.pair(index, key).modbus.get_or_insert_default();
        let known = modbus.exceptions.contains(&(function, code));
        if learning && !known && modbus.exceptions.len() < EXCEPTIONS_MAX {
            modbus.exceptions.push((function, code));
        }
        !learning && !known
    }

    /// The polls that have just been silent for too long.
    pub(crate) fn lost_polls(&mut self, now: u64) -> Vec<LostPoll> {
        let mut lost = Vec::new();
        for key in &self.pollers {
            let Some(pair) = self.pairs.get_mut(key) else { continue };
            if let Some((silence, interval)) = pair.polls.just_lost(now) {
                lost.push(LostPoll { source: key.0, target: key.1, silence, interval });
            }
        }
        lost
    }
}

/// What the baseline wants to know of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestFacts {
    pub(crate) function: u8,
    pub(crate) unit: u8,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
    /// Table, first and last address that it reads.
    pub(crate) range: Option<(Table, u16, u16)>,
    pub(crate) at: u64,
}

/// Adds a range, joined with those that it touches.
fn learn_range(ranges: &mut Vec<(u16, u16)>, first: u16, last: u16) {
    if ranges.iter().any(|(from, to)| *from <= first && last <= *to) {
        return;
    }
    let (mut from, mut to) = (first, last);
    ranges.retain(|(other_from, other_to)| {
        let touches =
            u32::from(*other_from) <= u32::from(to) + 1 && u32::from(from) <= u32::from(*other_to) + 1;
        if touches {
            from = from.min(*other_from);
            to = to.max(*other_to);
        }
        !touches
    });
    if ranges.len() < RANGES_MAX {
        ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HMI: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 20));
    const PLC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 101));
    const KEY: PairKey = (HMI, PLC, Proto::Tcp, 502);

    fn request(function: u8, first: u16, at: u64) -> RequestFacts {
        let writes = function == 6;
        let range = (!writes).then_some((Table::HoldingRegisters, first, first + 9));
        RequestFacts { function, unit: 1, reads: !writes, writes, range, at }
    }

    #[test]
    fn what_was_learnt_is_not_new_and_what_was_not_stays_new() {
        let mut facts = Facts::new(10 * SECOND);
        facts.tick(0);
        let (index, _) = facts.open_pair(KEY);
        assert!(!facts.accepted(index, KEY).new_talker);
        facts.request(index, KEY, &request(3, 0, SECOND));
        facts.tick(10 * SECOND);
        assert!(!facts.is_learning());
        assert_eq!(facts.request(index, KEY, &request(3, 0, 11 * SECOND)), RequestNews::default());
        for at in 12..14 {
            let news = facts.request(index, KEY, &request(6, 0, at * SECOND));
            assert!(news.new_writer && news.new_function && !news.new_reader);
        }
        assert!(facts.request(index, KEY, &request(3, 5, 14 * SECOND)).new_range);
    }

    #[test]
    fn who_reads_address_after_address_walks_and_who_polls_blocks_does_not() {
        let mut walk = Walk::default();
        let one = |address| Some((Table::Coils, address, address));
        let steps = [one(0), one(0), one(1), one(2), one(7), one(8)].map(|range| walk.step(range));
        assert_eq!(steps, [1, 0, 2, 3, 1, 2]);
        assert_eq!(walk.step(Some((Table::Coils, 0, 9))), 0);
        assert_eq!(walk.step(one(9)), 1, "a block ends the row");
        assert_eq!(walk.step(Some((Table::HoldingRegisters, 10, 10))), 1, "so does another table");
    }

    #[test]
    fn a_control_station_may_write_where_it_never_wrote() {
        let mut facts = Facts::new(100 * SECOND);
        let other = (HMI, IpAddr::from([192, 168, 1, 102]), Proto::Tcp, 502);
        let ((index, _), (second, _)) = (facts.open_pair(KEY), facts.open_pair(other));
        for at in 0..100 {
            facts.tick(at * SECOND);
            facts.request(index, KEY, &request(3, 0, at * SECOND));
            facts.request(second, other, &request(if at == 50 { 6 } else { 3 }, 0, at * SECOND));
        }
        facts.tick(101 * SECOND);
        let news = facts.request(index, KEY, &request(6, 0, 102 * SECOND));
        assert!(news.new_writer && news.usual_writer);
        let stranger = (IpAddr::from([192, 168, 1, 77]), PLC, Proto::Tcp, 502);
        let (third, _) = facts.open_pair(stranger);
        let news = facts.request(third, stranger, &request(6, 0, 103 * SECOND));
        assert!(news.new_writer && !news.usual_writer);
    }

    #[test]
    fn a_new_talker_is_new_once() {
        let mut facts = Facts::new(0);
        facts.tick(0);
        let (index, first) = facts.open_pair(KEY);
        assert!(facts.accepted(index, KEY).new_talker);
        let (index, second) = facts.open_pair(KEY);
        let news = facts.accepted(index, KEY);
        assert!(!news.new_talker && news.open == 2 && news.more_connections && first != second);
    }

    #[test]
    fn a_flood_is_measured_against_what_was_learnt() {
        let mut polls = Polls::default();
        for n in 0..20 {
            assert_eq!(polls.request(SECOND + n, true), 0);
        }
        let factors: Vec<_> = (0..60).map(|n| polls.request(5 * SECOND + n, false)).collect();
        assert_eq!((factors[18], factors[19], factors[58], factors[59]), (0, 1, 2, 3));
        assert_eq!(polls.request(6 * SECOND, false), 0);
    }

    #[test]
    fn a_poll_that_stops_is_lost_once() {
        let mut facts = Facts::new(100 * SECOND);
        let (index, _) = facts.open_pair(KEY);
        for second in 0..150 {
            facts.tick(second * SECOND);
            facts.request(index, KEY, &request(3, 0, second * SECOND));
            assert!(facts.lost_polls(second * SECOND).is_empty());
        }
        let found: Vec<_> = (150..300).flat_map(|second| facts.lost_polls(second * SECOND)).collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].silence, found[0].target), (31 * SECOND, PLC));
    }

    #[test]
    fn pairs_are_bounded() {
        let mut facts = Facts::new(0);
        facts.tick(0);
        for n in 0..100_000u32 {
            let key = (IpAddr::from(n.to_be_bytes()), PLC, Proto::Tcp, 502);
            let (index, _) = facts.open_pair(key);
            facts.talked(index, key);
        }
        assert!(facts.pairs.len() <= PAIRS_MAX && facts.forgotten > 0);
    }

    #[test]
    fn ranges_join() {
        let mut ranges = Vec::new();
        for (first, last) in [(0, 9), (20, 29), (10, 19), (65_535, 65_535)] {
            learn_range(&mut ranges, first, last);
        }
        assert_eq!(ranges, [(0, 29), (65_535, 65_535)]);
    }
}
