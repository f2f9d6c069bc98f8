//! What has to outlive the process: classes, teams, seats, runs, calls, answers, actions, messages, in one SQLite file.
//!
//! # Theory of operation
//! One connection behind a mutex; statements are short. The file is in WAL mode with `synchronous = FULL`, so what was
//! acknowledged is there after the process is killed and after the machine is switched off. Links and sessions are kept
//! as SHA-256 of their secrets: who reads the file can open nothing with it. Records of runs are directories beside it,
//! the store knows where.

mod inject;
mod run;
mod seat;
mod tabletop;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub(crate) use run::{CallRow, ClassRow, MessageRow, RunRow, RunState, Shows};
pub(crate) use seat::{Role, Seat, TeamRow};
pub(crate) use tabletop::{TabletopEvent, TabletopRow};

/// Version of the tables; a file of another one is refused, not altered.
const SCHEMA_VERSION: i64 = 1;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{path}: {source}\n  fix: name a directory that can be written with --data")]
    Open { path: String, source: rusqlite::Error },
    #[error(
        "{path} was made by another version (its tables are version {got}, these are {SCHEMA_VERSION})\n  fix: name another directory with --data, or use that version"
    )]
    Version { path: String, got: i64 },
    #[error("the store: {0}")]
    Sql(#[from] rusqlite::Error),
    #[error("there is a team called {0:?} already")]
    NameTaken(String),
}

/// The store. Shared by all pages.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.display().to_string(), source };
        let connection = Connection::open(path).map_err(failed)?;
        Self::prepare(connection, &path.display().to_string())
    }

    fn prepare(connection: Connection, path: &str) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;")
            .map_err(failed)?;
        let got: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        if got != 0 && got != SCHEMA_VERSION {
            return Err(StoreError::Version { path: path.to_owned(), got });
        }
        connection.execute_batch(include_str!("schema.sql")).map_err(failed)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    #[cfg(test)]
    fn in_memory() -> Self {
        Self::prepare(Connection::open_in_memory().unwrap(), "memory").unwrap()
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement that panicked was rolled back by SQLite.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
