//! A run on disk: the writer that hashes as it writes, the reader that checks.
//!
//! ```text
//! DIR/  run.json span.pcapng process.csv truth.jsonl events.jsonl outside.jsonl findings.jsonl
//!       incidents.jsonl facts.jsonl logs/*.log hosts/*
//! ```
//!
//! `run.json` is written last, atomically, and names the SHA-256 of every other file: a directory without it
//! is a run that did not end. A writer never touches a directory that already holds a sealed run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::{CHAIN_START, hex, hex_digest};
use crate::{Event, StartTime, VirtualTime};

/// Name of the manifest.
pub const MANIFEST: &str = "run.json";

/// `run.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunManifest {
    /// Always `EXERCISE`: nothing in this directory is real.
    pub marking: String,
    /// Scenario name.
    pub scenario: String,
    /// Seed; absent from a record packed for a trainee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Variables set by the person who started the run, `name -> value`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Version of Fieldrange.
    pub version: String,
    /// Start of the run in UTC.
    pub start: StartTime,
    /// Length of the run.
    pub duration: VirtualTime,
    /// Site file, by name.
    pub site: String,
    /// Address to host name, of every host that took part.
    pub topology: BTreeMap<String, String>,
    /// Why the run ended before its time, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
    /// SHA-256 of every other file, by path.
    pub files: BTreeMap<String, String>,
}

/// Why a record cannot be written, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The directory already holds a run.
    #[error("{path} already holds a run; it is left as it is: choose another --out or move it away")]
    AlreadyThere {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds no sealed run.
    #[error(
        "{path} holds no sealed run ({MANIFEST} is missing): name a directory that `fieldrange simulate --out` made"
    )]
    NotARun {
        /// The directory.
        path: PathBuf,
    },
    /// A line does not parse.
    #[error("{path}:{line}: {problem}")]
    BadLine {
        /// File.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A file is not what was sealed.
    #[error("{path}: altered since the run was sealed: sha256 is {got}, sealed {sealed}")]
    Altered {
        /// File.
        path: PathBuf,
        /// Computed now.
        got: String,
        /// In the manifest.
        sealed: String,
    },
    /// A file that is not in the manifest.
    #[error("{path}: not in the manifest: it was added after the run was sealed")]
    Added {
        /// File.
        path: PathBuf,
    },
    /// The journal's chain is broken.
    #[error("{path}:{line}: chain broken: prev is {got}, the line before hashes to {expected}")]
    BrokenChain {
        /// File.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// In the line.
        got: String,
        /// Computed.
        expected: String,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecordError + '_ {
    move |source| RecordError::Io { path: path.to_owned(), source }
}

/// A file of the record: buffered, hashed while it is written. Clones share the file.
#[derive(Clone, Debug)]
pub struct HashedFile {
    inner: Rc<RefCell<HashedInner>>,
}

#[derive(Debug)]
struct HashedInner {
    out: BufWriter<File>,
    hash: Sha256,
}

impl Write for HashedFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut inner = self.inner.borrow_mut();
        let count = inner.out.write(octets)?;
        inner.hash.update(&octets[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.borrow_mut().out.flush()
    }
}

/// Writes one run.
#[derive(Debug)]
pub struct RunWriter {
    directory: PathBuf,
    files: BTreeMap<String, HashedFile>,
}

impl RunWriter {
    /// Makes the directory. Refuses one that already holds anything.
    pub fn create(directory: &Path) -> Result<Self, RecordError> {
        if directory.exists() && fs::read_dir(directory).map_err(at(directory))?.next().is_some() {
            return Err(RecordError::AlreadyThere { path: directory.to_owned() });
        }
        fs::create_dir_all(directory).map_err(at(directory))?;
        Ok(Self { directory: directory.to_owned(), files: BTreeMap::new() })
    }

    /// Where it writes.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens a new file of the record by its relative path, `logs/conn.log`.
    pub fn file(&mut self, name: &str) -> Result<HashedFile, RecordError> {
        let path = self.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at(parent))?;
        }
        let out = BufWriter::with_capacity(1 << 18, File::create_new(&path).map_err(at(&path))?);
        let file = HashedFile { inner: Rc::new(RefCell::new(HashedInner { out, hash: Sha256::new() })) };
        self.files.insert(name.to_owned(), file.clone());
        Ok(file)
    }

    /// Writes out what the files hold back: somebody may be reading along.
    pub fn flush(&self) -> Result<(), RecordError> {
        for (name, file) in &self.files {
            file.inner.borrow_mut().out.flush().map_err(at(&self.directory.join(name)))?;
        }
        Ok(())
    }

    /// Writes one JSON line per item into a new file.
    pub fn json_lines<T: Serialize>(&mut self, name: &str, items: &[T]) -> Result<(), RecordError> {
        let path = self.directory.join(name);
        let mut file = self.file(name)?;
        for item in items {
            let line = serde_json::to_string(item).map_err(|e| at(&path)(e.into()))?;
            writeln!(file, "{line}").map_err(at(&path))?;
        }
        Ok(())
    }

    /// Flushes every file, fills in the hashes and writes the manifest. Returns it as written.
    pub fn seal(self, mut manifest: RunManifest) -> Result<RunManifest, RecordError> {
        for (name, file) in &self.files {
            let mut inner = file.inner.borrow_mut();
            inner.out.flush().map_err(at(&self.directory.join(name)))?;
            let digest = inner.hash.clone().finalize();
            manifest.files.insert(name.clone(), hex(&digest));
        }
        let path = self.directory.join(MANIFEST);
        let partial = self.directory.join("run.json.partial");
        let mut text = serde_json::to_string_pretty(&manifest).map_err(|e| at(&path)(e.into()))?;
        text.push('\n');
        fs::write(&partial, text).map_err(at(&partial))?;
        fs::rename(&partial, &path).map_err(at(&path))?;
        Ok(manifest)
    }
}

