//! Relays, load shedding, tap changers and shafts: small machines that look at the power system once a step.
//!
//! A relay operates when its cause has stood for its delay, and lets go with its cause. A stage of load shedding stays
//! until somebody brings the feeders back. A tap changer waits out its delay, then steps until customers have their
//! voltage. A shaft counts each peak of torque above what it endures against its life.

use super::design::{TapDesign, UnitTerminals};

/// A cause that must stand for a while. Times are numbers of steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timer {
    since: Option<u64>,
}

impl Timer {
    /// Whether the cause has now stood for the delay.
    pub(crate) fn has_stood(&mut self, stands: bool, now: u64, delay: u64) -> bool {
        if stands {
            now - *self.since.get_or_insert(now) >= delay
        } else {
            self.since = None;
            false
        }
    }
}

/// A relay, or a stage of load shedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) timer: Timer,
    pub(crate) operated: bool,
}

/// A tap changer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TapChanger {
    /// Steps above neutral.
    pub(crate) tap: i32,
    since: Option<u64>,
    next: u64,
}

/// Below this voltage of customers, per unit, a tap changer does nothing: there is a fault, or nobody at home.
const TAP_INHIBIT_PU: f64 = 0.7;

impl TapChanger {
    /// Voltage that customers get for one unit at the bus.
    pub(crate) fn ratio(&self, design: &TapDesign) -> f64 {
        1.0 + f64::from(self.tap) * design.step_pu
    }

    /// One step on its own, with the voltage that customers have and should have, per unit.
    pub(crate) fn regulate(&mut self, design: &TapDesign, voltage: f64, target: f64, now: u64) {
        let error = voltage - target;
        if error.abs() <= design.half_band_pu || voltage < TAP_INHIBIT_PU {
            self.since = None;
            return;
        }
        let since = *self.since.get_or_insert(now);
        if now - since >= design.delay && now >= self.next {
            self.shift(design, if error < 0.0 { 1 } else { -1 });
            self.next = now + design.pause;
        }
    }

    /// Steps up or down, as far as there are taps.
    pub(crate) fn shift(&mut self, design: &TapDesign, by: i32) {
        self.tap = (self.tap + by).clamp(-design.steps, design.steps);
    }
}

/// A shaft between turbine and generator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Shaft {
    /// Highest torque since the start, of the unit's rating.
    pub(crate) peak_pu: f64,
    /// Life that is used up, from 0 to 1.
    pub(crate) used: f64,
    last_pu: f64,
    is_rising: bool,
}

impl Shaft {
    /// Feels a torque, of the unit's rating.
    pub(crate) fn feel(&mut self, design: &UnitTerminals, torque_pu: f64) {
        let torque_pu = torque_pu.abs();
        self.peak_pu = self.peak_pu.max(torque_pu);
        if torque_pu >= self.last_pu {
            self.is_rising = true;
        } else {
            if self.is_rising && self.last_pu > design.endurance_pu {
                self.used += libm::pow(self.last_pu / design.ultimate_pu, design.exponent);
                self.used = self.used.min(1.0);
            }
            self.is_rising = false;
        }
        self.last_pu = torque_pu;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAP: TapDesign = TapDesign {
        step_pu: 0.00625,
        steps: 16,
        half_band_pu: 0.01,
        delay: 6000,
        pause: 1400,
        raise: 0,
        lower: 0,
        auto: 0,
        target: 0,
    };

    #[test]
    fn a_tap_changer_waits_then_steps_until_the_voltage_is_back() {
        let mut changer = TapChanger::default();
        let mut moved = Vec::new();
        for now in 0..20_000 {
            let before = changer.tap;
            changer.regulate(&TAP, 0.975 * changer.ratio(&TAP), 1.0, now);
            if changer.tap != before {
                moved.push(now);
            }
        }
        assert_eq!((moved, changer.tap), (vec![6000, 7400, 8800], 3));
    }

    #[test]
    fn a_tap_changer_ends_at_its_last_tap_and_ignores_a_fault() {
        let mut changer = TapChanger::default();
        for now in 0..100_000 {
            changer.regulate(&TAP, 0.8, 1.0, now);
        }
        assert_eq!(changer.tap, 16);
        for now in 100_000..200_000 {
            changer.regulate(&TAP, 0.1, 1.0, now);
        }
        assert_eq!(changer.tap, 16);
    }

    #[test]
    fn a_shaft_counts_peaks_not_steps() {
        let design = UnitTerminals {
            name: String::new(),
            breaker: 0,
            rating_mva: 128.0,
            voltage_pu: 1.0,
            field_share: 1.0,
            burst_speed: 1.5,
            endurance_pu: 1.5,
            ultimate_pu: 3.0,
            exponent: 8.0,
            lockout: String::new(),
            power_setpoint: 0,
            voltage_setpoint: 0,
            lockout_trip: 0,
            lockout_reset: 0,
        };
        let mut shaft = Shaft::default();
        for torque_pu in [0.6, 1.4, 1.2, 0.6, 1.0, -1.8, -2.1, -2.1, -1.8, 0.5, 0.4] {
            shaft.feel(&design, torque_pu);
        }
        assert_eq!(shaft.peak_pu, 2.1);
        assert!((shaft.used - 0.7_f64 * 0.7 * 0.7 * 0.7 * 0.7 * 0.7 * 0.7 * 0.7).abs() < 1e-12, "{shaft:?}");
    }
}
