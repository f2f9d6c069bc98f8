//! The works as a whole: treatment and distribution, solved together once a step.

use std::sync::Arc;

use bevy_ecs::prelude::{Entity, Resource, World};

use crate::actuator::{Command, Position};
use crate::design::{Design, Measure, Motor};
use crate::distribution::{Distribution, Moved, PumpState, Suction};
use crate::journal::{Journal, PlantEventKind};
use crate::plant::Tick;
use crate::reference_control::ReferenceControl;
use crate::treatment::{Settings, Treated, Treatment};

/// Entities of the actuators, in the order of the plant file.
#[derive(Resource, Clone, Debug)]
pub(crate) struct ActuatorEntities(pub(crate) Vec<Entity>);

/// The coupled state of the plant. Written by [`solve_water`] alone.
#[derive(Resource, Clone, Debug)]
pub(crate) struct Works {
    pub(crate) design: Arc<Design>,
    pub(crate) distribution: Distribution,
    pub(crate) treatment: Treatment,
    /// Positions of the actuators as last solved for.
    pub(crate) positions: Vec<f64>,
    /// What moved in the last step.
    pub(crate) moved: Moved,
    pub(crate) treated: Treated,
    /// Seconds by which the demand patterns are ahead of the run.
    pub(crate) pattern_offset_s: u64,
    /// A head of the clearwell's outlet that does not follow the level, m.
    pub(crate) held_suction_head_m: Option<f64>,
    pub(crate) balance: WaterBalance,
}

/// Water that came, went and stayed since the start of the run, m3.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WaterBalance {
    /// Raw water and solutions that came in.
    pub inflow_m3: f64,
    /// Delivered to customers.
    pub delivered_m3: f64,
    /// Over the rims of tanks and clearwell.
    pub overflow_m3: f64,
    /// Stored in clearwell and tanks at the start.
    pub stored_first_m3: f64,
    /// Stored now.
    pub stored_now_m3: f64,
}

impl WaterBalance {
    /// What is unaccounted for, over all the water that moved.
    pub fn relative_error(&self) -> f64 {
        let out = self.delivered_m3 + self.overflow_m3;
        let unaccounted = self.inflow_m3 - out - (self.stored_now_m3 - self.stored_first_m3);
        unaccounted.abs() / (self.inflow_m3 + out).max(1.0)
    }
}

impl Works {
    pub(crate) fn new(design: Arc<Design>) -> Self {
        let positions: Vec<f64> = design.actuators.iter().map(|actuator| actuator.initial).collect();
        let settings = settings(&design, &positions);
        let mut works = Self {
            distribution: Distribution::new(&design.water),
            treatment: Treatment::new(&design.treatment, settings, design.step_s as f64),
            positions,
            moved: Moved::default(),
            treated: Treated::default(),
            pattern_offset_s: 0,
            held_suction_head_m: None,
            balance: WaterBalance::default(),
            design,
        };
        works.settle(0);
        works.balance.stored_first_m3 = works.stored_m3();
        works.balance.stored_now_m3 = works.stored_m3();
        works
    }

    /// Brings the network into balance with what is there at a moment.
    pub(crate) fn settle(&mut self, now_s: u64) {
        let (pumps, suction) = (self.pumps(), self.suction());
        self.distribution.settle(&self.design.water, suction, &pumps, now_s + self.pattern_offset_s);
    }

    /// The quantity that an instrument is about, in the instrument's unit.
    pub(crate) fn value(&self, measure: Measure) -> f64 {
        let (design, treatment) = (&*self.design, &self.treatment);
        let solution = &self.distribution.solution;
        match measure {
            Measure::RawFlow => treatment.raw_flow_m3_s * 1e3,
            Measure::RawPh => design.treatment.raw_ph,
            Measure::RawTemperature => design.treatment.raw_temperature_degc,
            Measure::ActuatorPosition(actuator) => self.positions[actuator],
            Measure::MixerPh => treatment.mixer_ph,
            Measure::MixerChlorine => treatment.mixer.chlorine_g_m3,
            Measure::NaohFlow => treatment.naoh.flow_m3_s * 3.6e6,
            Measure::NaohLevel => 100.0 * treatment.naoh.content_m3 / design.treatment.naoh.day_tank_m3,
            Measure::HypochloriteFlow => treatment.hypochlorite.flow_m3_s * 3.6e6,
            Measure::HypochloriteLevel => {
                100.0 * treatment.hypochlorite.content_m3 / design.treatment.hypochlorite.day_tank_m3
            }
            Measure::ClearwellLevel => treatment.clearwell_level_m(&design.treatment),
            Measure::ClearwellPh => treatment.clearwell_ph,
            Measure::ClearwellChlorine => treatment.clearwell.chlorine_g_m3,
            Measure::LinkFlow(link) => solution.flow_m3_s[link] * 1e3,
            Measure::Pressure(junction) => {
                solution.head_m[junction] - design.water.network.elevation_m[junction]
            }
            Measure::MotorCurrent(pump) => {
                let pump = design.pumps[pump];
                let on = self.positions[pump.actuator] >= 0.5;
                if on { current_a(pump.motor, solution.flow_m3_s[pump.link]) } else { 0.0 }
            }
            Measure::TankLevel(tank) => self.distribution.level_m[tank],
        }
    }

