//! Cases: what a matched call claims of its campaign, and what later calls of its case revise.
//!
//! # Theory of operation
//! A call that matches a step claims every other step of the campaign that could be seen by then and shares an entity
//! with it, at the quality of a right asset and with timeliness counted from each step's own first sight. Calls that
//! share a case are then gone through in order of time. The first to speak of a step (by claim or by match) is its
//! *anchor*; the next one that names a technique for it revises it, once, at the anchor's timeliness; each further one
//! costs as a false call. A call that found its own match is never a false call, and its technique counts as the
//! revision where an earlier call of the case had anchored the step.

use std::collections::{BTreeMap, BTreeSet};

use super::event::{Event, Match, Seen, Through};
use super::rules::{QUALITY_ASSET, claim_credit, credit, technique_quality};
use super::{Form, ScoreInput};

/// Where the credit of a step may come from, besides its own match.
#[derive(Clone, Copy)]
pub(super) struct Claimed {
    /// Number of the call that claims or anchors.
    pub(super) by: usize,
    /// Number of the call that revised the technique.
    pub(super) revised_by: Option<usize>,
    pub(super) quality: f64,
    pub(super) timeliness: f64,
    pub(super) credit: f64,
}

/// What became of a call that matched nothing of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseRole {
    /// It revises the step's technique.
    Revises(usize),
    /// It spoke of the step first; a later call of its case was matched to it.
    Anchors(usize),
    /// The step's technique was revised before.
    RevisesAgain(usize),
}

/// The first word of a case on a step.
#[derive(Clone, Copy)]
enum Anchor {
    Claim { by: usize, timeliness: f64 },
    Match { by: usize, f1: f64, timeliness: f64 },
}

/// What cases come to.
pub(super) struct Cases {
    /// For each event the best credit by claim or revision, where there is one.
    pub(super) best: Vec<Option<Claimed>>,
    /// Role of calls without a match of their own.
    pub(super) roles: BTreeMap<usize, CaseRole>,
}

struct Ledger<'s, 'a> {
    input: &'s ScoreInput<'a>,
    events: &'s [Event<'a>],
    calls: &'s [Seen<'a>],
    matched: &'s [Option<(usize, Match<'a>)>],
    cases: Cases,
}

