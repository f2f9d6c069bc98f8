//! `fieldrange list`: what comes with the program.

use anyhow::{Result, bail};
use quizzes::hands_on;
use record::{Verdict, VirtualTime};
use scenarios::texts::Notes;
use scenarios::{Cast, Difficulty, Scenario};
use serde_json::{Value, json};
use site::Site;

use crate::cli::{ListArgs, Listed, WhichRun};
use crate::exit::Exit;
use crate::order::order;

pub(crate) fn list(args: &ListArgs) -> Result<Exit> {
    if let Some(name) = &args.notes {
        return notes(name, args);
    }
    if args.markdown {
        if args.what != Listed::HandsOn {
            bail!("--markdown is for `fieldrange list hands-on`");
        }
        print!("{}", hands_on::markdown(&hands_on::hands_on()?));
        return Ok(Exit::Done);
    }
    let rows = match args.what {
        Listed::Scenarios => scenarios()?,
        Listed::Plants => plants()?,
        Listed::Sites => sites()?,
        Listed::Rules => rules()?,
        Listed::HandsOn => hands_on_rows()?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(Exit::Done);
    }
    let Some(first) = rows.first().and_then(Value::as_object) else { return Ok(Exit::Done) };
    let columns: Vec<&String> =
        first.keys().filter(|key| *key == NAME).chain(first.keys().filter(|key| *key != NAME)).collect();
    println!("{}", columns.iter().map(|key| key.as_str()).collect::<Vec<_>>().join("\t"));
    for row in &rows {
        let cells: Vec<String> = columns.iter().map(|key| cell(&row[key.as_str()])).collect();
        println!("{}", cells.join("\t"));
    }
    Ok(Exit::Done)
}

fn hands_on_rows() -> Result<Vec<Value>> {
    let rows = hands_on::hands_on()?;
    Ok(rows
        .iter()
        .map(|row| {
            json!({ "name": row.number, "state": row.state(), "does": row.does, "where": row.places,
            "scored": row.scored, "waits": row.waits })
        })
        .collect())
}

/// What an event is, in a word.
const fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "attack",
        Verdict::Fault => "fault",
        Verdict::Authorised => "authorised",
    }
}

/// The instructor's note of a scenario: the moments of one run, what to look at, to ask and to come back to.
fn notes(name: &str, args: &ListArgs) -> Result<Exit> {
    let which = WhichRun { seed: args.seed, blind: false, settings: Vec::new(), level: args.level };
    let ordered = order(name, &which)?;
    let (plan, texts) = (&ordered.order.plan, ordered.scenario.texts());
    let mut moments: Vec<(VirtualTime, &str, String)> = Vec::new();
    for event in plan.events.iter().filter(|event| event.severity > 0) {
        let said = event.ticket.as_ref().map_or_else(String::new, |ticket| format!(" [{ticket}]"));
        moments.push((event.at, word_of(event.verdict), format!("{}{said}", event.summary)));
    }
    for inject in plan.injects.iter().filter(|inject| plan.is_told(inject, &Cast::full())) {
        moments.push((inject.at, "inject", format!("{}: {}", inject.channel, inject.text)));
    }
    moments.sort_by_key(|(at, ..)| *at);
    if args.json {
        let moments: Vec<Value> = moments
            .iter()
            .map(|(at, what, said)| json!({ "t": at.as_secs_f64(), "what": what, "said": said }))
            .collect();
        let note = json!({ "name": name, "title": texts.title, "seed": args.seed, "level": args.level,
            "moments": moments, "notes": texts.notes, "help": texts.help });
        println!("{}", serde_json::to_string_pretty(&note)?);
        return Ok(Exit::Done);
    }
    println!(
        "EXERCISE: for whoever leads it\n{} ({name}), seed {}, {}\n",
        texts.title, args.seed, args.level
    );
    println!("When");
    for (at, what, said) in &moments {
        println!("  {:>6.1} min  {what:<10}  {said}", at.as_secs_f64() / 60.0);
    }
    let Notes { look, ask, debrief } = &texts.notes;
    for (title, lines) in [
        ("What to look at", look),
        ("What to ask", ask),
        ("What to come back to", debrief),
        ("What the briefing says besides, played easy", &texts.help),
    ] {
        if !lines.is_empty() {
            println!("\n{title}\n  - {}", lines.join("\n  - "));
        }
    }
    Ok(Exit::Done)
}

/// The column that comes first.
const NAME: &str = "name";

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn scenarios() -> Result<Vec<Value>> {
    Scenario::names()
        .map(|name| {
            let scenario = Scenario::named(name)?;
            let plan = scenario.plan(1, &std::collections::BTreeMap::new(), false)?;
            let file = scenario.file();
            let references: Vec<String> = file
                .references
                .iter()
                .map(|reference| match &reference.attack {
                    Some(id) => format!("{}: {}", id.get_ref(), reference.source),
                    None => reference.source.clone(),
                })
                .collect();
            let audience = file.audience.as_ref();
            Ok(json!({ "name": name, "title": scenario.texts().title, "plant": plan.plant, "start": plan.start,
                "hours": (plan.end.as_secs_f64() / 36.0).round() / 100.0, "languages": Scenario::languages(name), "level": audience.map(|a| a.level),
                "minutes": audience.map(|a| a.minutes), "people": audience.map(|a| &a.people), "references": references,
                "levels": Difficulty::ALL }))
        })
        .collect()
}

fn plants() -> Result<Vec<Value>> {
    sim::Plant::names()
        .into_iter()
        .map(|name| {
            let plant = sim::Plant::named(name, 1)?;
            Ok(json!({ "name": name, "title": plant.title(), "instruments": plant.instruments().len(),
                "actuators": plant.actuators().len() }))
        })
        .collect()
}

fn sites() -> Result<Vec<Value>> {
    Site::names()
        .map(|name| {
            let site = Site::named(name)?;
            Ok(json!({ "name": name, "title": site.title, "hosts": site.hosts.len(), "tags": site.tags.len() }))
        })
        .collect()
}

fn rules() -> Result<Vec<Value>> {
    Ok(sensor::rules::RuleSet::embedded()?
        .cards()
        .into_iter()
        .map(|rule| json!({ "name": rule.name, "level": rule.level, "techniques": rule.techniques, "title": rule.title, "misses": rule.misses }))
        .collect())
}
