//! Reading the record's tables: `logs/conn.log`, `logs/modbus.log` and `process.csv`.
//!
//! Logs have Zeek's form, tab-separated under a `#fields` line or one JSON object per line; columns are found by
//! name, so that a log with more of them reads as well. Only the columns that are used are kept, texts once each: a day
//! of polling is a million rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use record::{StartTime, VirtualTime};

/// Why a table of the record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A line is not what the table's form says.
    #[error("{path}:{line}: {problem}")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A column that is needed is not there.
    #[error("{path}: there is no column {column:?}; did you mean {closest:?}?")]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        column: String,
        /// The column that looks most like it; empty where the table has none.
        closest: String,
    },
}

/// One row of `modbus.log`: one PDU.
#[derive(Clone, Debug, PartialEq)]
pub struct ModbusRow {
    /// When.
    pub t: VirtualTime,
    /// Zeek's name of the connection.
    pub uid: Arc<str>,
    /// Address of the client.
    pub client: Arc<str>,
    /// Address of the server.
    pub server: Arc<str>,
    /// Unit id, where the log has it.
    pub unit: Option<u64>,
    /// Function by Zeek's name, `WRITE_SINGLE_REGISTER`.
    pub function: Arc<str>,
    /// `REQ` or `RESP`.
    pub pdu: Arc<str>,
    /// Exception by Zeek's name.
    pub exception: Option<Arc<str>>,
}

impl ModbusRow {
    /// Whether it asks for something.
    pub fn is_request(&self) -> bool {
        &*self.pdu == "REQ"
    }

    /// Whether it asks a controller to change a value.
    pub fn is_write(&self) -> bool {
        self.is_request() && self.function.contains("WRITE")
    }
}

/// One row of `conn.log`: one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnRow {
    /// First packet.
    pub t: VirtualTime,
    /// Zeek's name of the connection.
    pub uid: Arc<str>,
    /// Address of the side that opened it.
    pub client: Arc<str>,
    /// Its port, where the log has it.
    pub client_port: Option<u64>,
    /// Address of the other side.
    pub server: Arc<str>,
    /// Port of the other side.
    pub port: u64,
    /// `tcp`, `udp`, `icmp`.
    pub protocol: Arc<str>,
    /// What was recognised on it.
    pub service: Option<Arc<str>>,
    /// How long, s.
    pub duration_s: Option<f64>,
    /// Payload octets from the opening side.
    pub client_octets: Option<u64>,
    /// Payload octets from the other side.
    pub server_octets: Option<u64>,
    /// Zeek's state, `SF`, `S0`, `REJ`.
    pub state: Option<Arc<str>>,
}

/// Rows of a `modbus.log`, by time. `start` is the start of the run.
pub fn read_modbus(path: &Path, start: StartTime) -> Result<Vec<ModbusRow>, TableError> {
    const COLUMNS: [&str; 8] =
        ["ts", "uid", "id.orig_h", "id.resp_h", "func", "unit", "pdu_type", "exception"];
    let mut texts = Texts::default();
    let mut rows = Vec::new();
    read_log(path, &COLUMNS, 5, |fields| {
        let [ts, uid, client, server, function, unit, pdu, exception] = fields else {
            return Err("too few fields".to_owned());
        };
        rows.push(ModbusRow {
            t: time(need(ts.as_ref(), "ts")?, start)?,
            uid: texts.keep(need(uid.as_ref(), "uid")?),
            client: texts.keep(need(client.as_ref(), "id.orig_h")?),
            server: texts.keep(need(server.as_ref(), "id.resp_h")?),
            unit: number(unit.as_deref())?,
            function: texts.keep(need(function.as_ref(), "func")?),
            pdu: texts.keep(pdu.as_deref().unwrap_or(if exception.is_some() { "RESP" } else { "REQ" })),
            exception: exception.as_deref().map(|text| texts.keep(text)),
        });
        Ok(())
    })?;
    rows.sort_by_key(|row| row.t);
    Ok(rows)
}

