//! `fieldrange tabletop`: the pages of an exercise at a table, what its decisions lead to, and the score of a sheet.

use std::fs;

use anyhow::{Context, Result};
use serde_json::json;

use crate::cli::TabletopArgs;
use crate::exit::Exit;
use crate::report::money;
use crate::tabletop::pages::{Book, write};
use crate::tabletop::{Outcome, Table, Worked, play_out, read_sheet};

pub(crate) fn tabletop(args: &TabletopArgs) -> Result<Exit> {
    let table = Table::open(&args.scenario, &args.language, &args.which)?;
    // A sheet that does not fit is told before a minute of work.
    let sheet = match &args.played {
        Some(file) => {
            let name = file.display().to_string();
            let text = fs::read_to_string(file).with_context(|| name.clone())?;
            Some(read_sheet(&table, &name, &text)?)
        }
        None => None,
    };
    let worked = Worked::of(&table)?;
    let outcome = sheet.as_ref().map(|sheet| play_out(&table, &worked, sheet)).transpose()?;
    let written = match &args.print {
        Some(into) => {
            write(Book { table: &table, worked: &worked }, into, sheet.as_ref().zip(outcome.as_ref()))?
        }
        None => Vec::new(),
    };
    if args.json {
        let told = json!({ "worked": worked, "sheet": sheet, "outcome": outcome, "written": written });
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(Exit::Done);
    }
    print(&worked, outcome.as_ref());
    for path in written {
        println!("{}", path.display());
    }
    Ok(Exit::Done)
}

fn print(worked: &Worked, outcome: Option<&Outcome>) {
    let currency = &worked.none.currency;
    println!(
        "nobody acts: {} {currency}; no attack: {} {currency}",
        money(worked.none.harm),
        money(worked.clean.harm)
    );
    for it in worked.options.iter().filter(|it| !it.commands.is_empty()) {
        let limits: Vec<&str> = it.consequence.limits.iter().map(|limit| limit.name.as_str()).collect();
        let limits = if limits.is_empty() { "no limit".to_owned() } else { limits.join(", ") };
        println!(
            "{:>16} {:<16} {:>10} {currency}  {limits}",
            it.decision,
            it.option,
            money(it.consequence.harm)
        );
    }
    if let Some(outcome) = outcome {
        let points =
            |points: Option<f64>| points.map_or_else(|| "-".to_owned(), |points| format!("{points:.1}"));
        println!(
            "score {}: the plant {}, report and hand-offs {}",
            points(outcome.total.points),
            points(outcome.process.points),
            points(outcome.report.points)
        );
    }
}
