//! The tables of actuators, treatment and instruments.

use serde_spanned::Spanned;
use site::FileError;

use super::check::Check;
use super::water::{ClearwellDesign, DosingDesign, TreatmentDesign, WaterMeasure};
use super::{ActuatorDesign, InstrumentDesign, Measure, SECONDS_PER_HOUR};
use crate::chemistry::Carbonate;
use crate::file::water::{DosingTable, MeasureKey, WaterFile};
use crate::file::{ActuatorUnit, InstrumentTable, Name};

pub(super) fn actuators(check: &Check<'_>, file: &WaterFile) -> Result<Vec<ActuatorDesign>, FileError> {
    file.actuators
        .iter()
        .map(|table| {
            let high = if table.unit == ActuatorUnit::Percent { 100.0 } else { 1.0 };
            Ok(ActuatorDesign {
                tag: check.tag(&table.tag)?,
                description: table.description.clone(),
                unit: table.unit,
                low: 0.0,
                high,
                stroke_s: check.within(&table.stroke_s, "stroke_s", 0.0, 3600.0)?,
                initial: check.within(&table.initial, "initial", 0.0, high)?,
            })
        })
        .collect()
}

pub(super) fn treatment(
    check: &Check<'_>,
    file: &WaterFile,
    actuators: &[&Name],
    step_s: u64,
) -> Result<TreatmentDesign, FileError> {
    let raw_ph = check.within(&file.raw_water.ph, "ph", 4.0, 8.2)?;
    let alkalinity = check.within(&file.raw_water.alkalinity_meq_l, "alkalinity_meq_l", 0.01, 20.0)?;
    let table = &file.clearwell;
    check.find(&table.feeds, "reservoir", &[&file.reservoir.name])?;
    let rim_level_m = check.positive(&table.rim_level_m, "rim_level_m")?;
    let lost = check.within(&table.suction_lost_level_m, "suction_lost_level_m", 0.05, rim_level_m)?;
    let clearwell = ClearwellDesign {
        floor_m: table.floor_m,
        area_m2: check.positive(&table.area_m2, "area_m2")?,
        rim_level_m,
        initial_level_m: check.within(&table.initial_level_m, "initial_level_m", lost, rim_level_m)?,
        suction_lost_level_m: lost,
        suction_regained_level_m: check.within(
            &table.suction_regained_level_m,
            "suction_regained_level_m",
            lost,
            rim_level_m,
        )?,
    };
    Ok(TreatmentDesign {
        raw: Carbonate::from_ph(raw_ph, alkalinity),
        raw_ph,
        raw_temperature_degc: file.raw_water.temperature_degc,
        valve: check.find(&file.raw_water.valve, "actuator", actuators)?,
        valve_capacity_m3_s: check.positive(&file.raw_water.valve_capacity_l_s, "valve_capacity_l_s")? * 1e-3,
        mixer_m3: check.positive(&file.mixer.volume_m3, "volume_m3")?,
        sample_delay_steps: usize::try_from(*file.mixer.sample_delay_s.get_ref() / step_s).unwrap_or(0),
        clearwell,
        naoh: dosing(check, &file.naoh, actuators)?,
        hypochlorite: dosing(check, &file.hypochlorite, actuators)?,
        chlorine_decay_per_s: check.within(&file.chlorine.decay_per_day, "decay_per_day", 0.0, 1000.0)?
            / 86_400.0,
    })
}

fn dosing(check: &Check<'_>, table: &DosingTable, actuators: &[&Name]) -> Result<DosingDesign, FileError> {
    let day_tank_m3 = check.positive(&table.day_tank_m3, "day_tank_m3")?;
    let initial = check.within(&table.initial_level_percent, "initial_level_percent", 0.0, 100.0)?;
    Ok(DosingDesign {
        pump: check.find(&table.pump, "actuator", actuators)?,
        capacity_kg_s: check.positive(&table.capacity_kg_per_h, "capacity_kg_per_h")? / SECONDS_PER_HOUR,
        strength_kg_m3: check.positive(&table.strength_kg_m3, "strength_kg_m3")?,
        day_tank_m3,
        initial_m3: 0.01 * initial * day_tank_m3,
        initial_dose_g_m3: table.initial_dose_mg_l,
        refill_first_s: table.refill_first_h * SECONDS_PER_HOUR,
        refill_every_s: check.positive(&table.refill_every_h, "refill_every_h")? * SECONDS_PER_HOUR,
        refill_to_m3: 0.01 * table.refill_to_percent * day_tank_m3,
        refill_m3_s: table.refill_m3_per_h / SECONDS_PER_HOUR,
    })
}

