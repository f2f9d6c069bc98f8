//! The sensor's records, read from the run's own logs while they grow: the latest first, through the display filter.
//!
//! A log is read backwards in pieces from its end, so that a long run costs no more than what is looked through; one
//! request looks through a bounded number of octets and says where it stopped.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use axum::Json;
use axum::extract::{Path as RoutePath, Query, State};
use sensor::tsv::TsvReader;
use sensor::{Fields, Filter};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::team::AtTeam;
use super::{Console, Shared};
use crate::store::Shows;

/// Most rows of one answer.
const ROWS_MAX: usize = 500;
/// Most octets of a log that one answer looks through.
const LOOKED_THROUGH_MAX: u64 = 16 << 20;
/// Octets that are read at a time.
const PIECE: u64 = 1 << 18;
/// The head of a log ends well before this.
const HEAD_MAX: u64 = 16 * 1024;

/// Where a log of a run lies, if this seat may see it.
fn path_of(console: &Console, at: &AtTeam, log: &str) -> Result<PathBuf, Problem> {
    at.evidence()?;
    let is_free = at.is_open(console);
    let shows = at.play.class.shows;
    let is_finding = matches!(log, "findings" | "incidents");
    match shows {
        Shows::Capture if !is_free => {
            return Err(Problem::forbidden("this exercise shows the capture alone"));
        }
        Shows::Records if is_finding && !is_free => {
            return Err(Problem::forbidden("this exercise shows records: finding is your part"));
        }
        _ => {}
    }
    if log.is_empty()
        || !log.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    {
        return Err(Problem::missing("there is no such log"));
    }
    let file = if is_finding { format!("{log}.jsonl") } else { format!("logs/{log}.log") };
    Ok(at.play.directory().join(file))
}

/// Which logs there are, with their sizes.
pub(super) async fn logs(State(console): State<Shared>, at: AtTeam) -> Result<Json<Value>, Problem> {
    at.evidence()?;
    let mut found = Vec::new();
    for name in ["findings", "incidents"] {
        if let Ok(path) = path_of(&console, &at, name)
            && let Ok(metadata) = path.metadata()
        {
            found.push(json!({ "name": name, "octets": metadata.len() }));
        }
    }
    let mut names: Vec<(String, u64)> = Vec::new();
    for entry in std::fs::read_dir(at.play.directory().join("logs")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let (Some(name), Ok(metadata)) = (name.strip_suffix(".log"), entry.metadata()) {
            names.push((name.to_owned(), metadata.len()));
        }
    }
    names.sort();
    for (name, octets) in names {
        if path_of(&console, &at, &name).is_ok() {
            found.push(json!({ "name": name, "octets": octets }));
        }
    }
    Ok(Json(json!({ "logs": found, "shows": at.play.class.shows })))
}

