//! The power system as a plant: breakers, protection and settings around the machines and their network.
//!
//! # Theory of operation
//! One step of 5 ms runs in this order:
//!   1. command   coils, settings and pulses as the actuators stand; faults that have lasted long enough end
//!   2. switch    contacts whose time has come part or touch; the network is reduced again if anything changed
//!   3. move      machines and governors, one step of Runge and Kutta
//!   4. look      frequencies, then relays, load shedding and synchronism checks (`watch.rs`), on the power system itself
//!   5. tally     energy not served, life of shafts, trips
//!
//! So everything that switches does so on the boundary between two steps. A relay that operates at the end of a step
//! energises trip coils at the beginning of the next; contacts part `open_ms` later.
//!
//! # Terms
//! *lockout* (86): a latched relay that holds a unit's breaker open and its steam off until it is reset. *share*: of a load, what is
//! not shed.

use std::sync::Arc;

use num_complex::Complex64;

use super::breaker::{Breaker, Moved};
use super::demand::Demand;
use super::design::{GridDesign, Place};
use super::flow::size_of;
use super::machine::Drive;
use super::network::Switching;
use super::protection::{Relay, Shaft, TapChanger};
use super::readings::degrees_between;
use super::system::System;
use crate::design::ActuatorDesign;
use crate::fault::FaultKind;
use crate::journal::{Journal, PlantEventKind};

/// The state of a power system with everything around it.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(super) design: Arc<GridDesign>,
    pub(super) system: System,
    /// Positions of the actuators, in the order of the plant's list. Written before each step.
    pub(crate) levels: Vec<f64>,
    /// Positions in the step before, for coils that act once.
    levels_before: Vec<f64>,
    pub(super) now: u64,
    pub(super) breakers: Vec<Breaker>,
    pub(super) units: Vec<UnitState>,
    pub(super) taps: Vec<TapChanger>,
    pub(super) relays: Vec<Relay>,
    pub(super) stages: Vec<Vec<Relay>>,
    pub(super) permissive: Vec<bool>,
    pub(super) frequencies: Vec<Frequency>,
    /// Steps at which faults of lines and buses end.
    line_faults: Vec<Option<u64>>,
    bus_faults: Vec<Option<u64>>,
    demands: Vec<Demand>,
    /// Demand of each load over that of the steady state.
    multipliers: Vec<f64>,
    /// Where the demand pattern was when it was started, s, and at which step.
    demand_start: Option<(f64, u64)>,
    pub(super) tally: Tally,
    reports: Vec<Report>,
}

/// A unit's state besides its motion.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnitState {
    pub(super) is_locked_out: bool,
    pub(super) is_destroyed: bool,
    pub(super) shaft: Shaft,
    /// Internal voltage in the steady state.
    emf_at_start: f64,
}

/// Frequency of a bus.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frequency {
    /// None where there is no voltage to measure it on.
    pub(super) hz: Option<f64>,
    pub(super) slow_hz: Option<f64>,
}

/// What was lost in the last step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) unserved_mwh: f64,
    pub(super) life: f64,
    pub(super) unit_trips: u32,
    pub(super) destroyed: u32,
}

#[derive(Clone, Debug)]
struct Report {
    kind: PlantEventKind,
    tag: String,
    value: f64,
    message: String,
    priority: u8,
}

/// Customers below this voltage have none to speak of, per unit: contactors have dropped.
const SERVED_PU: f64 = 0.5;
/// Time constant over which the rate of change of frequency is taken, s.
pub(super) const ROCOF_S: f64 = 0.1;

impl Grid {
    pub(crate) fn new(design: Arc<GridDesign>, actuators: &[ActuatorDesign], seed: u64) -> Self {
        let system = design.system.clone();
        let levels: Vec<f64> = actuators.iter().map(|actuator| actuator.initial).collect();
        let unit = |unit: &super::machine::Unit| UnitState { emf_at_start: unit.emf, ..UnitState::default() };
        let hz = Some(system.design().frequency_hz);
        let mut grid = Self {
            levels_before: levels.clone(),
            levels,
            now: 0,
            breakers: vec![Breaker::CLOSED; design.breakers.len()],
            units: system.units().iter().map(unit).collect(),
            taps: vec![TapChanger::default(); design.loads.len()],
            relays: vec![Relay::default(); design.relays.len()],
            stages: design.sheddings.iter().map(|one| vec![Relay::default(); one.stages.len()]).collect(),
            permissive: vec![true; design.checks.len()],
            frequencies: vec![Frequency { hz, slow_hz: hz }; design.bus_kv.len()],
            line_faults: vec![None; design.line_names.len()],
            bus_faults: vec![None; design.bus_kv.len()],
            demands: design
                .loads
                .iter()
                .map(|load| Demand::new(seed, &design.breakers[load.breaker].tag))
                .collect(),
            multipliers: vec![1.0; design.loads.len()],
            demand_start: None,
            tally: Tally::default(),
            reports: Vec::new(),
            system,
            design,
        };
        grid.feel_torque();
        grid
    }

