//! Progress of long work, on standard error where that is a terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use record::VirtualTime;

/// How far a run has come; told from the kernel's thread, shown from any. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    shown_s: Arc<AtomicU64>,
}

/// Virtual seconds between two updates of the bar.
const EVERY_S: u64 = 60;

impl Progress {
    /// Starts showing progress of a run of this length.
    pub(crate) fn start(what: &str, end: VirtualTime) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(end.as_nanos() / 1_000_000_000)
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) =
            ProgressStyle::with_template("{msg:12} {bar:40} {percent:>3} %  {per_sec:>12} plant seconds")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self { bar, shown_s: Arc::default() }
    }

    /// Nothing is shown.
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), shown_s: Arc::default() }
    }

    /// The run has come this far.
    pub(crate) fn at(&self, t: VirtualTime) {
        let seconds = t.as_nanos() / 1_000_000_000;
        if seconds >= self.shown_s.load(Ordering::Relaxed) + EVERY_S {
            self.shown_s.store(seconds, Ordering::Relaxed);
            self.bar.set_position(seconds);
        }
    }

    /// The run is over.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
