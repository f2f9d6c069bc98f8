//! `fieldrange blame`: the same seed without one step, for each step that is nobody's authorised work.

use anyhow::Result;
use record::{RunReader, TruthStep, VirtualTime};
use scenarios::Cast;
use serde::Serialize;

use crate::cli::BlameArgs;
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order_again;
use crate::progress::Progress;
use crate::twin::{Fate, run_twin};

#[derive(Debug, Serialize)]
struct Row {
    step: String,
    summary: String,
    start: VirtualTime,
    frames: Vec<u64>,
    harm_without: f64,
    blame: f64,
    first_limit_without: Option<String>,
}

pub(crate) fn blame(args: &BlameArgs) -> Result<Exit> {
    let reader = RunReader::open(&args.run)?;
    let truth: Vec<TruthStep> = reader.json_lines("truth.jsonl")?;
    let mut ordered = order_again(reader.manifest())?;
    ordered.order.plan.end = reader.manifest().duration;
    let (plan, site) = (&ordered.order.plan, &ordered.order.site);
    let twin = |cast: &Cast| on_kernel_thread(|| run_twin(plan, cast, site, &Progress::hidden()));
    let whole = twin(&Cast::full())?;
    let mut rows = Vec::new();
    let progress = Progress::start("blame", VirtualTime::from_secs(60 * truth.len() as u64));
    for (index, step) in truth.iter().enumerate() {
        let without = twin(&Cast::all_but(&step.step))?;
        progress.at(VirtualTime::from_secs(60 * (index as u64 + 1)));
        rows.push(Row {
            step: step.step.clone(),
            summary: step.summary.clone(),
            start: step.start,
            frames: step.frames.clone(),
            harm_without: without.harm.total,
            blame: whole.harm.total - without.harm.total,
            first_limit_without: first_limit(&without),
        });
    }
    progress.end();
    rows.sort_by(|a, b| b.blame.total_cmp(&a.blame).then_with(|| a.start.cmp(&b.start)));
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "harm": whole.harm.total, "currency": whole.harm.currency, "steps": rows })
        );
        return Ok(Exit::Done);
    }
    println!("harm in this run, nobody acting: {:.0} {}", whole.harm.total, whole.harm.currency);
    println!("Each row: the same seed without that one step.\n");
    println!("{:>12}  {:>12}  {:12}  step", "blame", "harm without", "into the run");
    for row in &rows {
        println!(
            "{:>12.0}  {:>12.0}  {:12}  {}: {}",
            row.blame, row.harm_without, row.start, row.step, row.summary
        );
    }
    Ok(Exit::Done)
}

fn first_limit(fate: &Fate) -> Option<String> {
    fate.first_crossing().map(|(at, message)| format!("{at} {message}"))
}
