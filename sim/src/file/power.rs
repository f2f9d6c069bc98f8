//! The tables of a power system.

use serde::Deserialize;
use serde_spanned::Spanned;

use super::{AlarmTable, FaultTable, HarmTable, InstrumentTable, Name};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PowerFile {
    pub(crate) plant: PlantTable,
    pub(crate) system: SystemTable,
    pub(crate) breakers: BreakersTable,
    #[serde(rename = "bus", default)]
    pub(crate) buses: Vec<BusTable>,
    #[serde(rename = "line", default)]
    pub(crate) lines: Vec<LineTable>,
    #[serde(rename = "unit", default)]
    pub(crate) units: Vec<UnitTable>,
    #[serde(rename = "load", default)]
    pub(crate) loads: Vec<LoadTable>,
    #[serde(rename = "synchronism_check", default)]
    pub(crate) synchronism_checks: Vec<SynchronismTable>,
    #[serde(rename = "shedding", default)]
    pub(crate) sheddings: Vec<SheddingTable>,
    #[serde(rename = "relay", default)]
    pub(crate) relays: Vec<RelayTable>,
    #[serde(rename = "instrument", default)]
    pub(crate) instruments: Vec<InstrumentTable<MeasureKey>>,
    #[serde(rename = "alarm", default)]
    pub(crate) alarms: Vec<AlarmTable>,
    #[serde(rename = "fault", default)]
    pub(crate) faults: Vec<FaultTable>,
    pub(crate) harm: HarmTable<LossKey>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlantTable {
    pub(crate) name: String,
    #[expect(dead_code, reason = "read before, to know that this is a power system")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) step_ms: Spanned<u64>,
    pub(crate) measure_every_ms: Spanned<u64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SystemTable {
    pub(crate) base_mva: Spanned<f64>,
    pub(crate) frequency_hz: Spanned<f64>,
    pub(crate) swing_damping_per_s: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakersTable {
    pub(crate) open_ms: Spanned<f64>,
    pub(crate) close_ms: Spanned<f64>,
    pub(crate) spring_charge_s: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BusTable {
    pub(crate) name: Name,
    pub(crate) voltage_kv: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineTable {
    pub(crate) name: Name,
    pub(crate) from: Name,
    pub(crate) to: Name,
    pub(crate) resistance_pu: Spanned<f64>,
    pub(crate) reactance_pu: Spanned<f64>,
    pub(crate) charging_pu: Spanned<f64>,
    pub(crate) breaker_from: Name,
    pub(crate) breaker_to: Name,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitTable {
    pub(crate) name: Name,
    pub(crate) bus: Name,
    pub(crate) to: Name,
    pub(crate) transformer_reactance_pu: Spanned<f64>,
    pub(crate) breaker: Name,
    pub(crate) rating_mva: Spanned<f64>,
    pub(crate) stored_energy_mws: Spanned<f64>,
    pub(crate) transient_reactance_pu: Spanned<f64>,
    pub(crate) voltage_pu: Spanned<f64>,
    /// Left out for the slack.
    pub(crate) dispatch_mw: Option<Spanned<f64>>,
    pub(crate) no_load_loss_percent: Spanned<f64>,
    pub(crate) governor: GovernorTable,
    pub(crate) governor_setpoint: Name,
    pub(crate) voltage_setpoint: Name,
    pub(crate) field_lag_s: Spanned<f64>,
    pub(crate) lockout: Name,
    pub(crate) burst_speed_percent: Spanned<f64>,
    pub(crate) shaft: ShaftTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GovernorTable {
    pub(crate) droop: Spanned<f64>,
    pub(crate) t1_s: Spanned<f64>,
    pub(crate) t2_s: Spanned<f64>,
    pub(crate) t3_s: Spanned<f64>,
    pub(crate) dt: Spanned<f64>,
    pub(crate) valve_min: Spanned<f64>,
    pub(crate) valve_max: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShaftTable {
    pub(crate) endurance_pu: Spanned<f64>,
    pub(crate) ultimate_pu: Spanned<f64>,
    pub(crate) exponent: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadTable {
    pub(crate) bus: Name,
    pub(crate) active_mw: Spanned<f64>,
    pub(crate) reactive_mvar: Spanned<f64>,
    pub(crate) breaker: Name,
    pub(crate) wander: WanderTable,
    pub(crate) tap_changer: TapChangerTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WanderTable {
    pub(crate) sigma_percent: Spanned<f64>,
    pub(crate) every_s: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TapChangerTable {
    pub(crate) tag: Name,
    pub(crate) range_percent: Spanned<f64>,
    /// Each way.
    pub(crate) steps: Spanned<u8>,
    pub(crate) bandwidth_percent: Spanned<f64>,
    pub(crate) delay_s: Spanned<f64>,
    pub(crate) step_s: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SynchronismTable {
    pub(crate) tag: Name,
    pub(crate) breaker: Name,
    pub(crate) angle_deg: Spanned<f64>,
    pub(crate) slip_hz: Spanned<f64>,
    pub(crate) voltage_percent: Spanned<f64>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SheddingTable {
    pub(crate) tag: Name,
    pub(crate) bus: Name,
    pub(crate) stages: Vec<StageTable>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageTable {
    pub(crate) pickup_hz: Spanned<f64>,
    pub(crate) delay_s: Spanned<f64>,
    pub(crate) percent: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelayTable {
    pub(crate) tag: Name,
    pub(crate) operates: Operates,
    pub(crate) delay_s: Spanned<f64>,
    /// Breakers, and lockouts of units.
    pub(crate) trips: Vec<Name>,
    pub(crate) message: String,
}

/// What makes a relay operate, with its ANSI device number.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Operates {
    /// 81U.
    UnderFrequency { bus: Name, pickup_hz: Spanned<f64> },
    /// 81O.
    OverFrequency { bus: Name, pickup_hz: Spanned<f64> },
    /// 27.
    UnderVoltage { bus: Name, pickup_pu: Spanned<f64> },
    /// 59.
    OverVoltage { bus: Name, pickup_pu: Spanned<f64> },
    /// 12.
    Overspeed { unit: Name, pickup_percent: Spanned<f64> },
    /// 87B.
    BusDifferential { bus: Name },
    /// 87L.
    LineDifferential { line: Name },
}

/// What an instrument looks at, by the names of the plant file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MeasureKey {
    /// Of a bus.
    VoltageKv(String),
    /// Of a bus, against the first.
    AngleDeg(String),
    /// Of a bus.
    FrequencyHz(String),
    /// Of a bus.
    RocofHzS(String),
    /// Through a breaker: out of the bus into a line or load, out of a unit into the bus.
    BreakerMw(String),
    /// Likewise.
    BreakerMvar(String),
    /// Across a breaker: the far side against its bus.
    BreakerAngleDeg(String),
    /// At the terminals of a unit.
    UnitMw(String),
    /// At the terminals of a unit.
    UnitMvar(String),
    /// Of a unit.
    UnitSpeedHz(String),
    /// Of a unit's rotor, against the first unit's.
    UnitAngleDeg(String),
    /// Of a unit's shaft, of its rating, since the start.
    UnitTorquePeakPu(String),
    /// Of the load at a bus.
    Tap(String),
}

/// A quantity that money is lost with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LossKey {
    /// Energy that customers wanted and did not get.
    UnservedMwh,
    /// Life of shafts that torque used up; all units together.
    ShaftLifePercent,
    /// Units that protection took off.
    UnitTrips,
    /// Units lost for good.
    UnitsDestroyed,
}
