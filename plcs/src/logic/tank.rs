//! The tower tank's RTU, PLC-3: reports levels, flows and pressures, and judges two of them.
//!
//! It commands nothing. The high-level switch LSHH-401 is wired to it beside the level transmitter, so that one can be
//! held against the other.

use std::time::Duration;

use crate::image::{Image, MissingSignal, SignalId};
use crate::logic::Logic;
use crate::logic::blocks::{HighAlarm, LowAlarm};

/// TANK.HIGH: 6.4 m of a tank that overflows at 6.5 m (MiniTown's TANK).
const HIGH: HighAlarm = HighAlarm { limit: 6.4, deadband: 0.05 };
/// TANK.LOW: the last 0.5 m.
const LOW: LowAlarm = LowAlarm { limit: 0.5, deadband: 0.05 };

/// The program of PLC-3.
#[derive(Debug)]
pub struct Tank {
    level: SignalId,
    high: SignalId,
    low: SignalId,
}

impl Tank {
    /// Resolves the tags.
    pub fn new(image: &mut Image) -> Result<Self, MissingSignal> {
        let level = image.require("LIT-401")?;
        // Until the first scan the tank is neither high nor low.
        Ok(Self { level, high: image.require("TANK.HIGH")?, low: image.require("TANK.LOW")? })
    }
}

impl Logic for Tank {
    fn scan(&mut self, image: &mut Image, _dt: Duration) {
        let level = image.get(self.level);
        let high = HIGH.scan(image.is_on(self.high), level);
        let low = LOW.scan(image.is_on(self.low), level);
        image.set_on(self.high, high);
        image.set_on(self.low, low);
    }

    fn restart(&mut self, _image: &mut Image) {}

    fn program(&self) -> &[u8] {
        include_bytes!("tank.rs")
    }

    fn retained(&self) -> &[SignalId] {
        &[]
    }
}
