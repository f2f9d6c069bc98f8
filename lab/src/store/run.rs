//! Classes and runs, and what was handed in during a run.

use std::collections::BTreeMap;

use record::VirtualTime;
use rusqlite::{OptionalExtension, Row, params};
use scenarios::Difficulty;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// What the analyst's page shows of the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shows {
    /// Findings, records and frames.
    Findings,
    /// Records and frames: the trainee finds.
    Records,
    /// The capture alone.
    Capture,
}

impl Shows {
    /// What a level shows where nobody says otherwise.
    pub(crate) const fn at(level: Difficulty) -> Self {
        match level {
            Difficulty::Easy => Self::Findings,
            Difficulty::Medium => Self::Records,
            Difficulty::Hard => Self::Capture,
        }
    }

    /// The word in the store and on pages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Records => "records",
            Self::Capture => "capture",
        }
    }

    /// What a word means.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Findings, Self::Records, Self::Capture].into_iter().find(|shows| shows.as_str() == word)
    }
}

/// An exercise for one or more teams: the same scenario and seed for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClassRow {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) scenario: String,
    pub(crate) seed: u64,
    pub(crate) blind: bool,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) shows: Shows,
    pub(crate) scores_hidden: bool,
}

/// What the store knows of a run's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunState {
    /// It goes on, or it did when the process ended.
    Live,
    /// Its record is sealed.
    Sealed,
    /// It was cut off; its record was made whole up to its last event.
    Interrupted,
    /// No record could be sealed.
    Failed,
}

impl RunState {
    const ALL: [Self; 4] = [Self::Live, Self::Sealed, Self::Interrupted, Self::Failed];

    /// The word in the store and on pages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Sealed => "sealed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// One run of one team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunRow {
    pub(crate) id: i64,
    pub(crate) class: i64,
    pub(crate) team: i64,
    pub(crate) directory: String,
    pub(crate) state: RunState,
    pub(crate) reason: Option<String>,
}

/// A call as it was handed in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CallRow {
    pub(crate) number: u64,
    pub(crate) seat: i64,
    /// The line of `calls.jsonl`.
    pub(crate) body: String,
    pub(crate) points_override: Option<f64>,
    pub(crate) override_reason: Option<String>,
}

/// Something that was said to a team in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MessageRow {
    pub(crate) id: i64,
    pub(crate) t: VirtualTime,
    /// `message`, `hint`, `inject`, `stop`.
    pub(crate) kind: String,
    /// To whom; all where there is none.
    pub(crate) role: Option<String>,
    pub(crate) text: String,
}

fn class_of(row: &Row<'_>) -> rusqlite::Result<ClassRow> {
    let (settings, shows): (String, String) = (row.get(5)?, row.get(6)?);
    Ok(ClassRow {
        id: row.get(0)?,
        title: row.get(1)?,
        scenario: row.get(2)?,
        seed: row.get::<_, i64>(3)? as u64,
        blind: row.get(4)?,
        settings: serde_json::from_str(&settings).unwrap_or_default(),
        shows: Shows::parse(&shows).unwrap_or(Shows::Capture),
        scores_hidden: row.get(7)?,
    })
}

fn run_of(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let state: String = row.get(4)?;
    Ok(RunRow {
        id: row.get(0)?,
        class: row.get(1)?,
        team: row.get(2)?,
        directory: row.get(3)?,
        state: RunState::ALL.into_iter().find(|known| known.as_str() == state).unwrap_or(RunState::Failed),
        reason: row.get(5)?,
    })
}

const CLASS: &str = "SELECT id, title, scenario, seed, blind, settings, shows, scores_hidden FROM class";
const RUN: &str = "SELECT id, class, team, directory, state, reason FROM run";

impl Store {
    /// Makes a class; its `id` is not looked at.
    pub(crate) fn add_class(&self, class: &ClassRow) -> Result<i64, StoreError> {
        let settings = serde_json::to_string(&class.settings).unwrap_or_default();
        let connection = self.lock();
        connection.execute(
            "INSERT INTO class (title, scenario, seed, blind, settings, shows, scores_hidden) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![class.title, class.scenario, class.seed as i64, class.blind, settings, class.shows.as_str(), class.scores_hidden],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// A class.
    pub(crate) fn class(&self, id: i64) -> Result<Option<ClassRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{CLASS} WHERE id = ?1"))?;
        Ok(statement.query_row([id], class_of).optional()?)
    }

    /// The class that was made last.
    #[cfg(test)]
    pub(crate) fn latest_class(&self) -> Result<Option<ClassRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{CLASS} ORDER BY id DESC LIMIT 1"))?;
        Ok(statement.query_row([], class_of).optional()?)
    }

    /// Changes what a class shows.
    pub(crate) fn set_shown(&self, class: i64, shows: Shows, scores_hidden: bool) -> Result<(), StoreError> {
        self.lock().execute(
            "UPDATE class SET shows = ?2, scores_hidden = ?3 WHERE id = ?1",
            params![class, shows.as_str(), scores_hidden],
        )?;
        Ok(())
    }

    /// Notes that a run begins.
    pub(crate) fn add_run(&self, class: i64, team: i64, directory: &str) -> Result<i64, StoreError> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO run (class, team, directory, state) VALUES (?1, ?2, ?3, 'live')",
            params![class, team, directory],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// Notes that a run goes on, with another record.
    pub(crate) fn move_run(&self, run: i64, directory: &str) -> Result<(), StoreError> {
        self.lock().execute(
            "UPDATE run SET directory = ?2, state = 'live', reason = NULL WHERE id = ?1",
            params![run, directory],
        )?;
        Ok(())
    }

