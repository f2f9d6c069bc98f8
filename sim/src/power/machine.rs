//! One generating unit: a classical machine, its steam turbine and its governor.
//!
//! # Theory of operation
//! The machine is a constant voltage behind its transient reactance (the *classical* model, Anderson and Fouad, 2.3):
//!   d delta/dt = 2 pi f0 (w - 1)
//!   2H dw/dt   = Pm - Pe
//! The governor is TGOV1 (IEEE PES-TR1, *Dynamic Models for Turbine-Governors*, 2013), in per unit of the rating:
//!   T1 dv/dt = Pref - (w - 1)/R - v      the valve, between its limits; at a limit the integrator waits
//!   T3 dz/dt = v - z                     the reheater
//!   Pm       = z + T2 dz/dt - Dt (w - 1)
//!
//! # Beyond the references
//! The reference has neither losses nor ends, and a unit that loses its load must come to rest somewhere. So: the shaft loses `no_load_loss` at rated speed, as its cube. Below `FULL_FIELD_SPEED` the excitation
//! limits volts per hertz, so that a machine that is dragged down lets go. A tripped turbine has its valves shut in a fraction of a
//! second. Tests against the reference set the losses to zero and do not come near the others.

/// What is written down about a unit. Per unit means of the system base, but for the governor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitDesign {
    /// Bus at its terminals.
    pub bus: usize,
    /// Rating over the system base.
    pub rating: f64,
    /// H, s: stored energy at rated speed over the system base.
    pub inertia_s: f64,
    /// x'd.
    pub reactance: f64,
    /// Power that the shaft loses at rated speed.
    pub no_load_loss: f64,
    /// Governor and turbine.
    pub governor: Governor,
}

/// TGOV1, per unit of the unit's rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Governor {
    /// R, permanent droop.
    pub droop: f64,
    /// T1, s: valve.
    pub t1_s: f64,
    /// T2, s: share of the power that does not wait for the reheater, times T3.
    pub t2_s: f64,
    /// T3, s: reheater.
    pub t3_s: f64,
    /// Dt, turbine damping.
    pub dt: f64,
    /// Highest valve position.
    pub valve_max: f64,
    /// Lowest valve position.
    pub valve_min: f64,
}

/// What integrates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    /// Angle of the internal voltage against a reference that turns at rated speed, rad.
    pub angle: f64,
    /// Speed, per unit.
    pub speed: f64,
    /// Valve, per unit of the rating.
    pub valve: f64,
    /// Reheater, per unit of the rating.
    pub reheat: f64,
}

/// A unit as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// What integrates.
    pub motion: Motion,
    /// Internal voltage, per unit, at full field.
    pub emf: f64,
    /// Load reference, per unit of the rating; what the shaft loses is on top.
    pub load_reference: f64,
    /// How the turbine is driven.
    pub drive: Drive,
    /// How far the valve's demand must go away before the valve moves; per unit of the rating.
    pub stiction: f64,
}

/// How a turbine is driven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// By its governor.
    Governed,
    /// With constant mechanical power, per unit of the rating: for studies.
    Fixed(f64),
    /// Not at all: the stop valves are shut.
    Tripped,
}

/// Below this speed the exciter can no longer hold full voltage: volts per hertz stay constant.
const FULL_FIELD_SPEED: f64 = 0.9;
/// Closing of steam stop valves, and decay of the steam that is trapped behind them, s: the usual 0.15 to 0.3 s.
const STOP_VALVE_S: f64 = 0.2;

impl UnitDesign {
    /// What the shaft loses at rated speed, per unit of the rating.
    fn own_loss(&self) -> f64 {
        self.no_load_loss / self.rating
    }

    /// Highest valve position: the governor's limit is that of the power that leaves the unit.
    fn valve_max(&self) -> f64 {
        self.governor.valve_max + self.own_loss()
    }
}

impl Unit {
    /// A unit that runs at rated speed and gives `power` (per unit of the system base).
    pub fn steady(design: &UnitDesign, emf: f64, angle: f64, power: f64) -> Self {
        let share = (power + design.no_load_loss) / design.rating;
        Self {
            motion: Motion { angle, speed: 1.0, valve: share, reheat: share },
            emf,
            load_reference: power / design.rating,
            drive: Drive::Governed,
            stiction: 0.0,
        }
    }

    /// Internal voltage at a speed, per unit.
    pub(crate) fn field(&self, motion: &Motion) -> f64 {
        self.emf * (motion.speed / FULL_FIELD_SPEED).clamp(0.0, 1.0)
    }

    /// Mechanical power on the shaft, per unit of the system base.
    pub fn mechanical_power(&self, design: &UnitDesign) -> f64 {
        self.turbine_power(design, &self.motion)
    }

