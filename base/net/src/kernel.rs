//! The kernel: one lab's network and time.
//!
//! # Theory of operation
//! The loop is the same in every mode:
//!   1. run every task until all of them wait; send what they wrote; again, until nothing moves
//!   2. take the earliest event, move the clock to it, deliver it
//!
//! Fast, nothing waits between 2 and 1. Live, the kernel waits for the wall clock before 2 (see `live`). A frame
//! that crosses a switch is given to the mirror's consumers before it is forwarded, so consumers see frames in
//! the order and at the times at which they crossed.
//!
//! # What can go wrong
//! A task panics, or never lets time pass: the run ends with an error that names it, and the kernel runs no
//! further.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use record::{StartTime, VirtualTime};

use crate::clock::KernelClock;
use crate::confine::{ConfineError, confine_thread};
use crate::executor::{Executor, Spawner};
use crate::firewall::FirewallEvent;
use crate::host::Host;
use crate::link::LinkProperties;
use crate::live::Live;
use crate::network::{Mirrors, NetError};
use crate::queue::Event;
use crate::world::Shared;

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A task panicked.
    #[error("task {task:?} panicked: {message}")]
    TaskPanicked {
        /// Its name.
        task: String,
        /// What it said.
        message: String,
    },
    /// Tasks kept each other awake without letting time pass.
    #[error("no time passes: task {task:?} is woken again and again at one moment")]
    Stuck {
        /// The task that ran last.
        task: String,
    },
    /// The thread could not be confined, so nothing ran.
    #[error("{reason}")]
    NotConfined {
        /// What the system said.
        reason: String,
    },
    /// A replayed input lies before the present moment or after the events that the run delivers.
    #[error(
        "input {number} of the replay belongs after {after_events} events at {at}, but the run is at {events} events, {now}"
    )]
    ReplayDiverged {
        /// Which input, counted from 0.
        number: usize,
        /// Its place in the record.
        after_events: u64,
        /// Its time in the record.
        at: VirtualTime,
        /// Events delivered so far.
        events: u64,
        /// The present moment.
        now: VirtualTime,
    },
}

impl From<ConfineError> for KernelError {
    fn from(error: ConfineError) -> Self {
        Self::NotConfined { reason: error.to_string() }
    }
}

/// What a kernel is made from.
#[derive(Clone, Debug)]
pub struct KernelConfig {
    /// Seed of all draws.
    pub seed: u64,
    /// Start of the run in UTC.
    pub start: StartTime,
    /// Whether running forbids the thread to make sockets, for ever. On, unless the system cannot.
    pub confine: bool,
    /// Links inside the site.
    pub link: LinkProperties,
    /// Largest IPv4 packet. 1450, so that a mirrored frame fits a VXLAN datagram on an ordinary network.
    pub mtu: usize,
}

impl KernelConfig {
    /// The usual settings.
    pub fn new(seed: u64, start: StartTime) -> Self {
        Self { seed, start, confine: cfg!(target_os = "linux"), link: LinkProperties::PLANT, mtu: 1450 }
    }
}

/// What a firewall event is given to.
pub type FirewallConsumer = Box<dyn FnMut(&FirewallEvent)>;

/// One lab's network and time. Stays on the thread that made it.
pub struct Kernel {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: KernelConfig,
    pub(crate) executor: Executor,
    pub(crate) mirrors: Rc<RefCell<Mirrors>>,
    pub(crate) firewall_consumers: Vec<FirewallConsumer>,
    pub(crate) live: Live,
    pub(crate) delivered: u64,
    pub(crate) failure: Option<KernelError>,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("config", &self.config)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// A kernel at time zero, without hosts.
    pub fn new(config: KernelConfig) -> Self {
        Self {
            shared: Shared::new(config.seed, config.link, config.mtu),
            config,
            executor: Executor::default(),
            mirrors: Rc::default(),
            firewall_consumers: Vec::new(),
            live: Live::default(),
            delivered: 0,
            failure: None,
        }
    }

    /// Its settings.
    pub fn config(&self) -> &KernelConfig {
        &self.config
    }

    /// Its clock.
    pub fn clock(&self) -> KernelClock {
        KernelClock { shared: self.shared.clone() }
    }

    /// Starts tasks.
    pub fn spawner(&self) -> Spawner {
        self.executor.spawner()
    }

