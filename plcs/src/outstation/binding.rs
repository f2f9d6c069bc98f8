//! An outstation bound to the image of a controller, as the register map is for Modbus.
//!
//! # Theory of operation
//! The outstation is the communication processor of the controller: it answers at once, from the values that the latest scan
//! has left. A scan begins by taking what masters have commanded into the image ([`Bound::apply`]) and ends by telling the
//! outstation every point ([`Bound::publish`]). So a command takes effect in the scan that follows it, and its answer says
//! that it was accepted, not that the plant has moved.
//!
//! A pulse is on in the first scan and for its on-time; times are looked at once in a scan. With control model *trip-close*
//! and no output of its own for the trip, the pulse moves one latched output: close sets it, trip clears it, as the
//! interposing relay of a breaker does. A latch moves both outputs of a pair: one on, the other off.
//!
//! Where the map names a local or remote switch, its signal decides whether commands are taken (status 7 and IIN1.5 while it
//! is 1), as the scan before has left it.
//!
//! While the device restarts cold its logic stands and its outputs hold; then the logic starts over.

use std::collections::BTreeMap;
use std::time::Duration;

use record::VirtualTime;
use site::PointKind as PointType;
use site::dnp3::{ControlModel, Outstation as Map};
use wire::dnp3::PointKind;
use wire::dnp3::object::{CommandStatus, Flags};

use super::station::{Action, BinaryAction, Process, Restart};
use super::{ChannelId, Outstation};
use crate::image::{Image, SignalId};

/// Where the value of a point comes from.
#[derive(Clone, Copy, Debug)]
struct Source {
    kind: PointKind,
    index: u16,
    signal: SignalId,
    opposite: Option<SignalId>,
    scale: f64,
    offset: f64,
}

impl Source {
    fn value(&self, image: &Image) -> f64 {
        let value = image.get(self.signal);
        match self.kind {
            PointKind::BinaryInput | PointKind::BinaryOutput => f64::from(u8::from(value >= 0.5)),
            PointKind::DoubleBitInput => {
                let closed = image.is_on(self.signal);
                let open = self.opposite.map_or(!closed, |opposite| image.is_on(opposite));
                // Intermediate, off, on, indeterminate (annex A, group 3).
                f64::from(u8::from(open) + 2 * u8::from(closed))
            }
            _ => (value - self.offset) / self.scale,
        }
    }
}

/// A train of pulses under way.
#[derive(Clone, Copy, Debug)]
struct Train {
    /// The first scan of it, once that has come.
    since: Option<VirtualTime>,
    on: Duration,
    off: Duration,
    count: u8,
    signal: SignalId,
}

impl Train {
    /// On or off now; `None` when it is over.
    fn state(&mut self, now: VirtualTime) -> Option<bool> {
        let elapsed = now.since(*self.since.get_or_insert(now)).as_nanos();
        let period = (self.on + self.off).as_nanos().max(1);
        let on = elapsed == 0 || elapsed % period < self.on.as_nanos();
        (elapsed == 0 || elapsed / period < u128::from(self.count)).then_some(on)
    }
}

/// Where a command goes.
#[derive(Clone, Copy, Debug)]
struct Output {
    command: SignalId,
    trip: Option<SignalId>,
    model: ControlModel,
    train: Option<Train>,
    scale: f64,
    offset: f64,
}

/// The outputs of the map, and what was commanded since the latest scan.
#[derive(Debug, Default)]
struct Outputs {
    binary: BTreeMap<u16, Output>,
    analog: BTreeMap<u16, Output>,
    writes: Vec<(SignalId, f64)>,
    restart: Option<Restart>,
}

impl Outputs {
    fn write(&mut self, signal: SignalId, value: f64) {
        self.writes.retain(|(waiting, _)| *waiting != signal);
        self.writes.push((signal, value));
    }
}

impl Process for Outputs {
    fn judge(&mut self, action: &Action) -> CommandStatus {
        match action {
            Action::Binary { index, action } => match self.binary.get(index) {
                Some(output) if output.train.is_some() && *action != BinaryAction::Cancel => {
                    CommandStatus::ALREADY_ACTIVE
                }
                Some(_) => CommandStatus::SUCCESS,
                None => CommandStatus::NOT_SUPPORTED,
            },
            Action::Analog { index, .. } => match self.analog.get(index) {
                Some(_) => CommandStatus::SUCCESS,
                None => CommandStatus::NOT_SUPPORTED,
            },
        }
    }