    /// Moves on by one step; `step` counts from 1.
    pub(crate) fn advance(&mut self, step: u64) {
        let design = Arc::clone(&self.design);
        self.now = step;
        self.tally = Tally::default();
        let life_before = self.life_used();
        self.set_units(&design);
        self.set_taps(&design);
        self.set_demand(&design);
        self.bring_back_feeders(&design);
        self.work_breakers(&design);
        self.end_faults();
        let wanted = self.wanted_switching(&design);
        if wanted != *self.system.switching() {
            self.system.switch(|switching| *switching = wanted);
            self.feel_torque();
        }
        self.system.advance(design.step_s);
        self.feel_torque();
        self.look_at_frequencies(design.step_s);
        self.watch();
        self.break_units(&design);
        self.tally.life = self.life_used() - life_before;
        self.tally_energy(&design);
        self.levels_before.clone_from(&self.levels);
    }

    /// Lets customers' demand wander from now on, from this many seconds into its pattern.
    pub(crate) fn start_demand(&mut self, offset_s: u64) {
        self.demand_start = Some((offset_s as f64, self.now));
    }

    /// Says what happened in the last step.
    pub(crate) fn report(&mut self, journal: &mut Journal) {
        for report in self.reports.drain(..) {
            journal.report(
                report.kind,
                &report.tag,
                &report.tag,
                report.value,
                &report.message,
                report.priority,
            );
        }
    }

    /// Makes a part ill (`value` is the fault's only parameter) or well again.
    pub(crate) fn set_ill(&mut self, kind: FaultKind, tag: &str, value: Option<f64>, step: u64) {
        let design = Arc::clone(&self.design);
        let until = value.map(|lasts_s| {
            if lasts_s > 0.0 {
                step.saturating_add((lasts_s / design.step_s).round() as u64)
            } else {
                u64::MAX
            }
        });
        let named = |names: &[String]| names.iter().position(|name| name == tag);
        match kind {
            FaultKind::StickingGovernor => {
                if let Some(unit) = design.units.iter().position(|unit| unit.name == tag) {
                    self.system.unit_mut(unit).stiction = value.map_or(0.0, |percent| 0.01 * percent.abs());
                }
            }
            FaultKind::BreakerFailsToOpen => {
                if let Some(breaker) = design.breakers.iter().position(|breaker| breaker.tag == tag) {
                    self.breakers[breaker].is_stuck = value.is_some();
                }
            }
            FaultKind::LineFault => {
                if let Some(line) = named(&design.line_names) {
                    self.line_faults[line] = until;
                }
            }
            FaultKind::BusFault => {
                if let Some(bus) = named(&design.bus_names) {
                    self.bus_faults[bus] = until;
                }
            }
            FaultKind::StickingValve
            | FaultKind::DriftingTransmitter
            | FaultKind::FailingProbe
            | FaultKind::FrozenTransmitter => {}
        }
    }

    pub(super) fn is_on(&self, actuator: usize) -> bool {
        self.levels[actuator] >= 0.5
    }

    fn is_pulsed(&self, actuator: usize) -> bool {
        self.is_on(actuator) && self.levels_before[actuator] < 0.5
    }

    pub(super) fn say(
        &mut self,
        kind: PlantEventKind,
        tag: &str,
        value: f64,
        message: impl Into<String>,
        priority: u8,
    ) {
        self.reports.push(Report { kind, tag: tag.to_owned(), value, message: message.into(), priority });
    }

    /// Takes a unit off for good reason: breaker and steam, until somebody resets the lockout.
    pub(super) fn lock_out(&mut self, unit: usize) {
        if !self.units[unit].is_locked_out {
            self.units[unit].is_locked_out = true;
            self.tally.unit_trips += 1;
        }
    }

    pub(super) fn life_used(&self) -> f64 {
        self.units.iter().map(|unit| unit.shaft.used).sum()
    }

