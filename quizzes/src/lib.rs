//! What a person learns from a run: whether they saw it, how sure they could be, and why every point is as it is.
//!
//! Everything here is a function of a sealed record and of what a person handed in. Scores come from ground truth,
//! answers to questions on a run from expressions over its record; only the general bank has its answers typed in, each
//! with its source. No clock, no network, no random draw that is not keyed.
//!
//! Reading order: [`names`] (what people write, as canonical entities), [`calls`] and [`handed`] (reading and
//! checking what people hand in), [`mod@score`] (the law of `scoring.md`), [`logs`] and [`view`] (the record as tables), [`bots`] (players
//! that keep a scenario fair), [`bank`] (questions), [`task`] (things to do), [`elo`] and [`fsrs`] (how hard, and when again), [`progress`] (what a
//! person knows, and what to ask next), [`debrief`] (the first shift's last page),
//! [`judge`] (other people's alerts as calls), [`export`] (what other people's programs read).

pub mod bank;
pub mod bots;
pub mod calls;
pub mod debrief;
pub mod elo;
pub mod export;
pub mod fsrs;
pub mod handed;
pub mod hands_on;
pub mod incident;
pub mod judge;
pub mod logs;
pub mod names;
pub mod progress;
pub mod score;
pub mod task;
pub mod view;

pub use bank::{
    Certainty, GeneralBank, GeneralQuestion, Mark, QuestionSet, ResolvedQuestion, certainty_points, mark,
};
pub use bots::{BandViolation, BotInput, BotResult, bands, play_all};
pub use calls::read_calls;
pub use handed::read_report;
pub use names::{EntityNames, UnknownEntity};
pub use progress::{Level, Progress};
pub use score::{Form, Score, ScoreInput, false_call_weight, score};
pub use view::{RecordView, ViewError};
