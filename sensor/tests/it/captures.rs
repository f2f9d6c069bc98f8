//! Captures that nobody on this project made, and other tools' logs over them. They lie beside the project, in
//! `../shared/captures`; where they do not, tests say so and compare nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use sensor::{CaptureReader, Log, MemorySink, RuleSet, Sensor, SensorConfig};

/// Where the captures lie, if they do.
pub(crate) fn captures() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not there, nothing was compared", path.display());
    None
}

/// A capture through the sensor with all its logs.
pub(crate) fn sense(path: &Path) -> MemorySink {
    let mut reader = CaptureReader::<File>::open(path).unwrap();
    let mut sensor =
        Sensor::new(SensorConfig::default(), RuleSet::embedded().unwrap(), MemorySink::default());
    while let Some(frame) = reader.next_frame().unwrap() {
        sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
    }
    sensor.finish().unwrap();
    sensor.into_sink()
}

/// A log in Zeek's tab-separated form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) types: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Any text that is no such log has no columns.
    pub(crate) fn parse(text: &str) -> Self {
        let list = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let mut table = Self::default();
        for line in text.lines() {
            if let Some(names) = line.strip_prefix("#fields\t") {
                table.columns = list(names);
            } else if let Some(types) = line.strip_prefix("#types\t") {
                table.types = list(types);
            } else if !line.starts_with('#') {
                table.rows.push(list(line));
            }
        }
        table
    }

    /// A log that may not be there.
    pub(crate) fn read(path: &Path) -> Self {
        // What devices say need not be UTF-8.
        std::fs::read(path)
            .map_or_else(|_| Self::default(), |octets| Self::parse(&String::from_utf8_lossy(&octets)))
    }

    pub(crate) fn of(logs: &MemorySink, log: Log) -> Self {
        Self::parse(&logs.text(log))
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The value of a field of a row.
    pub(crate) fn get<'t>(&self, row: &'t [String], name: &str) -> &'t str {
        self.column(name).and_then(|at| row.get(at)).map_or("-", String::as_str)
    }

    /// Replaces the values of a column that are set by what `names` says of them.
    pub(crate) fn rename(&mut self, name: &str, names: &BTreeMap<String, String>) {
        let Some(at) = self.column(name) else { return };
        for row in &mut self.rows {
            if let Some(value) = row.get_mut(at)
                && value != "-"
                && value != "(empty)"
            {
                *value = names.get(value).cloned().unwrap_or_else(|| "?".to_owned());
            }
        }
    }

    /// Rows and how often each is there.
    pub(crate) fn counted(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for row in &self.rows {
            *counted.entry(row.join("\t")).or_default() += 1;
        }
        counted
    }
}

/// Rows of the one that the other does not have.
pub(crate) fn without(one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>) -> Vec<String> {
    one.iter()
        .flat_map(|(row, count)| {
            let left = count.saturating_sub(*other.get(row).unwrap_or(&0));
            std::iter::repeat_n(row.clone(), left)
        })
        .collect()
}

/// Names for the ids of connections that two tools agree on: their beginning and their ends.
pub(crate) fn uids(conn: &Table) -> BTreeMap<String, String> {
    let name = |row: &Vec<String>| {
        let parts = ["ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"];
        parts.map(|part| conn.get(row, part)).join(" ")
    };
    conn.rows.iter().map(|row| (conn.get(row, "uid").to_owned(), name(row))).collect()
}

/// Names for ids that tie rows together: the earliest row that has them.
pub(crate) fn link_ids<'t>(
    tables: impl IntoIterator<Item = &'t Table>,
    column: &str,
) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for table in tables {
        for row in &table.rows {
            let ts = table.get(row, "ts");
            let name = names.entry(table.get(row, column).to_owned()).or_insert_with(|| ts.to_owned());
            if ts < name.as_str() {
                ts.clone_into(name);
            }
        }
    }
    names
}
