//! One register or point: what its values were like, and whether they still are.

/// Readings, changes and seconds of learning without which nothing is said of a point. Two minutes of a plant say
/// nothing about its next hour.
const READINGS_MIN: u32 = 100;
const CHANGES_MIN: u32 = 20;
const LEARNT_MIN_S: f32 = 600.0;
/// The range has to have stopped growing within this share of the learning: one that still grows at its end is a ramp
/// of which only the beginning was seen.
const SETTLED_SHARE: f32 = 0.75;
/// Growth that counts, as a share of the span: noise touches its extremes for ever.
const GROWTH_SHARE: f32 = 0.1;
/// How far outside a value has to be, as a share of the learnt span.
const BEYOND_MIN: f64 = 0.5;
/// How far outside it is far.
const FAR_MIN: f64 = 1.0;
/// How many times the largest learnt step is a jump; it must be half the learnt span as well.
const JUMP_FACTOR: f64 = 3.0;
const JUMP_SPAN_SHARE: f64 = 0.5;
/// A value that always moved: changes among its learnt readings, at least, and as a share of them one in [`LIVE_SHARE`].
const LIVE_CHANGES_MIN: u32 = 200;
const LIVE_SHARE: u32 = 2;
/// How often it has to be read in vain, for how long, and how many times its longest learnt stand-still.
const FROZEN_READINGS: u32 = 60;
const FROZEN_S: f32 = 60.0;
const FROZEN_FACTOR: f32 = 10.0;
/// Values beyond this are not learnt.
const VALUE_MAX: f64 = 1e30;

/// Lowest and highest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f32,
    pub(super) high: f32,
}

impl Range {
    fn of(value: f64) -> Self {
        Self { low: value as f32, high: value as f32 }
    }

    fn take(&mut self, value: f64) {
        self.low = self.low.min(value as f32);
        self.high = self.high.max(value as f32);
    }

    fn span(self) -> f32 {
        self.high - self.low
    }

    /// How many spans a value lies outside; 0 inside, and where there is no span.
    fn beyond(self, value: f64) -> f64 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        let span = high - low;
        if span > 0.0 { (low - value).max(value - high).max(0.0) / span } else { 0.0 }
    }
}

/// What has just begun at a point; 0 where nothing has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// Learnt spans outside the learnt range.
    pub(super) beyond: f64,
    /// Times the largest learnt step.
    pub(super) jump: f64,
    /// Seconds for which it has stood still.
    pub(super) still_s: f64,
    /// It was frozen and moves again.
    pub(super) thawed: bool,
}

/// One register or point. A register is 16 bits that may mean a number with or without sign: its range is kept both
/// ways, and the narrower one counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// The latest value; NaN before the first.
    last: f64,
    /// When it was last read, when it last changed, and when it was first read.
    at: u64,
    changed: u64,
    first: u64,
    /// Without sign and with it; alike for what is no register.
    pub(super) ranges: [Range; 2],
    /// Largest learnt step from one reading to the next.
    pub(super) step: f32,
    /// Longest learnt stand-still, and longest learnt time between readings, seconds.
    pub(super) still_s: f32,
    pub(super) pause_s: f32,
    pub(super) readings: u32,
    pub(super) changes: u32,
    /// Changes upwards.
    pub(super) rising: u32,
    /// How long it was learnt, and when within it the range last grew, seconds.
    pub(super) learnt_s: f32,
    pub(super) settled_s: f32,
    settled_span: f32,
    /// Readings since the last change.
    unchanged: u32,
    /// 0 inside, 1 outside, 2 far outside.
    outside: u8,
    frozen: bool,
}

impl Point {
    /// Nothing learnt, no reading seen.
    pub(super) fn new(range: Range) -> Self {
        Self {
            last: f64::NAN,
            at: 0,
            changed: 0,
            first: 0,
            ranges: [range; 2],
            step: 0.0,
            still_s: 0.0,
            pause_s: 0.0,
            readings: 0,
            changes: 0,
            rising: 0,
            learnt_s: 0.0,
            settled_s: 0.0,
            settled_span: 0.0,
            unchanged: 0,
            outside: 0,
            frozen: false,
        }
    }

    /// The first learnt reading.
    pub(super) fn begin(value: f64, word: bool, at: u64) -> Option<Self> {
        if !is_usable(value) {
            return None;
        }
        let mut point = Self::new(Range::of(value));
        point.ranges[1] = Range::of(signed(value, word));
        (point.last, point.at, point.changed, point.first, point.readings) = (value, at, at, at, 1);
        Some(point)
    }

    /// The learnt range, the narrower one.
    pub(super) fn range(&self) -> Range {
        if self.ranges[1].span() < self.ranges[0].span() { self.ranges[1] } else { self.ranges[0] }
    }

