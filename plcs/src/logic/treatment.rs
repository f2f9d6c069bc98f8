//! The treatment controller, PLC-1.
//!
//! # Theory of operation
//! *NaOH*: the dose setpoint in mg/L times the raw water flow is what the pump should deliver; its speed is that over
//! its capacity. The setpoint may be clamped (NAOH.SP.MAX above 0). A setpoint far beyond the pump's capacity gives
//! full speed, not a dose.
//! *High-pH trip*: where PH.TRIP.EN is on, pH after the mixer above 9.0 for 10 s stops the NaOH pump in either mode, and
//! holds it (PH.TRIPPED) until PH.TRIP.RESET is written while the pH is below that limit. Switching PH.TRIP.EN off
//! prevents new trips; it does not lift one.
//! *Hypochlorite*: paced by flow in the same way.
//! *Clearwell level*: PI control of the raw water valve. The tank integrates (0.25 m3/s over 500 m2 at full opening), so
//! 80 %/m makes its time constant 42 min; an integral time of two hours damps it well (ratio 0.85). The command
//! moves only where it differs by half a per cent, to spare the valve.
//!
//! # What can go wrong
//! Flow and pH are believed as they come: a lying flow transmitter doses the wrong amount. The pumps are given a speed;
//! whether anything is delivered (an empty day tank) only the flow transmitters show.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::logic::Logic;
use crate::logic::blocks::{HighAlarm, OnDelay, Pi, saturate};

/// What P-201 delivers at full speed: 350 mg/L of NaOH at 190 L/s (B_water.md), kg/h.
pub const NAOH_CAPACITY_KG_PER_H: f64 = 239.4;
/// What P-202 delivers at full speed: 5 mg/L of chlorine at 190 L/s (the plant file), kg/h.
pub const CHLORINE_CAPACITY_KG_PER_H: f64 = 3.42;
/// kg/h in one mg/L at one L/s.
const KG_PER_H_PER_MG_PER_S: f64 = 0.0036;

const PH_HIGH: HighAlarm = HighAlarm { limit: 7.8, deadband: 0.05 };
const PH_HIGHHIGH: HighAlarm = HighAlarm { limit: 8.5, deadband: 0.05 };
/// Where the high-pH trip acts.
const PH_TRIP: f64 = 9.0;
/// How long the pH must stay above it.
const PH_TRIP_DELAY: Duration = Duration::from_secs(10);

const LEVEL_GAIN: f64 = 80.0;
const LEVEL_INTEGRAL_TIME_S: f64 = 7200.0;
/// The normal flow of 190 L/s out of 250 L/s at full opening, %.
const VALVE_BIAS: f64 = 76.0;
const VALVE_DEADBAND: f64 = 0.5;

/// One flow-paced dosing pump.
#[derive(Clone, Copy, Debug)]
struct Dosing {
    setpoint: SignalId,
    mode: SignalId,
    manual: SignalId,
    pump: SignalId,
    capacity_kg_per_h: f64,
}

impl Dosing {
    fn speed(&self, image: &Image, flow_l_s: f64, setpoint_max: f64) -> f64 {
        if !image.is_on(self.mode) {
            return saturate(image.get(self.manual), 0.0, 100.0);
        }
        let setpoint = image.get(self.setpoint);
        let clamped = if setpoint_max > 0.0 { setpoint.min(setpoint_max) } else { setpoint };
        let wanted_kg_per_h = clamped * flow_l_s * KG_PER_H_PER_MG_PER_S;
        saturate(100.0 * wanted_kg_per_h / self.capacity_kg_per_h, 0.0, 100.0)
    }
}

/// The program of PLC-1.
#[derive(Debug)]
pub struct Treatment {
    flow: SignalId,
    ph: SignalId,
    level: SignalId,
    naoh: Dosing,
    naoh_max: SignalId,
    chlorine: Dosing,
    trip_enabled: SignalId,
    trip_reset: SignalId,
    tripped: SignalId,
    ph_high: SignalId,
    ph_highhigh: SignalId,
    level_setpoint: SignalId,
    level_mode: SignalId,
    level_manual: SignalId,
    valve: SignalId,
    retained: Vec<SignalId>,
    trip_delay: OnDelay,
    level_control: Pi,
}

