//! Integration tests of the scenarios crate.

mod files;
mod plans;
