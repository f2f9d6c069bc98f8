//! A power system after checking: what [`super::grid::Grid`] runs.
//!
//! Indices lead into the lists of this file, or into the plant's actuators where they are called so. Times are in steps.

use super::system::System;

/// What is particular to a power system.
#[derive(Debug)]
pub(crate) struct GridDesign {
    /// In its steady state.
    pub(crate) system: System,
    pub(crate) step_s: f64,
    pub(crate) base_mva: f64,
    pub(crate) bus_names: Vec<String>,
    pub(crate) bus_kv: Vec<f64>,
    /// Lines; the transformers of the units follow them among the network's branches.
    pub(crate) line_names: Vec<String>,
    pub(crate) timing: BreakerTiming,
    pub(crate) breakers: Vec<BreakerDesign>,
    pub(crate) units: Vec<UnitTerminals>,
    pub(crate) loads: Vec<LoadDesign>,
    pub(crate) checks: Vec<CheckDesign>,
    pub(crate) relays: Vec<RelayDesign>,
    pub(crate) sheddings: Vec<SheddingDesign>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerTiming {
    pub(crate) open: u64,
    pub(crate) close: u64,
    pub(crate) spring: u64,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At an end of a line.
    Line { branch: usize, end: usize },
    /// On the high side of a unit's transformer.
    Unit { branch: usize, end: usize },
    /// Before a load.
    Load(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct BreakerDesign {
    pub(crate) tag: String,
    pub(crate) place: Place,
    /// Actuators.
    pub(crate) trip_coil: usize,
    pub(crate) close_coil: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct UnitTerminals {
    pub(crate) name: String,
    pub(crate) breaker: usize,
    pub(crate) rating_mva: f64,
    pub(crate) voltage_pu: f64,
    /// Share of the way to a new internal voltage that one step makes.
    pub(crate) field_share: f64,
    pub(crate) burst_speed: f64,
    pub(crate) endurance_pu: f64,
    pub(crate) ultimate_pu: f64,
    pub(crate) exponent: f64,
    pub(crate) lockout: String,
    /// Actuators.
    pub(crate) power_setpoint: usize,
    pub(crate) voltage_setpoint: usize,
    pub(crate) lockout_trip: usize,
    pub(crate) lockout_reset: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct LoadDesign {
    pub(crate) bus: usize,
    pub(crate) breaker: usize,
    pub(crate) nominal_mw: f64,
    pub(crate) wander: WanderDesign,
    pub(crate) tap: TapDesign,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct WanderDesign {
    /// Standard deviation, of the load.
    pub(crate) share: f64,
    pub(crate) every_s: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct TapDesign {
    /// Change of voltage that one step makes.
    pub(crate) step_pu: f64,
    pub(crate) steps: i32,
    pub(crate) half_band_pu: f64,
    pub(crate) delay: u64,
    pub(crate) pause: u64,
    /// Actuators.
    pub(crate) raise: usize,
    pub(crate) lower: usize,
    pub(crate) auto: usize,
    pub(crate) target: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct CheckDesign {
    pub(crate) tag: String,
    pub(crate) breaker: usize,
    pub(crate) angle_rad: f64,
    pub(crate) slip_hz: f64,
    pub(crate) voltage_pu: f64,
    /// Actuator.
    pub(crate) defeat: usize,
}

/// What makes a relay operate. A pickup is an actuator: its setting can be changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RelayLaw {
    /// 81U; where a unit's bus is watched, only while its breaker is closed.
    UnderFrequency { bus: usize, pickup: usize, supervisor: Option<usize> },
    /// 81O; likewise.
    OverFrequency { bus: usize, pickup: usize, supervisor: Option<usize> },
    /// 27.
    UnderVoltage { bus: usize, pickup: usize },
    /// 59.
    OverVoltage { bus: usize, pickup: usize },
    /// 12.
    Overspeed { unit: usize, pickup: usize },
    /// 87B.
    BusDifferential { bus: usize },
    /// 87L.
    LineDifferential { line: usize },
}

#[derive(Clone, Debug)]
pub(crate) struct RelayDesign {
    pub(crate) tag: String,
    pub(crate) law: RelayLaw,
    pub(crate) delay: u64,
    pub(crate) breakers: Vec<usize>,
    /// Units whose lockout it trips.
    pub(crate) lockouts: Vec<usize>,
    pub(crate) message: String,
    /// Actuator.
    pub(crate) block: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct SheddingDesign {
    pub(crate) load: usize,
    pub(crate) stages: Vec<StageDesign>,
    /// Actuators.
    pub(crate) block: usize,
    pub(crate) reset: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct StageDesign {
    pub(crate) tag: String,
    pub(crate) delay: u64,
    /// Share of the load.
    pub(crate) share: f64,
    /// Actuator.
    pub(crate) pickup: usize,
}

/// What an instrument looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerMeasure {
    VoltageKv(usize),
    AngleDeg(usize),
    FrequencyHz(usize),
    RocofHzS(usize),
    BreakerMw(usize),
    BreakerMvar(usize),
    BreakerAngleDeg(usize),
    UnitMw(usize),
    UnitMvar(usize),
    UnitSpeedHz(usize),
    UnitAngleDeg(usize),
    UnitTorquePeakPu(usize),
    /// By index of the load.
    Tap(usize),
}

/// What a contact sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerContact {
    /// 52a.
    BreakerClosed(usize),
    /// 52b.
    BreakerOpen(usize),
    SpringCharged(usize),
    Relay(usize),
    Stage {
        shedding: usize,
        stage: usize,
    },
    Permissive(usize),
    LockedOut(usize),
}
