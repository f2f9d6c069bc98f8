//! Runs `fieldrange` and reads what it left.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// The command with these words.
pub(crate) fn fieldrange<S: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fieldrange")).args(words).output().expect("the command starts")
}

/// Standard output of a command that must succeed.
#[track_caller]
pub(crate) fn done<S: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = S>) -> String {
    let output = fieldrange(words);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{:?}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Simulates a scenario into a directory.
#[track_caller]
pub(crate) fn simulate(scenario: &str, seed: u64, out: &Path, more: &[&str]) {
    let (seed, out) = (seed.to_string(), out.display().to_string());
    let words = ["simulate", scenario, "--seed", &seed, "--out", &out];
    done(words.iter().copied().chain(more.iter().copied()));
}

/// SHA-256 of every file of a record, as sealed.
pub(crate) fn hashes(run: &Path) -> BTreeMap<String, String> {
    manifest(run)["files"]
        .as_object()
        .expect("files")
        .iter()
        .map(|(name, hash)| (name.clone(), hash.as_str().expect("a hash").to_owned()))
        .collect()
}

/// `run.json`.
pub(crate) fn manifest(run: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(run.join("run.json")).expect("a sealed run")).expect("JSON")
}

/// Lines of a JSON-lines file of a record.
pub(crate) fn lines(run: &Path, name: &str) -> Vec<serde_json::Value> {
    std::fs::read_to_string(run.join(name))
        .expect("readable")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