    fn set_units(&mut self, design: &GridDesign) {
        for (index, unit) in design.units.iter().enumerate() {
            if self.is_pulsed(unit.lockout_trip) {
                let message = format!("unit {} tripped by hand", unit.name);
                self.say(PlantEventKind::Tripped, &unit.lockout, 0.0, message, 1);
                self.lock_out(index);
            }
            let holds = design
                .relays
                .iter()
                .zip(&self.relays)
                .any(|(design, relay)| relay.operated && design.lockouts.contains(&index));
            let state = self.units[index];
            if self.is_pulsed(unit.lockout_reset) && state.is_locked_out && !holds && !state.is_destroyed {
                self.units[index].is_locked_out = false;
                let message = format!("lockout of unit {} reset", unit.name);
                self.say(PlantEventKind::TripReset, &unit.lockout, 0.0, message, 3);
            }
            let locked_out = self.units[index].is_locked_out;
            let emf = state.emf_at_start * self.levels[unit.voltage_setpoint] / unit.voltage_pu;
            let load_reference = self.levels[unit.power_setpoint] / unit.rating_mva;
            let machine = self.system.unit_mut(index);
            machine.drive = if locked_out { Drive::Tripped } else { Drive::Governed };
            machine.load_reference = load_reference;
            machine.emf += unit.field_share * (emf - machine.emf);
        }
    }

    /// Once a second: each change of demand costs a reduction of the network.
    fn set_demand(&mut self, design: &GridDesign) {
        let Some((offset_s, start)) = self.demand_start else { return };
        if !(self.now - start).is_multiple_of((1.0 / design.step_s) as u64) {
            return;
        }
        let since_s = (self.now - start) as f64 * design.step_s;
        for (index, load) in design.loads.iter().enumerate() {
            self.multipliers[index] = self.demands[index].multiplier(&load.wander, offset_s, since_s);
        }
    }

    fn set_taps(&mut self, design: &GridDesign) {
        for (index, load) in design.loads.iter().enumerate() {
            let mut changer = self.taps[index];
            if self.is_on(load.tap.auto) {
                let at_start = size_of(self.system.flow().voltages[load.bus]);
                let voltage = size_of(self.system.voltage(load.bus)) / at_start * changer.ratio(&load.tap);
                changer.regulate(&load.tap, voltage, self.levels[load.tap.target], self.now);
            } else {
                let by =
                    i32::from(self.is_pulsed(load.tap.raise)) - i32::from(self.is_pulsed(load.tap.lower));
                changer.shift(&load.tap, by);
            }
            self.taps[index] = changer;
        }
    }

    fn bring_back_feeders(&mut self, design: &GridDesign) {
        for (index, shedding) in design.sheddings.iter().enumerate() {
            if !self.is_pulsed(shedding.reset) {
                continue;
            }
            for (stage, state) in shedding.stages.iter().zip(0..) {
                if std::mem::take(&mut self.stages[index][state]).operated {
                    let message = format!("feeders of {} are back", stage.tag);
                    self.say(PlantEventKind::TripReset, &stage.tag, 0.0, message, 3);
                }
            }
        }
    }

    fn work_breakers(&mut self, design: &GridDesign) {
        let held_open: Vec<usize> = design
            .units
            .iter()
            .zip(&self.units)
            .filter(|(_, state)| state.is_locked_out)
            .map(|(unit, _)| unit.breaker)
            .chain(
                design
                    .relays
                    .iter()
                    .zip(&self.relays)
                    .filter(|(_, relay)| relay.operated)
                    .flat_map(|(design, _)| design.breakers.iter().copied()),
            )
            .collect();
        for (index, breaker) in design.breakers.iter().enumerate() {
            if self.is_on(breaker.trip_coil) || held_open.contains(&index) {
                self.breakers[index].trip(self.now, design.timing);
                if self.is_pulsed(breaker.close_coil) && self.breakers[index].is_open() {
                    let message = "a trip stands: the breaker stays open";
                    self.say(PlantEventKind::BreakerRefused, &breaker.tag, 0.0, message, 2);
                }
            } else if self.is_pulsed(breaker.close_coil) && self.breakers[index].is_open() {
                self.try_close(design, index);
            }
            let (bus, far) = self.sides(index);
            let (kind, message, value) = match self.breakers[index].step(self.now) {
                None => continue,
                Some(Moved::Opened) => (PlantEventKind::BreakerOpened, "breaker open", 0.0),
                Some(Moved::Closed) => {
                    (PlantEventKind::BreakerClosed, "breaker closed", degrees_between(far, bus))
                }
            };
            self.say(kind, &breaker.tag, value, message, 2);
        }
    }

