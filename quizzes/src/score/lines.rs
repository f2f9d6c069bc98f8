//! The sentences: what happened to each step and each call, and why it gives the points it gives.

use record::{Confidence, Verdict, VirtualTime, attack};

use super::cases::{CaseRole, Claimed};
use super::event::{Event, Match, Through};
use super::rules;
use super::{Account, Fate, Form, Line, Outcome, Source, Subject};

impl Account<'_, '_> {
    pub(super) fn step_line(&self, number: usize, points: f64, attacked: bool) -> Line {
        let event = &self.events[number];
        let subject = Subject::Step(event.truth.step.clone());
        let source = self.source(number);
        let by = source.map(|source| match source {
            Source::Match(call, _) => self.id(call),
            Source::Case(case) => self.id(case.by),
        });
        let (outcome, what, why) = match source {
            Some(Source::Match(call, own)) => {
                let (outcome, what) = match own.by {
                    Through::Step => {
                        (Outcome::Found, format!("call {} has it: {}", self.id(call), told(event)))
                    }
                    Through::Consequence(name) => (
                        Outcome::Consequence,
                        format!("call {} has what it brought about ({name}): {}", self.id(call), told(event)),
                    ),
                };
                (
                    outcome,
                    what,
                    if attacked { self.why_match(event, call, own) } else { RIGHT_WITHOUT_ATTACK.into() },
                )
            }
            Some(Source::Case(case)) => self.told_of_case(event, case),
            None => (
                Outcome::Missed,
                format!("no call has it: {}", told(event)),
                format!(
                    "{} could be seen from {} on; weight {}",
                    if event.is_attack() { "it" } else { "this harmless event" },
                    clock(event.observable),
                    event.weight
                ),
            ),
        };
        Line { subject, outcome, call: by, points, what, why }
    }

    fn why_match(&self, event: &Event<'_>, call: usize, own: Match<'_>) -> String {
        let given = self.calls[call].call;
        let quality = match own.by {
            Through::Consequence(_) => format!("{} for a consequence", rules::QUALITY_CONSEQUENCE),
            Through::Step if event.is_attack() => {
                format!(
                    "{} x F1 {:.2} of its entities",
                    technique_words(given.technique.as_deref(), own.technique),
                    own.f1
                )
            }
            Through::Step => {
                format!("right verdict ({}) x F1 {:.2} of its entities", word(given.verdict), own.f1)
            }
        };
        let bonus = if own.timeliness > 0.0 { rules::bonus(given.confidence) } else { 0.0 };
        format!(
            "weight {} x (0.8 x {quality} x {} + {bonus:.2} for {} confidence)",
            event.weight,
            self.when(event, call, own.timeliness),
            confidence_word(given.confidence),
        )
    }

    fn told_of_case(&self, event: &Event<'_>, case: Claimed) -> (Outcome, String, String) {
        let when = self.when(event, case.by, case.timeliness);
        let weight = event.weight;
        match case.revised_by {
            None => (
                Outcome::Claimed,
                format!("call {} claims it with the rest of its story: {}", self.id(case.by), told(event)),
                format!(
                    "weight {weight} x 0.8 x {:.2} for a claim x {when}; no bonus: the call names another step of the same campaign",
                    case.quality
                ),
            ),
            Some(later) => (
                Outcome::Revised,
                format!(
                    "call {} spoke of it first and call {} of the same case named the technique: {}",
                    self.id(case.by),
                    self.id(later),
                    told(event)
                ),
                format!(
                    "weight {weight} x {:.2}: quality {:.2} after the revision x {when}, counted from the earlier call",
                    if weight > 0.0 { case.credit / weight } else { 0.0 },
                    case.quality
                ),
            ),
        }
    }

    /// The factor for time in words.
    fn when(&self, event: &Event<'_>, call: usize, timeliness: f64) -> String {
        let call = self.calls[call].call;
        match self.input.form {
            Form::Offline => format!("{timeliness:.2} for how well the interval covers it"),
            Form::Live => format!(
                "{timeliness:.2} for {} after it could be seen (half is lost each {})",
                span(call.t.since(event.observable).as_secs_f64()),
                span(event.horizon_s)
            ),
        }
    }

    pub(super) fn call_line(&self, call: usize, fate: Fate<'_>, points: f64, weight: f64) -> Line {
        let given = self.calls[call].call;
        let named: Vec<String> = self.calls[call].entities.iter().map(ToString::to_string).collect();
        let about = format!(
            "call {} ({}, {} confidence, {} to {}) on {}",
            given.id,
            word(given.verdict),
            confidence_word(given.confidence),
            clock(given.interval[0]),
            clock(given.interval[1]),
            named.join(", ")
        );
        let (what, reason) = self.told_of_fate(fate);
        let why = if fate.costs() {
            format!(
                "{reason}; costs {:.2} for {} confidence x {weight:.2}, the scenario's mean weight",
                rules::cost(given.confidence),
                confidence_word(given.confidence)
            )
        } else {
            reason
        };
        let outcome = match fate {
            Fate::Case(CaseRole::Revises(_)) => Outcome::Revised,
            fate if fate.costs() => Outcome::False,
            _ => Outcome::Neutral,
        };
        let subject = Subject::Call(given.id);
        Line { subject, outcome, call: None, points, what: format!("{about}: {what}"), why }
    }

