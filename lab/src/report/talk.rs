//! Who talked with whom in a course, as the mirror port saw it: what part C of the score is counted from.
//!
//! # Theory of operation
//! [`Listener`] sees every frame of the mirror and pairs, on each TCP connection, what the client sent with what the
//! service did about it. An *exchange* is a request that was answered, and not by a Modbus exception. An *operation* is
//! a request that changes something, that the service acknowledged, and that it did not answer by an exception: a
//! device that is told to fall silent does so without a word. When the course is over, [`Listener::digest`] divides them
//! by the ground truth of the same course: requests whose frame belongs to a hostile step are its operations, by time;
//! the rest are exchanges of ordinary flows, counted in spans of ten seconds.
//!
//! # Terms
//! *service*: the end with the lower port. *flow*: client, service and port, requests that change something apart.
//!
//! # What can go wrong
//! Only the mirror's own zone is seen, as in the capture that truth speaks of: talk within another zone counts for
//! nothing. Requests cut over several segments are judged by their first. Memory: 16 octets for each exchange of the
//! course while it runs, and no more than [`EXCHANGES_MAX`] of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use net::inspect::reads;
use record::{TruthStep, Verdict, VirtualTime};
use wire::modbus::{Framing, Packet, next_adu};

/// Length of a span in which exchanges are counted, s.
pub(super) const SPAN_S: u64 = 10;
/// Exchanges that are kept, at most; later ones are not counted.
const EXCHANGES_MAX: usize = 8_000_000;
/// Connections that are followed at a time, at most.
const CONNECTIONS_MAX: usize = 4096;
/// Flows that are told apart, at most.
const FLOWS_MAX: usize = 4096;
const MODBUS_PORT: u16 = 502;
const DNP3_PORT: u16 = 20_000;

/// Requests of one client to one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) client: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) port: u16,
    /// Whether they change something.
    pub(super) changes: bool,
}

/// What a hostile step got done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) t: VirtualTime,
    pub(super) changes: bool,
}

/// The talk of one course.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    /// Exchanges of ordinary flows, in each span of ten seconds from the start.
    flows: BTreeMap<Flow, Vec<u16>>,
    /// By step, in order of time.
    pub(super) operations: BTreeMap<String, Vec<Operation>>,
}

impl Talk {
    /// Ordinary flows.
    pub(super) fn flows(&self) -> impl Iterator<Item = Flow> + '_ {
        self.flows.keys().copied()
    }

    /// Exchanges of a flow in the spans `first` up to, not including, `end`.
    pub(super) fn exchanges(&self, flow: &Flow, first: usize, end: usize) -> u64 {
        let counts = self.flows.get(flow).map_or(&[][..], Vec::as_slice);
        let end = end.min(counts.len());
        counts.get(first..end).unwrap_or_default().iter().map(|count| u64::from(*count)).sum()
    }
}

/// A request that something may still become of.
struct Pending {
    frame: u64,
    t: VirtualTime,
    /// Sequence number behind it.
    end: u32,
    changes: bool,
    is_acknowledged: bool,
}

struct Kept {
    frame: u64,
    /// In tenths of a second.
    t_tenths: u32,
    flow: u16,
    /// Whether it counts as an exchange; an operation without an answer does not.
    is_answered: bool,
}

/// Sees the frames of a course.
#[derive(Default)]
pub(super) struct Listener {
    pending: BTreeMap<(Ipv4Addr, u16, Ipv4Addr, u16), Pending>,
    flows: Vec<Flow>,
    numbers: BTreeMap<Flow, u16>,
    kept: Vec<Kept>,
}

impl Listener {
    /// Takes one frame with its number in the capture.
    pub(super) fn observe(&mut self, t: VirtualTime, frame: u64, octets: &[u8]) {
        let Some(segment) = Segment::parse(octets) else { return };
        let (from, to) = (segment.source, segment.destination);
        if from.1 > to.1 {
            if !segment.payload.is_empty() {
                self.request(t, frame, &segment);
            }
        } else if from.1 < to.1 {
            self.answer(&segment);
        }
    }

