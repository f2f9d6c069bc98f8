//! A water works after checking.

use std::sync::Arc;

use site::FileError;
use site::file::Source;

use super::check::Check;
use super::equipment::{actuators, instruments, measure, treatment};
use super::guards::{alarm, faults, harm, loops, switches, trip};
use super::network::{pumps, water_network};
use super::{Design, Loss, ProcessDesign};
use crate::chemistry::Carbonate;
use crate::fault::Strikes;
use crate::file::Name;
use crate::file::water::{PressureDriven, WaterFile};
use crate::hydraulics::gga::Network;

/// What is particular to a water works.
#[derive(Debug)]
pub(crate) struct WaterDesign {
    pub(crate) network: WaterNetwork,
    pub(crate) pumps: Vec<PumpDesign>,
    pub(crate) treatment: TreatmentDesign,
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

/// What an instrument looks at, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaterMeasure {
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

/// Reads and checks the file of a water works.
pub(super) fn read(source: Source<'_>) -> Result<Design, FileError> {
    let file: WaterFile = source.parse()?;
    let check = Check::new(source);
    let actuators = actuators(&check, &file)?;
    let actuator_tags: Vec<&Name> = file.actuators.iter().map(|actuator| &actuator.tag).collect();
    let instrument_tags: Vec<&Name> = file.instruments.iter().map(|instrument| &instrument.tag).collect();
    let tank_names: Vec<&Name> = file.tanks.iter().map(|tank| &tank.name).collect();
    let step_s = *file.plant.step_s.get_ref();
    if step_s == 0 || step_s > 60 {
        return Err(check.refuse(&file.plant.step_s, "a step of 1 to 60 s is needed", "write step_s = 1"));
    }
    let switch_tags = file.switches.iter().map(|switch| &switch.tag);
    check.all_different(
        actuator_tags.iter().copied().chain(instrument_tags.iter().copied()).chain(switch_tags),
    )?;
    check.all_different(file.alarms.iter().map(|a| &a.tag).chain(file.trips.iter().map(|t| &t.tag)))?;
    let network = water_network(&check, &file)?;
    let pumps = pumps(&check, &file, &actuator_tags)?;
    let treatment = treatment(&check, &file, &actuator_tags, step_s)?;
    let instruments =
        instruments(&check, &file.instruments, |key| measure(&check, &file, &actuator_tags, key))?;
    let targets = |strikes| match strikes {
        Strikes::Actuator => Some(("actuator", actuator_tags.clone())),
        Strikes::Instrument => Some(("instrument", instrument_tags.clone())),
        Strikes::Breaker | Strikes::Unit | Strikes::Line | Strikes::Bus => None,
    };
    Ok(Design {
        switches: switches(&check, &file, &tank_names)?,
        alarms: file.alarms.iter().map(|a| alarm(&check, a, &instrument_tags)).collect::<Result<_, _>>()?,
        trips: file
            .trips
            .iter()
            .map(|table| trip(&check, table, &instrument_tags, &actuator_tags))
            .collect::<Result<_, _>>()?,
        faults: faults(&check, &file.faults, targets)?,
        harm: harm(&check, &file.harm, &instrument_tags, Loss::Water)?,
        loops: loops(&check, &file, &actuator_tags, &tank_names)?,
        name: file.plant.name,
        title: file.plant.title,
        step_ms: 1000 * step_s,
        measure_every: 1,
        process: ProcessDesign::Water(Arc::new(WaterDesign { network, pumps, treatment })),
        actuators,
        instruments,
    })
}
