//! One end of one TCP connection: a smoltcp interface that has this one socket.
//!
//! # Why an interface each
//! smoltcp draws initial sequence numbers from a generator of the interface, one after the other, so one more
//! connection of a host would alter all later ones; and it looks for the socket of a segment, and for the next
//! deadline, by going through all sockets. With an interface per connection the sequence number is keyed by the
//! flow, and finding is a look into the host's table. It also makes the backlog that smoltcp lacks: a SYN for a
//! listening port gets a connection of its own.
//!
//! # Life
//! *dialled* or *waiting* (the handshake of either side), *queued* (done, not yet accepted), *owned* (a stream
//! holds it), *orphan* (its stream is gone; it ends by itself and is then forgotten).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use record::KeyedStream;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr, IpListenEndpoint};

use crate::flow::{FlowKey, Frame};
use crate::packet::ETHERNET;
use crate::queue::Event;
use crate::slab::Key;
use crate::world::World;

/// Octets that a connection holds for its reader. Larger than [`SEND_BUFFER`], so that a peer that is slow to
/// read does not show as a full or closed window at once.
const RECEIVE_BUFFER: usize = 16 * 1024;
/// Octets that a connection holds until they are acknowledged.
const SEND_BUFFER: usize = 8 * 1024;
/// How long an acknowledgement waits for data to go with: Linux's shortest.
const ACK_DELAY: Duration = Duration::from_millis(40);
/// How long a handshake may take: five SYNs, after 0, 1, 3, 7 and 15 s.
const HANDSHAKE_LIMIT: u64 = 31_000_000_000;
/// How long a connection without a stream waits for its peer to close: Linux's tcp_fin_timeout.
const ORPHAN_LIMIT: u64 = 60_000_000_000;
/// smoltcp sometimes wants to be called at once again; this is how long it waits, in nanoseconds.
const AT_ONCE: u64 = 1_000_000;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// We sent a SYN.
    Dialled,
    /// We got a SYN on this listening port.
    Waiting(u16),
    /// Handshake done, in the queue of this listening port.
    Queued(u16),
    /// A stream holds it.
    Owned,
    /// Its stream is gone.
    Orphan,
}

/// One end of a connection.
pub(crate) struct Conn {
    pub(crate) host: usize,
    pub(crate) flow: Arc<FlowKey>,
    pub(crate) role: Role,
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
    /// Time of the deadline event that counts; others of this connection are pointless.
    pub(crate) armed: Option<u64>,
    /// Whether it waits in [`World::touched`].
    pub(crate) is_touched: bool,
    /// Whether the peer closed its half properly.
    pub(crate) saw_fin: bool,
    /// Why it ended, if badly.
    pub(crate) error: Option<io::ErrorKind>,
    give_up_at: Option<u64>,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    jitter: KeyedStream,
    position: u64,
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// It opened the connection.
    Client,
    /// It was opened to it.
    Server,
}

impl Conn {
    /// A connection that has not sent anything.
    pub(crate) fn new(
        world: &World,
        host: usize,
        flow: Arc<FlowKey>,
        side: Side,
        local: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Self {
        let (role, isn, jitter) = match side {
            Side::Client => (Role::Dialled, "isn", "jitter"),
            Side::Server => (Role::Waiting(local.port()), "isn.back", "jitter.back"),
        };
        let mut interface = interface(world.mtu, flow.draws(world.seed, isn).bits(0), *local.ip(), 32);
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; RECEIVE_BUFFER]),
            tcp::SocketBuffer::new(vec![0; SEND_BUFFER]),
        );
        socket.set_nagle_enabled(false);
        socket.set_ack_delay(Some(ACK_DELAY));
        match side {
            // Neither can fail on a fresh socket with ports and addresses that are not zero.
            Side::Client => {
                let _ = socket.connect(
                    interface.context(),
                    (*remote.ip(), remote.port()),
                    IpListenEndpoint { addr: Some((*local.ip()).into()), port: local.port() },
                );
            }
            Side::Server => {
                let _ = socket.listen(local.port());
            }
        }
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self {
            host,
            jitter: flow.draws(world.seed, jitter),
            flow,
            role,
            local,
            remote,
            armed: None,
            is_touched: false,
            saw_fin: false,
            error: None,
            give_up_at: Some(world.now + HANDSHAKE_LIMIT),
            interface,
            sockets,
            handle,
            position: 0,
        }
    }

    /// The socket.
    pub(crate) fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// A stream takes it.
    pub(crate) fn own(&mut self) {
        self.role = Role::Owned;
        self.give_up_at = None;
    }

    /// Its stream is gone.
    pub(crate) fn orphan(&mut self, now: u64) {
        self.role = Role::Orphan;
        self.give_up_at = Some(now + ORPHAN_LIMIT);
    }

    /// Closes the socket so that it sends nothing more; whoever waits for it wakes.
    pub(crate) fn silence(&mut self) {
        let port = self.local.port();
        let socket = self.socket();
        socket.abort();
        // A closed socket that listens forgets its peer; closed again, it has nobody to send a reset to.
        let _ = socket.listen(port);
        socket.abort();
    }

    /// What reading finds where there is nothing to read and never will be.
    pub(crate) fn end_of_stream(&self) -> io::Result<()> {
        if self.saw_fin && self.error.is_none() {
            Ok(())
        } else {
            Err(self.error.unwrap_or(io::ErrorKind::ConnectionReset).into())
        }
    }
}

