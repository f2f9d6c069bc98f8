//! Integration tests of `quizzes`, one binary.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod bots;
mod exports;
mod fixtures;
mod general;
mod made_up_run;
mod questions;
mod score;
mod score_properties;
mod whole_score;
