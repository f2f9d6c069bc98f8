//! The tables of breakers, units, loads, protection and instruments of a power system, and the terminals that they make.

use serde_spanned::Spanned;
use site::FileError;

use super::check::Check;
use super::power::{breaker_contacts, steps};
use super::{ActuatorDesign, Measure};
use crate::file::power::{MeasureKey, Operates, PowerFile};
use crate::file::{ActuatorUnit, Name};
use crate::instrument::lag_share;
use crate::power::System;
use crate::power::design::{
    BreakerDesign, CheckDesign, LoadDesign, Place, PowerContact, PowerMeasure, RelayDesign, RelayLaw,
    SheddingDesign, StageDesign, TapDesign, UnitTerminals, WanderDesign,
};

/// Names that are referred to, in the order in which they are numbered.
pub(super) struct Names<'f> {
    pub(super) buses: Vec<&'f Name>,
    pub(super) lines: Vec<&'f Name>,
    pub(super) units: Vec<&'f Name>,
    /// Lines' first and second ends, units, loads.
    pub(super) breakers: Vec<&'f Name>,
    lockouts: Vec<&'f Name>,
    load_buses: Vec<&'f Name>,
    unit_buses: Vec<&'f Name>,
}

impl<'f> Names<'f> {
    pub(super) fn of(file: &'f PowerFile) -> Self {
        let ends = file.lines.iter().flat_map(|line| [&line.breaker_from, &line.breaker_to]);
        Self {
            buses: file.buses.iter().map(|bus| &bus.name).collect(),
            lines: file.lines.iter().map(|line| &line.name).collect(),
            units: file.units.iter().map(|unit| &unit.name).collect(),
            breakers: ends
                .chain(file.units.iter().map(|unit| &unit.breaker))
                .chain(file.loads.iter().map(|load| &load.breaker))
                .collect(),
            lockouts: file.units.iter().map(|unit| &unit.lockout).collect(),
            load_buses: file.loads.iter().map(|load| &load.bus).collect(),
            unit_buses: file.units.iter().map(|unit| &unit.bus).collect(),
        }
    }

    pub(super) fn bus(&self, check: &Check<'_>, name: &Name) -> Result<usize, FileError> {
        check.find(name, "bus", &self.buses)
    }

    /// Breaker of the unit whose terminals are at a bus.
    fn unit_breaker(&self, bus: &Name) -> Option<usize> {
        let unit = self.unit_buses.iter().position(|known| known.get_ref() == bus.get_ref())?;
        Some(2 * self.lines.len() + unit)
    }
}

/// The terminals that the tables make.
#[derive(Default)]
pub(super) struct Terminals {
    pub(super) actuators: Vec<ActuatorDesign>,
    pub(super) contacts: Vec<(String, PowerContact)>,
}

impl Terminals {
    fn add(
        &mut self,
        tag: String,
        description: String,
        unit: ActuatorUnit,
        span: [f64; 2],
        at: f64,
    ) -> usize {
        let [low, high] = span;
        self.actuators.push(ActuatorDesign { tag, description, unit, low, high, stroke_s: 0.0, initial: at });
        self.actuators.len() - 1
    }

    fn switch(&mut self, tag: String, description: String, initial: f64) -> usize {
        self.add(tag, description, ActuatorUnit::OnOff, [0.0, 1.0], initial)
    }
}

pub(super) fn breakers(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    terminals: &mut Terminals,
) -> Result<Vec<BreakerDesign>, FileError> {
    check.all_different(names.breakers.iter().copied())?;
    let lines = file.lines.len();
    let places = (0..lines)
        .flat_map(|branch| [0, 1].map(|end| Place::Line { branch, end }))
        .chain((0..file.units.len()).map(|unit| Place::Unit { branch: lines + unit, end: 1 }))
        .chain((0..file.loads.len()).map(Place::Load));
    let mut breakers = Vec::new();
    for (name, place) in names.breakers.iter().zip(places) {
        let tag = check.tag(name)?;
        terminals.contacts.extend(breaker_contacts(&tag, breakers.len()));
        breakers.push(BreakerDesign {
            trip_coil: terminals.switch(format!("{tag}.T"), format!("trip coil of breaker {tag}"), 0.0),
            close_coil: terminals.switch(format!("{tag}.C"), format!("close coil of breaker {tag}"), 0.0),
            tag,
            place,
        });
    }
    Ok(breakers)
}

/// How far below no load a load reference can be set, of the rating: as far as it takes to synchronise with a network that is slow.
const SPEEDER_SHARE: f64 = 0.1;

