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
    /// Priority of an alarm, 1 (act at once) to 3; see [`Tag::alarm_priority`].
    #[serde(default)]
    pub priority: Option<u8>,
}

impl Tag {
    /// Priority of an alarm where the documentation names none: act soon.
    pub const USUAL_PRIORITY: u8 = 2;

    /// Priority as an alarm, 1 to 3.
    pub fn alarm_priority(&self) -> u8 {
        self.priority.unwrap_or(Self::USUAL_PRIORITY)
    }

    /// Whether a value lies in what is usual; true where nothing usual is written down.
    pub fn is_usual(&self, value: f64) -> bool {
        self.normal_low.is_none_or(|low| value >= low) && self.normal_high.is_none_or(|high| value <= high)
    }
}

/// One value that a safe stop writes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafeStop {
    /// A setpoint or command that a controller takes.
    pub tag: serde_spanned::Spanned<String>,
    /// In the tag's unit.
    pub value: f64,
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
    /// A value cannot move faster than the plant lets it.
    Rate {
        /// The value.
        tag: String,
        /// The fastest, noise included, in its unit per second.
        per_s: f64,
    },
    /// A transmitter that lives shows noise: a value that stands still to the last digit is frozen.
    Moves {
        /// The value.
        tag: String,
        /// How long it may stand still, seconds.
        within_s: f64,
    },
    /// What flows into a vessel and does not flow out raises its level. Flows in L/s, m3/h, L/h or m3/s, all alike.
    Balance {
        /// Level, m.
        level: String,
        /// Surface of the vessel, m2.
        area_m2: f64,
        /// Flows into it; negative ones leave it.
        inflows: Vec<String>,
        /// Flows out of it.
        #[serde(default)]
        outflows: Vec<String>,
        /// What may be missing, as a flow, m3/s; more where more was missing while the sensor learnt.
        tolerance_m3_per_s: f64,
    },
    /// What is commanded happens.
    Follows {
        /// The command.
        command: String,
        /// What the device reports.
        feedback: String,
        /// How long it may take, seconds.
        within_s: f64,
    },
    /// Nothing flows where everything that could let it flow or drive it is closed or stands.
    FlowNeeds {
        /// The flow.
        flow: String,
        /// Valves and pumps, any of which lets it flow.
        openers: Vec<String>,
        /// What may be shown all the same, in the flow's unit.
        at_most: f64,
    },
    /// A transmitter has noise, so no long row of its readings comes twice: one that does is a recording.
    NeverRepeats {
        /// The value.
        tag: String,
    },
}

impl TieLaw {
    /// Tags it speaks about.
    pub fn tags(&self) -> Vec<&str> {
        match self {
            Self::DoseWithinCapacity { setpoint, flow, .. } => vec![setpoint, flow],
            Self::Agree { first, second, .. } => vec![first, second],
            Self::Rate { tag, .. } | Self::Moves { tag, .. } | Self::NeverRepeats { tag } => vec![tag],
            Self::Balance { level, inflows, outflows, .. } => {
                std::iter::once(level).chain(inflows).chain(outflows).map(String::as_str).collect()
            }
            Self::Follows { command, feedback, .. } => vec![command, feedback],
            Self::FlowNeeds { flow, openers, .. } => {
                std::iter::once(flow).chain(openers).map(String::as_str).collect()
            }
        }
    }
}
