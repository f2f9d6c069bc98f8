//! `fieldrange list`: what comes with the program.

use anyhow::{Result, bail};
use quizzes::hands_on;
use scenarios::Scenario;
use serde_json::{Value, json};
use site::Site;

use crate::cli::{ListArgs, Listed};
use crate::exit::Exit;

pub(crate) fn list(args: &ListArgs) -> Result<Exit> {
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
                "minutes": audience.map(|a| a.minutes), "people": audience.map(|a| &a.people), "references": references }))
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
