//! The score. Here part D, detection: what a person called, against what happened; [`containment`] is C, [`process`] P,
//! [`recovery`] R, and [`total`] the whole.
//!
//! # Theory of operation
//! Truth is cut to the steps that the role could see. Every pair of a call and a step is looked at: may they be matched,
//! and what would that earn ([`rules`] has the figures)? The best one-to-one assignment is found exactly. Matched calls
//! then claim the rest of their campaign, and later calls of a case revise it. A step earns the best of its own match,
//! a claim and a revision; a call that came to nothing costs, unless the law says that it does not. What remains, over
//! the weight of all steps, is D. Each step and each call gets a line with its points and a sentence that says why; the
//! points of all lines add up to D.
//!
//! # Terms
//! *step*: an attack step or a labelled benign event. *timeliness* (tau): what is left of a step's worth when the call
//! comes, from 1 down to 0. *W*: the weight that a false call is charged with.
//!
//! # Where the law leaves room
//! - A controller and the host it answers on are one entity ([`crate::names`]).
//! - A call with a wrong verdict that is not *attack* on a benign event earns nothing and costs nothing.
//! - A call on a consequence of a benign event is never a false call either, unless it says *attack*.
//! - A right call on an attack step that the role could not see earns nothing and costs nothing.
//! - A consequence lasts to the end of the run, since no record says when it is over.

mod cases;
pub mod containment;
mod event;
mod lines;
mod matching;
pub mod part;
pub mod process;
pub mod recovery;
pub mod rules;
pub mod total;

use record::{Call, Role, TruthStep, Verdict, VirtualTime};
use serde::{Deserialize, Serialize};

use crate::names::EntityNames;
use cases::{CaseRole, Cases, Claimed};
use event::{Event, Match, Seen};
use matching::Candidate;

/// When the calls were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// While the run went on: the moment of each call counts.
    Live,
    /// Afterwards, from the record: only the interval counts.
    Offline,
}

/// Everything that a score depends on.
#[derive(Clone, Copy, Debug)]
pub struct ScoreInput<'a> {
    /// What happened.
    pub truth: &'a [TruthStep],
    /// What was handed in; ids must differ.
    pub calls: &'a [Call],
    /// Length of the run.
    pub duration: VirtualTime,
    /// Who looked.
    pub role: Role,
    /// When.
    pub form: Form,
    /// Names of the run.
    pub names: &'a EntityNames,
    /// W, fixed per scenario: [`false_call_weight`] of the do-nothing twin's truth. `None` takes this run's truth.
    pub false_call_weight: Option<f64>,
}

/// What a line is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// A step or benign event, by name.
    Step(String),
    /// A call, by number.
    Call(u64),
    /// The whole score.
    Total,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A call named the step.
    Found,
    /// A call on another step of the campaign claimed it.
    Claimed,
    /// A later call of the case mended the technique.
    Revised,
    /// A call named what it brought about.
    Consequence,
    /// Nobody saw it.
    Missed,
    /// A call that costs.
    False,
    /// A call that neither earns nor costs.
    Neutral,
    /// The rounding of the whole: a floor or a base.
    Base,
}

/// One line of the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub subject: Subject,
    /// What became of it.
    pub outcome: Outcome,
    /// Of a step, the number of the call that earned the points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// Points of D; the sum over all lines is D.
    pub points: f64,
    /// What happened, in one sentence.
    pub what: String,
    /// Why it gives these points, in one sentence.
    pub why: String,
}

/// Figures beside the points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Attack steps that the role could see.
    pub attack_steps: usize,
    /// Those that a call named, on the step or by a consequence.
    pub found: usize,
    /// Those that earned by a claim alone.
    pub claimed: usize,
    /// Labelled benign events that the role could see.
    pub benign_events: usize,
    /// Those with the right verdict.
    pub benign_right: usize,
    /// Calls that cost.
    pub false_calls: usize,
    /// Share of calls that are right, of those that are right or cost; absent without any.
    pub precision: Option<f64>,
    /// Share of attack steps that were found or claimed; absent without an attack.
    pub recall: Option<f64>,
    /// Mean time from first sight to the call over the attack steps found, s; absent offline and where none was.
    pub mean_time_to_detect_s: Option<f64>,
}

/// Part D with its account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Who looked.
    pub role: Role,
    /// When the calls were made.
    pub form: Form,
    /// D, 0 to 100; absent where there was an attack but the role could see nothing of it.
    pub detect: Option<f64>,
    /// Sum of credits.
    pub earned: f64,
    /// Sum of costs.
    pub costs: f64,
    /// What credits are counted over: the weight of all steps, or the base of a run without an attack.
    pub possible: f64,
    /// W.
    pub false_call_weight: f64,
    /// Figures beside the points.
    pub metrics: Metrics,
    /// The account: steps in order of first sight, then calls by number, then the whole.
    pub lines: Vec<Line>,
}