/// The instruments of any plant; `measure` knows what they can look at, and in which unit it is shown.
pub(super) fn instruments<M>(
    check: &Check<'_>,
    tables: &[InstrumentTable<M>],
    measure: impl Fn(&Spanned<M>) -> Result<(Measure, &'static str), FileError>,
) -> Result<Vec<InstrumentDesign>, FileError> {
    tables
        .iter()
        .map(|table| {
            let (measures, unit) = measure(&table.measures)?;
            if table.unit.get_ref() != unit {
                let problem = format!(
                    "{} is measured in {unit}, not in {:?}",
                    table.tag.get_ref(),
                    table.unit.get_ref()
                );
                let fix = format!("write unit = {unit:?} and give low, high and noise in it");
                return Err(check.refuse(&table.unit, problem, fix));
            }
            let (low, high) = (*table.low.get_ref(), *table.high.get_ref());
            if !(low.is_finite() && high.is_finite() && low < high) {
                let problem = format!("{} has no span: low {low}, high {high}", table.tag.get_ref());
                return Err(check.refuse(&table.low, problem, "write a low below the high"));
            }
            let span = high - low;
            Ok(InstrumentDesign {
                tag: check.tag(&table.tag)?,
                description: table.description.clone(),
                measures,
                unit: unit.to_owned(),
                low,
                high,
                noise_sigma: check.within(&table.noise_sigma, "noise_sigma", 0.0, span)?,
                lag_s: check.within(&table.lag_s, "lag_s", 0.0, 3600.0)?,
                resolution: check.within(&table.resolution, "resolution", 0.0, span)?,
            })
        })
        .collect()
}

/// What is measured at a water works, and in which unit it is shown.
pub(super) fn measure(
    check: &Check<'_>,
    file: &WaterFile,
    actuators: &[&Name],
    key: &Spanned<MeasureKey>,
) -> Result<(Measure, &'static str), FileError> {
    let named = |name: &String, what: &str, known: Vec<&Name>| {
        check.find(&Spanned::new(key.span(), name.clone()), what, &known)
    };
    let pumps = || file.pumps.iter().map(|pump| &pump.name);
    let (measure, unit) = match key.get_ref() {
        MeasureKey::RawFlow => (WaterMeasure::RawFlow, "L/s"),
        MeasureKey::RawPh => (WaterMeasure::RawPh, "pH"),
        MeasureKey::RawTemperature => (WaterMeasure::RawTemperature, "degC"),
        MeasureKey::ActuatorPosition(tag) => {
            (WaterMeasure::ActuatorPosition(named(tag, "actuator", actuators.to_vec())?), "%")
        }
        MeasureKey::MixerPh => (WaterMeasure::MixerPh, "pH"),
        MeasureKey::MixerChlorine => (WaterMeasure::MixerChlorine, "mg/L"),
        MeasureKey::NaohFlow => (WaterMeasure::NaohFlow, "L/h"),
        MeasureKey::NaohLevel => (WaterMeasure::NaohLevel, "%"),
        MeasureKey::HypochloriteFlow => (WaterMeasure::HypochloriteFlow, "L/h"),
        MeasureKey::HypochloriteLevel => (WaterMeasure::HypochloriteLevel, "%"),
        MeasureKey::ClearwellLevel => (WaterMeasure::ClearwellLevel, "m"),
        MeasureKey::ClearwellPh => (WaterMeasure::ClearwellPh, "pH"),
        MeasureKey::ClearwellChlorine => (WaterMeasure::ClearwellChlorine, "mg/L"),
        MeasureKey::LinkFlow(name) => {
            let links = file.pipes.iter().map(|pipe| &pipe.name).chain(pumps()).collect();
            (WaterMeasure::LinkFlow(named(name, "pipe or pump", links)?), "L/s")
        }
        MeasureKey::Pressure(name) => {
            let junctions = file.junctions.iter().map(|junction| &junction.name).collect();
            (WaterMeasure::Pressure(named(name, "junction", junctions)?), "m")
        }
        MeasureKey::MotorCurrent(name) => {
            (WaterMeasure::MotorCurrent(named(name, "pump", pumps().collect())?), "A")
        }
        MeasureKey::TankLevel(name) => {
            let tanks = file.tanks.iter().map(|tank| &tank.name).collect();
            (WaterMeasure::TankLevel(named(name, "tank", tanks)?), "m")
        }
    };
    Ok((Measure::Water(measure), unit))
}
