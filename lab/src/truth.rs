//! Completes ground truth with what lies in the plant: limits and consequences.

use record::{Channel, Consequence, EntityId, Role, TruthStep, Verdict, VirtualTime};
use scenarios::Plan;
use sim::{PlantEvent, PlantEventKind};

use crate::twin::Fate;

/// Fills in, for each step, when the twin in which nobody acts crosses the step's limit, and what happened in this
/// run because of it.
///
/// A consequence is an alarm, trip, switch or limit that the clean twin does not have. It belongs to the latest step
/// that had begun and leads to a limit; without one, to the latest step. Alarms on the points of a fault or of an
/// authorised act belong to it.
pub(crate) fn complete(truth: &mut [TruthStep], plan: &Plan, actual: &Fate, none: &Fate, clean: &Fate) {
    for step in truth.iter_mut() {
        let limit = plan.event(&step.step).and_then(|event| event.limit.as_deref());
        step.limit_time = limit.and_then(|limit| none.crossing(limit)).filter(|at| *at >= step.start);
    }
    for event in actual.events.iter().filter(|event| is_consequence(event.kind)) {
        let is_the_attacks = !has_like(&clean.events, event);
        if let Some(index) = cause_of(truth, plan, event, is_the_attacks) {
            let point = EntityId::point(event.instrument.clone());
            let step = &mut truth[index];
            step.consequences.push(Consequence { name: event.message.clone(), point, time: event.time });
        }
    }
    for step in truth.iter_mut().filter(|step| step.verdict == Verdict::Fault) {
        show_fault(step);
    }
}

/// An operator sees a fault at the latest when its first alarm comes up.
fn show_fault(step: &mut TruthStep) {
    if let Some(first) = step.consequences.iter().map(|consequence| consequence.time).min() {
        let seen = step.observable.entry(Role::Operator).or_default().entry(Channel::Hmi).or_insert(first);
        *seen = first.min(*seen);
    }
}

fn is_consequence(kind: PlantEventKind) -> bool {
    matches!(
        kind,
        PlantEventKind::AlarmRaised
            | PlantEventKind::Tripped
            | PlantEventKind::SwitchOperated
            | PlantEventKind::LimitCrossed
            | PlantEventKind::SuctionLost
    )
}

/// Whether a twin has the same report within a minute.
fn has_like(events: &[PlantEvent], wanted: &PlantEvent) -> bool {
    const NEAR_S: f64 = 60.0;
    events.iter().any(|event| {
        event.kind == wanted.kind
            && event.tag == wanted.tag
            && (event.time.as_secs_f64() - wanted.time.as_secs_f64()).abs() <= NEAR_S
    })
}

fn cause_of(truth: &[TruthStep], plan: &Plan, event: &PlantEvent, is_the_attacks: bool) -> Option<usize> {
    let has_limit = |step: &TruthStep| plan.event(&step.step).is_some_and(|event| event.limit.is_some());
    let latest = |fits: &dyn Fn(&TruthStep) -> bool| {
        let mut found: Option<(VirtualTime, usize)> = None;
        for (index, step) in truth.iter().enumerate() {
            if step.start <= event.time && fits(step) && found.is_none_or(|(start, _)| step.start >= start) {
                found = Some((step.start, index));
            }
        }
        found.map(|(_, index)| index)
    };
    if is_the_attacks {
        return latest(&|step| step.verdict == Verdict::Attack && has_limit(step))
            .or_else(|| latest(&|step| step.verdict == Verdict::Attack));
    }
    let shows_on = EntityId::point(event.instrument.clone());
    latest(&|step| {
        step.verdict != Verdict::Attack
            && (step.points.contains(&shows_on) || step.target == shows_on || has_limit(step))
    })
}
