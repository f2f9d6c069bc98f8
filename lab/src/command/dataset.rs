//! `fieldrange dataset`: a labelled batch of runs, split into training and test by seed.

use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use quizzes::export::labels;
use record::Verdict;
use scenarios::Difficulty;
use serde::Serialize;

use crate::cli::WhichRun;
use crate::exit::Exit;
use crate::kernel_thread::on_kernel_thread;
use crate::order::order;
use crate::progress::Progress;
use crate::recording::{Audience, Drive, Outcome, VERSION, record_run};

/// `1-8`, or one number.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err("write the first and the last seed, as in 1-8".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct DatasetArgs {
    /// Scenario; see `fieldrange list scenarios`. May be given several times.
    #[arg(long = "scenario", value_name = "NAME", required = true)]
    pub(crate) scenarios: Vec<String>,
    /// Seeds of the runs to learn from.
    #[arg(long, value_name = "FIRST-LAST", value_parser = seeds)]
    pub(crate) train: RangeInclusive<u64>,
    /// Seeds of the runs to test on; none of them may be in --train.
    #[arg(long, value_name = "FIRST-LAST", value_parser = seeds)]
    pub(crate) test: RangeInclusive<u64>,
    /// Draw the cause of each run from its seed: attack, fault or authorised work.
    #[arg(long)]
    pub(crate) blind: bool,
    /// Directory for it; must be empty or new.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

#[derive(Serialize)]
struct Row {
    run: String,
    split: &'static str,
    scenario: String,
    seed: u64,
    start_utc: String,
    duration_s: f64,
    frames: u64,
    attack_frames: usize,
    attack_steps: usize,
    benign_events: usize,
    record_sha256: String,
}

pub(crate) fn dataset(args: &DatasetArgs) -> Result<Exit> {
    if let Some(seed) = args.train.clone().find(|seed| args.test.contains(seed)) {
        bail!(
            "seed {seed} is in --train and in --test\n  fix: a detector must not be tested on what it learnt from"
        );
    }
    let out = &args.out;
    if out.exists() && fs::read_dir(out).with_context(|| out.display().to_string())?.next().is_some() {
        bail!("{} holds something already\n  fix: choose another --out or move it away", out.display());
    }
    fs::create_dir_all(out.join("labels")).with_context(|| out.display().to_string())?;
    let mut rows = Vec::new();
    for scenario in &args.scenarios {
        for (split, seeds) in [("train", &args.train), ("test", &args.test)] {
            for seed in seeds.clone() {
                rows.push(one(args, scenario, split, seed)?);
            }
        }
    }
    let mut table = csv::Writer::from_path(out.join("runs.csv"))?;
    for row in &rows {
        table.serialize(row)?;
    }
    table.flush()?;
    write(&out.join("README.md"), &sheet(args, &rows))?;
    println!("{}: {} runs, {} frames; README.md says what is in it", out.display(), rows.len(), sum(&rows));
    Ok(Exit::Done)
}

fn sum(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.frames).sum()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Makes one run with its labels, which lie beside its record: what is sealed stays as it is.
fn one(args: &DatasetArgs, scenario: &str, split: &'static str, seed: u64) -> Result<Row> {
    let which = WhichRun { seed, blind: args.blind, settings: Vec::new(), level: Difficulty::default() };
    let ordered = order(scenario, &which)?;
    let id = ordered.scenario.id().to_owned();
    let name = format!("{id}-{seed}");
    let run = format!("{split}/{name}");
    let progress = Progress::start(&name, ordered.order.plan.end);
    let directory = args.out.join(&run);
    let Outcome { manifest, truth, frames, .. } = on_kernel_thread(|| {
        record_run(
            &ordered.order,
            Drive::Fast { acts: Vec::new() },
            &directory,
            &progress,
            Audience::default(),
        )
    })?;
    progress.end();
    write(&args.out.join(format!("labels/{name}.frames.csv")), &labels::frames(&truth)?)?;
    write(&args.out.join(format!("labels/{name}.intervals.csv")), &labels::intervals(&manifest, &truth)?)?;
    let attack = truth.iter().filter(|step| step.verdict == Verdict::Attack);
    let mut attacked: Vec<u64> = attack.clone().flat_map(|step| step.frames.iter().copied()).collect();
    attacked.sort_unstable();
    attacked.dedup();
    let seal = directory.join(record::run::MANIFEST);
    Ok(Row {
        run,
        split,
        scenario: id,
        seed,
        start_utc: manifest.start.to_string(),
        duration_s: manifest.duration.as_secs_f64(),
        frames,
        attack_frames: attacked.len(),
        attack_steps: attack.count(),
        benign_events: truth.iter().filter(|step| step.verdict != Verdict::Attack).count(),
        record_sha256: record::run::digest_of_file(&seal).with_context(|| seal.display().to_string())?,
    })
}

