//! The baseline as a file: `--baseline`, with `--learn` to write it.

use std::io;
use std::path::Path;

use site::FileError;

use super::SenseError;
use crate::facts::Baseline;

/// The baseline in a file; an empty one where the file is still to be written.
pub(crate) fn load(file: &Path, learns: bool) -> Result<Baseline, FileError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Baseline::parse(&name, &text),
        Err(error) if learns && error.kind() == io::ErrorKind::NotFound => Ok(Baseline::default()),
        Err(error) => Err(FileError {
            file: name,
            line: 0,
            problem: error.to_string(),
            fix: "name a baseline that can be read, or add --learn SPAN to write one".to_owned(),
        }),
    }
}

/// Writes the baseline whole or not at all.
pub(crate) fn save(file: &Path, baseline: &Baseline) -> Result<(), SenseError> {
    let trouble = |source| SenseError::Baseline { file: file.to_owned(), source };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, baseline.to_toml()).map_err(trouble)?;
    std::fs::rename(&beside, file).map_err(trouble)
}
