//! The firewall: it joins the zones, forwards between them, and remembers the flows it let through.
//!
//! # Theory of operation
//! It has a network card with an Ethernet address of its own in every zone, where it is the `.1` of each
//! network. A packet for another network loses one hop, gets new Ethernet addresses and goes out where its
//! destination lies. Before that, in this order:
//!   1. a source address that does not belong to the zone it came from is dropped and logged (spoofed)
//!   2. a packet of a session that was let through passes, both ways
//!   3. a packet that opens a flow meets the rules in order; the first that matches decides; none denies
//!   4. anything else belongs to no session and is dropped
//!
//! A denied packet gets no answer. Rules decide about new flows only: to end one that runs, kill its session,
//! which resets both ends. A rule may have a lifetime on the virtual clock.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use record::VirtualTime;
use site::{FirewallAction, FirewallRule, Peer, Protocol, Subnet};
use smoltcp::iface::{Interface, SocketSet};
use smoltcp::wire::TcpControl;

use crate::conn::{Port, interface};
use crate::firewall::{FirewallEvent, FirewallEventKind, SessionSelector};
use crate::flow::{FlowKey, Frame};
use crate::network::NetError;
use crate::packet::{
    ACK, ETHERNET, FIN, ICMP, Ipv4Head, RST, TCP, TcpHead, bare_segment, decrement_hop_limit,
};
use crate::queue::Event;
use crate::world::{KIND_ARP, KIND_IPV4, World};

/// A session without packets for so long is forgotten: what commercial firewalls do by default.
const IDLE_LIMIT: u64 = 3_600_000_000_000;
/// A handshake, an echo or a farewell may take so long.
const SHORT_LIMIT: u64 = 30_000_000_000;
/// How often old sessions are looked for, when new ones come.
const SWEEP: u64 = 10_000_000_000;
/// Events kept for the kernel to pass on.
const EVENTS: usize = 65_536;

/// A zone as the firewall knows it.
#[derive(Clone, Debug)]
pub(crate) struct ZoneNetworks {
    pub(crate) name: String,
    pub(crate) networks: Vec<Subnet>,
    /// The firewall's card there.
    pub(crate) nic: usize,
}

impl ZoneNetworks {
    fn contains(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// Names a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    protocol: u8,
    pub(crate) client: SocketAddrV4,
    pub(crate) server: SocketAddrV4,
}

/// A flow that was let through.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) flow: Arc<FlowKey>,
    pub(crate) rule: String,
    pub(crate) since: u64,
    pub(crate) expires: u64,
    client_closed: bool,
    server_closed: bool,
    /// Last acknowledgement of each end: the sequence number that it would take a reset with.
    client_wants: Option<u32>,
    server_wants: Option<u32>,
}

/// A rule in force.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) id: u64,
    pub(crate) rule: FirewallRule,
    pub(crate) expires: Option<u64>,
    pub(crate) hits: u64,
}

/// The firewall as the world sees it.
pub(crate) struct Firewall {
    zones: Vec<ZoneNetworks>,
    pub(crate) rules: Vec<RuleEntry>,
    next_rule: u64,
    pub(crate) sessions: BTreeMap<SessionKey, Session>,
    next_sweep: u64,
    /// Not yet passed on.
    pub(crate) events: Vec<FirewallEvent>,
    /// Answers echo requests to the firewall itself.
    rest: Interface,
}

impl Firewall {
    /// A firewall without rules: everything is denied.
    pub(crate) fn new(zones: Vec<ZoneNetworks>, mtu: usize) -> Self {
        let mut rest = interface(mtu, 0, Ipv4Addr::LOCALHOST, 32);
        rest.set_any_ip(true);
        Self {
            zones,
            rules: Vec::new(),
            next_rule: 1,
            sessions: BTreeMap::new(),
            next_sweep: 0,
            events: Vec::new(),
            rest,
        }
    }

