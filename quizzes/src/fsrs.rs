//! When to ask again: FSRS-6, the Free Spaced Repetition Scheduler, with its published default parameters.
//!
//! A card has a stability `S` (days until the chance of recall has fallen to 90 %) and a difficulty `D` (1 to 10). Chance of
//! recall after `t` days: `R = (1 + F t/S)^-w20` with `F = 0.9^(-1/w20) - 1`. Asked again when `R` is 0.9.
//! Source: open-spaced-repetition, *The algorithm* (FSRS-6) and the default parameters of py-fsrs 6.3; the vectors at the
//! foot come from that package with its learning steps and its fuzz switched off. Days are whole; the caller says which.

use serde::{Deserialize, Serialize};

/// Default parameters w0 to w20 of FSRS-6.
const W: [f64; 21] = [
    0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796, 1.4835, 0.0614,
    0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
];

/// Chance of recall at which a card is asked again.
const WANTED_RECALL: f64 = 0.9;
const STABILITY_MIN: f64 = 0.001;
const INTERVAL_MAX_DAYS: f64 = 36_500.0;

/// How well something was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Not.
    Again = 1,
    /// In part, or with help.
    Hard = 2,
    /// Yes.
    Good = 3,
    /// Without hesitation.
    Easy = 4,
}

impl Grade {
    fn number(self) -> f64 {
        f64::from(self as u8)
    }
}

/// What is known of somebody's memory of one question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Days until the chance of recall is 90 %.
    pub stability: f64,
    /// 1 (easy) to 10 (hard).
    pub difficulty: f64,
    /// Day of the last answer, in days since 1970-01-01.
    pub asked: u32,
    /// Day on which to ask again.
    pub due: u32,
}

impl Memory {
    /// After the first answer.
    pub fn first(grade: Grade, day: u32) -> Self {
        let stability = W[grade as usize - 1];
        Self::with_due(stability, first_difficulty(grade).clamp(1.0, 10.0), day)
    }

    /// After another answer. A day before the last one counts as the last one.
    #[must_use]
    pub fn after(self, grade: Grade, day: u32) -> Self {
        let day = day.max(self.asked);
        let stability = if day == self.asked {
            self.same_day(grade)
        } else if grade == Grade::Again {
            self.forgotten(self.recall(day))
        } else {
            self.recalled(grade, self.recall(day))
        };
        let damped = (10.0 - self.difficulty) * -W[6] * (grade.number() - 3.0) / 9.0;
        let difficulty = W[7] * first_difficulty(Grade::Easy) + (1.0 - W[7]) * (self.difficulty + damped);
        Self::with_due(stability.max(STABILITY_MIN), difficulty.clamp(1.0, 10.0), day)
    }

    /// Chance that it is remembered on a day, 0 to 1.
    pub fn recall(&self, day: u32) -> f64 {
        let elapsed = f64::from(day.saturating_sub(self.asked));
        libm::pow(1.0 + factor() * elapsed / self.stability.max(STABILITY_MIN), -W[20])
    }

    fn with_due(stability: f64, difficulty: f64, day: u32) -> Self {
        let days = stability / factor() * (libm::pow(WANTED_RECALL, -1.0 / W[20]) - 1.0);
        let due = day.saturating_add(libm::rint(days).clamp(1.0, INTERVAL_MAX_DAYS) as u32);
        Self { stability, difficulty, asked: day, due }
    }

    fn same_day(&self, grade: Grade) -> f64 {
        let growth = libm::exp(W[17] * (grade.number() - 3.0 + W[18])) * libm::pow(self.stability, -W[19]);
        self.stability * if grade == Grade::Again { growth } else { growth.max(1.0) }
    }

    fn forgotten(&self, recall: f64) -> f64 {
        let long = W[11]
            * libm::pow(self.difficulty, -W[12])
            * (libm::pow(self.stability + 1.0, W[13]) - 1.0)
            * libm::exp((1.0 - recall) * W[14]);
        long.min(self.stability / libm::exp(W[17] * W[18]))
    }

