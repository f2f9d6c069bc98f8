//! Calls: what a person hands in.

use serde::{Deserialize, Serialize};

use crate::{EntityId, Verdict, VirtualTime};

/// How sure the person is; sets gain and cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Little to gain, little to lose.
    Low,
    /// In between.
    Mid,
    /// Much to gain, much to lose.
    High,
}

/// One line of `calls.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Counts from 1 within a file; ties in scoring go to the lower one.
    pub id: u64,
    /// When it was handed in.
    pub t: VirtualTime,
    /// First and last moment it speaks about.
    pub interval: [VirtualTime; 2],
    /// One to four of them.
    pub entities: Vec<EntityId>,
    /// Attack, fault or authorised.
    pub verdict: Verdict,
    /// A technique id (`T0836`), a tactic (`impair-process-control`), or nothing.
    #[serde(default)]
    pub technique: Option<String>,
    /// How sure the person is.
    pub confidence: Confidence,
    /// Frame numbers or log ids.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Calls of one story share a case.
    #[serde(default)]
    pub case: Option<String>,
}
