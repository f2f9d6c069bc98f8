//! The end that answers: the historian that has the data.

use super::login::{Login, check_prelogin, server_prelogin};
use super::octets::{Octets, text};
use super::{ServerError, Table, TdsError, packet, token};
use crate::connect::Stream;

/// What a server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Its name, as in its errors.
    pub name: String,
    /// Its program.
    pub program: String,
    /// Its version: major, minor, build as two octets.
    pub version: [u8; 4],
    /// Number of the session, which every packet of the server carries.
    pub session: u16,
}

impl Default for ServerSettings {
    /// A fictional historian, session 51 (the first number that is not a system's own).
    fn default() -> Self {
        Self {
            name: "historian".into(),
            program: "EXERCISE historian".into(),
            version: [15, 0, 0, 0],
            session: 51,
        }
    }
}

/// A connection whose client is logged in.
#[derive(Debug)]
pub struct TdsServer<S> {
    stream: S,
    settings: ServerSettings,
    login: Login,
}

impl<S: Stream> TdsServer<S> {
    /// Pre-login and login over an accepted stream; `admit` decides. After a refusal the client is told so and the
    /// error is [`TdsError::Refused`].
    pub async fn accept<A>(mut stream: S, settings: ServerSettings, admit: A) -> Result<Self, TdsError>
    where
        A: FnOnce(&Login) -> bool,
    {
        let session = settings.session;
        check_prelogin(&required(&mut stream, packet::PRELOGIN).await?)?;
        packet::write(&mut stream, packet::ANSWER, session, &server_prelogin(settings.version)).await?;
        let login = Login::parse(&required(&mut stream, packet::LOGIN).await?)?;
        if !admit(&login) {
            let error = ServerError::login_failed(&login.user);
            packet::write(&mut stream, packet::ANSWER, session, &token::refuse(&error, &settings.name))
                .await?;
            return Err(TdsError::Refused(error));
        }
        let answer = token::acknowledge(&login.database, &settings.program, settings.version);
        packet::write(&mut stream, packet::ANSWER, session, &answer).await?;
        Ok(Self { stream, settings, login })
    }

    /// Who is logged in.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// The next batch's text; `None` when the client has closed.
    pub async fn next_batch(&mut self) -> Result<Option<String>, TdsError> {
        let Some(message) = packet::read(&mut self.stream, packet::BATCH).await? else { return Ok(None) };
        let headers = Octets::new(&message, "batch").u32()? as usize;
        let sql = message.get(headers..).ok_or(TdsError::Truncated { what: "batch headers" })?;
        Ok(Some(text(sql)))
    }

    /// Answers a batch with a table.
    pub async fn answer(&mut self, table: &Table) -> Result<(), TdsError> {
        self.send(&token::tabular(table)).await
    }

    /// Refuses a batch; the connection goes on.
    pub async fn refuse(&mut self, error: &ServerError) -> Result<(), TdsError> {
        self.send(&token::refuse(error, &self.settings.name)).await
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), TdsError> {
        packet::write(&mut self.stream, packet::ANSWER, self.settings.session, message).await
    }
}

async fn required<S: Stream>(stream: &mut S, kind: u8) -> Result<Vec<u8>, TdsError> {
    packet::read(stream, kind).await?.ok_or(TdsError::Closed)
}
