//! Integration tests of the sensor: frames in, files out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod captures;
mod context;
mod detection;
mod dnp3;
mod eve;
mod fields;
mod findings;
mod frames;
mod modbus;
mod oracle;
mod robust;
mod session;
mod suricata;
mod tool;