/// Rows of a `conn.log`, by time of the first packet. `start` is the start of the run.
pub fn read_conn(path: &Path, start: StartTime) -> Result<Vec<ConnRow>, TableError> {
    const COLUMNS: [&str; 12] = [
        "ts",
        "uid",
        "id.orig_h",
        "id.resp_h",
        "id.resp_p",
        "proto",
        "service",
        "duration",
        "orig_bytes",
        "resp_bytes",
        "conn_state",
        "id.orig_p",
    ];
    let mut texts = Texts::default();
    let mut rows = Vec::new();
    read_log(path, &COLUMNS, 6, |fields| {
        let [
            ts,
            uid,
            client,
            server,
            port,
            protocol,
            service,
            duration,
            from_client,
            from_server,
            state,
            client_port,
        ] = fields
        else {
            return Err("too few fields".to_owned());
        };
        rows.push(ConnRow {
            t: time(need(ts.as_ref(), "ts")?, start)?,
            uid: texts.keep(need(uid.as_ref(), "uid")?),
            client: texts.keep(need(client.as_ref(), "id.orig_h")?),
            client_port: number(client_port.as_deref())?,
            server: texts.keep(need(server.as_ref(), "id.resp_h")?),
            port: number(port.as_deref())?.ok_or("no id.resp_p")?,
            protocol: texts.keep(need(protocol.as_ref(), "proto")?),
            service: service.as_deref().map(|text| texts.keep(text)),
            duration_s: duration
                .as_deref()
                .map(|text| text.parse::<f64>().map_err(|_| format!("duration is {text:?}")))
                .transpose()?,
            client_octets: number(from_client.as_deref())?,
            server_octets: number(from_server.as_deref())?,
            state: state.as_deref().map(|text| texts.keep(text)),
        });
        Ok(())
    })?;
    rows.sort_by_key(|row| row.t);
    Ok(rows)
}

/// Each text once.
#[derive(Default)]
struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    fn keep(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.0.get(text) {
            return kept.clone();
        }
        let kept: Arc<str> = text.into();
        self.0.insert(kept.clone());
        kept
    }
}

fn need<'a>(field: Option<&'a String>, name: &str) -> Result<&'a str, String> {
    field.map(String::as_str).ok_or_else(|| format!("{name} is not set"))
}

fn number(field: Option<&str>) -> Result<Option<u64>, String> {
    field.map(|text| text.parse().map_err(|_| format!("{text:?} is not a count"))).transpose()
}

/// Seconds since 1970 with up to nine decimals, exactly, as time of the run; moments before its start are the start.
fn time(text: &str, start: StartTime) -> Result<VirtualTime, String> {
    let wrong = || format!("{text:?} is not a time in seconds since 1970");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = fraction.len() <= 18 && fraction.bytes().all(|octet| octet.is_ascii_digit());
    let whole: u64 = whole.parse().ok().filter(|_| all_digits).ok_or_else(wrong)?;
    let nanos: u64 = format!("{fraction:0<9.9}").parse().map_err(|_| wrong())?;
    let unix = whole.checked_mul(1_000_000_000).and_then(|n| n.checked_add(nanos)).ok_or_else(wrong)?;
    Ok(start.virtual_time(unix).unwrap_or_default())
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> TableError + '_ {
    move |source| TableError::Io { path: path.to_owned(), source }
}