/// Reads one sealed run.
#[derive(Clone, Debug)]
pub struct RunReader {
    directory: PathBuf,
    manifest: RunManifest,
}

impl RunReader {
    /// Opens a sealed run. Reads the manifest only; [`RunReader::verify`] checks the rest.
    pub fn open(directory: &Path) -> Result<Self, RecordError> {
        let path = directory.join(MANIFEST);
        if !path.exists() {
            return Err(RecordError::NotARun { path: directory.to_owned() });
        }
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let manifest = serde_json::from_str(&text).map_err(|e| RecordError::BadLine {
            path,
            line: e.line() as u64,
            problem: e.to_string(),
        })?;
        Ok(Self { directory: directory.to_owned(), manifest })
    }

    /// Its manifest.
    pub fn manifest(&self) -> &RunManifest {
        &self.manifest
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of one of its files.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether the record holds a file (a record packed for a trainee leaves some out).
    pub fn has(&self, name: &str) -> bool {
        self.manifest.files.contains_key(name)
    }

    /// All lines of a JSON-lines file.
    pub fn json_lines<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, RecordError> {
        read_json_lines(&self.path(name))
    }

    /// Recomputes every hash and the journal's chain. Returns every problem found; empty means whole.
    pub fn verify(&self) -> Vec<RecordError> {
        let mut problems = Vec::new();
        for (name, sealed) in &self.manifest.files {
            let path = self.path(name);
            match digest_of_file(&path) {
                Ok(got) if got == *sealed => {}
                Ok(got) => problems.push(RecordError::Altered { path, got, sealed: sealed.clone() }),
                Err(source) => problems.push(RecordError::Io { path, source }),
            }
        }
        self.find_added(&self.directory, "", &mut problems);
        if self.has("events.jsonl")
            && let Err(problem) = check_chain(&self.path("events.jsonl"))
        {
            problems.push(problem);
        }
        problems
    }

    fn find_added(&self, directory: &Path, prefix: &str, problems: &mut Vec<RecordError>) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self.find_added(&entry.path(), &format!("{name}/"), problems);
            } else if name != MANIFEST && !self.manifest.files.contains_key(&name) {
                problems.push(RecordError::Added { path: entry.path() });
            }
        }
    }
}

