//! The firewall: it joins the zones, forwards between them, and remembers the flows it let through.
//!
//! # Theory of operation
//! It has a network card with an Ethernet address of its own in every zone, where it is the `.1` of each
//! network. A packet for another network loses one hop, gets new Ethernet addresses and goes out where its
//! destination lies. Before that, in this order:
//!   1. a source address that does not belong to the zone it came from is dropped and logged (spoofed)
//!   2. a packet of a session that was let through passes, both ways, unless its requests are inspected (below)
//!   3. a packet that opens a flow meets the rules in order; the first that matches decides; none denies
//!   4. anything else belongs to no session and is dropped
//!
//! A denied packet gets no answer. Plain rules decide about new flows only: to end one that runs, kill its session,
//! which resets both ends. A rule may have a lifetime on the virtual clock.
//!
//! # Deep rules
//! A rule with `modbus` or `dnp3` speaks of requests. A packet that opens a flow may pass if a deep *allow* matches its
//! addresses and ports and no plain rule before it decides: the session then lives by what rules say of each request.
//! On any session that a deep rule matches, before a plain *allow* in the order of rules, each request of the client
//! meets the rules in order (`inspect`). The first deep rule that means the request decides; a plain *allow* lets it
//! pass; behind the last rule it passes on a session that a plain rule let in, and is denied on one that a deep rule let in.
//! A denied request is dropped, told with rule, function and address, and its session is reset. Deep rules are in force
//! for running sessions at once. Rules of both protocols for one port do not mix: the first says what a session speaks.
//!
//! # At a port
//! Talk within a zone does not come by here. A rule with `at` therefore stands at the switch port of one host, as a
//! transparent firewall in front of it (`gateway`), with sessions of its own. What no rule there matches passes. Its
//! sessions may have begun before the rule came: then the end with the lower port is the service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use record::VirtualTime;
use site::{FirewallAction, FirewallRule, Peer, Protocol, Subnet};
use smoltcp::iface::Interface;

use crate::conn::interface;
use crate::firewall::{FirewallEvent, FirewallEventKind};
use crate::flow::FlowKey;
use crate::inspect::{DeniedRequest, Inspected, Inspection, Judgement, Reading, Said};
use crate::packet::{ACK, FIN, ICMP, Ipv4Head, RST, SYN, TCP, TcpHead};

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
    pub(crate) fn contains(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }
}

/// Names a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    /// The card of the host at whose port it was seen; none between zones.
    pub(crate) at: Option<usize>,
    pub(crate) protocol: u8,
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
    pub(crate) client_wants: Option<u32>,
    pub(crate) server_wants: Option<u32>,
    /// Ethernet addresses of client and service, where it was seen at a port.
    pub(crate) macs: Macs,
    /// Let in by a deep rule: what no rule allows is denied.
    by_deep: bool,
    pub(crate) inspection: Option<Box<Inspection>>,
    /// The generation of rules that `inspection` was chosen by.
    generation: u64,
}

/// Ethernet addresses of client and service.
pub(crate) type Macs = Option<([u8; 6], [u8; 6])>;

/// One packet that meets the firewall.
#[derive(Clone, Copy)]
pub(crate) struct Passing<'a> {
    /// The card of the host at whose port it is seen; none between zones.
    pub(crate) at: Option<usize>,
    pub(crate) head: &'a Ipv4Head,
    /// Behind the IP header.
    pub(crate) payload: &'a [u8],
    pub(crate) flow: &'a Arc<FlowKey>,
    /// Of sender and receiver, at a port.
    pub(crate) macs: Macs,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Pass,
    /// It is dropped.
    Drop,
    /// It is dropped and its session ends.
    Reset(SessionKey),
}

/// What the rules say of a new flow.
struct Opening {
    is_allowed: bool,
    rule: Option<String>,
    log: bool,
    by_deep: bool,
}

/// A rule in force.
#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) id: u64,
    pub(crate) rule: FirewallRule,
    /// The card of the host at whose port it stands.
    pub(crate) at: Option<usize>,
    pub(crate) expires: Option<u64>,
    pub(crate) hits: u64,
}

