//! Findings: what the sensor's rules concluded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{EntityId, VirtualTime};

/// How much a finding matters, in Sigma's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Informational,
    /// Worth a look some day.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Get up.
    Critical,
}

impl Level {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is not a level.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("level must be informational, low, medium, high or critical, got {got:?}")]
pub struct LevelError {
    /// What stood there.
    pub got: String,
}

impl FromStr for Level {
    type Err = LevelError;
    fn from_str(text: &str) -> Result<Self, LevelError> {
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| LevelError { got: text.to_owned() })
    }
}

/// One line of `findings.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// When the rule fired. Seconds since the start of the run, or since 1970 where a capture was read on its own.
    pub t: VirtualTime,
    /// The rule's name, for example `modbus-new-writer`.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// How much it matters.
    pub level: Level,
    /// ATT&CK for ICS technique ids, `T0855`.
    pub techniques: Vec<String>,
    /// Hosts, devices and points it is about; hosts without a name appear by address, `host:192.168.1.77`.
    pub entities: Vec<EntityId>,
    /// Zeek's uid of the connection, where there is one.
    pub uid: Option<String>,
    /// Numbers of the frames that show it, counted from 1.
    pub frames: Vec<u64>,
    /// One sentence in words first, then numbers.
    pub message: String,
    /// Number of the incident that it is part of, see [`crate::Incident`]; what is below medium opens none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<u32>,
}
