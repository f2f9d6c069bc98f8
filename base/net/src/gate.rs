//! The switch port to a real network: what comes in there, and what may go out.
//!
//! # Theory of operation
//! A zone gets such a port with the first frame that enters from outside ([`record::Outside::Frame`]), live and in a
//! replay, so a run without an uplink has none. A frame that enters crosses the switch like any other: it is
//! mirrored, its sender's Ethernet address is learnt, hosts and firewall answer it.
//!
//! **Nothing scripted goes out.** A frame leaves by this port only if it is one of these, and is addressed to
//! somebody who was heard there:
//!   - a segment or datagram of a flow that was opened from there, and not one that opens a flow itself
//!   - a reset, which is what a closed port answers
//!   - an ICMP answer or error
//!   - an ARP answer, or a request that a host makes because it has an answer to send
//!
//! That is judged here frame by frame, whatever the hosts do; besides, `World::open_flow` refuses whoever lies
//! behind a gate. Whoever takes the address of one of the lab's hosts out there, by forged ARP answers for
//! example, gets that host's traffic cut, not copied: its flows were not opened from there.
//!
//! # Terms
//! *outside*: behind a gate. *heard*: seen as the source of a frame that entered.
//!
//! # What can go wrong
//! Every table is bounded. A flow that was not used while as many others as a table holds were opened is
//! forgotten, and its replies stay inside. The counters of the uplink ([`crate::UplinkCounters`]) tell of what is
//! refused.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use crate::flow::{FlowKey, FlowProtocol, Frame};
use crate::link::Direction;
use crate::packet::{
    ACK, Arp, ETHERNET, EthernetHead, ICMP, Ipv4Head, RST, SHORTEST, SYN, TCP, TYPE_ARP, TYPE_IPV4, TcpHead,
};
use crate::queue::Event;
use crate::uplink_counters::UplinkCounters;
use crate::world::{NewNic, Owner, World};

/// Longest frame that enters: an ordinary network's, 1500 octets and the Ethernet header.
pub(crate) const LONGEST: usize = 1514;
/// Frames from outside that may be on their way to the switch.
const ON_THE_WAY: usize = 1024;
/// Flows that each of the two tables holds.
const FLOWS: usize = 16_384;
/// Addresses heard behind one gate.
const HOSTS: usize = 4096;

/// Protocol, address and port outside, address and port inside. ICMP has the identifier for both ports.
type Tuple = (u8, Ipv4Addr, u16, Ipv4Addr, u16);

/// One zone's port to a real network.
#[derive(Debug)]
pub(crate) struct Gate {
    nic: usize,
    /// Addresses heard, none of them a lab host's.
    heard: BTreeSet<Ipv4Addr>,
    /// Flows opened from outside: those of late, and those before.
    late: BTreeMap<Tuple, Arc<FlowKey>>,
    early: BTreeMap<Tuple, Arc<FlowKey>>,
    /// Number of flows so far.
    opened: u64,
    /// Number of frames so far.
    entered: u64,
    /// Frames that have not reached the switch.
    on_the_way: usize,
}

/// Where frames go that leave the lab; nowhere in a replay.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) frames: SyncSender<Vec<u8>>,
    pub(crate) counters: Arc<UplinkCounters>,
}

impl Gate {
    /// The flow of this tuple, if it was opened from outside.
    fn known(&mut self, tuple: &Tuple) -> Option<Arc<FlowKey>> {
        if let Some(flow) = self.late.get(tuple) {
            return Some(flow.clone());
        }
        let flow = self.early.remove(tuple)?;
        self.keep(*tuple, flow.clone());
        Some(flow)
    }

    fn keep(&mut self, tuple: Tuple, flow: Arc<FlowKey>) {
        if self.late.len() >= FLOWS {
            self.early = std::mem::take(&mut self.late);
        }
        self.late.insert(tuple, flow);
    }
}

impl World {
    /// The switch of a zone.
    pub(crate) fn switch_of(&self, zone: &str) -> Option<usize> {
        self.switches.iter().position(|switch| switch.zone == zone)
    }

    /// Whether an address was heard behind a gate.
    pub(crate) fn is_outside(&self, address: Ipv4Addr) -> bool {
        self.gates.values().any(|gate| gate.heard.contains(&address))
    }

