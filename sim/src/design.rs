//! A plant file after checking: every reference resolved, every quantity in SI units and in its range.
//!
//! [`Design::read`] is the only way to get one, so the physics below never meets a name that does not exist, a
//! diameter of zero or a pump curve that rises. Each refusal names file, line and remedy.

use site::FileError;
use site::file::Source;

use crate::chemistry::Carbonate;
use crate::fault::FaultKind;
use crate::file::{ActuatorUnit, LossKey, Name, PlantFile, PressureDriven};
use crate::hydraulics::gga::Network;
use check::Check;
use equipment::{actuators, instruments, treatment};
use guards::{alarm, faults, harm, loops, switches, trip};
use network::{pumps, water_network};

mod check;
mod equipment;
mod guards;
mod network;

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
                .map(|table| trip(&check, table, &instrument_tags, &actuator_tags))
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
