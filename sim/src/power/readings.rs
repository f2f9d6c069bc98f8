//! What can be read off a power system: for instruments, contacts and accounts.

use num_complex::Complex64;

use super::design::{Place, PowerContact, PowerMeasure};
use super::flow::{angle_of, size_of};
use super::grid::{Grid, ROCOF_S};
use crate::file::power::LossKey;

impl Grid {
    /// The quantity that an instrument is about, in the instrument's unit.
    pub(crate) fn value(&self, measure: PowerMeasure) -> f64 {
        let (design, system) = (&*self.design, &self.system);
        match measure {
            PowerMeasure::VoltageKv(bus) => size_of(system.voltage(bus)) * design.bus_kv[bus],
            PowerMeasure::AngleDeg(bus) => degrees_between(system.voltage(bus), system.voltage(0)),
            PowerMeasure::FrequencyHz(bus) => self.frequencies[bus].hz.unwrap_or(0.0),
            PowerMeasure::RocofHzS(bus) => {
                let frequency = self.frequencies[bus];
                frequency.hz.zip(frequency.slow_hz).map_or(0.0, |(hz, slow_hz)| (hz - slow_hz) / ROCOF_S)
            }
            PowerMeasure::BreakerMw(breaker) => self.breaker_power(breaker).re * design.base_mva,
            PowerMeasure::BreakerMvar(breaker) => self.breaker_power(breaker).im * design.base_mva,
            PowerMeasure::BreakerAngleDeg(breaker) => {
                let (bus, far) = self.sides(breaker);
                degrees_between(far, bus)
            }
            PowerMeasure::UnitMw(unit) => system.terminal_power(unit).re * design.base_mva,
            PowerMeasure::UnitMvar(unit) => system.terminal_power(unit).im * design.base_mva,
            PowerMeasure::UnitSpeedHz(unit) => {
                system.units()[unit].motion.speed * system.design().frequency_hz
            }
            PowerMeasure::UnitAngleDeg(unit) => degrees_between(system.emf(unit), system.emf(0)),
            PowerMeasure::UnitTorquePeakPu(unit) => self.units[unit].shaft.peak_pu,
            PowerMeasure::Tap(load) => f64::from(self.taps[load].tap),
        }
    }

    /// Whether a contact is made.
    pub(crate) fn contact(&self, contact: PowerContact) -> bool {
        match contact {
            PowerContact::BreakerClosed(breaker) => self.breakers[breaker].is_closed(),
            PowerContact::BreakerOpen(breaker) => self.breakers[breaker].is_open(),
            PowerContact::SpringCharged(breaker) => self.breakers[breaker].is_charged(self.now),
            PowerContact::Relay(relay) => self.relays[relay].operated,
            PowerContact::Stage { shedding, stage } => self.stages[shedding][stage].operated,
            PowerContact::Permissive(check) => self.permissive[check],
            PowerContact::LockedOut(unit) => self.units[unit].is_locked_out,
        }
    }

    /// What was lost in the last step.
    pub(crate) fn lost(&self, loss: LossKey) -> f64 {
        match loss {
            LossKey::UnservedMwh => self.tally.unserved_mwh,
            LossKey::ShaftLifePercent => 100.0 * self.tally.life,
            LossKey::UnitTrips => f64::from(self.tally.unit_trips),
            LossKey::UnitsDestroyed => f64::from(self.tally.destroyed),
        }
    }

    /// Load that is not served, MW, and life of shafts that is used up, per cent.
    pub(crate) fn unseen(&self) -> [f64; 2] {
        [self.tally.unserved_mwh * 3600.0 / self.design.step_s, 100.0 * self.life_used()]
    }

    /// Voltages at both sides of a breaker: of its bus, and behind it.
    pub(super) fn sides(&self, breaker: usize) -> (Complex64, Complex64) {
        let (system, network) = (&self.system, &self.system.design().network);
        match self.design.breakers[breaker].place {
            Place::Line { branch, end } | Place::Unit { branch, end } => {
                let ends = [network.branches[branch].from, network.branches[branch].to];
                let far = network.branch_side_voltage(system.switching(), system.voltages(), branch, end);
                (system.voltage(ends[end]), far)
            }
            Place::Load(load) => {
                let voltage = system.voltage(self.design.loads[load].bus);
                let far = if self.breakers[breaker].touches() { voltage } else { Complex64::default() };
                (voltage, far)
            }
        }
    }

    fn breaker_power(&self, breaker: usize) -> Complex64 {
        let (system, network) = (&self.system, &self.system.design().network);
        match self.design.breakers[breaker].place {
            Place::Line { branch, end } => {
                network.branch_power(system.switching(), system.voltages(), branch, end)
            }
            Place::Unit { branch, end } => {
                -network.branch_power(system.switching(), system.voltages(), branch, end)
            }
            Place::Load(load) => {
                let bus = self.design.loads[load].bus;
                system.voltage(bus).norm_sqr() * system.switching().load[bus].conj()
            }
        }
    }
}

/// Angle of one voltage against another, degrees, from -180 to 180; 0 where either is missing.
pub(super) fn degrees_between(voltage: Complex64, reference: Complex64) -> f64 {
    angle_of(voltage * reference.conj()).to_degrees()
}