    fn operate(&mut self, action: &Action) -> CommandStatus {
        let status = self.judge(action);
        if status != CommandStatus::SUCCESS {
            return status;
        }
        match *action {
            Action::Analog { index, value } => {
                if let Some(output) = self.analog.get(&index).copied() {
                    self.write(output.command, value * output.scale + output.offset);
                }
            }
            Action::Binary { index, action } => {
                let Some(output) = self.binary.get_mut(&index) else { return CommandStatus::NOT_SUPPORTED };
                let (command, apart) = (output.command, output.trip);
                match action {
                    BinaryAction::On | BinaryAction::Off => {
                        let on = f64::from(u8::from(action == BinaryAction::On));
                        self.write(command, on);
                        if let Some(trip) = apart {
                            self.write(trip, 1.0 - on);
                        }
                    }
                    BinaryAction::Cancel => {
                        if let Some(train) = output.train.take() {
                            self.write(train.signal, 0.0);
                        }
                    }
                    BinaryAction::Pulse { trip, .. }
                        if output.model == ControlModel::TripClose && apart.is_none() =>
                    {
                        self.write(command, f64::from(u8::from(!trip)));
                    }
                    BinaryAction::Pulse { on, off, count, trip } => {
                        let signal = if trip { apart.unwrap_or(command) } else { command };
                        output.train = Some(Train { since: None, on, off, count, signal });
                    }
                }
            }
        }
        CommandStatus::SUCCESS
    }

    fn restart(&mut self, restart: Restart) {
        self.restart = Some(restart);
    }
}

/// An outstation and the signals of its controller.
#[derive(Debug)]
pub struct Bound {
    outstation: Outstation,
    sources: Vec<Source>,
    outputs: Outputs,
    local: Option<SignalId>,
    restarting: bool,
}

impl Bound {
    /// Binds a map to an image; signals that are missing are declared.
    pub fn new(map: &Map, image: &mut Image) -> Self {
        let (mut sources, mut outputs) = (Vec::new(), Outputs::default());
        for entry in &map.points {
            let kind = match entry.kind {
                PointType::BinaryInput => PointKind::BinaryInput,
                PointType::DoubleBitInput => PointKind::DoubleBitInput,
                PointType::BinaryOutput => PointKind::BinaryOutput,
                PointType::Counter => PointKind::Counter,
                PointType::AnalogInput => PointKind::AnalogInput,
                PointType::AnalogOutput => PointKind::AnalogOutput,
            };
            let index = *entry.index.get_ref();
            let signal = image.declare(entry.tag.get_ref());
            let opposite = entry.opposite.as_ref().map(|tag| image.declare(tag.get_ref()));
            let command = entry.command.as_ref().map(|tag| image.declare(tag.get_ref()));
            let trip = entry.trip.as_ref().map(|tag| image.declare(tag.get_ref()));
            let (scale, offset) = (entry.scale, entry.offset);
            sources.push(Source { kind, index, signal, opposite, scale, offset });
            let command = command.unwrap_or(signal);
            let output = Output { command, trip, model: entry.model, train: None, scale, offset };
            match entry.kind {
                PointType::BinaryOutput => drop(outputs.binary.insert(index, output)),
                PointType::AnalogOutput => drop(outputs.analog.insert(index, output)),
                _ => {}
            }
        }
        let outstation = Outstation::new(map, VirtualTime::ZERO, 0);
        let local = map.settings.local.as_ref().map(|tag| image.declare(tag.get_ref()));
        Self { outstation, sources, outputs, local, restarting: false }
    }

    /// The outstation.
    pub fn outstation(&mut self) -> &mut Outstation {
        &mut self.outstation
    }

    /// Takes octets that arrived.
    pub fn receive(&mut self, id: ChannelId, now: VirtualTime, octets: &[u8]) {
        self.outstation.receive(id, now, octets, &mut self.outputs);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: VirtualTime) {
        self.outstation.tick(now, &mut self.outputs);
    }

    /// Both parts, for work that needs them.
    pub(crate) fn parts(&mut self) -> (&mut Outstation, &mut dyn Process) {
        (&mut self.outstation, &mut self.outputs)
    }

    /// Start of a scan: what was commanded goes into the image. Gives whether a cold restart has just ended.
    pub(crate) fn apply(&mut self, now: VirtualTime, image: &mut Image) -> bool {
        for (signal, value) in self.outputs.writes.drain(..) {
            image.set(signal, value);
        }
        for output in self.outputs.binary.values_mut() {
            let Some(train) = &mut output.train else { continue };
            let state = train.state(now);
            image.set_on(train.signal, state.unwrap_or(false));
            if state.is_none() {
                output.train = None;
            }
        }
        if self.outputs.restart.take() == Some(Restart::Cold) {
            self.restarting = true;
        }
        let over = self.restarting && !self.outstation.is_down(now);
        self.restarting &= !over;
        over
    }

    /// Whether the device restarts cold, so that its logic stands.
    pub(crate) fn is_restarting(&self) -> bool {
        self.restarting
    }

    /// End of a scan: the outstation is told every point, and tells its masters what is worth it.
    pub(crate) fn publish(&mut self, now: VirtualTime, image: &Image) {
        if self.restarting {
            return;
        }
        for source in &self.sources {
            let value = source.value(image);
            let flags = if value.is_nan() { Flags::COMM_LOST } else { Flags::ONLINE };
            self.outstation.update(now, source.kind, source.index, value, flags);
        }
        if let Some(local) = self.local {
            self.outstation.set_local(image.is_on(local));
        }
        self.outstation.publish(now);
    }
}
