//! The firewall in the world: what reaches its cards, what passes a guarded port, and what changes its rules.

use std::net::SocketAddrV4;
use std::time::Duration;

use record::VirtualTime;
use site::{FirewallRule, Peer};
use smoltcp::iface::SocketSet;
use smoltcp::wire::TcpControl;

use crate::conn::Port;
use crate::filter::{Passing, RuleEntry, SessionKey, Verdict};
use crate::firewall::{FirewallEvent, FirewallEventKind};
use crate::flow::Frame;
use crate::network::NetError;
use crate::packet::{
    ETHERNET, EthernetHead, ICMP, Ipv4Head, SHORTEST, TCP, TYPE_IPV4, bare_segment, decrement_hop_limit,
};
use crate::queue::Event;
use crate::world::{KIND_ARP, KIND_IPV4, World};

/// Rules in force, at most.
const RULES_MAX: usize = 1000;

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
                at: None,
                protocol: head.protocol,
                client: SocketAddrV4::new(head.source, 0),
                server: SocketAddrV4::new(head.destination, 0),
            };
            firewall.log(now, FirewallEventKind::Spoofed, None, Some(&key));
            return self.recycle(frame.octets);
        }
        let out = firewall.zone_at(head.destination).map(|zone| zone.nic);
        if head.hop_limit <= 1 {
            return self.recycle(frame.octets);
        }
        let passing = Passing { at: None, head: &head, payload, flow: &frame.flow, macs: None };
        let verdict = firewall.admits(now, passing);
        if let Verdict::Reset(key) = verdict {
            self.end_session(&key);
        }
        let (Verdict::Pass, Some(out)) = (verdict, out) else { return self.recycle(frame.octets) };
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

    /// A packet on the cable of a host at whose port rules stand, either way. Whether it goes on.
    pub(crate) fn guard_admits(&mut self, nic: usize, frame: &Frame) -> bool {
        let Some(firewall) = &mut self.firewall else { return true };
        if !firewall.guarded.contains(&nic) {
            return true;
        }
        let (Some(ethernet), Some(head)) = (
            EthernetHead::parse(&frame.octets),
            Ipv4Head::parse(frame.octets.get(ETHERNET..).unwrap_or_default()),
        ) else {
            return true;
        };
        // Frames for others come by where the switch does not yet know them.
        let is_own = |address| self.nics[nic].addresses.iter().any(|(own, _)| *own == address);
        if ethernet.kind != TYPE_IPV4 || !(is_own(head.source) || is_own(head.destination)) {
            return true;
        }
        let payload = &frame.octets[ETHERNET + head.header..ETHERNET + head.total];
        let macs = Some((ethernet.source, ethernet.destination));
        let passing = Passing { at: Some(nic), head: &head, payload, flow: &frame.flow, macs };
        let verdict = firewall.admits(self.now, passing);
        if let Verdict::Reset(key) = verdict {
            self.end_session(&key);
        }
        verdict == Verdict::Pass
    }

    /// Puts a rule in at `position`; its id.
    pub(crate) fn insert_rule(
        &mut self,
        position: usize,
        mut rule: FirewallRule,
        lifetime: Option<Duration>,
        tell: bool,
    ) -> Result<u64, NetError> {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else {
            return Err(NetError::UnknownZoneInRule { rule: rule.name, zone: String::new() });
        };
        let id = firewall.next_rule;
        if rule.name.is_empty() {
            rule.name = format!("rule-{id}");
        }
        if let Err(problem) = rule.check() {
            return Err(NetError::Rule { rule: rule.name, problem });
        }
        if firewall.rules.iter().any(|entry| entry.rule.name == rule.name) {
            return Err(NetError::RuleNameTaken { rule: rule.name });
        }
        if firewall.rules.len() >= RULES_MAX {
            return Err(NetError::TooManyRules { most: RULES_MAX });
        }
        for peer in [&rule.from, &rule.to] {
            if let Peer::Zone(zone) = peer
                && firewall.zone(zone).is_none()
            {
                return Err(NetError::UnknownZoneInRule { zone: zone.clone(), rule: rule.name });
            }
        }
        let at = match &rule.at {
            Some(name) => match self.host_names.get(name.as_str()) {
                Some(host) => Some(self.hosts[*host].nic),
                None => return Err(NetError::UnknownHostInRule { host: name.clone(), rule: rule.name }),
            },
            None => None,
        };
        firewall.next_rule += 1;
        let expires = lifetime.map(|lifetime| now.saturating_add(lifetime.as_nanos() as u64));
        if tell {
            let kind = FirewallEventKind::RuleAdded;
            let mut event = FirewallEvent::new(VirtualTime::from_nanos(now), kind, Some(rule.name.clone()));
            event.added = Some(Box::new(rule.clone()));
            firewall.tell(event, None);
        }
        let position = position.min(firewall.rules.len());
        firewall.rules.insert(position, RuleEntry { id, rule, at, expires, hits: 0 });
        firewall.rules_changed();
        if let Some(expires) = expires {
            self.queue.push(expires, Event::RuleExpiry { rule: id });
        }
        Ok(id)
    }

    /// Takes a rule out. False where it is not there.
    pub(crate) fn take_rule(&mut self, id: u64, kind: FirewallEventKind, by: &str) -> bool {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else { return false };
        let Some(position) = firewall.rules.iter().position(|entry| entry.id == id) else { return false };
        let entry = firewall.rules.remove(position);
        firewall.rules_changed();
        let mut event = FirewallEvent::new(VirtualTime::from_nanos(now), kind, Some(entry.rule.name));
        event.by = Some(by.to_owned()).filter(|by| !by.is_empty());
        firewall.tell(event, None);
        true
    }

    /// A rule's lifetime is over.
    pub(crate) fn expire_rule(&mut self, id: u64) {
        self.take_rule(id, FirewallEventKind::RuleExpired, "");
    }

    /// Ends sessions with a reset to both ends; how many there were.
    pub(crate) fn kill_sessions(&mut self, picks: &dyn Fn(&SessionKey) -> bool, by: &str) -> usize {
        let now = self.now;
        let Some(firewall) = &mut self.firewall else { return 0 };
        let running = firewall.sessions.iter().filter(|(_, session)| session.expires > now);
        let keys: Vec<SessionKey> = running.map(|(key, _)| *key).filter(picks).collect();
        for key in &keys {
            let Some(firewall) = &mut self.firewall else { break };
            let rule = firewall.sessions.get(key).map(|session| session.rule.clone());
            let mut event =
                FirewallEvent::new(VirtualTime::from_nanos(now), FirewallEventKind::SessionKilled, rule);
            event.by = Some(by.to_owned()).filter(|by| !by.is_empty());
            firewall.tell(event, Some(key));
            self.end_session(key);
        }
        keys.len()
    }

    /// Forgets a session and resets both ends.
    fn end_session(&mut self, key: &SessionKey) {
        let Some(session) = self.firewall.as_mut().and_then(|firewall| firewall.sessions.remove(key)) else {
            return;
        };
        if key.protocol != TCP {
            return;
        }
        // What passed under inspection is known to the octet, acknowledged or not.
        let passed = session.inspection.as_ref().and_then(|inspection| inspection.next());
        let server_wants = passed.or(session.server_wants);
        let macs = session.macs;
        let ends = [
            (key.server, key.client, session.client_wants, server_wants, macs.map(|(to, from)| (from, to))),
            (key.client, key.server, server_wants, session.client_wants, macs),
        ];
        for (position, (from, to, sequence, acknowledgement, macs)) in ends.into_iter().enumerate() {
            let Some(sequence) = sequence else { continue };
            let mut octets = self.buffer();
            let (source, target) = ((*from.ip(), from.port()), (*to.ip(), to.port()));
            bare_segment(source, target, TcpControl::Rst, sequence, acknowledgement, None, &mut octets);
            let flow = session.flow.clone();
            let draw = flow.draws(self.seed, "jitter.kill").bits(position as u64);
            let frame = Frame { octets, flow, position: 0, draw };
            if let (Some(nic), Some((source, destination))) = (key.at, macs) {
                self.send_at_port(nic, source, destination, frame);
                continue;
            }
            let out = self.firewall.as_ref().and_then(|firewall| firewall.zone_at(*to.ip()));
            match out.map(|zone| zone.nic) {
                Some(nic) => self.send_ip(nic, frame),
                None => self.recycle(frame.octets),
            }
        }
    }

    /// Sends a packet from the port of a host, in the name of the Ethernet address `source`: to the host itself, or
    /// into its switch.
    fn send_at_port(&mut self, nic: usize, source: [u8; 6], destination: [u8; 6], mut frame: Frame) {
        EthernetHead { destination, source, kind: TYPE_IPV4 }.emit(&mut frame.octets);
        frame.octets.resize(frame.octets.len().max(SHORTEST), 0);
        if destination == self.nics[nic].mac {
            self.send_down(nic, frame);
        } else {
            self.send_up(nic, frame);
        }
    }
}
