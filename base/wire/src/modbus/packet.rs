//! A PDU as it was sent, sense or nonsense: what the sensor reads.
//!
//! # Theory of operation
//! A [`Packet`] borrows the octets of one PDU and the direction they travelled in. Every accessor reads one fact at
//! its place and answers `None` where the function has no such fact or the octets end too early. Nothing is checked
//! against anything else: a quantity of 60,000 is reported as 60,000, a byte count that lies is reported, and lists
//! hold as many items as are really there. [`Packet::declared_len`] tells what length the fields claim, so that a
//! rule can compare; [`super::Request::parse`] is the strict judge.
//!
//! Nothing here allocates or panics.

use super::function::EXCEPTION_BIT;
use super::mbap::address_and_quantity;
use super::octets::word;
use super::request::DEVICE_ID_INTERFACE;
use super::{Direction, ExceptionCode, FileRange, FunctionCode, ObjectId, RegisterAddress, Table};

/// One PDU, however odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    direction: Direction,
    pdu: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Any octets will do, none too.
    pub fn new(direction: Direction, pdu: &'a [u8]) -> Self {
        Self { direction, pdu }
    }

    /// A request's PDU.
    pub fn request(pdu: &'a [u8]) -> Self {
        Self::new(Direction::Request, pdu)
    }

    /// A response's PDU.
    pub fn response(pdu: &'a [u8]) -> Self {
        Self::new(Direction::Response, pdu)
    }

    /// Which way it travelled.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// All octets.
    pub fn pdu(&self) -> &'a [u8] {
        self.pdu
    }

    /// The octets behind the function code; for an unknown function all that can be said.
    pub fn data(&self) -> &'a [u8] {
        self.pdu.get(1..).unwrap_or_default()
    }

    /// The first octet as it is, exception bit included.
    pub fn raw_function(&self) -> Option<u8> {
        self.pdu.first().copied()
    }

    /// The function code; of a response without the exception bit, of a request as it is.
    pub fn function(&self) -> Option<FunctionCode> {
        let code = self.raw_function()?;
        Some(FunctionCode(if self.is_response() { code & !EXCEPTION_BIT } else { code }))
    }

    /// Is it a response?
    pub fn is_response(&self) -> bool {
        self.direction == Direction::Response
    }

    /// Is it a response with the exception bit? (A request with that bit is just a strange function code.)
    pub fn is_exception(&self) -> bool {
        self.is_response() && self.raw_function().is_some_and(|code| code & EXCEPTION_BIT != 0)
    }

    /// Why the server refuses.
    pub fn exception_code(&self) -> Option<ExceptionCode> {
        if self.is_exception() {
            self.data().first().map(|&octet| ExceptionCode::from_octet(octet))
        } else {
            None
        }
    }

    /// Does its function change coils, registers or files? True for 23, which reads too. False for an exception.
    pub fn is_write(&self) -> bool {
        self.normal().is_some_and(FunctionCode::writes)
    }

    /// Does its function read coils, inputs, registers, a queue or files? True for 23. False for an exception.
    pub fn is_read(&self) -> bool {
        self.normal().is_some_and(FunctionCode::reads)
    }

    /// The table that its addresses are in.
    pub fn table(&self) -> Option<Table> {
        self.function()?.table()
    }

    /// The first address it names: where a read starts, where a write starts, the FIFO pointer. For 23, the read's.
    pub fn address(&self) -> Option<RegisterAddress> {
        let here = match self.normal()?.0 {
            1..=4 | 23 | 24 => !self.is_response(),
            5 | 6 | 15 | 16 | 22 => true,
            _ => false,
        };
        if here { self.word_at(1).map(RegisterAddress) } else { None }
    }

    /// How many addresses it names, as it says: of a read or a write; 1 for single writes. For 23, the read's.
    ///
    /// In a response to a read of registers, as many as its byte count says; a response to a read of bits does not say.
    pub fn quantity(&self) -> Option<u16> {
        match (self.normal()?.0, self.is_response()) {
            (1..=4 | 23, false) | (15 | 16, _) | (24, true) => self.word_at(3),
            (5 | 6 | 22, _) => self.word_at(1).map(|_| 1),
            (3 | 4 | 23, true) => self.byte_count().map(|count| count / 2),
            _ => None,
        }
    }

    /// The addresses that it reads, of a request: 1 to 4 and 23.
    pub fn read_range(&self) -> Option<(RegisterAddress, u16)> {
        match (self.normal()?.0, self.is_response()) {
            (1..=4 | 23, false) => address_and_quantity(self.data()),
            _ => None,
        }
    }

    /// The addresses that it writes, of a request: 5, 6, 15, 16, 22 and 23. Of a response, where it repeats them.
    pub fn write_range(&self) -> Option<(RegisterAddress, u16)> {
        match (self.normal()?.0, self.is_response()) {
            (5 | 6 | 22, _) => self.word_at(1).map(|address| (RegisterAddress(address), 1)),
            (15 | 16, _) => address_and_quantity(self.data()),
            (23, false) => address_and_quantity(self.pdu.get(5..)?),
            _ => None,
        }
    }

    /// The byte count, where the function has one.
    pub fn byte_count(&self) -> Option<u16> {
        let (at, _) = self.byte_count_place()?;
        if self.normal()?.0 == 24 { self.word_at(at) } else { self.octet_at(at).map(u16::from) }
    }

    /// The registers it carries: to be written (6, 16, 23 of a request), or read (3, 4, 23, 24 of a response).
    ///
    /// As many whole registers as are there, at most as many as the byte count says.
    pub fn registers(&self) -> Option<Registers<'a>> {
        let octets = match (self.normal()?.0, self.is_response()) {
            (6, _) => self.pdu.get(3..5)?,
            (16 | 23, false) | (3 | 4 | 23, true) => self.counted()?,
            (24, true) => self.counted()?.get(2..)?,
            _ => return None,
        };
        Some(Registers { octets })
    }

    /// The bits it carries: to be written (5, 15 of a request), or read (1, 2 of a response, eight for each octet).
    ///
    /// As many as are there, at most as many as quantity and byte count say. A coil value other than 0000 reads as on.
    pub fn bits(&self) -> Option<PackedBits<'a>> {
        match (self.normal()?.0, self.is_response()) {
            (5, _) => {
                Some(PackedBits { octets: if self.word_at(3)? == 0 { &[0] } else { &[1] }, at: 0, end: 1 })
            }
            (15, false) => {
                let octets = self.counted()?;
                let end = usize::from(self.word_at(3)?).min(8 * octets.len());
                Some(PackedBits { octets, at: 0, end })
            }
            (1 | 2, true) => self.counted().map(|octets| PackedBits { octets, at: 0, end: 8 * octets.len() }),
            _ => None,
        }
    }

    /// The value word of a Write Single Coil as it is: FF00, 0000 or nonsense.
    pub fn coil_word(&self) -> Option<u16> {
        if self.normal()? == FunctionCode::WRITE_SINGLE_COIL { self.word_at(3) } else { None }
    }

    /// AND and OR mask of a Mask Write Register.
    pub fn masks(&self) -> Option<(u16, u16)> {
        if self.normal()? == FunctionCode::MASK_WRITE_REGISTER {
            Some((self.word_at(3)?, self.word_at(5)?))
        } else {
            None
        }
    }

    /// The sub-function of Diagnostics, or the sub-code of the vendor's function 90.
    pub fn sub_function(&self) -> Option<u16> {
        match self.normal()? {
            FunctionCode::DIAGNOSTICS => self.word_at(1),
            FunctionCode::LOGIC => self.octet_at(1).map(u16::from),
            _ => None,
        }
    }

    /// The encapsulated interface of function 43: 14 for device identification, 13 for CANopen.
    pub fn interface(&self) -> Option<u8> {
        if self.normal()? == FunctionCode::ENCAPSULATED_INTERFACE { self.octet_at(1) } else { None }
    }

    /// What a Read Device Identification asks for: 1 basic, 2 regular, 3 extended, 4 one object, or nonsense.
    pub fn read_device_id_code(&self) -> Option<u8> {
        self.device_id().and_then(|()| self.octet_at(2))
    }

    /// The object that a Read Device Identification asks for, or to go on with in a response.
    pub fn device_id_object(&self) -> Option<ObjectId> {
        self.device_id().and_then(|()| self.octet_at(if self.is_response() { 5 } else { 3 })).map(ObjectId)
    }

    /// The conformity level that a device states.
    pub fn conformity(&self) -> Option<u8> {
        if self.is_response() { self.device_id().and_then(|()| self.octet_at(3)) } else { None }
    }

    /// Does a device say that more objects follow?
    pub fn more_follows(&self) -> Option<bool> {
        if self.is_response() {
            self.device_id().and_then(|()| self.octet_at(4)).map(|more| more != 0)
        } else {
            None
        }
    }

    /// The identification objects that a device tells: those that are whole, at most as many as it says.
    pub fn device_id_objects(&self) -> Option<DeviceIdObjects<'a>> {
        if !self.is_response() {
            return None;
        }
        self.device_id()?;
        Some(DeviceIdObjects { left: self.octet_at(6)?, octets: self.pdu.get(7..)? })
    }

    /// What a device answers to Report Server ID: its id, its run indicator, and what it adds, not told apart.
    pub fn server_id(&self) -> Option<&'a [u8]> {
        if self.is_response() && self.normal()? == FunctionCode::REPORT_SERVER_ID {
            self.counted()
        } else {
            None
        }
    }

    /// The parts of files that a request reads (20) or writes (21), up to the first that is not whole.
    pub fn file_ranges(&self) -> Option<FileRanges<'a>> {
        match (self.normal()?.0, self.is_response()) {
            (20, false) => Some(FileRanges { octets: self.counted()?, with_values: false }),
            (21, _) => Some(FileRanges { octets: self.counted()?, with_values: true }),
            _ => None,
        }
    }

    /// The length in octets that the PDU should have by what its own fields say; `None` where the function is unknown,
    /// has no fixed length, or the octets end before the field that says it.
    pub fn declared_len(&self) -> Option<usize> {
        if self.is_exception() {
            return Some(2);
        }
        let function = self.normal()?;
        if let Some((at, width)) = self.byte_count_place() {
            return self.byte_count().map(|count| at + width + usize::from(count));
        }
        match (function.0, self.is_response()) {
            (1..=4, false) | (5 | 6, _) | (15 | 16 | 11, true) => Some(5),
            (7 | 11 | 12 | 17, false) => Some(1),
            (7, true) => Some(2),
            (8, _) if self.sub_function()? != 0 => Some(5),
            (22, _) => Some(7),
            (24, false) => Some(3),
            (43, false) => self.device_id().map(|()| 4),
            (43, true) => {
                let objects = self.device_id_objects()?;
                let count = usize::from(objects.left);
                let (whole, octets) =
                    objects.fold((0, 7), |(whole, octets), (_, value)| (whole + 1, octets + 2 + value.len()));
                (whole == count).then_some(octets)
            }
            _ => None,
        }
    }

    /// The function code, unless this is an exception.
    fn normal(&self) -> Option<FunctionCode> {
        if self.is_exception() { None } else { self.function() }
    }

    /// `Some(())` for function 43 with interface 14.
    fn device_id(&self) -> Option<()> {
        (self.interface()? == DEVICE_ID_INTERFACE).then_some(())
    }

    /// Where the byte count stands, and how many octets it has itself.
    fn byte_count_place(&self) -> Option<(usize, usize)> {
        match (self.normal()?.0, self.is_response()) {
            (15 | 16, false) => Some((5, 1)),
            (23, false) => Some((9, 1)),
            (20 | 21, _) | (1..=4 | 12 | 17 | 23, true) => Some((1, 1)),
            (24, true) => Some((1, 2)),
            _ => None,
        }
    }

    /// The octets behind the byte count, as many as it says and there are.
    fn counted(&self) -> Option<&'a [u8]> {
        let (at, width) = self.byte_count_place()?;
        let rest = self.pdu.get(at + width..)?;
        Some(&rest[..rest.len().min(usize::from(self.byte_count()?))])
    }

    fn octet_at(&self, at: usize) -> Option<u8> {
        self.pdu.get(at).copied()
    }

    fn word_at(&self, at: usize) -> Option<u16> {
        self.pdu.get(at..at + 2).map(word)
    }
}

