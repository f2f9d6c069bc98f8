//! A host as the world sees it: its tables, what it opens, and what it does with a frame that reaches it.
//!
//! A segment goes to the connection whose four numbers it carries; a SYN for a listening port makes a new one; the
//! answer to something sent by hand (ping, half-open probe) goes to who waits for it; the rest is the stack's to
//! answer: echo replies, and resets from closed ports.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::task::Waker;

use smoltcp::iface::{Interface, SocketSet};
use smoltcp::wire::TcpControl;

use crate::conn::{Conn, Port, Role, Side, interface};
use crate::flow::{FlowKey, FlowProtocol, Frame};
use crate::host::ProbeResult;
use crate::packet::{
    ACK, ETHERNET, ICMP, Ipv4Head, RST, SYN, TCP, TcpHead, bare_segment, echo_reply, echo_request,
};
use crate::slab::Key;
use crate::world::{KIND_ARP, KIND_IPV4, NewNic, Owner, World};

/// Remote address and port, own port: what a segment of a connection of this host carries.
pub(crate) type Tuple = (Ipv4Addr, u16, u16);

/// First of the ports from which connections are opened, and their number: those of Linux.
const EPHEMERAL: (u16, u16) = (32_768, 28_232);

/// A listening port.
#[derive(Debug)]
pub(crate) struct ListenerState {
    pub(crate) backlog: usize,
    /// Handshakes under way.
    pub(crate) handshakes: usize,
    /// Done, not yet accepted.
    pub(crate) accepted: VecDeque<Key>,
    pub(crate) waker: Option<Waker>,
}

/// What a prober waits for.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) result: Option<ProbeResult>,
    pub(crate) waker: Option<Waker>,
}

/// A host as the world sees it.
pub(crate) struct HostState {
    pub(crate) name: Arc<str>,
    pub(crate) nic: usize,
    pub(crate) address: Ipv4Addr,
    /// Whether real clients enter here.
    pub(crate) is_uplink: bool,
    pub(crate) tuples: BTreeMap<Tuple, Key>,
    pub(crate) listeners: BTreeMap<u16, ListenerState>,
    pub(crate) probes: BTreeMap<Tuple, Answer>,
    pub(crate) pings: BTreeMap<u16, Answer>,
    opened: BTreeMap<(Arc<str>, FlowProtocol, Ipv4Addr, u16), u64>,
    /// Answers what no connection answers: echo requests, segments to closed ports.
    rest: Interface,
}

fn settle(answer: Option<&mut Answer>, result: ProbeResult) {
    if let Some(answer) = answer
        && answer.result.is_none()
    {
        answer.result = Some(result);
        if let Some(waker) = answer.waker.take() {
            waker.wake();
        }
    }
}

impl World {
    /// Adds a host with its card.
    pub(crate) fn add_host(
        &mut self,
        name: &str,
        mac: [u8; 6],
        address: (Ipv4Addr, u8),
        gateway: Ipv4Addr,
        switch: usize,
        is_uplink: bool,
    ) -> usize {
        let name: Arc<str> = name.into();
        let index = self.hosts.len();
        let link = self.plant_link;
        let gateway = Some(gateway);
        let nic = self.add_nic(NewNic {
            owner: Owner::Host(index),
            name: name.clone(),
            mac,
            addresses: vec![address],
            gateway,
            switch,
            link,
        });
        let seed = self.draws(&name, "rest").bits(0);
        self.hosts.push(HostState {
            name: name.clone(),
            nic,
            address: address.0,
            is_uplink,
            tuples: BTreeMap::new(),
            listeners: BTreeMap::new(),
            probes: BTreeMap::new(),
            pings: BTreeMap::new(),
            opened: BTreeMap::new(),
            rest: interface(self.mtu, seed, address.0, address.1),
        });
        self.host_names.insert(name, index);
        index
    }

    pub(crate) fn next_flow(
        &self,
        host: usize,
        actor: &Arc<str>,
        protocol: FlowProtocol,
        to: Ipv4Addr,
        port: u16,
    ) -> FlowKey {
        let state = &self.hosts[host];
        FlowKey {
            source: state.name.clone(),
            destination: self.name_of(to),
            protocol,
            port,
            actor: actor.clone(),
            occurrence: state.opened.get(&(actor.clone(), protocol, to, port)).copied().unwrap_or(0),
        }
    }

