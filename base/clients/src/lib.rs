//! Modbus client, DNP3 master and historian client, generic over stream and clock.
//!
//! Everything here runs on whatever streams and clock it is given: virtual ones in a lab's kernel, real sockets in a
//! test. Nothing starts a thread, reads the wall clock, or needs a runtime; a time limit is a race against
//! [`record::Clock`].
//!
//! - [`connect`]: how a client gets a stream
//! - [`modbus`]: one Modbus/TCP connection, [`ModbusClient`]
//! - [`dnp3`]: a DNP3 master over one connection, [`Dnp3Master`]
//! - [`session`]: a connection that is made on demand and made again after it broke, [`ModbusSession`]
//! - [`tds`]: the protocol between historians, both ends

pub mod connect;
pub mod dnp3;
pub mod error;
pub mod modbus;
pub mod session;
pub mod tds;
mod watched;

pub use connect::Connect;
pub use dnp3::{Dnp3Master, MasterError, MasterSettings};
pub use error::ClientError;
pub use modbus::{ModbusClient, ServerId};
pub use session::{ModbusSession, SessionSettings};
