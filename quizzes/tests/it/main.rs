//! Integration tests of `quizzes`, one binary.

mod bots;
mod fixtures;
mod made_up_run;
mod questions;
mod score;
mod score_properties;