    /// Number of rules.
    pub(crate) fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Networks of a zone.
    pub(crate) fn networks_of(&self, zone: &str) -> Option<&[Subnet]> {
        self.zones.iter().find(|known| known.name == zone).map(|known| &known.networks[..])
    }

    fn zone_at(&self, address: Ipv4Addr) -> Option<&ZoneNetworks> {
        self.zones.iter().find(|zone| zone.contains(address))
    }

    fn is_peer(&self, peer: &Peer, address: Ipv4Addr) -> bool {
        match peer {
            Peer::Any => true,
            Peer::Zone(name) => self.networks_of(name).is_some_and(|n| n.iter().any(|n| n.contains(address))),
            Peer::Subnet(subnet) => subnet.contains(address),
        }
    }

    /// The first rule that matches a packet that opens a flow.
    fn judge(&mut self, key: &SessionKey) -> (bool, Option<String>, bool) {
        let found = self.rules.iter().position(|entry| {
            let rule = &entry.rule;
            let is_protocol = match rule.protocol {
                Protocol::Any => true,
                Protocol::Tcp => key.protocol == TCP,
                Protocol::Icmp => key.protocol == ICMP,
            };
            is_protocol
                && self.is_peer(&rule.from, *key.client.ip())
                && self.is_peer(&rule.to, *key.server.ip())
                && (rule.ports.is_empty() || (key.protocol == TCP && rule.ports.contains(&key.server.port())))
        });
        match found {
            Some(index) => {
                let entry = &mut self.rules[index];
                entry.hits += 1;
                (entry.rule.action == FirewallAction::Allow, Some(entry.rule.name.clone()), entry.rule.log)
            }
            None => (false, None, true),
        }
    }

