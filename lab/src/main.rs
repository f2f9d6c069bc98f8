//! The `fieldrange` command.
fn main() {}
