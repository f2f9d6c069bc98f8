//! How far a live lab is behind the wall clock: each event's lateness, counted in classes.
//!
//! Lateness is host's time between the moment at which an event was due and the moment at which it is delivered. It is for
//! people who watch whether a machine keeps up; nothing in a run depends on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the classes, ms; what is later falls into a last one.
const UP_TO_MS: [u64; 10] = [1, 2, 5, 10, 20, 35, 50, 100, 200, 500];

/// Counts lateness. Shared by the kernel's thread and whoever looks.
#[derive(Debug, Default)]
pub(crate) struct LagMeter {
    counts: [AtomicU64; UP_TO_MS.len() + 1],
}

impl LagMeter {
    /// Notes one event.
    pub(crate) fn note(&self, late: Duration) {
        let class = UP_TO_MS.iter().position(|up_to| late <= Duration::from_millis(*up_to));
        self.counts[class.unwrap_or(UP_TO_MS.len())].fetch_add(1, Ordering::Relaxed);
    }

    /// Upper end of the class in which a share of all events, 0 to 1, is covered. `None` before the first event and where
    /// it lies in the last class, which has no end.
    pub(crate) fn covers(&self, share: f64) -> Option<Duration> {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut covered = 0;
        let class = counts.iter().position(|count| {
            covered += count;
            wanted > 0 && covered >= wanted
        })?;
        UP_TO_MS.get(class).map(|up_to| Duration::from_millis(*up_to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_covered_by_the_class_it_falls_into() {
        let meter = LagMeter::default();
        assert_eq!(meter.covers(0.99), None);
        for _ in 0..98 {
            meter.note(Duration::from_micros(300));
        }
        meter.note(Duration::from_millis(42));
        meter.note(Duration::from_secs(3));
        assert_eq!(meter.covers(0.5), Some(Duration::from_millis(1)));
        assert_eq!(meter.covers(0.99), Some(Duration::from_millis(50)));
        assert_eq!(meter.covers(1.0), None);
    }
}
