//! Tabletop exercises: which one is on, and everything that was done in it, one line each, in order. What a team's sheet says
//! and how far the exercise has come is worked out from the lines, so that nothing is ever written over.

use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError};

/// An exercise at a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TabletopRow {
    pub(crate) id: i64,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
}

/// One line: who did what to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TabletopEvent {
    pub(crate) id: i64,
    /// None where it is for all teams.
    pub(crate) team: Option<i64>,
    /// `move`, `reveal`, `choice`, `handoff`, `verdict`, `note`.
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) value: String,
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<TabletopRow> {
    Ok(TabletopRow { id: row.get(0)?, scenario: row.get(1)?, seed: row.get::<_, i64>(2)? as u64 })
}

fn event_of(row: &Row<'_>) -> rusqlite::Result<TabletopEvent> {
    Ok(TabletopEvent {
        id: row.get(0)?,
        team: row.get(1)?,
        kind: row.get(2)?,
        subject: row.get(3)?,
        value: row.get(4)?,
    })
}

impl Store {
    /// Begins an exercise; the one before is over.
    pub(crate) fn add_tabletop(&self, scenario: &str, seed: u64) -> Result<i64, StoreError> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO tabletop (scenario, seed) VALUES (?1, ?2)",
            params![scenario, seed as i64],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// The exercise that is on: the latest.
    pub(crate) fn tabletop(&self) -> Result<Option<TabletopRow>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT id, scenario, seed FROM tabletop ORDER BY id DESC LIMIT 1")?;
        Ok(statement.query_row([], row_of).optional()?)
    }

    /// Writes down what was done.
    pub(crate) fn add_tabletop_event(
        &self,
        tabletop: i64,
        seat: i64,
        event: (Option<i64>, &str, &str, &str),
    ) -> Result<(), StoreError> {
        let (team, kind, subject, value) = event;
        self.lock().execute(
            "INSERT INTO tabletop_event (tabletop, team, seat, kind, subject, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![tabletop, team, seat, kind, subject, value],
        )?;
        Ok(())
    }

    /// How many lines there are of an exercise.
    pub(crate) fn tabletop_lines(&self, tabletop: i64) -> Result<i64, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached("SELECT COUNT(*) FROM tabletop_event WHERE tabletop = ?1")?;
        Ok(statement.query_row([tabletop], |row| row.get(0))?)
    }

    /// Everything that was done in an exercise, in order.
    pub(crate) fn tabletop_events(&self, tabletop: i64) -> Result<Vec<TabletopEvent>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT id, team, kind, subject, value FROM tabletop_event WHERE tabletop = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([tabletop], event_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    #[test]
    fn what_was_done_stays_in_order_and_the_latest_exercise_is_on() {
        let store = Store::in_memory();
        assert_eq!(store.tabletop().unwrap(), None);
        store.add_seat(None, Role::Facilitator, "F", "link").unwrap();
        let seat = store.seats().unwrap()[0].id;
        let first = store.add_tabletop("oldsmar", 1).unwrap();
        store.add_tabletop_event(first, seat, (None, "move", "", "1")).unwrap();
        let second = store.add_tabletop("oldsmar", u64::MAX).unwrap();
        for value in ["leave", "shut"] {
            store.add_tabletop_event(second, seat, (None, "choice", "door", value)).unwrap();
        }
        let on = store.tabletop().unwrap().unwrap();
        assert_eq!((on.id, on.seed), (second, u64::MAX));
        let values: Vec<String> =
            store.tabletop_events(second).unwrap().into_iter().map(|event| event.value).collect();
        assert_eq!(values, ["leave", "shut"]);
        assert_eq!(store.tabletop_lines(first).unwrap(), 1);
    }
}
