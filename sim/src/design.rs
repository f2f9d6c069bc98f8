//! A plant file after checking: every reference resolved, every quantity in SI units and in its range.
//!
//! [`Design::read`] is the only way to get one, so the physics below never meets a name that does not exist, a
//! diameter of zero or a pump curve that rises. Each refusal names file, line and remedy.

use site::FileError;
use site::file::Source;

use crate::chemistry::Carbonate;
use crate::fault::FaultKind;
use crate::file::{
    ActuatorUnit, AlarmTable, DosingTable, LossKey, MeasureKey, MotorTable, Name, PipeTable, PlantFile,
    PressureDriven, PumpTable, ReferenceLaw, TripTable,
};
use crate::hydraulics::gga::{End, Link, Network};
use crate::hydraulics::law::Law;
use check::Check;

mod check;

/// Everything about a plant that does not change.
#[derive(Debug)]
pub(crate) struct Design {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) step_s: u64,
    pub(crate) water: WaterNetwork,
    pub(crate) pumps: Vec<PumpDesign>,
    pub(crate) treatment: TreatmentDesign,
    pub(crate) actuators: Vec<ActuatorDesign>,
    pub(crate) instruments: Vec<InstrumentDesign>,
    pub(crate) switches: Vec<SwitchDesign>,
    pub(crate) alarms: Vec<AlarmDesign>,
    pub(crate) trips: Vec<TripDesign>,
    pub(crate) faults: Vec<FaultDesign>,
    pub(crate) harm: HarmDesign,
    pub(crate) loops: Vec<LoopDesign>,
}

/// The distribution network and its demands. Fixed node 0 is the clearwell's outlet, node `1 + k` is tank `k`.
#[derive(Clone, Debug)]
pub(crate) struct WaterNetwork {
    pub(crate) network: Network,
    pub(crate) demands: Vec<Demand>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) tanks: Vec<TankDesign>,
    /// Links at the reservoir, with +1 where they lead out of it.
    pub(crate) outlets: Vec<(usize, f64)>,
    pub(crate) pressure_driven: PressureDriven,
    pub(crate) required_pressure_m: f64,
    pub(crate) resume_level_m: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) junction: usize,
    pub(crate) base_m3_s: f64,
    pub(crate) pattern: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) step_s: u64,
    pub(crate) multipliers: Vec<f64>,
}

