//! `fieldrange simulate`: a whole scenario, fast, with its record.

use anyhow::{Result, bail};
use record::VirtualTime;
use scenarios::Scenario;

use crate::cli::SimulateArgs;
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, Outcome, record_run};
use crate::story;

pub(crate) fn simulate(args: &SimulateArgs) -> Result<Exit> {
    let ordered = order(&args.scenario, &args.language.told(&args.scenario, &args.which)?)?;
    let plan = &ordered.order.plan;
    let mut acts: Vec<(VirtualTime, String)> =
        args.acts.iter().map(|(at, command)| (VirtualTime::from_secs_f64(*at), command.clone())).collect();
    acts.sort_by_key(|(at, _)| *at);
    if let Some((at, command)) = acts.iter().find(|(at, _)| *at >= plan.end) {
        bail!(
            "--act {command:?} at {at} lies after the end of the run at {}\n  fix: choose an earlier time",
            plan.end
        );
    }
    let progress = Progress::start(&args.scenario, plan.end);
    let outcome = on_kernel_thread(|| {
        record_run(&ordered.order, Drive::Fast { acts }, &args.out, &progress, Audience::default())
    })?;
    progress.end();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&as_json(args, &outcome))?);
    } else {
        print_summary(args, &ordered.scenario, &outcome);
    }
    Ok(if outcome.manifest.ended_early.is_some() { Exit::FoundWrong } else { Exit::Done })
}

fn print_summary(args: &SimulateArgs, scenario: &Scenario, outcome: &Outcome) {
    let manifest = &outcome.manifest;
    println!(
        "{}: {}, seed {}, {} of plant",
        args.out.display(),
        scenario.texts().title,
        args.which.seed,
        manifest.duration
    );
    println!(
        "{} frames on the mirror port, {} connections, {} Modbus records, {} hosts",
        outcome.frames, outcome.summary.connections, outcome.summary.modbus_pdus, outcome.summary.hosts
    );
    if let Some(reason) = &manifest.ended_early {
        println!("the run ended early: {reason}");
    }
    if args.spoil {
        print!("{}", story::tell(scenario, &outcome.truth, manifest, &outcome.actual, &outcome.clean));
    } else {
        println!("What happened is in truth.jsonl; --spoil tells it. `fieldrange verify` checks the record.");
    }
}

fn as_json(args: &SimulateArgs, outcome: &Outcome) -> serde_json::Value {
    let mut value = serde_json::json!({
        "run": args.out,
        "manifest": outcome.manifest,
        "frames": outcome.frames,
        "sensor": outcome.summary,
    });
    if args.spoil {
        value["truth"] = serde_json::json!(outcome.truth);
        value["harm"] = serde_json::json!({ "actual": outcome.actual.harm.total, "none": outcome.none.harm.total,
            "clean": outcome.clean.harm.total, "currency": outcome.actual.harm.currency });
    }
    value
}
