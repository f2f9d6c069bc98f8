//! Where records go, as the command line says it.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::sense::{Format, SenseArgs, SenseError};
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
    /// Standard output carries records, so words go elsewhere.
    pub(crate) stdout_taken: bool,
}

impl Outputs {
    /// Opens what `args` name. `directory` is where the logs go; without one there are none.
    pub(crate) fn open(args: &SenseArgs, directory: Option<&Path>) -> Result<Self, SenseError> {
        let filter = args.filter.as_deref().map(parse_filter).transpose()?;
        let mut outputs = Self {
            sink: Box::new(NoLogs),
            format: LogFormat::Off,
            filter,
            takers: Vec::new(),
            stdout_taken: false,
        };
        if let Some(directory) = directory {
            outputs.open_directory(args, directory)?;
        }
        for destination in &args.to {
            outputs.open_destination(args, destination)?;
        }
        Ok(outputs)
    }

    fn open_directory(&mut self, args: &SenseArgs, directory: &Path) -> Result<(), SenseError> {
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
        Err(SenseError::Usage {
            problem: format!("{destination:?} is no destination"),
            fix: "write stdout".to_owned(),
        })
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