pub(super) fn units(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    system: &System,
    base_mva: f64,
    step_s: f64,
    terminals: &mut Terminals,
) -> Result<Vec<UnitTerminals>, FileError> {
    check.all_different(names.lockouts.iter().copied())?;
    let mut units = Vec::new();
    for (index, table) in file.units.iter().enumerate() {
        let name = check.tag(&table.name)?;
        let lockout = check.tag(&table.lockout)?;
        let rating_mva = *table.rating_mva.get_ref();
        let power_mw = system.terminal_power(index).re * base_mva;
        if power_mw > rating_mva {
            let problem = format!("unit {name} would give {power_mw:.1} MW of its {rating_mva} MVA");
            return Err(check.refuse(&table.name, problem, "dispatch the units within their ratings"));
        }
        let voltage_pu = *table.voltage_pu.get_ref();
        terminals.contacts.push((lockout.clone(), PowerContact::LockedOut(index)));
        let endurance_pu = check.positive(&table.shaft.endurance_pu, "endurance_pu")?;
        units.push(UnitTerminals {
            breaker: 2 * file.lines.len() + index,
            rating_mva,
            voltage_pu,
            field_share: lag_share(check.within(&table.field_lag_s, "field_lag_s", 0.0, 600.0)?, step_s),
            burst_speed: 0.01
                * check.within(&table.burst_speed_percent, "burst_speed_percent", 105.0, 300.0)?,
            endurance_pu,
            ultimate_pu: check.within(&table.shaft.ultimate_pu, "ultimate_pu", endurance_pu, 100.0)?,
            exponent: check.within(&table.shaft.exponent, "exponent", 1.0, 30.0)?,
            power_setpoint: terminals.add(
                check.tag(&table.governor_setpoint)?,
                format!("load reference of unit {name}"),
                ActuatorUnit::Megawatts,
                [-SPEEDER_SHARE * rating_mva, rating_mva],
                power_mw,
            ),
            voltage_setpoint: terminals.add(
                check.tag(&table.voltage_setpoint)?,
                format!("voltage setpoint of unit {name}"),
                ActuatorUnit::PerUnit,
                [0.8, 1.2],
                voltage_pu,
            ),
            lockout_trip: terminals.switch(format!("{lockout}.T"), format!("trip unit {name}"), 0.0),
            lockout_reset: terminals.switch(
                format!("{lockout}.RST"),
                format!("reset the lockout of unit {name}"),
                0.0,
            ),
            lockout,
            name,
        });
    }
    Ok(units)
}

pub(super) fn loads(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    step_s: f64,
    terminals: &mut Terminals,
) -> Result<Vec<LoadDesign>, FileError> {
    check.all_different(file.loads.iter().map(|load| &load.tap_changer.tag))?;
    let mut loads = Vec::new();
    for (index, table) in file.loads.iter().enumerate() {
        let changer = &table.tap_changer;
        let tag = check.tag(&changer.tag)?;
        let tap_count = *changer.steps.get_ref();
        if tap_count == 0 {
            return Err(check.refuse(&changer.steps, "a tap changer without taps", "write steps = 16"));
        }
        let range_percent = check.within(&changer.range_percent, "range_percent", 0.0, 30.0)?;
        let bandwidth = check.within(&changer.bandwidth_percent, "bandwidth_percent", 0.1, 20.0)?;
        let what = format!("the tap changer at bus {}", table.bus.get_ref());
        loads.push(LoadDesign {
            bus: names.bus(check, &table.bus)?,
            breaker: 2 * file.lines.len() + file.units.len() + index,
            nominal_mw: *table.active_mw.get_ref(),
            wander: WanderDesign {
                share: 0.01 * check.within(&table.wander.sigma_percent, "sigma_percent", 0.0, 10.0)?,
                every_s: check.within(&table.wander.every_s, "every_s", 1.0, 86_400.0)?,
            },
            tap: TapDesign {
                step_pu: 0.01 * range_percent / f64::from(tap_count),
                steps: i32::from(tap_count),
                half_band_pu: 0.005 * bandwidth,
                delay: steps(check.within(&changer.delay_s, "delay_s", 0.0, 3600.0)?, step_s),
                pause: steps(check.within(&changer.step_s, "step_s", step_s, 3600.0)?, step_s),
                raise: terminals.switch(format!("{tag}.R"), format!("raise {what}"), 0.0),
                lower: terminals.switch(format!("{tag}.L"), format!("lower {what}"), 0.0),
                auto: terminals.switch(format!("{tag}.AUTO"), format!("{what} regulates"), 1.0),
                target: terminals.add(
                    format!("{tag}.SP"),
                    format!("voltage that {what} holds"),
                    ActuatorUnit::PerUnit,
                    [0.9, 1.1],
                    1.0,
                ),
            },
        });
    }
    Ok(loads)
}

