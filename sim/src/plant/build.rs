//! How a plant is put together: its schedule, its entities, its lists.

use bevy_ecs::prelude::{Entity, IntoScheduleConfigs, Schedule, SystemSet, World};
use bevy_ecs::schedule::{LogLevel, ScheduleBuildSettings, SingleThreadedExecutor};
use record::KeyedStream;

use crate::actuator::{Command, Position, Travel, Tripped, move_actuators};
use crate::catalogue::{ActuatorInfo, InstrumentInfo};
use crate::design::{ActuatorDesign, Design, InstrumentDesign};
use crate::fault::{Ailment, Stiction};
use crate::guard::{Alarm, Latch, Trip, Watches, watch_alarms, watch_switches, watch_trips};
use crate::harm::account;
use crate::instrument::{Lagged, Looks, Noise, Transmitted, Transmitter, Truth, lag_share, measure};
use crate::process::{Process, solve};
use crate::reference_control::control;

#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Control,
    Actuate,
    Solve,
    Measure,
    Guard,
    Account,
}

pub(super) fn schedule() -> Schedule {
    let mut schedule = Schedule::default();
    schedule.set_executor(SingleThreadedExecutor::new());
    schedule.set_build_settings(ScheduleBuildSettings {
        ambiguity_detection: LogLevel::Error,
        ..ScheduleBuildSettings::default()
    });
    schedule.configure_sets(
        (Phase::Control, Phase::Actuate, Phase::Solve, Phase::Measure, Phase::Guard, Phase::Account).chain(),
    );
    schedule.add_systems((
        control.in_set(Phase::Control),
        move_actuators.in_set(Phase::Actuate),
        solve.in_set(Phase::Solve),
        measure.in_set(Phase::Measure),
        (watch_alarms, watch_switches, watch_trips).chain().in_set(Phase::Guard),
        account.in_set(Phase::Account),
    ));
    schedule
}

pub(super) fn spawn_actuators(world: &mut World, design: &Design) -> Vec<Entity> {
    let spawn = |actuator: &ActuatorDesign| {
        let travel = Travel { full: actuator.high - actuator.low, stroke_s: actuator.stroke_s };
        let (command, position) = (Command(actuator.initial), Position(actuator.initial));
        world.spawn((travel, command, position, Tripped::default(), Stiction::default())).id()
    };
    design.actuators.iter().map(spawn).collect()
}

pub(super) fn spawn_instruments(
    world: &mut World,
    design: &Design,
    process: &Process,
    seed: u64,
) -> Vec<Entity> {
    let spawn = |instrument: &InstrumentDesign| {
        let value = process.value_at_probe(instrument.measures);
        let transmitter = Transmitter {
            low: instrument.low,
            high: instrument.high,
            noise_sigma: instrument.noise_sigma,
            share: lag_share(instrument.lag_s, 1e-3 * (design.step_ms * design.measure_every) as f64),
            resolution: instrument.resolution,
        };
        let noise = Noise {
            everyday: KeyedStream::new(seed, &instrument.tag, "noise"),
            failing: KeyedStream::new(seed, &instrument.tag, "failing"),
        };
        let values = (Truth(value), Lagged(value), Transmitted(value));
        world.spawn((Looks(instrument.measures), transmitter, noise, Ailment::default(), values)).id()
    };
    design.instruments.iter().map(spawn).collect()
}

pub(super) fn spawn_guards(
    world: &mut World,
    design: &Design,
    instruments: &[Entity],
    actuators: &[Entity],
) -> (Vec<Entity>, Vec<Entity>) {
    let watches = |instrument: usize| Watches {
        instrument: instruments[instrument],
        tag: design.instruments[instrument].tag.clone(),
    };
    let alarms = design
        .alarms
        .iter()
        .map(|alarm| world.spawn((Alarm(alarm.clone()), watches(alarm.instrument), Latch::default())).id())
        .collect();
    let trips = design
        .trips
        .iter()
        .map(|trip| {
            let stops = trip.stops.iter().map(|actuator| actuators[*actuator]).collect();
            let component = Trip { design: trip.clone(), stops, enabled: trip.enabled };
            world.spawn((component, watches(trip.instrument), Latch::default())).id()
        })
        .collect();
    (alarms, trips)
}

pub(super) fn instrument_infos(design: &Design) -> Vec<InstrumentInfo> {
    let info = |instrument: &InstrumentDesign| InstrumentInfo {
        tag: instrument.tag.clone(),
        description: instrument.description.clone(),
        unit: instrument.unit.clone(),
        low: instrument.low,
        high: instrument.high,
        noise_sigma: instrument.noise_sigma,
        lag_s: instrument.lag_s,
        resolution: instrument.resolution,
    };
    design.instruments.iter().map(info).collect()
}

pub(super) fn actuator_infos(design: &Design) -> Vec<ActuatorInfo> {
    let info = |actuator: &ActuatorDesign| ActuatorInfo {
        tag: actuator.tag.clone(),
        description: actuator.description.clone(),
        unit: actuator.unit,
        low: actuator.low,
        high: actuator.high,
        stroke_s: actuator.stroke_s,
    };
    design.actuators.iter().map(info).collect()
}

pub(super) fn columns(design: &Design, process: &Process) -> Vec<String> {
    let mut columns = Vec::new();
    for instrument in &design.instruments {
        columns.extend([instrument.tag.clone(), format!("{}.true", instrument.tag)]);
    }
    for actuator in &design.actuators {
        columns.extend([format!("{}.cmd", actuator.tag), format!("{}.pos", actuator.tag)]);
    }
    columns.extend(design.switches.iter().map(|switch| switch.tag.clone()));
    columns.extend(process.value_names().iter().map(|name| (*name).to_owned()));
    columns.push("HARM.money".to_owned());
    columns
}