    fn told_of_fate(&self, fate: Fate<'_>) -> (String, String) {
        let name = |event: usize| self.events[event].truth.step.as_str();
        match fate {
            Fate::Case(CaseRole::Revises(event)) => (
                format!("revises the technique of {}", name(event)),
                "a case may revise each step once; the points stand with the step".into(),
            ),
            Fate::Case(CaseRole::Anchors(event)) => (
                format!("spoke of {} first; a later call of the same case revised it", name(event)),
                "the points stand with the step".into(),
            ),
            Fate::Case(CaseRole::RevisesAgain(event)) => (
                format!("revises {} again", name(event)),
                "each step may be revised once per case".into(),
            ),
            Fate::OnConsequence(event, what) => (
                format!("names {what}, which {} brought about", name(event)),
                "a call on a consequence is never a false call; the step has better credit or the verdict was wrong".into(),
            ),
            Fate::Accuses(event) => (
                format!("this was {}: {}", benign_words(&self.events[event]), told(&self.events[event])),
                "calling harmless work an attack is a false call".into(),
            ),
            Fate::Misjudges(event) => (
                format!("this was {}: {}", benign_words(&self.events[event]), told(&self.events[event])),
                "the verdict is wrong, but nobody was accused: it earns nothing and costs nothing".into(),
            ),
            Fate::Unseen => (
                "right, but your role had no way to see it".into(),
                "a step that the role cannot see is left out of the score on both sides".into(),
            ),
            Fate::Repeats(event) => (
                format!("{} has a call already", name(event)),
                "calls and steps are matched one to one; to add to an earlier call, share its case and name a technique".into(),
            ),
            Fate::Excuses(event) => (
                format!("this was an attack: {}", told(&self.events[event])),
                "an attack taken for something harmless matches nothing".into(),
            ),
            Fate::Nothing => (
                "nothing that happened then fits it".into(),
                "a match needs the step's target or one of its points, an interval within 30 s of the step, and a call after it could be seen".into(),
            ),
        }
    }

    /// A last line where the sum of the others is not D.
    pub(super) fn total_line(lines: &[Line], detect: Option<f64>, attacked: bool) -> Option<Line> {
        let subject = Subject::Total;
        let Some(detect) = detect else {
            let what = "part D is left out".to_owned();
            let why = "there was an attack, but this role could see no step of it".to_owned();
            return Some(Line { subject, outcome: Outcome::Base, call: None, points: 0.0, what, why });
        };
        let sum: f64 = lines.iter().map(|line| line.points).sum();
        let points = detect - sum;
        if !attacked {
            let what = "there was no attack".to_owned();
            let why =
                "a run without an attack starts at 100, and false calls take from it, down to 0".to_owned();
            return Some(Line { subject, outcome: Outcome::Base, call: None, points, what, why });
        }
        (points.abs() > 1e-9).then(|| {
            let what = "the false calls cost more than was earned".to_owned();
            let why = "D is never below 0".to_owned();
            Line { subject, outcome: Outcome::Base, call: None, points, what, why }
        })
    }

    fn id(&self, call: usize) -> u64 {
        self.calls[call].call.id
    }
}

const RIGHT_WITHOUT_ATTACK: &str = "right; in a run without an attack only false calls count";

fn told(event: &Event<'_>) -> String {
    let ticket = event.truth.ticket.as_ref().map_or(String::new(), |ticket| format!(" (ticket {ticket})"));
    format!(
        "{} [{}, {} into the run]{ticket}",
        event.truth.summary,
        event.truth.step,
        clock(event.truth.start)
    )
}

fn benign_words(event: &Event<'_>) -> &'static str {
    match event.truth.verdict {
        Verdict::Fault => "a fault",
        Verdict::Authorised => "authorised work or an authorised person's mistake",
        Verdict::Attack => "an attack",
    }
}

fn technique_words(given: Option<&str>, quality: f64) -> String {
    let name =
        given.map(|id| attack::technique(id).map_or(id.to_owned(), |t| format!("{} {}", t.id, t.name)));
    match name {
        None => format!("{quality} for the asset alone"),
        Some(name) if quality >= rules::QUALITY_TECHNIQUE => format!("{quality} for the technique {name}"),
        Some(name) if quality >= rules::QUALITY_TACTIC => format!("{quality} for the tactic ({name})"),
        Some(name) => format!("{quality} for the asset ({name} is not what was done)"),
    }
}

/// The word in files and sentences.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "attack",
        Verdict::Fault => "fault",
        Verdict::Authorised => "authorised",
    }
}

const fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Mid => "mid",
        Confidence::High => "high",
    }
}

/// `HH:MM:SS` since the start of the run.
pub(super) fn clock(time: VirtualTime) -> String {
    let text = time.to_string();
    text.split('.').next().unwrap_or_default().to_owned()
}

/// A span in words a person can follow: `20 s`, `12 min 30 s`, `1 h 5 min`.
fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let spans: Vec<String> = [20.4, 60.0, 750.0, 3600.0, 3900.0].into_iter().map(span).collect();
        assert_eq!(spans, ["20 s", "1 min", "12 min 30 s", "1 h", "1 h 5 min"]);
    }
}
