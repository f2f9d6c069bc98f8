//! The file store behind functions 20 and 21: a few files of registers, all 0 at the start, lost at power-off.

use wire::modbus::{ExceptionCode, FileRange, FileRecord};

/// Files a controller has, numbered from 1.
pub const FILE_COUNT: u16 = 4;
/// Registers in each file, counted from 0.
pub const FILE_RECORDS: u16 = 1000;

#[derive(Debug)]
pub(crate) struct FileStore(Vec<Vec<u16>>);

impl FileStore {
    pub(crate) fn new() -> Self {
        Self(vec![vec![0; usize::from(FILE_RECORDS)]; usize::from(FILE_COUNT)])
    }

    /// The registers of a range; exception 2 where file or records do not exist.
    pub(crate) fn read(&self, range: FileRange) -> Result<Vec<u16>, ExceptionCode> {
        let file = usize::from(range.file).checked_sub(1).and_then(|index| self.0.get(index));
        let start = usize::from(range.record);
        file.and_then(|file| file.get(start..start + usize::from(range.length)))
            .map(<[u16]>::to_vec)
            .ok_or(ExceptionCode::IllegalDataAddress)
    }

    /// Writes all records or none.
    pub(crate) fn write(&mut self, records: &[FileRecord]) -> Result<(), ExceptionCode> {
        for record in records {
            self.place(record).ok_or(ExceptionCode::IllegalDataAddress)?;
        }
        for record in records {
            if let Some(place) = self.place(record) {
                place.copy_from_slice(&record.values);
            }
        }
        Ok(())
    }

    fn place(&mut self, record: &FileRecord) -> Option<&mut [u16]> {
        let start = usize::from(record.record);
        let index = usize::from(record.file).checked_sub(1)?;
        self.0.get_mut(index)?.get_mut(start..start + record.values.len())
    }
}