/// Which rows.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    filter: String,
    /// Octet before which to look; the end where there is none.
    before: Option<u64>,
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// Rows of a log, latest first.
pub(super) async fn rows(
    State(console): State<Shared>,
    at: AtTeam,
    RoutePath((_, log)): RoutePath<(i64, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let path = path_of(&console, &at, &log)?;
    let filter = match wanted.filter.trim() {
        "" => None,
        text => Some(Filter::parse(text).map_err(|error| Problem::bad(error.to_string()))?),
    };
    let limit = wanted.limit.clamp(1, ROWS_MAX);
    let look = move || look_back(&path, filter.as_ref(), wanted.before, limit);
    let found =
        tokio::task::spawn_blocking(look).await.map_err(|error| Problem::bad(error.to_string()))??;
    Ok(Json(found))
}

/// A log's rows before an octet, latest first.
fn look_back(
    path: &Path,
    filter: Option<&Filter>,
    before: Option<u64>,
    limit: usize,
) -> Result<Value, Problem> {
    let mut file = File::open(path)?;
    let head = Head::read(&mut file)?;
    let length = file.metadata()?.len();
    let mut end = before.map_or(length, |before| before.min(length));
    let mut tail = Vec::new();
    let mut rows = Vec::new();
    let mut looked_through = 0;
    // What follows the last line's end is a line that is still being written.
    let mut is_first = before.is_none();
    let mut next = end;
    'pieces: while end > 0 && looked_through < LOOKED_THROUGH_MAX {
        let begin = end.saturating_sub(PIECE);
        let mut piece = vec![0; (end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut piece)?;
        looked_through += end - begin;
        piece.append(&mut tail);
        let mut stop = piece.len();
        if is_first {
            stop = piece.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
            is_first = false;
        }
        while let Some(line_end) = stop.checked_sub(1) {
            let Some(line_begin) = piece[..line_end]
                .iter()
                .rposition(|octet| *octet == b'\n')
                .map(|at| at + 1)
                .or((begin == 0).then_some(0))
            else {
                break;
            };
            next = begin + line_begin as u64;
            let line = String::from_utf8_lossy(&piece[line_begin..line_end]);
            if let Some(row) = head.row(&line, filter) {
                rows.push(row);
            }
            stop = line_begin;
            if rows.len() == limit {
                break 'pieces;
            }
        }
        piece.truncate(stop);
        tail = piece;
        end = begin;
    }
    let has_more = next > 0 && end > 0;
    Ok(json!({ "columns": head.columns(), "rows": rows, "before": has_more.then_some(next) }))
}

/// What the beginning of a log says about its rows.
enum Head {
    Json,
    Tsv(TsvReader),
}

impl Head {
    fn read(file: &mut File) -> Result<Self, Problem> {
        let mut text = Vec::new();
        file.take(HEAD_MAX).read_to_end(&mut text)?;
        if text.first() == Some(&b'{') || text.is_empty() {
            return Ok(Self::Json);
        }
        let mut reader = TsvReader::default();
        for line in String::from_utf8_lossy(&text).lines().take_while(|line| line.starts_with('#')) {
            reader.header(line);
        }
        Ok(Self::Tsv(reader))
    }

    fn columns(&self) -> Vec<String> {
        match self {
            Self::Json => Vec::new(),
            Self::Tsv(reader) => reader.columns().map(str::to_owned).collect(),
        }
    }

    fn row(&self, line: &str, filter: Option<&Filter>) -> Option<Value> {
        match self {
            Self::Json => {
                let row: serde_json::Map<String, Value> = serde_json::from_str(line).ok()?;
                filter.is_none_or(|filter| filter.matches(&row)).then_some(Value::Object(row))
            }
            Self::Tsv(_) if line.starts_with('#') || line.is_empty() => None,
            Self::Tsv(reader) => {
                let row = reader.row(line);
                if filter.is_some_and(|filter| !filter.matches(&row)) {
                    return None;
                }
                Some(
                    reader
                        .columns()
                        .map(|column| row.field(column).map_or(Value::Null, |value| value.to_json()))
                        .collect(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_latest_rows_come_first_and_pages_join_without_a_gap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut text = "#separator \\x09\n#fields\tts\tid.orig_h\tn\n#types\ttime\taddr\tcount\n".to_owned();
        for n in 0..30_000 {
            writeln!(text, "{n}.5\t192.168.1.{}\t{n}", n % 3).unwrap();
        }
        text.push_str("30000.5\t192.168.1.0\t30");
        std::fs::write(&path, &text).unwrap();
        let mut seen = Vec::new();
        let mut before = None;
        let filter = Filter::parse("id.orig_h == 192.168.1.1").unwrap();
        loop {
            let page = look_back(&path, Some(&filter), before, 400).unwrap();
            seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row[2].as_i64().unwrap()));
            match page["before"].as_u64() {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        let expected: Vec<i64> = (0..30_000).filter(|n| n % 3 == 1).rev().collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn lines_of_json_are_rows_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("findings.jsonl");
        std::fs::write(&path, "{\"level\":\"low\"}\n{\"level\":\"high\"}\n{\"le").unwrap();
        let page = look_back(&path, None, None, 10).unwrap();
        assert_eq!(page["rows"], json!([{ "level": "high" }, { "level": "low" }]));
        assert!(page["before"].is_null());
    }
}
