//! Values that are a recording: a run of readings that was seen before, number for number.
//!
//! A transmitter has noise, so no long row of its readings comes twice. Who shows operators a recording while the plant
//! does something else repeats one. Readings are compared as they stand on the wire: quantised, so a row counts only if
//! enough of its values differ.

use std::collections::VecDeque;

/// Readings in a row that must have been there before.
pub(crate) const RUN: usize = 24;
/// Different values that such a row must hold.
const DIFFERENT_MIN: usize = 8;
/// Readings remembered.
const HISTORY: usize = 2048;

/// The readings of one tag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    history: VecDeque<u64>,
    /// How far back the earlier row lies that the latest readings repeat, and how many they are by now.
    match_back: usize,
    matched: usize,
}

impl Repeats {
    /// Takes a reading; returns how many readings up to it are a repetition.
    pub(crate) fn step(&mut self, value: f64) -> usize {
        let bits = value.to_bits();
        if self.matched > 0 && self.history.get(self.place(self.match_back)) == Some(&bits) {
            self.matched += 1;
        } else {
            self.matched = 0;
        }
        self.history.push_back(bits);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        if self.matched == 0 {
            self.look();
        }
        if self.matched >= RUN && self.different() >= DIFFERENT_MIN { self.matched } else { 0 }
    }

    /// Index of the reading that lies `back` before the one to come.
    fn place(&self, back: usize) -> usize {
        self.history.len().checked_sub(back).unwrap_or(usize::MAX)
    }

    /// Looks for an earlier place where the last four readings stood: the beginning of a repetition. The latest such
    /// place that holds is taken; one that does not hold is dropped with the next reading.
    fn look(&mut self) {
        const HEAD: usize = 4;
        let len = self.history.len();
        if len < HEAD + RUN {
            return;
        }
        let head: [u64; HEAD] = std::array::from_fn(|n| self.history[len - HEAD + n]);
        if head.iter().all(|bits| *bits == head[0]) {
            return;
        }
        // A repetition of what is still going on proves nothing: it must lie a run back at least.
        for end in (HEAD..=len - RUN).rev() {
            if (0..HEAD).all(|n| self.history[end - HEAD + n] == head[n]) {
                self.match_back = len - end;
                self.matched = HEAD;
                return;
            }
        }
    }

    fn different(&self) -> usize {
        let len = self.history.len();
        let mut last: Vec<u64> = self.history.iter().skip(len - RUN).copied().collect();
        last.sort_unstable();
        last.dedup();
        last.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise, as a transmitter has it: quantised to a few hundred steps.
    fn noise(n: u64) -> f64 {
        let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 29;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((x >> 40) % 300) as f64 / 1000.0
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
    fn standing_still_and_counting_are_no_recording() {
        let mut repeats = Repeats::default();
        assert!((0..500).all(|_| repeats.step(4.0) == 0));
        assert!((0..500).all(|n| repeats.step(f64::from(n)) == 0));
        assert!((0..500).all(|n| repeats.step(f64::from(n % 3)) == 0), "a state that cycles");
    }
}
