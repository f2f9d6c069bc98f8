//! A capture through the sensor.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use site::{FileError, Site};

use super::progress::Progress;
use super::span::parse_span;
use super::summary::print;
use crate::capture::{CaptureError, CaptureReader};
use crate::facts::Baseline;
use crate::log::{LogFormat, LogSet};
use crate::rules::RuleSet;
use crate::sensor::{LEARN, Sensor, SensorConfig, Summary};
use crate::sink::directory_sink;

/// What the sensor is asked to do.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  fieldrange-sensor -r span.pcapng --site waterworks --log-dir logs
  column -t -s '\t' logs/modbus.log | less -S")]
pub struct SenseArgs {
    /// Capture to read, pcap or pcapng; - for standard input
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub read: PathBuf,
    /// Directory for conn.log, modbus.log, findings.jsonl and the other logs; made if it is not there
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub log_dir: PathBuf,
    /// Documentation of the site: the name of one that comes with Fieldrange, or a file ending in .toml
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// How long the baseline learns from the first frame on, as in 90s, 30min, 24h [default: 120s, or 0s with --baseline]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub learn: Option<Duration>,
    /// What counts as normal: a file that --learn wrote. With --learn, what is learnt is added to the file
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Directory with Sigma rules of your own, beside those that come with the sensor
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Start of the run in UTC, as in 2026-03-02T06:00:00Z: findings' times then count from it
    #[arg(long, value_name = "TIME")]
    pub origin: Option<record::StartTime>,
    /// How logs are written
    #[arg(long, value_enum, default_value = "tsv")]
    pub format: Format,
    /// Which logs are written: full, basic (those that a run of the lab keeps), or names with commas between them
    #[arg(long, value_name = "SET", default_value = "full")]
    pub logs: LogSet,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tab-separated, with Zeek's header
    Tsv,
    /// One JSON object per line
    Json,
}

/// Why it could not be done; what was read before is kept in the logs.
#[derive(Debug, thiserror::Error)]
pub enum SenseError {
    /// The capture.
    #[error("{0}")]
    Capture(#[from] CaptureError),
    /// The site file or a rule.
    #[error("{0}")]
    File(#[from] FileError),
    /// The logs.
    #[error("{directory}: {source}")]
    Logs {
        /// Where they were to go.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The baseline could not be written.
    #[error("{file}: {source}: name a place that can be written", file = file.display())]
    Baseline {
        /// Where it was to go.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The summary could not be printed.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// Reads a capture through the sensor, writes its logs and prints the summary to `out`. An error comes after the logs of
/// everything that could be read were written.
pub fn run(args: &SenseArgs, out: &mut dyn Write) -> Result<Summary, SenseError> {
    let baseline =
        args.baseline.as_deref().map(|file| load_baseline(file, args.learn.is_some())).transpose()?;
    let config = SensorConfig {
        site: args.site.as_deref().map(load_site).transpose()?.map(Arc::new),
        learn: args.learn.unwrap_or(if baseline.is_some() { Duration::ZERO } else { LEARN }),
        baseline: baseline.map(Arc::new),
        origin: args.origin,
        format: if args.format == Format::Json { LogFormat::Json } else { LogFormat::Tsv },
        logs: args.logs,
        ..SensorConfig::default()
    };
    let rules = match &args.rules {
        Some(directory) => RuleSet::with_directory(directory)?,
        None => RuleSet::embedded()?,
    };
    // Opened before the directory is made: a wrong name leaves nothing behind.
    let name = args.read.display().to_string();
    let (source, size): (Box<dyn io::Read>, Option<u64>) = if args.read.as_os_str() == "-" {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = std::fs::File::open(&args.read)
            .map_err(|source| CaptureError::Io { file: name.clone(), source })?;
        let size = file.metadata().ok().map(|metadata| metadata.len());
        (Box::new(file), size)
    };
    let mut reader = CaptureReader::new(&name, source)?;
    let trouble = |source| SenseError::Logs { directory: args.log_dir.clone(), source };
    let sink = directory_sink(&args.log_dir).map_err(trouble)?;
    let mut sensor = Sensor::new(config, rules, sink);
    let mut progress = Progress::new(size);
    // Written as soon as it is complete: what comes after does not change it, and may go on for months.
    let mut to_save = args.baseline.as_deref().filter(|_| args.learn.is_some());
    let broken = loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
                if !sensor.is_learning()
                    && let Some(file) = to_save.take()
                {
                    save_baseline(file, &sensor.baseline())?;
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
        progress.tick(&reader);
    };
    progress.end();
    if let Some(file) = to_save {
        save_baseline(file, &sensor.baseline())?;
    }
    let summary = sensor.finish().map_err(trouble)?;
    print(args, &summary, out).map_err(SenseError::Output)?;
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(summary),
    }
}

/// The baseline in a file; an empty one where the file is still to be written.
fn load_baseline(file: &Path, learns: bool) -> Result<Baseline, FileError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Baseline::parse(&name, &text),
        Err(error) if learns && error.kind() == io::ErrorKind::NotFound => Ok(Baseline::default()),
        Err(error) => Err(FileError {
            file: name,
            line: 0,
            problem: error.to_string(),
            fix: "name a baseline that can be read, or add --learn SPAN to write one".to_owned(),
        }),
    }
}

/// Writes the baseline whole or not at all.
fn save_baseline(file: &Path, baseline: &Baseline) -> Result<(), SenseError> {
    let trouble = |source| SenseError::Baseline { file: file.to_owned(), source };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, baseline.to_toml()).map_err(trouble)?;
    std::fs::rename(&beside, file).map_err(trouble)
}

fn load_site(name: &str) -> Result<Site, FileError> {
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        return Site::named(name);
    }
    let text = std::fs::read_to_string(name).map_err(|error| FileError {
        file: name.to_owned(),
        line: 0,
        problem: error.to_string(),
        fix: "name a site file that can be read".to_owned(),
    })?;
    Site::parse(name, &text)
}
