//! Questions: a bank file per scenario with answers computed from the record, the general bank, and marking.
//!
//! # Theory of operation
//! A bank file holds prompts and *expressions*, never answers. When somebody asks for a quiz on a run, each question's
//! expressions are evaluated over that run's record (CEL, the Common Expression Language): the answer, the options that
//! are not it, and every figure in the texts. So the same question has another answer for another seed, and none can
//! be wrong because somebody typed it wrong. Options are shown in an order drawn from the run's seed and the question.
//!
//! Beside them stands the [`general`] bank, on what is true of every plant: its answers are typed in, each with the
//! source that it can be looked up in. Both kinds become a [`ResolvedQuestion`], and [`mark()`] marks both.
//!
//! Reading order: [`file`](mod@file) (what a bank file holds), [`expression`] (what expressions may say), [`resolve`],
//! [`general`], [`mark`](mod@mark), [`typed`], [`told`], `translation`.

pub mod expression;
pub mod file;
pub mod general;
pub mod mark;
pub mod resolve;
pub mod told;
mod translation;
pub mod typed;

pub use file::{Hint, Kind, QuestionSet};
pub use general::{Domain, GeneralBank, GeneralQuestion};
pub use mark::{Certainty, GivenError, Mark, certainty_points, mark, passed, with_hints};
pub use resolve::{Answer, ResolvedQuestion, ShownOption};
pub use told::right_answer;
