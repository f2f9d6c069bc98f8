//! Requests that make sense.

use super::bounded::{pack_bits, unpack_bits};
use super::file_record::{self, FileRanges, FileRecords};
use super::number::{BitQuantity, RegisterQuantity};
use super::octets::{Octets, put_words, words};
use super::{
    Bounded, Diagnostic, Emit, FunctionCode, LogicRequest, ObjectId, PduError, Quantity, ReadDeviceIdCode,
    RegisterAddress,
};

/// The one encapsulated interface known here: Read Device Identification.
pub const DEVICE_ID_INTERFACE: u8 = 14;

/// Coils that one request writes: 1 to 1968.
pub type CoilValues = Bounded<bool, 1, 1968>;
/// Registers that one Write Multiple Registers writes: 1 to 123.
pub type RegisterValues = Bounded<u16, 1, 123>;
/// Registers that one Read/Write Multiple Registers writes: 1 to 121.
pub type ReadWriteValues = Bounded<u16, 1, 121>;

/// A request that makes sense by itself; whether the device has the addresses is for the device to say.
///
/// `parse` and `emit` mirror each other, but for the unused bits of the last octet of Write Multiple Coils, which
/// are emitted as zero. Source of layouts and limits: section 6 of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// 1.
    ReadCoils {
        /// First coil.
        address: RegisterAddress,
        /// How many.
        quantity: BitQuantity,
    },
    /// 2.
    ReadDiscreteInputs {
        /// First input.
        address: RegisterAddress,
        /// How many.
        quantity: BitQuantity,
    },
    /// 3.
    ReadHoldingRegisters {
        /// First register.
        address: RegisterAddress,
        /// How many.
        quantity: RegisterQuantity,
    },
    /// 4.
    ReadInputRegisters {
        /// First register.
        address: RegisterAddress,
        /// How many.
        quantity: RegisterQuantity,
    },
    /// 5.
    WriteSingleCoil {
        /// The coil.
        address: RegisterAddress,
        /// On or off; FF00 or 0000 on the wire.
        value: bool,
    },
    /// 6.
    WriteSingleRegister {
        /// The register.
        address: RegisterAddress,
        /// Its new value.
        value: u16,
    },
    /// 7.
    ReadExceptionStatus,
    /// 8.
    Diagnostics(Diagnostic),
    /// 11.
    GetCommEventCounter,
    /// 12.
    GetCommEventLog,
    /// 15.
    WriteMultipleCoils {
        /// First coil.
        address: RegisterAddress,
        /// Their new values.
        values: CoilValues,
    },
    /// 16.
    WriteMultipleRegisters {
        /// First register.
        address: RegisterAddress,
        /// Their new values.
        values: RegisterValues,
    },
    /// 17.
    ReportServerId,
    /// 20.
    ReadFileRecord(FileRanges),
    /// 21.
    WriteFileRecord(FileRecords),
    /// 22: new value = (old AND `and_mask`) OR (`or_mask` AND NOT `and_mask`).
    MaskWriteRegister {
        /// The register.
        address: RegisterAddress,
        /// Bits to keep.
        and_mask: u16,
        /// Bits to set where not kept.
        or_mask: u16,
    },
    /// 23: writes first, then reads.
    ReadWriteMultipleRegisters {
        /// First register to read.
        read_address: RegisterAddress,
        /// How many to read.
        read_quantity: RegisterQuantity,
        /// First register to write.
        write_address: RegisterAddress,
        /// Their new values.
        values: ReadWriteValues,
    },
    /// 24.
    ReadFifoQueue {
        /// The register that holds the queue's length.
        address: RegisterAddress,
    },
    /// 43 with interface 14.
    ReadDeviceIdentification {
        /// A category as a stream, or one object.
        code: ReadDeviceIdCode,
        /// First object of the stream, or the one object.
        object: ObjectId,
    },
    /// 90, the vendor's own.
    Logic(LogicRequest),
}

