//! Everything that a lab's network is made of, and what happens to it at each event.
//!
//! # Theory of operation
//! The world is one value behind one lock. Only the kernel's thread ever takes the lock; it is there because a
//! stream must be `Send` (tokio-modbus asks for it). Nothing that the world calls while it is locked takes the
//! lock again: wakers only put their task into a queue, and what is dropped meanwhile is put off
//! ([`Shared::with_world_now_or_later`]).
//!
//! A frame's way: a host's connection emits a packet, the neighbour table gives the next hop's Ethernet address,
//! the link says when it arrives at the switch ([`Event::AtSwitch`]); there it is counted and mirrored, and each
//! link it leaves by says when it arrives at the next card ([`Event::AtNic`]).

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;

use record::KeyedStream;
use smoltcp::time::Instant;

use crate::conn::Conn;
use crate::filter::Firewall;
use crate::flow::{FlowKey, FlowProtocol, Frame};
use crate::gate::{Gate, Outlet};
use crate::link::{Direction, Link, LinkProperties};
use crate::neighbour::{Neighbours, RETRY, Way};
use crate::packet::{Arp, BROADCAST, ETHERNET, EthernetHead, SHORTEST, TYPE_ARP, TYPE_IPV4};
use crate::queue::{Event, Queue, Scheduled};
use crate::slab::{Key, Slab};
use crate::station::HostState;
use crate::switch::Switch;

type Later = Box<dyn FnOnce(&mut World) + Send>;

/// What the handles of one lab share.
pub(crate) struct Shared {
    /// Virtual time in nanoseconds.
    pub(crate) now: AtomicU64,
    world: Mutex<World>,
    later: Mutex<Vec<Later>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("now", &self.now).finish_non_exhaustive()
    }
}

impl Shared {
    /// A world without hosts.
    pub(crate) fn new(seed: u64, link: LinkProperties, mtu: usize) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicU64::new(0),
            world: Mutex::new(World::new(seed, link, mtu)),
            later: Mutex::new(Vec::new()),
        })
    }

    /// The world. Not to be called from code that the world calls.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For `drop`: changes the world at once, or, where the drop happens inside the world, soon.
    pub(crate) fn with_world_now_or_later(&self, change: impl FnOnce(&mut World) + Send + 'static) {
        match self.world.try_lock() {
            Ok(mut world) => change(&mut world),
            Err(TryLockError::Poisoned(world)) => change(&mut world.into_inner()),
            Err(TryLockError::WouldBlock) => {
                self.later.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(change));
            }
        }
    }

    /// Makes the changes that were put off.
    pub(crate) fn catch_up(&self) {
        let later = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
        for change in later {
            change(&mut self.world());
        }
    }

    /// Moves the clock.
    pub(crate) fn set_now(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
        self.world().now = now;
    }
}

/// Who owns a network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A host, by its number.
    Host(usize),
    /// The firewall.
    Firewall,
    /// A real network, through an uplink: see [`crate::gate`].
    Outside,
}

/// One network card and the cable at it.
#[derive(Debug)]
pub(crate) struct Nic {
    pub(crate) owner: Owner,
    pub(crate) name: Arc<str>,
    pub(crate) mac: [u8; 6],
    /// Own addresses with the number of network bits.
    pub(crate) addresses: Vec<(Ipv4Addr, u8)>,
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) switch: usize,
    pub(crate) link: Link,
    pub(crate) neighbours: Neighbours,
    resolutions: BTreeMap<Ipv4Addr, u64>,
}

/// What a network card is made from.
pub(crate) struct NewNic {
    pub(crate) owner: Owner,
    pub(crate) name: Arc<str>,
    pub(crate) mac: [u8; 6],
    pub(crate) addresses: Vec<(Ipv4Addr, u8)>,
    pub(crate) gateway: Option<Ipv4Addr>,
    pub(crate) switch: usize,
    pub(crate) link: LinkProperties,
}

