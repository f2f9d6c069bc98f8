//! Tags, and the physical ties between them.

use serde::{Deserialize, Serialize};

/// What kind of value a tag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagKind {
    /// A transmitter's value.
    Measurement,
    /// What an operator asks for.
    Setpoint,
    /// What an operator or engineer switches.
    Command,
    /// What a controller reports of itself.
    Status,
    /// An alarm bit.
    Alarm,
}

/// One named value of the plant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// `LIT-401`, `NAOH.SP`.
    pub name: serde_spanned::Spanned<String>,
    /// What it is, in words.
    pub description: String,
    /// Unit; empty for states.
    #[serde(default)]
    pub unit: String,
    /// What kind of value it is.
    pub kind: TagKind,
    /// Lower end of the range.
    pub low: f64,
    /// Upper end of the range.
    pub high: f64,
    /// Lower end of what is usual in operation.
    #[serde(default)]
    pub normal_low: Option<f64>,
    /// Upper end of what is usual in operation.
    #[serde(default)]
    pub normal_high: Option<f64>,
    /// Words for the values of a state, from 0 upwards.
    #[serde(default)]
    pub states: Vec<String>,
}

impl Tag {
    /// Whether a value lies in what is usual; true where nothing usual is written down.
    pub fn is_usual(&self, value: f64) -> bool {
        self.normal_low.is_none_or(|low| value >= low) && self.normal_high.is_none_or(|high| value <= high)
    }
}

/// A physical tie between tags, which holds whoever sends the values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tie {
    /// Name, unique in the site.
    pub name: String,
    /// Which law, over which tags.
    pub law: TieLaw,
}

/// The laws that ties follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TieLaw {
    /// A dose setpoint times the flow it is paced by cannot exceed what the pump can deliver.
    DoseWithinCapacity {
        /// Dose setpoint, mg/L.
        setpoint: String,
        /// Flow it is paced by, L/s.
        flow: String,
        /// What the pump delivers at full stroke, kg/h of the pure chemical.
        capacity_kg_per_h: f64,
    },
    /// Two tags show the same quantity.
    Agree {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// How far they may differ, in their unit.
        tolerance: f64,
    },
}

impl TieLaw {
    /// Tags it speaks about.
    pub fn tags(&self) -> [&str; 2] {
        match self {
            Self::DoseWithinCapacity { setpoint, flow, .. } => [setpoint, flow],
            Self::Agree { first, second, .. } => [first, second],
        }
    }
}
