//! `fieldrange plant`: physics alone.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use record::VirtualTime;
use sim::{Plant, PlantEvent};

use crate::cli::PlantArgs;
use crate::exit::Exit;
use crate::progress::Progress;

/// Longest run that may be asked for.
const HOURS_MAX: f64 = 24.0 * 366.0;

pub(crate) fn plant(args: &PlantArgs) -> Result<Exit> {
    if !(args.hours > 0.0 && args.hours <= HOURS_MAX) {
        bail!(
            "--hours must lie between 0 and {HOURS_MAX}, got {}\n  fix: choose a length in hours, as in --hours 48",
            args.hours
        );
    }
    if args.every == 0 {
        bail!("--every must be at least one second\n  fix: leave it out for one row a minute");
    }
    let mut plant = load(&args.name, args.seed)?;
    plant.set_reference_control(true);
    let mut sets = args.sets.clone();
    sets.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Every name is checked before the run begins, on a plant that is thrown away.
    let mut trial = load(&args.name, args.seed)?;
    for (_, tag, value) in &sets {
        trial.set_setpoint(tag, *value)?;
    }
    let mut sets = sets.into_iter().peekable();
    let mut csv = args.csv.as_deref().map(|path| Table::create(path, &plant)).transpose()?;
    let steps = (args.hours * 3600.0 / plant.step_length().as_secs_f64()).round() as u64;
    let end = VirtualTime::from_secs_f64(steps as f64 * plant.step_length().as_secs_f64());
    let progress = Progress::start("plant", end);
    let mut events = Vec::new();
    if let Some(table) = &mut csv {
        table.row(&plant)?;
    }
    for _ in 0..steps {
        let now_s = plant.time().as_secs_f64();
        while let Some((_, tag, value)) = sets.next_if(|(at, ..)| *at <= now_s) {
            plant.set_setpoint(&tag, value)?;
        }
        plant.step();
        events.append(&mut plant.drain_events());
        progress.at(plant.time());
        if let Some(table) = &mut csv
            && plant.time().as_nanos() % Duration::from_secs(args.every).as_nanos() as u64 == 0
        {
            table.row(&plant)?;
        }
    }
    progress.end();
    if let Some(table) = csv {
        table.finish()?;
    }
    report(args, &plant, &events);
    Ok(Exit::Done)
}

/// A plant by name, or from a file.
pub(crate) fn load(name: &str, seed: u64) -> Result<Plant> {
    if std::path::Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        let text = std::fs::read_to_string(name).with_context(|| name.to_owned())?;
        return Ok(Plant::load(name, &text, seed)?);
    }
    Ok(Plant::named(name, seed)?)
}

fn report(args: &PlantArgs, plant: &Plant, events: &[PlantEvent]) {
    let harm = plant.harm();
    let balance = plant.water_balance();
    if args.json {
        let values: serde_json::Map<String, serde_json::Value> = plant
            .instruments()
            .iter()
            .filter_map(|info| Some((info.tag.clone(), plant.state(&format!("{}.true", info.tag))?.into())))
            .collect();
        let limits: Vec<_> = harm
            .limits
            .iter()
            .map(|limit| serde_json::json!({ "name": limit.name, "first_s": limit.first }))
            .collect();
        let mut report = serde_json::json!({ "plant": plant.name(), "seconds": plant.time(), "values": values,
            "limits": limits, "harm": harm.total, "currency": harm.currency, "events": events.len() });
        if let Some(balance) = balance {
            report["water_balance_relative_error"] = balance.relative_error().into();
        }
        println!("{report}");
        return;
    }
    println!("{}, {:.1} h of plant under its reference control", plant.title(), args.hours);
    for event in events.iter().take(40) {
        println!(
            "{}  {:16} {:10} {:>9.2}  {}",
            event.time,
            event.kind.name(),
            event.tag,
            event.value,
            event.message
        );
    }
    if events.len() > 40 {
        println!("... and {} more", events.len() - 40);
    }
    println!("\ntag        true value        unit");
    for info in plant.instruments() {
        let value = plant.state(&format!("{}.true", info.tag)).unwrap_or(f64::NAN);
        println!("{:10} {value:>10.3}        {:5} {}", info.tag, info.unit, info.description);
    }
    for limit in harm.limits.iter().filter(|limit| limit.first.is_some()) {
        println!("\n{}: {}", limit.first.unwrap_or_default(), limit.message);
    }
    println!("\nharm: {:.0} {}", harm.total, harm.currency);
    if let Some(balance) = balance {
        println!("water balance: {:.1e} of the water moved is unaccounted for", balance.relative_error());
    }
}

/// The plant's values as comma-separated rows: time, then [`Plant::columns`].
struct Table {
    out: csv::Writer<BufWriter<File>>,
    row: Vec<f64>,
}

impl Table {
    fn create(path: &std::path::Path, plant: &Plant) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut out = csv::Writer::from_writer(BufWriter::new(file));
        out.write_record(std::iter::once("time_s").chain(plant.columns().iter().map(String::as_str)))?;
        Ok(Self { out, row: Vec::new() })
    }

    fn row(&mut self, plant: &Plant) -> Result<()> {
        plant.row(&mut self.row);
        let time_s = plant.time().as_secs_f64();
        self.out.write_record(std::iter::once(&time_s).chain(&self.row).map(ToString::to_string))?;
        Ok(())
    }

    fn finish(self) -> Result<()> {
        self.out.into_inner().map_err(csv::IntoInnerError::into_error)?.flush()?;
        Ok(())
    }
}