impl Nic {
    /// Whether an address is reached without a gateway.
    pub(crate) fn is_on_link(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|(own, prefix)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
            (own.to_bits() ^ address.to_bits()) & mask == 0
        })
    }

    fn is_own(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|(own, _)| *own == address)
    }

    fn source_for(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let on_link = self.addresses.iter().find(|(own, prefix)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
            (own.to_bits() ^ address.to_bits()) & mask == 0
        });
        on_link.or(self.addresses.first()).map(|(own, _)| *own)
    }
}

/// Buffers kept for reuse.
const POOL: usize = 512;

/// The world of one lab.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: u64,
    pub(crate) mtu: usize,
    pub(crate) plant_link: LinkProperties,
    pub(crate) queue: Queue,
    pub(crate) timers: Slab<Waker>,
    pub(crate) nics: Vec<Nic>,
    pub(crate) switches: Vec<Switch>,
    pub(crate) hosts: Vec<HostState>,
    pub(crate) firewall: Option<Firewall>,
    /// Where real networks are attached, by switch.
    pub(crate) gates: BTreeMap<usize, Gate>,
    /// Their real sides.
    pub(crate) outlets: BTreeMap<usize, Outlet>,
    pub(crate) conns: Slab<Box<Conn>>,
    pub(crate) host_names: BTreeMap<Arc<str>, usize>,
    pub(crate) addresses: BTreeMap<Ipv4Addr, Arc<str>>,
    /// Connections that a task touched and that may have something to send.
    pub(crate) touched: Vec<Key>,
    pub(crate) pool: Vec<Vec<u8>>,
    /// Packets that a connection emitted and that are not yet on their way.
    pub(crate) emitted: Vec<Vec<u8>>,
}

impl World {
    fn new(seed: u64, plant_link: LinkProperties, mtu: usize) -> Self {
        Self {
            seed,
            now: 0,
            mtu,
            plant_link,
            queue: Queue::default(),
            timers: Slab::default(),
            nics: Vec::new(),
            switches: Vec::new(),
            hosts: Vec::new(),
            firewall: None,
            gates: BTreeMap::new(),
            outlets: BTreeMap::new(),
            conns: Slab::default(),
            host_names: BTreeMap::new(),
            addresses: BTreeMap::new(),
            touched: Vec::new(),
            pool: Vec::new(),
            emitted: Vec::new(),
        }
    }

    /// Present moment as smoltcp counts, in microseconds.
    pub(crate) fn instant(&self) -> Instant {
        Instant::from_micros((self.now / 1000) as i64)
    }

    /// Starts a timer that wakes at `at`.
    pub(crate) fn start_timer(&mut self, at: u64, waker: Waker) -> Key {
        let timer = self.timers.insert(waker);
        self.queue.push(at, Event::Timer { timer });
        timer
    }

    /// Stops a timer that nobody waits for any more.
    pub(crate) fn stop_timer(&mut self, timer: Key) {
        if self.timers.free(timer).is_some() {
            self.queue.note_stale();
        }
    }

    /// The name by which flows call an address.
    pub(crate) fn name_of(&self, address: Ipv4Addr) -> Arc<str> {
        self.addresses.get(&address).cloned().unwrap_or_else(|| address.to_string().into())
    }

    /// Adds a network card to its switch; its number.
    pub(crate) fn add_nic(&mut self, new: NewNic) -> usize {
        let NewNic { owner, name, mac, addresses, gateway, switch, link } = new;
        let nic = self.nics.len();
        for (address, _) in &addresses {
            self.addresses.insert(*address, name.clone());
        }
        self.nics.push(Nic {
            owner,
            name,
            mac,
            addresses,
            gateway,
            switch,
            link: Link::new(link),
            neighbours: Neighbours::default(),
            resolutions: BTreeMap::new(),
        });
        self.switches[switch].plug_in(nic);
        nic
    }

    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn recycle(&mut self, octets: Vec<u8>) {
        if self.pool.len() < POOL {
            self.pool.push(octets);
        }
    }

