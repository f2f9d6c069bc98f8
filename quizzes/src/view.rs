//! A sealed run as the tables that bots and questions read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use record::{Finding, RecordError, RunManifest, RunReader, TruthStep};
use site::{FileError, Site};

use crate::logs::{ConnRow, ModbusRow, ProcessTable, TableError, read_conn, read_modbus};
use crate::names::EntityNames;

/// Why a record cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The record itself.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A table of it.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Its site.
    #[error(transparent)]
    Site(#[from] FileError),
    /// A record packed for a trainee: what is asked for was left out.
    #[error("{path} is not in this record: it was packed for a trainee; use the facilitator's copy")]
    LeftOut {
        /// The file.
        path: PathBuf,
    },
}

/// One run, its tables read when they are first asked for.
#[derive(Debug)]
pub struct RecordView {
    reader: RunReader,
    names: EntityNames,
    truth: OnceLock<Vec<TruthStep>>,
    findings: OnceLock<Vec<Finding>>,
    modbus: OnceLock<Arc<[Arc<ModbusRow>]>>,
    conn: OnceLock<Arc<[Arc<ConnRow>]>>,
    process: OnceLock<Arc<ProcessTable>>,
}

impl RecordView {
    /// Opens a sealed run whose site comes with Fieldrange.
    pub fn open(directory: &Path) -> Result<Self, ViewError> {
        let reader = RunReader::open(directory)?;
        let site = Site::named(&reader.manifest().site)?;
        Ok(Self::new(reader, &site))
    }

    /// Looks at a run that is open already.
    pub fn new(reader: RunReader, site: &Site) -> Self {
        let names = EntityNames::new(site, &reader.manifest().topology);
        Self {
            reader,
            names,
            truth: OnceLock::new(),
            findings: OnceLock::new(),
            modbus: OnceLock::new(),
            conn: OnceLock::new(),
            process: OnceLock::new(),
        }
    }

    /// Its manifest.
    pub fn manifest(&self) -> &RunManifest {
        self.reader.manifest()
    }

    /// Names of its hosts, devices and points.
    pub fn names(&self) -> &EntityNames {
        &self.names
    }

    /// What happened. An error in a record packed for a trainee.
    pub fn truth(&self) -> Result<&[TruthStep], ViewError> {
        Ok(fill(&self.truth, || Ok(self.reader.json_lines(self.need("truth.jsonl")?)?))?)
    }

    /// What the sensor's rules concluded. An error in a record packed for a trainee.
    pub fn findings(&self) -> Result<&[Finding], ViewError> {
        Ok(fill(&self.findings, || Ok(self.reader.json_lines(self.need("findings.jsonl")?)?))?)
    }

    /// What can be found in the traces of hosts and office, by name. An error in a record packed for a trainee.
    pub fn facts(&self) -> Result<BTreeMap<String, String>, ViewError> {
        let facts: Vec<(String, String)> = self.reader.json_lines(self.need("facts.jsonl")?)?;
        Ok(facts.into_iter().collect())
    }

    /// Rows of `modbus.log`, by time; none where there was no Modbus, since a log without rows is not written.
    pub fn modbus(&self) -> Result<&Arc<[Arc<ModbusRow>]>, ViewError> {
        fill(&self.modbus, || {
            if !self.reader.has("logs/modbus.log") {
                return Ok(Arc::default());
            }
            let rows = read_modbus(&self.reader.path("logs/modbus.log"), self.manifest().start)?;
            Ok(rows.into_iter().map(Arc::new).collect())
        })
    }

    /// Rows of `conn.log`, by time; none where there was no connection.
    pub fn conn(&self) -> Result<&Arc<[Arc<ConnRow>]>, ViewError> {
        fill(&self.conn, || {
            if !self.reader.has("logs/conn.log") {
                return Ok(Arc::default());
            }
            let rows = read_conn(&self.reader.path("logs/conn.log"), self.manifest().start)?;
            Ok(rows.into_iter().map(Arc::new).collect())
        })
    }

    /// Columns of `process.csv`.
    pub fn process(&self) -> Result<&Arc<ProcessTable>, ViewError> {
        fill(&self.process, || {
            Ok(Arc::new(ProcessTable::open(&self.reader.path(self.need("process.csv")?))?))
        })
    }

    fn need<'n>(&self, name: &'n str) -> Result<&'n str, ViewError> {
        if self.reader.has(name) {
            Ok(name)
        } else {
            Err(ViewError::LeftOut { path: self.reader.path(name) })
        }
    }
}

/// The value of a cell, computed the first time.
fn fill<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, ViewError>) -> Result<&T, ViewError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