    fn try_close(&mut self, design: &GridDesign, index: usize) {
        let refused_by = design
            .checks
            .iter()
            .zip(&self.permissive)
            .find(|(check, permits)| check.breaker == index && !**permits && !self.is_on(check.defeat));
        let tag = &design.breakers[index].tag;
        if let Some((check, _)) = refused_by {
            let (bus, far) = self.sides(index);
            let message =
                format!("{} does not permit closing: the two sides are not in synchronism", check.tag);
            self.say(PlantEventKind::BreakerRefused, tag, degrees_between(far, bus), message, 2);
        } else if !self.breakers[index].close(self.now, design.timing) {
            let message = "the closing spring is not wound yet";
            self.say(PlantEventKind::BreakerRefused, tag, 0.0, message, 3);
        }
    }

    fn end_faults(&mut self) {
        for until in self.line_faults.iter_mut().chain(&mut self.bus_faults) {
            if until.is_some_and(|until| self.now > until) {
                *until = None;
            }
        }
    }

    pub(super) fn has_line_fault(&self, line: usize) -> bool {
        self.line_faults[line].is_some()
    }

    pub(super) fn has_bus_fault(&self, bus: usize) -> bool {
        self.bus_faults[bus].is_some()
    }

    fn wanted_switching(&self, design: &GridDesign) -> Switching {
        let mut wanted = self.system.design().network.intact(self.system.nominal_load().to_vec());
        for (breaker, state) in design.breakers.iter().zip(&self.breakers) {
            match breaker.place {
                Place::Line { branch, end } | Place::Unit { branch, end } => {
                    wanted.closed[branch][end] = state.touches();
                }
                Place::Load(load) if !state.touches() => {
                    wanted.load[design.loads[load].bus] = Complex64::default();
                }
                Place::Load(_) => {}
            }
        }
        for (index, load) in design.loads.iter().enumerate() {
            let ratio = self.taps[index].ratio(&load.tap);
            wanted.load[load.bus] *=
                ratio * ratio * self.multipliers[index] * self.connected_share(design, index);
        }
        for (line, until) in self.line_faults.iter().enumerate() {
            wanted.line_fault[line] = until.map(|_| 0);
        }
        for (bus, until) in self.bus_faults.iter().enumerate() {
            wanted.bus_fault[bus] = until.is_some();
        }
        wanted
    }

    /// Share of a load that load shedding has left.
    fn connected_share(&self, design: &GridDesign, load: usize) -> f64 {
        let shed: f64 = design
            .sheddings
            .iter()
            .zip(&self.stages)
            .filter(|(shedding, _)| shedding.load == load)
            .flat_map(|(shedding, stages)| shedding.stages.iter().zip(stages))
            .filter(|(_, state)| state.operated)
            .map(|(stage, _)| stage.share)
            .sum();
        (1.0 - shed).max(0.0)
    }

    fn feel_torque(&mut self) {
        for (index, unit) in self.design.units.iter().enumerate() {
            let design = &self.system.design().units[index];
            // A shaft that hardly turns carries hardly any power; the floor keeps the quotient finite.
            let speed = self.system.units()[index].motion.speed.max(0.05);
            let torque_pu = self.system.air_gap_power(index) / (speed * design.rating);
            self.units[index].shaft.feel(unit, torque_pu);
        }
    }

    fn look_at_frequencies(&mut self, step_s: f64) {
        for (bus, frequency) in self.frequencies.iter_mut().enumerate() {
            frequency.hz = self.system.frequency_hz(bus);
            frequency.slow_hz = match (frequency.hz, frequency.slow_hz) {
                (Some(hz), Some(slow_hz)) => Some(slow_hz + step_s / ROCOF_S * (hz - slow_hz)),
                (hz, _) => hz,
            };
        }
    }

    /// A rotor that bursts or a shaft that breaks is the end of a unit.
    fn break_units(&mut self, design: &GridDesign) {
        for (index, unit) in design.units.iter().enumerate() {
            let state = self.units[index];
            let speed = self.system.units()[index].motion.speed;
            if state.is_destroyed || (speed < unit.burst_speed && state.shaft.used < 1.0) {
                continue;
            }
            self.units[index].is_destroyed = true;
            self.tally.destroyed += 1;
            self.lock_out(index);
            let message = if speed < unit.burst_speed { "shaft broken" } else { "rotor burst" };
            self.say(
                PlantEventKind::Tripped,
                &unit.lockout,
                speed,
                format!("unit {}: {message}", unit.name),
                1,
            );
        }
    }

    fn tally_energy(&mut self, design: &GridDesign) {
        for (index, load) in design.loads.iter().enumerate() {
            let has_voltage = size_of(self.system.voltage(load.bus)) >= SERVED_PU;
            let share = if has_voltage && self.breakers[load.breaker].touches() {
                self.connected_share(design, index)
            } else {
                0.0
            };
            self.tally.unserved_mwh += (1.0 - share) * load.nominal_mw * design.step_s / 3600.0;
        }
    }
}
