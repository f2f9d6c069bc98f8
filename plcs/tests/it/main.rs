//! Controllers on a bench: octets in, octets out, in virtual time.

mod boundary;
mod harness;
mod logic;
mod peer;
mod random;
mod scan;
mod server;