pub(super) fn checks(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    terminals: &mut Terminals,
) -> Result<Vec<CheckDesign>, FileError> {
    let mut checks = Vec::new();
    for table in &file.synchronism_checks {
        let tag = check.tag(&table.tag)?;
        let breaker = check.find(&table.breaker, "breaker", &names.breakers)?;
        terminals.contacts.push((tag.clone(), PowerContact::Permissive(checks.len())));
        checks.push(CheckDesign {
            breaker,
            angle_rad: check.within(&table.angle_deg, "angle_deg", 0.0, 180.0)?.to_radians(),
            slip_hz: check.within(&table.slip_hz, "slip_hz", 0.0, 10.0)?,
            voltage_pu: 0.01 * check.within(&table.voltage_percent, "voltage_percent", 0.0, 100.0)?,
            defeat: terminals.switch(format!("{tag}.DEF"), format!("{tag} is defeated"), 0.0),
            tag,
        });
    }
    Ok(checks)
}

pub(super) fn relays(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    step_s: f64,
    terminals: &mut Terminals,
) -> Result<Vec<RelayDesign>, FileError> {
    let mut relays = Vec::new();
    for table in &file.relays {
        let tag = check.tag(&table.tag)?;
        let law = relay_law(check, &tag, &table.operates, names, terminals)?;
        let (mut breakers, mut lockouts) = (Vec::new(), Vec::new());
        let both: Vec<&Name> = names.breakers.iter().chain(&names.lockouts).copied().collect();
        for trips in &table.trips {
            match check.find(trips, "breaker or lockout", &both)? {
                breaker if breaker < names.breakers.len() => breakers.push(breaker),
                lockout => lockouts.push(lockout - names.breakers.len()),
            }
        }
        terminals.contacts.push((tag.clone(), PowerContact::Relay(relays.len())));
        relays.push(RelayDesign {
            law,
            delay: steps(check.within(&table.delay_s, "delay_s", 0.0, 3600.0)?, step_s),
            breakers,
            lockouts,
            message: table.message.clone(),
            block: terminals.switch(format!("{tag}.BLK"), format!("{tag} is blocked"), 0.0),
            tag,
        });
    }
    Ok(relays)
}

/// Ranges in which pickups can be set.
const PICKUP_HZ: [f64; 2] = [40.0, 70.0];
const PICKUP_PU: [f64; 2] = [0.1, 2.0];
const PICKUP_PERCENT: [f64; 2] = [100.0, 150.0];

fn relay_law(
    check: &Check<'_>,
    tag: &str,
    operates: &Operates,
    names: &Names<'_>,
    terminals: &mut Terminals,
) -> Result<RelayLaw, FileError> {
    let mut pickup = |value: &Spanned<f64>, key: &str, unit, span: [f64; 2]| {
        let value = check.within(value, key, span[0], span[1])?;
        Ok(terminals.add(format!("{tag}.SP"), format!("pickup of {tag}"), unit, span, value))
    };
    Ok(match operates {
        Operates::UnderFrequency { bus, pickup_hz } => RelayLaw::UnderFrequency {
            bus: names.bus(check, bus)?,
            pickup: pickup(pickup_hz, "pickup_hz", ActuatorUnit::Hertz, PICKUP_HZ)?,
            supervisor: names.unit_breaker(bus),
        },
        Operates::OverFrequency { bus, pickup_hz } => RelayLaw::OverFrequency {
            bus: names.bus(check, bus)?,
            pickup: pickup(pickup_hz, "pickup_hz", ActuatorUnit::Hertz, PICKUP_HZ)?,
            supervisor: names.unit_breaker(bus),
        },
        Operates::UnderVoltage { bus, pickup_pu } => RelayLaw::UnderVoltage {
            bus: names.bus(check, bus)?,
            pickup: pickup(pickup_pu, "pickup_pu", ActuatorUnit::PerUnit, PICKUP_PU)?,
        },
        Operates::OverVoltage { bus, pickup_pu } => RelayLaw::OverVoltage {
            bus: names.bus(check, bus)?,
            pickup: pickup(pickup_pu, "pickup_pu", ActuatorUnit::PerUnit, PICKUP_PU)?,
        },
        Operates::Overspeed { unit, pickup_percent } => RelayLaw::Overspeed {
            unit: check.find(unit, "unit", &names.units)?,
            pickup: pickup(pickup_percent, "pickup_percent", ActuatorUnit::Percent, PICKUP_PERCENT)?,
        },
        Operates::BusDifferential { bus } => RelayLaw::BusDifferential { bus: names.bus(check, bus)? },
        Operates::LineDifferential { line } => {
            RelayLaw::LineDifferential { line: check.find(line, "line", &names.lines)? }
        }
    })
}

