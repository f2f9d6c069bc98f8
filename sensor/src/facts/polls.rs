//! How often a client asks, and when it has stopped.

const SECOND: u64 = 1_000_000_000;
/// Requests that a client must have sent while learning to count as one that polls.
const POLLS_MIN: u64 = 5;
/// A poll is lost when it has been silent for this many of its mean intervals, and at least [`SILENCE_MIN`].
const SILENCE_INTERVALS: u64 = 20;
const SILENCE_MIN: u64 = 30 * SECOND;
/// Requests within a second that are no flood, whatever was learnt.
const RATE_MIN: u32 = 10;

/// The requests of one client to one server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Polls {
    learnt: u64,
    first: u64,
    last: u64,
    /// Mean interval while learning; set when learning ends, and only for what polls.
    interval: Option<u64>,
    lost: bool,
    /// The second of the last request, and the requests in it.
    second: u64,
    in_second: u32,
    /// The most requests within a second while learning.
    most: u32,
}

impl Polls {
    /// What the baseline file says.
    pub(crate) fn expected(interval: Option<u64>, most: u32) -> Self {
        Self { interval, most, ..Self::default() }
    }

    /// The most requests within a second that were learnt.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    /// Mean interval in nanoseconds, where it polls.
    pub(crate) fn interval(&self) -> Option<u64> {
        self.interval
    }

    /// Takes a request. Returns how many times the learnt most this second has brought so far, at least ten being taken
    /// as learnt; 0 while learning.
    pub(crate) fn request(&mut self, at: u64, learning: bool) -> u32 {
        self.last = at;
        self.lost = false;
        if at / SECOND != self.second {
            (self.second, self.in_second) = (at / SECOND, 0);
        }
        self.in_second = self.in_second.saturating_add(1);
        if learning {
            self.most = self.most.max(self.in_second);
            if self.learnt == 0 {
                self.first = at;
            }
            self.learnt += 1;
            return 0;
        }
        self.in_second / self.most.max(RATE_MIN)
    }

    /// Learning has ended at `until`, after `learn` nanoseconds: whether this is polling.
    pub(crate) fn end_of_learning(&mut self, learn: u64, until: u64) -> bool {
        if self.learnt >= POLLS_MIN {
            let span = self.last - self.first;
            let interval = span / (self.learnt - 1);
            // One burst and then nothing is no polling; nor is one that had stopped already.
            if span >= learn / 4 && until.saturating_sub(self.last) < patience(interval) {
                self.interval = Some(interval);
            }
        }
        self.interval.is_some()
    }

    /// How long it has been silent, where that has just become too long. One that was never seen is not missed: the
    /// sensor may stand elsewhere than where the baseline was learnt.
    pub(crate) fn just_lost(&mut self, now: u64) -> Option<(u64, u64)> {
        let interval = self.interval?;
        let silence = now.saturating_sub(self.last);
        if self.lost || self.last == 0 || silence <= patience(interval) {
            return None;
        }
        self.lost = true;
        Some((silence, interval))
    }
}

fn patience(interval: u64) -> u64 {
    interval.saturating_mul(SILENCE_INTERVALS).max(SILENCE_MIN)
}
