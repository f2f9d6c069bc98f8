//! A plant file after checking: every reference resolved, every quantity in SI units and in its range.
//!
//! [`Design::read`] is the only way to get one, so the physics below never meets a name that does not exist, a
//! diameter of zero or a pump curve that rises. Each refusal names file, line and remedy.
//!
//! What every plant has alike (actuators, instruments, alarms, faults, harm) stands here; `water` and `power` have what is
//! particular to their kind.

use std::sync::Arc;

use site::FileError;
use site::file::Source;

use crate::fault::FaultKind;
use crate::file::power::LossKey as PowerLoss;
use crate::file::water::LossKey as WaterLoss;
use crate::file::{ActuatorUnit, KindFile};
use crate::power::System;
use crate::power::design::{GridDesign, PowerContact, PowerMeasure};
use water::{LoopDesign, WaterDesign, WaterMeasure};

mod check;
mod equipment;
mod guards;
mod network;
mod power;
mod power_equipment;
pub(crate) mod water;

/// Everything about a plant that does not change.
#[derive(Debug)]
pub(crate) struct Design {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) step_ms: u64,
    /// Steps from one look of the instruments to the next.
    pub(crate) measure_every: u64,
    pub(crate) process: ProcessDesign,
    pub(crate) actuators: Vec<ActuatorDesign>,
    pub(crate) instruments: Vec<InstrumentDesign>,
    pub(crate) switches: Vec<SwitchDesign>,
    pub(crate) alarms: Vec<AlarmDesign>,
    pub(crate) trips: Vec<TripDesign>,
    pub(crate) faults: Vec<FaultDesign>,
    pub(crate) harm: HarmDesign,
    pub(crate) loops: Vec<LoopDesign>,
}

/// What is particular to a kind of plant.
#[derive(Clone, Debug)]
pub(crate) enum ProcessDesign {
    Water(Arc<WaterDesign>),
    Power(Arc<GridDesign>),
}

/// What an instrument looks at, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Water(WaterMeasure),
    Power(PowerMeasure),
}

/// What money is lost with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Water(WaterLoss),
    Power(PowerLoss),
}

#[derive(Clone, Debug)]
pub(crate) struct ActuatorDesign {
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) unit: ActuatorUnit,
    /// Lower end of its travel.
    pub(crate) low: f64,
    /// Upper end of its travel.
    pub(crate) high: f64,
    pub(crate) stroke_s: f64,
    pub(crate) initial: f64,
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

/// A hard-wired contact.
#[derive(Clone, Debug)]
pub(crate) struct SwitchDesign {
    pub(crate) tag: String,
    pub(crate) sees: Contact,
    /// Priority and message, where making it is an alarm; a mere state has none.
    pub(crate) alarm: Option<(u8, String)>,
}

/// What makes a hard-wired contact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contact {
    /// A tank that is filled to a level.
    TankLevel { tank: usize, high_m: f64, deadband_m: f64 },
    /// Something in a power system.
    Power(PowerContact),
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
    pub(crate) of: Loss,
    pub(crate) price_each: f64,
    pub(crate) free_per_s: f64,
    /// Message and instrument of the limit that its first unit crosses.
    pub(crate) limit: Option<(String, usize)>,
}

const SECONDS_PER_HOUR: f64 = 3600.0;

/// The machines and the network of a power system's plant file, in their steady state.
pub(crate) fn read_system(file_name: &str, text: &str) -> Result<System, FileError> {
    power::read_system(Source { file: file_name, text })
}

impl Design {
    /// Reads and checks a plant file.
    pub(crate) fn read(file_name: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file: file_name, text };
        let kind = source.parse::<KindFile>()?.plant.kind;
        match kind.get_ref().as_str() {
            "water" => water::read(source),
            "power" => power::read(source),
            other => Err(source.error(
                &kind,
                format!("there is no kind of plant {other:?}"),
                "write kind = \"water\" or kind = \"power\"",
            )),
        }
    }
}
