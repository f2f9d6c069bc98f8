//! Integration tests of the scenarios crate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod device;
mod files;
mod levels;
mod plans;
mod run;
mod staging;
mod tabletop;
mod traces;
mod tshark;
