//! Actors and scripted traffic, benign and hostile; the scenario files; ground truth.
//!
//! A scenario is a folder under `scenarios/`: `scenario.toml` says what happens, `texts/LANGUAGE.toml` says it to
//! people. [`Scenario::plan`] draws everything that is left to chance from the seed and gives a [`Plan`];
//! [`fn@stage`] puts its actors on the hosts of a network, and they write the ground truth as they act.
//!
//! Nothing here knows the plant or a controller: whoever wants to move the plant writes to a controller over the
//! virtual network, as an attacker or an operator would. Faults of the plant are only planned here
//! ([`Plan::faults`]); the lab applies them.
//!
//! Reading order: [`span`], [`variable`], [`deed`], [`difficulty`], [`scenario`], `check`, [`texts`], [`plan`], `draw`; then, on the network,
//! [`chronicle`], `poller`, [`hmi`], `front_end`, `historian`, `maintenance`, [`rfb`], `remote`, `intruder`, and [`mod@stage`],
//! which puts them together; at the end [`mod@traces`], what was left on hosts and in the office.
//! [`tabletop`] is the same day without a lab: moves, injects by room, decisions.

mod check;
pub mod chronicle;
pub mod deed;
pub mod difficulty;
mod draw;
mod front_end;
mod historian;
pub mod hmi;
mod intruder;
mod maintenance;
pub mod plan;
mod poller;
mod remote;
pub mod rfb;
pub mod scenario;
mod scene;
pub mod span;
pub mod stage;
pub mod tabletop;
pub mod texts;
pub mod traces;
pub mod variable;

pub use chronicle::JournalEntry;
pub use deed::Deed;
pub use difficulty::{Difficulty, LEVEL};
pub use hmi::{HmiAlarm, HmiView};
pub use plan::{Cast, Cause, EventKind, Plan, PlannedEvent, PlantFault, Preset};
pub use scenario::Scenario;
pub use stage::{Stage, StageError, stage};
pub use tabletop::Tabletop;
pub use texts::Texts;