    /// The one place where flows begin; refuses those of scripted hosts towards an uplink.
    fn open_flow(
        &mut self,
        host: usize,
        actor: &Arc<str>,
        protocol: FlowProtocol,
        to: Ipv4Addr,
        port: u16,
    ) -> io::Result<FlowKey> {
        if self.is_outside(to) || self.hosts.iter().any(|other| other.is_uplink && other.address == to) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "a scripted host never opens a flow towards an uplink",
            ));
        }
        let flow = self.next_flow(host, actor, protocol, to, port);
        *self.hosts[host].opened.entry((actor.clone(), protocol, to, port)).or_default() += 1;
        Ok(flow)
    }

    /// A port of our own for a flow: a keyed start, then one up for each connection (RFC 6056, algorithm 3), so
    /// that the same four numbers do not come again within one capture.
    fn ephemeral_port(&self, host: usize, flow: &FlowKey, to: SocketAddrV4) -> io::Result<u16> {
        let (first, count) = EPHEMERAL;
        let base = FlowKey { occurrence: 0, ..flow.clone() };
        let start = base.draws(self.seed, "port").below(0, u64::from(count)) + flow.occurrence;
        let state = &self.hosts[host];
        (0..u64::from(count))
            .map(|n| first + ((start + n) % u64::from(count)) as u16)
            .find(|port| {
                let tuple = (*to.ip(), to.port(), *port);
                !state.tuples.contains_key(&tuple) && !state.probes.contains_key(&tuple)
            })
            .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    pub(crate) fn dial(&mut self, host: usize, actor: &Arc<str>, to: SocketAddrV4) -> io::Result<Key> {
        if to.port() == 0 || to.ip().is_unspecified() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flow = self.open_flow(host, actor, FlowProtocol::Tcp, *to.ip(), to.port())?;
        let port = self.ephemeral_port(host, &flow, to)?;
        let local = SocketAddrV4::new(self.hosts[host].address, port);
        let conn = Conn::new(self, host, Arc::new(flow), Side::Client, local, to);
        let key = self.conns.insert(Box::new(conn));
        self.hosts[host].tuples.insert((*to.ip(), to.port(), port), key);
        self.touch(key);
        Ok(key)
    }

    pub(crate) fn start_probe(
        &mut self,
        host: usize,
        actor: &Arc<str>,
        to: SocketAddrV4,
    ) -> io::Result<Tuple> {
        let flow = self.open_flow(host, actor, FlowProtocol::Tcp, *to.ip(), to.port())?;
        let port = self.ephemeral_port(host, &flow, to)?;
        let tuple = (*to.ip(), to.port(), port);
        let from = (self.hosts[host].address, port);
        let sequence = flow.draws(self.seed, "isn").bits(0) as u32;
        let mut octets = self.buffer();
        let to = (*to.ip(), to.port());
        bare_segment(from, to, TcpControl::Syn, sequence, None, Some(1460), &mut octets);
        self.hosts[host].probes.insert(tuple, Answer::default());
        self.send_first(host, flow, octets);
        Ok(tuple)
    }

    pub(crate) fn start_ping(&mut self, host: usize, actor: &Arc<str>, to: Ipv4Addr) -> io::Result<u16> {
        let flow = self.open_flow(host, actor, FlowProtocol::Icmp, to, 0)?;
        let mut ident = flow.draws(self.seed, "ident").bits(0) as u16;
        let state = &mut self.hosts[host];
        while state.pings.contains_key(&ident) && state.pings.len() < usize::from(u16::MAX) {
            ident = ident.wrapping_add(1);
        }
        state.pings.insert(ident, Answer::default());
        let from = state.address;
        let mut octets = self.buffer();
        echo_request(from, to, ident, 1, &mut octets);
        self.send_first(host, flow, octets);
        Ok(ident)
    }

    fn send_first(&mut self, host: usize, flow: FlowKey, octets: Vec<u8>) {
        let draw = flow.draws(self.seed, "jitter").bits(0);
        let nic = self.hosts[host].nic;
        self.send_ip(nic, Frame { octets, flow: Arc::new(flow), position: 0, draw });
    }

    /// A frame reached a host.
    pub(crate) fn host_receive(&mut self, host: usize, frame: Frame) {
        let nic = self.hosts[host].nic;
        match self.accepted_kind(nic, &frame) {
            Some(KIND_ARP) => return self.arp_receive(nic, frame),
            Some(KIND_IPV4) => {}
            _ => return self.recycle(frame.octets),
        }
        let packet = &frame.octets[ETHERNET..];
        let Some(head) = Ipv4Head::parse(packet) else { return self.recycle(frame.octets) };
        if head.destination != self.hosts[host].address {
            return self.recycle(frame.octets);
        }
        let payload = &packet[head.header..head.total];
        match (head.protocol, TcpHead::parse(payload)) {
            (TCP, Some(segment)) => {
                let tuple = (head.source, segment.source_port, segment.destination_port);
                if let Some(key) = self.hosts[host].tuples.get(&tuple).copied() {
                    self.poll_conn(key, Some(&packet[..head.total]));
                    return self.recycle(frame.octets);
                }
                if segment.opens() && self.hosts[host].listeners.contains_key(&segment.destination_port) {
                    self.knock(host, tuple, &packet[..head.total], &frame);
                    return self.recycle(frame.octets);
                }
                let answer = self.hosts[host].probes.get_mut(&tuple);
                if segment.has(SYN) && segment.has(ACK) {
                    settle(answer, ProbeResult::Open);
                } else if segment.has(RST) {
                    settle(answer, ProbeResult::Closed);
                }
            }
            (ICMP, _) => {
                if let Some((ident, _)) = echo_reply(payload) {
                    settle(self.hosts[host].pings.get_mut(&ident), ProbeResult::Open);
                    return self.recycle(frame.octets);
                }
            }
            _ => {}
        }
        self.answer_rest(host, frame);
    }

    /// A SYN for a listening port.
    fn knock(&mut self, host: usize, tuple: Tuple, packet: &[u8], frame: &Frame) {
        let (address, port, own_port) = tuple;
        let Some(listener) = self.hosts[host].listeners.get_mut(&own_port) else { return };
        if listener.handshakes + listener.accepted.len() >= listener.backlog {
            return;
        }
        listener.handshakes += 1;
        let local = SocketAddrV4::new(self.hosts[host].address, own_port);
        let remote = SocketAddrV4::new(address, port);
        let conn = Conn::new(self, host, frame.flow.clone(), Side::Server, local, remote);
        let key = self.conns.insert(Box::new(conn));
        self.hosts[host].tuples.insert(tuple, key);
        self.poll_conn(key, Some(packet));
    }

    /// Lets the stack answer what belongs to no connection.
    fn answer_rest(&mut self, host: usize, frame: Frame) {
        let now = self.instant();
        let mut emitted = std::mem::take(&mut self.emitted);
        let state = &mut self.hosts[host];
        let nic = state.nic;
        let mut port = Port {
            input: Some(&frame.octets[ETHERNET..]),
            output: &mut emitted,
            pool: &mut self.pool,
            mtu: self.mtu,
        };
        state.rest.poll_ingress_single(now, &mut port, &mut SocketSet::new(Vec::new()));
        for octets in emitted.drain(..) {
            let draw = frame.flow.draws(self.seed, "jitter.rest").bits(frame.position);
            self.send_ip(nic, Frame { octets, flow: frame.flow.clone(), position: frame.position, draw });
        }
        self.emitted = emitted;
        self.recycle(frame.octets);
    }

    /// One handshake of a listening port is over, well or badly.
    pub(crate) fn handshake_over(&mut self, host: usize, port: u16) {
        if let Some(listener) = self.hosts[host].listeners.get_mut(&port) {
            listener.handshakes = listener.handshakes.saturating_sub(1);
        }
    }

    /// Puts a connection into a listening port's queue. False where nobody listens.
    pub(crate) fn queue_accepted(&mut self, host: usize, port: u16, key: Key) -> bool {
        let Some(listener) = self.hosts[host].listeners.get_mut(&port) else { return false };
        listener.accepted.push_back(key);
        if let Some(waker) = listener.waker.take() {
            waker.wake();
        }
        true
    }

    /// The next connection to accept.
    pub(crate) fn poll_accept(&mut self, host: usize, port: u16, waker: &Waker) -> Option<Key> {
        let listener = self.hosts[host].listeners.get_mut(&port)?;
        while let Some(key) = listener.accepted.pop_front() {
            if let Some(conn) = self.conns.get_mut(key) {
                conn.own();
                return Some(key);
            }
        }
        listener.waker = Some(waker.clone());
        None
    }

    /// Stops listening; what waits to be accepted is reset.
    pub(crate) fn close_listener(&mut self, host: usize, port: u16) {
        if let Some(listener) = self.hosts[host].listeners.remove(&port) {
            for key in listener.accepted {
                if let Some(conn) = self.conns.get_mut(key) {
                    conn.orphan(self.now);
                    conn.socket().abort();
                    self.touch(key);
                }
            }
        }
    }

    /// Takes a connection out of its host's table.
    pub(crate) fn forget_tuple(&mut self, conn: &Conn, key: Key) {
        let tuple = (*conn.remote.ip(), conn.remote.port(), conn.local.port());
        let tuples = &mut self.hosts[conn.host].tuples;
        if tuples.get(&tuple) == Some(&key) {
            tuples.remove(&tuple);
        }
    }

    pub(crate) fn lose_conn(&mut self, key: Key) {
        let Some(conn) = self.conns.get_mut(key) else { return };
        match conn.role {
            Role::Owned | Role::Dialled => {
                conn.error = Some(io::ErrorKind::ConnectionAborted);
                conn.silence();
                self.touch(key);
            }
            _ => self.drop_conn(key),
        }
    }
}