/// W of a scenario: the mean weight of the attack steps in the truth of its do-nothing twin; 2 without any.
pub fn false_call_weight(truth: &[TruthStep]) -> f64 {
    let weights: Vec<f64> =
        truth.iter().filter(|s| s.verdict == Verdict::Attack).map(|s| f64::from(s.severity)).collect();
    if weights.is_empty() {
        rules::WEIGHT_WITHOUT_ATTACK
    } else {
        weights.iter().sum::<f64>() / weights.len() as f64
    }
}

/// What a call came to that has no match of its own.
#[derive(Clone, Copy)]
enum Fate<'a> {
    Case(CaseRole),
    OnConsequence(usize, &'a str),
    /// *Attack* on a labelled benign event.
    Accuses(usize),
    /// A wrong verdict, not *attack*, on a labelled benign event.
    Misjudges(usize),
    /// Right, on an attack step that this role could not see.
    Unseen,
    /// Right, but the event was matched to another call.
    Repeats(usize),
    /// An attack step called a fault or authorised.
    Excuses(usize),
    Nothing,
}

impl Fate<'_> {
    const fn costs(self) -> bool {
        match self {
            Self::Case(CaseRole::Revises(_) | CaseRole::Anchors(_))
            | Self::OnConsequence(..)
            | Self::Misjudges(_)
            | Self::Unseen => false,
            Self::Case(CaseRole::RevisesAgain(_))
            | Self::Accuses(_)
            | Self::Repeats(_)
            | Self::Excuses(_)
            | Self::Nothing => true,
        }
    }
}

/// Scores detection.
pub fn score(input: &ScoreInput<'_>) -> Score {
    let events = Event::all(input);
    let calls = Seen::all(input);
    let mut candidates = Vec::new();
    for (step, event) in events.iter().enumerate() {
        for (call, seen) in calls.iter().enumerate() {
            if let Some(found) = event.match_with(seen, input) {
                candidates.push(Candidate { step, call, credit: found.credit });
            }
        }
    }
    let matched: Vec<Option<(usize, Match<'_>)>> = matching::assign(events.len(), &candidates)
        .into_iter()
        .enumerate()
        .map(|(step, call)| call.and_then(|call| Some((call, events[step].match_with(&calls[call], input)?))))
        .collect();
    let cases = cases::settle(input, &events, &calls, &matched);
    let fates: Vec<Option<Fate<'_>>> =
        (0..calls.len()).map(|call| fate(input, &events, &calls, &matched, &cases, call)).collect();
    Account { input, events: &events, calls: &calls, matched: &matched, cases: &cases, fates: &fates }.close()
}

/// What a call without a match of its own came to; `None` for a matched one.
fn fate<'a>(
    input: &ScoreInput<'a>,
    events: &[Event<'a>],
    calls: &[Seen<'a>],
    matched: &[Option<(usize, Match<'a>)>],
    cases: &Cases,
    call: usize,
) -> Option<Fate<'a>> {
    if matched.iter().flatten().any(|(matched, _)| *matched == call) {
        return None;
    }
    if let Some(role) = cases.roles.get(&call) {
        return Some(Fate::Case(*role));
    }
    let seen = &calls[call];
    let verdict = seen.call.verdict;
    let consequence = events.iter().enumerate().find_map(|(number, event)| {
        let spared = event.is_attack() || verdict != Verdict::Attack;
        let name = event.consequence_meant_by(seen, input.form)?;
        spared.then_some(Fate::OnConsequence(number, name))
    });
    let meant: Vec<usize> =
        (0..events.len()).filter(|number| events[*number].is_meant_by(seen, input.form)).collect();
    let find = |right: &dyn Fn(Verdict) -> bool| {
        meant.iter().copied().find(|number| right(events[*number].truth.verdict))
    };
    let on_step = find(&|truth| truth == verdict)
        .map(Fate::Repeats)
        .or_else(|| {
            find(&|truth| truth != Verdict::Attack).map(if verdict == Verdict::Attack {
                Fate::Accuses
            } else {
                Fate::Misjudges
            })
        })
        .or_else(|| find(&|truth| truth == Verdict::Attack).map(Fate::Excuses));
    let unseen = || {
        let hidden = input
            .truth
            .iter()
            .filter(|truth| truth.verdict == Verdict::Attack && truth.observable_by(input.role).is_none());
        let mut hidden = hidden.map(|truth| Event::new(input, truth, truth.start));
        (verdict == Verdict::Attack && hidden.any(|event| event.is_meant_by(seen, input.form)))
            .then_some(Fate::Unseen)
    };
    Some(consequence.or(on_step).or_else(unseen).unwrap_or(Fate::Nothing))
}

/// Everything settled, to be added up.
struct Account<'s, 'a> {
    input: &'s ScoreInput<'a>,
    events: &'s [Event<'a>],
    calls: &'s [Seen<'a>],
    matched: &'s [Option<(usize, Match<'a>)>],
    cases: &'s Cases,
    fates: &'s [Option<Fate<'a>>],
}

