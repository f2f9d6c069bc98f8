//! What protection sees at the end of a step: relays, load shedding, synchronism checks.
//!
//! It looks at the power system itself, not at what a transmitter sends: relays have instrument transformers of their own. Where a
//! bus has too little voltage to measure a frequency on, frequency elements are blocked, as in real relays.

use std::sync::Arc;

use super::design::{CheckDesign, Place, RelayDesign, RelayLaw};
use super::flow::size_of;
use super::grid::Grid;
use super::readings::degrees_between;
use crate::journal::PlantEventKind;

/// A side of a breaker below this voltage is dead, per unit: there is nothing to be in synchronism with.
const DEAD_PU: f64 = 0.2;

/// Drop-out of relays from their pickups, as is usual: 0.05 Hz, 2 %, and 1 % of speed.
const DROPOUT_HZ: f64 = 0.05;
const DROPOUT_PU: f64 = 0.02;
const DROPOUT_PERCENT: f64 = 1.0;

impl Grid {
    pub(super) fn watch(&mut self) {
        let design = Arc::clone(&self.design);
        for (index, relay) in design.relays.iter().enumerate() {
            self.watch_relay(index, relay);
        }
        for (index, shedding) in design.sheddings.iter().enumerate() {
            let load = &design.loads[shedding.load];
            let hz = self.frequencies[load.bus].hz;
            let feeds = self.breakers[load.breaker].touches() && !self.is_on(shedding.block);
            for (stage, state) in shedding.stages.iter().zip(0..) {
                let low = hz.is_some_and(|hz| hz < self.levels[stage.pickup]) && feeds;
                let mut relay = self.stages[index][state];
                if relay.timer.has_stood(low, self.now, stage.delay) && !relay.operated {
                    relay.operated = true;
                    let percent = (1000.0 * stage.share).round() / 10.0;
                    let bus = &design.bus_names[load.bus];
                    let message = format!("{} sheds {percent} % of the load at bus {bus}", stage.tag);
                    self.say(PlantEventKind::Tripped, &stage.tag, hz.unwrap_or(0.0), message, 1);
                }
                self.stages[index][state] = relay;
            }
        }
        for (index, check) in design.checks.iter().enumerate() {
            self.permissive[index] = self.permits(check);
        }
    }

    fn watch_relay(&mut self, index: usize, design: &RelayDesign) {
        let (cause, value) = self.cause(design.law, self.relays[index].operated);
        let stands = cause && !self.is_on(design.block);
        let mut relay = self.relays[index];
        let operates = relay.timer.has_stood(stands, self.now, design.delay);
        let trips = !(design.breakers.is_empty() && design.lockouts.is_empty());
        if operates != relay.operated {
            let (kind, priority) = match (operates, trips) {
                (true, true) => (PlantEventKind::Tripped, 1),
                (true, false) => (PlantEventKind::SwitchOperated, 2),
                (false, true) => (PlantEventKind::TripReset, 3),
                (false, false) => (PlantEventKind::SwitchReleased, 3),
            };
            self.say(kind, &design.tag, value, design.message.clone(), priority);
        }
        relay.operated = operates;
        self.relays[index] = relay;
        if operates {
            for unit in &design.lockouts {
                self.lock_out(*unit);
            }
        }
    }

    /// Whether a relay's cause is there, and the value that says so. A relay that has operated drops out a little on the good side
    /// of its pickup, so that it does not chatter.
    fn cause(&self, law: RelayLaw, operated: bool) -> (bool, f64) {
        let margin = |size: f64| if operated { size } else { 0.0 };
        let voltage = |bus: usize| size_of(self.system.voltage(bus));
        let frequency = |bus: usize, supervisor: Option<usize>| {
            let feeds = supervisor.is_none_or(|breaker| self.breakers[breaker].touches());
            self.frequencies[bus].hz.filter(|_| feeds)
        };
        match law {
            RelayLaw::UnderFrequency { bus, pickup, supervisor } => {
                let hz = frequency(bus, supervisor);
                (hz.is_some_and(|hz| hz < self.levels[pickup] + margin(DROPOUT_HZ)), hz.unwrap_or(0.0))
            }
            RelayLaw::OverFrequency { bus, pickup, supervisor } => {
                let hz = frequency(bus, supervisor);
                (hz.is_some_and(|hz| hz > self.levels[pickup] - margin(DROPOUT_HZ)), hz.unwrap_or(0.0))
            }
            RelayLaw::UnderVoltage { bus, pickup } => {
                (voltage(bus) < self.levels[pickup] + margin(DROPOUT_PU), voltage(bus))
            }
            RelayLaw::OverVoltage { bus, pickup } => {
                (voltage(bus) > self.levels[pickup] - margin(DROPOUT_PU), voltage(bus))
            }
            RelayLaw::Overspeed { unit, pickup } => {
                let percent = 100.0 * self.system.units()[unit].motion.speed;
                (percent > self.levels[pickup] - margin(DROPOUT_PERCENT), percent)
            }
            RelayLaw::BusDifferential { bus } => {
                (self.has_bus_fault(bus) && self.system.is_live(bus), voltage(bus))
            }
            RelayLaw::LineDifferential { line } => {
                let closed = self.system.switching().closed[line];
                (self.has_line_fault(line) && closed != [false; 2], 0.0)
            }
        }
    }

    /// Whether both sides of a breaker may be joined: in synchronism, or one of them dead.
    fn permits(&self, check: &CheckDesign) -> bool {
        let (bus, far) = self.sides(check.breaker);
        let (bus_pu, far_pu) = (size_of(bus), size_of(far));
        if bus_pu < DEAD_PU || far_pu < DEAD_PU {
            return true;
        }
        let slip_hz = match self.design.breakers[check.breaker].place {
            Place::Line { branch, end } | Place::Unit { branch, end } => {
                let branch = &self.system.design().network.branches[branch];
                let ends = [branch.from, branch.to];
                let pair = self.frequencies[ends[end]].hz.zip(self.frequencies[ends[1 - end]].hz);
                pair.map_or(0.0, |(here, there)| here - there)
            }
            Place::Load(_) => 0.0,
        };
        let angle_rad = degrees_between(far, bus).to_radians();
        angle_rad.abs() <= check.angle_rad
            && slip_hz.abs() <= check.slip_hz
            && (far_pu - bus_pu).abs() <= check.voltage_pu
    }
}
