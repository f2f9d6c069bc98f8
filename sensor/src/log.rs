//! Logs: which there are, their columns, and how a row is written.
//!
//! Columns and their order are Zeek's and ICSNPP's (`columns`), so that whatever reads theirs reads these. A log is
//! tab-separated with Zeek's header lines, or JSON with one object per line. `#open` and `#close` carry the times of
//! the first and the last frame, not of the wall clock: the same frames give the same files. A log without rows is not
//! written at all, as with Zeek.

use std::io;

use record::VirtualTime;

use crate::columns::{self, Columns};
use crate::filter::Filter;
use crate::front::{Front, Fronts};
use crate::output::{About, Entry, Output};
use crate::row::{Field, civil, header, write_cells, write_field};
pub use crate::sink::{LogSink, MemorySink, WriterSink, directory_sink};

/// One of the sensor's logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Log {
    /// One row per connection.
    Conn,
    /// One row per Modbus PDU.
    Modbus,
    /// One row per Modbus request and its response, with addresses and values (ICSNPP).
    ModbusDetailed,
    /// Modbus function 22 (ICSNPP).
    ModbusMaskWriteRegister,
    /// Modbus function 23 (ICSNPP).
    ModbusReadWriteMultipleRegisters,
    /// Modbus function 43/14 (ICSNPP).
    ModbusReadDeviceIdentification,
    /// Who speaks Modbus, and as what.
    KnownModbus,
    /// Holding registers that read otherwise than before.
    ModbusRegisterChange,
    /// One row per DNP3 request and response.
    Dnp3,
    /// One row per DNP3 fragment and per frame without one.
    Dnp3Detailed,
    /// DNP3 control blocks (ICSNPP).
    Dnp3Control,
    /// DNP3 object headers of reads and their responses (ICSNPP).
    Dnp3Objects,
    /// DNP3 object headers that bring values, with the values.
    Dnp3Values,
    /// Values of tags in engineering units.
    Values,
    /// Oddities of the traffic.
    Weird,
    /// Findings once more, as Zeek's notices for those who read these.
    Notice,
    /// One row per host, written at the end.
    Inventory,
    /// What the rules concluded: always JSON lines.
    Findings,
    /// Findings of one story, told as one when it is over: always JSON lines.
    Incidents,
}

/// Every log, in the order of [`Log`]: its file, its columns, and whether it is one of the few that every run keeps.
const CARDS: [(Log, &str, Columns, bool); 19] = [
    (Log::Conn, "conn.log", columns::CONN, true),
    (Log::Modbus, "modbus.log", columns::MODBUS, true),
    (Log::ModbusDetailed, "modbus_detailed.log", columns::MODBUS_DETAILED, false),
    (
        Log::ModbusMaskWriteRegister,
        "modbus_mask_write_register.log",
        columns::MODBUS_MASK_WRITE_REGISTER,
        false,
    ),
    (
        Log::ModbusReadWriteMultipleRegisters,
        "modbus_read_write_multiple_registers.log",
        columns::MODBUS_READ_WRITE_MULTIPLE_REGISTERS,
        false,
    ),
    (
        Log::ModbusReadDeviceIdentification,
        "modbus_read_device_identification.log",
        columns::MODBUS_READ_DEVICE_IDENTIFICATION,
        false,
    ),
    (Log::KnownModbus, "known_modbus.log", columns::KNOWN_MODBUS, false),
    (Log::ModbusRegisterChange, "modbus_register_change.log", columns::MODBUS_REGISTER_CHANGE, false),
    (Log::Dnp3, "dnp3.log", columns::DNP3, true),
    (Log::Dnp3Detailed, "dnp3_detailed.log", columns::DNP3_DETAILED, false),
    (Log::Dnp3Control, "dnp3_control.log", columns::DNP3_CONTROL, false),
    (Log::Dnp3Objects, "dnp3_objects.log", columns::DNP3_OBJECTS, false),
    (Log::Dnp3Values, "dnp3_values.log", columns::DNP3_VALUES, false),
    (Log::Values, "values.log", columns::VALUES, false),
    (Log::Weird, "weird.log", columns::WEIRD, true),
    (Log::Notice, "notice.log", columns::NOTICE, false),
    (Log::Inventory, "inventory.log", columns::INVENTORY, true),
    (Log::Findings, "findings.jsonl", &[], true),
    (Log::Incidents, "incidents.jsonl", &[], true),
];