/// Goes through a log; `row` gets the wanted columns in the order asked for. The first `needed` must exist.
pub(crate) fn read_log(
    path: &Path,
    wanted: &[&str],
    needed: usize,
    mut row: impl FnMut(&[Option<String>]) -> Result<(), String>,
) -> Result<(), TableError> {
    let mut reader = BufReader::with_capacity(1 << 18, File::open(path).map_err(io_error(path))?);
    let mut line = String::new();
    let mut number = 0;
    let mut places: Option<Vec<Option<usize>>> = None;
    let mut fields: Vec<Option<String>> = vec![None; wanted.len()];
    loop {
        line.clear();
        if reader.read_line(&mut line).map_err(io_error(path))? == 0 {
            return Ok(());
        }
        number += 1;
        let bad = |problem: String| TableError::BadLine { path: path.to_owned(), line: number, problem };
        let text = line.trim_end_matches(['\n', '\r']);
        if let Some(header) = text.strip_prefix("#fields\t") {
            let names: Vec<&str> = header.split('\t').collect();
            if let Some(missing) = wanted[..needed].iter().find(|column| !names.contains(column)) {
                return Err(no_column(path, missing, names.iter().copied()));
            }
            places = Some(wanted.iter().map(|w| names.iter().position(|name| name == w)).collect());
        } else if text.is_empty() || text.starts_with('#') {
        } else if text.starts_with('{') {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
            for (field, name) in fields.iter_mut().zip(wanted) {
                *field = match object.get(*name) {
                    None | Some(serde_json::Value::Null) => None,
                    Some(serde_json::Value::String(text)) => Some(text.clone()),
                    Some(other) => Some(other.to_string()),
                };
            }
            row(&fields).map_err(bad)?;
        } else {
            let places = places.as_ref().ok_or_else(|| bad("a row before the #fields line".to_owned()))?;
            let cells: Vec<&str> = text.split('\t').collect();
            for (field, place) in fields.iter_mut().zip(places) {
                let cell = place.and_then(|place| cells.get(place)).filter(|cell| **cell != "-");
                *field = cell.map(|cell| unescape(cell));
            }
            row(&fields).map_err(bad)?;
        }
    }
}

