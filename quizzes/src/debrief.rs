//! The last page of the first shift: one verdict, one host, one frame, held against what happened.
//!
//! The sentences come from a catalogue by key, so that they can be had in more than one language.

use std::collections::BTreeMap;

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

/// Keys of the sentences that [`debrief`] takes from a catalogue.
pub const KEYS: [&str; 17] = [
    "verdict-right",
    "verdict-wrong",
    "was-attack",
    "was-fault",
    "was-authorised",
    "did-it-to",
    "did-it",
    "nobody-did-it",
    "host-right",
    "host-where",
    "host-wrong",
    "host-unknown",
    "frame-right",
    "frame-none",
    "frame-wrong",
    "frame-unnamed",
    "happened",
];

/// A sentence of a catalogue with `{NAME}` filled in; the key itself where the catalogue has none.
pub fn said(words: &BTreeMap<String, String>, key: &str, values: &[(&str, &str)]) -> String {
    let sentence = words.get(key).map_or(key, String::as_str);
    values.iter().fold(sentence.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Holds a player's three answers against a step of the truth, and says so in the words of a catalogue.
pub fn debrief(
    truth: &TruthStep,
    call: &FirstShiftCall<'_>,
    names: &EntityNames,
    words: &BTreeMap<String, String>,
) -> Debrief {
    let verdict_right = call.verdict == truth.verdict;
    let was = |verdict| said(words, was_key(verdict), &[]);
    let verdict = if verdict_right {
        said(words, "verdict-right", &[("truth", &was(truth.verdict))])
    } else {
        said(words, "verdict-wrong", &[("said", &was(call.verdict)), ("truth", &was(truth.verdict))])
    };
    let (host_right, host) = judge_host(truth, call.host, names, words);
    let frame_right = call.frame.is_some_and(|frame| truth.frames.binary_search(&frame).is_ok());
    let number = call.frame.unwrap_or_default().to_string();
    let (first, last) = (truth.frames.first(), truth.frames.last());
    let frame = match (call.frame, first.zip(last)) {
        (Some(_), _) if frame_right => said(words, "frame-right", &[("frame", &number)]),
        (_, None) => said(words, "frame-none", &[]),
        (given, Some((first, last))) => {
            let key = if given.is_some() { "frame-wrong" } else { "frame-unnamed" };
            let (first, last) = (first.to_string(), last.to_string());
            said(words, key, &[("frame", &number), ("first", &first), ("last", &last)])
        }
    };
    let happened = said(words, "happened", &[("what", truth.summary.trim_end_matches('.'))]);
    Debrief { verdict_right, host_right, frame_right, sentences: vec![verdict, host, frame, happened] }
}

fn judge_host(
    truth: &TruthStep,
    given: &str,
    names: &EntityNames,
    words: &BTreeMap<String, String>,
) -> (bool, String) {
    let target = names.canonical(&truth.target);
    let source = truth.source.as_ref().map(|source| names.canonical(source));
    let by = |entity: &EntityId| format!("{} ({entity})", entity.name());
    let told = match &source {
        Some(source) if *source != target => {
            said(words, "did-it-to", &[("who", &by(source)), ("what", &by(&target))])
        }
        Some(source) => said(words, "did-it", &[("who", &by(source))]),
        None => said(words, "nobody-did-it", &[("what", &by(&target))]),
    };
    let named = match names.resolve(given) {
        Ok(named) => named,
        Err(unknown) => {
            let (got, fix) = (format!("{:?}", unknown.got), unknown.fix());
            return (false, said(words, "host-unknown", &[("got", &got), ("fix", &fix), ("told", &told)]));
        }
    };
    let is_where = named == target || truth.points.iter().any(|point| names.canonical(point) == named);
    let key = match (source.as_ref() == Some(&named), is_where) {
        (true, _) => "host-right",
        (false, true) => "host-where",
        (false, false) => "host-wrong",
    };
    (key != "host-wrong", said(words, key, &[("name", named.name()), ("told", &told)]))
}

fn was_key(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "was-attack",
        Verdict::Fault => "was-fault",
        Verdict::Authorised => "was-authorised",
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
        debrief(&truth(), &FirstShiftCall { verdict, host, frame }, &names, &words("en"))
    }

    fn words(language: &str) -> BTreeMap<String, String> {
        #[derive(serde::Deserialize)]
        struct Texts {
            game: BTreeMap<String, String>,
        }
        let text = match language {
            "de" => include_str!("../../scenarios/scenarios/first-shift/texts/de.toml"),
            _ => include_str!("../../scenarios/scenarios/first-shift/texts/en.toml"),
        };
        site::file::Source { file: language, text }.parse::<Texts>().unwrap().game
    }

    #[test]
    fn the_catalogues_have_every_sentence() {
        for language in ["en", "de"] {
            let words = words(language);
            let missing: Vec<_> = KEYS.iter().filter(|key| !words.contains_key(**key)).collect();
            assert!(missing.is_empty(), "{language}: {missing:?}");
        }
    }

    #[test]
    fn another_language_says_the_same() {
        let names = EntityNames::new(&Site::named("waterworks").unwrap(), &BTreeMap::new());
        let call = FirstShiftCall { verdict: Verdict::Fault, host: "hmi", frame: Some(7) };
        let german = debrief(&truth(), &call, &names, &words("de"));
        assert!(german.sentences[0].contains("eine Störung") && german.sentences[0].contains("ein Angriff"));
        assert!(german.sentences.iter().all(|sentence| !sentence.contains(['{', '}'])), "{german:?}");
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
