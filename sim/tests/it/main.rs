//! Integration tests of the plant.

#![allow(missing_docs, clippy::unwrap_used)]

mod water;
