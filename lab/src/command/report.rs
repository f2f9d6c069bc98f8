//! `fieldrange report`: the after-action report of one run, or of several side by side.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use record::RunReader;

use super::score::{print_points, written};
use crate::cli::ReportArgs;
use crate::exit::Exit;
use crate::report::{Asked, Courses, Report, compare_html, html};

pub(crate) fn report(args: &ReportArgs) -> Result<Exit> {
    if args.calls.len() > 1 && args.calls.len() != args.runs.len() {
        bail!(
            "{} runs and {} files of calls\n  fix: give --calls once for each run, in the same order",
            args.runs.len(),
            args.calls.len()
        );
    }
    if args.runs.len() > 1 && args.what_if.is_some() {
        bail!("--what-if asks about one run\n  fix: name one run");
    }
    if args.runs.len() > 1 && args.report.is_some() {
        bail!("--report is of one run\n  fix: name one run");
    }
    same_scenario(&args.runs)?;
    let form = args.form.into();
    let courses = Courses::default();
    let mut reports = Vec::new();
    for (index, run) in args.runs.iter().enumerate() {
        let file = args.calls.get(index);
        let text = file.map(|file| fs::read_to_string(file).with_context(|| file.display().to_string()));
        let (name, text) = (file.map(|file| file.display().to_string()), text.transpose()?);
        let calls = name.as_deref().zip(text.as_deref());
        let handed = written(args.report.as_ref())?;
        let asked = Asked {
            calls,
            report: handed.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
            form,
            mode: args.mode.map(Into::into),
            what_if: args.what_if.as_ref(),
        };
        let made = Report::of(run, asked, &courses).with_context(|| run.display().to_string())?;
        reports.push((run.display().to_string(), made));
    }
    let page = match &reports[..] {
        [(_, only)] => html(only),
        several => compare_html(several),
    };
    fs::write(&args.out, page).with_context(|| args.out.display().to_string())?;
    if args.json {
        let all: Vec<&Report> = reports.iter().map(|(_, report)| report).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(Exit::Done);
    }
    for (name, report) in &reports {
        print(name, report);
    }
    println!("{}", args.out.display());
    Ok(Exit::Done)
}

/// Told before anything is computed.
fn same_scenario(runs: &[PathBuf]) -> Result<()> {
    let mut first: Option<String> = None;
    for run in runs {
        let scenario = RunReader::open(run)?.manifest().scenario.clone();
        let first = first.get_or_insert_with(|| scenario.clone());
        if *first != scenario {
            bail!(
                "{} is a run of {scenario}, the first one of {first}\n  fix: put runs of one scenario side by side",
                run.display()
            );
        }
    }
    Ok(())
}

fn print(name: &str, report: &Report) {
    println!("{name}: {}", report.title);
    if let Some(score) = &report.detection {
        match score.detect {
            Some(detect) => println!(
                "  detection {detect:.1} of 100; {} of {} attack steps found, {} false calls",
                score.metrics.found, score.metrics.attack_steps, score.metrics.false_calls
            ),
            None => println!("  detection not scored: nothing of what happened could be seen in this role"),
        }
    }
    print_points(&report.points);
    for fate in &report.fates {
        let limits: Vec<String> = fate
            .limits
            .iter()
            .filter_map(|(_, words, first)| Some(format!("{} {words}", report.start.time_of_day((*first)?))))
            .collect();
        let says = if limits.is_empty() { "no limit crossed".to_owned() } else { limits.join("; ") };
        println!("  {:<12}  harm {:>10.0} {}; {says}", fate.name, fate.harm, fate.currency);
    }
    if report.left_out > 0 {
        println!("  the what-if leaves out {} inputs of real clients", report.left_out);
    }
}
