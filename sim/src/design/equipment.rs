//! The tables of actuators, treatment and instruments.

use site::FileError;

use super::check::Check;
use super::{
    ActuatorDesign, ClearwellDesign, DosingDesign, InstrumentDesign, Measure, SECONDS_PER_HOUR,
    TreatmentDesign,
};
use crate::chemistry::Carbonate;
use crate::file::{ActuatorUnit, DosingTable, MeasureKey, Name, PlantFile};

pub(super) fn actuators(check: &Check<'_>, file: &PlantFile) -> Result<Vec<ActuatorDesign>, FileError> {
    file.actuators
        .iter()
        .map(|table| {
            let highest = if table.unit == ActuatorUnit::Percent { 100.0 } else { 1.0 };
            Ok(ActuatorDesign {
                tag: check.tag(&table.tag)?,
                description: table.description.clone(),
                unit: table.unit,
                stroke_s: check.within(&table.stroke_s, "stroke_s", 0.0, 3600.0)?,
                initial: check.within(&table.initial, "initial", 0.0, highest)?,
            })
        })
        .collect()
}

pub(super) fn treatment(
    check: &Check<'_>,
    file: &PlantFile,
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

pub(super) fn instruments(
    check: &Check<'_>,
    file: &PlantFile,
    actuators: &[&Name],
) -> Result<Vec<InstrumentDesign>, FileError> {
    file.instruments
        .iter()
        .map(|table| {
            let (measures, unit) = measure(check, file, actuators, &table.measures)?;
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

/// What is measured, and in which unit it is shown.
fn measure(
    check: &Check<'_>,
    file: &PlantFile,
    actuators: &[&Name],
    key: &serde_spanned::Spanned<MeasureKey>,
) -> Result<(Measure, &'static str), FileError> {
    let named = |name: &String, what: &str, known: Vec<&Name>| {
        check.find(&serde_spanned::Spanned::new(key.span(), name.clone()), what, &known)
    };
    let pumps = || file.pumps.iter().map(|pump| &pump.name);
    Ok(match key.get_ref() {
        MeasureKey::RawFlow => (Measure::RawFlow, "L/s"),
        MeasureKey::RawPh => (Measure::RawPh, "pH"),
        MeasureKey::RawTemperature => (Measure::RawTemperature, "degC"),
        MeasureKey::ActuatorPosition(tag) => {
            (Measure::ActuatorPosition(named(tag, "actuator", actuators.to_vec())?), "%")
        }
        MeasureKey::MixerPh => (Measure::MixerPh, "pH"),
        MeasureKey::MixerChlorine => (Measure::MixerChlorine, "mg/L"),
        MeasureKey::NaohFlow => (Measure::NaohFlow, "L/h"),
        MeasureKey::NaohLevel => (Measure::NaohLevel, "%"),
        MeasureKey::HypochloriteFlow => (Measure::HypochloriteFlow, "L/h"),
        MeasureKey::HypochloriteLevel => (Measure::HypochloriteLevel, "%"),
        MeasureKey::ClearwellLevel => (Measure::ClearwellLevel, "m"),
        MeasureKey::ClearwellPh => (Measure::ClearwellPh, "pH"),
        MeasureKey::ClearwellChlorine => (Measure::ClearwellChlorine, "mg/L"),
        MeasureKey::LinkFlow(name) => {
            let links = file.pipes.iter().map(|pipe| &pipe.name).chain(pumps()).collect();
            (Measure::LinkFlow(named(name, "pipe or pump", links)?), "L/s")
        }
        MeasureKey::Pressure(name) => {
            let junctions = file.junctions.iter().map(|junction| &junction.name).collect();
            (Measure::Pressure(named(name, "junction", junctions)?), "m")
        }
        MeasureKey::MotorCurrent(name) => {
            (Measure::MotorCurrent(named(name, "pump", pumps().collect())?), "A")
        }
        MeasureKey::TankLevel(name) => {
            let tanks = file.tanks.iter().map(|tank| &tank.name).collect();
            (Measure::TankLevel(named(name, "tank", tanks)?), "m")
        }
    })
}