    fn recalled(&self, grade: Grade, recall: f64) -> f64 {
        let weight = match grade {
            Grade::Hard => W[15],
            Grade::Easy => W[16],
            Grade::Again | Grade::Good => 1.0,
        };
        let growth = libm::exp(W[8])
            * (11.0 - self.difficulty)
            * libm::pow(self.stability, -W[9])
            * (libm::exp((1.0 - recall) * W[10]) - 1.0);
        self.stability * (1.0 + growth * weight)
    }
}

fn factor() -> f64 {
    libm::pow(0.9, -1.0 / W[20]) - 1.0
}

fn first_difficulty(grade: Grade) -> f64 {
    W[4] - libm::exp(W[5] * (grade.number() - 1.0)) + 1.0
}

#[cfg(test)]
#[expect(clippy::unreadable_literal, reason = "figures as the reference prints them")]
mod tests {
    use super::Grade::{Again, Easy, Good, Hard};
    use super::*;

    /// Day, grade, stability, difficulty and interval after it: py-fsrs 6.3.2,
    /// `Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)`.
    #[track_caller]
    fn check(answers: &[(u32, Grade, f64, f64, u32)]) {
        let mut memory: Option<Memory> = None;
        for (day, grade, stability, difficulty, interval) in answers {
            let next = match memory {
                None => Memory::first(*grade, *day),
                Some(memory) => memory.after(*grade, *day),
            };
            assert!((next.stability - stability).abs() < 2e-6, "day {day}: {next:?}, {stability}");
            assert!((next.difficulty - difficulty).abs() < 2e-6, "day {day}: {next:?}, {difficulty}");
            assert_eq!(next.due - day, *interval, "day {day}");
            memory = Some(next);
        }
    }

    #[test]
    fn it_agrees_with_the_reference() {
        check(&[
            (0, Good, 2.3065, 2.118104, 2),
            (2, Good, 10.964332, 2.111214, 11),
            (12, Good, 43.931669, 2.104331, 44),
            (60, Again, 2.902824, 7.389976, 3),
            (61, Good, 4.930755, 7.377814, 5),
        ]);
        check(&[
            (0, Again, 0.212, 6.4133, 1),
            (0, Good, 0.246689, 6.402115, 1),
            (1, Easy, 3.57069, 5.185098, 4),
            (20, Hard, 17.7491, 6.788872, 18),
        ]);
        check(&[
            (0, Easy, 8.2956, 1.0, 8),
            (8, Easy, 65.624226, 1.0, 66),
            (40, Good, 166.879226, 1.0, 167),
            (200, Again, 4.954249, 7.02699, 5),
            (200, Good, 4.954249, 7.015191, 5),
            (205, Hard, 9.886152, 8.003773, 10),
        ]);
        check(&[
            (0, Hard, 1.2931, 5.112171, 1),
            (1, Hard, 3.249412, 6.74046, 3),
            (3, Hard, 5.806149, 7.821393, 6),
        ]);
    }

    #[test]
    fn recall_is_nine_tenths_after_the_stability() {
        let memory = Memory { stability: 10.0, difficulty: 5.0, asked: 100, due: 110 };
        assert!(
            (memory.recall(110) - 0.9).abs() < 1e-12 && memory.recall(100) == 1.0 && memory.recall(0) == 1.0
        );
    }

    proptest::proptest! {
        #[test]
        fn any_history_stays_within_bounds(answers in proptest::collection::vec((0_u32..5000, 0_usize..4), 1..60)) {
            let grades = [Again, Hard, Good, Easy];
            let mut memory = Memory::first(Good, 0);
            for (day, grade) in answers {
                memory = memory.after(grades[grade], day);
                assert!((1.0..=10.0).contains(&memory.difficulty) && memory.stability.is_finite());
                assert!(memory.stability >= STABILITY_MIN && memory.due > memory.asked);
            }
        }
    }
}