impl Treatment {
    /// Resolves the tags and sets the initial setpoints.
    pub fn new(image: &mut Image) -> Result<Self, MissingSignal> {
        let mut starting_at = |tag: &str, value: f64| {
            let signal = image.require(tag)?;
            image.set_initial(signal, value);
            Ok(signal)
        };
        let naoh = Dosing {
            setpoint: starting_at("NAOH.SP", 100.0)?,
            mode: starting_at("NAOH.MODE", 1.0)?,
            manual: starting_at("NAOH.MAN", 0.0)?,
            pump: starting_at("P-201", 0.0)?,
            capacity_kg_per_h: NAOH_CAPACITY_KG_PER_H,
        };
        let chlorine = Dosing {
            setpoint: starting_at("CL2.SP", 1.5)?,
            mode: starting_at("CL2.MODE", 1.0)?,
            manual: starting_at("CL2.MAN", 0.0)?,
            pump: starting_at("P-202", 0.0)?,
            capacity_kg_per_h: CHLORINE_CAPACITY_KG_PER_H,
        };
        let mut treatment = Self {
            naoh,
            chlorine,
            naoh_max: starting_at("NAOH.SP.MAX", 0.0)?,
            trip_enabled: starting_at("PH.TRIP.EN", 0.0)?,
            trip_reset: starting_at("PH.TRIP.RESET", 0.0)?,
            tripped: starting_at("PH.TRIPPED", 0.0)?,
            ph_high: starting_at("PH.HIGH", 0.0)?,
            ph_highhigh: starting_at("PH.HIGHHIGH", 0.0)?,
            level_setpoint: starting_at("LIC-301.SP", 3.0)?,
            level_mode: starting_at("LIC-301.MODE", 1.0)?,
            level_manual: starting_at("LIC-301.MAN", VALVE_BIAS)?,
            valve: starting_at("FCV-101", VALVE_BIAS)?,
            flow: image.require("FIT-101")?,
            ph: image.require("AIT-202")?,
            level: image.require("LIT-301")?,
            retained: Vec::new(),
            trip_delay: OnDelay::new(PH_TRIP_DELAY),
            level_control: Pi::new(LEVEL_GAIN, LEVEL_INTEGRAL_TIME_S, VALVE_BIAS),
        };
        for dosing in [naoh, chlorine] {
            treatment.retained.extend([dosing.setpoint, dosing.mode, dosing.manual]);
        }
        treatment.retained.extend([
            treatment.naoh_max,
            treatment.trip_enabled,
            treatment.tripped,
            treatment.level_setpoint,
            treatment.level_mode,
            treatment.level_manual,
        ]);
        Ok(treatment)
    }

    /// Alarms of the pH after the mixer; says whether the trip holds the NaOH pump.
    fn judge_ph(&mut self, image: &mut Image, dt: Duration) -> bool {
        let ph = image.get(self.ph);
        let high = PH_HIGH.scan(image.is_on(self.ph_high), ph);
        let highhigh = PH_HIGHHIGH.scan(image.is_on(self.ph_highhigh), ph);
        image.set_on(self.ph_high, high);
        image.set_on(self.ph_highhigh, highhigh);
        let lasts = self.trip_delay.scan(ph > PH_TRIP, dt);
        let mut tripped = image.is_on(self.tripped) || (lasts && image.is_on(self.trip_enabled));
        if image.is_on(self.trip_reset) {
            tripped &= ph > PH_TRIP;
            image.set_on(self.trip_reset, false);
        }
        image.set_on(self.tripped, tripped);
        tripped
    }

    fn control_level(&mut self, image: &mut Image, dt: Duration) {
        let (setpoint, level) = (image.get(self.level_setpoint), image.get(self.level));
        let output = if image.is_on(self.level_mode) {
            self.level_control.scan(setpoint, level, dt)
        } else {
            let output = saturate(image.get(self.level_manual), 0.0, 100.0);
            self.level_control.track(setpoint, level, output);
            output
        };
        let at_an_end = output <= 0.0 || output >= 100.0;
        if at_an_end || (output - image.get(self.valve)).abs() >= VALVE_DEADBAND {
            image.set(self.valve, output);
        }
    }
}

impl Logic for Treatment {
    fn scan(&mut self, image: &mut Image, dt: Duration) {
        let tripped = self.judge_ph(image, dt);
        let flow_l_s = image.get(self.flow);
        let naoh = self.naoh.speed(image, flow_l_s, image.get(self.naoh_max));
        image.set(self.naoh.pump, if tripped { 0.0 } else { naoh });
        let chlorine = self.chlorine.speed(image, flow_l_s, 0.0);
        image.set(self.chlorine.pump, chlorine);
        self.control_level(image, dt);
    }

    fn restart(&mut self, image: &mut Image) {
        self.trip_delay.reset();
        self.level_control = Pi::new(LEVEL_GAIN, LEVEL_INTEGRAL_TIME_S, VALVE_BIAS);
        self.level_control.track(
            image.get(self.level_setpoint),
            image.get(self.level),
            image.get(self.valve),
        );
    }

    fn program(&self) -> &[u8] {
        include_bytes!("treatment.rs")
    }

    fn retained(&self) -> &[SignalId] {
        &self.retained
    }
}
