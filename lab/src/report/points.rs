//! The points of a run: what `quizzes` makes of the record, of what was handed in, and of the courses.
//!
//! A change that needs a right call before it is a value that a person wrote, a safe stop, or a rule that stops some of
//! the plant's own talk: who cuts everything on suspicion keeps nothing. A block that stops the attack alone needs none.

use anyhow::Result;
use quizzes::score::part::Part;
use quizzes::score::process::{ProcessInput, ProcessScore, process};
use quizzes::score::recovery::{HandedReport, ReportInput, report_and_recovery};
use quizzes::score::total::{Mode, Parts, total};
use quizzes::view::RecordView;
use quizzes::{Form, Score, read_report};
use record::{Call, OutsideInput, Role, Verdict, VirtualTime};
use serde::Serialize;
use site::Site;

use super::contain;
use super::courses::Three;

/// All parts but D, and the whole.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Points {
    /// What people could do.
    pub(crate) mode: Mode,
    /// Part C; `None` in a run without an attack and where nobody could act.
    pub(crate) containment: Option<Part>,
    /// Part P; `None` in a run without an attack.
    pub(crate) process: Option<ProcessScore>,
    /// Part R; `None` where nothing was handed in at all.
    pub(crate) recovery: Option<Part>,
    /// The whole; `None` where no calls were handed in at all.
    pub(crate) total: Option<Part>,
    /// Limits that this run crossed and the run in which nobody acts did not: the person's own doing.
    pub(crate) own_limits: Vec<String>,
}

/// What points are made of.
pub(crate) struct PointsInput<'a> {
    pub(crate) view: &'a RecordView,
    pub(crate) site: &'a Site,
    pub(crate) mode: Mode,
    /// Part D with the calls that it is of; none where nobody handed in any.
    pub(crate) score: Option<(&'a Score, &'a [Call])>,
    pub(crate) handed: Option<&'a HandedReport>,
    /// `None` where they were not run: then there is neither C nor P, nor recovery.
    pub(crate) three: Option<&'a Three>,
}

impl PointsInput<'_> {
    /// Adds everything up.
    pub(crate) fn points(&self) -> Result<Points> {
        let truth = self.view.truth()?;
        let attacked = truth.iter().any(|step| step.verdict == Verdict::Attack);
        let after_attack = self.three.filter(|_| attacked);
        let of_actor = after_attack.filter(|_| self.mode == Mode::Active);
        let contained = of_actor.and_then(|three| contain::contained(three, &three.actual, self.site));
        let first_change = self.three.and_then(|three| {
            let wide = contained.as_ref().and_then(|contained| contained.first_wide);
            three.actual.first_write.into_iter().chain(wide).min()
        });
        let containment = contained.map(|contained| contained.part);
        let process = after_attack.map(|three| self.process(three, first_change));
        let restored = of_actor.map(|three| {
            let end = self.view.manifest().duration;
            contain::recovery(three, &three.actual, self.site, end, self.is_justified(first_change))
        });
        let something_handed_in = self.score.is_some() || self.handed.is_some();
        let recovery = something_handed_in.then(|| {
            report_and_recovery(&ReportInput {
                truth,
                role: Role::Analyst,
                names: self.view.names(),
                handed: self.handed,
                // No scenario asks for anything by an inject yet, and nothing in the lab destroys evidence.
                injects: &[],
                recovery: restored.as_ref(),
                evidence_destroyed: false,
            })
        });
        let parts = Parts {
            detect: self.score.and_then(|(score, _)| score.detect),
            contain: containment.as_ref().and_then(|part| part.points),
            process: process.as_ref().and_then(|process| process.points),
            report: recovery.as_ref().and_then(|part| part.points),
        };
        let own_limits = self.three.map_or_else(Vec::new, own_limits);
        let own: Vec<&str> = own_limits.iter().map(String::as_str).collect();
        let total = self.score.is_some().then(|| total(self.mode, parts, &own));
        Ok(Points { mode: self.mode, containment, process, recovery, total, own_limits })
    }

    fn process(&self, three: &Three, first_change: Option<VirtualTime>) -> ProcessScore {
        process(&ProcessInput {
            none: three.none.harm.total,
            clean: three.clean.harm.total,
            actual: three.actual.harm.total,
            floor: three.none.harm.floor,
            first_change,
            first_right_call: self.first_right_call(),
        })
    }

    /// When the first call that was right came.
    fn first_right_call(&self) -> Option<VirtualTime> {
        let (score, calls) = self.score?;
        let right: Vec<u64> = score.lines.iter().filter_map(|line| line.call).collect();
        calls.iter().filter(|call| right.contains(&call.id)).map(|call| call.t).min()
    }

    /// Whether a right call came before the first change, if there was any.
    fn is_justified(&self, first_change: Option<VirtualTime>) -> bool {
        first_change.is_none_or(|change| self.first_right_call().is_some_and(|call| call <= change))
    }
}

fn own_limits(three: &Three) -> Vec<String> {
    let crossed = three.actual.harm.limits.iter().zip(&three.none.harm.limits);
    let own = crossed.filter(|(actual, none)| actual.first.is_some() && none.first.is_none());
    own.map(|(actual, _)| actual.message.clone()).collect()
}

/// Whether people could act in a run: one into which nothing came from outside was looked at.
pub(crate) fn mode_of(form: Form, inputs: &[OutsideInput]) -> Mode {
    if form == Form::Live && !inputs.is_empty() { Mode::Active } else { Mode::Passive }
}

/// Reads what was written down after the run.
///
/// # Errors
/// All problems of the file, each with its line and a fix.
pub(crate) fn handed(view: &RecordView, file: &str, text: &str) -> Result<HandedReport> {
    read_report(file, text, view.names()).map_err(|problems| {
        let says: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", says.join("\n"))
    })
}
