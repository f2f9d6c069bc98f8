//! Live mode and replay: the wall clock paces the kernel, and what comes from outside is kept and put back.
//!
//! # Theory of operation
//! Live, the kernel waits before each event until the wall clock has come as far, at a factor of 1 to 1000. While
//! it waits, other threads may send it something through a [`LiveControl`]: octets of a real client, an action of
//! a person, or a command to the kernel itself (pause, step, another pace, stop). An input takes effect at the
//! virtual moment that the wall clock shows, between two events, and is told to the input consumers together
//! with the number of events delivered before it. A replay puts it back by that number, so that the same tasks
//! run between the same events; commands to the kernel leave no trace in what happens, only in how fast.
//!
//! A frame of a real network is an input as well ([`LiveControl::frame`]). Frames may come faster than the lab can
//! live: a bounded number waits for the kernel, and whenever events are due it delivers a batch of them
//! before it takes the next input. While the lab stands still, frames are dropped.
//!
//! # What can go wrong
//! A machine that cannot keep up, or slept, does not race to catch up: beyond half a second the lab is late.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::time::{Duration, Instant};

use record::{Outside, OutsideInput, VirtualTime};

use crate::gate::Outlet;
use crate::host::Host;
use crate::kernel::{Kernel, KernelError};
use crate::lag::LagMeter;
use crate::station::HostState;
use crate::uplink::{ClientEnd, Pipe, carry};
use crate::uplink_counters::UplinkCounters;

/// Frames from real networks that may wait for the kernel, over all uplinks.
const FRAMES_WAITING: usize = 1024;
/// Events that are delivered, if they are due, before the next input is looked for.
const BATCH: u32 = 64;

/// Virtual seconds per second of the wall clock, 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Pace(f64);

/// Why a number is not a pace.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a pace is a factor from 1 to 1000, got {got}")]
pub struct PaceError {
    /// What it was.
    pub got: f64,
}

impl Pace {
    /// As fast as the wall clock.
    pub const REAL_TIME: Self = Self(1.0);

    /// A pace of `factor` virtual seconds per second.
    pub fn new(factor: f64) -> Result<Self, PaceError> {
        if (1.0..=1000.0).contains(&factor) { Ok(Self(factor)) } else { Err(PaceError { got: factor }) }
    }

    /// Virtual seconds per second.
    pub fn factor(self) -> f64 {
        self.0
    }
}

/// How a live run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveEnd {
    /// It came to its end.
    Reached,
    /// Somebody stopped it.
    Stopped,
}

/// What other threads tell the kernel.
pub(crate) enum Command {
    Input { source: String, input: Outside, client: Option<ClientEnd> },
    Frame { source: Arc<str>, zone: Arc<str>, octets: Vec<u8> },
    PlugIn { zone: Arc<str>, outlet: Outlet },
    SetPace(Pace),
    Pause,
    Resume,
    Step(Duration),
    Stop,
}

/// Speaks to a live kernel from any thread. Cheap to clone. What is sent before the run begins takes effect
/// when it does; what is sent after it ended is lost.
#[derive(Clone, Debug)]
pub struct LiveControl {
    commands: Sender<Command>,
    next_connection: Arc<AtomicU64>,
    lag: Arc<LagMeter>,
    frames_waiting: Arc<AtomicUsize>,
}