/// A smoltcp interface without Ethernet.
pub(crate) fn interface(mtu: usize, random_seed: u64, address: Ipv4Addr, prefix: u8) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = random_seed;
    let mut port = Port { input: None, output: &mut Vec::new(), pool: &mut Vec::new(), mtu };
    let mut interface = Interface::new(config, &mut port, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(address.into(), prefix));
    });
    interface
}

/// The device that smoltcp sees: one packet in, any number out, each with room for an Ethernet header.
pub(crate) struct Port<'a> {
    pub(crate) input: Option<&'a [u8]>,
    pub(crate) output: &'a mut Vec<Vec<u8>>,
    pub(crate) pool: &'a mut Vec<Vec<u8>>,
    pub(crate) mtu: usize,
}

pub(crate) struct Received<'a>(&'a [u8]);

pub(crate) struct Sending<'a> {
    output: &'a mut Vec<Vec<u8>>,
    pool: &'a mut Vec<Vec<u8>>,
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut octets = self.pool.pop().unwrap_or_default();
        octets.clear();
        octets.resize(ETHERNET + length, 0);
        let result = f(&mut octets[ETHERNET..]);
        self.output.push(octets);
        result
    }
}

impl Device for Port<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Sending<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let input = self.input.take()?;
        Some((Received(input), Sending { output: self.output, pool: self.pool }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        Some(Sending { output: self.output, pool: self.pool })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

impl World {
    /// Notes that a task changed a connection, so that it is polled when all tasks wait.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(conn) = self.conns.get_mut(key)
            && !conn.is_touched
        {
            conn.is_touched = true;
            self.touched.push(key);
        }
    }

    /// Polls the connections that tasks changed, in the order in which they did. True if there were any.
    pub(crate) fn poll_touched(&mut self) -> bool {
        if self.touched.is_empty() {
            return false;
        }
        let mut touched = std::mem::take(&mut self.touched);
        for key in touched.drain(..) {
            self.poll_conn(key, None);
        }
        if self.touched.is_empty() {
            self.touched = touched;
        }
        true
    }

    /// Gives a connection a packet, or the time; sends what it emits; sees to what became of it.
    pub(crate) fn poll_conn(&mut self, key: Key, input: Option<&[u8]>) {
        let Some(mut conn) = self.conns.lend(key) else { return };
        conn.is_touched = false;
        self.exchange(&mut conn, input);
        if self.see_to(key, &mut conn) {
            self.arm(key, &mut conn);
            self.conns.give_back(key, conn);
        } else {
            self.forget_tuple(&conn, key);
            self.conns.free(key);
            if conn.armed.is_some() {
                self.queue.note_stale();
            }
        }
    }

    /// Ends a connection without a packet, as when its host is switched off or its peer never answered.
    pub(crate) fn drop_conn(&mut self, key: Key) {
        if let Some(conn) = self.conns.free(key) {
            self.forget_tuple(&conn, key);
            if conn.armed.is_some() {
                self.queue.note_stale();
            }
            if let Role::Waiting(port) = conn.role {
                self.handshake_over(conn.host, port);
            }
        }
    }

    fn exchange(&mut self, conn: &mut Conn, input: Option<&[u8]>) {
        let now = self.instant();
        let has_input = input.is_some();
        let mut emitted = std::mem::take(&mut self.emitted);
        let mut port = Port { input, output: &mut emitted, pool: &mut self.pool, mtu: self.mtu };
        if has_input {
            conn.interface.poll_ingress_single(now, &mut port, &mut conn.sockets);
        }
        while conn.interface.poll_egress(now, &mut port, &mut conn.sockets) == PollResult::SocketStateChanged
        {
        }
        let nic = self.hosts[conn.host].nic;
        for octets in emitted.drain(..) {
            let draw = conn.jitter.bits(conn.position);
            let frame = Frame { octets, flow: conn.flow.clone(), position: conn.position, draw };
            conn.position += 1;
            self.send_ip(nic, frame);
        }
        self.emitted = emitted;
    }

    /// Draws the consequences of a connection's state. False if it is to be forgotten.
    fn see_to(&mut self, key: Key, conn: &mut Conn) -> bool {
        use tcp::State;
        let state = conn.socket().state();
        if matches!(state, State::CloseWait | State::LastAck | State::Closing | State::TimeWait) {
            conn.saw_fin = true;
        }
        match conn.role {
            Role::Waiting(port) => match state {
                State::Established | State::CloseWait => {
                    conn.role = Role::Queued(port);
                    conn.give_up_at = None;
                    self.handshake_over(conn.host, port);
                    if !self.queue_accepted(conn.host, port, key) {
                        // Nobody listens any more.
                        conn.orphan(self.now);
                        conn.socket().abort();
                        self.exchange(conn, None);
                        return false;
                    }
                    true
                }
                State::SynReceived => true,
                _ => {
                    self.handshake_over(conn.host, port);
                    false
                }
            },
            Role::Orphan => {
                let socket = conn.socket();
                if socket.recv_queue() > 0 && state != State::Closed {
                    // Data that nobody will read: a real stack resets.
                    socket.abort();
                    self.exchange(conn, None);
                    return false;
                }
                !(state == State::Closed && socket.local_endpoint().is_none())
            }
            Role::Dialled => {
                if state == State::Closed && conn.error.is_none() {
                    conn.error = Some(io::ErrorKind::ConnectionRefused);
                }
                true
            }
            Role::Queued(_) | Role::Owned => {
                if state == State::Closed {
                    self.forget_tuple(conn, key);
                }
                true
            }
        }
    }

    /// Sets the connection's next deadline.
    fn arm(&mut self, key: Key, conn: &mut Conn) {
        let now = self.now;
        if let Some(limit) = conn.give_up_at
            && limit <= now
        {
            return self.give_up(key, conn);
        }
        let wish = conn.interface.poll_at(self.instant(), &conn.sockets);
        let wish = wish
            .map(|at| (at.total_micros() as u64).saturating_mul(1000))
            .map(|at| if at <= now { now + AT_ONCE } else { at });
        let at = match (wish, conn.give_up_at) {
            (Some(wish), Some(limit)) => wish.min(limit),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return,
        };
        match conn.armed {
            // It fires earlier, and looks again then.
            Some(armed) if armed <= at => {}
            armed => {
                if armed.is_some() {
                    self.queue.note_stale();
                }
                conn.armed = Some(at);
                self.queue.push(at, Event::Deadline { conn: key });
            }
        }
    }

    /// A handshake or a farewell took too long.
    fn give_up(&mut self, key: Key, conn: &mut Conn) {
        conn.give_up_at = None;
        match conn.role {
            Role::Dialled => {
                conn.error = Some(io::ErrorKind::TimedOut);
                conn.silence();
            }
            Role::Waiting(port) => {
                self.handshake_over(conn.host, port);
                conn.silence();
                conn.role = Role::Orphan;
            }
            _ => conn.silence(),
        }
        // Looked at once more, to be forgotten.
        conn.armed = Some(self.now + AT_ONCE);
        self.queue.push(self.now + AT_ONCE, Event::Deadline { conn: key });
    }

    /// Fails the handshakes of a card's host whose next hop does not answer.
    pub(crate) fn unreachable(&mut self, nic: usize, hop: Ipv4Addr) {
        let crate::world::Owner::Host(host) = self.nics[nic].owner else { return };
        let keys: Vec<Key> = self.hosts[host].tuples.values().copied().collect();
        for key in keys {
            let (card, gateway) = (&self.nics[nic], self.nics[nic].gateway);
            let Some(conn) = self.conns.get_mut(key) else { continue };
            let target = *conn.remote.ip();
            let first = if card.is_on_link(target) { Some(target) } else { gateway };
            if first == Some(hop) && conn.role == Role::Dialled {
                conn.error = Some(io::ErrorKind::HostUnreachable);
                conn.silence();
            }
        }
    }
}
