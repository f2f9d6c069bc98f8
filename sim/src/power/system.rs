//! Machines and network together, in time.
//!
//! # Theory of operation
//! [`System::advance`] is one step of the classical fourth-order Runge-Kutta method over angles, speeds and governors,
//! with the network as it is. Whoever switches does so between two steps: [`System::switch`] changes breakers, faults and
//! loads, and the network is reduced again before the next step. A step may have any length, so an event at a time of
//! its own splits a step in two; the plant keeps to whole steps of 5 ms, and its events fall on their boundaries.
//!
//! Damping is uniform: each machine is drawn to the centre of inertia of its island in proportion to its own inertia. Swings
//! between machines die away, as damper windings see to, and the common frequency is left exactly alone. The reference
//! has none and swings for ever; tests against it set `damping_per_s` to zero.
//!
//! The fastest motion of the nine-bus system is a swing of 1 to 2 Hz beside valves of half a second: at 5 ms the method's error
//! is far below the tolerances of the reference (`tests/it/power_reference.rs`).

use num_complex::Complex64;
use site::FileError;

use super::flow::{FlowError, Given, PowerFlow, angle_of, polar, power_flow, size_of};
use super::machine::{Drive, Motion, Unit, UnitDesign};
use super::network::{Network, Reduction, Source, Switching};

/// What a system is made of. Per unit of one base.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemDesign {
    /// Rated frequency, Hz.
    pub frequency_hz: f64,
    /// Rate at which machines of one island lose speed against their centre of inertia, 1/s.
    pub damping_per_s: f64,
    /// Buses, branches, machines.
    pub network: Network,
    /// Units, in the order of the network's sources.
    pub units: Vec<UnitDesign>,
    /// Voltage and active power that each unit is dispatched to; no power for the slack.
    pub dispatch: Vec<(f64, Option<f64>)>,
    /// Power that customers take at each bus in the steady state.
    pub loads: Vec<Complex64>,
}

/// A power system that runs.
#[derive(Clone, Debug)]
pub struct System {
    design: SystemDesign,
    flow: PowerFlow,
    /// Admittance of each bus's load in the steady state.
    load: Vec<Complex64>,
    switching: Switching,
    reduction: Reduction,
    units: Vec<Unit>,
    voltages: Vec<Complex64>,
    /// Complex power at the machines' internal voltages.
    powers: Vec<Complex64>,
}

/// Below this voltage a bus has no frequency that could be measured, per unit.
const MEASURABLE_PU: f64 = 0.2;

impl SystemDesign {
    /// The sources of the network, from the units.
    pub fn sources(units: &[UnitDesign]) -> Vec<Source> {
        units.iter().map(|unit| Source { bus: unit.bus, reactance: unit.reactance }).collect()
    }

    fn given(&self) -> Vec<Given> {
        let mut given: Vec<Given> = self.loads.iter().map(|load| Given::Power(-load)).collect();
        for (unit, (voltage, active)) in self.units.iter().zip(&self.dispatch) {
            let voltage = *voltage;
            given[unit.bus] = match active {
                None => Given::Slack { voltage },
                Some(active) => Given::Regulated { voltage, active: active - self.loads[unit.bus].re },
            };
        }
        given
    }
}

impl System {
    /// The machines and the network of a plant file, without breakers that move and without protection: for studies.
    pub fn load(file_name: &str, toml_text: &str) -> Result<Self, FileError> {
        crate::design::read_system(file_name, toml_text)
    }

    /// A system in the steady state of its dispatch.
    pub fn steady(design: SystemDesign) -> Result<Self, FlowError> {
        let flow = power_flow(&design.network, &design.given())?;
        let load: Vec<Complex64> = design
            .loads
            .iter()
            .zip(&flow.voltages)
            .map(|(load, voltage)| load.conj() / voltage.norm_sqr())
            .collect();
        let units = design
            .units
            .iter()
            .map(|unit| {
                let voltage = flow.voltages[unit.bus];
                let power = flow.injections[unit.bus] + design.loads[unit.bus];
                let current = (power / voltage).conj();
                let emf = voltage + current * Complex64::new(0.0, unit.reactance);
                Unit::steady(unit, size_of(emf), angle_of(emf), power.re)
            })
            .collect();
        let switching = design.network.intact(load.clone());
        let reduction = design.network.reduce(&switching);
        let mut system = Self {
            voltages: flow.voltages.clone(),
            powers: Vec::new(),
            design,
            flow,
            load,
            switching,
            reduction,
            units,
        };
        system.look();
        Ok(system)
    }

    /// What it is made of.
    pub fn design(&self) -> &SystemDesign {
        &self.design
    }

    /// The steady state from which it started.
    pub fn flow(&self) -> &PowerFlow {
        &self.flow
    }

    /// What customers take at 1 pu of each bus, in the steady state.
    pub fn nominal_load(&self) -> &[Complex64] {
        &self.load
    }

    /// Breakers, faults and loads as they are.
    pub fn switching(&self) -> &Switching {
        &self.switching
    }

    /// Changes breakers, faults or loads. Voltages and powers are those after the change at once.
    pub fn switch(&mut self, change: impl FnOnce(&mut Switching)) {
        change(&mut self.switching);
        self.reduction = self.design.network.reduce(&self.switching);
        self.look();
    }

    /// Units as they are.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// A unit, to change what drives it.
    pub fn unit_mut(&mut self, unit: usize) -> &mut Unit {
        &mut self.units[unit]
    }