    /// Notes how a run ended.
    pub(crate) fn end_run(&self, run: i64, state: RunState, reason: Option<&str>) -> Result<(), StoreError> {
        self.lock().execute(
            "UPDATE run SET state = ?2, reason = ?3 WHERE id = ?1",
            params![run, state.as_str(), reason],
        )?;
        Ok(())
    }

    /// All runs, oldest first.
    pub(crate) fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{RUN} ORDER BY id"))?;
        let rows = statement.query_map([], run_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The latest run of a team.
    pub(crate) fn latest_run(&self, team: i64) -> Result<Option<RunRow>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare_cached(&format!("{RUN} WHERE team = ?1 ORDER BY id DESC LIMIT 1"))?;
        Ok(statement.query_row([team], run_of).optional()?)
    }

    /// Keeps a call: `body` makes its line from its number. What comes back is kept.
    pub(crate) fn add_call(
        &self,
        run: i64,
        seat: i64,
        body: impl FnOnce(u64) -> String,
    ) -> Result<CallRow, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let number: i64 = transaction.query_row(
            "SELECT 1 + COALESCE(MAX(number), 0) FROM call WHERE run = ?1",
            [run],
            |row| row.get(0),
        )?;
        let body = body(number as u64);
        transaction.execute(
            "INSERT INTO call (run, number, seat, body) VALUES (?1, ?2, ?3, ?4)",
            params![run, number, seat, body],
        )?;
        transaction.commit()?;
        Ok(CallRow { number: number as u64, seat, body, points_override: None, override_reason: None })
    }

    /// Calls of a run, by number.
    pub(crate) fn calls(&self, run: i64) -> Result<Vec<CallRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT number, seat, body, points_override, override_reason FROM call WHERE run = ?1 ORDER BY number",
        )?;
        let rows = statement.query_map([run], |row| {
            Ok(CallRow {
                number: row.get::<_, i64>(0)? as u64,
                seat: row.get(1)?,
                body: row.get(2)?,
                points_override: row.get(3)?,
                override_reason: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A facilitator gives a call other points, with a reason; the law's own stay beside them.
    pub(crate) fn override_call(
        &self,
        run: i64,
        number: u64,
        points: f64,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let changed = self.lock().execute(
            "UPDATE call SET points_override = ?3, override_reason = ?4 WHERE run = ?1 AND number = ?2",
            params![run, number as i64, points, reason],
        )?;
        Ok(changed == 1)
    }

    /// Keeps an action and what came of it.
    pub(crate) fn add_action(
        &self,
        run: i64,
        seat: i64,
        t: VirtualTime,
        command: &str,
        outcome: &str,
    ) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO action (run, seat, t, command, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run, seat, t.as_nanos() as i64, command, outcome],
        )?;
        Ok(())
    }

    /// Says something to a team.
    pub(crate) fn add_message(
        &self,
        run: i64,
        t: VirtualTime,
        kind: &str,
        role: Option<&str>,
        text: &str,
    ) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO message (run, t, kind, role, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run, t.as_nanos() as i64, kind, role, text],
        )?;
        Ok(())
    }

    /// What was said to a team in a run, oldest first.
    pub(crate) fn messages(&self, run: i64) -> Result<Vec<MessageRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare_cached("SELECT id, t, kind, role, text FROM message WHERE run = ?1 ORDER BY id")?;
        let rows = statement.query_map([run], |row| {
            Ok(MessageRow {
                id: row.get(0)?,
                t: VirtualTime::from_nanos(row.get::<_, i64>(1)? as u64),
                kind: row.get(2)?,
                role: row.get(3)?,
                text: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Role;

    #[test]
    fn what_was_handed_in_is_there_after_the_file_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.sqlite");
        let class = ClassRow {
            id: 0,
            title: "Tuesday".to_owned(),
            scenario: "oldsmar".to_owned(),
            seed: u64::MAX,
            blind: true,
            settings: BTreeMap::from([("high-pH trip".to_owned(), "on".to_owned())]),
            shows: Shows::Records,
            scores_hidden: false,
        };
        let (run, seat) = {
            let store = Store::open(&path).unwrap();
            let class = store.add_class(&class).unwrap();
            let team = store.add_team("North").unwrap();
            let seat = store.add_seat(Some(team), Role::Solo, "N", "l").unwrap();
            let run = store.add_run(class, team, "runs/x").unwrap();
            let call = store.add_call(run, seat, |number| format!("{{\"id\":{number}}}")).unwrap();
            assert_eq!(call.number, 1);
            store.add_message(run, VirtualTime::from_nanos(5), "hint", None, "look at AIT-202").unwrap();
            store.add_action(run, seat, VirtualTime::from_nanos(7), "write NAOH.SP 100", "done").unwrap();
            (run, seat)
        };
        let store = Store::open(&path).unwrap();
        let kept = store.latest_class().unwrap().unwrap();
        assert_eq!(ClassRow { id: 0, ..kept }, class);
        assert_eq!(store.calls(run).unwrap()[0].body, "{\"id\":1}");
        assert_eq!(store.add_call(run, seat, |number| number.to_string()).unwrap().number, 2);
        assert!(store.override_call(run, 1, 3.5, "said aloud before").unwrap());
        assert_eq!(store.calls(run).unwrap()[0].points_override, Some(3.5));
        assert_eq!(store.messages(run).unwrap()[0].text, "look at AIT-202");
        assert_eq!(store.runs().unwrap()[0].state, RunState::Live);
        store.end_run(run, RunState::Interrupted, Some("killed")).unwrap();
        assert_eq!(store.latest_run(kept.id).unwrap().unwrap().state, RunState::Interrupted);
    }

    #[test]
    fn a_file_of_another_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.sqlite");
        drop(Store::open(&path).unwrap());
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Version { got: 99, .. })));
    }
}