    /// A frame enters a zone from outside. False if it is refused.
    pub(crate) fn enter(&mut self, switch: usize, octets: &[u8]) -> bool {
        let Some(head) = EthernetHead::parse(octets) else { return false };
        let is_forged = head.source[0] & 1 == 1
            || self.nics.iter().any(|nic| nic.switch == switch && nic.mac == head.source);
        if octets.len() > LONGEST || is_forged {
            return false;
        }
        let nic = self.gate_at(switch);
        let Some(flow) = self.flow_of(switch, &head, octets) else { return false };
        let Some(gate) = self.gates.get_mut(&switch) else { return false };
        if gate.on_the_way >= ON_THE_WAY {
            return false;
        }
        gate.on_the_way += 1;
        gate.entered += 1;
        let position = gate.entered;
        let draw = flow.draws(self.seed, "jitter").bits(position);
        let mut copy = self.buffer();
        copy.clear();
        copy.extend_from_slice(octets);
        copy.resize(octets.len().max(SHORTEST), 0);
        let mut frame = Frame { octets: copy, flow, position, draw };
        if let Some(at) = self.nics[nic].link.arrival(Direction::Up, self.now, &mut frame) {
            self.queue.push(at, Event::AtSwitch { nic, frame });
        } else {
            self.frame_arrived(nic);
            self.recycle(frame.octets);
        }
        true
    }

    /// A frame from a gate is at its switch.
    pub(crate) fn frame_arrived(&mut self, nic: usize) {
        let switch = self.nics[nic].switch;
        if let Some(gate) = self.gates.get_mut(&switch) {
            gate.on_the_way = gate.on_the_way.saturating_sub(1);
        }
    }

    /// The card of a zone's gate, which is made if there is none.
    fn gate_at(&mut self, switch: usize) -> usize {
        if let Some(gate) = self.gates.get(&switch) {
            return gate.nic;
        }
        let name = format!("uplink {}", self.switches[switch].zone).into();
        let link = self.plant_link;
        let nic = self.add_nic(NewNic {
            owner: Owner::Outside,
            name,
            mac: [0; 6],
            addresses: Vec::new(),
            gateway: None,
            switch,
            link,
        });
        self.gates.insert(
            switch,
            Gate {
                nic,
                heard: BTreeSet::new(),
                late: BTreeMap::new(),
                early: BTreeMap::new(),
                opened: 0,
                entered: 0,
                on_the_way: 0,
            },
        );
        nic
    }

    /// The flow of a frame that enters; notes who is heard and what is opened. `None` where there is no room for
    /// another host.
    fn flow_of(&mut self, switch: usize, head: &EthernetHead, octets: &[u8]) -> Option<Arc<FlowKey>> {
        let payload = &octets[ETHERNET..];
        let (mut protocol, mut port, mut tuple, mut opens) = (FlowProtocol::Other, 0, None, false);
        let (mut source, mut destination) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        if head.kind == TYPE_ARP {
            protocol = FlowProtocol::Arp;
            if let Some(arp) = Arp::parse(payload) {
                (source, destination) = (arp.sender, arp.target);
            }
        } else if head.kind == TYPE_IPV4
            && let Some(ip) = Ipv4Head::parse(payload)
        {
            (source, destination) = (ip.source, ip.destination);
            let (five, is_first) = tuple_of(&ip, payload, true);
            match ip.protocol {
                TCP => protocol = FlowProtocol::Tcp,
                ICMP => protocol = FlowProtocol::Icmp,
                _ => {}
            }
            (port, tuple, opens) = (five.4, Some(five), is_first);
        }
        let is_heard = self.hear(switch, source)?;
        let (source, destination) = (self.name_of(source), self.name_of(destination));
        let gate = self.gates.get_mut(&switch)?;
        if let Some(flow) = tuple.as_ref().and_then(|tuple| gate.known(tuple)) {
            return Some(flow);
        }
        let actor = self.nics[gate.nic].name.clone();
        let occurrence = gate.opened;
        gate.opened += 1;
        let flow = Arc::new(FlowKey { source, destination, protocol, port, actor, occurrence });
        if let (Some(tuple), true, true) = (tuple, opens, is_heard) {
            gate.keep(tuple, flow.clone());
        }
        Some(flow)
    }

