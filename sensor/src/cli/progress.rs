//! How far a long read is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::capture::CaptureReader;

/// Says on standard error how far a long read is; only to a person. The wall clock decides when, never what is written.
pub(crate) struct Progress {
    size: Option<u64>,
    shown: bool,
    due: Option<Instant>,
    frames: u64,
}

impl Progress {
    pub(crate) fn new(size: Option<u64>) -> Self {
        let due = io::stderr().is_terminal().then(|| Instant::now() + Duration::from_secs(1));
        Self { size, shown: false, due, frames: 0 }
    }

    pub(crate) fn tick<R: io::Read>(&mut self, reader: &CaptureReader<R>) {
        self.frames += 1;
        if !self.frames.is_multiple_of(1 << 14) {
            return;
        }
        let Some(due) = self.due else { return };
        let now = Instant::now();
        if now < due {
            return;
        }
        self.due = Some(now + Duration::from_millis(250));
        self.shown = true;
        let share = self.size.filter(|size| *size > 0).map(|size| reader.offset() * 100 / size);
        let share = share.map(|percent| format!(", {percent} %")).unwrap_or_default();
        eprint!("\r{} frames{share}   ", reader.frames());
    }

    pub(crate) fn end(&self) {
        if self.shown {
            eprint!("\r{:40}\r", "");
        }
    }
}
