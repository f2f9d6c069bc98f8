//! Entries as JSON for others: Zeek's names, the Elastic Common Schema, or Suricata's EVE.

use std::fmt;
use std::str::FromStr;

use super::entry::Entry;
use super::{ecs, eve};

/// In which names an entry is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// Zeek's names, and `_path` for the log.
    Zeek,
    /// Elastic Common Schema 8.
    Ecs,
    /// Suricata's EVE: `alert`, `incident`, `flow`, `modbus`, `dnp3`, `anomaly`. What has no such event is left out.
    Eve,
}

impl Rendering {
    /// Its name in options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zeek => "json",
            Self::Ecs => "ecs",
            Self::Eve => "eve",
        }
    }

    /// Appends an entry as one line of JSON without its end; `false`, and nothing, where the names have none for it.
    pub fn write(self, entry: &Entry<'_>, out: &mut Vec<u8>) -> bool {
        let value = match self {
            Self::Zeek => {
                entry.write_json(out);
                return true;
            }
            Self::Ecs => Some(ecs::document(entry)),
            Self::Eve => eve::event(entry),
        };
        let Some(value) = value else { return false };
        // A value always serialises.
        drop(serde_json::to_writer(out, &value));
        true
    }
}

impl fmt::Display for Rendering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Rendering {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Zeek, Self::Ecs, Self::Eve]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| format!("format must be json, ecs or eve, got {text:?}"))
    }
}
