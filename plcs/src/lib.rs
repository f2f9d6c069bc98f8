//! Controllers: image, scan, logic, Modbus server, DNP3 outstation, and the link of one controller to another.
//!
//! This crate sees signals (`LIT-301`, `P-201`), never a plant and never a network: `lab` wires instruments and
//! actuators to a controller through [`FieldWiring`], hands it connections through [`Accept`] and a clock through
//! [`record::Clock`]. It uses no thread, no wall clock and no executor of its own: everything asynchronous is a plain
//! future.
//!
//! Reading order: [`controller`] (the scan: theory of operation), [`image`], [`logic`], [`server`] (connections and
//! the stated policies of the Modbus server), [`outstation`] (DNP3), [`peer`].

mod alarm_fifo;
mod communication;
pub mod controller;
mod core;
pub mod event;
mod files;
pub mod handle;
pub mod image;
pub mod logic;
pub mod mode;
pub mod outstation;
pub mod peer;
mod registers;
pub mod server;
mod service;

pub use alarm_fifo::ALARM_FIFO_ADDRESS;
pub use controller::{Controller, ControllerError, FieldWiring};
pub use event::{ControllerEvent, EventKind};
pub use files::{FILE_COUNT, FILE_RECORDS};
pub use handle::{Handle, ScanStatistics};
pub use image::{Image, MissingSignal, SignalId};
pub use logic::{Logic, LogicLoadError, MakeLogic, program_for};
pub use mode::{KeySwitch, Mode};
pub use outstation::{Outstation, OutstationHandle, run_outstation};
pub use peer::{CommLossAction, PeerPoint, poll_peer};
pub use server::{Accept, run_server};
