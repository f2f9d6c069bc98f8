//! Questions: a bank file per scenario, answers computed from the record, marking.
//!
//! # Theory of operation
//! A bank file holds prompts and *expressions*, never answers. When somebody asks for a quiz on a run, each question's
//! expressions are evaluated over that run's record (CEL, the Common Expression Language): the answer, the options that
//! are not it, and every figure in the texts. So the same question has another answer for another seed, and none can
//! be wrong because somebody typed it wrong. Options are shown in an order drawn from the run's seed and the question.
//!
//! Reading order: [`file`](mod@file) (what a bank file holds), [`expression`] (what expressions may say), [`resolve`], [`mark`](mod@mark).

pub mod expression;
pub mod file;
pub mod mark;
pub mod resolve;

pub use file::{Hint, Kind, QuestionSet};
pub use mark::{Certainty, GivenError, Mark, certainty_points, mark, with_hints};
pub use resolve::{Answer, ResolvedQuestion, ShownOption};