impl Log {
    /// Every log.
    pub const ALL: [Self; CARDS.len()] = {
        let mut all = [Self::Conn; CARDS.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = CARDS[at].0;
            at += 1;
        }
        all
    };

    /// Name of its file.
    pub const fn file_name(self) -> &'static str {
        CARDS[self as usize].1
    }

    /// Columns: name and Zeek's type.
    pub const fn columns(self) -> &'static [(&'static str, &'static str)] {
        CARDS[self as usize].2
    }

    /// Zeek's `#path`.
    pub fn path(self) -> &'static str {
        self.file_name().split('.').next().unwrap_or_default()
    }
}

/// Which logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSet(u64);

impl LogSet {
    /// All of them.
    pub const FULL: Self = Self(u64::MAX);

    /// Connections, Modbus PDUs, oddities, hosts and conclusions: what a run of the lab keeps. The others repeat the
    /// capture in more words and can be had from it at any time.
    pub const BASIC: Self = {
        let (mut set, mut at) = (0, 0);
        while at < CARDS.len() {
            set |= (CARDS[at].3 as u64) << at;
            at += 1;
        }
        Self(set)
    };

    /// Is a log in it?
    pub const fn contains(self, log: Log) -> bool {
        self.0 >> log as u64 & 1 == 1
    }
}

impl Default for LogSet {
    fn default() -> Self {
        Self::FULL
    }
}

impl std::str::FromStr for LogSet {
    type Err = String;

    /// `full`, `basic`, `none`, or names with commas between them, as in `conn,modbus_detailed`.
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |name: &str| {
            let log = Log::ALL.into_iter().find(|log| log.path() == name || log.file_name() == name);
            match (name, log) {
                ("full", _) => Ok(Self::FULL.0),
                ("none", _) => Ok(0),
                ("basic", _) => Ok(Self::BASIC.0),
                (_, Some(log)) => Ok(1 << log as u64),
                _ => {
                    let known: Vec<_> = Log::ALL.into_iter().map(Log::path).collect();
                    Err(format!(
                        "no log is called {name:?}; there are full, basic, none, {}",
                        known.join(", ")
                    ))
                }
            }
        };
        text.split(',').map(|name| one(name.trim())).try_fold(0, |set, one| Ok(set | one?)).map(Self)
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Tab-separated, with Zeek's header.
    #[default]
    Tsv,
    /// One JSON object per line.
    Json,
    /// Not at all: rows are counted and shown to outputs alone.
    Off,
}

/// Octets of a log that are collected before they go to the sink: enough that a write is cheap beside its octets.
const COLLECTED: usize = 64 << 10;

/// Writes rows to a sink; keeps the first error and writes no more after it.
#[derive(Debug)]
pub(crate) struct LogWriter<S> {
    sink: S,
    format: LogFormat,
    set: LogSet,
    /// By log: lines that the sink has not got yet.
    lines: [Vec<u8>; Log::ALL.len()],
    fronts: Fronts,
    opened: [bool; Log::ALL.len()],
    rows: [u64; Log::ALL.len()],
    first: Option<u64>,
    last: u64,
    error: Option<io::Error>,
    outputs: Vec<Box<dyn Output>>,
    filter: Option<Filter>,
    /// Logs whose entries an output or the filter is to see.
    watched: LogSet,
}