impl Request {
    /// Reads a whole PDU. The error names the exception to answer with.
    pub fn parse(pdu: &[u8]) -> Result<Self, PduError> {
        let &code = pdu.first().ok_or(PduError::Empty)?;
        let function = FunctionCode(code);
        let mut octets = Octets::after_function(pdu);
        let request = match function {
            FunctionCode::READ_COILS => {
                Self::ReadCoils { address: address(&mut octets)?, quantity: quantity(&mut octets)? }
            }
            FunctionCode::READ_DISCRETE_INPUTS => {
                Self::ReadDiscreteInputs { address: address(&mut octets)?, quantity: quantity(&mut octets)? }
            }
            FunctionCode::READ_HOLDING_REGISTERS => Self::ReadHoldingRegisters {
                address: address(&mut octets)?,
                quantity: quantity(&mut octets)?,
            },
            FunctionCode::READ_INPUT_REGISTERS => {
                Self::ReadInputRegisters { address: address(&mut octets)?, quantity: quantity(&mut octets)? }
            }
            FunctionCode::WRITE_SINGLE_COIL => {
                Self::WriteSingleCoil { address: address(&mut octets)?, value: coil_value(&mut octets)? }
            }
            FunctionCode::WRITE_SINGLE_REGISTER => {
                Self::WriteSingleRegister { address: address(&mut octets)?, value: octets.word()? }
            }
            FunctionCode::READ_EXCEPTION_STATUS => Self::ReadExceptionStatus,
            FunctionCode::DIAGNOSTICS => Self::Diagnostics(Diagnostic::parse(&mut octets)?),
            FunctionCode::GET_COMM_EVENT_COUNTER => Self::GetCommEventCounter,
            FunctionCode::GET_COMM_EVENT_LOG => Self::GetCommEventLog,
            FunctionCode::WRITE_MULTIPLE_COILS => {
                let address = address(&mut octets)?;
                Self::WriteMultipleCoils { address, values: coil_values(&mut octets)? }
            }
            FunctionCode::WRITE_MULTIPLE_REGISTERS => {
                let address = address(&mut octets)?;
                Self::WriteMultipleRegisters { address, values: register_values(&mut octets)? }
            }
            FunctionCode::REPORT_SERVER_ID => Self::ReportServerId,
            FunctionCode::READ_FILE_RECORD => Self::ReadFileRecord(file_record::parse_ranges(&mut octets)?),
            FunctionCode::WRITE_FILE_RECORD => Self::WriteFileRecord(FileRecords::parse(&mut octets)?),
            FunctionCode::MASK_WRITE_REGISTER => Self::MaskWriteRegister {
                address: address(&mut octets)?,
                and_mask: octets.word()?,
                or_mask: octets.word()?,
            },
            FunctionCode::READ_WRITE_MULTIPLE_REGISTERS => Self::ReadWriteMultipleRegisters {
                read_address: address(&mut octets)?,
                read_quantity: quantity(&mut octets)?,
                write_address: address(&mut octets)?,
                values: register_values(&mut octets)?,
            },
            FunctionCode::READ_FIFO_QUEUE => Self::ReadFifoQueue { address: address(&mut octets)? },
            FunctionCode::ENCAPSULATED_INTERFACE => device_id(&mut octets)?,
            FunctionCode::LOGIC => Self::Logic(LogicRequest::parse(&mut octets)?),
            _ => return Err(PduError::UnknownFunction { function }),
        };
        octets.finish()?;
        Ok(request)
    }

    /// The function code it is sent with.
    pub fn function(&self) -> FunctionCode {
        match self {
            Self::ReadCoils { .. } => FunctionCode::READ_COILS,
            Self::ReadDiscreteInputs { .. } => FunctionCode::READ_DISCRETE_INPUTS,
            Self::ReadHoldingRegisters { .. } => FunctionCode::READ_HOLDING_REGISTERS,
            Self::ReadInputRegisters { .. } => FunctionCode::READ_INPUT_REGISTERS,
            Self::WriteSingleCoil { .. } => FunctionCode::WRITE_SINGLE_COIL,
            Self::WriteSingleRegister { .. } => FunctionCode::WRITE_SINGLE_REGISTER,
            Self::ReadExceptionStatus => FunctionCode::READ_EXCEPTION_STATUS,
            Self::Diagnostics(_) => FunctionCode::DIAGNOSTICS,
            Self::GetCommEventCounter => FunctionCode::GET_COMM_EVENT_COUNTER,
            Self::GetCommEventLog => FunctionCode::GET_COMM_EVENT_LOG,
            Self::WriteMultipleCoils { .. } => FunctionCode::WRITE_MULTIPLE_COILS,
            Self::WriteMultipleRegisters { .. } => FunctionCode::WRITE_MULTIPLE_REGISTERS,
            Self::ReportServerId => FunctionCode::REPORT_SERVER_ID,
            Self::ReadFileRecord(_) => FunctionCode::READ_FILE_RECORD,
            Self::WriteFileRecord(_) => FunctionCode::WRITE_FILE_RECORD,
            Self::MaskWriteRegister { .. } => FunctionCode::MASK_WRITE_REGISTER,
            Self::ReadWriteMultipleRegisters { .. } => FunctionCode::READ_WRITE_MULTIPLE_REGISTERS,
            Self::ReadFifoQueue { .. } => FunctionCode::READ_FIFO_QUEUE,
            Self::ReadDeviceIdentification { .. } => FunctionCode::ENCAPSULATED_INTERFACE,
            Self::Logic(_) => FunctionCode::LOGIC,
        }
    }
}