pub(super) fn sheddings(
    check: &Check<'_>,
    file: &PowerFile,
    names: &Names<'_>,
    step_s: f64,
    terminals: &mut Terminals,
) -> Result<Vec<SheddingDesign>, FileError> {
    let mut sheddings = Vec::new();
    for table in &file.sheddings {
        let tag = check.tag(&table.tag)?;
        let load = check.find(&table.bus, "load at bus", &names.load_buses)?;
        let mut stages = Vec::new();
        for (stage, state) in table.stages.iter().zip(0..) {
            let contact = PowerContact::Stage { shedding: sheddings.len(), stage: state };
            terminals.contacts.push((format!("{tag}.S{}", state + 1), contact));
            let pickup_hz = check.within(&stage.pickup_hz, "pickup_hz", PICKUP_HZ[0], PICKUP_HZ[1])?;
            stages.push(StageDesign {
                tag: format!("{tag}.S{}", state + 1),
                delay: steps(check.within(&stage.delay_s, "delay_s", 0.0, 3600.0)?, step_s),
                share: 0.01 * check.within(&stage.percent, "percent", 0.0, 100.0)?,
                pickup: terminals.add(
                    format!("{tag}.SP{}", state + 1),
                    format!("pickup of stage {} of {tag}", state + 1),
                    ActuatorUnit::Hertz,
                    PICKUP_HZ,
                    pickup_hz,
                ),
            });
        }
        sheddings.push(SheddingDesign {
            load,
            stages,
            block: terminals.switch(format!("{tag}.BLK"), format!("{tag} is blocked"), 0.0),
            reset: terminals.switch(format!("{tag}.RST"), format!("bring the feeders of {tag} back"), 0.0),
        });
    }
    Ok(sheddings)
}

/// What is measured in a power system, and in which unit it is shown.
pub(super) fn measure(
    check: &Check<'_>,
    names: &Names<'_>,
    key: &Spanned<MeasureKey>,
) -> Result<(Measure, &'static str), FileError> {
    let find = |name: &String, what: &str, known: &[&Name]| {
        check.find(&Spanned::new(key.span(), name.clone()), what, known)
    };
    let bus = |name| find(name, "bus", &names.buses);
    let unit = |name| find(name, "unit", &names.units);
    let breaker = |name| find(name, "breaker", &names.breakers);
    let (measure, shown_in) = match key.get_ref() {
        MeasureKey::VoltageKv(name) => (PowerMeasure::VoltageKv(bus(name)?), "kV"),
        MeasureKey::AngleDeg(name) => (PowerMeasure::AngleDeg(bus(name)?), "deg"),
        MeasureKey::FrequencyHz(name) => (PowerMeasure::FrequencyHz(bus(name)?), "Hz"),
        MeasureKey::RocofHzS(name) => (PowerMeasure::RocofHzS(bus(name)?), "Hz/s"),
        MeasureKey::BreakerMw(name) => (PowerMeasure::BreakerMw(breaker(name)?), "MW"),
        MeasureKey::BreakerMvar(name) => (PowerMeasure::BreakerMvar(breaker(name)?), "Mvar"),
        MeasureKey::BreakerAngleDeg(name) => (PowerMeasure::BreakerAngleDeg(breaker(name)?), "deg"),
        MeasureKey::UnitMw(name) => (PowerMeasure::UnitMw(unit(name)?), "MW"),
        MeasureKey::UnitMvar(name) => (PowerMeasure::UnitMvar(unit(name)?), "Mvar"),
        MeasureKey::UnitSpeedHz(name) => (PowerMeasure::UnitSpeedHz(unit(name)?), "Hz"),
        MeasureKey::UnitAngleDeg(name) => (PowerMeasure::UnitAngleDeg(unit(name)?), "deg"),
        MeasureKey::UnitTorquePeakPu(name) => (PowerMeasure::UnitTorquePeakPu(unit(name)?), "pu"),
        MeasureKey::Tap(name) => (PowerMeasure::Tap(find(name, "load at bus", &names.load_buses)?), "tap"),
    };
    Ok((Measure::Power(measure), shown_in))
}
