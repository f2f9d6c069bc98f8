//! Reading `calls.jsonl`: every line a call, checked against the run it speaks about.
//!
//! People write these lines by hand or let a program write them, so every problem is reported at once, each with its
//! line and a way to mend it. Entities may be written as addresses, MAC addresses, names or tags.

use std::collections::BTreeMap;

use record::{Call, Confidence, Verdict, VirtualTime, attack};
use serde::Deserialize;
use site::FileError;

use crate::names::{EntityNames, edit_distance};
use crate::score::Form;

/// Longest interval of a call in a live run, s.
pub const LONGEST_INTERVAL_S: f64 = 900.0;
/// Most entities that one call may name.
pub const MOST_ENTITIES: usize = 4;

/// A line as people write it: entities in any form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: u64,
    t: f64,
    interval: [f64; 2],
    entities: Vec<String>,
    verdict: Verdict,
    #[serde(default)]
    technique: Option<String>,
    confidence: Confidence,
    #[serde(default)]
    evidence: Vec<String>,
    #[serde(default)]
    case: Option<String>,
}

/// Reads and checks calls. `file` is what errors name; `duration` is the length of the run.
///
/// # Errors
/// Every problem found, in order of lines: text that is not a call, a number used twice, a time outside the run, an
/// interval that is reversed or (live) longer than 15 minutes, no entity or more than four, a name that nothing in this
/// run has, a technique that is neither in the pinned table nor a tactic of it.
pub fn read_calls(
    file: &str,
    text: &str,
    names: &EntityNames,
    duration: VirtualTime,
    form: Form,
) -> Result<Vec<Call>, Vec<FileError>> {
    let mut calls = Vec::new();
    let mut problems = Vec::new();
    let mut lines_by_id: BTreeMap<u64, usize> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let mut at = |problem: String, fix: &str| {
            problems.push(FileError { file: file.to_owned(), line: number, problem, fix: fix.to_owned() });
        };
        let written: Written = match serde_json::from_str(line) {
            Ok(written) => written,
            Err(error) => {
                at(format!("not a call: {error}"), EXAMPLE);
                continue;
            }
        };
        if let Some(first) = lines_by_id.insert(written.id, number) {
            at(
                format!("call {} is on line {first} already", written.id),
                "give each call a number of its own, counting from 1",
            );
        }
        if let Some(call) = check(written, names, duration, form, &mut at) {
            calls.push(call);
        }
    }
    if problems.is_empty() { Ok(calls) } else { Err(problems) }
}

const EXAMPLE: &str = r#"write one call per line, as in {"id":1,"t":4815.0,"interval":[4790.0,4815.0],"entities":["host:hmi","point:NAOH.SP"],"verdict":"attack","technique":"T0836","confidence":"high"}"#;

/// Checks one call; every problem goes to `at` as (problem, fix).
fn check(
    written: Written,
    names: &EntityNames,
    duration: VirtualTime,
    form: Form,
    at: &mut impl FnMut(String, &str),
) -> Option<Call> {
    let id = written.id;
    let end = duration.as_secs_f64();
    let within = |seconds: f64| seconds.is_finite() && (0.0..=end).contains(&seconds);
    let mut good = true;
    let mut wrong = |problem: String, fix: &str| {
        good = false;
        at(problem, fix);
    };
    let fix_time = format!("times are seconds since the start of the run, from 0 to {end}");
    if form == Form::Live && !within(written.t) {
        wrong(format!("call {id}: t is {}, outside the run", written.t), &fix_time);
    }
    let [first, last] = written.interval;
    if !within(first) || !within(last) {
        wrong(format!("call {id}: interval {first} to {last} reaches outside the run"), &fix_time);
    }
    if first > last {
        wrong(format!("call {id}: the interval ends before it starts"), "write the earlier moment first");
    } else if form == Form::Live && last - first > LONGEST_INTERVAL_S {
        wrong(
            format!("call {id}: the interval is {:.0} s long, a live run allows 900", last - first),
            "narrow it to the 15 minutes that matter most, or hand in a second call",
        );
    }
    if written.entities.is_empty() || written.entities.len() > MOST_ENTITIES {
        wrong(
            format!("call {id}: names {} entities", written.entities.len()),
            "a call names one to four: what was attacked first, then by whom",
        );
    }
    let mut entities = Vec::new();
    for name in &written.entities {
        match names.resolve(name) {
            Ok(entity) if entities.contains(&entity) => {}
            Ok(entity) => entities.push(entity),
            Err(unknown) => wrong(format!("call {id}: {unknown}"), &unknown.fix()),
        }
    }
    if let Some(technique) = &written.technique
        && attack::technique(technique).is_none()
        && !attack::is_tactic(technique)
    {
        wrong(
            format!("call {id}: {technique:?} is no technique or tactic of {}", attack::VERSION),
            &fix_technique(technique),
        );
    }
    good.then(|| Call {
        id,
        t: VirtualTime::from_secs_f64(written.t),
        interval: [VirtualTime::from_secs_f64(first), VirtualTime::from_secs_f64(last)],
        entities,
        verdict: written.verdict,
        technique: written.technique,
        confidence: written.confidence,
        evidence: written.evidence,
        case: written.case,
    })
}

