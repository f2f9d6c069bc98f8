//! What comes out beside the directory of logs: entries, and who takes them.
//!
//! # Theory of operation
//! Every row of a log and every line of `findings.jsonl` is an [`Entry`] for a moment. It is written to the
//! logs and shown to each [`Output`]. An output renders it and puts it somewhere, at once
//! and without waiting: nothing that is slow may stand between a frame and its record.

mod dnp3_eve;
mod ecs;
mod entry;
mod eve;
mod moment;
mod render;

use std::io::{self, Write};

use crate::filter::Filter;
use crate::log::Log;
pub(crate) use entry::About;
pub use entry::Entry;
pub(crate) use moment::iso;
pub use render::Rendering;

/// Takes entries in the order in which they came about.
pub trait Output: std::fmt::Debug {
    /// Takes one. Must not wait for anybody.
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()>;

    /// Whether entries of a log are of interest; the others need not be made.
    fn wants(&self, _: Log) -> bool {
        true
    }

    /// There will be no more.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows an output only what passes a filter.
#[derive(Debug)]
pub struct Picked<O> {
    /// What passes.
    pub filter: Filter,
    /// Who gets it.
    pub output: O,
}

impl<O: Output> Output for Picked<O> {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        if self.filter.matches(entry) { self.output.entry(entry) } else { Ok(()) }
    }

    fn wants(&self, log: Log) -> bool {
        self.output.wants(log)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.output.finish()
    }
}

/// Writes entries as lines of JSON.
pub struct JsonLines<W> {
    rendering: Rendering,
    line: Vec<u8>,
    writer: W,
}

impl<W> std::fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLines").field("rendering", &self.rendering).finish_non_exhaustive()
    }
}

impl<W: Write> JsonLines<W> {
    /// Writes to `writer`, which had better be buffered.
    pub fn new(rendering: Rendering, writer: W) -> Self {
        Self { rendering, line: Vec::new(), writer }
    }
}

impl<W: Write> Output for JsonLines<W> {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.line.clear();
        if !self.rendering.write(entry, &mut self.line) {
            return Ok(());
        }
        self.line.push(b'\n');
        self.writer.write_all(&self.line)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
