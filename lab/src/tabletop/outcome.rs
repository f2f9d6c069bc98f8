//! The score of a sheet: parts P and R of the decisions (`scoring.md`, mode *tabletop*).
//!
//! P is the plant's, of one day with all decisions together. R is what was told to whom in time, and the verdicts: a hand-off
//! that is made in a later move than it was due loses half of its points per window of the plant's clock; a verdict
//! counts where it is right. Evidence that is destroyed before it was kept caps R, as in a live run.

use anyhow::Result;
use quizzes::EntityNames;
use quizzes::score::part::Part;
use quizzes::score::process::{ProcessInput, ProcessScore, process};
use quizzes::score::recovery::{Inject, ReportInput, report_and_recovery};
use quizzes::score::total::{Mode, Parts, total};
use record::{Role, Verdict, VirtualTime};
use scenarios::span::parse_span;
use scenarios::tabletop::Sheet;
use serde::Serialize;

use super::consequence::day;
use super::{Consequence, Table, Worked};

/// Points of a right verdict.
const VERDICT_POINTS: f64 = 1.0;
/// A verdict is written down in its move or not at all: lateness does not come in.
const VERDICT_WINDOW_S: f64 = 1.0;

/// What a team's decisions came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// The day with all decisions together.
    pub(crate) consequence: Consequence,
    /// Part P.
    pub(crate) process: ProcessScore,
    /// Part R.
    pub(crate) report: Part,
    /// The whole.
    pub(crate) total: Part,
    /// Hand-offs in their order: name, points earned, points at most.
    pub(crate) handoffs: Vec<(String, f64, f64)>,
}

/// Runs the day of a sheet, and scores it.
///
/// # Errors
/// The lab refuses a command.
pub(crate) fn play_out(table: &Table, worked: &Worked, sheet: &Sheet) -> Result<Outcome> {
    let acts = table.acts(&sheet.choice);
    let none = day(table, true, &[], &std::collections::BTreeSet::new())?;
    let actual = if acts.is_empty() {
        none.clone()
    } else {
        day(table, true, &acts, &std::collections::BTreeSet::new())?
    };
    let consequence = Consequence::of(table, &actual, &none);
    let process = process(&ProcessInput {
        none: worked.none.harm,
        clean: worked.clean.harm,
        actual: consequence.harm,
        floor: none.course.harm.floor,
        first_change: acts.first().map(|act| act.t),
        first_right_call: first_right(table, sheet),
    });
    let (injects, handoffs) = told(table, sheet);
    let names = EntityNames::new(&table.ordered.order.site, &std::collections::BTreeMap::new());
    let report = report_and_recovery(&ReportInput {
        truth: &[],
        role: Role::Analyst,
        names: &names,
        handed: None,
        injects: &injects,
        recovery: None,
        evidence_destroyed: destroyed(table, sheet),
    });
    let own: Vec<&str> = consequence
        .limits
        .iter()
        .filter(|limit| !worked.none.limits.iter().any(|theirs| theirs.name == limit.name))
        .map(|limit| limit.message.as_str())
        .collect();
    let parts = Parts { process: process.points, report: report.points, ..Parts::default() };
    Ok(Outcome { total: total(Mode::Tabletop, parts, &own), consequence, process, report, handoffs })
}

/// When the first right verdict was written down.
fn first_right(table: &Table, sheet: &Sheet) -> Option<VirtualTime> {
    let moves = table.tabletop.file().moves.iter().zip(&table.schedule.moves);
    let right =
        |verdict: Option<Verdict>, id: &str| verdict.is_some() && sheet.verdict.get(id).copied() == verdict;
    moves.filter(|(it, _)| right(it.verdict, it.id.get_ref())).map(|(_, t)| *t).min()
}

/// Hand-offs and verdicts as part R takes them, and what each hand-off earned.
fn told(table: &Table, sheet: &Sheet) -> (Vec<Inject>, Vec<(String, f64, f64)>) {
    let texts = table.tabletop.texts();
    let moves = &table.tabletop.file().moves;
    let time = |number: usize| table.schedule.moves.get(number).copied().unwrap_or_default();
    let mut injects = Vec::new();
    let mut earned = Vec::new();
    for (due, handoff) in table.tabletop.handoffs() {
        let id = handoff.id.get_ref();
        let made = sheet.handoff.get(id).and_then(|made| moves.iter().position(|it| it.id.get_ref() == made));
        let late_s = made.map(|made| (time(made).as_secs_f64() - time(due).as_secs_f64()).max(0.0));
        let window = parse_span(handoff.window.get_ref()).unwrap_or_default();
        let what = texts.handoff.get(id).map_or_else(|| id.clone(), |text| text.what.clone());
        let points = *handoff.points.get_ref();
        let inject = Inject { name: what, points, late_s, window_s: window.as_secs_f64() };
        earned.push((id.clone(), points * quizzes::score::recovery::inject_share(&inject), points));
        injects.push(inject);
    }
    for it in moves {
        if let Some(right) = it.verdict {
            let id = it.id.get_ref();
            let title = texts.moves.get(id).map_or(id.as_str(), |text| text.title.as_str());
            let is_right = sheet.verdict.get(id) == Some(&right);
            injects.push(Inject {
                name: format!("{}: {title}", table.tabletop.words().right_verdict),
                points: VERDICT_POINTS,
                late_s: is_right.then_some(0.0),
                window_s: VERDICT_WINDOW_S,
            });
        }
    }
    (injects, earned)
}

fn destroyed(table: &Table, sheet: &Sheet) -> bool {
    let chosen = |id: &str| sheet.choice.get(id);
    table.tabletop.decisions().any(|(_, decision)| {
        let option = chosen(decision.id.get_ref()).and_then(|option| decision.option(option));
        option.is_some_and(|option| option.destroys_evidence)
    })
}
