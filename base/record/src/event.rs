//! Events: the append-only, hash-chained journal of a run (`events.jsonl`).
//!
//! Every line carries the SHA-256 of the line before it, so that a line cannot be altered, dropped or moved
//! without breaking the chain at that place.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::VirtualTime;

/// Who reports an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventSource {
    /// Physics: alarms, trips, limits, overflow.
    Plant,
    /// Switches, firewall, links.
    Net,
    /// A controller.
    Controller,
    /// A scripted actor.
    Actor,
    /// The scenario: benign events, faults, injects.
    Inject,
    /// A person.
    Trainee,
    /// The sensor.
    Sensor,
    /// The kernel itself.
    Kernel,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Counts from 0.
    pub seq: u64,
    /// When.
    pub t: VirtualTime,
    /// Who reports it.
    pub source: EventSource,
    /// A stable name, for example `alarm.raised`, `firewall.denied`, `ticket.opened`.
    pub kind: String,
    /// Particulars; keys in insertion order.
    pub data: serde_json::Value,
    /// SHA-256 of the previous line without its line feed, in hexadecimal; 64 zeros in the first.
    pub prev: String,
}

/// `prev` of the first line.
pub const CHAIN_START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Writes the journal, keeping the chain.
#[derive(Debug)]
pub struct EventLog<W> {
    out: W,
    next_seq: u64,
    head: String,
}

impl<W: Write> EventLog<W> {
    /// Starts an empty journal.
    pub fn new(out: W) -> Self {
        Self { out, next_seq: 0, head: CHAIN_START.to_owned() }
    }

    /// Appends one event.
    pub fn append(
        &mut self,
        t: VirtualTime,
        source: EventSource,
        kind: &str,
        data: serde_json::Value,
    ) -> io::Result<()> {
        let event =
            Event { seq: self.next_seq, t, source, kind: kind.to_owned(), data, prev: self.head.clone() };
        let line = serde_json::to_string(&event)?;
        self.head = hex_digest(line.as_bytes());
        self.next_seq += 1;
        writeln!(self.out, "{line}")
    }

    /// Hash of the last line: what a seal covers.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The writer below, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// SHA-256 in lower-case hexadecimal.
pub fn hex_digest(octets: &[u8]) -> String {
    hex(&Sha256::digest(octets))
}

/// Octets in lower-case hexadecimal.
pub fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
