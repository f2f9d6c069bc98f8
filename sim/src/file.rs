//! A plant file as it is written: the tables and keys of `plants/NAME.toml`, before anything is checked.
//!
//! Instruments, alarms, faults and harm are written alike for every kind of plant; what they can look at and lose differs,
//! and stands with the other tables of its kind in `water` and `power`.
//!
//! Every key that is a quantity ends in its unit; an unknown key is an error with its line. Names that are
//! referred to from elsewhere are read with their place, so that [`crate::design`] can say where a reference fails.

use serde::Deserialize;
use serde_spanned::Spanned;

use std::collections::BTreeMap;

pub(crate) mod power;
pub(crate) mod water;

pub(crate) type Name = Spanned<String>;

/// What every plant file says first: which kind of plant it is. The other tables are left for a second reading.
#[derive(Debug, Deserialize)]
pub(crate) struct KindFile {
    pub(crate) plant: KindTable,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KindTable {
    pub(crate) kind: Name,
}

/// What an actuator's command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ActuatorUnit {
    /// 0 to 100 per cent.
    #[serde(rename = "%")]
    Percent,
    /// 0 is off, 1 is on.
    #[serde(rename = "on_off")]
    OnOff,
    /// A setting in megawatts.
    #[serde(skip)]
    Megawatts,
    /// A setting per unit of what is rated.
    #[serde(skip)]
    PerUnit,
    /// A setting in hertz.
    #[serde(skip)]
    Hertz,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstrumentTable<M> {
    pub(crate) tag: Name,
    pub(crate) description: String,
    pub(crate) measures: Spanned<M>,
    pub(crate) unit: Name,
    pub(crate) low: Spanned<f64>,
    pub(crate) high: Spanned<f64>,
    pub(crate) noise_sigma: Spanned<f64>,
    pub(crate) lag_s: Spanned<f64>,
    pub(crate) resolution: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlarmTable {
    pub(crate) tag: Name,
    pub(crate) instrument: Name,
    pub(crate) high: Option<Spanned<f64>>,
    pub(crate) low: Option<Spanned<f64>>,
    pub(crate) deadband: Spanned<f64>,
    pub(crate) delay_s: Spanned<f64>,
    pub(crate) priority: Spanned<u8>,
    pub(crate) message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultTable {
    pub(crate) kind: Name,
    pub(crate) tag: Name,
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) defaults: BTreeMap<String, Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "L: Deserialize<'de>")]
pub(crate) struct HarmTable<L> {
    pub(crate) currency: String,
    pub(crate) floor: f64,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) floor_reason: String,
    #[serde(rename = "limit", default)]
    pub(crate) limits: Vec<LimitTable>,
    #[serde(rename = "loss", default)]
    pub(crate) losses: Vec<LossTable<L>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitTable {
    pub(crate) name: Name,
    pub(crate) instrument: Name,
    pub(crate) above: Option<Spanned<f64>>,
    pub(crate) below: Option<Spanned<f64>>,
    #[serde(default)]
    pub(crate) price_per_h: f64,
    #[serde(default)]
    pub(crate) price_per_m3_supplied: f64,
    pub(crate) message: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossTable<L> {
    pub(crate) name: Name,
    pub(crate) of: L,
    pub(crate) price_each: Spanned<f64>,
    /// Amount per hour that normal operation uses and that costs nothing.
    #[serde(default)]
    pub(crate) free_per_h: f64,
    /// Given where the first of it is a limit worth reporting.
    pub(crate) limit_message: Option<String>,
    /// Instrument on which it shows.
    pub(crate) instrument: Option<Name>,
    #[expect(dead_code, reason = "for the reader of the file")]
    pub(crate) reason: String,
}
