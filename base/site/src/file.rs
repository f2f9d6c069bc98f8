//! Errors in files that people write: where, what, and how to mend it.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_spanned::Spanned;

/// Something wrong in a file that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The file, as the person named it.
    pub file: String,
    /// Line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// How to mend it; may be empty.
    pub fix: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.problem)?,
            line => write!(f, "{}:{line}: {}", self.file, self.problem)?,
        }
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n  fix: {}", self.fix) }
    }
}

/// A file's name and text, kept while it is checked, so that every error can name its line.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file, as the person named it.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Source<'_> {
    /// Line of an octet offset, counted from 1.
    pub fn line_at(&self, offset: usize) -> usize {
        let end = offset.min(self.text.len());
        self.text.as_bytes()[..end].split(|octet| *octet == b'\n').count()
    }

    /// An error at a value that was read with its place.
    pub fn error<T>(
        &self,
        place: &Spanned<T>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> FileError {
        self.error_at(place.span().start, problem, fix)
    }

    /// An error at an octet offset.
    pub fn error_at(&self, offset: usize, problem: impl Into<String>, fix: impl Into<String>) -> FileError {
        FileError {
            file: self.file.to_owned(),
            line: self.line_at(offset),
            problem: problem.into(),
            fix: fix.into(),
        }
    }

    /// Reads TOML into a value. Unknown keys and wrong types become errors with their line.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, FileError> {
        toml::from_str(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let problem = error.message().replace('\n', " ");
            let fix = fix_for(&problem);
            self.error_at(offset, problem, fix)
        })
    }
}

/// Reads TOML into a value. Unknown keys and wrong types become errors with their line.
pub fn parse_toml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FileError> {
    Source { file, text }.parse()
}

fn fix_for(problem: &str) -> String {
    if problem.starts_with("unknown field") || problem.starts_with("unexpected keys") {
        "remove the key or spell it as one of those expected; units are part of the key".to_owned()
    } else if problem.starts_with("unknown variant") {
        "write one of those expected".to_owned()
    } else if problem.starts_with("missing field") {
        "add the key to this table".to_owned()
    } else if problem.starts_with("invalid type") {
        "write the value in the expected type; texts stand in quotes, numbers do not".to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pipe {
        #[expect(dead_code, reason = "only parsed")]
        length_m: f64,
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = parse_toml::<Pipe>("pipe.toml", "# one\nlength_ft = 3.0\n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("pipe.toml", 2));
        assert!(error.problem.contains("length_ft") && error.problem.contains("length_m"), "{error}");
        assert!(!error.fix.is_empty());
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let error = parse_toml::<Pipe>("pipe.toml", "\n\nlength_m = \"3 m\"\n").unwrap_err();
        assert_eq!(error.line, 3);
    }
}
