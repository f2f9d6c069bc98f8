//! Why a client has no answer.

use std::io;
use std::time::Duration;

use record::VirtualTime;
use wire::modbus::ExceptionCode;

/// Why a call to a server brought no answer. Carries no text of the operating system, so that it is the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The server answered with an exception. The connection is as good as before.
    #[error("server answered {0}")]
    Exception(ExceptionCode),
    /// No whole answer within the limit. The connection is given up: a late answer would be taken for the next one's.
    #[error("no answer within {limit:?}")]
    Timeout {
        /// How long the client waited.
        limit: Duration,
    },
    /// The connection could not be opened.
    #[error("cannot connect: {kind}")]
    Connect {
        /// What the stream's maker said.
        kind: io::ErrorKind,
    },
    /// The connection broke.
    #[error("connection failed: {kind}")]
    Io {
        /// What the stream said.
        kind: io::ErrorKind,
    },
    /// The server closed the connection, or this client gave it up after an earlier error.
    #[error("connection is closed")]
    Closed,
    /// The server's octets make no sense as an answer to this request.
    #[error("answer violates the protocol: {violation}")]
    Protocol {
        /// What is wrong with them.
        violation: Violation,
    },
    /// The request itself is impossible, nothing was sent: more values than a PDU carries, or none.
    #[error("request impossible: {count} items do not fit one request")]
    Request {
        /// How many items were given.
        count: usize,
    },
    /// The session waits before it connects again; nothing was sent.
    #[error("not connected, next attempt at {until}")]
    BackingOff {
        /// When the next call will connect.
        until: VirtualTime,
    },
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Transaction or unit differ from the request's.
    #[error("header does not match the request")]
    Header,
    /// Function code differs from the request's.
    #[error("function code does not match the request")]
    Function,
    /// The octets are not a response.
    #[error("response cannot be decoded")]
    Undecodable,
    /// Too few or too many values, or an echo that is none.
    #[error("response does not fit the request")]
    Content,
}

impl ClientError {
    /// Must the connection be given up after this error?
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Exception(_) | Self::Request { .. } | Self::BackingOff { .. })
    }
}
