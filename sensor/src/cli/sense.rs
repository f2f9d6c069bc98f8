//! A capture through the sensor.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use record::Level;
use site::{FileError, Site};

use super::Verdict;
use super::baseline;
use super::input::{Input, LiveArgs};
use super::outputs::{Outputs, Sent};
use super::span::{parse_size, parse_span};
use super::summary::{Screen, Tally};
use crate::capture::CaptureError;
use crate::filter::FilterError;
use crate::log::LogSet;
use crate::output::{Output, Rendering};
use crate::rules::RuleSet;
use crate::sensor::{LEARN, Sensor, SensorConfig, Summary};

/// How a capture is read and where its records go.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SenseArgs {
    /// Capture to read, pcap or pcapng, packed by gzip or not; - for standard input
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub read: Option<PathBuf>,
    /// How an interface is listened to.
    #[command(flatten)]
    pub live: LiveArgs,
    /// Directory for conn.log, modbus.log, findings.jsonl and the other logs; made if it is not there [default: the
    /// current one, or none where --to is given]
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<PathBuf>,
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
    /// Judge by no rules at all: records only
    #[arg(long, conflicts_with = "rules")]
    pub no_rules: bool,
    /// Start of the run in UTC, as in 2026-03-02T06:00:00Z: findings' times then count from it
    #[arg(long, value_name = "TIME")]
    pub origin: Option<record::StartTime>,
    /// How logs are written; several with commas between them
    #[arg(long, value_enum, value_delimiter = ',', default_value = "zeek")]
    pub format: Vec<Format>,
    /// Which logs are written: full, basic (those that a run of the lab keeps), none, or names with commas between them
    #[arg(long, value_name = "SET", default_value = "full")]
    pub logs: LogSet,
    /// Write only records that pass, as in 'id.orig_h == 192.168.1.0/24 and func contains WRITE'
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Send records there; can be given more than once. stdout for JSON lines, or a collector: syslog+udp://HOST:PORT,
    /// syslog+tcp://, syslog+tls://, elastic+http://HOST:PORT/INDEX, elastic+https://, splunk+http://HOST:PORT,
    /// splunk+https://; with ?logs=findings,incidents only those, with ?format=json, ecs or eve by other names, with
    /// ?ca=FILE trusting those authorities alone. Tokens come from ELASTIC_API_KEY, SPLUNK_HEC_TOKEN, or ?token_env=NAME
    #[arg(long, value_name = "DESTINATION")]
    pub to: Vec<String>,
    /// Where records wait for collectors [default: queue in the directory for logs]
    #[arg(long, value_name = "DIR")]
    pub queue_dir: Option<PathBuf>,
    /// Most that waits for one collector, as in 64M or 2G; when it is full, new records are dropped and counted
    /// [default: 1G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub queue_max: Option<u64>,
    /// At the end, how long to wait for a collector that takes nothing [default: 10s]
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub wait: Option<Duration>,
    /// Exit with 1 if there are findings of medium or above, or records were lost on their way out
    #[arg(long)]
    pub strict: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

impl SenseArgs {
    /// Where the logs go.
    fn directory(&self) -> Option<&Path> {
        match &self.log_dir {
            Some(directory) => Some(directory),
            None if self.to.is_empty() => Some(Path::new(".")),
            None => None,
        }
    }

