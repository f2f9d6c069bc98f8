//! What comes out beside the directory of logs: entries, and who takes them.
//!
//! # Theory of operation
//! Every row of a log and every line of `findings.jsonl` is an [`Entry`] for a moment. A filter may hold it back; what
//! passes is written to the logs and shown to each [`Output`]. An output renders it and puts it somewhere, at once
//! and without waiting: nothing that is slow may stand between a frame and its record.

mod entry;

use std::io;

pub(crate) use entry::About;
pub use entry::Entry;

/// Takes entries in the order in which they came about.
pub trait Output: std::fmt::Debug {
    /// Takes one. Must not wait for anybody.
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()>;

    /// There will be no more.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