    fn log(&mut self, now: u64, kind: FirewallEventKind, rule: Option<String>, key: Option<&SessionKey>) {
        if self.events.len() == EVENTS {
            return;
        }
        let protocol = match key.map(|key| key.protocol) {
            Some(TCP) => "tcp".to_owned(),
            Some(ICMP) => "icmp".to_owned(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        self.events.push(FirewallEvent {
            time: VirtualTime::from_nanos(now),
            kind,
            rule,
            protocol,
            source: key.map(|key| key.client),
            destination: key.map(|key| key.server),
        });
    }

    /// Whether a packet may pass; keeps the sessions.
    fn admits(&mut self, now: u64, head: &Ipv4Head, payload: &[u8], flow: &Arc<FlowKey>) -> bool {
        let (ports, segment) = match head.protocol {
            TCP => match TcpHead::parse(payload) {
                Some(segment) => ((segment.source_port, segment.destination_port), Some(segment)),
                None => return false,
            },
            // The identifier of an echo stands for both ports, so that an answer finds its session.
            ICMP if payload.len() >= 8 => {
                let ident = u16::from_be_bytes([payload[4], payload[5]]);
                ((ident, ident), None)
            }
            _ => ((0, 0), None),
        };
        let from = SocketAddrV4::new(head.source, ports.0);
        let to = SocketAddrV4::new(head.destination, ports.1);
        let forward = SessionKey { protocol: head.protocol, client: from, server: to };
        let backward = SessionKey { protocol: head.protocol, client: to, server: from };
        for (key, is_client) in [(forward, true), (backward, false)] {
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            if now >= session.expires {
                self.sessions.remove(&key);
                continue;
            }
            if session.follow(now, segment, is_client) {
                self.sessions.remove(&key);
            }
            return true;
        }
        let opens = match segment {
            Some(segment) => segment.opens(),
            None => head.protocol != ICMP || payload.first() == Some(&8),
        };
        if !opens {
            self.log(now, FirewallEventKind::NoSession, None, Some(&forward));
            return false;
        }
        let (is_allowed, rule, log) = self.judge(&forward);
        if log {
            let kind = if is_allowed { FirewallEventKind::Allowed } else { FirewallEventKind::Denied };
            self.log(now, kind, rule.clone(), Some(&forward));
        }
        if is_allowed {
            self.sweep(now);
            let session = Session {
                flow: flow.clone(),
                rule: rule.unwrap_or_default(),
                since: now,
                expires: now + SHORT_LIMIT,
                client_closed: false,
                server_closed: false,
                client_wants: None,
                server_wants: None,
            };
            self.sessions.insert(forward, session);
        }
        is_allowed
    }

    fn sweep(&mut self, now: u64) {
        if now >= self.next_sweep {
            self.sessions.retain(|_, session| session.expires > now);
            self.next_sweep = now + SWEEP;
        }
    }
}

impl Session {
    /// Notes a packet. True if the session is over with it.
    fn follow(&mut self, now: u64, segment: Option<TcpHead>, is_client: bool) -> bool {
        let Some(segment) = segment else {
            self.expires = now + SHORT_LIMIT;
            return false;
        };
        let (closed, wants) = if is_client {
            (&mut self.client_closed, &mut self.client_wants)
        } else {
            (&mut self.server_closed, &mut self.server_wants)
        };
        *closed |= segment.has(FIN);
        if segment.has(ACK) {
            *wants = Some(segment.acknowledgement);
        }
        let is_established = self.client_wants.is_some() && self.server_wants.is_some();
        let is_closing = self.client_closed && self.server_closed;
        self.expires = now + if is_established && !is_closing { IDLE_LIMIT } else { SHORT_LIMIT };
        segment.has(RST)
    }
}

impl World {
    /// A frame reached one of the firewall's cards.
    pub(crate) fn firewall_receive(&mut self, nic: usize, mut frame: Frame) {
        match self.accepted_kind(nic, &frame) {
            Some(KIND_ARP) => return self.arp_receive(nic, frame),
            Some(KIND_IPV4) => {}
            _ => return self.recycle(frame.octets),
        }
        let now = self.now;
        let is_own = |world: &Self, address| world.nics[nic].addresses.iter().any(|(own, _)| *own == address);
        let Some(head) = Ipv4Head::parse(&frame.octets[ETHERNET..]) else {
            return self.recycle(frame.octets);
        };
        if is_own(self, head.destination) {
            return self.answer_for_firewall(nic, head, frame);
        }
        let Some(firewall) = &mut self.firewall else { return };
        let payload = &frame.octets[ETHERNET + head.header..ETHERNET + head.total];
        let came_from = firewall.zones.iter().find(|zone| zone.nic == nic);
        if !came_from.is_some_and(|zone| zone.contains(head.source)) {
            let key = SessionKey {
                protocol: head.protocol,
                client: SocketAddrV4::new(head.source, 0),
                server: SocketAddrV4::new(head.destination, 0),
            };
            firewall.log(now, FirewallEventKind::Spoofed, None, Some(&key));
            return self.recycle(frame.octets);
        }
        let out = firewall.zone_at(head.destination).map(|zone| zone.nic);
        if head.hop_limit <= 1 || !firewall.admits(now, &head, payload, &frame.flow) {
            return self.recycle(frame.octets);
        }
        let Some(out) = out else { return self.recycle(frame.octets) };
        frame.octets.truncate(ETHERNET + head.total);
        decrement_hop_limit(&mut frame.octets[ETHERNET..]);
        self.send_ip(out, frame);
    }

    /// The firewall answers echo requests and nothing else.
    fn answer_for_firewall(&mut self, nic: usize, head: Ipv4Head, frame: Frame) {
        if head.protocol != ICMP {
            return self.recycle(frame.octets);
        }
        let now = self.instant();
        let mut emitted = std::mem::take(&mut self.emitted);
        if let Some(firewall) = &mut self.firewall {
            let mut port = Port {
                input: Some(&frame.octets[ETHERNET..]),
                output: &mut emitted,
                pool: &mut self.pool,
                mtu: self.mtu,
            };
            firewall.rest.poll_ingress_single(now, &mut port, &mut SocketSet::new(Vec::new()));
        }
        for octets in emitted.drain(..) {
            let draw = frame.flow.draws(self.seed, "jitter.rest").bits(frame.position);
            self.send_ip(nic, Frame { octets, flow: frame.flow.clone(), position: frame.position, draw });
        }
        self.emitted = emitted;
        self.recycle(frame.octets);
    }

    /// Puts a rule in at `position`; its id.
    pub(crate) fn insert_rule(
        &mut self,
        position: usize,
        rule: FirewallRule,
        lifetime: Option<Duration>,
        tell: bool,
    ) -> Result<u64, NetError> {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else {
            return Err(NetError::UnknownZoneInRule { rule: rule.name, zone: String::new() });
        };
        for peer in [&rule.from, &rule.to] {
            if let Peer::Zone(zone) = peer
                && firewall.networks_of(zone).is_none()
            {
                return Err(NetError::UnknownZoneInRule { zone: zone.clone(), rule: rule.name });
            }
        }
        let id = firewall.next_rule;
        firewall.next_rule += 1;
        let expires = lifetime.map(|lifetime| now.saturating_add(lifetime.as_nanos() as u64));
        if tell {
            firewall.log(now, FirewallEventKind::RuleAdded, Some(rule.name.clone()), None);
        }
        let position = position.min(firewall.rules.len());
        firewall.rules.insert(position, RuleEntry { id, rule, expires, hits: 0 });
        if let Some(expires) = expires {
            self.queue.push(expires, Event::RuleExpiry { rule: id });
        }
        Ok(id)
    }

    /// Takes a rule out.
    pub(crate) fn take_rule(&mut self, id: u64, kind: FirewallEventKind) -> bool {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else { return false };
        let Some(position) = firewall.rules.iter().position(|entry| entry.id == id) else { return false };
        let entry = firewall.rules.remove(position);
        firewall.log(now, kind, Some(entry.rule.name), None);
        true
    }

    /// A rule's lifetime is over.
    pub(crate) fn expire_rule(&mut self, id: u64) {
        self.take_rule(id, FirewallEventKind::RuleExpired);
    }

    /// Ends sessions with a reset to both ends.
    pub(crate) fn kill_sessions(&mut self, selector: &SessionSelector) -> usize {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else { return 0 };
        let keys: Vec<SessionKey> =
            firewall.sessions.keys().filter(|key| selector.picks(key)).copied().collect();
        let mut resets = Vec::new();
        for key in &keys {
            let Some(session) = firewall.sessions.remove(key) else { continue };
            firewall.log(now, FirewallEventKind::SessionKilled, Some(session.rule.clone()), Some(key));
            if key.protocol != TCP {
                continue;
            }
            let ends = [
                (key.server, key.client, session.client_wants, session.server_wants),
                (key.client, key.server, session.server_wants, session.client_wants),
            ];
            for (position, (from, to, sequence, acknowledgement)) in ends.into_iter().enumerate() {
                if let (Some(sequence), Some(zone)) = (sequence, firewall.zone_at(*to.ip())) {
                    resets.push((
                        zone.nic,
                        from,
                        to,
                        sequence,
                        acknowledgement,
                        session.flow.clone(),
                        position,
                    ));
                }
            }
        }
        for (nic, from, to, sequence, acknowledgement, flow, position) in resets {
            let mut octets = self.buffer();
            let (from, to) = ((*from.ip(), from.port()), (*to.ip(), to.port()));
            bare_segment(from, to, TcpControl::Rst, sequence, acknowledgement, None, &mut octets);
            let draw = flow.draws(self.seed, "jitter.kill").bits(position as u64);
            self.send_ip(nic, Frame { octets, flow, position: 0, draw });
        }
        keys.len()
    }
}
