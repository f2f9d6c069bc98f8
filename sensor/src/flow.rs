//! Connections: the table of those that are open, and when each is over.
//!
//! # Theory of operation
//! A packet finds its connection by its two ends and its protocol. TCP, UDP and ICMP all have connections; for the
//! latter two that is a row of packets without a long pause, as in Zeek. A heap holds, for every connection, a moment
//! at which to look whether it is over; what a packet changes shows when that moment comes. Nothing but the times of
//! frames moves the clock.
//!
//! A connection is over: five seconds after both ends closed or one reset, or after an opening SYN without an answer;
//! one minute after the last packet of UDP or ICMP; five minutes after the last packet of TCP.
//!
//! # What can go wrong
//! A flood opens connections without end: the table holds at most [`FlowTable::new`]'s `max` of them, and makes room
//! by ending the one whose moment comes next. That is counted, and the row is written.
//!
//! Segments that come out of order wait for those before them, and the front of a DNP3 fragment for its rest. All that wait together take at most [`HELD_MAX`] octets;
//! where they would take more, the connection that began to wait first loses what waits, which then shows as a gap. So
//! who fills the memory on purpose costs others a gap, not their connections, and not for longer than he goes on.
//!
//! The table is hashed with a seed that differs from process to process, so that nobody can choose ports and addresses
//! that all fall into one place. Nothing that is written depends on the order of the table.
//!
//! # Terms
//! *Originator*, *responder*: who opened and who was called, by the first packet; turned round where a connection is
//! seen from the middle and only one of the ports is a server's (`^` in the history).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::net::IpAddr;

use indexmap::IndexMap;
use record::event::hex_digest;
use site::MacAddress;

use crate::analyser::Analyser;
use crate::facts::PairIndex;
use crate::tcp::Tcp;

const SECOND: u64 = 1_000_000_000;
/// After both ends closed, and after a SYN without an answer.
const CLOSE_DELAY: u64 = 5 * SECOND;
/// UDP, ICMP, and TCP before its handshake is over.
const SHORT_PAUSE: u64 = 60 * SECOND;
const TCP_PAUSE: u64 = 300 * SECOND;
/// Octets that segments may take, over all connections, while they wait for those before them.
pub(crate) const HELD_MAX: usize = 16 << 20;
/// After this long without an answer an opening SYN is reported as unanswered.
pub(crate) const ANSWER_WITHIN: u64 = SECOND;

/// Ports that servers listen on: those that Zeek's own scripts register, so that roles are the same.
const SERVER_PORTS: [u16; 40] = [
    21, 22, 25, 53, 67, 80, 88, 123, 135, 137, 139, 161, 162, 389, 443, 445, 502, 514, 563, 585, 587, 614,
    631, 636, 989, 990, 992, 993, 995, 1080, 1812, 1883, 3128, 3268, 3306, 3389, 5060, 8000, 8080, 20000,
];

/// One end: address and port. For ICMP the port is type or code.
pub(crate) type Endpoint = (IpAddr, u16);

/// Transport of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6.
    Icmp,
}

impl Proto {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// Zeek's unique id of a connection: `C` and 17 letters and digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Uid([u8; 18]);

impl Uid {
    /// Derived from who called whom, on which service port, for the how-many-th time; so that the same story gives the
    /// same ids whatever ports the callers' stacks picked.
    pub(crate) fn new(source: IpAddr, target: IpAddr, proto: Proto, port: u16, count: u64) -> Self {
        let key = format!("{source} {target} {} {port} {count}", proto.as_str());
        let digest = hex_digest(key.as_bytes());
        let mut bits = u128::from_str_radix(digest.get(..25).unwrap_or("0"), 16).unwrap_or(0);
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut letters = [b'C'; 18];
        for letter in &mut letters[1..] {
            *letter = alphabet[(bits % 62) as usize];
            bits /= 62;
        }
        Self(letters)
    }

    /// One of its letters, as a number: different in most connections.
    pub(crate) fn letter(&self) -> usize {
        self.0[1].into()
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII was put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names a connection in every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnId {
    pub(crate) uid: Uid,
    pub(crate) orig: Endpoint,
    pub(crate) resp: Endpoint,
}

/// Where and how often a direction sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Network card that sent the last packet.
    pub(crate) mac: Option<MacAddress>,
    pub(crate) packets: u64,
    pub(crate) ip_octets: u64,
    /// Payload of UDP and ICMP; `None` before the first packet.
    pub(crate) payload: Option<u64>,
}

/// What became of an opening SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Established,
    Refused,
    Unanswered,
    /// Taken and dropped again by the responder before it said anything: how many controllers say that they are full.
    Dropped,
}

impl Outcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Dropped => "dropped",
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) proto: Proto,
    pub(crate) ip_proto: u8,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) first_frame: u64,
    pub(crate) orig: Sent,
    pub(crate) resp: Sent,
    /// Present for TCP.
    pub(crate) tcp: Option<Box<Tcp>>,
    /// What takes its payload.
    pub(crate) analyser: Analyser,
    pub(crate) history: String,
    pub(crate) service: Option<&'static str>,
    pub(crate) pair: PairIndex,
    /// Outcome reported so far.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) established_at: u64,
    /// Counts as open in the baseline.
    pub(crate) counted: bool,
    /// Names under which this connection was reported in `weird.log`.
    pub(crate) weirds: Vec<&'static str>,
    /// Segments and datagrams looked at for a service's name and an identity.
    pub(crate) looks: u8,
    /// Stands in the queue of those that began to wait for segments.
    waits: bool,
    generation: u32,
}

