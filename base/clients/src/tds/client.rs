//! The end that asks: a replicating historian.

use tokio::io::AsyncWriteExt;

use super::login::{Login, check_prelogin, client_prelogin};
use super::octets::text_octets;
use super::{Table, TdsError, packet, token};
use crate::connect::Stream;

/// A connection that is logged in.
#[derive(Debug)]
pub struct TdsClient<S> {
    stream: S,
}

/// Octets of headers before a batch's text: one header, the transaction descriptor.
const BATCH_HEADERS: [u8; 22] = [22, 0, 0, 0, 18, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

impl<S: Stream> TdsClient<S> {
    /// Pre-login and login over an open stream.
    pub async fn log_in(mut stream: S, login: &Login) -> Result<Self, TdsError> {
        packet::write(&mut stream, packet::PRELOGIN, 0, &client_prelogin()).await?;
        check_prelogin(&answer(&mut stream).await?)?;
        packet::write(&mut stream, packet::LOGIN, 0, &login.emit()).await?;
        let answer = token::parse(&answer(&mut stream).await?)?;
        match answer.error {
            Some(error) => Err(TdsError::Refused(error)),
            None if !answer.acknowledged => Err(TdsError::NotAcknowledged),
            None => Ok(Self { stream }),
        }
    }

    /// Sends a SQL batch and takes its table; an empty table where the batch gives none.
    pub async fn query(&mut self, sql: &str) -> Result<Table, TdsError> {
        let mut message = BATCH_HEADERS.to_vec();
        message.extend(text_octets(sql, usize::MAX));
        packet::write(&mut self.stream, packet::BATCH, 0, &message).await?;
        let answer = token::parse(&answer(&mut self.stream).await?)?;
        answer.error.map_or(Ok(answer.table), |error| Err(TdsError::Refused(error)))
    }

    /// Ends the connection in order.
    pub async fn close(mut self) -> Result<(), TdsError> {
        self.stream.shutdown().await?;
        Ok(())
    }
}

async fn answer<S: Stream>(stream: &mut S) -> Result<Vec<u8>, TdsError> {
    packet::read(stream, packet::ANSWER).await?.ok_or(TdsError::Closed)
}