/// Where a step's credit came from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Match(usize, Match<'a>),
    Case(Claimed),
}

impl<'a> Account<'_, 'a> {
    /// The better of a step's own match and what its campaign's cases give it.
    fn source(&self, event: usize) -> Option<Source<'a>> {
        match (self.matched[event], self.cases.best[event]) {
            (Some((_, own)), Some(case)) if case.credit > own.credit => Some(Source::Case(case)),
            (Some((call, own)), _) => Some(Source::Match(call, own)),
            (None, case) => case.map(Source::Case),
        }
    }

    fn cost_of(&self, call: usize, weight: f64) -> f64 {
        match self.fates[call] {
            Some(fate) if fate.costs() => weight * rules::cost(self.calls[call].call.confidence),
            _ => 0.0,
        }
    }

    fn close(&self) -> Score {
        let input = self.input;
        let attacked = input.truth.iter().any(|truth| truth.verdict == Verdict::Attack);
        let weight = if attacked {
            input.false_call_weight.unwrap_or_else(|| false_call_weight(input.truth))
        } else {
            rules::WEIGHT_WITHOUT_ATTACK
        };
        let benign: f64 = self.events.iter().filter(|e| !e.is_attack()).map(|e| e.weight).sum();
        let all: f64 = self.events.iter().map(|e| e.weight).sum();
        let seen_attack = self.events.iter().any(Event::is_attack);
        let possible = if attacked { all } else { benign.max(3.0 * weight) };
        let credits: Vec<f64> = (0..self.events.len())
            .map(|event| match self.source(event) {
                _ if !attacked => 0.0,
                Some(Source::Match(_, own)) => own.credit,
                Some(Source::Case(case)) => case.credit,
                None => 0.0,
            })
            .collect();
        let earned: f64 = credits.iter().sum();
        let costs: f64 = (0..self.calls.len()).map(|call| self.cost_of(call, weight)).sum();
        let detect = if !attacked {
            Some(100.0 * (1.0 - costs / possible).max(0.0))
        } else if seen_attack {
            Some((100.0 * (earned - costs).max(0.0) / possible).min(100.0))
        } else {
            None
        };
        let per_point = if detect.is_some() { 100.0 / possible } else { 0.0 };
        let mut lines: Vec<Line> = (0..self.events.len())
            .map(|event| self.step_line(event, credits[event] * per_point, attacked))
            .collect();
        lines.extend((0..self.calls.len()).filter_map(|call| {
            self.fates[call]
                .map(|fate| self.call_line(call, fate, -self.cost_of(call, weight) * per_point, weight))
        }));
        lines.extend(Self::total_line(&lines, detect, attacked));
        let metrics = self.metrics(&credits);
        let (role, form) = (input.role, input.form);
        Score { role, form, detect, earned, costs, possible, false_call_weight: weight, metrics, lines }
    }

    fn metrics(&self, credits: &[f64]) -> Metrics {
        let mut metrics = Metrics::default();
        let mut delays = Vec::new();
        for (number, event) in self.events.iter().enumerate() {
            if !event.is_attack() {
                metrics.benign_events += 1;
                metrics.benign_right += usize::from(self.matched[number].is_some());
                continue;
            }
            metrics.attack_steps += 1;
            if let Some((call, _)) = self.matched[number] {
                metrics.found += 1;
                delays.push(self.calls[call].call.t.since(event.observable).as_secs_f64());
            } else if credits[number] > 0.0 {
                metrics.claimed += 1;
            }
        }
        let right = self.fates.iter().filter(|fate| fate.is_none()).count();
        metrics.false_calls = self.fates.iter().flatten().filter(|fate| fate.costs()).count();
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        metrics.precision = share(right, right + metrics.false_calls);
        metrics.recall = share(metrics.found + metrics.claimed, metrics.attack_steps);
        if self.input.form == Form::Live && !delays.is_empty() {
            metrics.mean_time_to_detect_s = Some(delays.iter().sum::<f64>() / delays.len() as f64);
        }
        metrics
    }
}