impl Conn {
    pub(crate) fn sizes(&self) -> (u64, u64) {
        match &self.tcp {
            Some(tcp) => (tcp.orig.size(tcp.resp.state), tcp.resp.size(tcp.orig.state)),
            None => (self.orig.payload.unwrap_or(0), self.resp.payload.unwrap_or(0)),
        }
    }

    pub(crate) fn conn_state(&self) -> &'static str {
        match (&self.tcp, self.proto) {
            (Some(tcp), _) => tcp.conn_state(),
            (None, Proto::Udp) => match (self.orig.payload, self.resp.payload) {
                (Some(_), Some(_)) => "SF",
                (Some(_), None) => "S0",
                (None, Some(_)) => "SHR",
                (None, None) => "OTH",
            },
            _ => "OTH",
        }
    }

    /// Octets that its waiting segments and unfinished messages take.
    pub(crate) fn held(&self) -> usize {
        self.tcp.as_ref().map_or(0, |tcp| tcp.held()) + self.analyser.held()
    }

    fn forget_held(&mut self) {
        if let Some(tcp) = &mut self.tcp {
            tcp.forget_waiting();
        }
        self.analyser.forget_held();
    }

    /// The moment after which it is over, if no packet comes.
    fn over_at(&self) -> u64 {
        match &self.tcp {
            Some(tcp) if tcp.is_closed() => self.last + CLOSE_DELAY,
            Some(tcp) if tcp.is_unanswered() => self.first + CLOSE_DELAY,
            Some(tcp) if tcp.is_past_handshake() => self.last + TCP_PAUSE,
            _ => self.last + SHORT_PAUSE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    low: Endpoint,
    high: Endpoint,
    proto: Proto,
}

impl Key {
    fn new(one: Endpoint, other: Endpoint, proto: Proto) -> Self {
        if one <= other {
            Self { low: one, high: other, proto }
        } else {
            Self { low: other, high: one, proto }
        }
    }
}

/// What a look at the clock found.
#[derive(Debug)]
pub(crate) enum Due {
    /// Over; taken out of the table.
    Over(Box<Conn>),
    /// An opening SYN went unanswered; the connection stays.
    Unanswered(usize),
}

/// The open connections.
#[derive(Debug)]
pub(crate) struct FlowTable {
    index: IndexMap<Key, u32, foldhash::fast::RandomState>,
    slots: Vec<Option<Box<Conn>>>,
    free: Vec<u32>,
    due: BinaryHeap<Reverse<(u64, u32, u32)>>,
    generation: u32,
    max: usize,
    pub(crate) evicted: u64,
    /// Octets that waiting segments take.
    held: usize,
    /// Connections that wait for segments, by slot and generation, in the order in which they began to.
    waiting: VecDeque<(u32, u32)>,
}

impl FlowTable {
    /// A table of at most `max` connections.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            index: IndexMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            due: BinaryHeap::new(),
            generation: 0,
            max: max.max(1),
            evicted: 0,
            held: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(crate) fn find(&self, one: Endpoint, other: Endpoint, proto: Proto) -> Option<usize> {
        self.index.get(&Key::new(one, other, proto)).map(|slot| *slot as usize)
    }

    pub(crate) fn get(&mut self, slot: usize) -> Option<&mut Conn> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    /// The connection of that id, while it is open.
    pub(crate) fn conn_of(&mut self, id: &ConnId) -> Option<&mut Conn> {
        let slots = [Proto::Tcp, Proto::Udp].map(|proto| self.find(id.orig, id.resp, proto));
        let slots = slots.into_iter().flatten();
        let slot = slots.into_iter().find(|slot| {
            self.slots.get(*slot).is_some_and(|conn| conn.as_ref().is_some_and(|conn| conn.id.uid == id.uid))
        })?;
        self.get(slot)
    }

    /// Puts in a connection; returns its place, and the one that had to go for it.
    pub(crate) fn insert(&mut self, mut conn: Conn) -> (usize, Option<Box<Conn>>) {
        let evicted = if self.index.len() >= self.max { self.evict() } else { None };
        self.generation = self.generation.wrapping_add(1);
        conn.generation = self.generation;
        let is_opening = conn.proto == Proto::Tcp;
        let (first, over_at) = (conn.first, conn.over_at());
        let key = Key::new(conn.id.orig, conn.id.resp, conn.proto);
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        if slot as usize == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot as usize] = Some(Box::new(conn));
        self.index.insert(key, slot);
        let at = if is_opening { first + ANSWER_WITHIN } else { over_at };
        self.due.push(Reverse((at, slot, self.generation)));
        (slot as usize, evicted)
    }

    /// Looks again soon: a connection closed.
    pub(crate) fn hasten(&mut self, slot: usize) {
        if let Some(Some(conn)) = self.slots.get(slot) {
            self.due.push(Reverse((conn.over_at(), slot as u32, conn.generation)));
        }
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<Box<Conn>> {
        let conn = self.slots.get_mut(slot)?.take()?;
        self.held -= conn.held();
        self.index.swap_remove(&Key::new(conn.id.orig, conn.id.resp, conn.proto));
        self.free.push(slot as u32);
        Some(conn)
    }

    /// The next thing that is due at `now`; to be asked until it says `None`.
    pub(crate) fn next_due(&mut self, now: u64) -> Option<Due> {
        loop {
            let Reverse((at, slot, generation)) = *self.due.peek()?;
            if at >= now {
                return None;
            }
            self.due.pop();
            let Some(Some(conn)) = self.slots.get_mut(slot as usize) else { continue };
            if conn.generation != generation {
                continue;
            }
            let over_at = conn.over_at();
            if over_at < now {
                return self.remove(slot as usize).map(Due::Over);
            }
            self.due.push(Reverse((over_at, slot, generation)));
            if conn.outcome.is_none() && conn.tcp.as_ref().is_some_and(|tcp| tcp.is_unanswered()) {
                return Some(Due::Unanswered(slot as usize));
            }
        }
    }

    /// Whether anything can be due at `now`.
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.due.peek().is_some_and(|Reverse((at, _, _))| *at < now)
    }

    /// All that are left, in the order in which they began.
    #[expect(clippy::vec_box, reason = "they lie boxed in the table; moving the boxes is cheaper")]
    pub(crate) fn drain(&mut self) -> Vec<Box<Conn>> {
        let mut left: Vec<_> = self.slots.iter_mut().filter_map(Option::take).collect();
        left.sort_by_key(|conn| (conn.first, conn.first_frame));
        self.index.clear();
        self.due.clear();
        self.waiting.clear();
        self.held = 0;
        self.free.clear();
        self.slots.clear();
        left
    }

    /// A segment came to a connection, whose waiting segments took `before` octets before it.
    pub(crate) fn note_held(&mut self, slot: usize, before: usize) {
        let Some(Some(conn)) = self.slots.get_mut(slot) else { return };
        let after = conn.held();
        self.held = self.held + after - before;
        if after > 0 && !conn.waits {
            conn.waits = true;
            self.waiting.push_back((slot as u32, conn.generation));
            if self.waiting.len() > 2 * self.max {
                let slots = &self.slots;
                self.waiting.retain(|(slot, generation)| {
                    matches!(slots.get(*slot as usize), Some(Some(conn)) if conn.generation == *generation)
                });
            }
        }
    }

    /// Where waiting segments take too much: drops those of the connection that began to wait first, and names it. To
    /// be asked until it says `None`.
    pub(crate) fn relieve(&mut self) -> Option<ConnId> {
        while self.held > HELD_MAX {
            let (slot, generation) = self.waiting.pop_front()?;
            let Some(Some(conn)) = self.slots.get_mut(slot as usize) else { continue };
            if conn.generation != generation {
                continue;
            }
            conn.waits = false;
            let held = conn.held();
            if held > 0 {
                conn.forget_held();
                self.held -= held;
                return Some(conn.id);
            }
        }
        None
    }

    fn evict(&mut self) -> Option<Box<Conn>> {
        while let Some(Reverse((_, slot, generation))) = self.due.pop() {
            let live =
                matches!(self.slots.get(slot as usize), Some(Some(conn)) if conn.generation == generation);
            if live {
                self.evicted += 1;
                return self.remove(slot as usize);
            }
        }
        None
    }
}