impl<S: LogSink> LogWriter<S> {
    pub(crate) fn new(sink: S, format: LogFormat, set: LogSet) -> Self {
        let (opened, rows) = ([false; Log::ALL.len()], [0; Log::ALL.len()]);
        Self {
            sink,
            format,
            set,
            lines: [const { Vec::new() }; Log::ALL.len()],
            fronts: Fronts::default(),
            opened,
            rows,
            first: None,
            last: 0,
            error: None,
            outputs: Vec::new(),
            filter: None,
            watched: LogSet(0),
        }
    }

    /// Shows entries to one more taker. Of a notice they have the finding.
    pub(crate) fn add_output(&mut self, output: Box<dyn Output>) {
        let seen = Log::ALL.into_iter().filter(|log| *log != Log::Notice && output.wants(*log));
        self.watched.0 |= seen.fold(0, |set, log| set | 1 << log as u64);
        self.outputs.push(output);
    }

    /// Writes only what passes.
    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.watched = LogSet::FULL;
        self.filter = Some(filter);
    }

    /// Notes the time of a frame, for `#open` and `#close`.
    pub(crate) fn frame_at(&mut self, unix_nanos: u64) {
        self.first.get_or_insert(unix_nanos);
        self.last = unix_nanos;
    }

    /// How many rows there were, written or not.
    pub(crate) fn rows(&self, log: Log) -> u64 {
        self.rows[log as usize]
    }

    /// How many rows of each log there were for whoever reads them; a notice is a finding said twice.
    pub(crate) fn records(&self) -> [u64; Log::ALL.len()] {
        Log::ALL.map(|log| if self.wants(log) && log != Log::Notice { self.rows(log) } else { 0 })
    }

    /// Whether a log is written. What is not need not be made.
    pub(crate) fn wants(&self, log: Log) -> bool {
        self.set.contains(log)
    }

    /// Writes one row; `fields` in the order of the log's columns.
    pub(crate) fn row(&mut self, log: Log, fields: &[Field<'_>]) {
        self.row_after(log, None::<Front<fn() -> [Field<'static>; 0]>>, fields);
    }

    /// Writes one row that begins with as much of `front` as the log has room for before `fields`. The text of a front is
    /// made once for all rows in a row that begin with it.
    pub(crate) fn row_of<'a, const N: usize>(
        &mut self,
        log: Log,
        front: Front<impl Fn() -> [Field<'a>; N]>,
        fields: &[Field<'_>],
    ) {
        self.row_after(log, Some(front), fields);
    }

    fn row_after<'a, const N: usize>(
        &mut self,
        log: Log,
        front: Option<Front<impl Fn() -> [Field<'a>; N]>>,
        fields: &[Field<'_>],
    ) {
        let columns = log.columns();
        let before = columns.len().saturating_sub(fields.len());
        debug_assert!(before <= N && before + fields.len() == columns.len(), "{log:?}");
        self.rows[log as usize] += 1;
        if !self.wants(log) {
            return;
        }
        if self.watched.contains(log) {
            let front = front.as_ref().map(|front| (front.fields)());
            let all: Vec<_> = front.iter().flatten().take(before).chain(fields).copied().collect();
            if !self.show(&Entry::row(log, &all, self.last)) {
                return;
            }
        }
        if self.format == LogFormat::Off {
            return;
        }
        let line = &mut self.lines[log as usize];
        if !self.opened[log as usize] && self.format == LogFormat::Tsv {
            header(line, log, self.first.unwrap_or(0));
        }
        self.opened[log as usize] = true;
        if self.format == LogFormat::Json {
            line.push(b'{');
        }
        if let Some(front) = &front {
            line.extend_from_slice(self.fronts.text(self.format, front, before));
        }
        if self.format == LogFormat::Tsv {
            write_cells(line, fields);
        } else {
            for ((name, _), field) in columns.iter().skip(before).zip(fields) {
                write_field(self.format, line, name, *field);
            }
        }
        // The last separator becomes the row's end.
        line.pop();
        line.extend_from_slice(if self.format == LogFormat::Json { b"}\n" } else { b"\n" });
        self.collected(log);
    }

    /// Writes a line that is JSON in every format.
    pub(crate) fn json_line(&mut self, log: Log, line: &str, about: &About) {
        self.rows[log as usize] += 1;
        if !self.wants(log) {
            return;
        }
        if self.watched.contains(log) {
            let value = serde_json::from_str(line).unwrap_or_default();
            if !self.show(&Entry::json(log, line, &value, about)) {
                return;
            }
        }
        if self.format == LogFormat::Off {
            return;
        }
        let lines = &mut self.lines[log as usize];
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
        self.collected(log);
    }

    /// Shows an entry to the outputs; whether it is to be written as well.
    fn show(&mut self, entry: &Entry<'_>) -> bool {
        let log = entry.log();
        for output in self.outputs.iter_mut().filter(|output| log != Log::Notice && output.wants(log)) {
            if let Err(error) = output.entry(entry) {
                self.error.get_or_insert(error);
            }
        }
        self.filter.as_ref().is_none_or(|filter| filter.matches(entry))
    }

    /// Has the sink write what was collected; the first error that happened before comes out here.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.give_all();
        match self.error.take() {
            Some(error) => Err(error),
            None => self.sink.flush(),
        }
    }

    /// Writes the last lines; the first error that happened on the way comes out here.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.format == LogFormat::Tsv {
            for log in Log::ALL {
                if self.opened[log as usize] {
                    let lines = &mut self.lines[log as usize];
                    lines.extend_from_slice(b"#close\t");
                    lines.extend_from_slice(civil(self.last).as_bytes());
                    lines.push(b'\n');
                }
            }
        }
        self.give_all();
        // First what is here, then what has to be waited for.
        let ended = self.sink.finish();
        for output in &mut self.outputs {
            if let Err(error) = output.finish() {
                self.error.get_or_insert(error);
            }
        }
        self.error.take().map_or(ended, Err)
    }

    /// A log has got a line more.
    fn collected(&mut self, log: Log) {
        if self.lines[log as usize].len() >= COLLECTED {
            self.give(log);
        }
    }

    /// The sink, with all that was collected.
    pub(crate) fn into_sink(mut self) -> S {
        self.give_all();
        self.sink
    }

    fn give_all(&mut self) {
        for log in Log::ALL {
            self.give(log);
        }
    }

    /// Gives the sink what was collected of a log.
    fn give(&mut self, log: Log) {
        let lines = &mut self.lines[log as usize];
        if !lines.is_empty()
            && self.error.is_none()
            && let Err(error) = self.sink.write(log, lines)
        {
            self.error = Some(error);
        }
        lines.clear();
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
    use std::net::IpAddr;

    fn weird(format: LogFormat, addl: &str) -> String {
        let mut writer = LogWriter::new(MemorySink::default(), format, LogSet::FULL);
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
    fn sets_of_logs_are_named() {
        assert_eq!(Log::ALL.map(|log| log as usize), std::array::from_fn(|at| at));
        let set: LogSet = "conn, values".parse().unwrap();
        assert!(set.contains(Log::Conn) && set.contains(Log::Values) && !set.contains(Log::Modbus));
        assert_eq!("basic".parse(), Ok(LogSet::BASIC));
        assert!(!LogSet::BASIC.contains(Log::ModbusDetailed));
        assert!("con".parse::<LogSet>().unwrap_err().contains("modbus_detailed"));
    }

    #[test]
    fn json_rows_leave_out_what_is_not_set() {
        let text = weird(LogFormat::Json, "say \"hi\"");
        let row: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(row["addl"], "say \"hi\"");
        assert_eq!(row["id.orig_h"], "192.168.1.20");
        assert!(row.get("uid").is_none());
    }
}
