//! Bots that act and hand in nothing: what containment and the whole score must not reward, whatever the scenario.
//!
//! *block-all* denies everything to everybody from the start on, *block-all-at-the-end* a minute before the attack is over;
//! both must find part C at most 5. *stop-at-start* presses the safe stop at once, *rewrite-nominal-setpoints* writes
//! every setpoint's value of the run without the attack every five minutes; both must stay at 25 in all. Source: the
//! project's `scoring.md`, fairness.

use std::sync::Arc;

use anyhow::Result;
use quizzes::score::total::Mode;
use quizzes::view::RecordView;
use quizzes::{Form, ScoreInput};
use record::{Role, Verdict, VirtualTime};
use scenarios::Cast;
use serde::Serialize;
use site::{Site, TagKind};

use super::contain::contained;
use super::courses::{Course, Hands, Three, Timed, run_course};
use super::points::PointsInput;
use crate::kernel_thread::on_kernel_thread;
use crate::recording::Order;

/// Most that part C may give to those who block everything.
const CONTAIN_MAX: f64 = 5.0;
/// Most that the whole may give to those who stop or rewrite without a reason.
const TOTAL_MAX: f64 = 25.0;
/// When a person can act at the earliest, s.
const START_S: u64 = 1;
/// How long before the attack is over the latecomer blocks, s.
const BEFORE_END_S: f64 = 60.0;
/// How often nominal values are written, s.
const REWRITE_S: u64 = 300;

/// What a bot came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActingResult {
    pub(crate) bot: &'static str,
    /// What is looked at: `C` or `S`.
    pub(crate) part: &'static str,
    /// `None` where the part means nothing in this run.
    pub(crate) points: Option<f64>,
    pub(crate) at_most: f64,
}

impl ActingResult {
    /// What is wrong about it, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        let points = self.points.filter(|points| *points > self.at_most)?;
        Some(format!("{}: {} is {points:.1}, should be at most {}", self.bot, self.part, self.at_most))
    }
}

/// Plays every acting bot on a run in which nobody acted. Six courses, each as long as the run or as its attack.
///
/// # Errors
/// The lab cannot be put together, or the record does not read.
pub(crate) fn play_acting(order: &Order, view: &RecordView) -> Result<Vec<ActingResult>> {
    let end = view.manifest().duration;
    let run = |cast: Cast, acts: &[Timed]| {
        let course = on_kernel_thread(|| run_course(order, &cast, &Hands::At(acts), end))?;
        anyhow::Ok(Arc::new(course))
    };
    let none = run(Cast::full(), &[])?;
    let attack = none.truth.iter().filter(|step| step.verdict == Verdict::Attack);
    let Some(over) = attack.map(|step| step.end).max() else { return Ok(Vec::new()) };
    let clean = run(Cast::clean(), &[])?;
    let three = |actual| Three { actual, none: Arc::clone(&none), clean: Arc::clone(&clean) };
    let mut results = Vec::new();

    let late = VirtualTime::from_secs_f64((over.as_secs_f64() - BEFORE_END_S).max(0.0));
    let bots = [("block-all", VirtualTime::from_secs(START_S)), ("block-all-at-the-end", late)];
    for (bot, from) in bots {
        // What happens once the attack is over counts for nothing in C.
        let until = VirtualTime::from_secs_f64(over.as_secs_f64() + BEFORE_END_S).min(end);
        let acts = block_all(&order.site, from);
        let course =
            Arc::new(on_kernel_thread(|| run_course(order, &Cast::full(), &Hands::At(&acts), until))?);
        let three = three(course);
        let part = contained(&three, &three.actual, &order.site).map(|contained| contained.part);
        let points = part.and_then(|part| part.points);
        results.push(ActingResult { bot, part: "C", points, at_most: CONTAIN_MAX });
    }
    let mut bots = vec![("rewrite-nominal-setpoints", rewrite(&order.site, &clean, end))];
    if !order.site.safe_stop.is_empty() {
        bots.push(("stop-at-start", vec![timed(VirtualTime::from_secs(START_S), "safe-stop".to_owned())]));
    }
    for (bot, acts) in bots {
        let points = in_all(view, &order.site, &three(run(Cast::full(), &acts)?))?;
        results.push(ActingResult { bot, part: "S", points, at_most: TOTAL_MAX });
    }
    Ok(results)
}

/// The whole score of somebody who hands in nothing.
fn in_all(view: &RecordView, site: &Site, three: &Three) -> Result<Option<f64>> {
    let score = quizzes::score(&ScoreInput {
        truth: view.truth()?,
        calls: &[],
        duration: view.manifest().duration,
        role: Role::Analyst,
        form: Form::Live,
        names: view.names(),
        false_call_weight: None,
    });
    let input = PointsInput {
        view,
        site,
        mode: Mode::Active,
        score: Some((&score, &[])),
        handed: None,
        three: Some(three),
    };
    Ok(input.points()?.total.and_then(|part| part.points))
}

fn timed(t: VirtualTime, command: String) -> Timed {
    Timed { t, source: "bot".to_owned(), command }
}

/// Denies everything between zones and at each controller, and ends the sessions that there are.
fn block_all(site: &Site, t: VirtualTime) -> Vec<Timed> {
    let rule = |at: String| {
        let rule =
            format!(r#"{{"source": "any", "destination": "any", "action": "deny", "duration": "24h"{at}}}"#);
        timed(t, format!("rule add {rule}"))
    };
    let hosts = site.devices.iter().map(|device| device.host.get_ref());
    std::iter::once(rule(String::new()))
        .chain(hosts.map(|host| rule(format!(r#", "at": "{host}""#))))
        .chain(std::iter::once(timed(t, "session kill {}".to_owned())))
        .collect()
}

/// Writes every setpoint's nominal value again and again.
fn rewrite(site: &Site, clean: &Course, end: VirtualTime) -> Vec<Timed> {
    let setpoints = site.tags.iter().filter(|tag| tag.kind == TagKind::Setpoint);
    let nominal: Vec<String> = setpoints
        .filter_map(|tag| {
            let name = tag.name.get_ref();
            clean.last.get(name).map(|value| format!("write {name} {value}"))
        })
        .collect();
    let mut acts = Vec::new();
    for s in (START_S..).step_by(REWRITE_S as usize).take_while(|s| VirtualTime::from_secs(*s) < end) {
        acts.extend(nominal.iter().map(|command| timed(VirtualTime::from_secs(s), command.clone())));
    }
    acts
}