    /// Notes the source of a frame. `Some(true)` if it is a neighbour out there, `Some(false)` if it is no
    /// neighbour or one of the lab's own; `None` if the gate has no room for it.
    fn hear(&mut self, switch: usize, source: Ipv4Addr) -> Option<bool> {
        let is_neighbour = self
            .nics
            .iter()
            .any(|nic| nic.owner == Owner::Firewall && nic.switch == switch && nic.is_on_link(source));
        if !is_neighbour || self.addresses.contains_key(&source) {
            return Some(false);
        }
        let gate = self.gates.get_mut(&switch)?;
        if !gate.heard.contains(&source) {
            if gate.heard.len() >= HOSTS {
                return None;
            }
            gate.heard.insert(source);
        }
        Some(true)
    }

    /// Whether a frame may go out by the gate that owns this card: see the head of this file.
    pub(crate) fn may_leave(&mut self, nic: usize, octets: &[u8]) -> bool {
        let switch = self.nics[nic].switch;
        let may = self.is_answer(switch, octets);
        if !may && let Some(outlet) = self.outlets.get(&switch) {
            outlet.counters.kept_inside.add(1);
        }
        may
    }

    fn is_answer(&mut self, switch: usize, octets: &[u8]) -> bool {
        let (Some(head), Some(gate)) = (EthernetHead::parse(octets), self.gates.get_mut(&switch)) else {
            return false;
        };
        let payload = &octets[ETHERNET..];
        match head.kind {
            TYPE_ARP => Arp::parse(payload).is_some_and(|arp| {
                let is_to_prober = !arp.is_request && arp.target.is_unspecified();
                is_to_prober || gate.heard.contains(&arp.target)
            }),
            TYPE_IPV4 => Ipv4Head::parse(payload).is_some_and(|ip| {
                if !gate.heard.contains(&ip.destination) {
                    return false;
                }
                let (tuple, opens) = tuple_of(&ip, payload, false);
                let body = &payload[ip.header..ip.total];
                match ip.protocol {
                    TCP => {
                        let is_reset = TcpHead::parse(body).is_some_and(|segment| segment.has(RST));
                        is_reset || (!opens && gate.known(&tuple).is_some())
                    }
                    // Echo reply, unreachable, time exceeded, parameter problem (RFC 792).
                    ICMP => matches!(body.first(), Some(0 | 3 | 11 | 12)),
                    _ => gate.known(&tuple).is_some(),
                }
            }),
            _ => false,
        }
    }

    /// A frame that may leave has reached the end of the cable.
    pub(crate) fn leave_lab(&mut self, nic: usize, frame: Frame) {
        let switch = self.nics[nic].switch;
        let Some(outlet) = self.outlets.get(&switch) else { return self.recycle(frame.octets) };
        match outlet.frames.try_send(frame.octets) {
            Ok(()) => {}
            Err(TrySendError::Full(octets)) => {
                outlet.counters.dropped_out.add(1);
                self.recycle(octets);
            }
            Err(TrySendError::Disconnected(octets)) => {
                self.outlets.remove(&switch);
                self.recycle(octets);
            }
        }
    }
}

/// The tuple of a packet that comes from outside, or goes there, and whether it opens a flow.
fn tuple_of(ip: &Ipv4Head, packet: &[u8], comes_from_outside: bool) -> (Tuple, bool) {
    let body = &packet[ip.header..ip.total];
    let ports = body
        .first_chunk::<4>()
        .map_or((0, 0), |[a, b, c, d]| (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])));
    let (ports, opens) = match ip.protocol {
        TCP => {
            let is_first = TcpHead::parse(body).is_some_and(|it| it.flags & (SYN | ACK | RST) == SYN);
            (ports, is_first)
        }
        ICMP => ((0, 0), false),
        UDP => (ports, true),
        _ => ((0, 0), true),
    };
    let ((near, near_port), (far, far_port)) = ((ip.source, ports.0), (ip.destination, ports.1));
    let tuple = if comes_from_outside {
        (ip.protocol, near, near_port, far, far_port)
    } else {
        (ip.protocol, far, far_port, near, near_port)
    };
    (tuple, opens)
}

/// IP protocol number of UDP.
const UDP: u8 = 17;
