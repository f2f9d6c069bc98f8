//! The physics behind the terminals: a water works or a power system.
//!
//! Everything that a plant shows to the outside (instruments, actuators, alarms, contacts, faults, harm) is the same for
//! every kind; what moves between actuators and instruments is here. A new kind of plant is a variant here, with its
//! tables in `file` and `design`.

use bevy_ecs::prelude::{Entity, Mut, Resource, World};

use crate::actuator::{Command, Position};
use crate::design::{Contact, Design, Loss, Measure, ProcessDesign};
use crate::journal::Journal;
use crate::plant::Tick;
use crate::power::grid::Grid;
use crate::reference_control::ReferenceControl;
use crate::works::Works;

use std::sync::Arc;

/// Entities of the actuators, in the order of the plant file.
#[derive(Resource, Clone, Debug)]
pub(crate) struct ActuatorEntities(pub(crate) Vec<Entity>);

/// The state of the plant between its actuators and its instruments. Written by [`solve`] alone.
#[derive(Resource, Clone, Debug)]
pub(crate) enum Process {
    Water(Box<Works>),
    Power(Box<Grid>),
}

impl Process {
    pub(crate) fn new(design: &Arc<Design>, seed: u64) -> Self {
        match &design.process {
            ProcessDesign::Water(water) => {
                Self::Water(Box::new(Works::new(Arc::clone(design), Arc::clone(water))))
            }
            ProcessDesign::Power(grid) => {
                Self::Power(Box::new(Grid::new(Arc::clone(grid), &design.actuators, seed)))
            }
        }
    }

    /// The quantity that an instrument is about, in the instrument's unit.
    pub(crate) fn value(&self, measure: Measure) -> f64 {
        match (self, measure) {
            (Self::Water(works), Measure::Water(measure)) => works.value(measure),
            (Self::Power(grid), Measure::Power(measure)) => grid.value(measure),
            // A design is of one kind throughout.
            (Self::Water(_), Measure::Power(_)) | (Self::Power(_), Measure::Water(_)) => f64::NAN,
        }
    }

    /// The quantity where the probe sits.
    pub(crate) fn value_at_probe(&self, measure: Measure) -> f64 {
        match (self, measure) {
            (Self::Water(works), Measure::Water(measure)) => works.value_at_probe(measure),
            _ => self.value(measure),
        }
    }

    /// Whether a hard-wired contact is made, given whether it was, and the value that made it.
    pub(crate) fn contact(&self, contact: Contact, was_made: bool) -> (bool, f64) {
        match (self, contact) {
            (Self::Water(works), Contact::TankLevel { tank, high_m, deadband_m }) => {
                let level_m = works.distribution.level_m[tank];
                let limit_m = if was_made { high_m - deadband_m } else { high_m };
                let is_made = if was_made { level_m > limit_m } else { level_m >= limit_m };
                (is_made, level_m)
            }
            (Self::Power(grid), Contact::Power(contact)) => {
                let is_made = grid.contact(contact);
                (is_made, f64::from(u8::from(is_made)))
            }
            (Self::Water(_), Contact::Power(_)) | (Self::Power(_), Contact::TankLevel { .. }) => (false, 0.0),
        }
    }

    /// What was lost in the last step, in the loss's own unit. Trips of the water works are counted where they are made.
    pub(crate) fn lost(&self, loss: Loss) -> f64 {
        match (self, loss) {
            (Self::Water(works), Loss::Water(loss)) => works.lost(loss),
            (Self::Power(grid), Loss::Power(loss)) => grid.lost(loss),
            (Self::Water(_), Loss::Power(_)) | (Self::Power(_), Loss::Water(_)) => 0.0,
        }
    }

    /// Water supplied in the last step, m3.
    pub(crate) fn supplied_m3(&self) -> f64 {
        match self {
            Self::Water(works) => works.moved.drawn_m3,
            Self::Power(_) => 0.0,
        }
    }

    /// Names of the values that [`Process::push_values`] pushes.
    pub(crate) fn value_names(&self) -> &'static [&'static str] {
        match self {
            Self::Water(_) => &["TANK.overflow_l_s", "CLEARWELL.overflow_l_s", "DEMAND.unserved_l_s"],
            Self::Power(_) => &["LOAD.unserved_mw", "SHAFT.life_percent"],
        }
    }

    /// Values of a plant's row that no instrument shows.
    pub(crate) fn push_values(&self, row: &mut Vec<f64>) {
        match self {
            Self::Water(works) => row.extend(works.unseen_l_s()),
            Self::Power(grid) => row.extend(grid.unseen()),
        }
    }
}

/// Gathers the actuators, moves the process on by a step, scatters what the reference control switched inside it.
pub(crate) fn solve(world: &mut World) {
    let tick = *world.resource::<Tick>();
    world.resource_scope(|world, mut process: Mut<'_, Process>| {
        world.resource_scope(|world, entities: Mut<'_, ActuatorEntities>| {
            let positions = entities
                .0
                .iter()
                .map(|entity| world.get::<Position>(*entity).map_or(0.0, |position| position.0));
            match &mut *process {
                Process::Water(works) => {
                    works.positions.clear();
                    works.positions.extend(positions);
                    works.advance(world.resource::<ReferenceControl>(), tick);
                    let bands = world.resource::<ReferenceControl>().bands();
                    let switched: Vec<usize> =
                        bands.iter().map(|band| works.water.pumps[band.pump].actuator).collect();
                    for actuator in switched {
                        let (entity, value) = (entities.0[actuator], works.positions[actuator]);
                        if let Some(mut position) = world.get_mut::<Position>(entity) {
                            position.0 = value;
                        }
                        if let Some(mut command) = world.get_mut::<Command>(entity) {
                            command.0 = value;
                        }
                    }
                    works.report(&mut world.resource_mut::<Journal>());
                }
                Process::Power(grid) => {
                    grid.levels.clear();
                    grid.levels.extend(positions);
                    grid.advance(tick.step);
                    grid.report(&mut world.resource_mut::<Journal>());
                }
            }
        });
    });
}
