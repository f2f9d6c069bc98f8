//! Virtual time: nanoseconds since the start of a run, and the moment in UTC at which the run starts.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A moment on the virtual clock, in nanoseconds since the start of the run.
///
/// In files it is a number of seconds (`48211.5`); nanoseconds survive the round trip for runs of up to about
/// three months. `Display` prints `HH:MM:SS.mmm` since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualTime(u64);

impl VirtualTime {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than every moment of every run.
    pub const MAX: Self = Self(u64::MAX);

    /// A moment `nanos` nanoseconds after the start of the run.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A moment `seconds` whole seconds after the start of the run.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds * NANOS_PER_SECOND)
    }

    /// A moment `seconds` after the start of the run, rounded to the nanosecond; negative values and NaN are the start.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * NANOS_PER_SECOND as f64).round() as u64)
    }

    /// Nanoseconds since the start of the run.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the start of the run.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// Time since an earlier moment; zero where `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for VirtualTime {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for VirtualTime {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for VirtualTime {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        let (seconds, millis) = (millis / 1000, millis % 1000);
        write!(f, "{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl Serialize for VirtualTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for VirtualTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        if seconds.is_finite() && (0.0..1.8e10).contains(&seconds) {
            Ok(Self::from_secs_f64(seconds))
        } else {
            Err(serde::de::Error::custom(format!(
                "time must be seconds since the start of the run, got {seconds}"
            )))
        }
    }
}

/// Why a text is not a start time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("start time must be UTC as in 2026-03-02T06:00:00Z, got {got:?}")]
pub struct StartTimeError {
    /// What stood there.
    pub got: String,
}

/// The moment in UTC at which a run starts, given by its scenario: the only link between virtual and civil time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartTime(jiff::Timestamp);

impl StartTime {
    /// Nanoseconds since 1970 of a moment of the run, as capture files write it.
    pub fn unix_nanos(self, at: VirtualTime) -> u64 {
        u64::try_from(self.0.as_nanosecond()).unwrap_or(0).saturating_add(at.as_nanos())
    }

    /// A moment of the run from the nanoseconds since 1970 of a capture; `None` before the start.
    pub fn virtual_time(self, unix_nanos: u64) -> Option<VirtualTime> {
        unix_nanos.checked_sub(self.unix_nanos(VirtualTime::ZERO)).map(VirtualTime)
    }

    /// A moment of the run in UTC as RFC 3339 has it, to the second.
    pub fn utc(self, at: VirtualTime) -> String {
        let seconds = i64::try_from(self.unix_nanos(at) / NANOS_PER_SECOND).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
    }

    /// A moment so many milliseconds after the start, or before it, in UTC as RFC 3339 has it, to the millisecond.
    pub fn utc_millis(self, after_start_ms: i64) -> String {
        let moment = self.0.as_millisecond().saturating_add(after_start_ms);
        format!("{:.3}", jiff::Timestamp::from_millisecond(moment).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Time of day of a moment of the run, `HH:MM:SS` in UTC.
    pub fn time_of_day(self, at: VirtualTime) -> String {
        let seconds = self.unix_nanos(at) / NANOS_PER_SECOND % 86_400;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl FromStr for StartTime {
    type Err = StartTimeError;
    fn from_str(text: &str) -> Result<Self, StartTimeError> {
        match text.parse::<jiff::Timestamp>() {
            Ok(moment) if moment.as_nanosecond() >= 0 && text.ends_with('Z') => Ok(Self(moment)),
            _ => Err(StartTimeError { got: text.to_owned() }),
        }
    }
}

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for StartTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StartTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_survives_the_file() {
        for nanos in [0, 1, 999_999_999, 86_400_000_000_001, 604_800_123_456_789] {
            let json = serde_json::to_string(&VirtualTime::from_nanos(nanos)).unwrap();
            assert_eq!(serde_json::from_str::<VirtualTime>(&json).unwrap().as_nanos(), nanos, "{json}");
        }
    }

    #[test]
    fn a_start_time_is_utc() {
        let start: StartTime = "2021-02-05T08:00:00Z".parse().unwrap();
        assert_eq!(start.unix_nanos(VirtualTime::from_secs(1)), 1_612_512_001_000_000_000);
        assert_eq!(start.time_of_day(VirtualTime::from_secs(5400)), "09:30:00");
        assert_eq!(start.utc(VirtualTime::from_secs_f64(90_000.7)), "2021-02-06T09:00:00Z");
        assert!("2021-02-05 08:00".parse::<StartTime>().is_err());
        assert!("2021-02-05T08:00:00+01:00".parse::<StartTime>().is_err());
    }

    #[test]
    fn negative_and_absurd_times_are_refused() {
        assert!(serde_json::from_str::<VirtualTime>("-1.0").is_err());
        assert!(serde_json::from_str::<VirtualTime>("1e300").is_err());
    }
}