    fn request(&mut self, t: VirtualTime, frame: u64, segment: &Segment<'_>) {
        let ((client, client_port), (server, port)) = (segment.source, segment.destination);
        let end = segment.sequence.wrapping_add(segment.payload.len() as u32);
        let key = (client, client_port, server, port);
        if let Some(before) = self.pending.get(&key) {
            if before.end == end {
                return;
            }
            self.settle(key, false);
        }
        if self.pending.len() >= CONNECTIONS_MAX
            && let Some(oldest) = self.pending.iter().min_by_key(|(_, it)| it.t).map(|(key, _)| *key)
        {
            self.settle(oldest, false);
        }
        let changes = changes_something(port, segment.payload);
        self.pending.insert(key, Pending { frame, t, end, changes, is_acknowledged: false });
    }

    fn answer(&mut self, segment: &Segment<'_>) {
        let ((server, port), (client, client_port)) = (segment.source, segment.destination);
        let key = (client, client_port, server, port);
        let Some(pending) = self.pending.get_mut(&key) else { return };
        // Sequence numbers wrap: what lies less than half the range behind is behind.
        if segment.acknowledges && segment.acknowledgement.wrapping_sub(pending.end) < 1 << 31 {
            pending.is_acknowledged = true;
        }
        if segment.payload.is_empty() {
            return;
        }
        if port == MODBUS_PORT && is_exception(segment.payload) {
            self.pending.remove(&key);
        } else {
            self.settle(key, true);
        }
    }

    /// Nothing more becomes of a request.
    fn settle(&mut self, key: (Ipv4Addr, u16, Ipv4Addr, u16), is_answered: bool) {
        let Some(pending) = self.pending.remove(&key) else { return };
        if !(is_answered || (pending.changes && pending.is_acknowledged)) || self.kept.len() >= EXCHANGES_MAX
        {
            return;
        }
        let flow = Flow { client: key.0, server: key.2, port: key.3, changes: pending.changes };
        let number = match self.numbers.get(&flow) {
            Some(number) => *number,
            None if self.flows.len() >= FLOWS_MAX => return,
            None => {
                let number = self.flows.len() as u16;
                self.flows.push(flow);
                self.numbers.insert(flow, number);
                number
            }
        };
        let t_tenths = u32::try_from(pending.t.as_nanos() / 100_000_000).unwrap_or(u32::MAX);
        self.kept.push(Kept { frame: pending.frame, t_tenths, flow: number, is_answered });
    }

    /// Divides what was heard by the truth of the same course.
    pub(super) fn digest(mut self, truth: &[TruthStep]) -> Talk {
        for key in self.pending.keys().copied().collect::<Vec<_>>() {
            self.settle(key, false);
        }
        let mut hostile: BTreeMap<u64, &str> = BTreeMap::new();
        for step in truth.iter().filter(|step| step.verdict == Verdict::Attack) {
            for frame in &step.frames {
                hostile.entry(*frame).or_insert(&step.step);
            }
        }
        let mut talk = Talk::default();
        for kept in &self.kept {
            let flow = self.flows[usize::from(kept.flow)];
            let tenths = u64::from(kept.t_tenths);
            if let Some(step) = hostile.get(&kept.frame) {
                let t = VirtualTime::from_nanos(tenths * 100_000_000);
                let operation = Operation { t, changes: flow.changes };
                talk.operations.entry((*step).to_owned()).or_default().push(operation);
            } else if kept.is_answered {
                let counts = talk.flows.entry(flow).or_default();
                let span = (tenths / (10 * SPAN_S)) as usize;
                if counts.len() <= span {
                    counts.resize(span + 1, 0);
                }
                counts[span] = counts[span].saturating_add(1);
            }
        }
        for operations in talk.operations.values_mut() {
            operations.sort_by_key(|operation| operation.t);
        }
        talk
    }
}

