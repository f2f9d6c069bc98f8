//! Controllers on a bench: octets in, octets out, in virtual time.

#![expect(clippy::unwrap_used, reason = "a step that fails fails its test")]

mod boundary;
mod dnp3_bound;
mod dnp3_cases;
mod dnp3_conformance;
mod dnp3_hold;
mod dnp3_random;
mod dnp3_rig;
mod harness;
mod logic;
mod peer;
mod power;
mod random;
mod scan;
mod server;
