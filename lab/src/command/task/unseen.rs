//! Runs that the author of a rule or of a baseline has not seen.
//!
//! Their seeds are drawn from what was handed in: whoever alters the rule to suit the days it was tried on gets other days.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use quizzes::RecordView;
use quizzes::task::{JudgedRun, ModbusRun, UnseenRun};
use record::KeyedStream;
use scenarios::Difficulty;
use sensor::RuleSet;

use crate::cli::WhichRun;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, record_run};
use crate::side_by_side::in_order;

/// Seeds that people type are small numbers; these are not.
const FIRST_SEED: u64 = 1 << 20;

struct Chosen<'a> {
    run: &'a UnseenRun,
    seed: u64,
}

impl Chosen<'_> {
    fn label(&self) -> String {
        let cause = if self.run.blind { ", cause drawn" } else { "" };
        format!("{}, seed {}{cause}", self.run.scenario, self.seed)
    }
}

fn chosen<'a>(runs: &'a [UnseenRun], handed_in: &str, seeds: u32) -> Vec<Chosen<'a>> {
    let mut stream = KeyedStream::new(0, handed_in, "unseen run");
    let seeds: Vec<u64> = (0..u64::from(seeds)).map(|n| FIRST_SEED + stream.below(n, 1 << 30)).collect();
    runs.iter().flat_map(|run| seeds.iter().map(move |seed| Chosen { run, seed: *seed })).collect()
}

/// Makes a run and looks at its record, which is gone afterwards. With `rule`, the sensor has that rule and no other.
fn made<T>(
    chosen: &Chosen<'_>,
    rule: Option<(&str, &str)>,
    look: impl Fn(&RecordView) -> Result<T>,
) -> Result<T> {
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let out = scratch.path().join("run");
    let which = WhichRun {
        seed: chosen.seed,
        blind: chosen.run.blind,
        settings: Vec::new(),
        level: Difficulty::default(),
    };
    let ordered = order(&chosen.run.scenario, &which)?;
    on_kernel_thread(|| -> Result<()> {
        let rules =
            rule.map(|(name, text)| RuleSet::load([(name.to_owned(), text.to_owned())])).transpose()?;
        let audience = Audience { rules, ..Audience::default() };
        record_run(&ordered.order, Drive::Fast { acts: Vec::new() }, &out, &Progress::hidden(), audience)?;
        Ok(())
    })?;
    look(&RecordView::open(&out)?)
}

fn all<T: Send>(
    runs: &[UnseenRun],
    handed_in: &str,
    seeds: u32,
    make: impl Fn(&Chosen<'_>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let chosen = chosen(runs, handed_in, seeds);
    let progress = Progress::start("unseen runs", record::VirtualTime::from_secs(60 * chosen.len() as u64));
    let mut made = Vec::new();
    in_order(&chosen, make, |run| {
        made.push(run);
        progress.at(record::VirtualTime::from_secs(60 * made.len() as u64));
        Ok(())
    })?;
    progress.end();
    Ok(made)
}

/// Runs with what one rule said of them.
pub(super) fn judged_runs(runs: &[UnseenRun], file: &str, text: &str, seeds: u32) -> Result<Vec<JudgedRun>> {
    // A rule that cannot be read is told before anything is run.
    RuleSet::load([(file.to_owned(), text.to_owned())])?;
    all(runs, text, seeds, |chosen| {
        made(chosen, Some((file, text)), |view| {
            Ok(JudgedRun {
                label: chosen.label(),
                truth: view.truth()?.to_vec(),
                findings: view.findings()?.to_vec(),
            })
        })
    })
}

/// Runs with their Modbus requests.
pub(super) fn modbus_runs(runs: &[UnseenRun], text: &str, seeds: u32) -> Result<Vec<ModbusRun>> {
    all(runs, text, seeds, |chosen| {
        made(chosen, None, |view| {
            let addresses = view.manifest().topology.keys().filter_map(|address| {
                Some((view.names().at(address)?.to_string(), address.parse::<Ipv4Addr>().ok()?))
            });
            Ok(ModbusRun {
                label: chosen.label(),
                truth: view.truth()?.to_vec(),
                modbus: view.modbus()?.clone(),
                addresses: addresses.collect(),
            })
        })
    })
}
