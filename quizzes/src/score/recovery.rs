//! Report and recovery, part R of the score: what a person wrote down about the attack, and whether the plant was put back.
//!
//! # Theory of operation
//! R is the mean of the elements that mean something in the run, each 0 to 100. Of the report: affected assets
//! (Jaccard), order of events (Kendall's tau), indicators (F1), root cause, and injects that asked for something (points
//! x 2^(-late/window)). Of recovery: setpoints as known good at the end, and the plant in its band for the last five
//! minutes. Source: the project's `scoring.md`, part R. Recovery of a controller's logic waits for logic that can be
//! loaded, and evidence that can be lost is not in the lab yet; both are left out, which renormalises.
//!
//! # Where the law leaves room
//! - Truth is what the role could see, as in part D. Affected assets are the targets of attack steps.
//! - Listed events are taken for the step that they fit best, in the order in which they are listed. Tau runs over as
//!   many events as there are steps or entries, whichever is more, so that neither gaps nor stuffing pay; below 0 it is 0.
//! - Indicators are the addresses of those who acted; whatever names the same host is the same indicator.
//! - The root cause is the earliest attack step; without one, the heaviest labelled event. Its verdict earns half, who did
//!   it and the technique a quarter each (without technique, the asset half). With the wrong verdict nothing counts.
//! - Recovery counts only what the attack broke where nobody acts, and only with a right call before the first change,
//!   as in part P: who rewrites nominal values on suspicion recovers from nothing.

use record::{EntityId, Role, TruthStep, Verdict};
use serde::{Deserialize, Serialize};

use super::lines::word;
use super::part::{Part, PartLine};
use super::rules::technique_quality;
use crate::names::EntityNames;

/// What a person handed in after the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedReport {
    /// What was attacked.
    pub assets: Vec<EntityId>,
    /// What happened, first things first.
    pub events: Vec<ReportedEvent>,
    /// Addresses, names, hashes, domains: canonical where the run knows them, else as written.
    pub indicators: Vec<String>,
    /// What it came from.
    pub root_cause: Option<RootCause>,
}

/// One entry of the order of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedEvent {
    /// On what, or by whom.
    pub entity: EntityId,
    /// An id, a tactic or nothing.
    pub technique: Option<String>,
}

/// What it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootCause {
    /// Attack, fault or authorised.
    pub verdict: Verdict,
    /// Who began it, or on what it began.
    pub entity: Option<EntityId>,
    /// How.
    pub technique: Option<String>,
}

/// An inject that asked for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Inject {
    /// Its name.
    pub name: String,
    /// What it is worth.
    pub points: f64,
    /// How long after it was due it was answered, s, 0 if in time; `None` where it never was.
    pub late_s: Option<f64>,
    /// The span in which its worth halves, s.
    pub window_s: f64,
}

/// How the plant was left, against the run without the attack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Setpoints that the attack leaves wrong where nobody acts.
    pub broken: Vec<String>,
    /// Those of them that stand at the end of this run as they would without the attack.
    pub restored: Vec<String>,
    /// Alarms that stand in the last five minutes where nobody acts, and not without the attack.
    pub upset: Vec<String>,
    /// Those that stand in the last five minutes of this run, and not without the attack.
    pub still_upset: Vec<String>,
    /// Whether a right call came before the first change, if there was any.
    pub justified: bool,
}

/// Everything that part R depends on.
#[derive(Clone, Copy, Debug)]
pub struct ReportInput<'a> {
    /// What happened.
    pub truth: &'a [TruthStep],
    /// Who looked.
    pub role: Role,
    /// Names of the run.
    pub names: &'a EntityNames,
    /// What was handed in; `None` where nothing was asked for.
    pub handed: Option<&'a HandedReport>,
    /// What injects asked for.
    pub injects: &'a [Inject],
    /// How the plant was left; `None` where nobody could act.
    pub recovery: Option<&'a Recovery>,
    /// Whether evidence was destroyed before it was captured.
    pub evidence_destroyed: bool,
}

/// One element: 0 to 1, with its sentences.
struct Element {
    share: f64,
    what: String,
    why: String,
}

/// Highest R where evidence was destroyed.
const WITHOUT_EVIDENCE: f64 = 50.0;

