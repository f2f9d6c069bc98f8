//! Hosts: a network card, an address, and the TCP connections behind it.
//!
//! Everything a scripted actor can do on the network starts here, in [`Host::connect`], [`Host::listen`],
//! [`Host::ping`] and [`Host::probe`]; and all that open a flow pass `World::open_flow`, which refuses a flow
//! towards an uplink: nothing scripted can leave the lab.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use record::{Clock, with_timeout};
use smoltcp::socket::tcp::State;

use crate::clock::KernelClock;
use crate::flow::{FlowKey, FlowProtocol};
use crate::link::LinkProperties;
use crate::slab::Key;
use crate::station::{Answer, HostState, ListenerState, Tuple};
use crate::stream::{Listener, VirtualStream};
use crate::world::Shared;

/// What a port scan finds out about one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// SYN and ACK came back.
    Open,
    /// RST came back.
    Closed,
    /// Nothing came back.
    Filtered,
}

/// How a port scan asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeStyle {
    /// A SYN by hand; the stack, which knows nothing of it, resets an answer. What `nmap -sS` does.
    HalfOpen,
    /// A whole handshake, then a reset. What `nmap -sT` does.
    Connect,
}

/// One host of a lab. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    name: Arc<str>,
    address: Ipv4Addr,
    actor: Arc<str>,
}

impl Host {
    pub(crate) fn new(shared: &Arc<Shared>, index: usize) -> Self {
        let world = shared.world();
        let state = &world.hosts[index];
        let (name, address) = (state.name.clone(), state.address);
        drop(world);
        Self { shared: shared.clone(), index, actor: name.clone(), name, address }
    }

    /// Its name in the site file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The same host, used by somebody in particular: connections are counted for each actor apart, so that
    /// what one actor does never alters the draws of another.
    #[must_use]
    pub fn used_by(&self, actor: &str) -> Self {
        Self { actor: actor.into(), ..self.clone() }
    }

    /// The key of the next connection that this actor opens to `to`, so that it can be tagged before it exists.
    pub fn next_flow(&self, to: SocketAddrV4) -> FlowKey {
        self.shared.world().next_flow(self.index, &self.actor, FlowProtocol::Tcp, *to.ip(), to.port())
    }

