//! The command line of `fieldrange-sensor`, which `fieldrange sense` shares word for word.
//!
//! Reading order: [`sense`] (a capture through the sensor), `summary` (its one screen), `progress`.

mod progress;
pub mod sense;
mod span;
mod summary;

pub use sense::{Format, SenseArgs, SenseError, run};