/// The data sheet: what there is, how it came about, what it is good for and what not.
fn sheet(args: &DatasetArgs, rows: &[Row]) -> String {
    let mut text = String::from("# A labelled data set of an industrial control system (EXERCISE)\n\n");
    let seeds = |range: &RangeInclusive<u64>| format!("{} to {}", range.start(), range.end());
    let blind = if args.blind { " --blind" } else { "" };
    let named: String = args.scenarios.iter().fold(String::new(), |mut all, name| {
        let _ = write!(all, " --scenario {name}");
        all
    });
    let (train, test) = (&args.train, &args.test);
    let _ = write!(
        text,
        "Everything in it is simulated: no plant, person or network of the world is in it. Made by Fieldrange {VERSION}:\n\n```sh\nfieldrange dataset{named} --train {}-{} --test {}-{}{blind} --out DIR\n```\n\nThe same command gives the same octets: `runs.csv` has the SHA-256 of each run's `run.json`, which has those of its files.\n\n",
        train.start(),
        train.end(),
        test.start(),
        test.end()
    );
    let _ = write!(
        text,
        "## What is in it\n\n{} runs, {} frames. Seeds {} are for training, {} for testing: what differs between runs (times, values, which\ncause, order of things) is drawn from the seed, so no draw of a test run was seen in training.\n\n| run | split | frames | attack frames | attack steps | benign events |\n|---|---|---|---|---|---|\n",
        rows.len(),
        sum(rows),
        seeds(train),
        seeds(test)
    );
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            row.run, row.split, row.frames, row.attack_frames, row.attack_steps, row.benign_events
        );
    }
    text.push_str(SHEET);
    text
}

const SHEET: &str = r#"
| file | what |
|---|---|
| `runs.csv` | a row for each run |
| `SPLIT/RUN/span.pcapng` | the mirror port of the control switch, times in nanoseconds |
| `SPLIT/RUN/process.csv` | instruments as transmitted, commands, setpoints, states; `time_s` since the start of the run, a row a second |
| `SPLIT/RUN/logs/` | Zeek's `conn.log`, `modbus.log` and their kin |
| `SPLIT/RUN/truth.jsonl` | ground truth in full, with what each step did to the plant |
| `labels/RUN.frames.csv` | `frame` (counted from 1, as tshark does), `label`, `step`, `campaign`, `techniques`. Frames that are not in it are ordinary traffic |
| `labels/RUN.intervals.csv` | a row for each step: `label`, techniques, source, target, points, `start_s`, `end_s`, when it is first on the network, when it crosses a limit |

Labels are `attack`, `fault` and `authorised` (maintenance, look-alikes, an operator's mistake: what a detector should leave alone). They were
written by what acted, as it acted, and not by anybody who looked at the traffic. Techniques are of ATT&CK for ICS v18.1.

```python
import io, subprocess, pandas
run = "train/RUN"
table = subprocess.run(["tshark", "-r", run + "/span.pcapng", "-T", "fields", "-E", "header=y", "-E", "separator=,",
                        "-e", "frame.number", "-e", "frame.time_relative", "-e", "ip.src", "-e", "ip.dst", "-e", "modbus.func_code"],
                       capture_output=True, text=True, check=True).stdout
frames = pandas.read_csv(io.StringIO(table), dtype={"modbus.func_code": str})
labels = pandas.read_csv("labels/RUN.frames.csv").drop_duplicates("frame")
frames = frames.merge(labels, left_on="frame.number", right_on="frame", how="left")
frames["label"] = frames["label"].fillna("ordinary")
```

## What it is not good for

- One plant and one network stand behind all runs of a site: a detector that learns addresses will look better here than elsewhere.
- Frames of an attack are far fewer than others. Report precision and recall, not accuracy; count steps found, not frames.
- `process.csv` holds what was transmitted: a failing probe looks there as it looked to the operator. What is true is in `truth.jsonl` alone.
- `findings.jsonl` and `incidents.jsonl` are what Fieldrange's own sensor concluded. They are not labels.
- Hosts' clocks, losses and retransmissions are those of a quiet plant network; load and noise of an office network are not in it.
"#;
