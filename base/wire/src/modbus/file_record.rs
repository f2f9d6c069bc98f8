//! File records, function codes 20 and 21 (the specification, sections 6.14 and 6.15).

use super::bounded::CountError;
use super::octets::{Octets, put_words, words};
use super::{Bounded, PduError};

/// The only reference type there is.
pub const REFERENCE_TYPE: u8 = 6;
/// Octets of all records of an answer to Read File Record at most.
pub const READ_OCTETS_MAX: usize = 0xf5;
/// Octets of all records of a Write File Record at most.
pub const WRITE_OCTETS_MAX: usize = 0xfb;

const RANGE_LEN: usize = 7;

/// A part of a file to read. Whether file, record and length exist is the device's business (exception 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileRange {
    /// Number of the file; 1 to 65535 on devices that keep to the specification.
    pub file: u16,
    /// First record; 0 to 9999 on devices that keep to the specification.
    pub record: u16,
    /// Registers to read.
    pub length: u16,
}

/// The parts of files that one request reads: 1 to 35.
pub type FileRanges = Bounded<FileRange, 1, 35>;

/// A part of a file with its registers, to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileRecord {
    /// Number of the file.
    pub file: u16,
    /// First record.
    pub record: u16,
    /// Registers from there on; at least one.
    pub values: Vec<u16>,
}

/// The records that one request writes: 1 or more, together at most [`WRITE_OCTETS_MAX`] octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileRecords(Vec<FileRecord>);

impl FileRecords {
    /// The records, if they fit one PDU and none is empty.
    pub fn new(records: Vec<FileRecord>) -> Result<Self, CountError> {
        let octets = records.iter().map(|record| RANGE_LEN + 2 * record.values.len()).sum();
        let whole = !records.is_empty() && records.iter().all(|record| !record.values.is_empty());
        if whole && octets <= WRITE_OCTETS_MAX {
            Ok(Self(records))
        } else {
            Err(CountError { got: octets, min: RANGE_LEN + 2, max: WRITE_OCTETS_MAX })
        }
    }

    /// The records in the order of the wire.
    pub fn as_slice(&self) -> &[FileRecord] {
        &self.0
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        let count = byte_count(octets, RANGE_LEN + 2, WRITE_OCTETS_MAX)?;
        let mut records = Vec::new();
        while octets.left() > 0 {
            reference_type(octets)?;
            let (file, record) = (octets.word()?, octets.word()?);
            let length = octets.word()?;
            let values: Vec<u16> = words(octets.take(2 * usize::from(length))?).collect();
            if values.is_empty() {
                return Err(PduError::Quantity { got: 0, max: 122 });
            }
            records.push(FileRecord { file, record, values });
        }
        Self::new(records).map_err(|_| PduError::ByteCountLimit {
            got: count,
            min: RANGE_LEN + 2,
            max: WRITE_OCTETS_MAX,
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let count: usize = self.0.iter().map(|record| RANGE_LEN + 2 * record.values.len()).sum();
        out.push(count as u8);
        for record in &self.0 {
            out.push(REFERENCE_TYPE);
            put_words(out, &[record.file, record.record, record.values.len() as u16]);
            put_words(out, &record.values);
        }
    }
}

/// The registers that answer a Read File Record, one list for each range: together at most [`READ_OCTETS_MAX`] octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileAnswers(Vec<Vec<u16>>);

impl FileAnswers {
    /// The registers, if they fit one PDU and no list is empty.
    pub fn new(answers: Vec<Vec<u16>>) -> Result<Self, CountError> {
        let octets = answers.iter().map(|values| 2 + 2 * values.len()).sum();
        let whole = !answers.is_empty() && answers.iter().all(|values| !values.is_empty());
        if whole && octets <= READ_OCTETS_MAX {
            Ok(Self(answers))
        } else {
            Err(CountError { got: octets, min: 4, max: READ_OCTETS_MAX })
        }
    }

    /// One list of registers for each range of the request, in its order.
    pub fn as_slice(&self) -> &[Vec<u16>] {
        &self.0
    }

    pub(super) fn parse(octets: &mut Octets<'_>) -> Result<Self, PduError> {
        // The specification prints 7 as the least length of an answer, but one register makes 4 octets.
        let count = byte_count(octets, 4, READ_OCTETS_MAX)?;
        let mut answers = Vec::new();
        while octets.left() > 0 {
            let length = usize::from(octets.octet()?);
            reference_type(octets)?;
            if length < 3 || length % 2 == 0 {
                return Err(PduError::ByteCountLimit { got: length, min: 3, max: READ_OCTETS_MAX - 1 });
            }
            answers.push(words(octets.take(length - 1)?).collect());
        }
        Self::new(answers).map_err(|_| PduError::ByteCountLimit { got: count, min: 4, max: READ_OCTETS_MAX })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        let count: usize = self.0.iter().map(|values| 2 + 2 * values.len()).sum();
        out.push(count as u8);
        for values in &self.0 {
            out.push(1 + 2 * values.len() as u8);
            out.push(REFERENCE_TYPE);
            put_words(out, values);
        }
    }
}

pub(super) fn parse_ranges(octets: &mut Octets<'_>) -> Result<FileRanges, PduError> {
    let got = byte_count(octets, RANGE_LEN, READ_OCTETS_MAX)?;
    let mut ranges = Vec::with_capacity(octets.left() / RANGE_LEN);
    while octets.left() > 0 {
        reference_type(octets)?;
        ranges.push(FileRange { file: octets.word()?, record: octets.word()?, length: octets.word()? });
    }
    FileRanges::new(ranges).map_err(|_| PduError::ByteCountLimit {
        got,
        min: RANGE_LEN,
        max: READ_OCTETS_MAX,
    })
}

pub(super) fn emit_ranges(ranges: &FileRanges, out: &mut Vec<u8>) {
    out.push((RANGE_LEN * ranges.len()) as u8);
    for range in &**ranges {
        out.push(REFERENCE_TYPE);
        put_words(out, &[range.file, range.record, range.length]);
    }
}

/// The byte count, which must lie within the function's limits and match the rest of the PDU.
fn byte_count(octets: &mut Octets<'_>, min: usize, max: usize) -> Result<usize, PduError> {
    let got = usize::from(octets.octet()?);
    if !(min..=max).contains(&got) {
        return Err(PduError::ByteCountLimit { got, min, max });
    }
    if got == octets.left() { Ok(got) } else { Err(PduError::ByteCount { got, expected: octets.left() }) }
}

fn reference_type(octets: &mut Octets<'_>) -> Result<(), PduError> {
    match octets.octet()? {
        REFERENCE_TYPE => Ok(()),
        got => Err(PduError::ReferenceType { got }),
    }
}
