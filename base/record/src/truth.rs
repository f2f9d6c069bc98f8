//! Ground truth: what really happened, written by the executor as it acts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntityId, VirtualTime};

/// The three answers to the question that plants ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Somebody hostile did it.
    Attack,
    /// Something broke.
    Fault,
    /// Somebody was allowed to do it; an authorised person's mistake counts here too.
    Authorised,
}

/// Who looks at the plant: decides which channels a person has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Watches the mirror port and its logs.
    Analyst,
    /// Sits at the HMI.
    Operator,
}

/// Where something shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Frames on the mirror port.
    Network,
    /// A decoded protocol record.
    ProtocolLog,
    /// Values in the historian.
    Historian,
    /// Values, alarms and setpoints on the operator's screen.
    Hmi,
    /// A log on a host.
    HostLog,
}

/// Something a step brought about in the plant: a limit crossed, an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consequence {
    /// What it is called, for example `pH high at the clearwell outlet`.
    pub name: String,
    /// The tag on which it shows.
    pub point: EntityId,
    /// When.
    pub time: VirtualTime,
}

/// One thing that somebody or something did: a step of an attack, or a labelled benign event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthStep {
    /// Name of the step, unique in the run.
    pub step: String,
    /// The story it belongs to; steps of one campaign can be claimed together.
    pub campaign: String,
    /// What it was. Anything but [`Verdict::Attack`] is a labelled benign event.
    pub verdict: Verdict,
    /// One sentence for the reveal.
    pub summary: String,
    /// ATT&CK for ICS technique ids, most specific first; empty for benign events.
    pub techniques: Vec<String>,
    /// When it began.
    pub start: VirtualTime,
    /// When it ended; the end of the run where it never did.
    pub end: VirtualTime,
    /// First moment at which it can be seen, by role and channel. A role without an entry cannot see it.
    pub observable: BTreeMap<Role, BTreeMap<Channel, VirtualTime>>,
    /// Who did it; none for a fault.
    pub source: Option<EntityId>,
    /// The asset it was done to.
    pub target: EntityId,
    /// Points it touched.
    pub points: Vec<EntityId>,
    /// Numbers of its frames in `span.pcapng`, counted from 1 as Wireshark does, ascending.
    pub frames: Vec<u64>,
    /// Weight, 1 to 3.
    pub severity: u8,
    /// When the twin in which nobody acts crosses the limit that this step leads to.
    pub limit_time: Option<VirtualTime>,
    /// What it brought about.
    pub consequences: Vec<Consequence>,
    /// The change ticket that covers it.
    pub ticket: Option<String>,
}

impl TruthStep {
    /// Earliest moment at which a role can see the step over any of its channels.
    pub fn observable_by(&self, role: Role) -> Option<VirtualTime> {
        self.observable.get(&role)?.values().min().copied()
    }

    /// Source, target and points together, in that order, without repetition.
    pub fn entities(&self) -> Vec<EntityId> {
        let mut all: Vec<EntityId> = Vec::new();
        for entity in self.source.iter().chain(std::iter::once(&self.target)).chain(&self.points) {
            if !all.contains(entity) {
                all.push(entity.clone());
            }
        }
        all
    }
}
