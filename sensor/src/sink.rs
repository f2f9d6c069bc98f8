//! Where logs go: one writer per log.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::log::Log;

/// Takes the logs. One call is one or more whole lines, many where there are many: a sink need not collect them.
pub trait LogSink {
    /// Appends lines to a log. A log that never gets a line need not exist.
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()>;

    /// Writes out what is buffered: somebody may be reading along.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The logs are complete.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: LogSink + ?Sized> LogSink for Box<S> {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        (**self).write(log, lines)
    }
    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }
    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

/// Keeps the logs in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    logs: [Vec<u8>; Log::ALL.len()],
}

impl MemorySink {
    /// What a log holds.
    pub fn octets(&self, log: Log) -> &[u8] {
        &self.logs[log as usize]
    }

    /// What a log holds, as text.
    pub fn text(&self, log: Log) -> String {
        String::from_utf8_lossy(self.octets(log)).into_owned()
    }
}

impl LogSink for MemorySink {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        self.logs[log as usize].extend_from_slice(lines);
        Ok(())
    }
}

/// Writes each log to a writer of its own, opened at its first line: `open` gets the log and returns the writer.
pub struct WriterSink<W, F> {
    open: F,
    writers: [Option<W>; Log::ALL.len()],
}

impl<W, F> std::fmt::Debug for WriterSink<W, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterSink").finish_non_exhaustive()
    }
}

impl<W: Write, F: FnMut(Log) -> io::Result<W>> WriterSink<W, F> {
    /// A sink that opens its writers with `open`.
    pub fn new(open: F) -> Self {
        Self { open, writers: [const { None }; Log::ALL.len()] }
    }
}

impl<W: Write, F: FnMut(Log) -> io::Result<W>> LogSink for WriterSink<W, F> {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        let slot = &mut self.writers[log as usize];
        let writer = match slot {
            Some(writer) => writer,
            None => slot.insert((self.open)(log)?),
        };
        writer.write_all(lines)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writers.iter_mut().flatten().try_for_each(Write::flush)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

/// Opens a writer for a log.
pub type OpenLog = Box<dyn FnMut(Log) -> io::Result<File>>;

/// A sink that writes files named as in [`Log::file_name`] into a directory.
pub fn directory_sink(directory: &Path) -> io::Result<WriterSink<File, OpenLog>> {
    std::fs::create_dir_all(directory)?;
    let directory: PathBuf = directory.to_owned();
    let open = move |log: Log| File::create(directory.join(log.file_name()));
    Ok(WriterSink::new(Box::new(open)))
}
