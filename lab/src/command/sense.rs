//! `fieldrange sense`: the sensor's own command, the same as the stand-alone binary's.
//!
//! A capture that lies in a record is read as the lab's own sensor read it: with the record's site and start, and the
//! time for which that one learnt.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use record::RunReader;
use sensor::cli::{SenseArgs, SensorArgs, Verdict};

use crate::exit::Exit;

pub(crate) fn sense(args: &SensorArgs) -> Result<Exit> {
    let mut out = std::io::stdout().lock();
    let verdict = if args.command.is_some() {
        sensor::cli::run(args, &mut out)?
    } else {
        let mut sense = args.sense.clone();
        know_the_record(&mut sense);
        sensor::cli::run(&SensorArgs { command: None, sense }, &mut out)?
    };
    out.flush()?;
    Ok(match verdict {
        Verdict::Clear => Exit::Done,
        Verdict::Found => Exit::FoundWrong,
    })
}

/// Takes what was not said from the `run.json` beside the capture, if there is one that can be read.
fn know_the_record(args: &mut SenseArgs) {
    let Some(capture) = args.read.as_deref().filter(|capture| capture.as_os_str() != "-") else { return };
    let directory = match capture.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return,
    };
    let Ok(run) = RunReader::open(directory) else { return };
    let manifest = run.manifest();
    let mut taken = Vec::new();
    if args.site.is_none() && site::Site::named(&manifest.site).is_ok() {
        args.site = Some(manifest.site.clone());
        taken.push(format!("site {}", manifest.site));
    }
    if args.origin.is_none() {
        args.origin = Some(manifest.start);
        taken.push(format!("start {}", manifest.start));
    }
    if args.learn.is_none() && args.baseline.is_none() {
        args.learn = Some(sensor::sensor::LEARN);
        taken.push(format!("learning for {} s", sensor::sensor::LEARN.as_secs()));
    }
    if !taken.is_empty() {
        eprintln!("{}: {}", run.path(record::run::MANIFEST).display(), taken.join(", "));
    }
}
