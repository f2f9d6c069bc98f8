//! `fieldrange replay`: the same run again, from its seed and what came from outside.

use anyhow::{Context, Result};
use record::{OutsideInput, RunReader};

use crate::cli::ReplayArgs;
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order_again;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, record_run};

pub(crate) fn replay(args: &ReplayArgs) -> Result<Exit> {
    let reader = RunReader::open(&args.run)?;
    let manifest = reader.manifest();
    let ordered = order_again(manifest)?;
    let inputs: Vec<OutsideInput> = reader.json_lines("outside.jsonl")?;
    let scratch = tempfile::tempdir().context("no room for a scratch directory")?;
    let out = args.out.clone().unwrap_or_else(|| scratch.path().join("run"));
    let progress = Progress::start("replay", manifest.duration);
    let drive = Drive::Replay { inputs, end: manifest.duration, ended_early: manifest.ended_early.clone() };
    let again = on_kernel_thread(|| record_run(&ordered.order, drive, &out, &progress, Audience::default()))?
        .manifest;
    progress.end();
    let different: Vec<&String> = manifest
        .files
        .keys()
        .chain(again.files.keys())
        .filter(|name| manifest.files.get(*name) != again.files.get(*name))
        .collect();
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "run": args.run, "same": different.is_empty(), "files": again.files.len(), "different": different })
        );
    } else if different.is_empty() {
        println!("{}: the same again: {} files, bit for bit", args.run.display(), again.files.len());
    } else {
        for name in &different {
            println!("{name}: differs");
        }
    }
    Ok(if different.is_empty() { Exit::Done } else { Exit::FoundWrong })
}