/// The technique or tactic that somebody may have meant, by id or by name.
fn fix_technique(given: &str) -> String {
    let key = given.to_lowercase();
    let mut close: Vec<(usize, String)> = Vec::new();
    for technique in attack::techniques() {
        let meant = format!("{} ({})", technique.id, technique.name);
        close.push((edit_distance(&key, &technique.id.to_lowercase()), meant.clone()));
        close.push((edit_distance(&key, &technique.name.to_lowercase()), meant));
        close.extend(technique.tactics().map(|tactic| (edit_distance(&key, tactic), tactic.to_owned())));
    }
    close.sort();
    match close.first() {
        Some((distance, meant)) if *distance <= (key.chars().count() / 3).max(1) => {
            format!("did you mean {meant}?")
        }
        _ => "write an id such as T0836, a tactic such as impair-process-control, or leave it out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use site::Site;

    const GOOD: &str = r#"{"id":1,"t":100,"interval":[90,100],"entities":["192.168.1.20","naoh.sp"],"verdict":"attack","technique":"T0836","confidence":"high"}"#;

    fn read(text: &str, form: Form) -> Result<Vec<Call>, Vec<FileError>> {
        let names = EntityNames::new(&Site::named("waterworks").unwrap(), &BTreeMap::new());
        read_calls("calls.jsonl", text, &names, VirtualTime::from_secs(2000), form)
    }

    #[track_caller]
    fn check_altered(from: &str, to: &str, problem: &str, fix: &str) {
        assert!(GOOD.contains(from));
        let errors = read(&format!("\n{}\n", GOOD.replace(from, to)), Form::Live).unwrap_err();
        assert_eq!((errors[0].file.as_str(), errors[0].line), ("calls.jsonl", 2));
        assert!(errors[0].problem.contains(problem), "{}", errors[0]);
        assert!(errors[0].fix.contains(fix), "{}", errors[0]);
    }

    #[test]
    fn a_good_call_is_read_with_canonical_entities() {
        let calls = read(GOOD, Form::Live).unwrap();
        assert_eq!(
            calls[0].entities.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["host:hmi", "point:NAOH.SP"]
        );
    }

    #[test]
    fn times_must_lie_in_the_run() {
        check_altered("\"t\":100", "\"t\":2000.5", "outside the run", "from 0 to 2000");
        check_altered("\"t\":100", "\"t\":-1", "outside the run", "from 0 to 2000");
        check_altered("[90,100]", "[90,2001]", "outside the run", "from 0 to 2000");
        check_altered("[90,100]", "[100,90]", "ends before it starts", "earlier moment first");
    }

    #[test]
    fn a_live_interval_is_at_most_fifteen_minutes() {
        check_altered("[90,100]", "[90,990.5]", "900", "narrow it");
        assert!(read(&GOOD.replace("[90,100]", "[90,990]"), Form::Live).is_ok());
        assert!(read(&GOOD.replace("[90,100]", "[0,2000]"), Form::Offline).is_ok());
    }

    #[test]
    fn a_call_names_one_to_four_entities_that_exist() {
        check_altered(r#"["192.168.1.20","naoh.sp"]"#, "[]", "names 0", "one to four");
        let five = r#"["hmi","ews","plc-1","plc-2","plc-3"]"#;
        check_altered(r#"["192.168.1.20","naoh.sp"]"#, five, "names 5", "one to four");
        check_altered("naoh.sp", "point:NAOH.PS", "NAOH.PS", "point:NAOH.SP");
    }

    #[test]
    fn techniques_are_those_of_the_pinned_table() {
        check_altered("T0836", "T836", "T836", "T0836 (Modify Parameter)");
        check_altered("T0836", "modify parameter", "modify parameter", "T0836 (Modify Parameter)");
        check_altered("T0836", "???", "???", "leave it out");
        assert!(read(&GOOD.replace("T0836", "impact"), Form::Live).is_ok());
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let text = format!("{GOOD}\nnot json\n{GOOD}\n{}", GOOD.replace("\"id\":1", "\"id\":1.5"));
        let errors = read(&text, Form::Live).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [2, 3, 4]);
        assert!(errors[1].problem.contains("on line 1 already"), "{}", errors[1]);
        check_altered("\"confidence\"", "\"sure\"", "unknown field `sure`", "one call per line");
    }
}