    /// Learns from one more reading. `word`: a register of 16 bits.
    pub(super) fn learn(&mut self, value: f64, word: bool, at: u64) {
        if !is_usable(value) {
            return;
        }
        let still_s = seconds(at, self.changed);
        if value == self.last {
            self.unchanged = self.unchanged.saturating_add(1);
        } else if !self.last.is_nan() {
            self.changes = self.changes.saturating_add(1);
            self.rising = self.rising.saturating_add(u32::from(value > self.last));
            self.step = self.step.max(distance(value, self.last, word) as f32);
            self.ranges[0].take(value);
            self.ranges[1].take(signed(value, word));
            let span = self.range().span();
            if span > self.settled_span * (1.0 + GROWTH_SHARE) {
                (self.settled_span, self.settled_s) = (span, seconds(at, self.first));
            }
        }
        if !self.last.is_nan() {
            self.still_s = self.still_s.max(still_s);
            self.pause_s = self.pause_s.max(seconds(at, self.at));
            self.learnt_s = self.learnt_s.max(seconds(at, self.first));
        }
        self.readings = self.readings.saturating_add(1);
        self.seen(value, at);
    }

    /// Compares one more reading with what was learnt.
    pub(super) fn judge(&mut self, value: f64, word: bool, at: u64) -> Verdict {
        let mut verdict = Verdict::default();
        if value == self.last {
            self.unchanged = self.unchanged.saturating_add(1);
            let still_s = seconds(at, self.changed);
            if !self.frozen
                && self.unchanged >= FROZEN_READINGS
                && self.always_moved()
                && still_s >= FROZEN_S.max(FROZEN_FACTOR * self.still_s)
            {
                self.frozen = true;
                verdict.still_s = still_s.into();
            }
            self.at = at;
            return verdict;
        }
        if !is_usable(value) {
            return verdict;
        }
        verdict.thawed = std::mem::take(&mut self.frozen);
        if self.is_learnt() {
            let range = self.range();
            let step = distance(value, self.last, word);
            // Over a longer pause than any before a value may have gone anywhere; so it may have before the first.
            let in_turn = seconds(at, self.at) <= 1.0 + 1.5 * self.pause_s;
            let span_share = JUMP_SPAN_SHARE * f64::from(range.span());
            if in_turn && step >= JUMP_FACTOR * f64::from(self.step) && step >= span_share {
                verdict.jump = step / f64::from(self.step);
            }
            if !self.runs_one_way() && self.settled_s <= SETTLED_SHARE * self.learnt_s {
                let beyond = beyond(range, value, word);
                let outside = u8::from(beyond >= BEYOND_MIN) + u8::from(beyond >= FAR_MIN);
                if outside > self.outside {
                    verdict.beyond = beyond;
                }
                // It is back when it is inside the range: who stays at the edge is said once.
                self.outside = if beyond == 0.0 { 0 } else { self.outside.max(outside) };
            }
        }
        self.seen(value, at);
        verdict
    }

    fn seen(&mut self, value: f64, at: u64) {
        if value != self.last {
            (self.last, self.changed, self.unchanged) = (value, at, 0);
        }
        if self.first == 0 {
            self.first = at;
        }
        self.at = at;
    }

    fn is_learnt(&self) -> bool {
        self.readings >= READINGS_MIN && self.changes >= CHANGES_MIN && self.learnt_s >= LEARNT_MIN_S
    }

    fn always_moved(&self) -> bool {
        self.changes >= LIVE_CHANGES_MIN
            && self.learnt_s >= LEARNT_MIN_S
            && self.changes.saturating_mul(LIVE_SHARE) >= self.readings
    }

    /// A counter, a clock, a tank that only filled: leaving its range is what it does.
    fn runs_one_way(&self) -> bool {
        let few = self.changes / 20;
        self.rising <= few || self.rising >= self.changes - few
    }
}

fn is_usable(value: f64) -> bool {
    value.abs() <= VALUE_MAX
}

/// A register's 16 bits as a number with a sign.
fn signed(value: f64, word: bool) -> f64 {
    if word { f64::from((value as u16).cast_signed()) } else { value }
}

/// How far apart two readings are; of a register the shorter way round, as it may have a sign or may have overflowed.
fn distance(one: f64, other: f64, word: bool) -> f64 {
    let apart = (one - other).abs();
    if word { apart.min(65_536.0 - apart) } else { apart }
}

fn beyond(range: Range, value: f64, word: bool) -> f64 {
    if !word || range.high > 32_767.0 {
        range.beyond(value)
    } else if range.low < 0.0 {
        range.beyond(signed(value, word))
    } else {
        // Whether it has a sign was never seen.
        range.beyond(value).min(range.beyond(signed(value, word)))
    }
}