#[derive(Clone, Debug)]
pub(crate) struct TankDesign {
    pub(crate) bottom_m: f64,
    pub(crate) area_m2: f64,
    pub(crate) rim_level_m: f64,
    pub(crate) initial_level_m: f64,
    /// Links at the tank, with +1 where they lead into it.
    pub(crate) inlets: Vec<(usize, f64)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PumpDesign {
    pub(crate) link: usize,
    pub(crate) actuator: usize,
    pub(crate) motor: Motor,
}

/// A motor's current from its pump's flow: the shaft power of a centrifugal pump is close to a straight line in flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motor {
    pub(crate) shutoff_power_w: f64,
    pub(crate) power_j_m3: f64,
    pub(crate) amperes_per_watt: f64,
    pub(crate) magnetising_a: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct TreatmentDesign {
    pub(crate) raw: Carbonate,
    pub(crate) raw_ph: f64,
    pub(crate) raw_temperature_degc: f64,
    pub(crate) valve: usize,
    pub(crate) valve_capacity_m3_s: f64,
    pub(crate) mixer_m3: f64,
    pub(crate) sample_delay_steps: usize,
    pub(crate) clearwell: ClearwellDesign,
    pub(crate) naoh: DosingDesign,
    pub(crate) hypochlorite: DosingDesign,
    pub(crate) chlorine_decay_per_s: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ClearwellDesign {
    pub(crate) floor_m: f64,
    pub(crate) area_m2: f64,
    pub(crate) rim_level_m: f64,
    pub(crate) initial_level_m: f64,
    pub(crate) suction_lost_level_m: f64,
    pub(crate) suction_regained_level_m: f64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DosingDesign {
    pub(crate) pump: usize,
    /// Of the pure chemical at full speed.
    pub(crate) capacity_kg_s: f64,
    /// Pure chemical in a cubic metre of solution.
    pub(crate) strength_kg_m3: f64,
    pub(crate) day_tank_m3: f64,
    pub(crate) initial_m3: f64,
    pub(crate) initial_dose_g_m3: f64,
    pub(crate) refill_first_s: f64,
    pub(crate) refill_every_s: f64,
    pub(crate) refill_to_m3: f64,
    pub(crate) refill_m3_s: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct ActuatorDesign {
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) unit: ActuatorUnit,
    pub(crate) stroke_s: f64,
    pub(crate) initial: f64,
}

/// What an instrument looks at, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    RawFlow,
    RawPh,
    RawTemperature,
    ActuatorPosition(usize),
    MixerPh,
    MixerChlorine,
    NaohFlow,
    NaohLevel,
    HypochloriteFlow,
    HypochloriteLevel,
    ClearwellLevel,
    ClearwellPh,
    ClearwellChlorine,
    LinkFlow(usize),
    Pressure(usize),
    /// By index of the pump.
    MotorCurrent(usize),
    TankLevel(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct InstrumentDesign {
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) measures: Measure,
    pub(crate) unit: String,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) noise_sigma: f64,
    pub(crate) lag_s: f64,
    pub(crate) resolution: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct SwitchDesign {
    pub(crate) tag: String,
    pub(crate) tank: usize,
    pub(crate) high_m: f64,
    pub(crate) deadband_m: f64,
    pub(crate) priority: u8,
    pub(crate) message: String,
}

/// A value beyond which something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Threshold {
    Above(f64),
    Below(f64),
}

impl Threshold {
    pub(crate) fn is_passed_by(self, value: f64) -> bool {
        match self {
            Self::Above(limit) => value > limit,
            Self::Below(limit) => value < limit,
        }
    }

    /// Whether the value is back on the good side by at least the deadband.
    pub(crate) fn is_left_by(self, value: f64, deadband: f64) -> bool {
        match self {
            Self::Above(limit) => value <= limit - deadband,
            Self::Below(limit) => value >= limit + deadband,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct AlarmDesign {
    pub(crate) tag: String,
    pub(crate) instrument: usize,
    pub(crate) threshold: Threshold,
    pub(crate) deadband: f64,
    pub(crate) delay_s: f64,
    pub(crate) priority: u8,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct TripDesign {
    pub(crate) tag: String,
    pub(crate) instrument: usize,
    pub(crate) threshold: Threshold,
    pub(crate) delay_s: f64,
    pub(crate) stops: Vec<usize>,
    pub(crate) enabled: bool,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct FaultDesign {
    pub(crate) kind: FaultKind,
    pub(crate) tag: String,
    pub(crate) summary: String,
    /// One value for each of [`FaultKind::parameters`].
    pub(crate) defaults: Vec<f64>,
}

#[derive(Clone, Debug)]
pub(crate) struct HarmDesign {
    pub(crate) currency: String,
    pub(crate) floor: f64,
    pub(crate) limits: Vec<LimitDesign>,
    pub(crate) losses: Vec<LossDesign>,
}

#[derive(Clone, Debug)]
pub(crate) struct LimitDesign {
    pub(crate) name: String,
    pub(crate) instrument: usize,
    pub(crate) threshold: Threshold,
    pub(crate) price_per_s: f64,
    pub(crate) price_per_m3_supplied: f64,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct LossDesign {
    pub(crate) name: String,
    pub(crate) of: LossKey,
    pub(crate) price_each: f64,
    pub(crate) free_per_s: f64,
    /// Message and instrument of the limit that its first unit crosses.
    pub(crate) limit: Option<(String, usize)>,
}

#[derive(Clone, Debug)]
pub(crate) struct LoopDesign {
    pub(crate) actuator: usize,
    pub(crate) law: LoopLaw,
}

#[derive(Clone, Debug)]
pub(crate) enum LoopLaw {
    TankBand { tank: usize, on: (String, f64), off: (String, f64) },
    Dose { setpoint: (String, f64) },
    ClearwellLevel { setpoint: (String, f64), gain_percent_per_m: f64, reset_s: f64 },
}

const SECONDS_PER_HOUR: f64 = 3600.0;

impl Design {
    /// Reads and checks a plant file.
    pub(crate) fn read(file_name: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file: file_name, text };
        let file: PlantFile = source.parse()?;
        let check = Check::new(source);
        let actuators = actuators(&check, &file)?;
        let actuator_tags: Vec<&Name> = file.actuators.iter().map(|actuator| &actuator.tag).collect();
        let instrument_tags: Vec<&Name> = file.instruments.iter().map(|instrument| &instrument.tag).collect();
        let tank_names: Vec<&Name> = file.tanks.iter().map(|tank| &tank.name).collect();
        let step_s = *file.plant.step_s.get_ref();
        if step_s == 0 || step_s > 60 {
            return Err(check.refuse(
                &file.plant.step_s,
                "a step of 1 to 60 s is needed",
                "write step_s = 1",
            ));
        }
        let switch_tags = file.switches.iter().map(|switch| &switch.tag);
        check.all_different(
            actuator_tags.iter().copied().chain(instrument_tags.iter().copied()).chain(switch_tags),
        )?;
        check.all_different(file.alarms.iter().map(|a| &a.tag).chain(file.trips.iter().map(|t| &t.tag)))?;
        let water = water_network(&check, &file)?;
        let pumps = pumps(&check, &file, &actuator_tags)?;
        let treatment = treatment(&check, &file, &actuator_tags, step_s)?;
        let instruments = instruments(&check, &file, &actuator_tags)?;
        Ok(Self {
            switches: switches(&check, &file, &tank_names)?,
            alarms: file
                .alarms
                .iter()
                .map(|a| alarm(&check, a, &instrument_tags))
                .collect::<Result<_, _>>()?,
            trips: file
                .trips
                .iter()
                .map(|trip| self::trip(&check, trip, &instrument_tags, &actuator_tags))
                .collect::<Result<_, _>>()?,
            faults: faults(&check, &file, &actuator_tags, &instrument_tags)?,
            harm: harm(&check, &file, &instrument_tags)?,
            loops: loops(&check, &file, &actuator_tags, &tank_names)?,
            name: file.plant.name,
            title: file.plant.title,
            step_s,
            water,
            pumps,
            treatment,
            actuators,
            instruments,
        })
    }
}

fn actuators(check: &Check<'_>, file: &PlantFile) -> Result<Vec<ActuatorDesign>, FileError> {
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

fn water_network(check: &Check<'_>, file: &PlantFile) -> Result<WaterNetwork, FileError> {
    let junction_names: Vec<&Name> = file.junctions.iter().map(|junction| &junction.name).collect();
    let fixed_names: Vec<&Name> =
        std::iter::once(&file.reservoir.name).chain(file.tanks.iter().map(|tank| &tank.name)).collect();
    check.all_different(junction_names.iter().copied().chain(fixed_names.iter().copied()))?;
    check.all_different(file.pipes.iter().map(|p| &p.name).chain(file.pumps.iter().map(|p| &p.name)))?;
    check.all_different(file.patterns.iter().map(|pattern| &pattern.name))?;
    let end = |name: &Name| -> Result<End, FileError> {
        match junction_names.iter().position(|known| known.get_ref() == name.get_ref()) {
            Some(index) => Ok(End::Junction(index)),
            None => Ok(End::Fixed(check.find(name, "node", &fixed_names)?)),
        }
    };
    let pipe = |table: &PipeTable| -> Result<Link, FileError> {
        let law = Law::hazen_williams(
            check.positive(&table.length_m, "length_m")?,
            check.positive(&table.diameter_mm, "diameter_mm")? * 1e-3,
            check.positive(&table.roughness_c, "roughness_c")?,
        );
        Ok(Link { from: end(&table.from)?, to: end(&table.to)?, law })
    };
    let pump = |table: &PumpTable| -> Result<Link, FileError> {
        let points = table.curve_l_s_m.get_ref().map(|[flow_l_s, head_m]| (flow_l_s * 1e-3, head_m));
        let law = Law::three_point_pump(points).ok_or_else(|| {
            let problem = format!("no falling curve passes through the points of {}", table.name.get_ref());
            let fix = "give three points [L/s, m], the first at 0 L/s, flows rising, heads falling";
            check.refuse(&table.curve_l_s_m, problem, fix)
        })?;
        Ok(Link { from: end(&table.from)?, to: end(&table.to)?, law })
    };
    let mut links: Vec<Link> = file.pipes.iter().map(pipe).collect::<Result<_, _>>()?;
    check.all_fed(&junction_names, &links)?;
    for table in &file.pumps {
        links.push(pump(table)?);
    }
    let at_fixed = |fixed: usize, sign: f64| -> Vec<(usize, f64)> {
        let mut found = Vec::new();
        for (index, link) in links.iter().enumerate() {
            if link.to == End::Fixed(fixed) {
                found.push((index, sign));
            }
            if link.from == End::Fixed(fixed) {
                found.push((index, -sign));
            }
        }
        found
    };
    let tanks = tanks(check, file, at_fixed)?;
    let outlets = at_fixed(0, -1.0);
    let (demands, patterns) = demands(check, file)?;
    Ok(WaterNetwork {
        demands,
        patterns,
        tanks,
        outlets,
        network: Network {
            elevation_m: file.junctions.iter().map(|junction| junction.elevation_m).collect(),
            links,
        },
        pressure_driven: file.hydraulics.pressure_driven,
        required_pressure_m: check.positive(&file.hydraulics.required_pressure_m, "required_pressure_m")?,
        resume_level_m: check.positive(&file.hydraulics.resume_level_m, "resume_level_m")?,
    })
}

fn tanks(
    check: &Check<'_>,
    file: &PlantFile,
    at_fixed: impl Fn(usize, f64) -> Vec<(usize, f64)>,
) -> Result<Vec<TankDesign>, FileError> {
    file.tanks
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let diameter_m = check.positive(&table.diameter_m, "diameter_m")?;
            let rim_level_m = check.positive(&table.rim_level_m, "rim_level_m")?;
            Ok(TankDesign {
                bottom_m: table.bottom_m,
                area_m2: 0.25 * std::f64::consts::PI * diameter_m * diameter_m,
                rim_level_m,
                initial_level_m: check.within(&table.initial_level_m, "initial_level_m", 0.0, rim_level_m)?,
                inlets: at_fixed(1 + index, 1.0),
            })
        })
        .collect()
}

fn demands(check: &Check<'_>, file: &PlantFile) -> Result<(Vec<Demand>, Vec<Pattern>), FileError> {
    let pattern_names: Vec<&Name> = file.patterns.iter().map(|pattern| &pattern.name).collect();
    let mut demands = Vec::new();
    for (junction, table) in file.junctions.iter().enumerate() {
        for demand in &table.demands {
            let base_l_s = check.within(&demand.base_l_s, "base_l_s", 0.0, 1e5)?;
            let pattern = check.find(&demand.pattern, "pattern", &pattern_names)?;
            demands.push(Demand { junction, base_m3_s: base_l_s * 1e-3, pattern });
        }
    }
    let mut patterns = Vec::new();
    for table in &file.patterns {
        let multipliers = table.multipliers.get_ref();
        if multipliers.is_empty() || multipliers.iter().any(|value| !(value.is_finite() && *value >= 0.0)) {
            let problem = format!("pattern {} needs multipliers of 0 or more", table.name.get_ref());
            return Err(check.refuse(&table.multipliers, problem, "write one multiplier for each step"));
        }
        let step_s = *table.step_s.get_ref();
        if step_s == 0 || step_s % *file.plant.step_s.get_ref() != 0 {
            let problem = "a pattern changes on a step of the plant";
            return Err(check.refuse(&table.step_s, problem, "write a multiple of the plant's step_s"));
        }
        patterns.push(Pattern { step_s, multipliers: multipliers.clone() });
    }
    Ok((demands, patterns))
}

fn pumps(check: &Check<'_>, file: &PlantFile, actuators: &[&Name]) -> Result<Vec<PumpDesign>, FileError> {
    let first = file.pipes.len();
    file.pumps
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let actuator = check.find(&table.actuator, "actuator", actuators)?;
            if file.actuators[actuator].unit != ActuatorUnit::OnOff {
                let problem = format!("pump {} needs an actuator that is on or off", table.name.get_ref());
                return Err(check.refuse(&table.actuator, problem, "give that actuator unit = \"on_off\""));
            }
            Ok(PumpDesign { link: first + index, actuator, motor: motor(&table.motor) })
        })
        .collect()
}

/// Three-phase motor: `P = sqrt(3) U I cos(phi) eta` for the active part of the current.
fn motor(table: &MotorTable) -> Motor {
    Motor {
        shutoff_power_w: table.shutoff_power_kw * 1e3,
        power_j_m3: table.power_kw_per_l_s * 1e6,
        amperes_per_watt: 1.0 / (3.0_f64.sqrt() * table.voltage_v * table.power_factor * table.efficiency),
        magnetising_a: table.magnetising_a,
    }
}

fn treatment(
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

fn instruments(
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

fn switches(check: &Check<'_>, file: &PlantFile, tanks: &[&Name]) -> Result<Vec<SwitchDesign>, FileError> {
    file.switches
        .iter()
        .map(|table| {
            Ok(SwitchDesign {
                tag: check.tag(&table.tag)?,
                tank: check.find(&table.tank, "tank", tanks)?,
                high_m: check.positive(&table.high_m, "high_m")?,
                deadband_m: check.positive(&table.deadband_m, "deadband_m")?,
                priority: check.priority(&table.priority)?,
                message: table.message.clone(),
            })
        })
        .collect()
}

fn alarm(check: &Check<'_>, table: &AlarmTable, instruments: &[&Name]) -> Result<AlarmDesign, FileError> {
    Ok(AlarmDesign {
        tag: check.tag(&table.tag)?,
        instrument: check.find(&table.instrument, "instrument", instruments)?,
        threshold: check.threshold(&table.tag, table.high.as_ref(), table.low.as_ref(), "high", "low")?,
        deadband: check.within(&table.deadband, "deadband", 0.0, 1e6)?,
        delay_s: check.within(&table.delay_s, "delay_s", 0.0, 86_400.0)?,
        priority: check.priority(&table.priority)?,
        message: table.message.clone(),
    })
}

fn trip(
    check: &Check<'_>,
    table: &TripTable,
    instruments: &[&Name],
    actuators: &[&Name],
) -> Result<TripDesign, FileError> {
    Ok(TripDesign {
        tag: check.tag(&table.tag)?,
        instrument: check.find(&table.instrument, "instrument", instruments)?,
        threshold: check.threshold(&table.tag, table.high.as_ref(), table.low.as_ref(), "high", "low")?,
        delay_s: check.within(&table.delay_s, "delay_s", 0.0, 86_400.0)?,
        stops: table
            .stops
            .iter()
            .map(|tag| check.find(tag, "actuator", actuators))
            .collect::<Result<_, _>>()?,
        enabled: table.enabled,
        message: table.message.clone(),
    })
}

fn faults(
    check: &Check<'_>,
    file: &PlantFile,
    actuators: &[&Name],
    instruments: &[&Name],
) -> Result<Vec<FaultDesign>, FileError> {
    let mut faults: Vec<FaultDesign> = Vec::new();
    for table in &file.faults {
        let Some(kind) = FaultKind::named(table.kind.get_ref()) else {
            let problem = format!("unknown kind of fault {:?}", table.kind.get_ref());
            return Err(check.refuse(
                &table.kind,
                problem,
                format!("write one of {}", FaultKind::names().join(", ")),
            ));
        };
        if kind.strikes_actuators() {
            check.find(&table.tag, "actuator", actuators)?;
        } else {
            check.find(&table.tag, "instrument", instruments)?;
        }
        if let Some((key, value)) =
            table.defaults.iter().find(|(key, _)| !kind.parameters().contains(&key.as_str()))
        {
            let problem = format!("a {} has no parameter {key:?}", kind.name());
            return Err(check.refuse(value, problem, format!("write {}", kind.parameters().join(", "))));
        }
        let mut defaults = Vec::new();
        for parameter in kind.parameters() {
            let Some(value) = table.defaults.get(*parameter) else {
                let problem = format!("this {} lacks its parameter {parameter}", kind.name());
                return Err(check.refuse(&table.kind, problem, format!("add {parameter} to its defaults")));
            };
            defaults.push(check.within(value, parameter, -1e6, 1e6)?);
        }
        faults.push(FaultDesign {
            kind,
            tag: table.tag.get_ref().clone(),
            summary: table.summary.clone(),
            defaults,
        });
    }
    Ok(faults)
}

fn harm(check: &Check<'_>, file: &PlantFile, instruments: &[&Name]) -> Result<HarmDesign, FileError> {
    let table = &file.harm;
    check.all_different(table.limits.iter().map(|l| &l.name).chain(table.losses.iter().map(|l| &l.name)))?;
    let mut limits = Vec::new();
    for limit in &table.limits {
        limits.push(LimitDesign {
            name: check.tag(&limit.name)?,
            instrument: check.find(&limit.instrument, "instrument", instruments)?,
            threshold: check.threshold(
                &limit.name,
                limit.above.as_ref(),
                limit.below.as_ref(),
                "above",
                "below",
            )?,
            price_per_s: limit.price_per_h / SECONDS_PER_HOUR,
            price_per_m3_supplied: limit.price_per_m3_supplied,
            message: limit.message.clone(),
        });
    }
    let mut losses = Vec::new();
    for loss in &table.losses {
        let limit = match (&loss.limit_message, &loss.instrument) {
            (Some(message), Some(tag)) => {
                Some((message.clone(), check.find(tag, "instrument", instruments)?))
            }
            (None, None) => None,
            _ => {
                let problem = format!("{} needs limit_message and instrument together", loss.name.get_ref());
                return Err(check.refuse(&loss.name, problem, "write both or neither"));
            }
        };
        losses.push(LossDesign {
            name: check.tag(&loss.name)?,
            of: loss.of,
            price_each: check.within(&loss.price_each, "price_each", 0.0, 1e9)?,
            free_per_s: loss.free_per_h / SECONDS_PER_HOUR,
            limit,
        });
    }
    Ok(HarmDesign { currency: table.currency.clone(), floor: table.floor, limits, losses })
}

fn loops(
    check: &Check<'_>,
    file: &PlantFile,
    actuators: &[&Name],
    tanks: &[&Name],
) -> Result<Vec<LoopDesign>, FileError> {
    let mut loops: Vec<LoopDesign> = Vec::new();
    for table in &file.reference_controls {
        let actuator = check.find(&table.actuator, "actuator", actuators)?;
        if loops.iter().any(|known| known.actuator == actuator) {
            let problem = format!("{} has two reference controls", table.actuator.get_ref());
            return Err(check.refuse(&table.actuator, problem, "keep one"));
        }
        let law = match table.law.get_ref().clone() {
            ReferenceLaw::TankBand { tank, on_setpoint, on_below_m, off_setpoint, off_above_m } => {
                if on_below_m >= off_above_m {
                    let problem = format!("on below {on_below_m} m is not under off above {off_above_m} m");
                    return Err(check.refuse(&table.law, problem, "write on_below_m under off_above_m"));
                }
                let tank = serde_spanned::Spanned::new(table.law.span(), tank);
                LoopLaw::TankBand {
                    tank: check.find(&tank, "tank", tanks)?,
                    on: (on_setpoint, on_below_m),
                    off: (off_setpoint, off_above_m),
                }
            }
            ReferenceLaw::Dose { setpoint, initial_mg_l } => {
                let doses = [&file.naoh.pump, &file.hypochlorite.pump];
                check.find(&table.actuator, "dosing pump", &doses)?;
                LoopLaw::Dose { setpoint: (setpoint, initial_mg_l) }
            }
            ReferenceLaw::ClearwellLevel { setpoint, initial_m, gain_percent_per_m, reset_s } => {
                if !(reset_s > 0.0 && gain_percent_per_m > 0.0) {
                    let problem = "a level controller needs a gain and a reset time above 0";
                    return Err(check.refuse(&table.law, problem, "write both above 0"));
                }
                LoopLaw::ClearwellLevel { setpoint: (setpoint, initial_m), gain_percent_per_m, reset_s }
            }
        };
        loops.push(LoopDesign { actuator, law });
    }
    Ok(loops)
}
