//! Control logic: what a controller solves once in every scan.
//!
//! Logic is written in Rust here, behind the trait that interpreted Structured Text is to fill. It sees the image and
//! the time since the last scan, nothing else, and it cannot fail: it only saturates. A value that is not a number
//! counts as the lowest.

pub mod blocks;
pub mod breaker;
pub mod generation;
pub mod pumps;
pub mod substation;
pub mod tank;
pub mod treatment;

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::peer::CommLossAction;

/// Why a program was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogicLoadError {
    /// This logic is built in.
    #[error("this logic takes no programs")]
    BuiltIn,
    /// The program makes no sense.
    #[error("line {line} of the program: {problem}")]
    Program {
        /// Line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// The program of one controller.
pub trait Logic {
    /// Solves the logic once. `dt` is the time since the last scan.
    fn scan(&mut self, image: &mut Image, dt: Duration);

    /// Starts over: timers, integrators and latches of its own. The image is at its initial values already, but for
    /// what is retained.
    fn restart(&mut self, image: &mut Image);

    /// The program as an upload shows it.
    fn program(&self) -> &[u8];

    /// Whether a download can replace the program. If not, it is answered exception 1.
    fn takes_programs(&self) -> bool {
        false
    }

    /// Replaces the program; the old one stays where the new one makes no sense.
    fn load(&mut self, program: &[u8], image: &mut Image) -> Result<(), LogicLoadError> {
        let _ = (program, image);
        Err(LogicLoadError::BuiltIn)
    }

    /// Signals that keep their value when the logic starts over.
    fn retained(&self) -> &[SignalId];
}

/// Builds a controller's logic over its image: resolves tags, sets initial values.
pub type MakeLogic = fn(&mut Image) -> Result<Box<dyn Logic>, MissingSignal>;

/// The logic of a device of the bundled sites.
pub fn program_for(device: &str) -> Option<MakeLogic> {
    Some(match device {
        "PLC-1" => |image| Ok(Box::new(treatment::Treatment::new(image)?)),
        "PLC-2" => |image| Ok(Box::new(pumps::Pumps::new(image, CommLossAction::HoldLast)?)),
        "PLC-3" => |image| Ok(Box::new(tank::Tank::new(image)?)),
        "RTU-5" => |image| Ok(Box::new(substation::Substation::new(image, &substation::RTU_5)?)),
        "RTU-7" => |image| Ok(Box::new(substation::Substation::new(image, &substation::RTU_7)?)),
        "RTU-9" => |image| Ok(Box::new(substation::Substation::new(image, &substation::RTU_9)?)),
        "GEN-1" => |image| Ok(Box::new(generation::Generation::new(image)?)),
        _ => return None,
    })
}