/// Goes through claims and cases. `matched` has, for each event, the call it was matched to.
pub(super) fn settle<'a>(
    input: &ScoreInput<'a>,
    events: &[Event<'a>],
    calls: &[Seen<'a>],
    matched: &[Option<(usize, Match<'a>)>],
) -> Cases {
    let cases = Cases { best: vec![None; events.len()], roles: BTreeMap::new() };
    let mut ledger = Ledger { input, events, calls, matched, cases };
    for number in 0..calls.len() {
        for (event, timeliness) in ledger.claims_of(number) {
            ledger.offer_claim(event, number, None, QUALITY_ASSET, timeliness);
        }
    }
    let mut by_case: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, seen) in calls.iter().enumerate() {
        if let Some(case) = &seen.call.case {
            by_case.entry(case).or_default().push(number);
        }
    }
    for members in by_case.values_mut() {
        if input.form == Form::Live {
            members.sort_by_key(|number| (calls[*number].call.t, calls[*number].call.id));
        }
        ledger.go_through(members);
    }
    ledger.cases
}

impl<'a> Ledger<'_, 'a> {
    /// The attack step that a call matched itself, not by a consequence.
    fn own_step(&self, number: usize) -> Option<(usize, Match<'a>)> {
        self.matched.iter().enumerate().find_map(|(event, found)| {
            found
                .filter(|(call, found)| *call == number && matches!(found.by, Through::Step))
                .filter(|_| self.events[event].is_attack())
                .map(|(_, found)| (event, found))
        })
    }

    /// Steps that a call claims, with what is left of their worth.
    fn claims_of(&self, number: usize) -> Vec<(usize, f64)> {
        let Some((own, _)) = self.own_step(number) else { return Vec::new() };
        let seen = &self.calls[number];
        let campaign = &self.events[own].truth.campaign;
        let claimed = self.events.iter().enumerate().filter(|(event, other)| {
            *event != own
                && other.is_attack()
                && other.truth.campaign == *campaign
                && (self.input.form == Form::Offline || other.observable <= seen.call.t)
                && other.shares_an_entity_with(seen)
        });
        claimed.map(|(event, other)| (event, other.timeliness(seen.call, self.input))).collect()
    }

    fn offer(&mut self, event: usize, offer: Claimed) {
        if self.cases.best[event].is_none_or(|best| offer.credit > best.credit) {
            self.cases.best[event] = Some(offer);
        }
    }

    fn offer_claim(
        &mut self,
        event: usize,
        by: usize,
        revised_by: Option<usize>,
        quality: f64,
        timeliness: f64,
    ) {
        let credit = claim_credit(self.events[event].weight, quality, timeliness);
        if credit > 0.0 {
            self.offer(event, Claimed { by, revised_by, quality, timeliness, credit });
        }
    }

    /// The credit of a step whose anchor gets the technique of a later call.
    fn revised(&self, event: usize, anchor: Anchor, later: usize) -> Claimed {
        let given = self.calls[later].call.technique.as_deref();
        let quality = technique_quality(given, &self.events[event].truth.techniques);
        let weight = self.events[event].weight;
        let revised_by = Some(later);
        match anchor {
            Anchor::Claim { by, timeliness } => {
                let credit = claim_credit(weight, quality, timeliness);
                Claimed { by, revised_by, quality, timeliness, credit }
            }
            Anchor::Match { by, f1, timeliness } => {
                let quality = quality * f1;
                let credit = credit(weight, quality, timeliness, self.calls[by].call.confidence);
                Claimed { by, revised_by, quality, timeliness, credit }
            }
        }
    }

    /// Attack steps that a call points at with the right verdict.
    fn meant_by(&self, number: usize) -> Vec<(usize, Match<'a>)> {
        let on_step = |event: &Event<'a>| {
            event.match_with(&self.calls[number], self.input).filter(|m| matches!(m.by, Through::Step))
        };
        let meant = self.events.iter().enumerate().filter(|(_, event)| event.is_attack());
        meant.filter_map(|(number, event)| on_step(event).map(|found| (number, found))).collect()
    }

    /// Goes through the calls of one case in order.
    fn go_through(&mut self, members: &[usize]) {
        let mut anchors: BTreeMap<usize, Anchor> = BTreeMap::new();
        let mut revised: BTreeSet<usize> = BTreeSet::new();
        for (position, &number) in members.iter().enumerate() {
            let names_technique = self.calls[number].call.technique.is_some();
            if let Some((event, found)) = self.own_step(number) {
                match anchors.get(&event) {
                    Some(&anchor) if names_technique && revised.insert(event) => {
                        self.offer(event, self.revised(event, anchor, number));
                    }
                    Some(_) => {}
                    None => {
                        let Match { f1, timeliness, .. } = found;
                        anchors.insert(event, Anchor::Match { by: number, f1, timeliness });
                    }
                }
                for (claimed, timeliness) in self.claims_of(number) {
                    anchors.entry(claimed).or_insert(Anchor::Claim { by: number, timeliness });
                }
            } else if !self.matched.iter().flatten().any(|(call, _)| *call == number) {
                self.take_unmatched(number, &members[position + 1..], &mut anchors, &mut revised);
            }
        }
    }

    /// A call of a case that has no match of its own: a revision, an anchor, or neither.
    fn take_unmatched(
        &mut self,
        number: usize,
        later: &[usize],
        anchors: &mut BTreeMap<usize, Anchor>,
        revised: &mut BTreeSet<usize>,
    ) {
        let meant = self.meant_by(number);
        let anchored: Vec<(usize, Claimed)> = meant
            .iter()
            .filter_map(|(event, _)| {
                anchors.get(event).map(|anchor| (*event, self.revised(*event, *anchor, number)))
            })
            .collect();
        if self.calls[number].call.technique.is_some()
            && let Some((first, _)) = anchored.first()
        {
            // The step that gains most; the earlier one where two gain the same.
            let free = anchored.iter().filter(|(event, _)| !revised.contains(event));
            let best = free.fold(None::<(f64, usize, Claimed)>, |best, &(event, offer)| {
                let gain = offer.credit - self.standing(event);
                if best.is_none_or(|(most, ..)| gain > most) { Some((gain, event, offer)) } else { best }
            });
            let role = if let Some((_, event, offer)) = best {
                revised.insert(event);
                self.offer(event, offer);
                CaseRole::Revises(event)
            } else {
                CaseRole::RevisesAgain(*first)
            };
            self.cases.roles.insert(number, role);
            return;
        }
        // Matching preferred a later call of the same case: then this one came first and the later one revises it.
        let outdone = meant.into_iter().find(|(event, _)| {
            !anchors.contains_key(event)
                && self.matched[*event].is_some_and(|(call, _)| {
                    later.contains(&call) && self.calls[call].call.technique.is_some()
                })
        });
        if let Some((event, Match { f1, timeliness, .. })) = outdone {
            anchors.insert(event, Anchor::Match { by: number, f1, timeliness });
            self.cases.roles.insert(number, CaseRole::Anchors(event));
        }
    }

    /// What a step has earned so far.
    fn standing(&self, event: usize) -> f64 {
        let own = self.matched[event].map_or(0.0, |(_, found)| found.credit);
        self.cases.best[event].map_or(own, |best| best.credit.max(own))
    }
}
