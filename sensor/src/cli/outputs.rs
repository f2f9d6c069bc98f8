//! Where records go, as the command line says it.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::sense::{Format, SenseArgs, SenseError};
use crate::deliver::{Delivery, Destination, DestinationError, QueueConfig, Report};
use crate::filter::{Filter, log_fields};
use crate::log::{Log, LogFormat};
use crate::output::{JsonLines, Output, Picked, Rendering};
use crate::sink::{LogSink, directory_sink};

/// A sink for logs that are not written.
#[derive(Debug)]
struct NoLogs;

impl LogSink for NoLogs {
    fn write(&mut self, _: Log, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Where everything goes.
pub(crate) struct Outputs {
    pub(crate) sink: Box<dyn LogSink>,
    pub(crate) format: LogFormat,
    pub(crate) filter: Option<Filter>,
    pub(crate) takers: Vec<Box<dyn Output>>,
    /// What becomes of records that are sent.
    pub(crate) sent: Vec<Sent>,
    /// Directories that were not there before the queues were opened.
    pub(crate) made: Vec<PathBuf>,
    /// Standard output carries records, so words go elsewhere.
    pub(crate) stdout_taken: bool,
}

/// Records for one destination.
pub(crate) struct Sent {
    name: String,
    queues: PathBuf,
    report: Arc<Mutex<Report>>,
}

impl Sent {
    /// What to tell of them, and whether any is lost for good.
    pub(crate) fn told(&self) -> (Vec<String>, bool) {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = vec![format!("sent: {} records to {}", report.delivered, self.name)];
        if report.waiting > 0 {
            lines.push(format!(
                "waiting: {} records for {} in {}; the next run with the same queue sends them{}",
                report.waiting,
                self.name,
                self.queues.display(),
                report.trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default()
            ));
        }
        if report.dropped > 0 {
            lines.push(format!(
                "lost: {} records for {}, the queue was full: see --queue-max",
                report.dropped, self.name
            ));
        }
        if report.damaged > 0 {
            lines.push(format!("lost: damage in {} places of the queue for {}", report.damaged, self.name));
        }
        if report.rejected > 0 {
            let why = report.trouble.as_deref().unwrap_or("no reason given");
            lines.push(format!("refused: {} records by {} ({why})", report.rejected, self.name));
        }
        (lines, report.waiting + report.dropped + report.damaged + report.rejected > 0)
    }
}

impl Outputs {
    /// Nothing is open yet.
    pub(crate) fn new(args: &SenseArgs) -> Result<Self, SenseError> {
        Ok(Self {
            sink: Box::new(NoLogs),
            format: LogFormat::Off,
            filter: args.filter.as_deref().map(parse_filter).transpose()?,
            takers: Vec::new(),
            sent: Vec::new(),
            made: Vec::new(),
            stdout_taken: false,
        })
    }

    /// Opens everything that `--to` names, and starts to deliver what waits.
    pub(crate) fn open_destinations(&mut self, args: &SenseArgs) -> Result<(), SenseError> {
        args.to.iter().try_for_each(|destination| self.open_destination(args, destination))
    }

    /// Directories of the queues.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Path> {
        self.sent.iter().map(|sent| sent.queues.as_path())
    }

    /// Opens the logs in a directory, which is made if it is not there.
    pub(crate) fn open_directory(&mut self, args: &SenseArgs, directory: &Path) -> Result<(), SenseError> {
        let trouble = |source| SenseError::Logs { directory: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(trouble)?;
        for format in &args.format {
            let rendering = match format {
                Format::Zeek | Format::Json => {
                    if self.format != LogFormat::Off {
                        return Err(SenseError::Usage {
                            problem: "--format names both zeek and json, which would be the same files"
                                .to_owned(),
                            fix: "name one of them".to_owned(),
                        });
                    }
                    self.format = if *format == Format::Json { LogFormat::Json } else { LogFormat::Tsv };
                    self.sink = Box::new(directory_sink(directory).map_err(trouble)?);
                    continue;
                }
                Format::Ecs => Rendering::Ecs,
                Format::Eve => Rendering::Eve,
            };
            let file = File::create(directory.join(format!("{rendering}.json"))).map_err(trouble)?;
            self.take(JsonLines::new(rendering, BufWriter::with_capacity(1 << 16, file)));
        }
        Ok(())
    }

    fn open_destination(&mut self, args: &SenseArgs, destination: &str) -> Result<(), SenseError> {
        if destination == "stdout" || destination == "-" {
            self.stdout_taken = true;
            let rendering = args.rendering();
            self.take(JsonLines::new(rendering, BufWriter::with_capacity(1 << 16, io::stdout())));
            return Ok(());
        }
        let destination: Destination = destination.parse().map_err(|error: DestinationError| {
            SenseError::Usage { problem: error.problem, fix: error.fix }
        })?;
        let name = destination.to_string();
        let queues = match (&args.queue_dir, &args.log_dir) {
            (Some(directory), _) => directory.clone(),
            (None, Some(directory)) => directory.join("queue"),
            (None, None) => "queue".into(),
        };
        let config = QueueConfig {
            limit: args.queue_max.unwrap_or(QueueConfig::default().limit),
            patience: args.wait.unwrap_or(QueueConfig::default().patience),
            say: |words| eprintln!("{words}"),
        };
        self.made.extend(Delivery::directory(&destination, &queues).ancestors().filter_map(|directory| {
            let is_missing = !directory.as_os_str().is_empty() && !directory.exists();
            is_missing.then(|| directory.to_owned())
        }));
        let delivery = Delivery::start(destination, &queues, &config)
            .map_err(|source| SenseError::Destination { name: name.clone(), source })?;
        self.sent.push(Sent { name, queues, report: delivery.report() });
        self.take(delivery);
        Ok(())
    }

    fn take(&mut self, output: impl Output + 'static) {
        self.takers.push(match self.filter.clone() {
            Some(filter) => Box::new(Picked { filter, output }),
            None => Box::new(output),
        });
    }
}

/// A filter over rows of logs.
pub(crate) fn parse_filter(text: &str) -> Result<Filter, SenseError> {
    let trouble = |error| SenseError::Filter { text: text.to_owned(), error };
    let filter = Filter::parse(text).map_err(trouble)?;
    filter.check_fields(log_fields()).map_err(trouble)?;
    Ok(filter)
}