/// The firewall as the world sees it.
pub(crate) struct Firewall {
    pub(crate) zones: Vec<ZoneNetworks>,
    pub(crate) rules: Vec<RuleEntry>,
    pub(crate) next_rule: u64,
    /// Counts changes of rules.
    generation: u64,
    has_deep_rules: bool,
    /// Cards of hosts at whose ports rules stand.
    pub(crate) guarded: BTreeSet<usize>,
    pub(crate) sessions: BTreeMap<SessionKey, Session>,
    next_sweep: u64,
    /// Not yet passed on.
    pub(crate) events: Vec<FirewallEvent>,
    /// Answers echo requests to the firewall itself.
    pub(crate) rest: Interface,
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
            generation: 0,
            has_deep_rules: false,
            guarded: BTreeSet::new(),
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

    /// A zone by name.
    pub(crate) fn zone(&self, name: &str) -> Option<&ZoneNetworks> {
        self.zones.iter().find(|known| known.name == name)
    }

    pub(crate) fn zone_at(&self, address: Ipv4Addr) -> Option<&ZoneNetworks> {
        self.zones.iter().find(|zone| zone.contains(address))
    }

    /// Rules were put in or taken out.
    pub(crate) fn rules_changed(&mut self) {
        self.generation += 1;
        self.has_deep_rules = self.rules.iter().any(|entry| entry.rule.is_deep());
        self.guarded = self.rules.iter().filter_map(|entry| entry.at).collect();
    }

    /// What the rules say of a packet that opens a flow.
    fn judge(&mut self, key: &SessionKey) -> Opening {
        let mut by_deep: Option<usize> = None;
        let mut found = None;
        for (index, entry) in self.rules.iter().enumerate() {
            if !matches(&self.zones, entry, key) {
                continue;
            }
            if !entry.rule.is_deep() {
                found = Some(index);
                break;
            }
            if entry.rule.action == FirewallAction::Allow {
                by_deep = by_deep.or(Some(index));
            }
        }
        let is_deep = match found {
            Some(index) => self.rules[index].rule.action == FirewallAction::Deny && by_deep.is_some(),
            None => by_deep.is_some(),
        };
        match (if is_deep { by_deep } else { found }).and_then(|index| self.rules.get_mut(index)) {
            Some(entry) => {
                // A deep rule counts requests.
                entry.hits += u64::from(!is_deep);
                let is_allowed = entry.rule.action == FirewallAction::Allow;
                Opening {
                    is_allowed,
                    rule: Some(entry.rule.name.clone()),
                    log: entry.rule.log,
                    by_deep: is_deep,
                }
            }
            None => {
                Opening { is_allowed: key.at.is_some(), rule: None, log: key.at.is_none(), by_deep: false }
            }
        }
    }

    /// What the requests of a flow are inspected as: by the first deep rule before a plain one that allows the flow.
    fn inspected(&self, key: &SessionKey) -> Option<Inspected> {
        inspected(&self.rules, &self.zones, key)
    }

    pub(crate) fn log(
        &mut self,
        now: u64,
        kind: FirewallEventKind,
        rule: Option<String>,
        key: Option<&SessionKey>,
    ) {
        self.tell(FirewallEvent::new(VirtualTime::from_nanos(now), kind, rule), key);
    }

    /// Keeps an event for the kernel to pass on, with the ends of a session in it.
    pub(crate) fn tell(&mut self, mut event: FirewallEvent, key: Option<&SessionKey>) {
        if self.events.len() == EVENTS {
            return;
        }
        if let Some(key) = key {
            event.protocol = match key.protocol {
                TCP => "tcp".to_owned(),
                ICMP => "icmp".to_owned(),
                other => other.to_string(),
            };
            event.source = Some(key.client);
            event.destination = Some(key.server);
        }
        self.events.push(event);
    }

