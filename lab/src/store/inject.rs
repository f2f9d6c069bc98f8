//! Injects: what a team will be told when its run comes to a time, unless it is held or released before.

use record::VirtualTime;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

use super::{Store, StoreError};

/// An inject of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InjectRow {
    pub(crate) id: i64,
    pub(crate) run: i64,
    pub(crate) t: VirtualTime,
    /// `hint`, `message`, `inject` or `ticket`.
    pub(crate) kind: String,
    pub(crate) role: Option<String>,
    pub(crate) text: String,
    /// `waits`, `held`, `released`, `dropped`.
    pub(crate) state: String,
}

fn inject_of(row: &Row<'_>) -> rusqlite::Result<InjectRow> {
    Ok(InjectRow {
        id: row.get(0)?,
        run: row.get(1)?,
        t: VirtualTime::from_nanos(row.get::<_, i64>(2)? as u64),
        kind: row.get(3)?,
        role: row.get(4)?,
        text: row.get(5)?,
        state: row.get(6)?,
    })
}

impl Store {
    /// Prepares an inject.
    pub(crate) fn add_inject(
        &self,
        run: i64,
        t: VirtualTime,
        kind: &str,
        role: Option<&str>,
        text: &str,
    ) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO inject (run, t, kind, role, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run, t.as_nanos() as i64, kind, role, text],
        )?;
        Ok(())
    }

    /// Injects of a run by time.
    pub(crate) fn injects(&self, run: i64) -> Result<Vec<InjectRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT id, run, t, kind, role, text, state FROM inject WHERE run = ?1 ORDER BY t, id",
        )?;
        let rows = statement.query_map([run], inject_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes an inject out of those that wait or are held, to be said now; once.
    pub(crate) fn take_inject(&self, id: i64) -> Result<Option<InjectRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "UPDATE inject SET state = 'released' WHERE id = ?1 AND state IN ('waits', 'held')
             RETURNING id, run, t, kind, role, text, state",
        )?;
        let row = statement.query_row([id], inject_of);
        Ok(row.optional()?)
    }

    /// Holds, drops or sets waiting again what was not said yet.
    pub(crate) fn set_inject(&self, id: i64, state: &str) -> Result<bool, StoreError> {
        let changed = self.lock().execute(
            "UPDATE inject SET state = ?2 WHERE id = ?1 AND state IN ('waits', 'held')",
            params![id, state],
        )?;
        Ok(changed == 1)
    }

    /// Rewrites what was not said yet.
    pub(crate) fn edit_inject(&self, id: i64, text: &str) -> Result<bool, StoreError> {
        let changed = self.lock().execute(
            "UPDATE inject SET text = ?2 WHERE id = ?1 AND state IN ('waits', 'held')",
            params![id, text],
        )?;
        Ok(changed == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{ClassRow, Shows};

    #[test]
    fn an_inject_is_said_once_and_can_be_held_edited_or_dropped_before() {
        let store = Store::in_memory();
        let class = ClassRow {
            id: 0,
            title: String::new(),
            scenario: "first-shift".to_owned(),
            seed: 1,
            blind: false,
            settings: BTreeMap::new(),
            shows: Shows::Records,
            scores_hidden: false,
        };
        let class = store.add_class(&class).unwrap();
        let team = store.add_team("North").unwrap();
        let run = store.add_run(class, team, "x").unwrap();
        for (second, text) in [(20, "later"), (10, "sooner")] {
            store.add_inject(run, VirtualTime::from_secs(second), "inject", Some("analyst"), text).unwrap();
        }
        let injects = store.injects(run).unwrap();
        assert_eq!(
            injects.iter().map(|inject| inject.text.as_str()).collect::<Vec<_>>(),
            ["sooner", "later"]
        );
        let (sooner, later) = (injects[0].id, injects[1].id);
        assert!(store.set_inject(sooner, "held").unwrap());
        assert!(store.edit_inject(sooner, "now").unwrap());
        assert_eq!(store.take_inject(sooner).unwrap().unwrap().text, "now");
        assert!(store.take_inject(sooner).unwrap().is_none(), "said once");
        assert!(!store.edit_inject(sooner, "too late").unwrap());
        assert!(store.set_inject(later, "dropped").unwrap());
        assert!(store.take_inject(later).unwrap().is_none());
        assert!(!store.set_inject(later, "waits").unwrap());
    }
}
