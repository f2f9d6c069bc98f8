//! The mechanism of a circuit breaker.
//!
//! # Theory of operation
//! Two springs drive it. Closing takes `close` and winds the opening spring on the way, so a breaker that is closed can
//! always open; opening takes `open`. Then a motor winds the closing spring again, and until that is done the
//! breaker cannot close. It is trip-free: a trip during closing wins. It does not pump: a close coil that stays energised
//! closes once.
//!
//! Contacts touch until the opening time is over and from the moment the closing time is over; the auxiliary contacts
//! 52a and 52b show neither position while the breaker moves.

use super::design::BreakerTiming;

/// A breaker as it is. Times are numbers of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breaker {
    state: State,
    spring_ready: u64,
    /// Whether it fails to open.
    pub(crate) is_stuck: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Opening { due: u64 },
    Open,
    Closing { due: u64 },
}

/// What has happened to the contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    Opened,
    Closed,
}

impl Breaker {
    /// Closed, with its springs wound.
    pub(crate) const CLOSED: Self = Self { state: State::Closed, spring_ready: 0, is_stuck: false };

    /// Energises the trip coil.
    pub(crate) fn trip(&mut self, now: u64, timing: BreakerTiming) {
        match self.state {
            State::Closed if !self.is_stuck => self.state = State::Opening { due: now + timing.open },
            State::Closing { .. } => self.state = State::Open,
            State::Closed | State::Opening { .. } | State::Open => {}
        }
    }

    /// Energises the close coil. False where the spring is not wound; a breaker that is closed already takes no notice.
    pub(crate) fn close(&mut self, now: u64, timing: BreakerTiming) -> bool {
        if self.state != State::Open {
            return true;
        }
        if !self.is_charged(now) {
            return false;
        }
        self.state = State::Closing { due: now + timing.close };
        self.spring_ready = now + timing.close + timing.spring;
        true
    }

    /// Lets the contacts move, if their time has come.
    pub(crate) fn step(&mut self, now: u64) -> Option<Moved> {
        match self.state {
            State::Opening { due } if now >= due => {
                self.state = State::Open;
                Some(Moved::Opened)
            }
            State::Closing { due } if now >= due => {
                self.state = State::Closed;
                Some(Moved::Closed)
            }
            _ => None,
        }
    }

    /// Whether current can flow.
    pub(crate) fn touches(&self) -> bool {
        matches!(self.state, State::Closed | State::Opening { .. })
    }

    /// 52a.
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// 52b.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the closing spring is wound.
    pub(crate) fn is_charged(&self, now: u64) -> bool {
        now >= self.spring_ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: BreakerTiming = BreakerTiming { open: 10, close: 16, spring: 2400 };

    #[test]
    fn contacts_part_after_the_opening_time() {
        let mut breaker = Breaker::CLOSED;
        breaker.trip(1, TIMING);
        assert_eq!(breaker.step(10), None);
        assert!(breaker.touches() && !breaker.is_closed() && !breaker.is_open());
        assert_eq!(breaker.step(11), Some(Moved::Opened));
        assert!(!breaker.touches() && breaker.is_open());
    }

    #[test]
    fn it_closes_opens_and_closes_again_only_with_its_spring_wound() {
        let mut breaker = Breaker::CLOSED;
        breaker.trip(0, TIMING);
        breaker.step(10);
        assert!(breaker.close(20, TIMING));
        assert_eq!(breaker.step(36), Some(Moved::Closed));
        breaker.trip(40, TIMING);
        breaker.step(50);
        assert!(!breaker.close(60, TIMING));
        assert!(breaker.close(36 + 2400, TIMING));
    }

    #[test]
    fn a_trip_during_closing_wins() {
        let mut breaker = Breaker::CLOSED;
        breaker.trip(0, TIMING);
        breaker.step(10);
        assert!(breaker.close(20, TIMING));
        breaker.trip(25, TIMING);
        assert_eq!(breaker.step(100), None);
        assert!(breaker.is_open());
    }

    #[test]
    fn a_stuck_breaker_stays_closed() {
        let mut breaker = Breaker { is_stuck: true, ..Breaker::CLOSED };
        breaker.trip(0, TIMING);
        assert_eq!(breaker.step(1000), None);
        assert!(breaker.is_closed());
    }
}
