//! The last page of the first shift: one verdict, one host, one frame, held against what happened.

use record::{EntityId, TruthStep, Verdict};
use serde::Serialize;

use crate::names::EntityNames;

/// What the player handed in.
#[derive(Clone, Debug)]
pub struct FirstShiftCall<'a> {
    /// Attack, fault or authorised work.
    pub verdict: Verdict,
    /// Which machine, as typed: a name, an address, a MAC address.
    pub host: &'a str,
    /// Which frame of `span.pcapng`, if any was named.
    pub frame: Option<u64>,
}

/// What was right, and the sentences that say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Debrief {
    /// Whether the verdict is right.
    pub verdict_right: bool,
    /// Whether the host is the one that did it, or the one it was done to.
    pub host_right: bool,
    /// Whether the frame shows it.
    pub frame_right: bool,
    /// One sentence on each of the three, then one that names what happened.
    pub sentences: Vec<String>,
}

/// Holds a player's three answers against a step of the truth.
pub fn debrief(truth: &TruthStep, call: &FirstShiftCall<'_>, names: &EntityNames) -> Debrief {
    let verdict_right = call.verdict == truth.verdict;
    let verdict = if verdict_right {
        format!("Your verdict is right: it was {}.", verdict_words(truth.verdict))
    } else {
        format!("You said {}; it was {}.", verdict_words(call.verdict), verdict_words(truth.verdict))
    };
    let (host_right, host) = judge_host(truth, call.host, names);
    let frame_right = call.frame.is_some_and(|frame| truth.frames.binary_search(&frame).is_ok());
    let example = truth.frames.first();
    let frame = match (call.frame, example) {
        (Some(frame), _) if frame_right => format!("Frame {frame} shows it."),
        (_, None) => "No frame shows it: it did not happen on the network.".to_owned(),
        (Some(frame), Some(right)) => {
            format!(
                "Frame {frame} is not part of it; frame {right} is the first of {} that are.",
                truth.frames.len()
            )
        }
        (None, Some(right)) => format!("You named no frame; frame {right} is the first that shows it."),
    };
    let happened = format!("What happened: {}.", truth.summary.trim_end_matches('.'));
    Debrief { verdict_right, host_right, frame_right, sentences: vec![verdict, host, frame, happened] }
}

fn judge_host(truth: &TruthStep, given: &str, names: &EntityNames) -> (bool, String) {
    let target = names.canonical(&truth.target);
    let source = truth.source.as_ref().map(|source| names.canonical(source));
    let by = |entity: &EntityId| format!("{} ({entity})", entity.name());
    let told = match &source {
        Some(source) if *source != target => format!("{} did it to {}", by(source), by(&target)),
        Some(source) => format!("{} did it", by(source)),
        None => format!("it was at {}, and nobody did it", by(&target)),
    };
    match names.resolve(given) {
        Ok(named) if source.as_ref() == Some(&named) => (true, format!("{} is right: {told}.", named.name())),
        Ok(named) if named == target || truth.points.iter().any(|point| names.canonical(point) == named) => {
            (true, format!("{} is where it was done: {told}.", named.name()))
        }
        Ok(named) => (false, format!("{} had no part in it: {told}.", named.name())),
        Err(unknown) => {
            (false, format!("Nothing here is called {:?} ({}); {told}.", unknown.got, unknown.fix()))
        }
    }
}

fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "an attack",
        Verdict::Fault => "a fault",
        Verdict::Authorised => "authorised work",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use record::VirtualTime;
    use site::Site;

    fn truth() -> TruthStep {
        TruthStep {
            step: "write".into(),
            campaign: "c".into(),
            verdict: Verdict::Attack,
            summary: "A laptop wrote 0 into P-301.CMD.".into(),
            techniques: vec!["T0855".into()],
            start: VirtualTime::from_secs(30),
            end: VirtualTime::from_secs(31),
            observable: BTreeMap::new(),
            source: Some("host:ews".parse().unwrap()),
            target: "device:PLC-2".parse().unwrap(),
            points: vec!["point:P-301.CMD".parse().unwrap()],
            frames: vec![120, 121],
            severity: 3,
            limit_time: None,
            consequences: vec![],
            ticket: None,
        }
    }

    fn told(verdict: Verdict, host: &str, frame: Option<u64>) -> Debrief {
        let names = EntityNames::new(&Site::named("waterworks").unwrap(), &BTreeMap::new());
        debrief(&truth(), &FirstShiftCall { verdict, host, frame }, &names)
    }

    #[test]
    fn all_right_says_so() {
        let debrief = told(Verdict::Attack, "192.168.1.30", Some(121));
        assert!(debrief.verdict_right && debrief.host_right && debrief.frame_right);
        assert_eq!(debrief.sentences.len(), 4);
        assert!(debrief.sentences[3].ends_with("P-301.CMD."), "{debrief:?}");
    }

    #[test]
    fn all_wrong_says_what_is_right() {
        let debrief = told(Verdict::Fault, "hmi", Some(7));
        assert!(!debrief.verdict_right && !debrief.host_right && !debrief.frame_right);
        assert!(debrief.sentences[0].contains("an attack"), "{debrief:?}");
        assert!(debrief.sentences[1].contains("ews") && debrief.sentences[2].contains("120"), "{debrief:?}");
        assert!(told(Verdict::Attack, "plc2", None).sentences[1].contains("PLC-2"));
    }

    #[test]
    fn the_target_is_right_too() {
        assert!(told(Verdict::Attack, "plc-2", None).host_right);
        assert!(told(Verdict::Attack, "P-301.CMD", None).host_right);
    }
}
