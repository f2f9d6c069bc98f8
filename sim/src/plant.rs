//! The plant as the rest of the house sees it.
//!
//! # Theory of operation
//! A plant is a bevy_ecs world that moves in steps of a fixed length. One step runs six phases, in this order:
//!   1. control  the reference control, where it is switched on, writes commands
//!   2. actuate  every actuator moves towards its command
//!   3. solve    the process between them, whole, in one exclusive system
//!   4. measure  every instrument looks and sends, if it is time to
//!   5. guard    alarms, switches and trips
//!   6. account  prices and limits
//!
//! The executor is single-threaded and an ambiguous order is an error, so the same seed and the same commands
//! between the same steps give the same bits.
//!
//! # Terms
//! *transmitted*: what an instrument sends, with noise. *true value*: the quantity in the process. *command*: what
//! an actuator is told; *position*: where it is.

use std::sync::Arc;
use std::time::Duration;

use bevy_ecs::prelude::{Entity, Resource, Schedule, World};
use record::VirtualTime;
use site::FileError;

use crate::actuator::{Command, Position};
use crate::catalogue::{
    ActiveAlarm, ActuatorIndex, ActuatorInfo, InstrumentIndex, InstrumentInfo, SettingError, SwitchIndex,
};
use crate::design::Design;
use crate::guard::{Latch, Made, Switch, Trip};
use crate::harm::{Account, HarmReport};
use crate::instrument::{Lagged, MeasureEvery, Transmitted, Truth};
use crate::journal::{Journal, PlantEvent};
use crate::process::{ActuatorEntities, Process};
use crate::reference_control::ReferenceControl;
use crate::works::{WaterBalance, Works};

mod build;
mod faults;

/// Steps done, and how long one is.
#[derive(Resource, Clone, Copy, Debug)]
pub(crate) struct Tick {
    pub(crate) step: u64,
    pub(crate) step_ms: u64,
}

impl Tick {
    pub(crate) fn now_s(self) -> f64 {
        (self.step * self.step_ms) as f64 / 1000.0
    }

    pub(crate) fn step_s(self) -> f64 {
        self.step_ms as f64 / 1000.0
    }

    /// Length of a step in whole seconds: for the water works, whose steps are.
    pub(crate) fn whole_step_s(self) -> u64 {
        self.step_ms / 1000
    }

    pub(crate) fn time(self) -> VirtualTime {
        VirtualTime::from_nanos(self.step * self.step_ms * 1_000_000)
    }
}

/// A running plant.
pub struct Plant {
    world: World,
    schedule: Schedule,
    design: Arc<Design>,
    instruments: Vec<InstrumentInfo>,
    actuators: Vec<ActuatorInfo>,
    instrument_entities: Vec<Entity>,
    actuator_entities: Vec<Entity>,
    switch_entities: Vec<Entity>,
    alarm_entities: Vec<Entity>,
    trip_entities: Vec<Entity>,
    columns: Vec<String>,
}

/// Plants that come with the program.
const PLANTS: [(&str, &str, &str); 2] = [
    ("water", "sim/plants/water.toml", include_str!("../plants/water.toml")),
    ("power", "sim/plants/power.toml", include_str!("../plants/power.toml")),
];

impl std::fmt::Debug for Plant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plant")
            .field("name", &self.design.name)
            .field("time", &self.time())
            .finish_non_exhaustive()
    }
}

impl Plant {
    /// Reads a plant file and stands the plant up at its initial state. `file_name` is for messages.
    pub fn load(file_name: &str, toml_text: &str, seed: u64) -> Result<Self, FileError> {
        let design = Arc::new(Design::read(file_name, toml_text)?);
        Ok(Self::build(design, seed))
    }

    /// A plant that comes with the program.
    pub fn named(name: &str, seed: u64) -> Result<Self, FileError> {
        match PLANTS.iter().find(|(known, _, _)| *known == name) {
            Some((_, file_name, text)) => Self::load(file_name, text, seed),
            None => Err(FileError {
                file: format!("sim/plants/{name}.toml"),
                line: 0,
                problem: format!("there is no plant {name:?}"),
                fix: format!("name one of {}", Self::names().join(", ")),
            }),
        }
    }

