//! The register map at work: addresses to signals and back.
//!
//! A register has no value of its own: it is encoded from its signal when it is read, and decoded into its signal
//! when it is written. Entries with access *refreshed* are the exception. Such a register is a copy of an input that
//! the device makes at the start of every scan; what a client writes there stands until the next scan and reaches
//! neither the input nor the logic.
//!
//! Addresses that the map does not have do not exist: a request that touches one is answered exception 2, and no
//! part of it is carried out.

use site::{Access, Device, RegisterEntry, Table};
use wire::modbus::{ExceptionCode, RegisterAddress};

use crate::image::{Image, SignalId};

/// One register or bit: the entry it belongs to, and which of the entry's words it is.
#[derive(Clone, Copy, Debug)]
struct Cell {
    entry: usize,
    word: usize,
}

#[derive(Debug)]
struct Entry {
    layout: RegisterEntry,
    signal: SignalId,
}

#[derive(Debug)]
pub(crate) struct Registers {
    entries: Vec<Entry>,
    /// By table and address.
    tables: [Vec<Option<Cell>>; 4],
    /// Entries whose copy was written over since the last refresh.
    written_copies: Vec<(usize, [u16; 2])>,
}

impl Registers {
    pub(crate) fn of(device: &Device, image: &mut Image) -> Self {
        let mut tables: [Vec<Option<Cell>>; 4] = [const { Vec::new() }; 4];
        let mut entries = Vec::with_capacity(device.registers.len());
        for layout in &device.registers {
            let cells = &mut tables[layout.table as usize];
            for word in 0..usize::from(layout.encoding.width()) {
                let at = usize::from(*layout.address.get_ref()) + word;
                if cells.len() <= at {
                    cells.resize(at + 1, None);
                }
                cells[at] = Some(Cell { entry: entries.len(), word });
            }
            let signal = image.declare(layout.tag.get_ref());
            entries.push(Entry { layout: layout.clone(), signal });
        }
        Self { entries, tables, written_copies: Vec::new() }
    }

    /// Start of a scan: copies of inputs are what the inputs are.
    pub(crate) fn refresh(&mut self) {
        self.written_copies.clear();
    }

    /// Words of consecutive addresses; bits as 0 and 1.
    pub(crate) fn read(
        &self,
        image: &Image,
        table: Table,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<u16>, ExceptionCode> {
        self.cells(table, address, quantity)?
            .map(|cell| Ok(self.words(image, cell?.entry)[cell?.word]))
            .collect()
    }

    /// Writes consecutive addresses, all or none.
    pub(crate) fn write(
        &mut self,
        image: &mut Image,
        table: Table,
        address: RegisterAddress,
        values: &[u16],
    ) -> Result<(), ExceptionCode> {
        let cells: Vec<Cell> = self.cells(table, address, values.len() as u16)?.collect::<Result<_, _>>()?;
        if cells.iter().any(|cell| self.entries[cell.entry].layout.access == Access::Read) {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        for (cell, value) in cells.into_iter().zip(values) {
            let mut words = self.words(image, cell.entry);
            words[cell.word] = *value;
            let entry = &self.entries[cell.entry];
            if entry.layout.access == Access::Write {
                image.set(entry.signal, entry.layout.decode(words));
            } else {
                self.written_copies.retain(|(written, _)| *written != cell.entry);
                self.written_copies.push((cell.entry, words));
            }
        }
        Ok(())
    }

    /// Address and signal of every bit that only the device writes, in the order of the map.
    pub(crate) fn discretes(&self) -> impl Iterator<Item = (u16, SignalId)> + '_ {
        self.entries
            .iter()
            .filter(|entry| entry.layout.table == Table::Discrete)
            .map(|entry| (*entry.layout.address.get_ref(), entry.signal))
    }

    fn words(&self, image: &Image, entry: usize) -> [u16; 2] {
        if let Some((_, words)) = self.written_copies.iter().find(|(written, _)| *written == entry) {
            return *words;
        }
        let entry = &self.entries[entry];
        entry.layout.encode(image.get(entry.signal))
    }

    fn cells(
        &self,
        table: Table,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<impl Iterator<Item = Result<Cell, ExceptionCode>> + '_, ExceptionCode> {
        let range = address.range(quantity);
        self.tables[table as usize]
            .get(range.start as usize..range.end as usize)
            .map(|cells| cells.iter().map(|cell| cell.ok_or(ExceptionCode::IllegalDataAddress)))
            .ok_or(ExceptionCode::IllegalDataAddress)
    }
}
