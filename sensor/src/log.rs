//! Logs: which there are, their columns, and how a row is written.
//!
//! Columns and their order are Zeek's (version 8.0), so that whatever reads Zeek's logs reads these. A log is
//! tab-separated with Zeek's header lines, or JSON with one object per line. `#open` and `#close` carry the times of
//! the first and the last frame, not of the wall clock: the same frames give the same files. A log without rows is not
//! written at all, as with Zeek.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use record::VirtualTime;

/// One of the sensor's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// One row per connection.
    Conn,
    /// One row per Modbus PDU.
    Modbus,
    /// Oddities of the traffic.
    Weird,
    /// One row per host, written at the end.
    Inventory,
    /// What the rules concluded: always JSON lines.
    Findings,
}

impl Log {
    /// Every log.
    pub const ALL: [Self; 5] = [Self::Conn, Self::Modbus, Self::Weird, Self::Inventory, Self::Findings];

    /// Name of its file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Conn => "conn.log",
            Self::Modbus => "modbus.log",
            Self::Weird => "weird.log",
            Self::Inventory => "inventory.log",
            Self::Findings => "findings.jsonl",
        }
    }

    /// Columns: name and Zeek's type.
    pub const fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Conn => CONN,
            Self::Modbus => MODBUS,
            Self::Weird => WEIRD,
            Self::Inventory => INVENTORY,
            Self::Findings => &[],
        }
    }

    /// Zeek's `#path`.
    fn path(self) -> &'static str {
        self.file_name().split('.').next().unwrap_or_default()
    }
}

const CONN: &[(&str, &str)] = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("proto", "enum"),
    ("service", "string"),
    ("duration", "interval"),
    ("orig_bytes", "count"),
    ("resp_bytes", "count"),
    ("conn_state", "string"),
    ("local_orig", "bool"),
    ("local_resp", "bool"),
    ("missed_bytes", "count"),
    ("history", "string"),
    ("orig_pkts", "count"),
    ("orig_ip_bytes", "count"),
    ("resp_pkts", "count"),
    ("resp_ip_bytes", "count"),
    ("tunnel_parents", "set[string]"),
    ("ip_proto", "count"),
];

const MODBUS: &[(&str, &str)] = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("tid", "count"),
    ("unit", "count"),
    ("func", "string"),
    ("pdu_type", "string"),
    ("exception", "string"),
];

const WEIRD: &[(&str, &str)] = &[
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("name", "string"),
    ("addl", "string"),
    ("notice", "bool"),
    ("peer", "string"),
    ("source", "string"),
];

const INVENTORY: &[(&str, &str)] = &[
    ("ts", "time"),
    ("last_seen", "time"),
    ("host", "addr"),
    ("mac", "string"),
    ("mac_vendor", "string"),
    ("name", "string"),
    ("zone", "string"),
    ("level", "string"),
    ("role", "string"),
    ("documented", "bool"),
    ("protocols", "set[string]"),
    ("device", "string"),
    ("vendor", "string"),
    ("product", "string"),
    ("revision", "string"),
];

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Tab-separated, with Zeek's header.
    #[default]
    Tsv,
    /// One JSON object per line.
    Json,
}

/// Takes the logs. One call is one or more whole lines.
pub trait LogSink {
    /// Appends lines to a log. A log that never gets a line need not exist.
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()>;

    /// The logs are complete.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: LogSink + ?Sized> LogSink for Box<S> {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        (**self).write(log, lines)
    }
    fn finish(&mut self) -> io::Result<()> {
        (**self).finish()
    }
}

/// Keeps the logs in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    logs: [Vec<u8>; Log::ALL.len()],
}

impl MemorySink {
    /// What a log holds.
    pub fn octets(&self, log: Log) -> &[u8] {
        &self.logs[log as usize]
    }

    /// What a log holds, as text.
    pub fn text(&self, log: Log) -> String {
        String::from_utf8_lossy(self.octets(log)).into_owned()
    }
}

impl LogSink for MemorySink {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        self.logs[log as usize].extend_from_slice(lines);
        Ok(())
    }
}

/// Writes each log to a writer of its own, opened at its first line: `open` gets the log and returns the writer.
pub struct WriterSink<W, F> {
    open: F,
    writers: [Option<W>; Log::ALL.len()],
}

impl<W, F> std::fmt::Debug for WriterSink<W, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterSink").finish_non_exhaustive()
    }
}

impl<W: Write, F: FnMut(Log) -> io::Result<W>> WriterSink<W, F> {
    /// A sink that opens its writers with `open`.
    pub fn new(open: F) -> Self {
        Self { open, writers: [const { None }; Log::ALL.len()] }
    }
}

impl<W: Write, F: FnMut(Log) -> io::Result<W>> LogSink for WriterSink<W, F> {
    fn write(&mut self, log: Log, lines: &[u8]) -> io::Result<()> {
        let slot = &mut self.writers[log as usize];
        let writer = match slot {
            Some(writer) => writer,
            None => slot.insert((self.open)(log)?),
        };
        writer.write_all(lines)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.writers.iter_mut().flatten().try_for_each(Write::flush)
    }
}