/// Zeek's `\xNN` as the octet it stands for.
fn unescape(cell: &str) -> String {
    if !cell.contains("\\x") {
        return cell.to_owned();
    }
    let mut octets = Vec::with_capacity(cell.len());
    let mut rest = cell.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = rest.strip_prefix(b"\\x").and_then(|hex| hex.get(..2));
        let octet = digits
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(octet) = octet {
            octets.push(octet);
            rest = &rest[4..];
        } else {
            octets.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn no_column<'a>(path: &Path, column: &str, names: impl Iterator<Item = &'a str>) -> TableError {
    let closest = names.min_by_key(|name| crate::names::edit_distance(column, name)).unwrap_or_default();
    TableError::NoColumn { path: path.to_owned(), column: column.to_owned(), closest: closest.to_owned() }
}

/// Columns of `process.csv`, read when asked for: `time_s`, then one column per tag, one row per second.
#[derive(Debug)]
pub struct ProcessTable {
    path: PathBuf,
    tags: Vec<String>,
    columns: Mutex<BTreeMap<String, Arc<Vec<f64>>>>,
}

/// Name of the column of time, s since the start of the run.
const TIME: &str = "time_s";

impl ProcessTable {
    /// Reads the header.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let mut header = String::new();
        let file = File::open(path).map_err(io_error(path))?;
        BufReader::new(file).read_line(&mut header).map_err(io_error(path))?;
        let tags: Vec<String> = header.trim_end().split(',').map(|tag| tag.trim().to_owned()).collect();
        if tags.first().is_none_or(|first| first != TIME) {
            return Err(no_column(path, TIME, tags.iter().map(String::as_str)));
        }
        Ok(Self { path: path.to_owned(), tags, columns: Mutex::default() })
    }

    /// Tags that it has, in order of columns.
    pub fn tags(&self) -> &[String] {
        &self.tags[1..]
    }

    /// Times of the rows, s since the start of the run.
    pub fn times(&self) -> Result<Arc<Vec<f64>>, TableError> {
        self.column(TIME)
    }

    /// Values of a tag, in its unit; NaN where a cell is empty.
    pub fn column(&self, tag: &str) -> Result<Arc<Vec<f64>>, TableError> {
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(column) = columns.get(tag) {
            return Ok(column.clone());
        }
        let place = self
            .tags
            .iter()
            .position(|name| name == tag)
            .ok_or_else(|| no_column(&self.path, tag, self.tags().iter().map(String::as_str)))?;
        let column = Arc::new(self.read(place)?);
        columns.insert(tag.to_owned(), column.clone());
        Ok(column)
    }

    fn read(&self, place: usize) -> Result<Vec<f64>, TableError> {
        let file = File::open(&self.path).map_err(io_error(&self.path))?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut values = Vec::new();
        let mut line = String::new();
        let mut number = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).map_err(io_error(&self.path))? == 0 {
                return Ok(values);
            }
            number += 1;
            if number == 1 || line.trim().is_empty() {
                continue;
            }
            let cell = line.trim_end().split(',').nth(place).map(str::trim);
            let value = match cell {
                Some("") => Some(f64::NAN),
                Some(cell) => cell.parse().ok(),
                None => None,
            };
            values.push(value.ok_or_else(|| TableError::BadLine {
                path: self.path.clone(),
                line: number,
                problem: format!(
                    "column {} is {:?}, not a number",
                    self.tags[place],
                    cell.unwrap_or("missing")
                ),
            })?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn start() -> StartTime {
        "1970-01-01T00:01:40Z".parse().unwrap()
    }

    #[test]
    fn tab_separated_and_json_logs_read_the_same() {
        let tsv = file(
            "#separator \\x09\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tfunc\tmore\tpdu_type\texception\n\
             101.500000\tC1\t10.0.0.1\t10.0.0.2\tWRITE_SINGLE_COIL\tx\tREQ\t-\n#close\t1970\n",
        );
        let json = file(
            r#"{"ts":101.5,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","func":"WRITE_SINGLE_COIL","pdu_type":"REQ"}"#,
        );
        let rows = read_modbus(tsv.path(), start()).unwrap();
        assert_eq!(rows, read_modbus(json.path(), start()).unwrap());
        assert_eq!(rows[0].t, VirtualTime::from_secs_f64(1.5));
        assert!(rows[0].is_write());
    }

    #[test]
    fn a_bad_row_is_named_with_its_line() {
        let log = file("#fields\tts\tuid\tid.orig_h\tid.resp_h\tfunc\nsoon\tC1\ta\tb\tX\n");
        let error = read_modbus(log.path(), start()).unwrap_err();
        assert!(
            matches!(&error, TableError::BadLine { line: 2, problem, .. } if problem.contains("soon")),
            "{error}"
        );
        let log = file("#fields\tts\tuid\tid.orig_h\tid.resp_h\tfun\n");
        let error = read_modbus(log.path(), start()).unwrap_err();
        assert!(
            matches!(&error, TableError::NoColumn { column, closest, .. } if column == "func" && closest == "fun")
        );
    }

    #[test]
    fn times_are_exact_to_the_nanosecond() {
        assert_eq!(
            time("1612512001.000000001", "2021-02-05T08:00:00Z".parse().unwrap()).unwrap().as_nanos(),
            1_000_000_001
        );
        for wrong in ["", "-1", "1.2.3", "nan", "1e9", "99999999999999999999"] {
            assert!(time(wrong, start()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape("a\\x09b\\x2d\\xzz"), "a\tb-\\xzz");
    }

    #[test]
    fn process_columns_are_found_by_tag() {
        let csv = file("time_s,AIT-202,LIT-401\n0,7.2,3.5\n1,,3.6\n");
        let table = ProcessTable::open(csv.path()).unwrap();
        assert_eq!(*table.column("LIT-401").unwrap(), [3.5, 3.6]);
        assert!(table.column("AIT-202").unwrap()[1].is_nan());
        let error = table.column("AIT-201").unwrap_err();
        assert!(error.to_string().contains("AIT-202"), "{error}");
        let broken = file("time_s,X\n0,seven\n");
        assert!(ProcessTable::open(broken.path()).unwrap().column("X").is_err());
        assert!(ProcessTable::open(file("X,Y\n").path()).is_err());
    }
}
