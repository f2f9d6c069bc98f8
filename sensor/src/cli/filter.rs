//! `filter`: records of logs that are there already.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use super::{SenseError, Verdict};
use crate::filter::Filter;
use crate::tsv::TsvReader;

/// Longest line of a log that is read.
const LINE_MAX: u64 = 1 << 20;

/// Which records of which logs.
#[derive(Clone, Debug, clap::Args)]
pub struct FilterArgs {
    /// The filter, as in 'func contains WRITE and id.orig_h != 192.168.1.20'
    #[arg(value_name = "EXPRESSION")]
    pub expression: String,
    /// Logs to read, tab-separated with Zeek's header or JSON lines; none for standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Exit with 1 if no record passes
    #[arg(long)]
    pub strict: bool,
}

pub(crate) fn filter(args: &FilterArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    let filter = Filter::parse(&args.expression)
        .map_err(|error| SenseError::Filter { text: args.expression.clone(), error })?;
    let mut out = BufWriter::new(out);
    let mut passed = 0;
    if args.files.is_empty() {
        passed += copy(&filter, &args.expression, io::stdin().lock(), &mut out, "standard input")?;
    }
    for path in &args.files {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| SenseError::Log { file: name.clone(), source })?;
        passed += copy(&filter, &args.expression, BufReader::new(file), &mut out, &name)?;
    }
    out.flush().map_err(SenseError::Output)?;
    Ok(if args.strict && passed == 0 { Verdict::Found } else { Verdict::Clear })
}

/// Copies what passes, with its header; how many records did.
fn copy(
    filter: &Filter,
    text: &str,
    mut log: impl BufRead,
    out: &mut dyn Write,
    name: &str,
) -> Result<u64, SenseError> {
    let trouble = |source| SenseError::Log { file: name.to_owned(), source };
    let mut tsv = TsvReader::default();
    let mut line = Vec::new();
    let mut passed = 0;
    loop {
        line.clear();
        let length = log.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).map_err(trouble)?;
        if length == 0 {
            return Ok(passed);
        }
        if line.len() as u64 == LINE_MAX {
            let problem = format!("a line of more than {LINE_MAX} octets is no record of a log");
            return Err(trouble(io::Error::new(io::ErrorKind::InvalidData, problem)));
        }
        let shown = String::from_utf8_lossy(&line);
        let shown = shown.trim_end_matches(['\n', '\r']);
        let passes = if shown.starts_with('{') {
            let record: serde_json::Value =
                serde_json::from_str(shown).map_err(|error| trouble(error.into()))?;
            filter.matches(&record)
        } else if shown.starts_with('#') {
            if tsv.header(shown) {
                filter
                    .check_fields(tsv.columns())
                    .map_err(|error| SenseError::Filter { text: format!("{text} ({name})"), error })?;
            }
            out.write_all(&line).map_err(SenseError::Output)?;
            continue;
        } else {
            filter.matches(&tsv.row(shown))
        };
        if passes {
            passed += 1;
            out.write_all(&line).map_err(SenseError::Output)?;
        }
    }
}
