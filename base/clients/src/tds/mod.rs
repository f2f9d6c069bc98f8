//! The protocol between historians: tabular data stream (MS-TDS), version 7.4, both ends.
//!
//! # Theory of operation
//! A connection begins with two exchanges: *pre-login* (versions, and whether to encrypt: both ends say that they cannot),
//! then *login* (user name and password, the latter merely obfuscated, as every unencrypted connection of this kind
//! shows it; in the lab it is EXERCISE data). After that the client sends one SQL *batch* at a time and gets a *token
//! stream* back: a description of columns, rows, and "done".
//!
//! Messages travel in packets with a header of eight octets; the last packet of a message says so. Both ends bound
//! what they read ([`packet::MESSAGE_MAX`]) and take any octets without panic. Time limits are the caller's:
//! [`record::with_timeout`].
//!
//! Only what a replicating historian needs is here: three column types, no parameters, no procedures, no cursors. SQL is
//! a text; what it means is up to the caller. Source: \[MS-TDS\], Tabular Data Stream Protocol, sections 2.2.1 to 2.2.7.

mod client;
mod login;
mod octets;
pub mod packet;
mod server;
mod table;
mod token;

pub use client::TdsClient;
pub use login::Login;
pub use server::{ServerSettings, TdsServer};
pub use table::{Column, ColumnKind, ShapeError, Table, Value};
pub use token::ServerError;

use std::io;

/// The TCP port registered for it.
pub const PORT: u16 = 1433;

/// Version 7.4 as LOGIN7 and LOGINACK state it.
const VERSION_7_4: u32 = 0x7400_0004;

/// Why a connection between historians failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TdsError {
    /// The connection broke.
    #[error("connection failed: {kind}")]
    Io {
        /// What the stream said.
        kind: io::ErrorKind,
    },
    /// The other end closed between two messages.
    #[error("connection is closed")]
    Closed,
    /// A packet header with a length below 8 or above what was agreed.
    #[error("packet length must be 8 to {max}, got {got}")]
    PacketLength {
        /// What was sent.
        got: usize,
        /// The longest packet taken.
        max: usize,
    },
    /// A message that never ends.
    #[error("message exceeds {max} octets")]
    MessageLength {
        /// The longest message taken.
        max: usize,
    },
    /// Another type of message than the protocol has at this point.
    #[error("message type must be {expected:#04x}, got {got:#04x}")]
    MessageType {
        /// What belongs here.
        expected: u8,
        /// What was sent.
        got: u8,
    },
    /// The octets of a message end before its fields do, or point outside.
    #[error("{what} ends too early")]
    Truncated {
        /// Which part.
        what: &'static str,
    },
    /// A token of the answer that this client does not know, and whose length it can therefore not know.
    #[error("token {token:#04x} is unknown")]
    UnknownToken {
        /// What was sent.
        token: u8,
    },
    /// A column type that this client does not know.
    #[error("column type {kind:#04x} is unknown")]
    UnknownType {
        /// What was sent.
        kind: u8,
    },
    /// The other end insists on encryption.
    #[error("the other end requires encryption")]
    EncryptionRequired,
    /// Login was not acknowledged and no reason was given.
    #[error("login was not acknowledged")]
    NotAcknowledged,
    /// The server refused: login or batch. After a refused batch the connection is as good as before.
    #[error("server refuses: {0}")]
    Refused(ServerError),
}

impl From<io::Error> for TdsError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            kind => Self::Io { kind },
        }
    }
}
