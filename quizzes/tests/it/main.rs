//! Integration tests of `quizzes`, one binary.

mod fixtures;
mod score;
mod score_properties;