/// Registers in the order of their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers<'a> {
    octets: &'a [u8],
}

impl Registers<'_> {
    /// How many are left to read.
    pub fn len(&self) -> usize {
        self.octets.len() / 2
    }

    /// Is none left?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The register at this offset from the next one.
    pub fn get(&self, offset: usize) -> Option<u16> {
        self.octets.chunks_exact(2).nth(offset).map(word)
    }
}

impl Iterator for Registers<'_> {
    type Item = u16;
    fn next(&mut self) -> Option<u16> {
        let (first, rest) = self.octets.split_at_checked(2)?;
        self.octets = rest;
        Some(word(first))
    }
}

/// Bits in the order of their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBits<'a> {
    octets: &'a [u8],
    at: usize,
    end: usize,
}

impl PackedBits<'_> {
    /// How many are left to read.
    pub fn len(&self) -> usize {
        self.end - self.at
    }

    /// Is none left?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Iterator for PackedBits<'_> {
    type Item = bool;
    fn next(&mut self) -> Option<bool> {
        if self.at == self.end {
            return None;
        }
        let octet = self.octets.get(self.at / 8)?;
        let bit = octet >> (self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }
}

/// Identification objects: number and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceIdObjects<'a> {
    left: u8,
    octets: &'a [u8],
}

impl<'a> Iterator for DeviceIdObjects<'a> {
    type Item = (ObjectId, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (&[id, length], rest) = self.octets.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        self.octets = rest;
        Some((ObjectId(id), value))
    }
}

/// Parts of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRanges<'a> {
    octets: &'a [u8],
    with_values: bool,
}

impl Iterator for FileRanges<'_> {
    type Item = FileRange;
    fn next(&mut self) -> Option<FileRange> {
        let (head, rest) = self.octets.split_first_chunk::<7>()?;
        let range =
            FileRange { file: word(&head[1..3]), record: word(&head[3..5]), length: word(&head[5..7]) };
        let values = if self.with_values { 2 * usize::from(range.length) } else { 0 };
        self.octets = rest.get(values..).unwrap_or_default();
        Some(range)
    }
}