    /// Whether the earliest event still means something; takes it out if not.
    pub(crate) fn skip_pointless(&mut self) {
        while let Some(scheduled) = self.queue.peek() {
            if is_live(scheduled, &self.timers, &self.conns) {
                break;
            }
            self.queue.pop();
            self.queue.note_stale_gone();
        }
        if self.queue.is_crowded() {
            let (timers, conns) = (&self.timers, &self.conns);
            self.queue.clean(|scheduled| is_live(scheduled, timers, conns));
        }
    }

    /// Delivers an event, except to mirrors, which the kernel does first.
    pub(crate) fn deliver(&mut self, event: Event) {
        match event {
            Event::AtSwitch { nic, frame } => {
                if self.nics[nic].owner == Owner::Outside {
                    self.frame_arrived(nic);
                }
                self.cross_switch(nic, frame);
            }
            Event::AtNic { nic, frame } => match self.nics[nic].owner {
                Owner::Host(host) => self.host_receive(host, frame),
                Owner::Firewall => self.firewall_receive(nic, frame),
                Owner::Outside => self.leave_lab(nic, frame),
            },
            Event::Deadline { conn } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.armed = None;
                }
                self.poll_conn(conn, None);
            }
            Event::Timer { timer } => {
                if let Some(waker) = self.timers.free(timer) {
                    waker.wake();
                }
            }
            Event::ArpRetry { nic, address } => match self.nics[nic].neighbours.retry(address) {
                Some(true) => self.ask_for(nic, address, BROADCAST),
                Some(false) => self.unreachable(nic, address),
                None => {}
            },
            Event::RuleExpiry { rule } => self.expire_rule(rule),
        }
    }

    /// Sends an IPv4 packet with room for an Ethernet header in front out of a card.
    pub(crate) fn send_ip(&mut self, nic: usize, frame: Frame) {
        let destination = match crate::packet::Ipv4Head::parse(&frame.octets[ETHERNET..]) {
            Some(head) => head.destination,
            None => return self.recycle(frame.octets),
        };
        let card = &mut self.nics[nic];
        let hop = if card.is_on_link(destination) { Some(destination) } else { card.gateway };
        let Some(hop) = hop else { return self.recycle(frame.octets) };
        match card.neighbours.way(hop, self.now, frame) {
            Way::To(mac, frame) => self.send_to(nic, mac, frame),
            Way::ToAndRefresh(mac, frame) => {
                self.ask_for(nic, hop, mac);
                self.send_to(nic, mac, frame);
            }
            Way::Ask => self.ask_for(nic, hop, BROADCAST),
            Way::Wait => {}
        }
    }

    fn send_to(&mut self, nic: usize, mac: [u8; 6], mut frame: Frame) {
        let source = self.nics[nic].mac;
        EthernetHead { destination: mac, source, kind: TYPE_IPV4 }.emit(&mut frame.octets);
        self.transmit(nic, frame);
    }

    /// Puts a finished frame on the cable.
    pub(crate) fn transmit(&mut self, nic: usize, mut frame: Frame) {
        if frame.octets.len() < SHORTEST {
            frame.octets.resize(SHORTEST, 0);
        }
        if self.guard_admits(nic, &frame) { self.send_up(nic, frame) } else { self.recycle(frame.octets) }
    }

    /// Towards the switch, past the rules at the port.
    pub(crate) fn send_up(&mut self, nic: usize, mut frame: Frame) {
        match self.nics[nic].link.arrival(Direction::Up, self.now, &mut frame) {
            Some(at) => self.queue.push(at, Event::AtSwitch { nic, frame }),
            None => self.recycle(frame.octets),
        }
    }

    /// Forwards a frame that the kernel has counted and mirrored.
    fn cross_switch(&mut self, from: usize, frame: Frame) {
        let Some(head) = EthernetHead::parse(&frame.octets) else { return self.recycle(frame.octets) };
        let switch = self.nics[from].switch;
        if let Some(to) = self.switches[switch].forward(from, &head) {
            if to == from {
                return self.recycle(frame.octets);
            }
            return self.leave_switch(to, frame);
        }
        for index in 0..self.switches[switch].ports.len() {
            let to = self.switches[switch].ports[index];
            if to != from {
                let mut octets = self.buffer();
                octets.clone_from(&frame.octets);
                self.leave_switch(to, Frame { octets, ..frame.clone_without_octets() });
            }
        }
        self.recycle(frame.octets);
    }

    fn leave_switch(&mut self, nic: usize, frame: Frame) {
        if self.guard_admits(nic, &frame) { self.send_down(nic, frame) } else { self.recycle(frame.octets) }
    }

    /// From the switch, past the rules at the port.
    pub(crate) fn send_down(&mut self, nic: usize, mut frame: Frame) {
        if self.nics[nic].owner == Owner::Outside && !self.may_leave(nic, &frame.octets) {
            return self.recycle(frame.octets);
        }
        match self.nics[nic].link.arrival(Direction::Down, self.now, &mut frame) {
            Some(at) => self.queue.push(at, Event::AtNic { nic, frame }),
            None => self.recycle(frame.octets),
        }
    }

    /// Asks who has an address.
    fn ask_for(&mut self, nic: usize, address: Ipv4Addr, destination: [u8; 6]) {
        let name = self.name_of(address);
        let mut octets = self.buffer();
        let card = &mut self.nics[nic];
        let Some(sender) = card.source_for(address) else { return };
        let count = card.resolutions.entry(address).or_default();
        let occurrence = *count;
        *count += 1;
        let request =
            Arp { is_request: true, sender_mac: card.mac, sender, target_mac: [0; 6], target: address };
        request.emit(destination, &mut octets);
        let flow = FlowKey {
            source: card.name.clone(),
            destination: name,
            protocol: FlowProtocol::Arp,
            port: 0,
            actor: card.name.clone(),
            occurrence,
        };
        let draw = flow.draws(self.seed, "jitter").bits(0);
        self.transmit(nic, Frame { octets, flow: Arc::new(flow), position: 0, draw });
        self.queue.push(self.now + RETRY, Event::ArpRetry { nic, address });
    }

    /// An ARP message reached a card.
    pub(crate) fn arp_receive(&mut self, nic: usize, frame: Frame) {
        let Some(arp) = Arp::parse(&frame.octets[ETHERNET..]) else { return self.recycle(frame.octets) };
        let (now, seed) = (self.now, self.seed);
        let card = &mut self.nics[nic];
        let (is_for_us, is_neighbour) = (card.is_own(arp.target), card.is_on_link(arp.sender));
        let is_sane = arp.sender_mac[0] & 1 == 0 && !card.is_own(arp.sender);
        // Somebody asks before it takes an address (RFC 5227, section 2.1.1): it is told, and not learnt.
        let is_probe = arp.is_request && is_for_us && arp.sender.is_unspecified();
        if !is_sane || !(is_neighbour || is_probe) {
            return self.recycle(frame.octets);
        }
        if !is_for_us || (!arp.is_request && !card.neighbours.expects(arp.sender)) {
            card.neighbours.hear(arp.sender, arp.sender_mac);
            return self.recycle(frame.octets);
        }
        let mut draws = frame.flow.draws(seed, "jitter.back");
        let waiting = if is_probe {
            Vec::new()
        } else {
            card.neighbours.learn(arp.sender, arp.sender_mac, now, draws.bits(1))
        };
        let own = card.mac;
        for held in waiting {
            self.send_to(nic, arp.sender_mac, held);
        }
        let Frame { mut octets, flow, .. } = frame;
        if !arp.is_request {
            return self.recycle(octets);
        }
        let reply = Arp {
            is_request: false,
            sender_mac: own,
            sender: arp.target,
            target_mac: arp.sender_mac,
            target: arp.sender,
        };
        reply.emit(arp.sender_mac, &mut octets);
        self.transmit(nic, Frame { octets, flow, position: 0, draw: draws.bits(0) });
    }

    /// What arrived is Ethernet for this card: its type.
    pub(crate) fn accepted_kind(&self, nic: usize, frame: &Frame) -> Option<u16> {
        let head = EthernetHead::parse(&frame.octets)?;
        (head.destination == self.nics[nic].mac || head.destination == BROADCAST).then_some(head.kind)
    }

    /// The keyed stream of a host-wide purpose.
    pub(crate) fn draws(&self, component: &str, purpose: &str) -> KeyedStream {
        KeyedStream::new(self.seed, component, purpose)
    }
}