    /// Gives every turbine constant power: the classical model without governors.
    pub fn fix_mechanical_power(&mut self) {
        for (unit, design) in self.units.iter_mut().zip(&self.design.units) {
            unit.drive = Drive::Fixed(unit.mechanical_power(design) / design.rating);
        }
    }

    /// Voltage of a bus, per unit, against a reference that turns at rated speed.
    pub fn voltage(&self, bus: usize) -> Complex64 {
        self.voltages[bus]
    }

    /// Voltages of all buses.
    pub fn voltages(&self) -> &[Complex64] {
        &self.voltages
    }

    /// Power in a unit's air gap, per unit; active power is the same at its terminals.
    pub fn air_gap_power(&self, unit: usize) -> f64 {
        self.powers[unit].re
    }

    /// Complex power at a unit's terminals, per unit.
    pub fn terminal_power(&self, unit: usize) -> Complex64 {
        let design = &self.design.units[unit];
        let emf = self.emf(unit);
        let voltage = self.voltages[design.bus];
        voltage * ((emf - voltage) / Complex64::new(0.0, design.reactance)).conj()
    }

    /// Internal voltage of a unit.
    pub fn emf(&self, unit: usize) -> Complex64 {
        let unit = &self.units[unit];
        polar(unit.field(&unit.motion), unit.motion.angle)
    }

    /// Frequency at a bus, Hz; none where the voltage is too low to measure one.
    ///
    /// The exact derivative of the voltage's angle while nothing is switched: `V` is a sum of the machines' voltages,
    /// each of which turns at its own speed.
    pub fn frequency_hz(&self, bus: usize) -> Option<f64> {
        let voltage = self.voltages[bus];
        if voltage.norm_sqr() < MEASURABLE_PU * MEASURABLE_PU {
            return None;
        }
        let transfer = self.reduction.transfer(bus).iter().enumerate();
        let turning: Complex64 = transfer
            .map(|(unit, multiple)| multiple * self.emf(unit) * (self.units[unit].motion.speed - 1.0))
            .sum();
        Some(self.design.frequency_hz * (1.0 + (turning / voltage).re))
    }

    /// Whether a machine feeds the bus.
    pub fn is_live(&self, bus: usize) -> bool {
        self.reduction.island(bus).is_some()
    }

    /// Moves on by a step of any length, s.
    pub fn advance(&mut self, step_s: f64) {
        let start: Vec<Motion> = self.units.iter().map(|unit| unit.motion).collect();
        let first = self.rates(&start);
        let second = self.rates(&moved(&start, &first, 0.5 * step_s));
        let third = self.rates(&moved(&start, &second, 0.5 * step_s));
        let fourth = self.rates(&moved(&start, &third, step_s));
        for (index, unit) in self.units.iter_mut().enumerate() {
            let motion = start[index]
                .plus(&first[index], step_s / 6.0)
                .plus(&second[index], step_s / 3.0)
                .plus(&third[index], step_s / 3.0)
                .plus(&fourth[index], step_s / 6.0);
            unit.motion = match unit.drive {
                Drive::Governed => motion.limited(&self.design.units[index]),
                Drive::Fixed(_) | Drive::Tripped => motion,
            };
        }
        self.look();
    }

    fn rates(&self, motions: &[Motion]) -> Vec<Motion> {
        let base_rad_s = std::f64::consts::TAU * self.design.frequency_hz;
        let emf: Vec<Complex64> = self
            .units
            .iter()
            .zip(motions)
            .map(|(unit, motion)| polar(unit.field(motion), motion.angle))
            .collect();
        (0..self.units.len())
            .map(|index| {
                let electrical = (emf[index] * sum(self.reduction.admittance(index), &emf).conj()).re;
                let design = &self.design.units[index];
                let mut rates = self.units[index].rates(design, &motions[index], electrical, base_rad_s);
                rates.speed -=
                    self.design.damping_per_s * (motions[index].speed - self.island_speed(index, motions));
                rates
            })
            .collect()
    }

    /// Speed of the centre of inertia of a unit's island.
    fn island_speed(&self, unit: usize, motions: &[Motion]) -> f64 {
        let island = |unit: usize| self.reduction.island(self.design.units[unit].bus);
        let (mut inertia_s, mut momentum_s) = (0.0, 0.0);
        for (other, motion) in motions.iter().enumerate().filter(|(other, _)| island(*other) == island(unit))
        {
            inertia_s += self.design.units[other].inertia_s;
            momentum_s += self.design.units[other].inertia_s * motion.speed;
        }
        momentum_s / inertia_s
    }

    /// Works out voltages and powers for where the machines are.
    fn look(&mut self) {
        let emf: Vec<Complex64> = (0..self.units.len()).map(|unit| self.emf(unit)).collect();
        self.powers = (0..emf.len())
            .map(|unit| emf[unit] * sum(self.reduction.admittance(unit), &emf).conj())
            .collect();
        self.voltages =
            (0..self.design.network.buses).map(|bus| sum(self.reduction.transfer(bus), &emf)).collect();
    }
}

fn sum(multiples: &[Complex64], emf: &[Complex64]) -> Complex64 {
    multiples.iter().zip(emf).map(|(multiple, emf)| multiple * emf).sum()
}

fn moved(start: &[Motion], rates: &[Motion], step_s: f64) -> Vec<Motion> {
    start.iter().zip(rates).map(|(motion, rates)| motion.plus(rates, step_s)).collect()
}
