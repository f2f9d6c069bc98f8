//! The sensor's clock: the times of frames, and what to do when they go backwards.
//!
//! # Theory of operation
//! Time is the latest time of a frame. Frames of a capture may be out of order by a little (several queues, several
//! interfaces): that moves nothing. Where times go back further and stay there, the capture's clock was set back, or
//! files were joined out of order: then the sensor's clock steps back with them, and what was open is over, as
//! nothing that is to come belongs to it. A single frame with a forged time in the far future costs the connections
//! that are open, once, and not the rest of the capture.

const SECOND: u64 = 1_000_000_000;
/// Frames may be this much out of order.
const OUT_OF_ORDER: u64 = 10 * SECOND;
/// Frames in a row that must be behind before the clock goes back with them.
const BEHIND_MAX: u32 = 16;
/// The latest time that there is: the year 2262. Sums of times stay below 64 bits.
pub(crate) const TIME_MAX: u64 = i64::MAX as u64;

/// What a frame's time did to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tick {
    On,
    /// The frame is behind by more than disorder explains.
    Behind,
    /// The clock went back by so many nanoseconds.
    Back(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Clock {
    now: u64,
    behind: u32,
}

impl Clock {
    /// The time of the frame at hand or of an earlier one, whichever is later.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Takes the time of a frame.
    pub(crate) fn take(&mut self, at: u64) -> Tick {
        if at.saturating_add(OUT_OF_ORDER) >= self.now {
            self.now = self.now.max(at);
            self.behind = 0;
            return Tick::On;
        }
        self.behind += 1;
        if self.behind < BEHIND_MAX {
            return Tick::Behind;
        }
        let by = self.now - at;
        self.now = at;
        self.behind = 0;
        Tick::Back(by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_disorder_moves_nothing() {
        let mut clock = Clock::default();
        for at in [100, 95, 101, 91] {
            assert_eq!(clock.take(at * SECOND), Tick::On);
        }
        assert_eq!(clock.now(), 101 * SECOND);
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_and_one_odd_frame_is_not() {
        let mut clock = Clock::default();
        clock.take(1000 * SECOND);
        assert_eq!(clock.take(10 * SECOND), Tick::Behind);
        assert_eq!(clock.take(1001 * SECOND), Tick::On);
        let ticks: Vec<_> = (0..20).map(|second| clock.take(second * SECOND)).collect();
        assert_eq!(ticks[..15], [Tick::Behind; 15]);
        assert_eq!(ticks[15], Tick::Back(986 * SECOND));
        assert_eq!((ticks[16], clock.now()), (Tick::On, 19 * SECOND));
    }
}