/// A sink that writes files named as in [`Log::file_name`] into a directory.
pub fn directory_sink(
    directory: &Path,
) -> io::Result<WriterSink<BufWriter<File>, impl FnMut(Log) -> io::Result<BufWriter<File>> + use<>>> {
    std::fs::create_dir_all(directory)?;
    let directory: PathBuf = directory.to_owned();
    Ok(WriterSink::new(move |log: Log| {
        File::create(directory.join(log.file_name())).map(|file| BufWriter::with_capacity(1 << 16, file))
    }))
}

/// One value of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field<'a> {
    Unset,
    /// Nanoseconds since 1970.
    Time(u64),
    /// Nanoseconds.
    Interval(u64),
    Count(u64),
    Text(&'a str),
    Address(IpAddr),
    Bool(bool),
    Set(&'a [&'a str]),
}

impl<'a> From<Option<&'a str>> for Field<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Unset, Self::Text)
    }
}

/// Writes rows to a sink; keeps the first error and writes no more after it.
#[derive(Debug)]
pub(crate) struct LogWriter<S> {
    pub(crate) sink: S,
    format: LogFormat,
    line: Vec<u8>,
    opened: [bool; Log::ALL.len()],
    rows: [u64; Log::ALL.len()],
    first: Option<u64>,
    last: u64,
    error: Option<io::Error>,
}

impl<S: LogSink> LogWriter<S> {
    pub(crate) fn new(sink: S, format: LogFormat) -> Self {
        let (opened, rows) = ([false; Log::ALL.len()], [0; Log::ALL.len()]);
        Self { sink, format, line: Vec::new(), opened, rows, first: None, last: 0, error: None }
    }

    /// Notes the time of a frame, for `#open` and `#close`.
    pub(crate) fn frame_at(&mut self, unix_nanos: u64) {
        self.first.get_or_insert(unix_nanos);
        self.last = unix_nanos;
    }

    pub(crate) fn rows(&self, log: Log) -> u64 {
        self.rows[log as usize]
    }

    /// Writes one row; `fields` in the order of the log's columns.
    pub(crate) fn row(&mut self, log: Log, fields: &[Field<'_>]) {
        debug_assert_eq!(fields.len(), log.columns().len(), "{log:?}");
        self.line.clear();
        if !self.opened[log as usize] && self.format == LogFormat::Tsv {
            header(&mut self.line, log, self.first.unwrap_or(0));
        }
        self.opened[log as usize] = true;
        match self.format {
            LogFormat::Tsv => {
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        self.line.push(b'\t');
                    }
                    write_tsv(&mut self.line, *field);
                }
                self.line.push(b'\n');
            }
            LogFormat::Json => {
                self.line.push(b'{');
                for ((name, _), field) in log.columns().iter().zip(fields) {
                    if matches!(field, Field::Unset) {
                        continue;
                    }
                    if self.line.len() > 1 {
                        self.line.push(b',');
                    }
                    self.line.push(b'"');
                    self.line.extend_from_slice(name.as_bytes());
                    self.line.extend_from_slice(b"\":");
                    write_json(&mut self.line, *field);
                }
                self.line.extend_from_slice(b"}\n");
            }
        }
        self.rows[log as usize] += 1;
        self.flush_line(log);
    }

    /// Writes a line that is JSON in every format.
    pub(crate) fn json_line(&mut self, log: Log, line: &str) {
        self.line.clear();
        self.line.extend_from_slice(line.as_bytes());
        self.line.push(b'\n');
        self.rows[log as usize] += 1;
        self.flush_line(log);
    }

    /// Writes the last lines; the first error that happened on the way comes out here.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.format == LogFormat::Tsv {
            for log in Log::ALL {
                if self.opened[log as usize] {
                    self.line.clear();
                    self.line.extend_from_slice(b"#close\t");
                    self.line.extend_from_slice(civil(self.last).as_bytes());
                    self.line.push(b'\n');
                    self.flush_line(log);
                }
            }
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.sink.finish(),
        }
    }

    fn flush_line(&mut self, log: Log) {
        if self.error.is_none()
            && let Err(error) = self.sink.write(log, &self.line)
        {
            self.error = Some(error);
        }
    }
}

fn header(out: &mut Vec<u8>, log: Log, first: u64) {
    let mut text =
        String::from("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n");
    text += "#path\t";
    text += log.path();
    text += "\n#open\t";
    text += &civil(first);
    for (title, index) in [("\n#fields", 0), ("\n#types", 1)] {
        text += title;
        for column in log.columns() {
            text.push('\t');
            text += if index == 0 { column.0 } else { column.1 };
        }
    }
    text.push('\n');
    out.extend_from_slice(text.as_bytes());
}

