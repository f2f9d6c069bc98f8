//! Teams and seats: who may sit where, by one-time link and then by session.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Store, StoreError};

/// What a seat may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Runs the exercise and sees everything, the truth included.
    Facilitator,
    /// Acts on the plant of their team.
    Operator,
    /// Looks at records, makes calls, changes the firewall of their team.
    Analyst,
    /// Looks and does nothing.
    Observer,
    /// One person alone: operator and analyst in one, with time in their hands.
    Solo,
}

impl Role {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Facilitator, Self::Operator, Self::Analyst, Self::Observer, Self::Solo];

    /// The word in the store and on pages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Facilitator => "facilitator",
            Self::Operator => "operator",
            Self::Analyst => "analyst",
            Self::Observer => "observer",
            Self::Solo => "solo",
        }
    }

    /// The role of a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether it may act on the plant.
    pub(crate) const fn operates(self) -> bool {
        matches!(self, Self::Facilitator | Self::Operator | Self::Solo)
    }

    /// Whether it may look at records, make calls and change the firewall.
    pub(crate) const fn analyses(self) -> bool {
        matches!(self, Self::Facilitator | Self::Analyst | Self::Solo)
    }

    /// Whether time obeys it.
    pub(crate) const fn keeps_time(self) -> bool {
        matches!(self, Self::Facilitator | Self::Solo)
    }
}

/// Somebody's seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Seat {
    pub(crate) id: i64,
    /// None for a facilitator, who belongs to all.
    pub(crate) team: Option<i64>,
    pub(crate) role: Role,
    pub(crate) name: String,
    /// Whether its link was used.
    pub(crate) is_taken: bool,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TeamRow {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// How secrets are kept.
fn hash(secret: &str) -> String {
    record::hex(&Sha256::digest(secret.as_bytes()))
}

fn seat_of(row: &Row<'_>) -> rusqlite::Result<Seat> {
    let role: String = row.get(2)?;
    let is_taken: bool = row.get(4)?;
    // An unknown word can do nothing.
    Ok(Seat {
        id: row.get(0)?,
        team: row.get(1)?,
        role: Role::parse(&role).unwrap_or(Role::Observer),
        name: row.get(3)?,
        is_taken,
    })
}

const SEAT: &str = "SELECT id, team, role, name, session_hash IS NOT NULL FROM seat";

impl Store {
    /// Makes a team.
    pub(crate) fn add_team(&self, name: &str) -> Result<i64, StoreError> {
        let connection = self.lock();
        let added = connection.execute("INSERT OR IGNORE INTO team (name) VALUES (?1)", [name])?;
        if added == 0 {
            Err(StoreError::NameTaken(name.to_owned()))
        } else {
            Ok(connection.last_insert_rowid())
        }
    }

    /// All teams, oldest first.
    pub(crate) fn teams(&self) -> Result<Vec<TeamRow>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached("SELECT id, name FROM team ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok(TeamRow { id: row.get(0)?, name: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Makes a seat that is entered with `link`, once.
    pub(crate) fn add_seat(
        &self,
        team: Option<i64>,
        role: Role,
        name: &str,
        link: &str,
    ) -> Result<i64, StoreError> {
        let connection = self.lock();
        connection.execute(
            "INSERT INTO seat (team, role, name, link_hash) VALUES (?1, ?2, ?3, ?4)",
            params![team, role.as_str(), name, hash(link)],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// Gives a seat another link; its session is over.
    pub(crate) fn renew_link(&self, seat: i64, link: &str) -> Result<bool, StoreError> {
        let changed = self.lock().execute(
            "UPDATE seat SET link_hash = ?2, session_hash = NULL WHERE id = ?1",
            params![seat, hash(link)],
        )?;
        Ok(changed == 1)
    }

    /// All seats, by team.
    pub(crate) fn seats(&self) -> Result<Vec<Seat>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SEAT} ORDER BY team, id"))?;
        let rows = statement.query_map([], seat_of)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whose link this is, while it can be used.
    pub(crate) fn seat_by_link(&self, link: &str) -> Result<Option<Seat>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SEAT} WHERE link_hash = ?1"))?;
        Ok(statement.query_row([hash(link)], seat_of).optional()?)
    }

    /// Uses a link up: the seat's holder has `session` from now on. None where the link is no longer one.
    pub(crate) fn take_seat(&self, link: &str, session: &str) -> Result<Option<Seat>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "UPDATE seat SET link_hash = NULL, session_hash = ?2 WHERE link_hash = ?1
             RETURNING id, team, role, name, session_hash IS NOT NULL",
        )?;
        Ok(statement.query_row(params![hash(link), hash(session)], seat_of).optional()?)
    }

    /// Whose session this is.
    pub(crate) fn seat_by_session(&self, session: &str) -> Result<Option<Seat>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SEAT} WHERE session_hash = ?1"))?;
        Ok(statement.query_row([hash(session)], seat_of).optional()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_opens_its_seat_once_and_is_kept_as_a_hash() {
        let store = Store::in_memory();
        let team = store.add_team("North").unwrap();
        store.add_seat(Some(team), Role::Analyst, "A. N. Alyst", "link-1").unwrap();
        assert_eq!(store.seat_by_link("link-1").unwrap().unwrap().role, Role::Analyst);
        let seat = store.take_seat("link-1", "session-1").unwrap().unwrap();
        assert_eq!((seat.team, seat.is_taken), (Some(team), true));
        assert!(store.take_seat("link-1", "session-2").unwrap().is_none());
        assert_eq!(store.seat_by_session("session-1").unwrap().unwrap().id, seat.id);
        assert!(store.seat_by_session("link-1").unwrap().is_none());
        assert!(store.renew_link(seat.id, "link-2").unwrap());
        assert!(store.seat_by_session("session-1").unwrap().is_none());
        assert!(matches!(store.add_team("North"), Err(StoreError::NameTaken(_))));
        let kept: String =
            store.lock().query_row("SELECT link_hash FROM seat", [], |row| row.get(0)).unwrap();
        assert!(kept.len() == 64 && !kept.contains("link"), "{kept}");
    }
}
