//! Integration tests of the scenarios crate.

mod device;
mod files;
mod plans;
mod run;
mod staging;
mod tshark;
