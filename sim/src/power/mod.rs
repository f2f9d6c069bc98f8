//! Electric power: a transmission system of a few machines, in phasors.
//!
//! Reading order: [`network`] (what the machines see), [`flow`] (the steady state), [`machine`] (one unit), [`system`]
//! (all of it in time). These four know no tag and no plant file. Around them `breaker`, `protection`, `watch`, `demand` and
//! `readings` make a plant, which `grid` runs and `design` describes.

mod breaker;
mod demand;
pub(crate) mod design;
pub mod flow;
pub(crate) mod grid;
mod linear;
pub mod machine;
pub mod network;
mod protection;
mod readings;
pub mod system;
mod watch;

pub use flow::{FlowError, PowerFlow};
pub use machine::{Drive, Governor, Unit, UnitDesign};
pub use network::{Branch, Network, Reduction, Source, Switching};
pub use system::{System, SystemDesign};