    /// Names of the plants that come with the program.
    pub fn names() -> Vec<&'static str> {
        PLANTS.iter().map(|(name, _, _)| *name).collect()
    }

    /// Name of the plant.
    pub fn name(&self) -> &str {
        &self.design.name
    }

    /// What the plant is, in words.
    pub fn title(&self) -> &str {
        &self.design.title
    }

    /// Does one step. Commands given before it act in it.
    pub fn step(&mut self) {
        let mut tick = self.world.resource_mut::<Tick>();
        tick.step += 1;
        let now = tick.time();
        self.world.resource_mut::<Journal>().now = now;
        self.schedule.run(&mut self.world);
    }

    /// Time from one look of the instruments to the next: whole steps.
    pub fn measure_interval(&self) -> Duration {
        Duration::from_millis(self.design.step_ms * self.design.measure_every)
    }

    /// Length of a step: whole milliseconds.
    pub fn step_length(&self) -> Duration {
        Duration::from_millis(self.design.step_ms)
    }

    /// Time at the end of the last step; the start of the run before the first.
    pub fn time(&self) -> VirtualTime {
        self.world.resource::<Tick>().time()
    }

    /// All instruments, in the order of the plant file.
    pub fn instruments(&self) -> &[InstrumentInfo] {
        &self.instruments
    }

    /// The instrument of this tag.
    pub fn instrument_index(&self, tag: &str) -> Option<InstrumentIndex> {
        self.instruments.iter().position(|instrument| instrument.tag == tag).map(InstrumentIndex)
    }

    /// What an instrument sends now, in its unit, within its span.
    pub fn read(&self, instrument: InstrumentIndex) -> f64 {
        self.world.get::<Transmitted>(self.instrument_entities[instrument.0]).map_or(f64::NAN, |sent| sent.0)
    }

    /// The quantity in the process that an instrument is about, in the instrument's unit, beyond its span if need be.
    /// As of the last look. For the mixer's analysers this is the mixer itself, not the sample that has arrived.
    pub fn true_value(&self, instrument: InstrumentIndex) -> f64 {
        self.world.get::<Truth>(self.instrument_entities[instrument.0]).map_or(f64::NAN, |truth| truth.0)
    }

    /// All actuators, in the order of the plant file.
    pub fn actuators(&self) -> &[ActuatorInfo] {
        &self.actuators
    }

    /// The actuator of this tag.
    pub fn actuator_index(&self, tag: &str) -> Option<ActuatorIndex> {
        self.actuators.iter().position(|actuator| actuator.tag == tag).map(ActuatorIndex)
    }

    /// Tells an actuator where to go. Brought into its travel; NaN is its lower end. A pulse has to last a step at least.
    pub fn command(&mut self, actuator: ActuatorIndex, value: f64) {
        let accepted = {
            let info = &self.actuators[actuator.0];
            info.unit.accept(value, info.low, info.high)
        };
        if let Some(mut command) = self.world.get_mut::<Command>(self.actuator_entities[actuator.0]) {
            command.0 = accepted;
        }
    }

    /// What an actuator was last told.
    pub fn commanded(&self, actuator: ActuatorIndex) -> f64 {
        self.world.get::<Command>(self.actuator_entities[actuator.0]).map_or(f64::NAN, |command| command.0)
    }

    /// Where an actuator is.
    pub fn position(&self, actuator: ActuatorIndex) -> f64 {
        self.world.get::<Position>(self.actuator_entities[actuator.0]).map_or(f64::NAN, |position| position.0)
    }

    /// Whether a hard-wired switch is made; none where there is no switch of this tag.
    pub fn switch(&self, tag: &str) -> Option<bool> {
        self.switch_index(tag).map(|index| self.is_made(index))
    }

    /// The hard-wired switch of this tag.
    pub fn switch_index(&self, tag: &str) -> Option<SwitchIndex> {
        self.design.switches.iter().position(|switch| switch.tag == tag).map(SwitchIndex)
    }

    /// Whether a hard-wired switch is made.
    pub fn is_made(&self, switch: SwitchIndex) -> bool {
        self.world.get::<Made>(self.switch_entities[switch.0]).is_some_and(|made| made.0)
    }

    /// Tags of the hard-wired switches.
    pub fn switches(&self) -> impl Iterator<Item = &str> {
        self.design.switches.iter().map(|switch| switch.tag.as_str())
    }

    /// Arms or disarms a hard-wired trip; false where there is none of this tag. Relays of a power system have an
    /// actuator for it: `TAG.BLK`.
    pub fn arm_trip(&mut self, tag: &str, armed: bool) -> bool {
        let Some(index) = self.design.trips.iter().position(|trip| trip.tag == tag) else { return false };
        match self.world.get_mut::<Trip>(self.trip_entities[index]) {
            Some(mut trip) => {
                trip.enabled = armed;
                true
            }
            None => false,
        }
    }

    /// What the run has cost so far, by cause, and when each limit was first crossed.
    pub fn harm(&self) -> HarmReport {
        self.world.resource::<Account>().report()
    }

    /// Everything that was reported since the last call, in order.
    pub fn drain_events(&mut self) -> Vec<PlantEvent> {
        std::mem::take(&mut self.world.resource_mut::<Journal>().events)
    }

    /// Alarms and switches that are in now, most urgent first.
    pub fn active_alarms(&self) -> Vec<ActiveAlarm> {
        let mut active = Vec::new();
        for (entity, design) in self.alarm_entities.iter().zip(&self.design.alarms) {
            if self.world.get::<Latch>(*entity).is_some_and(|latch| latch.is_in) {
                active.push(ActiveAlarm {
                    tag: design.tag.clone(),
                    instrument: self.instruments[design.instrument].tag.clone(),
                    priority: design.priority,
                    message: design.message.clone(),
                });
            }
        }
        for (entity, design) in self.switch_entities.iter().zip(&self.design.switches) {
            let Some((priority, message)) = &design.alarm else { continue };
            if self.world.get::<Made>(*entity).is_some_and(|made| made.0) {
                active.push(ActiveAlarm {
                    tag: design.tag.clone(),
                    instrument: design.tag.clone(),
                    priority: *priority,
                    message: message.clone(),
                });
            }
        }
        active.sort_by_key(|alarm| alarm.priority);
        active
    }

    /// Switches the stand-in for the controllers on or off. Off at first; a lab leaves it off.
    pub fn set_reference_control(&mut self, on: bool) {
        self.world.resource_mut::<ReferenceControl>().switch(on);
    }

    /// Setpoints of the reference control with their present values.
    pub fn setpoints(&self) -> Vec<(String, f64)> {
        self.world.resource::<ReferenceControl>().setpoints().to_vec()
    }

    /// Changes a setpoint of the reference control (`NAOH.SP`), or takes an actuator (`P-301`) into manual at a value.
    pub fn set_setpoint(&mut self, tag: &str, value: f64) -> Result<(), SettingError> {
        if !value.is_finite() {
            return Err(SettingError::NotFinite { tag: tag.to_owned(), value });
        }
        let mut reference = self.world.resource_mut::<ReferenceControl>();
        if reference.set(tag, value) {
            return Ok(());
        }
        let Some(actuator) = self.actuator_index(tag) else {
            let setpoints = self.setpoints().into_iter().map(|(name, _)| name);
            let actuators = self.actuators.iter().map(|actuator| actuator.tag.clone());
            return Err(SettingError::Unknown {
                tag: tag.to_owned(),
                known: setpoints.chain(actuators).collect(),
            });
        };
        self.world.resource_mut::<ReferenceControl>().take_over(actuator.0);
        self.command(actuator, value);
        Ok(())
    }

    /// Starts the demand patterns at this many seconds into them. Customers of a power system have constant demand until then. To be called before the first step.
    pub fn start_patterns_at(&mut self, offset_s: u64) {
        if let Process::Power(grid) = &mut *self.world.resource_mut::<Process>() {
            grid.start_demand(offset_s);
        }
        self.settle_works(|works| works.pattern_offset_s = offset_s);
    }

    /// Holds the head of the clearwell's outlet, m, instead of letting it follow the level: for comparison with a
    /// network model that has a reservoir there.
    pub fn hold_suction_head(&mut self, head_m: Option<f64>) {
        self.settle_works(|works| works.held_suction_head_m = head_m);
    }

    /// Water that came, went and stayed since the start; none where no water flows.
    pub fn water_balance(&self) -> Option<WaterBalance> {
        self.works().map(|works| works.balance)
    }

    /// Network solutions since the start that missed their tolerance. None is the rule.
    pub fn unconverged_solutions(&self) -> u64 {
        self.works().map_or(0, |works| works.distribution.unconverged)
    }

    /// Whether demands follow pressure at present, because a tank has run empty.
    pub fn is_pressure_driven(&self) -> bool {
        self.works().is_some_and(|works| works.distribution.pressure_driven)
    }

    /// Names of the values of [`Plant::row`]: for each instrument `TAG` as sent and `TAG.true`; for each actuator
    /// `TAG.cmd` and `TAG.pos`; switches; what no instrument shows, by the kind of plant; money lost.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The present values of [`Plant::columns`], in that order, written over `row`.
    pub fn row(&self, row: &mut Vec<f64>) {
        row.clear();
        for index in 0..self.instruments.len() {
            row.push(self.read(InstrumentIndex(index)));
            row.push(self.true_value(InstrumentIndex(index)));
        }
        for (index, entity) in self.actuator_entities.iter().enumerate() {
            row.push(self.world.get::<Command>(*entity).map_or(f64::NAN, |command| command.0));
            row.push(self.position(ActuatorIndex(index)));
        }
        for entity in &self.switch_entities {
            row.push(self.world.get::<Made>(*entity).map_or(f64::NAN, |made| f64::from(u8::from(made.0))));
        }
        self.world.resource::<Process>().push_values(row);
        row.push(self.world.resource::<Account>().total());
    }

    /// One value of [`Plant::row`] by its column.
    pub fn state(&self, column: &str) -> Option<f64> {
        let index = self.columns.iter().position(|name| name == column)?;
        let mut row = Vec::new();
        self.row(&mut row);
        row.get(index).copied()
    }

    fn build(design: Arc<Design>, seed: u64) -> Self {
        let mut world = World::new();
        let actuator_entities = build::spawn_actuators(&mut world, &design);
        let process = Process::new(&design, seed);
        let instrument_entities = build::spawn_instruments(&mut world, &design, &process, seed);
        let (alarm_entities, trip_entities) =
            build::spawn_guards(&mut world, &design, &instrument_entities, &actuator_entities);
        let switch_entities = design
            .switches
            .iter()
            .map(|switch| {
                let made = Made(process.contact(switch.sees, false).0);
                world.spawn((Switch(switch.clone()), made)).id()
            })
            .collect();
        world.insert_resource(Tick { step: 0, step_ms: design.step_ms });
        world.insert_resource(Journal::default());
        world.insert_resource(ActuatorEntities(actuator_entities.clone()));
        world.insert_resource(ReferenceControl::new(Arc::clone(&design)));
        world.insert_resource(Account::new(Arc::clone(&design)));
        let columns = build::columns(&design, &process);
        world.insert_resource(MeasureEvery(design.measure_every));
        world.insert_resource(process);
        let mut plant = Self {
            schedule: build::schedule(),
            instruments: build::instrument_infos(&design),
            actuators: build::actuator_infos(&design),
            columns,
            world,
            design,
            instrument_entities,
            actuator_entities,
            switch_entities,
            alarm_entities,
            trip_entities,
        };
        plant.settle_instruments();
        plant
    }

    /// Lets every instrument stand at its value, as after a long time without change.
    fn settle_instruments(&mut self) {
        for (entity, design) in self.instrument_entities.iter().zip(&self.design.instruments) {
            let process = self.world.resource::<Process>();
            let (truth, probed) = (process.value(design.measures), process.value_at_probe(design.measures));
            let mut entity = self.world.entity_mut(*entity);
            entity.insert((Truth(truth), Lagged(probed), Transmitted(probed.clamp(design.low, design.high))));
        }
    }

    fn works(&self) -> Option<&Works> {
        match self.world.resource::<Process>() {
            Process::Water(works) => Some(works),
            Process::Power(_) => None,
        }
    }

    fn settle_works(&mut self, change: impl FnOnce(&mut Works)) {
        let now_s = self.world.resource::<Tick>().now_s() as u64;
        if let Process::Water(works) = &mut *self.world.resource_mut::<Process>() {
            change(works);
            works.settle(now_s);
        }
        self.settle_instruments();
    }
}
