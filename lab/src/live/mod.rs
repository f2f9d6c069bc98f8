//! One live lab: a run on a kernel thread of its own, with a board that pages read and a control that people act through.
//!
//! # Theory of operation
//! [`LiveLab::start`] gives the run its thread and returns as soon as the kernel can be spoken to. The run ends at the
//! plan's end or when it is told to; then the same thread makes the twins, completes the truth and seals the record, and
//! the board says so. A run that was cut off is brought back from what its record holds: the same order, with what came
//! from outside put back where it was, then live again (`Drive::Resume`).

mod board;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use net::{LiveControl, MirrorConsumer, Pace, SentMirror};
use record::VirtualTime;

pub(crate) use board::{ActionOutcome, Board, Pair, Phase};

use crate::order::Ordered;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, Outcome, Past, RunError, record_run};

/// How often a live record is written out, host's time.
const WRITTEN_OUT_EVERY: Duration = Duration::from_millis(250);
/// How long an answer to an action may take, host's time: the kernel takes it in between two events.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A lab that runs, or ran.
#[derive(Debug)]
pub(crate) struct LiveLab {
    board: Arc<Board>,
    control: LiveControl,
    next_action: AtomicU64,
}

/// Why an action has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    /// The lab said what to ask for instead.
    #[error("{0}")]
    Refused(String),
    /// The run is over or never answered.
    #[error("the lab does not answer: its run is over, or it is being brought back")]
    NoAnswer,
}

impl LiveLab {
    /// Starts a run whose record goes to `directory`. `past` is what an earlier part of the same run took from outside;
    /// `mirror` is given every frame of the mirror port.
    /// `at_end` is called on the lab's thread when the record is sealed, or could not be.
    pub(crate) fn start(
        ordered: Ordered,
        directory: &Path,
        pace: Pace,
        past: Option<Past>,
        mirror: Option<SentMirror>,
        at_end: impl FnOnce(&Result<Outcome, RunError>) + Send + 'static,
    ) -> Result<Arc<Self>> {
        let board = Board::new(pace.factor());
        board.read().is_replaying = past.is_some();
        let (send_control, control) = channel();
        let end = ordered.order.plan.end;
        let drive = Drive::Live { pace, control: send_control, end, past };
        let (shown, out) = (board.clone(), directory.to_owned());
        thread::Builder::new()
            .name("lab".to_owned())
            .stack_size(8 << 20)
            .spawn(move || {
                let watchers = board::board_watchers(&shown, &ordered.order.site);
                let audience = Audience {
                    assembled: Some(watchers.assembled),
                    each_step: Some(watchers.each_step),
                    each_frame: mirror.map(|mirror| -> MirrorConsumer { mirror }),
                    each_action: Some(watchers.each_action),
                    rules: None,
                    goes_live: Some(Box::new({
                        let shown = shown.clone();
                        move || {
                            shown.change(|state| {
                                state.is_replaying = false;
                                if state.phase == Phase::Starting {
                                    state.phase = Phase::Running;
                                }
                            });
                        }
                    })),
                    driven: Some(Box::new({
                        let shown = shown.clone();
                        move |end| {
                            shown.change(|state| {
                                state.now = end;
                                state.phase = Phase::Debriefing;
                            });
                        }
                    })),
                    reads_along: Some(WRITTEN_OUT_EVERY),
                };
                let run = || record_run(&ordered.order, drive, &out, &Progress::hidden(), audience);
                // A panic outside a task is a defect; the team is told, and nobody waits for a record that never comes.
                let outcome = catch_unwind(AssertUnwindSafe(run))
                    .unwrap_or_else(|_| Err(std::io::Error::other("the lab broke down").into()));
                // First what is to be kept, then what people see.
                at_end(&outcome);
                shown.change(|state| match &outcome {
                    Ok(outcome) => {
                        state.reason.clone_from(&outcome.manifest.ended_early);
                        state.phase = Phase::Sealed;
                    }
                    Err(error) => {
                        state.reason = Some(error.to_string());
                        state.phase = Phase::Failed;
                    }
                });
            })
            .context("no thread for a lab: end other programs or raise the limit of processes (ulimit -u)")?;
        let control = control.recv().ok();
        let Some(control) = control else {
            let reason = board.read().reason.clone();
            anyhow::bail!(
                "the lab did not come up: {}",
                reason.unwrap_or_else(|| "no reason given".to_owned())
            );
        };
        Ok(Arc::new(Self { board, control, next_action: AtomicU64::new(1) }))
    }

    /// What it shows.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Speaks to its kernel.
    pub(crate) fn control(&self) -> &LiveControl {
        &self.control
    }

    /// A person acts; `who` goes into the record. Waits for what comes of it.
    pub(crate) async fn act(&self, who: &str, command: &str) -> Result<ActionOutcome, ActError> {
        if self.board.read().is_replaying {
            return Err(ActError::NoAnswer);
        }
        let mut changes = self.board.subscribe();
        let number = self.next_action.fetch_add(1, Ordering::Relaxed);
        let source = format!("console: {who}, action {number}");
        self.control.act(&source, command);
        let answered = async {
            loop {
                let found = {
                    let state = self.board.read();
                    let found = state.outcomes.iter().rev().find(|outcome| outcome.source == source).cloned();
                    if found.is_none()
                        && matches!(state.phase, Phase::Sealed | Phase::Failed | Phase::Debriefing)
                    {
                        return None;
                    }
                    found
                };
                if found.is_some() {
                    return found;
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Some(outcome)) if outcome.is_done => Ok(outcome),
            Ok(Some(outcome)) => Err(ActError::Refused(outcome.says)),
            _ => Err(ActError::NoAnswer),
        }
    }

    /// Stops time.
    pub(crate) fn pause(&self) {
        self.control.pause();
        self.set_phase(Phase::Paused);
    }

    /// Lets time go on.
    pub(crate) fn resume(&self) {
        self.control.resume();
        self.set_phase(Phase::Running);
    }

    /// Goes on at another pace.
    pub(crate) fn set_pace(&self, pace: Pace) {
        self.control.set_pace(pace);
        self.board.change(|state| state.pace = pace.factor());
    }

    /// Lets a span of virtual time pass at once.
    pub(crate) fn step(&self, span: Duration) {
        self.control.step(span);
    }

    /// Ends the run at the present moment; the record is sealed.
    pub(crate) fn end(&self) {
        self.control.stop();
    }

    /// Whether time can still pass.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.board.read().phase, Phase::Starting | Phase::Running | Phase::Paused)
    }

    /// Whether its record is sealed, or never will be.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.board.read().phase, Phase::Sealed | Phase::Failed)
    }

    /// The present moment.
    pub(crate) fn now(&self) -> VirtualTime {
        self.board.read().now
    }

    fn set_phase(&self, phase: Phase) {
        self.board.change(|state| {
            if matches!(state.phase, Phase::Starting | Phase::Running | Phase::Paused) {
                state.phase = phase;
            }
        });
    }
}
