//! What a run leaves behind, and the words in which every other crate speaks of it.
//!
//! This crate holds virtual time and the clock trait, keyed random draws, ground truth, events, findings and
//! calls, and the reader and writer of a run directory with its hashes. It knows no network, no plant and no
//! wall clock: every time in it is [`VirtualTime`], counted from the start of the run.
//!
//! Reading order: [`time`], [`clock`], [`keyed`], [`entity`], [`truth`], [`event`], [`finding`],
//! [`incident`], [`call`], [`outside`], [`run`]; beside them [`attack`], the pinned table of techniques.

pub mod attack;
pub mod call;
pub mod clock;
pub mod entity;
pub mod event;
pub mod finding;
pub mod incident;
pub mod keyed;
pub mod outside;
pub mod run;
pub mod time;
pub mod truth;

pub use call::{Call, Confidence};
pub use clock::{Clock, with_timeout};
pub use entity::{EntityId, EntityKind};
pub use event::{Event, EventLog, EventSource, hex};
pub use finding::{Finding, Level};
pub use incident::Incident;
pub use keyed::KeyedStream;
pub use outside::{Outside, OutsideInput};
pub use run::{RecordError, RunManifest, RunReader, RunWriter};
pub use time::{StartTime, VirtualTime};
pub use truth::{Channel, Consequence, Role, TruthStep, Verdict};