    /// The quantity where the probe sits.
    pub(crate) fn value_at_probe(&self, measure: Measure) -> f64 {
        match measure {
            Measure::MixerPh => self.treatment.sample().0,
            Measure::MixerChlorine => self.treatment.sample().1,
            other => self.value(other),
        }
    }

    fn pumps(&self) -> Vec<PumpState> {
        let on = |actuator: usize| self.positions[actuator] >= 0.5;
        self.design.pumps.iter().map(|pump| PumpState { link: pump.link, on: on(pump.actuator) }).collect()
    }

    fn suction(&self) -> Suction {
        let clearwell = &self.design.treatment.clearwell;
        let level_m = self.treatment.clearwell_level_m(&self.design.treatment);
        Suction {
            head_m: self.held_suction_head_m.unwrap_or(clearwell.floor_m + level_m),
            holds: self.treatment.suction_holds,
        }
    }

    fn stored_m3(&self) -> f64 {
        let tanks = self.design.water.tanks.iter().zip(&self.distribution.level_m);
        tanks.map(|(tank, level_m)| tank.area_m2 * level_m).sum::<f64>() + self.treatment.clearwell_m3
    }

    fn advance(&mut self, control: &ReferenceControl, tick: Tick) {
        let design = Arc::clone(&self.design);
        let (step_s, before_s) = (tick.step_s as f64, (tick.step - 1) * tick.step_s);
        let mut pumps = self.pumps();
        let suction = self.suction();
        self.moved = self.distribution.advance(
            &design.water,
            suction,
            &mut pumps,
            control.bands(),
            before_s + self.pattern_offset_s,
            step_s,
        );
        for (pump, state) in design.pumps.iter().zip(&pumps) {
            self.positions[pump.actuator] = f64::from(u8::from(state.on));
        }
        let settings = settings(&design, &self.positions);
        self.treated =
            self.treatment.advance(&design.treatment, settings, self.moved.drawn_m3, before_s as f64, step_s);
        self.settle(before_s + tick.step_s);
        self.balance.inflow_m3 += self.treated.inflow_m3;
        self.balance.delivered_m3 += self.moved.delivered_m3;
        self.balance.overflow_m3 += self.moved.overflow_m3 + self.treated.overflow_m3;
        self.balance.stored_now_m3 = self.stored_m3();
    }
}

fn settings(design: &Design, positions: &[f64]) -> Settings {
    Settings {
        valve_percent: positions[design.treatment.valve],
        naoh_percent: positions[design.treatment.naoh.pump],
        hypochlorite_percent: positions[design.treatment.hypochlorite.pump],
    }
}

/// Current of a running motor: the active part from the shaft power, the magnetising part at right angles to it.
fn current_a(motor: Motor, flow_m3_s: f64) -> f64 {
    let active_a = (motor.shutoff_power_w + motor.power_j_m3 * flow_m3_s.max(0.0)) * motor.amperes_per_watt;
    (active_a * active_a + motor.magnetising_a * motor.magnetising_a).sqrt()
}

/// Gathers the actuators, solves treatment and distribution whole, scatters what the reference control switched.
pub(crate) fn solve_water(world: &mut World) {
    let tick = *world.resource::<Tick>();
    world.resource_scope(|world, mut works: bevy_ecs::prelude::Mut<'_, Works>| {
        world.resource_scope(|world, entities: bevy_ecs::prelude::Mut<'_, ActuatorEntities>| {
            for (index, entity) in entities.0.iter().enumerate() {
                if let Some(position) = world.get::<Position>(*entity) {
                    works.positions[index] = position.0;
                }
            }
            works.advance(world.resource::<ReferenceControl>(), tick);
            let switched: Vec<usize> = world
                .resource::<ReferenceControl>()
                .bands()
                .iter()
                .map(|band| works.design.pumps[band.pump].actuator)
                .collect();
            for actuator in switched {
                let (entity, value) = (entities.0[actuator], works.positions[actuator]);
                if let Some(mut position) = world.get_mut::<Position>(entity) {
                    position.0 = value;
                }
                if let Some(mut command) = world.get_mut::<Command>(entity) {
                    command.0 = value;
                }
            }
        });
        report(&works, &mut world.resource_mut::<Journal>());
    });
}

fn report(works: &Works, journal: &mut Journal) {
    let (design, treated) = (&works.design, &works.treated);
    let tag_of = |actuator: usize| design.actuators[actuator].tag.as_str();
    if treated.naoh_refill_began {
        let (tag, level) = (tag_of(design.treatment.naoh.pump), works.value(Measure::NaohLevel));
        journal.report(
            PlantEventKind::RefillStarted,
            tag,
            tag,
            level,
            "the shift fills the NaOH day tank",
            0,
        );
    }
    if treated.hypochlorite_refill_began {
        let (tag, level) =
            (tag_of(design.treatment.hypochlorite.pump), works.value(Measure::HypochloriteLevel));
        let message = "the shift fills the hypochlorite day tank";
        journal.report(PlantEventKind::RefillStarted, tag, tag, level, message, 0);
    }
    let level_m = works.treatment.clearwell_level_m(&design.treatment);
    if treated.suction_changed {
        let (kind, message, priority) = if works.treatment.suction_holds {
            (PlantEventKind::SuctionRegained, "the high-lift pumps draw water again", 3)
        } else {
            (PlantEventKind::SuctionLost, "the high-lift pumps draw air: the clearwell is empty", 1)
        };
        journal.report(kind, "CLEARWELL", "CLEARWELL", level_m, message, priority);
    }
}