/// `2026-03-02-06-00-00` in UTC. Days to civil date after Howard Hinnant, "chrono-compatible low-level date algorithms".
fn civil(unix_nanos: u64) -> String {
    let seconds = unix_nanos / 1_000_000_000;
    let days = (seconds / 86_400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}")
}

/// Seconds with six decimals, rounded, as Zeek prints times and intervals.
fn write_seconds(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos.saturating_add(500) / 1000;
    write_number(out, micros / 1_000_000);
    out.push(b'.');
    let mut fraction = micros % 1_000_000;
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit += (fraction % 10) as u8;
        fraction /= 10;
    }
    out.extend_from_slice(&digits);
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                write_number(out, u64::from(octet));
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn write_tsv(out: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Unset => out.push(b'-'),
        Field::Time(nanos) | Field::Interval(nanos) => write_seconds(out, nanos),
        Field::Count(count) => write_number(out, count),
        Field::Text("") => out.extend_from_slice(b"(empty)"),
        Field::Text(text) => write_escaped(out, text, false),
        Field::Address(address) => write_address(out, address),
        Field::Bool(value) => out.push(if value { b'T' } else { b'F' }),
        Field::Set([]) => out.extend_from_slice(b"(empty)"),
        Field::Set(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_escaped(out, item, true);
            }
        }
    }
}

/// Tabs, backslashes and control characters become `\xNN`, so that a row stays a row whatever a device sends.
fn write_escaped(out: &mut Vec<u8>, text: &str, in_set: bool) {
    if text == "-" {
        out.extend_from_slice(b"\\x2d");
        return;
    }
    for octet in text.bytes() {
        if octet < 0x20 || octet == b'\\' || octet == 0x7f || (in_set && octet == b',') {
            let digits = b"0123456789abcdef";
            out.extend_from_slice(b"\\x");
            out.push(digits[usize::from(octet >> 4)]);
            out.push(digits[usize::from(octet & 15)]);
        } else {
            out.push(octet);
        }
    }
}

fn write_json(out: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Unset => out.extend_from_slice(b"null"),
        Field::Time(nanos) | Field::Interval(nanos) => write_seconds(out, nanos),
        Field::Count(count) => write_number(out, count),
        Field::Text(text) => write_json_text(out, text),
        Field::Address(address) => {
            out.push(b'"');
            write_address(out, address);
            out.push(b'"');
        }
        Field::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Field::Set(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_json_text(out, item);
            }
            out.push(b']');
        }
    }
}

fn write_json_text(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|octet| octet >= 0x20 && octet != b'"' && octet != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // A str always serialises.
        drop(serde_json::to_writer(out, text));
    }
}

/// A moment as findings carry it: since the start of the run where that is known, since 1970 otherwise.
pub(crate) fn finding_time(origin: Option<record::StartTime>, unix_nanos: u64) -> VirtualTime {
    match origin {
        Some(start) => start.virtual_time(unix_nanos).unwrap_or_default(),
        None => VirtualTime::from_nanos(unix_nanos),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weird(format: LogFormat, addl: &str) -> String {
        let mut writer = LogWriter::new(MemorySink::default(), format);
        writer.frame_at(1_400_547_199_329_569_000);
        let unset = Field::Unset;
        writer.row(
            Log::Weird,
            &[
                Field::Time(1_400_547_199_329_569_400),
                unset,
                Field::Address(IpAddr::from([192, 168, 1, 20])),
                Field::Count(502),
                unset,
                unset,
                Field::Text("odd"),
                Field::Text(addl),
                Field::Bool(false),
                unset,
                unset,
            ],
        );
        writer.finish().unwrap();
        writer.sink.text(Log::Weird)
    }

    #[test]
    fn tab_separated_logs_are_zeeks() {
        let text = weird(LogFormat::Tsv, "a\tb");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "#separator \\x09");
        assert_eq!(lines[4..6], ["#path\tweird", "#open\t2014-05-20-00-53-19"]);
        assert_eq!(lines[8], "1400547199.329569\t-\t192.168.1.20\t502\t-\t-\todd\ta\\x09b\tF\t-\t-");
        assert_eq!(lines[9], "#close\t2014-05-20-00-53-19");
    }

    #[test]
    fn json_rows_leave_out_what_is_not_set() {
        let text = weird(LogFormat::Json, "say \"hi\"");
        let row: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(row["addl"], "say \"hi\"");
        assert_eq!(row["id.orig_h"], "192.168.1.20");
        assert!(row.get("uid").is_none());
    }

    #[test]
    fn civil_dates_hold_at_the_edges() {
        assert_eq!(civil(0), "1970-01-01-00-00-00");
        assert_eq!(civil(951_782_399 * 1_000_000_000), "2000-02-28-23-59-59");
        assert_eq!(civil(951_782_400 * 1_000_000_000), "2000-02-29-00-00-00");
    }
}