/// Scores part R. Left out where no element means anything.
pub fn report_and_recovery(input: &ReportInput<'_>) -> Part {
    let mut elements = Vec::new();
    let seen: Vec<&TruthStep> =
        input.truth.iter().filter(|step| step.observable_by(input.role).is_some()).collect();
    if let Some(handed) = input.handed {
        let attack: Vec<&TruthStep> =
            seen.iter().copied().filter(|step| step.verdict == Verdict::Attack).collect();
        if !attack.is_empty() {
            elements.push(assets(&attack, handed, input.names));
            elements.push(order(&attack, handed, input.names));
            elements.extend(indicators(&attack, handed, input.names));
        }
        elements.extend(root_cause(&seen, handed, input.names));
    }
    elements.extend(injects(input.injects));
    elements.extend(input.recovery.into_iter().flat_map(recovered));
    let count = elements.len();
    if count == 0 {
        return Part::left_out("left out: nothing was asked for, and there was nothing to put back");
    }
    let mut part = Part { points: Some(0.0), lines: Vec::new() };
    for Element { share, what, why } in elements {
        let why = format!("{why}; {:.0} % of one of {count} equal elements", 100.0 * share);
        part.add(100.0 * share / count as f64, (what, why));
    }
    if input.evidence_destroyed {
        let what = "evidence was destroyed before it was captured".to_owned();
        part.cap(WITHOUT_EVIDENCE, (what, "R is at most 50".to_owned()));
    }
    part
}

fn assets(attack: &[&TruthStep], handed: &HandedReport, names: &EntityNames) -> Element {
    let right = distinct(attack.iter().map(|step| names.canonical(&step.target)));
    let named = distinct(handed.assets.iter().map(|asset| names.canonical(asset)));
    let hits = named.iter().filter(|asset| right.contains(asset)).count();
    let all = right.len() + named.len() - hits;
    let missing: Vec<String> =
        right.iter().filter(|it| !named.contains(it)).map(ToString::to_string).collect();
    let extra: Vec<String> = named.iter().filter(|it| !right.contains(it)).map(ToString::to_string).collect();
    Element {
        share: hits as f64 / all as f64,
        what: format!("{hits} of {} affected assets named", right.len()),
        why: format!("Jaccard: {hits} named rightly of {all} named or affected{}", apart(&missing, &extra)),
    }
}

fn apart(missing: &[String], extra: &[String]) -> String {
    let mut text = String::new();
    for (word, list) in [("missing", missing), ("too much", extra)] {
        if !list.is_empty() {
            text.push_str("; ");
            text.push_str(word);
            text.push_str(": ");
            text.push_str(&PartLine::some_of(list));
        }
    }
    text
}

fn order(attack: &[&TruthStep], handed: &HandedReport, names: &EntityNames) -> Element {
    let mut steps: Vec<&TruthStep> = attack.to_vec();
    steps.sort_by_key(|step| (step.start, &step.step));
    let entities: Vec<Vec<EntityId>> =
        steps.iter().map(|step| distinct(step.entities().iter().map(|it| names.canonical(it)))).collect();
    let mut free = vec![true; steps.len()];
    let mut placed: Vec<usize> = Vec::new();
    for event in &handed.events {
        let entity = names.canonical(&event.entity);
        let quality = |index: usize| technique_quality(event.technique.as_deref(), &steps[index].techniques);
        let fits = (0..steps.len()).filter(|index| free[*index] && entities[*index].contains(&entity));
        // The best technique; of equals the earliest step.
        let best = fits.max_by(|a, b| quality(*a).total_cmp(&quality(*b)).then(b.cmp(a)));
        if let Some(index) = best {
            free[index] = false;
            placed.push(index);
        }
    }
    let all = steps.len().max(handed.events.len());
    let share = if all < 2 {
        placed.len() as f64
    } else {
        let mut sum = 0.0;
        for (position, first) in placed.iter().enumerate() {
            for second in &placed[position + 1..] {
                sum += if steps[*first].start <= steps[*second].start { 1.0 } else { -1.0 };
            }
        }
        (2.0 * sum / (all * (all - 1)) as f64).max(0.0)
    };
    Element {
        share,
        what: format!("{} of {} steps in the order of events", placed.len(), steps.len()),
        why: format!(
            "Kendall's tau over {all} events, what is missing or fits nothing counting as unordered"
        ),
    }
}

fn indicators(attack: &[&TruthStep], handed: &HandedReport, names: &EntityNames) -> Option<Element> {
    let sources = attack.iter().filter_map(|step| step.source.as_ref());
    let right = distinct(sources.map(|source| names.canonical(source).to_string()));
    if right.is_empty() {
        return None;
    }
    let canonical = |text: &String| names.resolve(text).map_or_else(|_| text.clone(), |it| it.to_string());
    let named = distinct(handed.indicators.iter().map(canonical));
    let hits = named.iter().filter(|it| right.contains(it)).count();
    let missing: Vec<String> = right.iter().filter(|it| !named.contains(it)).cloned().collect();
    let extra: Vec<String> = named.iter().filter(|it| !right.contains(it)).cloned().collect();
    Some(Element {
        share: 2.0 * hits as f64 / (named.len() + right.len()) as f64,
        what: format!("{hits} of {} indicators named", right.len()),
        why: format!(
            "F1 of {} named against {} who acted{}",
            named.len(),
            right.len(),
            apart(&missing, &extra)
        ),
    })
}