/// Whether a request changes something at the service, or may.
fn changes_something(port: u16, payload: &[u8]) -> bool {
    match port {
        MODBUS_PORT => {
            let mut rest = payload;
            while let Framing::Whole { adu, consumed } = next_adu(rest) {
                if !reads(&Packet::request(adu.pdu)) {
                    return true;
                }
                rest = rest.get(consumed..).unwrap_or_default();
            }
            false
        }
        // Link header of ten octets, transport octet, application control, function (IEEE 1815-2012, 4.2.2 and 9.2.4).
        // Confirm, read, select, and the two that measure time change nothing.
        DNP3_PORT => match payload {
            [0x05, 0x64, _, _, _, _, _, _, _, _, _, _, function, ..] => {
                !matches!(function, 0 | 1 | 3 | 23 | 24)
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_exception(payload: &[u8]) -> bool {
    matches!(next_adu(payload), Framing::Whole { adu, .. } if Packet::response(adu.pdu).is_exception())
}

/// A TCP segment in an Ethernet frame.
struct Segment<'a> {
    source: (Ipv4Addr, u16),
    destination: (Ipv4Addr, u16),
    sequence: u32,
    acknowledgement: u32,
    acknowledges: bool,
    payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// `None` for anything but a first or only fragment of TCP over IPv4, and where a length does not fit.
    fn parse(octets: &'a [u8]) -> Option<Self> {
        const ETHERNET: usize = 14;
        let packet = octets.get(ETHERNET..)?;
        let (head, _) = packet.split_first_chunk::<20>()?;
        let is_tcp = octets[12..ETHERNET] == [0x08, 0x00] && head[0] >> 4 == 4 && head[9] == 6;
        if !is_tcp || u16::from_be_bytes([head[6], head[7]]) & 0x1fff != 0 {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let segment = packet.get(usize::from(head[0] & 0x0f) * 4..total)?;
        let (tcp, _) = segment.split_first_chunk::<20>()?;
        let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
        let number = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
        let address = |at: usize| Ipv4Addr::new(head[at], head[at + 1], head[at + 2], head[at + 3]);
        Some(Self {
            source: (address(12), port(0)),
            destination: (address(16), port(2)),
            sequence: number(4),
            acknowledgement: number(8),
            acknowledges: tcp[13] & 0x10 != 0,
            payload: segment.get(usize::from(tcp[12] >> 4) * 4..)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use record::EntityId;

    use super::*;

    const CLIENT: ([u8; 4], u16) = ([192, 168, 1, 20], 49_152);
    const PLC: ([u8; 4], u16) = ([192, 168, 1, 101], 502);
    /// Write 11,100 to register 40 of unit 1, and its echo; the same refused; read one register, and its answer. Written
    /// out by hand from the specification, sections 6.3 and 6.6.
    const WRITE: [u8; 12] = [0, 1, 0, 0, 0, 6, 1, 6, 0, 40, 0x2b, 0x5c];
    const REFUSED: [u8; 9] = [0, 1, 0, 0, 0, 3, 1, 0x86, 2];
    const READ: [u8; 12] = [0, 2, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1];
    const VALUE: [u8; 11] = [0, 2, 0, 0, 0, 5, 1, 3, 2, 0, 7];

    fn frame(from: ([u8; 4], u16), to: ([u8; 4], u16), sequence: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
        let mut octets = vec![0; 12];
        octets.extend([0x08, 0x00, 0x45, 0]);
        octets.extend((40 + payload.len() as u16).to_be_bytes());
        octets.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        octets.extend(from.0);
        octets.extend(to.0);
        octets.extend(from.1.to_be_bytes());
        octets.extend(to.1.to_be_bytes());
        octets.extend(sequence.to_be_bytes());
        octets.extend(ack.to_be_bytes());
        octets.extend([0x50, 0x10, 0, 0, 0, 0, 0, 0]);
        octets.extend(payload);
        octets
    }

    fn hostile(frames: &[u64]) -> TruthStep {
        TruthStep {
            step: "dose".into(),
            campaign: "c".into(),
            verdict: Verdict::Attack,
            summary: String::new(),
            techniques: vec![],
            start: VirtualTime::ZERO,
            end: VirtualTime::ZERO,
            observable: BTreeMap::new(),
            source: None,
            target: EntityId::device("PLC-1"),
            points: vec![],
            frames: frames.to_vec(),
            severity: 1,
            limit_time: None,
            consequences: vec![],
            ticket: None,
        }
    }

    /// Request and answer as frames 1 and 2; exchanges, and operations of the step that frame 1 belongs to.
    fn heard(request: &[u8], answer: &[u8], is_hostile: bool) -> (u64, usize) {
        let mut listener = Listener::default();
        let t = VirtualTime::from_secs(25);
        listener.observe(t, 1, &frame(CLIENT, PLC, u32::MAX - 3, 1, request));
        let end = (u32::MAX - 3).wrapping_add(request.len() as u32);
        listener.observe(t, 2, &frame(PLC, CLIENT, 1, end, answer));
        let talk = listener.digest(&[hostile(if is_hostile { &[1, 2] } else { &[] })]);
        let exchanges = talk.flows().map(|flow| talk.exchanges(&flow, 2, 3)).sum();
        (exchanges, talk.operations.values().flatten().filter(|it| it.changes).count())
    }

    #[test]
    fn what_is_answered_is_an_exchange_or_an_operation() {
        assert_eq!(heard(&READ, &VALUE, false), (1, 0));
        assert_eq!(heard(&WRITE, &WRITE, false), (1, 0));
        assert_eq!(heard(&WRITE, &WRITE, true), (0, 1));
        assert_eq!(heard(&READ, &VALUE, true), (0, 0), "a hostile read changes nothing");
    }

    #[test]
    fn what_is_refused_is_neither() {
        assert_eq!(heard(&WRITE, &REFUSED, false), (0, 0));
        assert_eq!(heard(&WRITE, &REFUSED, true), (0, 0));
    }

    #[test]
    fn what_is_acknowledged_without_an_answer_is_an_operation_alone() {
        assert_eq!(heard(&WRITE, &[], true), (0, 1));
        assert_eq!(heard(&WRITE, &[], false), (0, 0));
        assert_eq!(heard(&READ, &[], false), (0, 0));
    }

    #[test]
    fn a_request_that_never_arrived_is_nothing() {
        let mut listener = Listener::default();
        listener.observe(VirtualTime::ZERO, 1, &frame(CLIENT, PLC, 100, 1, &WRITE));
        listener.observe(VirtualTime::ZERO, 2, &frame(CLIENT, PLC, 100, 1, &WRITE));
        listener.observe(VirtualTime::ZERO, 3, &frame(PLC, CLIENT, 1, 100, &[]));
        assert!(listener.digest(&[hostile(&[1, 2])]).operations.is_empty());
    }

    #[test]
    fn commands_of_dnp3_change_something_and_reads_do_not() {
        let request = |function: u8| {
            let mut octets = vec![0x05, 0x64, 0x08, 0xc4, 0x0a, 0, 1, 0, 0, 0, 0xc0, 0xc0];
            octets.push(function);
            changes_something(DNP3_PORT, &octets)
        };
        assert_eq!([1, 3, 4, 5, 13, 0].map(request), [false, false, true, true, true, false]);
        assert!(!changes_something(DNP3_PORT, &[0x05, 0x64]));
    }

    #[test]
    fn frames_of_any_length_are_looked_at_safely() {
        let whole = frame(CLIENT, PLC, 0, 0, &WRITE);
        for len in 0..whole.len() {
            assert!(Segment::parse(&whole[..len]).is_none(), "{len} octets");
        }
    }
}