/// Who called whom, by the first packet of a connection; true where it was turned round.
pub(crate) fn roles(source: Endpoint, target: Endpoint, proto: Proto, opens: bool, syn: bool) -> bool {
    if opens || proto == Proto::Icmp {
        return false;
    }
    match (SERVER_PORTS.contains(&source.1), SERVER_PORTS.contains(&target.1)) {
        (true, false) => true,
        (true, true) => proto == Proto::Tcp && !syn && source.1 < target.1,
        _ => false,
    }
}

/// A new connection.
#[expect(
    clippy::too_many_arguments,
    reason = "one caller, and every one of them is a fact of the first packet"
)]
pub(crate) fn new_conn(
    id: ConnId,
    proto: Proto,
    ip_proto: u8,
    flipped: bool,
    unix_nanos: u64,
    frame: u64,
    pair: PairIndex,
    analyser: Analyser,
) -> Conn {
    let history = if flipped { "^".to_owned() } else { String::new() };
    let tcp = (proto == Proto::Tcp).then(|| {
        let mut tcp = Box::<Tcp>::default();
        tcp.history.clone_from(&history);
        tcp
    });
    Conn {
        id,
        proto,
        ip_proto,
        first: unix_nanos,
        last: unix_nanos,
        first_frame: frame,
        orig: Sent::default(),
        resp: Sent::default(),
        tcp,
        analyser,
        history,
        service: None,
        pair,
        outcome: None,
        established_at: 0,
        counted: false,
        weirds: Vec::new(),
        looks: 0,
        waits: false,
        generation: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Segment, TcpFlags};

    fn conn(port: u16, at: u64) -> Conn {
        let (orig, resp) = ((IpAddr::from([10, 0, 0, 1]), port), (IpAddr::from([10, 0, 0, 2]), 502));
        let uid = Uid::new(orig.0, resp.0, Proto::Tcp, 502, 0);
        let mut conn = new_conn(
            ConnId { uid, orig, resp },
            Proto::Tcp,
            6,
            false,
            at,
            1,
            PairIndex::default(),
            Analyser::None,
        );
        let syn = Segment {
            source_port: port,
            destination_port: 502,
            sequence: 1,
            acknowledgement: 0,
            flags: TcpFlags(2),
            window: 1,
            payload: &[],
            payload_len: 0,
        };
        if let Some(tcp) = &mut conn.tcp {
            tcp.segment(true, &syn, false, &mut |_, _| {});
        }
        conn
    }

    #[test]
    fn an_unanswered_syn_is_reported_after_a_second_and_over_after_five() {
        let mut table = FlowTable::new(10);
        table.insert(conn(1, 0));
        assert!(table.next_due(SECOND).is_none());
        assert!(matches!(table.next_due(SECOND + 1), Some(Due::Unanswered(0))));
        assert!(table.next_due(5 * SECOND).is_none());
        assert!(matches!(table.next_due(5 * SECOND + 1), Some(Due::Over(_))));
        assert!(table.next_due(u64::MAX).is_none());
    }

    #[test]
    fn a_flood_is_bounded_and_counted() {
        let mut table = FlowTable::new(100);
        let mut rows = 0;
        for port in 0..10_000 {
            rows += u64::from(table.insert(conn(port, u64::from(port))).1.is_some());
        }
        assert_eq!((rows, table.evicted, table.drain().len()), (9900, 9900, 100));
        assert!(table.slots.len() <= 100);
    }

    #[test]
    fn waiting_segments_are_bounded_over_all_connections() {
        let mut table = FlowTable::new(1000);
        let payload = [7; 1000];
        let mut relieved = Vec::new();
        for port in 0..1000 {
            let (slot, _) = table.insert(conn(port, u64::from(port)));
            for n in 0..40 {
                let conn = table.get(slot).unwrap();
                let before = conn.held();
                let late = Segment {
                    source_port: port,
                    destination_port: 502,
                    sequence: 5000 + n * 2000,
                    acknowledgement: 0,
                    flags: TcpFlags(16),
                    window: 1,
                    payload: &payload,
                    payload_len: 1000,
                };
                conn.tcp.as_mut().unwrap().segment(true, &late, true, &mut |_, _| {});
                table.note_held(slot, before);
                while let Some(id) = table.relieve() {
                    relieved.push(id.orig.1);
                }
                assert!(table.held <= HELD_MAX);
            }
        }
        // Those that began first, each once.
        assert!(relieved.len() > 500 && relieved.is_sorted(), "{}", relieved.len());
        for slot in 0..1000 {
            table.remove(slot);
        }
        assert_eq!(table.held, 0);
    }

    #[test]
    fn a_uid_does_not_know_the_callers_port() {
        let (a, b) = (conn(1, 0), conn(2, 5));
        assert_eq!(a.id.uid, b.id.uid);
        assert_eq!(a.id.uid.as_str().len(), 18);
        assert_ne!(a.id.uid, Uid::new(a.id.orig.0, a.id.resp.0, Proto::Tcp, 502, 1));
    }
}