impl LiveControl {
    /// A frame of a real network for a zone's switch, from the destination address on: handed to the virtual network
    /// and kept for replay. `source` says from where, for example `eth0`. False where too many wait: it is dropped.
    pub fn frame(&self, source: &Arc<str>, zone: &Arc<str>, octets: Vec<u8>) -> bool {
        if self.frames_waiting.fetch_add(1, Ordering::Relaxed) >= FRAMES_WAITING {
            self.frames_waiting.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.send(Command::Frame { source: source.clone(), zone: zone.clone(), octets });
        true
    }

    /// Has the answers of a zone that leave the lab put into `frames`; those that do not fit are dropped and
    /// counted. Alters nothing of what happens in the lab.
    pub fn plug_in(&self, zone: &Arc<str>, frames: SyncSender<Vec<u8>>, counters: Arc<UplinkCounters>) {
        self.send(Command::PlugIn { zone: zone.clone(), outlet: Outlet { frames, counters } });
    }

    /// A person acts: handed to the kernel's action handlers and kept for replay. `source` says through what,
    /// for example `console`.
    pub fn act(&self, source: &str, command: &str) {
        self.input(source, Outside::Action { command: command.to_owned() }, None);
    }

    /// Goes on at another pace.
    pub fn set_pace(&self, pace: Pace) {
        self.send(Command::SetPace(pace));
    }

    /// Stops time.
    pub fn pause(&self) {
        self.send(Command::Pause);
    }

    /// Lets time go on.
    pub fn resume(&self) {
        self.send(Command::Resume);
    }

    /// Lets a span of virtual time pass at once, even while time stands still. A pause or a stop ends it early.
    pub fn step(&self, span: Duration) {
        self.send(Command::Step(span));
    }

    /// Ends the run at the present moment.
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    /// Host's time within which a share of the events so far, 0 to 1, was delivered after it was due, rounded up to a class of
    /// lateness. `None` before the first event, and beyond half a second.
    pub fn lag(&self, share: f64) -> Option<Duration> {
        self.lag.covers(share)
    }

    /// A number for a new connection.
    pub(crate) fn number_connection(&self) -> u64 {
        self.next_connection.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn input(&self, source: &str, input: Outside, client: Option<ClientEnd>) {
        self.send(Command::Input { source: source.to_owned(), input, client });
    }

    fn send(&self, command: Command) {
        // A kernel that is gone hears nothing, and there is nobody to tell.
        let _ = self.commands.send(command);
    }
}

/// Gets every outside input as it takes effect.
pub type InputConsumer = Box<dyn FnMut(&OutsideInput)>;
/// Carries out the actions of persons: when, through what, and what was asked.
pub type ActionHandler = Box<dyn FnMut(VirtualTime, &str, &str)>;

/// The kernel's side.
pub(crate) struct Live {
    control: LiveControl,
    inbox: Receiver<Command>,
    input_consumers: Vec<InputConsumer>,
    action_handlers: Vec<ActionHandler>,
    pipes: BTreeMap<u64, Rc<Pipe>>,
}

impl Default for Live {
    fn default() -> Self {
        let (commands, inbox) = channel();
        Self {
            control: LiveControl {
                commands,
                next_connection: Arc::default(),
                lag: Arc::default(),
                frames_waiting: Arc::default(),
            },
            inbox,
            input_consumers: Vec::new(),
            action_handlers: Vec::new(),
            pipes: BTreeMap::new(),
        }
    }
}

/// Ties virtual time to the wall clock.
struct Pacer {
    wall: Instant,
    virtual_at_wall: u64,
    pace: Pace,
    is_paused: bool,
    /// How late the next event is.
    late: Duration,
    /// A step: up to here nothing waits.
    fast_until: Option<u64>,
}

/// Lag beyond which the lab is late instead of racing.
const LAG: Duration = Duration::from_millis(500);

impl Pacer {
    fn restart(&mut self, now: u64) {
        self.wall = Instant::now();
        self.virtual_at_wall = now;
    }

    /// Virtual time by the wall clock, not before `earliest` nor after `latest`.
    fn now(&self, earliest: u64, latest: u64) -> u64 {
        if self.is_paused || self.fast_until.is_some() {
            return earliest;
        }
        let passed = self.wall.elapsed().as_secs_f64() * self.pace.0 * 1e9;
        (self.virtual_at_wall.saturating_add(passed as u64)).clamp(earliest, latest.max(earliest))
    }

    /// How long to wait for a virtual moment; `None` for ever.
    fn wait(&mut self, until: u64) -> Option<Duration> {
        self.late = Duration::ZERO;
        if self.fast_until.is_some() {
            return Some(Duration::ZERO);
        }
        if self.is_paused {
            return None;
        }
        let span = until.saturating_sub(self.virtual_at_wall) as f64 / 1e9 / self.pace.0;
        let due = self.wall + Duration::from_secs_f64(span);
        let now = Instant::now();
        self.late = now.saturating_duration_since(due);
        if self.late > LAG {
            self.restart(until);
        }
        Some(due.saturating_duration_since(now))
    }
}

impl Kernel {
    /// Speaks to this kernel from other threads while it runs live.
    pub fn live_control(&self) -> LiveControl {
        self.live.control.clone()
    }

    /// Gives every outside input to `consumer` as it takes effect, live and in a replay.
    pub fn on_outside_input(&mut self, consumer: InputConsumer) {
        self.live.input_consumers.push(consumer);
    }

    /// Hands persons' actions to `handler`, live and in a replay.
    pub fn on_action(&mut self, handler: ActionHandler) {
        self.live.action_handlers.push(handler);
    }

    /// Live mode: runs to `end`, paced by the wall clock, open to what comes from outside.
    pub fn run_live(&mut self, pace: Pace, end: VirtualTime) -> Result<LiveEnd, KernelError> {
        self.ready_to_run()?;
        let end = end.as_nanos();
        let mut pacer = Pacer {
            wall: Instant::now(),
            virtual_at_wall: self.now().as_nanos(),
            pace,
            is_paused: false,
            late: Duration::ZERO,
            fast_until: None,
        };
        let mut in_a_row = 0;
        loop {
            self.settle()?;
            let event = self.next_event_at().filter(|at| *at <= end);
            let next = event.unwrap_or(end);
            if let Some(to) = pacer.fast_until.filter(|to| next > *to) {
                self.move_clock(to);
                pacer.fast_until = None;
                pacer.restart(to);
            }
            let wait = pacer.wait(next);
            if wait == Some(Duration::ZERO) && event.is_some() && in_a_row < BATCH {
                in_a_row += 1;
                self.live.control.lag.note(pacer.late);
                self.deliver_next();
                continue;
            }
            in_a_row = 0;
            match self.next_command(wait) {
                Some(Command::Frame { source, zone, octets }) => {
                    self.live.control.frames_waiting.fetch_sub(1, Ordering::Relaxed);
                    let at = pacer.now(self.now().as_nanos(), next);
                    self.take_frame(at, &source, &zone, &octets, pacer.is_paused);
                }
                Some(Command::PlugIn { zone, outlet }) => {
                    let mut world = self.shared.world();
                    if let Some(switch) = world.switch_of(&zone) {
                        world.outlets.insert(switch, outlet);
                    }
                }
                Some(Command::Input { source, input, client }) => {
                    let at = pacer.now(self.now().as_nanos(), next);
                    self.take_input(at, source, input, client);
                }
                Some(Command::SetPace(pace)) => {
                    pacer.restart(pacer.now(self.now().as_nanos(), next));
                    pacer.pace = pace;
                }
                Some(Command::Pause) => {
                    self.move_clock(pacer.now(self.now().as_nanos(), next));
                    pacer.is_paused = true;
                    pacer.fast_until = None;
                }
                Some(Command::Resume) => {
                    if pacer.is_paused {
                        pacer.is_paused = false;
                        pacer.restart(self.now().as_nanos());
                    }
                }
                Some(Command::Step(span)) => {
                    let from = pacer.fast_until.unwrap_or_else(|| pacer.now(self.now().as_nanos(), next));
                    let to = from.saturating_add(span.as_nanos() as u64).min(end);
                    // Not in one go: whoever says stop in a long step is heard.
                    pacer.fast_until = Some(to);
                }
                Some(Command::Stop) => {
                    let at = pacer.now(self.now().as_nanos(), next);
                    self.run_until(VirtualTime::from_nanos(at))?;
                    return Ok(LiveEnd::Stopped);
                }
                None if event.is_some() => {
                    self.live.control.lag.note(pacer.wait(next).map_or(Duration::ZERO, |_| pacer.late));
                    self.deliver_next();
                }
                None => {
                    self.move_clock(end);
                    return Ok(LiveEnd::Reached);
                }
            }
        }
    }

    /// Fast mode with a person in it: runs to `at`, then hands in an action as if it had come from outside.
    pub fn run_until_action(
        &mut self,
        at: VirtualTime,
        source: &str,
        command: &str,
    ) -> Result<(), KernelError> {
        self.run_until(at)?;
        let input = Outside::Action { command: command.to_owned() };
        self.take_input(at.as_nanos(), source.to_owned(), input, None);
        Ok(())
    }

    /// Plays a live run again: the same seed and tasks, with `inputs` put back where they were. The run ends at
    /// `end`, as that one did.
    pub fn run_replay(&mut self, inputs: &[OutsideInput], end: VirtualTime) -> Result<(), KernelError> {
        self.ready_to_run()?;
        let mut waiting = inputs.iter().enumerate().peekable();
        loop {
            self.settle()?;
            let next = self.next_event_at().filter(|at| *at <= end.as_nanos());
            match waiting.peek() {
                Some((_, input)) if input.after_events == self.delivered && self.fits(input, next) => {
                    self.take_input(input.t.as_nanos(), input.source.clone(), input.input.clone(), None);
                    waiting.next();
                }
                Some((_, input)) if input.after_events > self.delivered && next.is_some() => {
                    self.deliver_next();
                }
                Some((number, input)) => {
                    return Err(KernelError::ReplayDiverged {
                        number: *number,
                        after_events: input.after_events,
                        at: input.t,
                        events: self.delivered,
                        now: self.now(),
                    });
                }
                None if next.is_some() => self.deliver_next(),
                None => break,
            }
        }
        self.move_clock(end.as_nanos());
        Ok(())
    }

    fn fits(&self, input: &OutsideInput, next: Option<u64>) -> bool {
        input.t >= self.now() && next.is_none_or(|next| input.t.as_nanos() <= next)
    }

    fn next_command(&self, wait: Option<Duration>) -> Option<Command> {
        // The control that this kernel holds itself keeps the channel open, so an error means: nothing there.
        match wait {
            Some(Duration::ZERO) => self.live.inbox.try_recv().ok(),
            Some(wait) => self.live.inbox.recv_timeout(wait).ok(),
            None => self.live.inbox.recv().ok(),
        }
    }

    /// A frame of a real network: an input, unless the lab stands still.
    fn take_frame(&mut self, at: u64, source: &str, zone: &str, octets: &[u8], is_paused: bool) {
        if is_paused {
            let world = self.shared.world();
            if let Some(outlet) = world.switch_of(zone).and_then(|switch| world.outlets.get(&switch)) {
                outlet.counters.dropped_in.add(1);
            }
            return;
        }
        let input = Outside::Frame { zone: zone.to_owned(), octets: to_hex(octets) };
        self.take_input(at, source.to_owned(), input, None);
    }

    fn take_input(&mut self, at: u64, source: String, input: Outside, client: Option<ClientEnd>) {
        self.move_clock(at);
        let kept = OutsideInput { after_events: self.delivered, t: self.now(), source, input };
        for consumer in &mut self.live.input_consumers {
            consumer(&kept);
        }
        match &kept.input {
            Outside::Open { connection, to } => self.open_pipe(*connection, to, &kept.source, client),
            Outside::Data { connection, octets } => {
                if let Some(pipe) = self.live.pipes.get(connection) {
                    pipe.put(&from_hex(octets));
                }
            }
            Outside::Close { connection } => {
                if let Some(pipe) = self.live.pipes.remove(connection) {
                    pipe.close();
                }
            }
            Outside::Frame { zone, octets } => {
                let mut world = self.shared.world();
                if let Some(switch) = world.switch_of(zone)
                    && !world.enter(switch, &from_hex(octets))
                    && let Some(outlet) = world.outlets.get(&switch)
                {
                    outlet.counters.refused_in.add(1);
                }
            }
            Outside::Action { command } => {
                for handler in &mut self.live.action_handlers {
                    handler(kept.t, &kept.source, command);
                }
            }
        }
    }

    fn open_pipe(&mut self, connection: u64, to: &str, source: &str, client: Option<ClientEnd>) {
        let Ok(to) = to.parse::<SocketAddrV4>() else { return };
        let uplink = {
            let world = self.shared.world();
            let is_near = |host: &HostState| world.nics[host.nic].is_on_link(*to.ip());
            let near = world.hosts.iter().position(|host| host.is_uplink && is_near(host));
            near.or_else(|| world.hosts.iter().position(|host| host.is_uplink))
        };
        // Without an uplink, or to nowhere, the client's end is dropped, which closes its connection.
        let Some(uplink) = uplink else { return };
        let host = Host::new(&self.shared, uplink).used_by(source);
        let pipe = Rc::new(Pipe::new(client));
        self.live.pipes.insert(connection, pipe.clone());
        self.spawner().spawn(&format!("uplink connection {connection}"), carry(host, to, pipe));
    }
}

/// Octets in hexadecimal, lower case.
pub(crate) fn to_hex(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    octets
        .iter()
        .flat_map(|octet| [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]])
        .map(char::from)
        .collect()
}

/// Octets from hexadecimal; what is not hexadecimal is left out.
fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_mirrors() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&all)), all);
        assert_eq!(to_hex(&[0x0a, 0xf0]), "0af0");
        assert_eq!(from_hex("0g1"), [0x01]);
    }

    #[test]
    fn a_pace_is_from_1_to_1000() {
        for wrong in [0.0, 0.99, 1000.1, f64::NAN, -1.0, f64::INFINITY] {
            assert!(Pace::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Pace::new(1000.0).unwrap().factor(), 1000.0);
    }
}
