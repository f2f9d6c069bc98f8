//! Tasks: things that a trainee makes and the lab tries. An inventory, a list of frames, a baseline, a detection rule,
//! a set of firewall rules, evidence with its form.
//!
//! # Theory of operation
//! A task says what is to be handed in and how it is tried ([`Work`]). What needs no lab is graded here, from a
//! record's tables and the site's documentation; for what does, the lab runs unseen seeds or probes a network, and hands
//! the outcome over. Every point has a line that says where it came from. Handing in everything, or nothing, earns nothing:
//! scores are the harmonic mean of what was found and what of it was right (F1), or, where something must go on working,
//! what was stopped times the square of what still works, as part C of the score has it.

mod baseline;
mod conversations;
mod evidence;
mod facts;
mod firewall;
mod frames;
mod inventory;
mod rule;

use record::VirtualTime;
use serde::{Deserialize, Serialize};
use site::{FileError, parse_toml};

pub use baseline::{Baseline, ModbusRun, grade_baseline, read_baseline};
pub use conversations::grade_conversations;
pub use evidence::{CapturedFrame, Custody, grade_evidence, read_custody};
pub use facts::grade_facts;
pub use firewall::{ModbusProbe, Probe, ProbeOutcome, Reach, grade_firewall, read_firewall};
pub use frames::grade_frames;
pub use inventory::grade_inventory;
pub use rule::{JudgedRun, grade_rule};

/// Points from which a task counts as done, where it does not say otherwise.
const PASS_AT: f64 = 80.0;

/// One thing to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// `allow-list`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// How long it takes somebody who has not done it before.
    pub minutes: u16,
    /// What to do, and why one does it.
    pub prompt: String,
    /// What is handed in, with an example.
    pub hand_in: String,
    /// How it is tried.
    pub work: Work,
    /// Points from which it counts as done.
    #[serde(default = "pass_at")]
    pub pass_at: f64,
}

fn pass_at() -> f64 {
    PASS_AT
}

/// How a task is tried.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Pairs of hosts with their protocol, against the connections of a record.
    Conversations {
        /// Services that count, `modbus`.
        services: Vec<String>,
    },
    /// A table of assets, against the site's documentation of what spoke in a record.
    Inventory {},
    /// Numbers of hostile frames, against the ground truth of a record.
    Frames {},
    /// Who may ask what of whom, replayed over unseen runs.
    Baseline {
        /// What is run.
        runs: Vec<UnseenRun>,
    },
    /// A Sigma rule, replayed over unseen runs.
    Rule {
        /// What is run.
        runs: Vec<UnseenRun>,
        /// Techniques of the steps that it must find; the others are neither asked for nor held against it.
        techniques: Vec<String>,
    },
    /// Firewall rules in place of the site's, probed from several places.
    Firewall {
        /// Site whose network is probed.
        site: String,
        /// What is tried.
        probes: Vec<Probe>,
    },
    /// A slice of a record's capture with its chain-of-custody form.
    Evidence {},
    /// What can be found in the traces that a record's hosts and office keep.
    Facts {
        /// Names of the facts.
        asked: Vec<String>,
    },
}

impl Work {
    /// Whether it is tried against a record that the trainee names.
    pub const fn needs_record(&self) -> bool {
        matches!(
            self,
            Self::Conversations { .. }
                | Self::Inventory {}
                | Self::Frames {}
                | Self::Evidence {}
                | Self::Facts { .. }
        )
    }
}

/// A kind of run that is made with seeds which the trainee has not seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnseenRun {
    /// Its scenario.
    pub scenario: String,
    /// Whether the cause is drawn.
    #[serde(default)]
    pub blind: bool,
}

/// What a hand-in earned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Graded {
    /// 0 to 100.
    pub score: f64,
    /// Why.
    pub lines: Vec<GradeLine>,
}

/// One line of the account.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradeLine {
    /// Whether it was right; nothing where the line only explains.
    pub right: Option<bool>,
    /// What it is about.
    pub what: String,
    /// What came of it, or what would have been right.
    pub why: String,
}

impl Graded {
    fn line(&mut self, right: impl Into<Option<bool>>, what: impl Into<String>, why: impl Into<String>) {
        self.lines.push(GradeLine { right: right.into(), what: what.into(), why: why.into() });
    }

    const fn empty() -> Self {
        Self { score: 0.0, lines: Vec::new() }
    }
}

/// F1 in points: twice what was found, over what was found, what should have been and what was handed in besides. 0
/// where nothing was found.
fn f1(found: usize, missed: usize, besides: usize) -> f64 {
    if found == 0 {
        return 0.0;
    }
    let found = found as f64;
    100.0 * 2.0 * found / (2.0 * found + missed as f64 + besides as f64)
}

/// A time as lines of an account write it.
fn at(t: VirtualTime) -> String {
    format!("{t}")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    task: Vec<Task>,
}

const BUNDLED: &str = include_str!("../../tasks.toml");

/// The tasks that come with Fieldrange, in the order in which a person might do them.
pub fn tasks() -> Result<Vec<Task>, FileError> {
    Ok(parse_toml::<TaskFile>("tasks.toml", BUNDLED)?.task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_tasks_can_be_read() {
        let tasks = tasks().unwrap();
        assert!(tasks.len() >= 8);
        let mut names: Vec<_> = tasks.iter().map(|task| &task.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), tasks.len());
        for task in &tasks {
            assert!(task.prompt.len() > 80 && task.hand_in.len() > 20, "{}", task.name);
        }
    }

    #[test]
    fn f1_rewards_neither_everything_nor_nothing() {
        assert!((f1(3, 0, 0) - 100.0).abs() < 1e-9);
        assert_eq!(f1(0, 3, 0), 0.0);
        assert!(f1(3, 0, 97) < 6.0);
        assert!((f1(3, 1, 1) - 75.0).abs() < 1e-9);
    }
}