    fn turbine_power(&self, design: &UnitDesign, motion: &Motion) -> f64 {
        let governor = &design.governor;
        let share = match self.drive {
            Drive::Governed => {
                motion.reheat + governor.t2_s / governor.t3_s * (motion.valve - motion.reheat)
                    - governor.dt * (motion.speed - 1.0)
            }
            Drive::Fixed(share) => share,
            Drive::Tripped => motion.reheat,
        };
        share * design.rating
    }

    /// Rates of change at a state, with the electrical power that the network takes there.
    pub(crate) fn rates(
        &self,
        design: &UnitDesign,
        motion: &Motion,
        electrical: f64,
        base_rad_s: f64,
    ) -> Motion {
        let governor = &design.governor;
        let slip = motion.speed - 1.0;
        let loss = design.no_load_loss * motion.speed * motion.speed * motion.speed;
        let surplus = self.turbine_power(design, motion) - loss - electrical;
        let (valve, reheat) = match self.drive {
            Drive::Tripped => (-motion.valve / STOP_VALVE_S, -motion.reheat / STOP_VALVE_S),
            Drive::Fixed(_) => (0.0, 0.0),
            Drive::Governed => {
                let demand = self.load_reference + design.own_loss() - slip / governor.droop;
                let wish = demand - motion.valve;
                let held = wish.abs() < self.stiction
                    || (wish > 0.0 && motion.valve >= design.valve_max())
                    || (wish < 0.0 && motion.valve <= governor.valve_min);
                (
                    if held { 0.0 } else { wish / governor.t1_s },
                    (motion.valve - motion.reheat) / governor.t3_s,
                )
            }
        };
        Motion { angle: base_rad_s * slip, speed: surplus / (2.0 * design.inertia_s), valve, reheat }
    }
}

impl Motion {
    /// This state and `step` times some rates.
    pub(crate) fn plus(&self, rates: &Self, step: f64) -> Self {
        Self {
            angle: self.angle + step * rates.angle,
            speed: (self.speed + step * rates.speed).max(0.0),
            valve: self.valve + step * rates.valve,
            reheat: self.reheat + step * rates.reheat,
        }
    }

    /// The valve inside its limits: a step may carry it past one by its last fraction.
    pub(crate) fn limited(mut self, design: &UnitDesign) -> Self {
        self.valve = self.valve.clamp(design.governor.valve_min, design.valve_max());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESIGN: UnitDesign = UnitDesign {
        bus: 0,
        rating: 1.28,
        inertia_s: 3.01,
        reactance: 0.1813,
        no_load_loss: 0.0,
        governor: Governor {
            droop: 0.05,
            t1_s: 0.5,
            t2_s: 3.0,
            t3_s: 10.0,
            dt: 0.0,
            valve_max: 1.0,
            valve_min: 0.0,
        },
    };

    #[test]
    fn a_steady_unit_stays_where_it_is() {
        let unit = Unit::steady(&DESIGN, 1.017, 0.3, 0.85);
        let rates = unit.rates(&DESIGN, &unit.motion, 0.85, 377.0);
        assert!(rates.speed.abs() < 1e-15 && rates.valve.abs() < 1e-15 && rates.reheat.abs() < 1e-15);
        assert_eq!(rates.angle, 0.0);
    }

    #[test]
    fn droop_gives_full_power_for_five_per_cent_of_speed() {
        let mut unit = Unit::steady(&DESIGN, 1.017, 0.3, 0.0);
        unit.motion.speed = 0.95;
        let rates = unit.rates(&DESIGN, &unit.motion, 0.0, 377.0);
        assert!((rates.valve * DESIGN.governor.t1_s - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_valve_waits_at_its_limit_and_leaves_it_at_once() {
        let mut unit = Unit::steady(&DESIGN, 1.017, 0.3, 1.28);
        unit.motion.speed = 0.98;
        assert_eq!(unit.rates(&DESIGN, &unit.motion, 1.28, 377.0).valve, 0.0);
        unit.motion.speed = 1.01;
        assert!(unit.rates(&DESIGN, &unit.motion, 1.28, 377.0).valve < 0.0);
    }

    #[test]
    fn a_tripped_turbine_lets_the_shaft_go() {
        let mut unit = Unit::steady(&DESIGN, 1.017, 0.3, 0.85);
        unit.drive = Drive::Tripped;
        let rates = unit.rates(&DESIGN, &unit.motion, 0.0, 377.0);
        assert!(rates.reheat < -3.0);
        unit.motion.reheat = 0.0;
        assert_eq!(unit.mechanical_power(&DESIGN), 0.0);
    }
}
