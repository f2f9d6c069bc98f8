//! Clients against servers made with `wire`, in virtual time and over a real socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod bench;
mod device;
mod hostile;
mod modbus;
mod real_socket;
mod session;
mod tds;