/// EtherType of ARP, for those who look at [`World::accepted_kind`].
pub(crate) const KIND_ARP: u16 = TYPE_ARP;
/// EtherType of IPv4.
pub(crate) const KIND_IPV4: u16 = TYPE_IPV4;

fn is_live(scheduled: &Scheduled, timers: &Slab<Waker>, conns: &Slab<Box<Conn>>) -> bool {
    match &scheduled.event {
        Event::Timer { timer } => timers.get(*timer).is_some(),
        Event::Deadline { conn } => conns.get(*conn).is_some_and(|conn| conn.armed == Some(scheduled.at)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that no stack of ours would send: random ones, and good ones with octets turned over.
    #[test]
    fn no_frame_makes_anything_panic() {
        let start = "2021-02-05T08:00:00Z".parse().unwrap();
        let mut kernel = crate::Kernel::new(crate::KernelConfig::new(1, start));
        let site = site::Site::named("waterworks").unwrap();
        let network = crate::build(&mut kernel, &site).unwrap();
        let plc = network.host("plc-1").unwrap();
        let _listener = plc.listen(502, 4).unwrap();
        let client = network.host("hmi").unwrap();
        kernel.spawner().spawn("client", async move {
            let to = std::net::SocketAddrV4::new(plc.address(), 502);
            let _stream = client.connect(to).await.unwrap();
            std::future::pending::<()>().await;
        });
        // Good frames to start from.
        let good = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let into = good.clone();
        network.mirror(
            "control",
            Box::new(move |_, _, frame| {
                if into.borrow().len() < 16 {
                    into.borrow_mut().push(frame.to_vec());
                }
            }),
        );
        kernel.run_until(record::VirtualTime::from_secs(1)).unwrap();
        assert!(good.borrow().len() >= 5);
        let name: Arc<str> = "anybody".into();
        let flow = Arc::new(FlowKey {
            source: name.clone(),
            destination: name.clone(),
            protocol: FlowProtocol::Tcp,
            port: 0,
            actor: name,
            occurrence: 0,
        });
        let mut draws = KeyedStream::new(1, "test", "frames");
        for n in 0..50_000 {
            let mut octets = good.borrow()[draws.below(n * 8, good.borrow().len() as u64) as usize].clone();
            for turn in 0..draws.below(n * 8 + 1, 4) {
                let place = draws.below(n * 8 + 2 + turn, octets.len() as u64) as usize;
                octets[place] = draws.bits(n * 8 + 5) as u8;
            }
            if n % 5 == 0 {
                octets.truncate(draws.below(n * 8 + 6, 80) as usize);
            }
            let mut world = kernel.shared.world();
            let nic = draws.below(n * 8 + 7, world.nics.len() as u64) as usize;
            let at = world.now;
            let frame = Frame { octets, flow: flow.clone(), position: n, draw: n };
            world.queue.push(
                at,
                if n % 2 == 0 { Event::AtNic { nic, frame } } else { Event::AtSwitch { nic, frame } },
            );
            drop(world);
            if n % 16 == 0 {
                let end = kernel.now() + std::time::Duration::from_millis(3);
                kernel.run_until(end).unwrap();
            }
        }
        kernel.run_until(record::VirtualTime::from_secs(3600)).unwrap();
        assert!(kernel.connections() < 8, "{}", kernel.connections());
    }
}