    /// In which names standard output tells records: Zeek's, unless the format is one of the others.
    pub(crate) fn rendering(&self) -> Rendering {
        match self.format.last() {
            Some(Format::Ecs) => Rendering::Ecs,
            Some(Format::Eve) => Rendering::Eve,
            _ => Rendering::Zeek,
        }
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Zeek's logs, tab-separated with its header
    #[value(alias = "tsv")]
    Zeek,
    /// Zeek's logs, one JSON object per line
    Json,
    /// One file, ecs.json, with the names of the Elastic Common Schema
    Ecs,
    /// One file, eve.json, with Suricata's events
    Eve,
}

/// Why it could not be done; what was read before is kept in the logs.
#[derive(Debug, thiserror::Error)]
pub enum SenseError {
    /// The capture.
    #[error("{0}")]
    Capture(#[from] CaptureError),
    /// The interface.
    #[cfg(target_os = "linux")]
    #[error("{0}")]
    Live(#[from] crate::live::LiveError),
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
    /// A log that was to be read.
    #[error("{file}: {source}")]
    Log {
        /// The log.
        file: String,
        /// What the operating system said, or what is wrong with it.
        source: io::Error,
    },
    /// A filter.
    #[error("filter {text:?}: {error}")]
    Filter {
        /// The filter.
        text: String,
        /// Where and what.
        error: FilterError,
    },
    /// Options that do not go together, or miss something.
    #[error("{problem}; {fix}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to write instead.
        fix: String,
    },
    /// A collector that records are to be sent to.
    #[error("{name}: {source}")]
    Destination {
        /// The destination.
        name: String,
        /// What stands in the way.
        source: io::Error,
    },
    /// The summary could not be printed.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// Reads a capture through the sensor, writes its records and prints the summary to `out`. An error of the capture
/// comes after the records of everything that could be read were written.
pub(crate) fn sense(args: &SenseArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    let tally = Tally::default();
    let directory = args.directory();
    let Done { summary, broken, sent, stdout_taken } =
        through(args, directory, None, vec![Box::new(tally.clone())])?;
    let (mut told, mut lost) = (Vec::new(), false);
    for (lines, some) in sent.iter().map(Sent::told) {
        told.extend(lines);
        lost |= some;
    }
    let screen = Screen { summary: &summary, counts: tally.take(), logs_in: directory, sent: &told };
    let print = |out: &mut dyn Write| if args.json { screen.print_json(out) } else { screen.print(out) };
    // Records and words do not mix.
    let printed = if stdout_taken { print(&mut io::stderr().lock()) } else { print(out) };
    printed.map_err(SenseError::Output)?;
    if let Some(error) = broken {
        return Err(error);
    }
    let found = summary.findings[Level::Medium as usize..].iter().any(|count| *count > 0);
    Ok(if args.strict && (found || lost) { Verdict::Found } else { Verdict::Clear })
}

/// Reads a capture for what `takers` see of it; no logs are written. With the summary comes what is wrong with the
/// capture, if anything is.
pub(crate) fn feed(
    args: &SenseArgs,
    rules: Option<RuleSet>,
    takers: Vec<Box<dyn Output>>,
) -> Result<(Summary, Option<SenseError>), SenseError> {
    through(args, None, rules, takers).map(|done| (done.summary, done.broken))
}

/// A capture that went through.
struct Done {
    summary: Summary,
    /// What is wrong with the capture.
    broken: Option<SenseError>,
    sent: Vec<Sent>,
    stdout_taken: bool,
}

fn through(
    args: &SenseArgs,
    directory: Option<&Path>,
    rules: Option<RuleSet>,
    takers: Vec<Box<dyn Output>>,
) -> Result<Done, SenseError> {
    let rules = match (rules, &args.rules) {
        (Some(rules), _) => rules,
        (None, Some(directory)) => RuleSet::with_directory(directory)?,
        (None, None) if args.no_rules => RuleSet::load([])?,
        (None, None) => RuleSet::embedded()?,
    };
    let baseline =
        args.baseline.as_deref().map(|file| baseline::load(file, args.learn.is_some())).transpose()?;
    let site = args.site.as_deref().map(load_site).transpose()?.map(Arc::new);
    // Opened before the directory is made: a wrong name leaves nothing behind.
    let mut outputs = Outputs::new(args)?;
    let is_live = args.live.interface.is_some();
    if is_live {
        // An interface confines this thread; those that deliver are not, and read certificates and ask for names.
        outputs.open_destinations(args)?;
    }
    let mut input = Input::open(args, directory, &outputs)?;
    if let Some(directory) = directory {
        outputs.open_directory(args, directory)?;
    }
    if !is_live {
        outputs.open_destinations(args)?;
    }
    let config = SensorConfig {
        site,
        learn: args.learn.unwrap_or(if baseline.is_some() { Duration::ZERO } else { LEARN }),
        baseline: baseline.map(Arc::new),
        origin: args.origin,
        format: outputs.format,
        logs: args.logs,
        ..SensorConfig::default()
    };
    let mut sensor = Sensor::new(config, rules, outputs.sink);
    if let Some(filter) = outputs.filter {
        sensor.set_filter(filter);
    }
    for taker in takers.into_iter().chain(outputs.takers) {
        sensor.add_output(taker);
    }
    // Written as soon as it is complete: what comes after does not change it, and may go on for months.
    let mut to_save = args.baseline.as_deref().filter(|_| args.learn.is_some());
    let broken = input.feed(&mut sensor, &mut |sensor| match to_save {
        Some(file) if !sensor.is_learning() => {
            to_save = None;
            baseline::save(file, &sensor.baseline())
        }
        _ => Ok(()),
    });
    let broken = broken.err();
    if let Some(file) = to_save {
        baseline::save(file, &sensor.baseline())?;
    }
    let logs = directory.unwrap_or_else(|| Path::new("-"));
    let summary =
        sensor.finish().map_err(|source| SenseError::Logs { directory: logs.to_owned(), source })?;
    Ok(Done { summary, broken, sent: outputs.sent, stdout_taken: outputs.stdout_taken })
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
