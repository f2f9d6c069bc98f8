//! Incidents: findings of one story, told as one.

use serde::{Deserialize, Serialize};

use crate::{EntityId, Level, VirtualTime};

/// One line of `incidents.jsonl`, written when the story is over: nothing of it was seen for ten minutes, or the
/// traffic ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Number, counted from 1 in the order in which incidents began; findings name it.
    pub incident: u32,
    /// Numbers of incidents that turned out to be the same story and were joined to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<u32>,
    /// When its first finding was made; counts as the time of a [`crate::Finding`] does.
    pub first: VirtualTime,
    /// When something of it was last seen, repeats that were not said again included.
    pub last: VirtualTime,
    /// The highest level of its findings.
    pub level: Level,
    /// Title of the first rule of that level.
    pub title: String,
    /// Addresses of the hosts that take part, sorted.
    pub hosts: Vec<String>,
    /// Hosts, devices and points that its findings name, sorted.
    pub entities: Vec<EntityId>,
    /// ATT&CK for ICS technique ids, sorted.
    pub techniques: Vec<String>,
    /// How often each rule matched, by its name.
    pub rules: std::collections::BTreeMap<String, u64>,
    /// Frames that show it, the first ones.
    pub frames: Vec<u64>,
    /// What the first finding of the highest level said.
    pub message: String,
}