fn seconds(at: u64, since: u64) -> f32 {
    at.saturating_sub(since) as f32 * 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Values around 1000 that change at every reading.
    fn live(n: u64) -> f64 {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 31;
        1000.0 + ((x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) % 50) as f64 + (n % 2) as f64 * 50.0
    }

    #[track_caller]
    fn learnt(readings: u64, word: bool, value: impl Fn(u64) -> f64) -> Point {
        let mut point = Point::begin(value(0), word, SECOND).unwrap();
        for n in 1..readings {
            point.learn(value(n), word, (n + 1) * SECOND);
        }
        point
    }

    #[test]
    fn a_value_outside_its_range_is_said_when_it_leaves_and_when_it_is_far() {
        let mut point = learnt(2000, true, live);
        let range = point.range();
        assert_eq!((range.low, range.high), (1000.0, 1099.0));
        let mut beyond = |value: f64, n: u64| point.judge(value, true, (2000 + n) * SECOND).beyond;
        assert_eq!([beyond(1099.0, 1), beyond(1140.0, 2), beyond(960.0, 3)], [0.0; 3], "tolerance");
        assert!(beyond(1160.0, 4) > 0.6, "just outside");
        assert_eq!([beyond(1161.0, 5), beyond(1158.0, 6)], [0.0; 2], "said already");
        assert!(beyond(1300.0, 7) > 2.0, "far outside");
        assert_eq!([beyond(1301.0, 8), beyond(1050.0, 9)], [0.0; 2]);
        assert!(beyond(1160.0, 10) > 0.6, "again, after it was back");
    }

    #[test]
    fn a_short_lesson_and_a_ramp_and_a_counter_give_no_range() {
        for (readings, value) in [
            (300, Box::new(live) as Box<dyn Fn(u64) -> f64>),
            (2000, Box::new(|n| live(n) + 3.0 * n as f64)),
            (2000, Box::new(|n| n as f64)),
            (2000, Box::new(|n| if n < 10 { live(n) } else { 1000.0 })),
        ] {
            let mut point = learnt(readings, true, value);
            let verdict = point.judge(30_000.0, true, (readings + 1) * SECOND);
            assert_eq!(verdict.beyond, 0.0, "{readings}");
        }
    }

    #[test]
    fn a_register_below_zero_is_one_step_below() {
        let mut point = learnt(2000, true, |n| {
            let value = (n * 8 % 21) as i16 - 10;
            f64::from(value.cast_unsigned())
        });
        assert_eq!((point.range().low, point.range().high), (-10.0, 10.0));
        let now = 3000 * SECOND;
        assert_eq!(point.judge(f64::from((-12i16).cast_unsigned()), true, now), Verdict::default());
        assert!(point.judge(f64::from((-60i16).cast_unsigned()), true, now + SECOND).beyond > 2.0);
        let mut unsigned = learnt(2000, true, |n| (n * 8 % 21) as f64);
        assert_eq!(unsigned.judge(65_535.0, true, now).beyond, 0.0, "-1, as far as anybody knows");
    }

    #[test]
    fn a_jump_is_seen_where_readings_follow_each_other() {
        let wave = |n: u64| 1000.0 + (n % 100).abs_diff(50) as f64;
        let mut point = learnt(2000, true, wave);
        assert_eq!(point.step, 1.0);
        let after = point.clone();
        assert_eq!(point.judge(1030.0, true, 2001 * SECOND).jump, 0.0, "less than half the span");
        let mut point = after.clone();
        assert!(point.judge(1010.0, true, 2001 * SECOND).jump > 30.0);
        let mut point = after;
        assert_eq!(point.judge(1010.0, true, 2100 * SECOND).jump, 0.0, "after a pause");
    }

    #[test]
    fn what_always_moved_and_stands_still_is_frozen_once() {
        let mut point = learnt(2000, true, live);
        let held = live(1999);
        let still: Vec<_> = (2001..2300).map(|n| point.judge(held, true, n * SECOND).still_s).collect();
        assert_eq!(still.iter().filter(|still| **still > 0.0).count(), 1);
        assert!((59..=61).contains(&still.iter().position(|still| *still > 0.0).unwrap()), "{still:?}");
        assert!(point.judge(live(7), true, 2301 * SECOND).thawed);
        let mut rests = learnt(2000, true, |n| if n % 100 < 70 { 5.0 } else { live(n) });
        assert!((2001..4000).all(|n| rests.judge(5.0, true, n * SECOND).still_s == 0.0), "it used to rest");
    }

    #[test]
    fn what_is_no_number_is_not_taken() {
        assert!(
            Point::begin(f64::NAN, false, 1).is_none() && Point::begin(f64::INFINITY, false, 1).is_none()
        );
        let mut point = learnt(2000, false, live);
        assert_eq!(point.judge(f64::NAN, false, 2001 * SECOND), Verdict::default());
        assert!(point.judge(1e300, false, 2001 * SECOND) == Verdict::default());
    }
}