/// All lines of a JSON-lines file; an error names the file and the line.
pub fn read_json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, RecordError> {
    let mut items = Vec::new();
    for (index, line) in BufReader::new(File::open(path).map_err(at(path))?).lines().enumerate() {
        let line = line.map_err(at(path))?;
        if line.trim().is_empty() {
            continue;
        }
        items.push(serde_json::from_str(&line).map_err(|e| RecordError::BadLine {
            path: path.to_owned(),
            line: index as u64 + 1,
            problem: e.to_string(),
        })?);
    }
    Ok(items)
}

/// SHA-256 of a file in lower-case hexadecimal.
pub fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
    }
}

fn check_chain(path: &Path) -> Result<(), RecordError> {
    let mut expected = CHAIN_START.to_owned();
    for (index, line) in BufReader::new(File::open(path).map_err(at(path))?).lines().enumerate() {
        let line = line.map_err(at(path))?;
        let number = index as u64 + 1;
        let event: Event = serde_json::from_str(&line).map_err(|e| RecordError::BadLine {
            path: path.to_owned(),
            line: number,
            problem: e.to_string(),
        })?;
        if event.prev != expected {
            return Err(RecordError::BrokenChain {
                path: path.to_owned(),
                line: number,
                got: event.prev,
                expected,
            });
        }
        expected = hex_digest(line.as_bytes());
    }
    Ok(())
}

impl RunManifest {
    /// Last moment of the run.
    pub fn end(&self) -> VirtualTime {
        self.duration
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventLog, EventSource};

    fn manifest() -> RunManifest {
        RunManifest {
            marking: "EXERCISE".into(),
            scenario: "test".into(),
            seed: Some(1),
            settings: BTreeMap::new(),
            version: "0".into(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
            duration: VirtualTime::from_secs(10),
            site: "waterworks".into(),
            topology: BTreeMap::new(),
            ended_early: None,
            files: BTreeMap::new(),
        }
    }

    fn sealed(directory: &Path) -> RunReader {
        let mut writer = RunWriter::create(directory).unwrap();
        let mut log = EventLog::new(writer.file("events.jsonl").unwrap());
        for n in 0..3 {
            log.append(VirtualTime::from_secs(n), EventSource::Plant, "tick", serde_json::json!({ "n": n }))
                .unwrap();
        }
        log.finish().unwrap();
        writer.seal(manifest()).unwrap();
        RunReader::open(directory).unwrap()
    }

    #[test]
    fn a_sealed_run_verifies_and_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        assert!(sealed(&path).verify().is_empty());
        assert!(matches!(RunWriter::create(&path), Err(RecordError::AlreadyThere { .. })));
    }

    #[test]
    fn an_altered_line_is_found_by_hash_and_by_chain() {
        let directory = tempfile::tempdir().unwrap();
        let reader = sealed(directory.path());
        let path = directory.path().join("events.jsonl");
        let text = fs::read_to_string(&path).unwrap().replace("\"n\":1", "\"n\":7");
        fs::write(&path, text).unwrap();
        let problems = reader.verify();
        assert!(problems.iter().any(|p| matches!(p, RecordError::Altered { .. })), "{problems:?}");
        assert!(
            problems.iter().any(|p| matches!(p, RecordError::BrokenChain { line: 3, .. })),
            "{problems:?}"
        );
    }

    #[test]
    fn an_added_file_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let reader = sealed(directory.path());
        fs::write(directory.path().join("extra"), "x").unwrap();
        assert!(matches!(reader.verify()[..], [RecordError::Added { .. }]));
    }
}
