//! Canonical names of what truth, findings and calls speak about: `host:hmi`, `device:PLC-1`, `point:NAOH.SP`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A machine on the network.
    Host,
    /// A controller.
    Device,
    /// A tag: a measured value, a setpoint, a command.
    Point,
}

impl EntityKind {
    /// The prefix in the canonical form.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Device => "device",
            Self::Point => "point",
        }
    }
}

/// Why a text is not an entity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entity is host:NAME, device:NAME or point:TAG, got {got:?}")]
pub struct EntityError {
    /// What stood there.
    pub got: String,
}

/// One entity by its canonical name. Ordered, so that sets of entities print the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EntityId {
    kind: EntityKind,
    name: String,
}

impl EntityId {
    /// A machine on the network, by its name in the site file.
    pub fn host(name: impl Into<String>) -> Self {
        Self { kind: EntityKind::Host, name: name.into() }
    }

    /// A controller, by its name in the site file.
    pub fn device(name: impl Into<String>) -> Self {
        Self { kind: EntityKind::Device, name: name.into() }
    }

    /// A tag of the site file.
    pub fn point(tag: impl Into<String>) -> Self {
        Self { kind: EntityKind::Point, name: tag.into() }
    }

    /// What it is.
    pub const fn kind(&self) -> EntityKind {
        self.kind
    }

    /// Its name without the kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.prefix(), self.name)
    }
}

impl FromStr for EntityId {
    type Err = EntityError;
    fn from_str(text: &str) -> Result<Self, EntityError> {
        match text.split_once(':') {
            Some(("host", name)) if !name.is_empty() => Ok(Self::host(name)),
            Some(("device", name)) if !name.is_empty() => Ok(Self::device(name)),
            Some(("point", name)) if !name.is_empty() => Ok(Self::point(name)),
            _ => Err(EntityError { got: text.to_owned() }),
        }
    }
}

impl From<EntityId> for String {
    fn from(entity: EntityId) -> Self {
        entity.to_string()
    }
}

impl TryFrom<String> for EntityId {
    type Error = EntityError;
    fn try_from(text: String) -> Result<Self, EntityError> {
        text.parse()
    }
}