    /// The present moment.
    pub fn now(&self) -> VirtualTime {
        record::Clock::now(&self.clock())
    }

    /// Number of events delivered so far: the place in the run by which outside inputs are replayed.
    pub fn events_delivered(&self) -> u64 {
        self.delivered
    }

    /// Number of tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.executor.len()
    }

    /// Number of events that wait, for watching that nothing piles up.
    pub fn events_waiting(&self) -> usize {
        self.shared.world().queue.len()
    }

    /// Number of connection ends that exist, for watching that nothing piles up.
    pub fn connections(&self) -> usize {
        self.shared.world().conns.len()
    }

    /// Adds a host that a scenario brings, in one of the zones of a network that was built.
    pub fn add_host(&mut self, host: &site::Host) -> Result<Host, NetError> {
        crate::network::add_host(&self.shared, host)
    }

    /// Gives every firewall event to `consumer` from now on, as it happens.
    pub fn on_firewall_event(&mut self, consumer: FirewallConsumer) {
        self.firewall_consumers.push(consumer);
    }

    /// Fast mode: runs until nothing is left to happen before or at `end`, then stands at `end`.
    pub fn run_until(&mut self, end: VirtualTime) -> Result<(), KernelError> {
        self.ready_to_run()?;
        loop {
            self.settle()?;
            match self.next_event_at() {
                Some(at) if at <= end.as_nanos() => self.deliver_next(),
                _ => break,
            }
        }
        self.move_clock(end.as_nanos());
        Ok(())
    }

    /// Checks that the kernel can run, and confines the thread if it is to be.
    pub(crate) fn ready_to_run(&mut self) -> Result<(), KernelError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.config.confine {
            confine_thread()?;
        }
        Ok(())
    }

    /// Step 1: runs tasks and sends what they wrote until nothing moves.
    pub(crate) fn settle(&mut self) -> Result<(), KernelError> {
        loop {
            let ran = match self.executor.run_until_stalled() {
                Ok(ran) => ran,
                Err(failure) => {
                    self.failure = Some(failure.clone());
                    return Err(failure);
                }
            };
            self.shared.catch_up();
            let polled = self.shared.world().poll_touched();
            if !ran && !polled {
                break;
            }
        }
        self.pass_on_firewall_events();
        Ok(())
    }

    /// Time of the next event that means something.
    pub(crate) fn next_event_at(&mut self) -> Option<u64> {
        let mut world = self.shared.world();
        world.skip_pointless();
        world.queue.next_at()
    }

    /// Step 2: moves the clock to the next event and delivers it.
    pub(crate) fn deliver_next(&mut self) {
        let mut world = self.shared.world();
        let Some(scheduled) = world.queue.pop() else { return };
        if scheduled.at > world.now {
            world.now = scheduled.at;
            self.shared.now.store(scheduled.at, std::sync::atomic::Ordering::Relaxed);
            self.executor.moment_passed();
        }
        self.delivered += 1;
        if let Event::AtSwitch { nic, frame } = &scheduled.event {
            let index = world.nics[*nic].switch;
            let switch = &mut world.switches[index];
            switch.crossed += 1;
            let number = switch.crossed;
            switch.ledger.enter(number, &frame.flow);
            let mut mirrors = self.mirrors.borrow_mut();
            if mirrors.watches(index) {
                drop(world);
                mirrors.show(index, VirtualTime::from_nanos(scheduled.at), number, &frame.octets);
                drop(mirrors);
                world = self.shared.world();
            }
        }
        world.deliver(scheduled.event);
    }

    /// Moves the clock forward without an event.
    pub(crate) fn move_clock(&mut self, to: u64) {
        if to > self.now().as_nanos() {
            self.shared.set_now(to);
            self.executor.moment_passed();
        }
    }

    fn pass_on_firewall_events(&mut self) {
        let events = match &mut self.shared.world().firewall {
            Some(firewall) if !firewall.events.is_empty() => std::mem::take(&mut firewall.events),
            _ => return,
        };
        for event in &events {
            for consumer in &mut self.firewall_consumers {
                consumer(event);
            }
        }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // Tasks hold handles to the world and the spawner; dropped here, nothing keeps anything alive.
        self.executor.clear();
    }
}
