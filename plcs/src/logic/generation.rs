//! The power station's generation controller, GEN-1.
//!
//! # Theory of operation
//! Operators give each unit a load target and a voltage target. The controller limits both and moves the references of governor and
//! voltage regulator towards them: the load at GOV-n.RAMP while the unit's breaker is closed. What was written stays as written.
//!
//! When a breaker opens, the unit's load target goes to 0 and its reference runs back at once: a governor that still asks for load would
//! hold an idle unit above its speed. While it is open, targets of up to a tenth of the rating either way set the speed for
//! synchronising. Breakers and lockouts are commanded through relays ([`super::breaker`]); the synchronism check is the relay's own.
//!
//! There is no automatic generation control: the frequency stays where droop leaves it until somebody moves a target.
//!
//! # What can go wrong
//! Where the controller is stopped its outputs go to 0, as those of all controllers here: the units give up their load at the governors'
//! pace, and their voltage references fall to the regulators' lower end. When it runs again, load references begin where the units are.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::logic::Logic;
use crate::logic::blocks::{approach, saturate};
use crate::logic::breaker::{BreakerControl, Interposer};

/// What is known of a unit.
struct Nameplate {
    number: u8,
    rating_mw: f64,
    /// Load and voltage with which it is taken over.
    load_mw: f64,
    voltage_pu: f64,
}

/// The units of the nine-bus system at its steady state (Anderson and Fouad, example 2.6).
const UNITS: [Nameplate; 3] = [
    Nameplate { number: 1, rating_mw: 247.5, load_mw: 71.64, voltage_pu: 1.04 },
    Nameplate { number: 2, rating_mw: 192.0, load_mw: 163.0, voltage_pu: 1.025 },
    Nameplate { number: 3, rating_mw: 128.0, load_mw: 85.0, voltage_pu: 1.025 },
];

/// Ramp as commissioned, of the rating per minute: usual of steam units.
const RAMP_SHARE_PER_MIN: f64 = 0.05;
/// Run-back with the breaker open, of the rating per second.
const RUNBACK_SHARE_PER_S: f64 = 0.2;
/// How far the reference goes either way with the breaker open, of the rating.
const SPEEDER_SHARE: f64 = 0.1;
/// Voltages that are taken, of nominal.
const VOLTAGE_RANGE_PU: [f64; 2] = [0.95, 1.05];
/// How fast the voltage reference moves.
const VOLTAGE_PU_PER_S: f64 = 0.01;

#[derive(Debug)]
struct Unit {
    rating_mw: f64,
    breaker: BreakerControl,
    lockout: [Interposer; 2],
    power: SignalId,
    target: SignalId,
    ramp: SignalId,
    most: SignalId,
    reference: SignalId,
    voltage_target: SignalId,
    voltage: SignalId,
}

/// The program of GEN-1.
#[derive(Debug)]
pub struct Generation {
    units: Vec<Unit>,
    retained: Vec<SignalId>,
}

impl Generation {
    /// Resolves the tags and takes the units over as they run.
    pub fn new(image: &mut Image) -> Result<Self, MissingSignal> {
        let units = UNITS.iter().map(|plate| Unit::new(image, plate)).collect::<Result<Vec<_>, _>>()?;
        let mut retained = Vec::new();
        for (unit, plate) in units.iter().zip(&UNITS) {
            let defeat = image.require(&format!("25-G{}.DEF", plate.number))?;
            retained.extend([unit.target, unit.ramp, unit.most, unit.voltage_target, defeat]);
        }
        Ok(Self { units, retained })
    }
}

impl Unit {
    fn new(image: &mut Image, plate: &Nameplate) -> Result<Self, MissingSignal> {
        let Nameplate { number, rating_mw, load_mw, voltage_pu } = *plate;
        let mut starting_at = |tag: String, value: f64| -> Result<SignalId, MissingSignal> {
            let signal = image.require(&tag)?;
            image.set_initial(signal, value);
            Ok(signal)
        };
        let target = starting_at(format!("GOV-{number}.TGT"), load_mw)?;
        let ramp = starting_at(format!("GOV-{number}.RAMP"), RAMP_SHARE_PER_MIN * rating_mw)?;
        let most = starting_at(format!("GOV-{number}.MAX"), rating_mw)?;
        let reference = starting_at(format!("GOV-{number}.SP"), load_mw)?;
        let voltage_target = starting_at(format!("AVR-{number}.TGT"), voltage_pu)?;
        let voltage = starting_at(format!("AVR-{number}.SP"), voltage_pu)?;
        let lockout = |command: &str, output: &str| {
            Interposer::new(image, &format!("86-G{number}.{command}"), &format!("86-G{number}.{output}"))
        };
        Ok(Self {
            rating_mw,
            breaker: BreakerControl::new(image, &format!("52G{number}"))?,
            lockout: [lockout("TRIP", "T")?, lockout("RESET", "RST")?],
            power: image.require(&format!("P-G{number}"))?,
            target,
            ramp,
            most,
            reference,
            voltage_target,
            voltage,
        })
    }

    fn scan(&mut self, image: &mut Image, dt: Duration) {
        if self.breaker.scan(image, true, dt) {
            image.set(self.target, 0.0);
        }
        for relay in &mut self.lockout {
            relay.scan(image, true, dt);
        }
        let rating_mw = self.rating_mw;
        let (low_mw, high_mw, mw_per_s) = if self.breaker.is_closed() {
            let ramp_mw_per_min = saturate(image.get(self.ramp), 0.0, rating_mw);
            (0.0, saturate(image.get(self.most), 0.0, rating_mw), ramp_mw_per_min / 60.0)
        } else {
            (-SPEEDER_SHARE * rating_mw, SPEEDER_SHARE * rating_mw, RUNBACK_SHARE_PER_S * rating_mw)
        };
        let target_mw = saturate(image.get(self.target), low_mw, high_mw);
        let reference_mw = approach(image.get(self.reference), target_mw, mw_per_s * dt.as_secs_f64());
        image.set(self.reference, reference_mw);
        let voltage_pu = approach(
            image.get(self.voltage),
            self.wanted_voltage(image),
            VOLTAGE_PU_PER_S * dt.as_secs_f64(),
        );
        image.set(self.voltage, voltage_pu);
    }

    fn wanted_voltage(&self, image: &Image) -> f64 {
        saturate(image.get(self.voltage_target), VOLTAGE_RANGE_PU[0], VOLTAGE_RANGE_PU[1])
    }

    fn restart(&mut self, image: &mut Image) {
        self.breaker.reset(image);
        self.lockout.iter_mut().for_each(Interposer::reset);
        let power_mw = saturate(image.get(self.power), 0.0, self.rating_mw);
        image.set(self.reference, power_mw);
        image.set(self.voltage, self.wanted_voltage(image));
    }
}

impl Logic for Generation {
    fn scan(&mut self, image: &mut Image, dt: Duration) {
        for unit in &mut self.units {
            unit.scan(image, dt);
        }
    }

    fn restart(&mut self, image: &mut Image) {
        for unit in &mut self.units {
            unit.restart(image);
        }
    }

    fn program(&self) -> &[u8] {
        include_bytes!("generation.rs")
    }

    fn retained(&self) -> &[SignalId] {
        &self.retained
    }
}
