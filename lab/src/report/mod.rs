//! The after-action report: what happened, who saw it when, what was done about it, and what it did to the plant.
//!
//! # Theory of operation
//! A report is a function of a sealed record, of calls, and of the program's version. [`Report::of`] gathers it:
//! truth and actions from the record, points from `quizzes`, and the plant's curves from three courses of the same
//! seed ([`courses`]): this run, the attack with nobody acting, and no attack. [`html`] makes one self-contained page of
//! it, [`timeline_svg`] the picture on one axis of time. [`what_if`] adds a fourth course.
//!
//! Colours never stand alone: attack, fault and authorised work carry A, F and W, curves differ in their dashes, alarms
//! in their shapes.
//!
//! Reading order: [`talk`] (what containment is counted from), [`courses`], [`what_if`], [`contain`], [`points`], [`acting`] (bots
//! that `check` plays), this file, [`timeline`], [`page`].

mod acting;
mod compare;
mod contain;
mod courses;
mod page;
mod points;
mod talk;
mod timeline;
mod what_if;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use quizzes::score::Subject;
use quizzes::score::total::Mode;
use quizzes::view::RecordView;
use quizzes::{Form, Score, ScoreInput, read_calls};
use record::{Call, Event, EventSource, OutsideInput, Role, RunReader, StartTime, TruthStep, VirtualTime};
use serde::Serialize;
use sim::PlantEventKind;
use site::Site;

pub(crate) use acting::{ActingResult, play_acting};
pub(crate) use compare::compare_html;
use courses::Three;
pub(crate) use courses::{Course, Courses, Hands, Timed, run_watched};
pub(crate) use page::{body, html, money, signed};
pub(crate) use points::{Points, PointsInput, handed, mode_of};
pub(crate) use timeline::timeline_svg;
pub(crate) use what_if::Change;

use crate::order::order_again;

/// Most curves in a report.
const CURVES_MAX: usize = 4;

/// Everything that a report shows. Times are seconds since the start of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Always `EXERCISE`.
    pub(crate) marking: String,
    pub(crate) scenario: String,
    pub(crate) title: String,
    pub(crate) seed: Option<u64>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) version: String,
    pub(crate) site: String,
    pub(crate) start: StartTime,
    pub(crate) end: VirtualTime,
    pub(crate) ended_early: Option<String>,
    /// Part D; `None` where no calls were handed in at all.
    pub(crate) detection: Option<Score>,
    /// The other parts, and the whole.
    #[serde(flatten)]
    pub(crate) points: Points,
    pub(crate) happened: Vec<Happened>,
    pub(crate) calls: Vec<Called>,
    pub(crate) actions: Vec<Acted>,
    pub(crate) alarms: Vec<AlarmSpan>,
    pub(crate) curves: Vec<Curve>,
    /// This run, nobody acts, no attack, and the what-if where one was asked for.
    pub(crate) fates: Vec<FateOfPlant>,
    /// Inputs of real clients that had no place in the what-if.
    pub(crate) left_out: usize,
}

/// A step of the truth and what was made of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Happened {
    pub(crate) step: TruthStep,
    /// What the scenario says of it afterwards.
    pub(crate) reveal: Option<String>,
    /// `None` where nobody was scored on it.
    pub(crate) outcome: Option<quizzes::score::Outcome>,
    /// The call that earned its points.
    pub(crate) call: Option<u64>,
    pub(crate) points: f64,
    pub(crate) why: String,
}

/// A call and what it came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Called {
    pub(crate) call: Call,
    /// Steps that earn by it.
    pub(crate) steps: Vec<String>,
    pub(crate) points: f64,
    pub(crate) what: String,
    pub(crate) why: String,
    /// Whether it costs.
    pub(crate) is_false: bool,
}

/// Something that a person did through the lab.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Acted {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) t: VirtualTime,
    pub(crate) source: String,
    pub(crate) command: String,
    /// Why the lab did not do it.
    pub(crate) refused: Option<String>,
}

/// An alarm of this run from coming up to going away.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AlarmSpan {
    pub(crate) tag: String,
    pub(crate) message: String,
    pub(crate) priority: u8,
    pub(crate) raised: VirtualTime,
    /// `None` where it was still up at the end.
    pub(crate) cleared: Option<VirtualTime>,
    /// Whether the run without the attack has it at about the same time.
    pub(crate) without_attack: bool,
}

/// One tag in every course.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) tag: String,
    pub(crate) description: String,
    pub(crate) unit: String,
    pub(crate) normal_low: Option<f64>,
    pub(crate) normal_high: Option<f64>,
    /// Time in s and value, in the order of [`Report::fates`].
    pub(crate) lines: Vec<Vec<(f64, f64)>>,
}

/// What became of the plant in one course.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FateOfPlant {
    pub(crate) name: String,
    pub(crate) harm: f64,
    pub(crate) currency: String,
    /// Cause, money, amount.
    pub(crate) causes: Vec<(String, f64, f64)>,
    /// Name, words, first moment beyond it.
    pub(crate) limits: Vec<(String, String, Option<VirtualTime>)>,
}

