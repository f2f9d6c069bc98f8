//! The words in which a plant describes itself: instruments, actuators, alarms, faults, and refusals.

use crate::fault::FaultKind;
use crate::file::ActuatorUnit;

/// Which instrument: its place in [`crate::Plant::instruments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstrumentIndex(pub(crate) usize);

/// Which actuator: its place in [`crate::Plant::actuators`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActuatorIndex(pub(crate) usize);

/// Which hard-wired switch: its place in [`crate::Plant::switches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchIndex(pub(crate) usize);

impl InstrumentIndex {
    /// The place, from 0.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl ActuatorIndex {
    /// The place, from 0.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// What is written down about an instrument.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentInfo {
    /// Its tag, `LIT-401`, `P-57`.
    pub tag: String,
    /// What it measures, in words.
    pub description: String,
    /// Unit of everything it sends: L/s, L/h, m, %, pH, mg/L, degC or A; kV, deg, Hz, Hz/s, MW, Mvar, pu or tap.
    pub unit: String,
    /// Lower end of its span; it never sends less.
    pub low: f64,
    /// Upper end of its span; it never sends more.
    pub high: f64,
    /// Standard deviation of its noise.
    pub noise_sigma: f64,
    /// Time constant of its lag, s.
    pub lag_s: f64,
    /// Smallest difference that it sends.
    pub resolution: f64,
}

/// What is written down about an actuator.
#[derive(Clone, Debug, PartialEq)]
pub struct ActuatorInfo {
    /// Its tag, `P-201`.
    pub tag: String,
    /// What it is, in words.
    pub description: String,
    /// What its command means.
    pub unit: ActuatorUnit,
    /// Lower end of its travel, in its unit.
    pub low: f64,
    /// Upper end of its travel, in its unit.
    pub high: f64,
    /// Time for its full travel, s.
    pub stroke_s: f64,
}

/// An alarm that is in.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlarm {
    /// Tag of the alarm or switch.
    pub tag: String,
    /// Tag of the instrument; the switch's own for a switch.
    pub instrument: String,
    /// 1 (at once) to 3.
    pub priority: u8,
    /// In words.
    pub message: String,
}

/// A fault that the plant file lists.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultInfo {
    /// Its kind.
    pub kind: FaultKind,
    /// What it strikes.
    pub tag: String,
    /// In words.
    pub summary: String,
}

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// Nothing of this name can be set.
    #[error("{tag:?} is neither a setpoint nor an actuator of this plant; there are {}", known.join(", "))]
    Unknown {
        /// Tag asked for.
        tag: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The value is not a finite number.
    #[error("{tag} cannot be set to {value}")]
    NotFinite {
        /// Tag asked for.
        tag: String,
        /// What was given.
        value: f64,
    },
}
