//! Elo ratings of people and questions.
//!
//! An answer is a game between a person and a question. Expected is `p = 1 / (1 + 10^((question - person) / 400))`
//! (A. Elo, *The Rating of Chessplayers*, 1978); both sides move by `K (credit - p)`, the question the other way. `K` falls
//! from 40 to 10 as answers come in: `K = max(10, 40 / (1 + 0.05 n))`, the uncertainty function of R. Pelánek,
//! *Applications of the Elo rating system in adaptive educational systems*, Computers & Education 98 (2016), scaled.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Where everybody starts, and a question of middling difficulty.
pub const START: f64 = 1000.0;

/// How likely a right answer to the next question should be: hard enough to teach, easy enough to go on.
pub const WANTED: RangeInclusive<f64> = 0.6..=0.75;

/// A rating and how many answers it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Elo points.
    pub elo: f64,
    /// Answers so far.
    pub answers: u32,
}

impl Rating {
    /// A rating that nothing is known of yet.
    pub fn starting_at(elo: f64) -> Self {
        Self { elo, answers: 0 }
    }

    /// How far one answer moves it, in Elo points.
    pub fn k(self) -> f64 {
        (40.0 / (1.0 + 0.05 * f64::from(self.answers))).max(10.0)
    }

    fn moved(self, by: f64) -> Self {
        Self { elo: self.elo + by, answers: self.answers.saturating_add(1) }
    }
}

/// Probability that a person of one rating answers a question of another rightly.
pub fn expected(person: f64, question: f64) -> f64 {
    1.0 / (1.0 + libm::pow(10.0, (question - person) / 400.0))
}

/// Ratings of person and question after an answer that earned `credit`, 0 to 1.
pub fn after(person: Rating, question: Rating, credit: f64) -> (Rating, Rating) {
    let surprise = credit.clamp(0.0, 1.0) - expected(person.elo, question.elo);
    (person.moved(person.k() * surprise), question.moved(-question.k() * surprise))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_hundred_points_are_ten_to_one() {
        for (difference, p) in
            [(0.0, 0.5), (400.0, 10.0 / 11.0), (-400.0, 1.0 / 11.0), (800.0, 100.0 / 101.0)]
        {
            assert!((expected(START + difference, START) - p).abs() < 1e-12, "{difference}");
        }
    }

    #[test]
    fn k_falls_from_forty_to_ten() {
        let k = |answers| Rating { elo: START, answers }.k();
        assert_eq!([k(0), k(20), k(60), k(1000)], [40.0, 20.0, 10.0, 10.0]);
    }

    #[test]
    fn what_one_side_wins_the_other_loses() {
        let start = Rating::starting_at(START);
        let (person, question) = after(start, start, 1.0);
        assert_eq!((person.elo, question.elo), (1020.0, 980.0));
        let (person, _) = after(start, start, 0.5);
        assert_eq!((person.elo, person.answers), (1000.0, 1));
    }

    #[test]
    fn a_person_of_known_strength_is_found() {
        // Answers exactly as somebody of 1200 would on average: the rating goes there.
        let mut person = Rating::starting_at(START);
        for n in 0..400 {
            let question = Rating { elo: 900.0 + f64::from(n % 5) * 100.0, answers: 100 };
            person = after(person, question, expected(1200.0, question.elo)).0;
        }
        assert!((person.elo - 1200.0).abs() < 5.0, "{person:?}");
    }
}
