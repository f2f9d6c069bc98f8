//! What an uplink counts: written by the kernel and by the uplink's own threads, read by whoever reports.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Frames of one uplink.
#[derive(Debug, Default)]
pub struct UplinkCounters {
    /// Handed to the lab.
    pub taken_in: Counter,
    /// Sent out.
    pub sent_out: Counter,
    /// Dropped on their way in: the lab stands still, or more came than it takes.
    pub dropped_in: Counter,
    /// Dropped on their way out: the real network takes no more, or is gone.
    pub dropped_out: Counter,
    /// Not let in: longer than an ordinary network's, forged or looped (a sender's address of the lab's own), of a
    /// kind that cannot be cut into frames, or from more hosts than are remembered.
    pub refused_in: Counter,
    /// Reached the port and stayed inside: no answer to anybody outside.
    pub kept_inside: Counter,
}

impl UplinkCounters {
    /// All drops together.
    pub fn dropped(&self) -> u64 {
        self.dropped_in.get() + self.dropped_out.get()
    }
}