impl FateOfPlant {
    fn new(name: &str, course: &Course) -> Self {
        let harm = &course.harm;
        Self {
            name: name.to_owned(),
            harm: harm.total,
            currency: harm.currency.clone(),
            causes: harm.causes.iter().map(|it| (it.name.clone(), it.money, it.amount)).collect(),
            limits: harm.limits.iter().map(|it| (it.name.clone(), it.message.clone(), it.first)).collect(),
        }
    }
}

/// What a report is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Name of the calls' file in errors, and its lines; `None` where nobody handed in any.
    pub(crate) calls: Option<(&'a str, &'a str)>,
    /// Name and text of what was written down after the run.
    pub(crate) report: Option<(&'a str, &'a str)>,
    pub(crate) form: Form,
    /// Whether people could act; `None` asks the record: where anything came from outside, they could.
    pub(crate) mode: Option<Mode>,
    pub(crate) what_if: Option<&'a Change>,
}

impl Report {
    /// Gathers the report of a sealed run. Runs the plant three times where `courses` does not have them, on threads of
    /// their own.
    ///
    /// # Errors
    /// The record is not whole, was packed for a trainee or is another version's; the calls do not read; the change of
    /// the what-if does not fit the run.
    pub(crate) fn of(run: &Path, asked: Asked<'_>, courses: &Courses) -> Result<Self> {
        let reader = RunReader::open(run)?;
        let manifest = reader.manifest().clone();
        let ordered = order_again(&manifest)?;
        if let Some(problem) = reader.verify().first() {
            bail!(
                "{problem}\n  fix: report on the record as it was sealed; `fieldrange verify` names every difference"
            );
        }
        let inputs: Vec<OutsideInput> = reader.json_lines("outside.jsonl")?;
        let journal: Vec<Event> = reader.json_lines("events.jsonl")?;
        let site = &ordered.order.site;
        let view = RecordView::new(reader, site);
        let truth = view.truth()?;
        let (score, calls) = match asked.calls {
            Some((file, lines)) => {
                let (score, calls) = scored(&view, file, lines, asked.form)?;
                (Some(score), calls)
            }
            None => (None, Vec::new()),
        };
        let three = courses.of(&manifest, &ordered.order, &inputs)?;
        let otherwise = asked
            .what_if
            .map(|change| what_if::what_if(&ordered.order, &inputs, change, manifest.duration))
            .transpose()?;
        let mut all: Vec<(&str, &Course)> =
            vec![("this run", &*three.actual), ("nobody acts", &*three.none), ("no attack", &*three.clean)];
        let named = otherwise.as_ref().map(|otherwise| format!("what if: {}", otherwise.change));
        if let (Some(otherwise), Some(name)) = (&otherwise, &named) {
            all.push((name, &otherwise.course));
        }
        let actions = actions(&inputs, &journal);
        let reveal = |step: &TruthStep| {
            let event = step.step.split_once('#').map_or(step.step.as_str(), |(name, _)| name);
            ordered.scenario.texts().event.get(event).map(|text| text.reveal.clone())
        };
        let handed = asked.report.map(|(file, text)| handed(&view, file, text)).transpose()?;
        let points = PointsInput {
            view: &view,
            site,
            mode: asked.mode.unwrap_or_else(|| mode_of(asked.form, &inputs)),
            score: score.as_ref().map(|score| (score, &calls[..])),
            handed: handed.as_ref(),
            three: Some(&three),
        };
        Ok(Self {
            points: points.points()?,
            title: ordered.scenario.texts().title.clone(),
            happened: truth.iter().map(|step| happened(step, reveal(step), score.as_ref())).collect(),
            calls: calls.iter().map(|call| called(call, score.as_ref())).collect(),
            detection: score,
            actions,
            alarms: alarms(&three),
            curves: curves(&all, site),
            fates: all.iter().map(|(name, course)| FateOfPlant::new(name, course)).collect(),
            left_out: otherwise.map_or(0, |otherwise| otherwise.left_out),
            marking: manifest.marking,
            scenario: manifest.scenario,
            seed: manifest.seed,
            settings: manifest.settings,
            version: manifest.version,
            site: site.title.clone(),
            start: manifest.start,
            end: manifest.duration,
            ended_early: manifest.ended_early,
        })
    }
}

fn scored(view: &RecordView, file: &str, lines: &str, form: Form) -> Result<(Score, Vec<Call>)> {
    let duration = view.manifest().duration;
    let calls = read_calls(file, lines, view.names(), duration, form);
    let calls = calls.map_err(|problems| {
        let says: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", says.join("\n"))
    })?;
    let input = ScoreInput {
        truth: view.truth()?,
        calls: &calls,
        duration,
        role: Role::Analyst,
        form,
        names: view.names(),
        false_call_weight: None,
    };
    Ok((quizzes::score(&input), calls))
}