    /// Opens a connection. Waits for the handshake: up to 31 s where nothing answers. Dropped before, it is
    /// given up without a packet.
    ///
    /// Errors: `ConnectionRefused` (reset), `TimedOut` (silence), `HostUnreachable` (no such neighbour),
    /// `PermissionDenied` (a scripted host towards an uplink).
    pub async fn connect(&self, to: SocketAddrV4) -> io::Result<VirtualStream> {
        let key = self.shared.world().dial(self.index, &self.actor, to)?;
        let stream = VirtualStream::new(&self.shared, key);
        poll_fn(|context| -> Poll<io::Result<()>> {
            let mut world = self.shared.world();
            let Some(conn) = world.conns.get_mut(key) else {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            };
            if let Some(error) = conn.error {
                return Poll::Ready(Err(error.into()));
            }
            match conn.socket().state() {
                State::SynSent | State::SynReceived => {
                    conn.socket().register_send_waker(context.waker());
                    Poll::Pending
                }
                State::Closed | State::Listen => Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into())),
                _ => {
                    conn.own();
                    Poll::Ready(Ok(()))
                }
            }
        })
        .await?;
        Ok(stream)
    }

    /// Listens on a port. At most `backlog` connections wait to be accepted; a SYN beyond that is dropped, as
    /// by Linux, and its sender tries again.
    ///
    /// Error: `AddrInUse`.
    pub fn listen(&self, port: u16, backlog: usize) -> io::Result<Listener> {
        let mut world = self.shared.world();
        let listeners = &mut world.hosts[self.index].listeners;
        if port == 0 || listeners.contains_key(&port) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let state = ListenerState { backlog, handshakes: 0, accepted: VecDeque::new(), waker: None };
        listeners.insert(port, state);
        drop(world);
        Ok(Listener { shared: self.shared.clone(), host: self.index, port })
    }

    /// Sends an echo request; the time until its answer.
    ///
    /// Errors: `TimedOut`, `PermissionDenied` (a scripted host towards an uplink).
    pub async fn ping(&self, address: Ipv4Addr, limit: Duration) -> io::Result<Duration> {
        let started = self.clock().now();
        let ident = self.shared.world().start_ping(self.index, &self.actor, address)?;
        match self.wait_for(Question::Ping(ident), limit).await {
            Some(_) => Ok(self.clock().now().since(started)),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Finds out whether a port is open. `limit` is how long silence lasts before it counts as filtered.
    ///
    /// Error: `PermissionDenied` (a scripted host towards an uplink).
    pub async fn probe(
        &self,
        to: SocketAddrV4,
        style: ProbeStyle,
        limit: Duration,
    ) -> io::Result<ProbeResult> {
        match style {
            ProbeStyle::Connect => match with_timeout(&self.clock(), limit, self.connect(to)).await {
                Some(Ok(stream)) => {
                    stream.abort();
                    Ok(ProbeResult::Open)
                }
                Some(Err(error)) => match error.kind() {
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => {
                        Ok(ProbeResult::Closed)
                    }
                    io::ErrorKind::PermissionDenied => Err(error),
                    _ => Ok(ProbeResult::Filtered),
                },
                None => Ok(ProbeResult::Filtered),
            },
            ProbeStyle::HalfOpen => {
                let tuple = self.shared.world().start_probe(self.index, &self.actor, to)?;
                let answer = self.wait_for(Question::Probe(tuple), limit).await;
                Ok(answer.unwrap_or(ProbeResult::Filtered))
            }
        }
    }

    /// Plugs the network cable in or out. Out, frames are lost both ways; connections live on.
    pub fn set_cable(&self, is_plugged_in: bool) {
        let mut world = self.shared.world();
        let nic = world.hosts[self.index].nic;
        world.nics[nic].link.is_up = is_plugged_in;
    }

    /// Alters the link of this host: latency, jitter, loss.
    pub fn set_link(&self, properties: LinkProperties) {
        let mut world = self.shared.world();
        let nic = world.hosts[self.index].nic;
        world.nics[nic].link.properties = properties;
    }

    /// Makes the link of this host a diode: frames pass only the ways that are true.
    pub fn set_diode(&self, passes_out: bool, passes_in: bool) {
        let mut world = self.shared.world();
        let nic = world.hosts[self.index].nic;
        world.nics[nic].link.passes_up = passes_out;
        world.nics[nic].link.passes_down = passes_in;
    }

    /// Forgets all connections without a packet, as when the machine loses power. Streams fail, listening ports
    /// stay with their listeners; peers find out when they next send.
    pub fn power_cycle(&self) {
        let mut world = self.shared.world();
        let keys: Vec<Key> = world.hosts[self.index].tuples.values().copied().collect();
        for key in keys {
            world.lose_conn(key);
        }
    }

    fn clock(&self) -> KernelClock {
        KernelClock { shared: self.shared.clone() }
    }

    /// Waits for the answer to something that was sent by hand; asks no longer when it is dropped.
    async fn wait_for(&self, question: Question, limit: Duration) -> Option<ProbeResult> {
        let asking = Asking { host: self, question };
        let answer = poll_fn(|context| {
            let mut world = self.shared.world();
            poll_answer(asking.question.answer(&mut world.hosts[self.index]), context.waker())
        });
        with_timeout(&self.clock(), limit, answer).await
    }
}

/// Something that was sent by hand.
#[derive(Clone, Copy, Debug)]
enum Question {
    Ping(u16),
    Probe(Tuple),
}

impl Question {
    fn answer(self, host: &mut HostState) -> Option<&mut Answer> {
        match self {
            Self::Ping(ident) => host.pings.get_mut(&ident),
            Self::Probe(tuple) => host.probes.get_mut(&tuple),
        }
    }
}

/// Keeps a question open as long as somebody waits.
struct Asking<'a> {
    host: &'a Host,
    question: Question,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let (index, question) = (self.host.index, self.question);
        self.host.shared.with_world_now_or_later(move |world| match question {
            Question::Ping(ident) => drop(world.hosts[index].pings.remove(&ident)),
            Question::Probe(tuple) => drop(world.hosts[index].probes.remove(&tuple)),
        });
    }
}

fn poll_answer(answer: Option<&mut Answer>, waker: &Waker) -> Poll<ProbeResult> {
    match answer {
        Some(Answer { result: Some(result), .. }) => Poll::Ready(*result),
        Some(answer) => {
            answer.waker = Some(waker.clone());
            Poll::Pending
        }
        None => Poll::Pending,
    }
}
