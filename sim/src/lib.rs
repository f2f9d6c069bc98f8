//! Plant physics: a water works, and a power system, that answer to their actuators and show themselves through their instruments.
//!
//! This crate knows no network, no controller, no thread and no wall clock. A plant file becomes a [`Plant`]; the
//! plant moves in fixed steps; between steps somebody reads instruments and gives commands. The same file, seed
//! and commands give the same bits on every machine: random draws are keyed, elementary functions are libm's.
//!
//! Reading order: [`plant`] and [`catalogue`] (the outside), `file` and `design` (the plant file, read and checked), `process` (what
//! kinds of plant there are), `works` (one step of the water works) with [`chemistry`], `treatment`, `distribution`, `hydraulics`, or
//! [`power`] (all of the power system), then `instrument`, `actuator`, `guard`, [`fault`], [`harm`], [`journal`], `reference_control`.

mod actuator;
pub mod catalogue;
pub mod chemistry;
mod design;
mod distribution;
pub mod fault;
mod file;
mod guard;
pub mod harm;
mod hydraulics;
mod instrument;
pub mod journal;
pub mod plant;
pub mod power;
mod process;
mod reference_control;
mod treatment;
mod works;

pub use catalogue::{
    ActiveAlarm, ActuatorIndex, ActuatorInfo, FaultInfo, InstrumentIndex, InstrumentInfo, SettingError,
    SwitchIndex,
};
pub use fault::{FaultError, FaultKind};
pub use file::ActuatorUnit;
pub use harm::{HarmCause, HarmReport, LimitCrossing};
pub use journal::{PlantEvent, PlantEventKind};
pub use plant::Plant;
pub use works::WaterBalance;