fn root_cause(seen: &[&TruthStep], handed: &HandedReport, names: &EntityNames) -> Option<Element> {
    let attack = seen.iter().filter(|step| step.verdict == Verdict::Attack).min_by_key(|step| step.start);
    let heaviest = || seen.iter().max_by(|a, b| a.severity.cmp(&b.severity).then(b.start.cmp(&a.start)));
    let cause = attack.or_else(heaviest)?;
    let truth = format!("it began with {} ({}): {}", cause.step, word(cause.verdict), cause.summary);
    let Some(given) = &handed.root_cause else {
        return Some(Element { share: 0.0, what: "no root cause named".to_owned(), why: truth });
    };
    if given.verdict != cause.verdict {
        let what = format!("the root cause is not {}", word(given.verdict));
        return Some(Element { share: 0.0, what, why: truth });
    }
    let begun: Vec<EntityId> = cause.source.iter().chain(std::iter::once(&cause.target)).cloned().collect();
    let begun = distinct(begun.iter().map(|it| names.canonical(it)));
    let is_entity = given.entity.as_ref().is_some_and(|it| begun.contains(&names.canonical(it)));
    let of_technique = if cause.verdict == Verdict::Attack {
        let given = given.technique.as_deref();
        Some(given.map_or(0.0, |id| (technique_quality(Some(id), &cause.techniques) - 0.6) / 0.4))
    } else {
        None
    };
    let of_entity = if is_entity { 1.0 } else { 0.0 };
    let share = 0.5 + of_technique.map_or(0.5 * of_entity, |quality| 0.25 * (of_entity + quality));
    let mut what = format!("the root cause is {}", word(given.verdict));
    what.push_str(if is_entity { ", at the right place" } else { ", but not there" });
    if let Some(quality) = of_technique {
        what.push_str(if quality >= 1.0 { ", by that technique" } else { ", by another technique" });
    }
    Some(Element { share, what, why: truth })
}

/// What is left of an inject's points: half per window that it was late.
pub fn inject_share(inject: &Inject) -> f64 {
    match inject.late_s {
        Some(late) if inject.window_s > 0.0 => libm::exp2(-late.max(0.0) / inject.window_s),
        Some(late) if late <= 0.0 => 1.0,
        _ => 0.0,
    }
}

fn injects(injects: &[Inject]) -> Option<Element> {
    let all: f64 = injects.iter().map(|inject| inject.points).sum();
    if all <= 0.0 {
        return None;
    }
    let earned: f64 = injects.iter().map(|inject| inject.points * inject_share(inject)).sum();
    let answered = injects.iter().filter(|inject| inject.late_s.is_some()).count();
    let late: Vec<String> = injects
        .iter()
        .filter(|inject| inject_share(inject) < 1.0)
        .map(|inject| match inject.late_s {
            Some(late) => format!("{} {late:.0} s late", inject.name),
            None => format!("{} never", inject.name),
        })
        .collect();
    let late = if late.is_empty() { "all in time".to_owned() } else { PartLine::some_of(&late) };
    Some(Element {
        share: earned / all,
        what: format!("{answered} of {} injects answered", injects.len()),
        why: format!("each loses half its points per window that it is late: {late}"),
    })
}

fn recovered(recovery: &Recovery) -> Vec<Element> {
    let unjustified = "but the plant was changed, or its own talk cut, with no right call before it, which recovers from nothing";
    let mut elements = Vec::new();
    let mut push = |share: f64, what: String, why: String| {
        let (share, why) =
            if recovery.justified { (share, why) } else { (0.0, format!("{why}, {unjustified}")) };
        elements.push(Element { share, what, why });
    };
    if !recovery.broken.is_empty() {
        let wrong: Vec<String> =
            recovery.broken.iter().filter(|tag| !recovery.restored.contains(tag)).cloned().collect();
        let right = recovery.broken.len() - wrong.len();
        let why = if wrong.is_empty() {
            "at the end they stand as without the attack".to_owned()
        } else {
            format!("at the end these do not stand as without the attack: {}", PartLine::some_of(&wrong))
        };
        let what = format!("{right} of {} setpoints as known good", recovery.broken.len());
        push(right as f64 / recovery.broken.len() as f64, what, why);
    }
    if !recovery.upset.is_empty() {
        let well = recovery.still_upset.is_empty();
        let why = if well {
            "where nobody acts there are alarms then that the attack brought about, and here there are none"
                .to_owned()
        } else {
            format!(
                "these alarms would not be there without the attack: {}",
                PartLine::some_of(&recovery.still_upset)
            )
        };
        let what = if well { "the plant was in its band" } else { "the plant was not in its band" };
        push(f64::from(u8::from(well)), format!("{what} for the last five minutes"), why);
    }
    elements
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}