fn happened(step: &TruthStep, reveal: Option<String>, score: Option<&Score>) -> Happened {
    let is_it =
        |line: &&quizzes::score::Line| matches!(&line.subject, Subject::Step(name) if *name == step.step);
    let line = score.and_then(|score| score.lines.iter().find(is_it));
    Happened {
        step: step.clone(),
        reveal,
        outcome: line.map(|line| line.outcome),
        call: line.and_then(|line| line.call),
        points: line.map_or(0.0, |line| line.points),
        why: match (line, score) {
            (Some(line), _) => line.why.clone(),
            (None, Some(_)) => "an analyst could not see it: left out on both sides".to_owned(),
            (None, None) => String::new(),
        },
    }
}

fn called(call: &Call, score: Option<&Score>) -> Called {
    let lines = score.map_or(&[][..], |score| &score.lines);
    let own = lines.iter().find(|line| line.subject == Subject::Call(call.id));
    let earned: Vec<&quizzes::score::Line> = lines.iter().filter(|line| line.call == Some(call.id)).collect();
    let step = |line: &&quizzes::score::Line| match &line.subject {
        Subject::Step(name) => Some(name.clone()),
        _ => None,
    };
    // What it has of its own says more than what it claims beside.
    let found =
        earned.iter().find(|line| line.outcome != quizzes::score::Outcome::Claimed).or(earned.first());
    let told = own.or(found.copied());
    Called {
        call: call.clone(),
        steps: earned.iter().filter_map(step).collect(),
        points: own.into_iter().chain(earned.iter().copied()).map(|line| line.points).sum(),
        what: told.map_or_else(String::new, |line| line.what.clone()),
        why: told.map_or_else(String::new, |line| line.why.clone()),
        is_false: own.is_some_and(|line| line.outcome == quizzes::score::Outcome::False),
    }
}

fn actions(inputs: &[OutsideInput], journal: &[Event]) -> Vec<Acted> {
    let mut told =
        journal.iter().filter(|event| event.source == EventSource::Trainee && event.kind == "action");
    what_if::actions(inputs)
        .into_iter()
        .enumerate()
        .map(|(index, action)| {
            // The journal holds the actions in the same order, each with its refusal.
            let event = told.find(|event| event.data["command"] == action.command.as_str());
            let refused = event.and_then(|event| event.data["refused"].as_str()).map(str::to_owned);
            Acted { number: index + 1, t: action.t, source: action.source, command: action.command, refused }
        })
        .collect()
}

fn alarms(three: &Three) -> Vec<AlarmSpan> {
    /// Two runs have the same alarm where it comes up within a minute.
    const NEAR_S: f64 = 60.0;
    let raises = |kind| {
        matches!(kind, PlantEventKind::AlarmRaised | PlantEventKind::SwitchOperated | PlantEventKind::Tripped)
    };
    let clears = |kind| {
        matches!(
            kind,
            PlantEventKind::AlarmCleared | PlantEventKind::SwitchReleased | PlantEventKind::TripReset
        )
    };
    let mut spans: Vec<AlarmSpan> = Vec::new();
    for event in &three.actual.events {
        if raises(event.kind) {
            let like = |other: &&sim::PlantEvent| {
                other.kind == event.kind
                    && other.tag == event.tag
                    && (other.time.as_secs_f64() - event.time.as_secs_f64()).abs() <= NEAR_S
            };
            spans.push(AlarmSpan {
                tag: event.tag.clone(),
                message: event.message.clone(),
                priority: event.priority,
                raised: event.time,
                cleared: None,
                without_attack: three.clean.events.iter().any(|other| like(&other)),
            });
        } else if clears(event.kind)
            && let Some(open) = spans.iter_mut().rev().find(|it| it.tag == event.tag && it.cleared.is_none())
        {
            open.cleared = Some(event.time);
        }
    }
    spans
}

/// The tags that tell the story: those of limits that were crossed, then those that differ most between the courses.
fn curves(all: &[(&str, &Course)], site: &Site) -> Vec<Curve> {
    let mut tags: Vec<String> = Vec::new();
    let mut take = |tag: &str| {
        let known = tags.iter().any(|taken| taken == tag);
        if !known && tags.len() < CURVES_MAX {
            tags.push(tag.to_owned());
        }
    };
    for (_, course) in all {
        for limit in course.harm.limits.iter().filter(|limit| limit.first.is_some()).take(CURVES_MAX - 1) {
            take(&limit.instrument);
        }
    }
    if let [(_, actual), (_, none), (_, clean), ..] = all {
        let mut changed = none.curves.changed_against(&clean.curves);
        changed.extend(actual.curves.changed_against(&none.curves));
        changed.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, tag) in &changed {
            take(tag);
        }
        for limit in actual.harm.limits.iter().take(2) {
            take(&limit.instrument);
        }
    }
    let curve = |tag: String| {
        let described = site.tag(&tag);
        Curve {
            description: described.map_or_else(String::new, |it| it.description.clone()),
            unit: described.map_or_else(String::new, |it| it.unit.clone()),
            normal_low: described.and_then(|it| it.normal_low),
            normal_high: described.and_then(|it| it.normal_high),
            lines: all.iter().map(|(_, course)| course.curves.of(&tag)).collect(),
            tag,
        }
    };
    tags.into_iter().map(curve).collect()
}
