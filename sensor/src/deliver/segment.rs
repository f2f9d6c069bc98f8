//! The files of a queue: segments with records, and what is remembered beside them. See `queue` for their form.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Octets before a record's payload.
pub(super) const HEADER: usize = 16;
/// Longest payload; a longer length in a file is damage.
pub(super) const PAYLOAD_MAX: usize = 16 << 20;

/// A place between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(super) segment: u64,
    pub(super) offset: u64,
}

pub(super) fn checksum(sequence: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(sequence);
    hasher.update(payload);
    hasher.finalize()
}

pub(super) fn path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:010}.seg"))
}

pub(super) fn open_segment(directory: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).read(true).open(path(directory, number))
}

pub(super) fn list(directory: &Path) -> io::Result<VecDeque<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers.into())
}

/// Length of a segment that is whole, and its newest sequence number. Of the tail only whole records count.
pub(super) fn survey(path: &Path, is_tail: bool) -> io::Result<(u64, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let (mut offset, mut newest) = (0, 0);
    while let Some((sequence, payload)) = read_record(&file, offset, length - offset)? {
        newest = sequence;
        offset += (HEADER + payload.len()) as u64;
    }
    Ok((if is_tail { offset } else { length }, newest))
}

/// A record of a segment in which `left` octets remain; `None` where there is no whole one.
pub(super) fn read_record(file: &File, offset: u64, left: u64) -> io::Result<Option<(u64, Vec<u8>)>> {
    if left < HEADER as u64 {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, offset)?;
    let [l0, l1, l2, l3, c0, c1, c2, c3, sequence @ ..] = header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > PAYLOAD_MAX || (HEADER + length) as u64 > left {
        return Ok(None);
    }
    let mut payload = vec![0; length];
    file.read_exact_at(&mut payload, offset + HEADER as u64)?;
    let whole = checksum(&sequence, &payload) == u32::from_le_bytes([c0, c1, c2, c3]);
    Ok(whole.then(|| (u64::from_le_bytes(sequence), payload)))
}

pub(super) fn read_acknowledged(directory: &Path) -> (Place, u64) {
    let text = fs::read_to_string(directory.join("acknowledged")).unwrap_or_default();
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [segment, offset, sequence] => (Place { segment, offset }, sequence),
        _ => (Place::default(), 0),
    }
}

/// Made once per queue. Delivery is no part of what must repeat, so the wall clock may say it.
pub(super) fn identity(directory: &Path) -> io::Result<String> {
    let file = directory.join("identity");
    match fs::read_to_string(&file) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => {
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
            let text = format!("{nanos:x}-{:x}", std::process::id());
            fs::write(file, &text)?;
            Ok(text)
        }
    }
}
