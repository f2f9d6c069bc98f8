//! Passive sensor: frames to records to findings.
//!
//! This crate watches; it sends nothing and opens nothing but files. It never trusts a length, never panics on any
//! input, and writes the same files for the same frames. It knows no attack: people run it on real plants.
//!
//! ```text
//! frames -> connections and streams -> protocol records -> enrichment -> rules -> findings
//! ```
//!
//! Reading order: [`capture`] with `window` and `pcapng` (files), [`frame`] with `packet` and `checksum` (one frame),
//! `arrival` with `clock` and `fragment` (what happens to it first), `flow` and `tcp` (connections), `stream` (order),
//! `analyser` (which protocol), `modbus` (PDUs), [`log`] (rows), [`sink`], `known` (documentation), `facts` (baseline), `points` (values of registers and points), `process` (tags and ties),
//! `inventory`, `enrich` (all of them together), `event` (records as rules see them), [`rules`], `findings`,
//! `incidents`, `sentence`, [`sensor`] (the way of a frame), [`value`], [`filter`] and [`output`] (what takes entries
//! beside the logs), [`deliver`] (records to collectors), [`cli`].

mod analyser;
mod arrival;
pub mod capture;
mod checksum;
pub mod cli;
mod clock;
mod columns;
pub mod deliver;
mod digits;
mod dnp3;
mod end;
mod enrich;
mod event;
mod examples;
mod facts;
pub mod filter;
mod findings;
mod flow;
mod fragment;
pub mod frame;
mod front;
mod guess;
mod identify;
mod incidents;
mod inventory;
mod known;
#[cfg(target_os = "linux")]
pub mod live;
pub mod log;
mod modbus;
mod modbus_check;
mod modbus_log;
pub mod output;
mod packet;
mod pcapng;
mod points;
mod process;
mod repeats;
mod row;
pub mod rules;
pub mod sensor;
mod sentence;
pub mod sink;
mod stream;
mod summary;
mod tcp;
pub mod tsv;
pub mod value;
mod values;
mod window;

pub use capture::{CaptureError, CaptureReader, LinkType};
pub use examples::check_examples;
pub use facts::{
    Baseline, BaselineBlock, BaselineDnp3, BaselineHost, BaselineModbus, BaselinePair, BaselinePoint,
    BaselineValues, ValueKind,
};
pub use filter::{Filter, FilterError};
pub use flow::Proto;
pub use inventory::vendor;
pub use log::{Log, LogFormat, LogSet};
pub use output::{Entry, Output};
pub use rules::{RuleCard, RuleSet};
pub use sensor::{Input, Sensor, SensorConfig, Summary};
pub use sink::{LogSink, MemorySink, WriterSink, directory_sink};
pub use value::{Fields, Value};