impl Emit for Request {
    fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.function().0);
        match self {
            Self::ReadCoils { address, quantity } | Self::ReadDiscreteInputs { address, quantity } => {
                put_words(out, &[address.0, quantity.get()]);
            }
            Self::ReadHoldingRegisters { address, quantity }
            | Self::ReadInputRegisters { address, quantity } => {
                put_words(out, &[address.0, quantity.get()]);
            }
            Self::WriteSingleCoil { address, value } => put_words(out, &[address.0, coil_word(*value)]),
            Self::WriteSingleRegister { address, value } => put_words(out, &[address.0, *value]),
            Self::ReadExceptionStatus
            | Self::GetCommEventCounter
            | Self::GetCommEventLog
            | Self::ReportServerId => {}
            Self::Diagnostics(diagnostic) => diagnostic.emit(out),
            Self::WriteMultipleCoils { address, values } => {
                put_words(out, &[address.0, values.len() as u16]);
                let octets = pack_bits(values);
                out.push(octets.len() as u8);
                out.extend_from_slice(&octets);
            }
            Self::WriteMultipleRegisters { address, values } => {
                put_words(out, &[address.0]);
                put_counted_words(out, values);
            }
            Self::ReadFileRecord(ranges) => file_record::emit_ranges(ranges, out),
            Self::WriteFileRecord(records) => records.emit(out),
            Self::MaskWriteRegister { address, and_mask, or_mask } => {
                put_words(out, &[address.0, *and_mask, *or_mask]);
            }
            Self::ReadWriteMultipleRegisters { read_address, read_quantity, write_address, values } => {
                put_words(out, &[read_address.0, read_quantity.get(), write_address.0]);
                put_counted_words(out, values);
            }
            Self::ReadFifoQueue { address } => put_words(out, &[address.0]),
            Self::ReadDeviceIdentification { code, object } => {
                out.extend_from_slice(&[DEVICE_ID_INTERFACE, code.octet(), object.0]);
            }
            Self::Logic(logic) => logic.emit(out),
        }
    }
}

/// FF00 or 0000.
pub(super) fn coil_word(value: bool) -> u16 {
    if value { 0xff00 } else { 0 }
}

pub(super) fn coil_value(octets: &mut Octets<'_>) -> Result<bool, PduError> {
    match octets.word()? {
        0xff00 => Ok(true),
        0 => Ok(false),
        got => Err(PduError::CoilValue { got }),
    }
}

pub(super) fn address(octets: &mut Octets<'_>) -> Result<RegisterAddress, PduError> {
    octets.word().map(RegisterAddress)
}

pub(super) fn quantity<const MAX: u16>(octets: &mut Octets<'_>) -> Result<Quantity<MAX>, PduError> {
    let got = octets.word()?;
    Quantity::new(got).ok_or(PduError::Quantity { got, max: MAX })
}

/// Quantity, byte count and packed bits.
fn coil_values(octets: &mut Octets<'_>) -> Result<CoilValues, PduError> {
    let quantity = usize::from(quantity::<1968>(octets)?.get());
    let packed = counted(octets, quantity.div_ceil(8))?;
    let values: Vec<bool> = unpack_bits(packed).take(quantity).collect();
    CoilValues::new(values)
        .map_err(|error| PduError::Quantity { got: error.got as u16, max: error.max as u16 })
}

/// Quantity, byte count and registers, up to the list's limit.
fn register_values<const MAX: usize>(octets: &mut Octets<'_>) -> Result<Bounded<u16, 1, MAX>, PduError> {
    let got = octets.word()?;
    if !(1..=MAX).contains(&usize::from(got)) {
        return Err(PduError::Quantity { got, max: MAX as u16 });
    }
    let values: Vec<u16> = words(counted(octets, 2 * usize::from(got))?).collect();
    Bounded::new(values).map_err(|error| PduError::Quantity { got: error.got as u16, max: error.max as u16 })
}

/// A byte count that must be `expected`, and that many octets.
fn counted<'a>(octets: &mut Octets<'a>, expected: usize) -> Result<&'a [u8], PduError> {
    let got = usize::from(octets.octet()?);
    if got == expected { octets.take(got) } else { Err(PduError::ByteCount { got, expected }) }
}

fn put_counted_words(out: &mut Vec<u8>, values: &[u16]) {
    put_words(out, &[values.len() as u16]);
    out.push(2 * values.len() as u8);
    put_words(out, values);
}

fn device_id(octets: &mut Octets<'_>) -> Result<Request, PduError> {
    let interface = octets.octet()?;
    if interface != DEVICE_ID_INTERFACE {
        return Err(PduError::UnknownInterface { interface });
    }
    let got = octets.octet()?;
    let code = ReadDeviceIdCode::from_octet(got).ok_or(PduError::ReadDeviceIdCode { got })?;
    Ok(Request::ReadDeviceIdentification { code, object: ObjectId(octets.octet()?) })
}
