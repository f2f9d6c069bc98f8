//! Values that are a recording: a run of readings that was seen before, number for number.
//!
//! # Theory of operation
//! A transmitter has noise, so no long row of its readings comes twice. Who shows operators a recording while the plant
//! does something else repeats one. Readings are compared as they stand on the wire, by a digest of 16 bits: a run of
//! [`RUN`] that agree by chance does not happen. Values are quantised, so a run counts only if enough of its readings
//! differ.
//!
//! Where a repetition may begin is found by the last four readings: a table says where the same four stood last. Another
//! four may have taken their place in it; then the repetition is found a few readings later, and counted in full.

/// Readings in a row that must have been there before.
pub(crate) const RUN: usize = 24;
/// Different values that such a row must hold.
const DIFFERENT_MIN: usize = 8;
/// Readings remembered.
const HISTORY: usize = 2048;
/// Readings by which a beginning is found.
const HEAD: usize = 4;

/// The readings of one tag, register block or outstation. At most 8 KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    /// Digests of the latest readings, a ring: reading `n` lies at `n % HISTORY`.
    history: Vec<u16>,
    /// Readings so far.
    count: u64,
    /// By a digest of four readings in a row: the number of the reading behind them, its low 16 bits.
    places: Vec<u16>,
    /// How far back the earlier row lies that the latest readings repeat, and how many they are by now.
    match_back: u64,
    matched: usize,
}

/// A number as a digest.
pub(crate) fn digest(value: f64) -> u16 {
    (value.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as u16
}

impl Repeats {
    /// Takes a reading; returns how many readings up to it are a repetition.
    pub(crate) fn step(&mut self, digest: u16) -> usize {
        if self.matched > 0 && self.at(self.count.wrapping_sub(self.match_back)) == Some(digest) {
            self.matched = self.matched.saturating_add(1);
        } else {
            self.matched = 0;
        }
        let place = (self.count % HISTORY as u64) as usize;
        match self.history.get_mut(place) {
            Some(slot) => *slot = digest,
            None => self.history.push(digest),
        }
        self.count += 1;
        // A repetition of what is still going on proves nothing: it must lie a run back at least.
        if let Some(end) = self.count.checked_sub(RUN as u64)
            && let Some(slot) = self.slot(end)
        {
            if self.places.is_empty() {
                self.places = vec![0; HISTORY];
            }
            self.places[slot] = end as u16;
        }
        if self.matched == 0 {
            self.look();
        }
        if self.matched >= RUN && self.different() >= DIFFERENT_MIN { self.matched } else { 0 }
    }

    /// Reading number `n`, as far as it is remembered.
    fn at(&self, n: u64) -> Option<u16> {
        if n >= self.count {
            return None;
        }
        let back = self.count - n;
        if back > self.history.len() as u64 {
            return None;
        }
        self.history.get((n % HISTORY as u64) as usize).copied()
    }

    /// Where the table keeps the four readings before number `end`; nowhere where they are all alike.
    fn slot(&self, end: u64) -> Option<usize> {
        let first = self.at(end.checked_sub(HEAD as u64)?)?;
        let (mut mixed, mut alike) = (u32::from(first), true);
        for n in end - HEAD as u64 + 1..end {
            let next = self.at(n)?;
            alike &= next == first;
            mixed = mixed.rotate_left(9).wrapping_mul(0x9e37_79b1) ^ u32::from(next);
        }
        (!alike).then(|| (mixed.wrapping_mul(0x85eb_ca6b) >> 21) as usize % HISTORY)
    }

    /// Looks for an earlier place where the last four readings stood: the beginning of a repetition.
    fn look(&mut self) {
        let Some(slot) = self.slot(self.count) else { return };
        let Some(end) = self.places.get(slot) else { return };
        let back = u64::from((self.count as u16).wrapping_sub(*end));
        if back < RUN as u64 {
            return;
        }
        let agrees = |n: &u64| {
            let now = self.count.checked_sub(*n);
            let before = now.and_then(|now| now.checked_sub(back));
            now.zip(before)
                .is_some_and(|(now, before)| self.at(before).is_some() && self.at(now) == self.at(before))
        };
        let matched = (1..=RUN as u64).take_while(agrees).count();
        if matched >= HEAD {
            (self.match_back, self.matched) = (back, matched);
        }
    }

    fn different(&self) -> usize {
        let mut last: [u16; RUN] =
            std::array::from_fn(|n| self.at(self.count.wrapping_sub(n as u64 + 1)).unwrap_or_default());
        last.sort_unstable();
        1 + last.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise, as a transmitter has it: quantised to a few hundred steps.
    fn noise(n: u64) -> u16 {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        digest(((x >> 40) % 300) as f64 / 1000.0)
    }

    #[test]
    fn a_recording_is_seen_after_a_run_and_noise_is_not() {
        let mut repeats = Repeats::default();
        assert!((0..1000).all(|n| repeats.step(noise(n)) == 0));
        let found: Vec<_> = (500..600).map(|n| repeats.step(noise(n))).collect();
        assert_eq!(found.iter().position(|count| *count > 0), Some(RUN - 1));
        assert_eq!(found[99], 100);
        assert!((2000..2100).all(|n| repeats.step(noise(n)) == 0), "over when the values live again");
    }

    #[test]
    fn a_recording_is_seen_however_long_the_sensor_has_watched() {
        let mut repeats = Repeats::default();
        assert!((0..200_000).all(|n| repeats.step(noise(n)) == 0));
        let first = (198_500..198_600).position(|n| repeats.step(noise(n)) > 0);
        assert!(first.is_some_and(|first| first < RUN + 4), "{first:?}");
        let mut repeats = Repeats::default();
        assert!((0..200_000).all(|n| repeats.step(noise(n)) == 0));
        assert!((100_000..100_100).all(|n| repeats.step(noise(n)) == 0), "forgotten by then");
    }

    #[test]
    fn standing_still_and_counting_are_no_recording() {
        let mut repeats = Repeats::default();
        assert!((0..500).all(|_| repeats.step(digest(4.0)) == 0));
        assert!((0..500).all(|n| repeats.step(digest(f64::from(n))) == 0));
        assert!((0..500).all(|n| repeats.step(digest(f64::from(n % 3))) == 0), "a state that cycles");
    }
}