    /// What becomes of a packet; keeps the sessions.
    pub(crate) fn admits(&mut self, now: u64, packet: Passing<'_>) -> Verdict {
        let Passing { at, head, payload, flow, macs } = packet;
        let (ports, segment) = match head.protocol {
            TCP => match TcpHead::parse(payload) {
                Some(segment) => ((segment.source_port, segment.destination_port), Some(segment)),
                None => return Verdict::Drop,
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
        let forward = SessionKey { at, protocol: head.protocol, client: from, server: to };
        let backward = SessionKey { client: to, server: from, ..forward };
        for (key, is_client) in [(forward, true), (backward, false)] {
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            if now >= session.expires {
                self.sessions.remove(&key);
                continue;
            }
            let is_over = session.follow(now, segment, is_client);
            let verdict = self.inspect(now, &key, segment, payload, is_client);
            if is_over {
                self.sessions.remove(&key);
            }
            return verdict;
        }
        let opens = match segment {
            Some(segment) => segment.opens(),
            None => head.protocol != ICMP || payload.first() == Some(&8),
        };
        let is_backward = match (opens, at, segment) {
            (true, ..) => false,
            // At a port, what began before its rules came: the lower port is the service.
            (false, Some(_), Some(segment)) => {
                if segment.has(RST) {
                    return Verdict::Pass;
                }
                segment.source_port < segment.destination_port
            }
            (false, Some(_), None) => return Verdict::Pass,
            (false, None, _) => {
                self.log(now, FirewallEventKind::NoSession, None, Some(&forward));
                return Verdict::Drop;
            }
        };
        let key = if is_backward { backward } else { forward };
        let Opening { is_allowed, rule, log, by_deep } = self.judge(&key);
        if log {
            let kind = if is_allowed { FirewallEventKind::Allowed } else { FirewallEventKind::Denied };
            self.log(now, kind, rule.clone(), Some(&key));
        }
        if !is_allowed {
            return Verdict::Drop;
        }
        self.sweep(now);
        let protocol = self.inspected(&key);
        // The first octet of data comes behind the SYN.
        let next = segment.filter(|_| opens).map(|segment| segment.sequence.wrapping_add(1));
        let mut session = Session {
            flow: flow.clone(),
            rule: rule.unwrap_or_default(),
            since: now,
            expires: now + SHORT_LIMIT,
            client_closed: false,
            server_closed: false,
            client_wants: None,
            server_wants: None,
            macs: if is_backward { macs.map(|(from, to)| (to, from)) } else { macs },
            by_deep,
            inspection: protocol.map(|protocol| Box::new(Inspection::new(protocol, next))),
            generation: self.generation,
        };
        if opens {
            self.sessions.insert(key, session);
            return self.inspect(now, &key, segment, payload, true);
        }
        session.follow(now, segment, !is_backward);
        self.sessions.insert(key, session);
        self.inspect(now, &key, segment, payload, !is_backward)
    }

    /// Looks into a segment of a session that it belongs to.
    fn inspect(
        &mut self,
        now: u64,
        key: &SessionKey,
        segment: Option<TcpHead>,
        payload: &[u8],
        is_client: bool,
    ) -> Verdict {
        let (Some(session), Some(segment)) = (self.sessions.get_mut(key), segment) else {
            return Verdict::Pass;
        };
        if !self.has_deep_rules && session.inspection.is_none() {
            return Verdict::Pass;
        }
        if session.generation != self.generation {
            session.generation = self.generation;
            session.choose_inspection(inspected(&self.rules, &self.zones, key));
        }
        let Some(inspection) = &mut session.inspection else { return Verdict::Pass };
        if !is_client {
            if let Some(number) = session.server_wants {
                inspection.acknowledged(number);
            }
            return Verdict::Pass;
        }
        let Some(data) = payload.get(segment.header..) else { return Verdict::Drop };
        if segment.has(SYN) {
            // A request in a SYN, or a second beginning of a session, is for nobody to understand in two ways.
            let is_repetition = inspection.next().is_none_or(|next| segment.sequence.wrapping_add(1) == next);
            return if data.is_empty() && is_repetition { Verdict::Pass } else { Verdict::Drop };
        }
        let (by_deep, wants) = (session.by_deep, session.server_wants);
        let (rules, zones) = (&mut self.rules, &self.zones);
        let mut judge = |said: &Said<'_>| judge_request(rules, zones, key, by_deep, said);
        match inspection.read(segment.sequence, data, wants, &mut judge) {
            Reading::Pass => Verdict::Pass,
            Reading::Early => Verdict::Drop,
            Reading::Denied(rule, request) => {
                self.tell_denied(now, key, rule, request);
                Verdict::Reset(*key)
            }
        }
    }

    fn tell_denied(&mut self, now: u64, key: &SessionKey, rule: Option<usize>, request: DeniedRequest) {
        let rule = rule.and_then(|index| self.rules.get(index)).map(|entry| entry.rule.name.clone());
        let mut event =
            FirewallEvent::new(VirtualTime::from_nanos(now), FirewallEventKind::RequestDenied, rule);
        event.request = Some(request);
        self.tell(event, Some(key));
    }

    fn sweep(&mut self, now: u64) {
        if now >= self.next_sweep {
            self.sessions.retain(|_, session| session.expires > now);
            self.next_sweep = now + SWEEP;
        }
    }
}

fn is_peer(zones: &[ZoneNetworks], peer: &Peer, address: Ipv4Addr) -> bool {
    match peer {
        Peer::Any => true,
        Peer::Zone(name) => zones.iter().any(|zone| zone.name == *name && zone.contains(address)),
        Peer::Subnet(subnet) => subnet.contains(address),
    }
}

/// Whether a rule matches the addresses and ports of a flow.
fn matches(zones: &[ZoneNetworks], entry: &RuleEntry, key: &SessionKey) -> bool {
    let rule = &entry.rule;
    let is_tcp = key.protocol == TCP;
    let is_protocol = match rule.protocol {
        Protocol::Any => is_tcp || !rule.is_deep(),
        Protocol::Tcp => is_tcp,
        Protocol::Icmp => key.protocol == ICMP,
    };
    is_protocol
        && entry.at == key.at
        && is_peer(zones, &rule.from, *key.client.ip())
        && is_peer(zones, &rule.to, *key.server.ip())
        && if is_tcp { rule.takes_port(key.server.port()) } else { rule.ports.is_empty() }
}

fn inspected(rules: &[RuleEntry], zones: &[ZoneNetworks], key: &SessionKey) -> Option<Inspected> {
    rules
        .iter()
        .filter(|entry| matches(zones, entry, key))
        .take_while(|entry| entry.rule.is_deep() || entry.rule.action == FirewallAction::Deny)
        .find_map(|entry| Inspected::by(&entry.rule))
}

/// What the rules say of one request of a session.
fn judge_request(
    rules: &mut [RuleEntry],
    zones: &[ZoneNetworks],
    key: &SessionKey,
    by_deep: bool,
    said: &Said<'_>,
) -> Judgement {
    for (index, entry) in rules.iter_mut().enumerate() {
        if !matches(zones, entry, key) {
            continue;
        }
        let is_allow = entry.rule.action == FirewallAction::Allow;
        if entry.rule.is_deep() {
            if said.is_meant_by(&entry.rule) {
                entry.hits += 1;
                return if is_allow { Ok(()) } else { Err(Some(index)) };
            }
        } else if is_allow {
            return Ok(());
        }
    }
    if by_deep { Err(None) } else { Ok(()) }
}

impl Session {
    /// The rules changed: begins, goes on with, or ends the inspection.
    fn choose_inspection(&mut self, protocol: Option<Inspected>) {
        let running = self.inspection.as_ref().map(|inspection| (inspection.protocol, inspection.next()));
        match (running, protocol) {
            (None, Some(protocol)) => {
                self.inspection = Some(Box::new(Inspection::new(protocol, self.server_wants)));
            }
            (Some((known, next)), Some(protocol)) if known != protocol => {
                self.inspection = Some(Box::new(Inspection::new(protocol, next)));
            }
            (Some(_), None) if !self.by_deep => self.inspection = None,
            _ => {}
        }
    }

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
