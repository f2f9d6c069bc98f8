//! `fieldrange judge`: any product's alerts, scored by the law that trainees are scored by.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use quizzes::judge::{Judged, read_alerts};
use quizzes::{RecordView, Score, ScoreInput};
use record::{Role, RunReader};
use serde_json::{Value, json};

use super::score::print_score;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    /// Directory of the run that the alerts are on. Several are judged one by one.
    #[arg(required = true)]
    pub(crate) runs: Vec<PathBuf>,
    /// Alerts; with several runs once for each, in the same order.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) alerts: Vec<PathBuf>,
    /// Say what became of every step and call.
    #[arg(long)]
    pub(crate) lines: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn judge(args: &JudgeArgs) -> Result<Exit> {
    if args.alerts.len() != args.runs.len() {
        bail!(
            "{} runs and {} files of alerts\n  fix: give --alerts once for each run, in the same order",
            args.runs.len(),
            args.alerts.len()
        );
    }
    let mut rows: Vec<Value> = Vec::new();
    let mut reached = Vec::new();
    for (run, alerts) in args.runs.iter().zip(&args.alerts) {
        let view = RecordView::open(run)?;
        if let Some(problem) = RunReader::open(run)?.verify().first() {
            bail!("{problem}\n  fix: judge by the record as it was sealed");
        }
        let judged = read_alerts(alerts, view.manifest(), view.names())?;
        let score = quizzes::score(&ScoreInput {
            truth: view.truth()?,
            calls: &judged.calls,
            duration: view.manifest().duration,
            role: Role::Analyst,
            form: quizzes::Form::Live,
            names: view.names(),
            false_call_weight: None,
        });
        reached.extend(score.detect);
        if args.json {
            rows.push(json!({ "run": run, "alerts": judged.alerts, "left_out": judged.left_out,
                "calls": judged.calls.len(), "score": score }));
        } else {
            println!("{}", told(&run.display().to_string(), &judged, &score));
            if args.lines {
                print_score(&score);
            }
        }
    }
    let mean = (!reached.is_empty()).then(|| reached.iter().sum::<f64>() / reached.len() as f64);
    if args.json {
        println!("{}", json!({ "runs": rows, "detect": mean }));
    } else if let (Some(mean), true) = (mean, args.runs.len() > 1) {
        println!("mean of {} runs: {mean:.1} of 100", reached.len());
    }
    Ok(Exit::Done)
}

fn told(run: &str, judged: &Judged, score: &Score) -> String {
    let detect = score.detect.map_or_else(|| "not scored".to_owned(), |detect| format!("{detect:.1} of 100"));
    let metrics = &score.metrics;
    let late = metrics
        .mean_time_to_detect_s
        .map(|mean| format!(", {mean:.0} s after first sight"))
        .unwrap_or_default();
    let left_out = match judged.left_out {
        0 => String::new(),
        count => format!("; {count} alerts lie outside the run or name nothing in it"),
    };
    format!(
        "{run}: detection {detect}; {} alerts in {} calls, {} of {} attack steps found or claimed, {} false calls{late}{left_out}",
        judged.alerts,
        judged.calls.len(),
        metrics.found + metrics.claimed,
        metrics.attack_steps,
        metrics.false_calls
    )
}
