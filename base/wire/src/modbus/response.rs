//! Responses that make sense, exceptions included.

use super::device_id::DeviceIdPage;
use super::file_record::{FileAnswers, FileRecords};
use super::function::EXCEPTION_BIT;
use super::number::{CoilWriteQuantity, RegisterWriteQuantity};
use super::octets::{Octets, put_words, words};
use super::request::{DEVICE_ID_INTERFACE, address, coil_value, coil_word, quantity};
use super::{
    Bits, Bounded, DiagnosticAnswer, Emit, ExceptionCode, FunctionCode, LogicAnswer, PduError,
    RegisterAddress,
};

/// Registers that a read answers: 1 to 125.
pub type ReadValues = Bounded<u16, 1, 125>;
/// Registers in a FIFO queue: 0 to 31.
pub type FifoValues = Bounded<u16, 0, 31>;
/// Events in the log: 0 to 64 octets, the latest first.
pub type EventOctets = Bounded<u8, 0, 64>;
/// Server id, run indicator and whatever the device adds: 1 to 251 octets.
pub type ServerIdOctets = Bounded<u8, 1, 251>;

/// A response that makes sense by itself; whether it fits its request is for the client to say.
///
/// An exception is a response like any other. `parse` and `emit` mirror each other. Source of layouts and limits:
/// section 6 of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// 1.
    ReadCoils(Bits),
    /// 2.
    ReadDiscreteInputs(Bits),
    /// 3.
    ReadHoldingRegisters(ReadValues),
    /// 4.
    ReadInputRegisters(ReadValues),
    /// 5.
    WriteSingleCoil {
        /// The coil.
        address: RegisterAddress,
        /// The value that was written.
        value: bool,
    },
    /// 6.
    WriteSingleRegister {
        /// The register.
        address: RegisterAddress,
        /// The value that was written.
        value: u16,
    },
    /// 7: eight coils of the device's choice.
    ReadExceptionStatus(u8),
    /// 8.
    Diagnostics(DiagnosticAnswer),
    /// 11.
    GetCommEventCounter {
        /// A program command is still being carried out: FFFF on the wire.
        busy: bool,
        /// Requests carried out.
        events: u16,
    },
    /// 12.
    GetCommEventLog {
        /// A program command is still being carried out: FFFF on the wire.
        busy: bool,
        /// Requests carried out.
        events: u16,
        /// Messages seen.
        messages: u16,
        /// The log, the latest first.
        log: EventOctets,
    },
    /// 15.
    WriteMultipleCoils {
        /// First coil.
        address: RegisterAddress,
        /// How many were written.
        quantity: CoilWriteQuantity,
    },
    /// 16.
    WriteMultipleRegisters {
        /// First register.
        address: RegisterAddress,
        /// How many were written.
        quantity: RegisterWriteQuantity,
    },
    /// 17.
    ReportServerId(ServerIdOctets),
    /// 20.
    ReadFileRecord(FileAnswers),
    /// 21: the request as it came.
    WriteFileRecord(FileRecords),
    /// 22: the request as it came.
    MaskWriteRegister {
        /// The register.
        address: RegisterAddress,
        /// Bits that were kept.
        and_mask: u16,
        /// Bits that were set where not kept.
        or_mask: u16,
    },
    /// 23.
    ReadWriteMultipleRegisters(ReadValues),
    /// 24.
    ReadFifoQueue(FifoValues),
    /// 43 with interface 14.
    ReadDeviceIdentification(DeviceIdPage),
    /// 90, the vendor's own.
    Logic(LogicAnswer),
    /// The server refuses.
    Exception {
        /// The function that was asked for, without the high bit.
        function: FunctionCode,
        /// Why.
        code: ExceptionCode,
    },
}

impl Response {
    /// The refusal of a request whose PDU began with this function code, known or not.
    pub fn exception(function: FunctionCode, code: ExceptionCode) -> Self {
        Self::Exception { function: FunctionCode(function.0 & !EXCEPTION_BIT), code }
    }

    /// A Report Server ID: the vendor's id of the server, whether it runs, and additional octets.
    /// Cut at the 251 octets that fit.
    pub fn server_id(id: &[u8], running: bool, additional: &[u8]) -> Self {
        let mut data: Vec<u8> = id.iter().take(250).copied().collect();
        data.push(if running { 0xff } else { 0 });
        data.extend_from_slice(additional);
        Self::ReportServerId(ServerIdOctets::cut(data))
    }

    /// Reads a whole PDU.
    pub fn parse(pdu: &[u8]) -> Result<Self, PduError> {
        let &code = pdu.first().ok_or(PduError::Empty)?;
        let function = FunctionCode(code);
        let mut octets = Octets::after_function(pdu);
        let response = match function {
            FunctionCode(EXCEPTION_BIT..) => {
                Self::exception(function, ExceptionCode::from_octet(octets.octet()?))
            }
            FunctionCode::READ_COILS => Self::ReadCoils(bits(&mut octets)?),
            FunctionCode::READ_DISCRETE_INPUTS => Self::ReadDiscreteInputs(bits(&mut octets)?),
            FunctionCode::READ_HOLDING_REGISTERS => Self::ReadHoldingRegisters(registers(&mut octets)?),
            FunctionCode::READ_INPUT_REGISTERS => Self::ReadInputRegisters(registers(&mut octets)?),
            FunctionCode::WRITE_SINGLE_COIL => {
                Self::WriteSingleCoil { address: address(&mut octets)?, value: coil_value(&mut octets)? }
            }
            FunctionCode::WRITE_SINGLE_REGISTER => {
                Self::WriteSingleRegister { address: address(&mut octets)?, value: octets.word()? }
            }
            FunctionCode::READ_EXCEPTION_STATUS => Self::ReadExceptionStatus(octets.octet()?),
            FunctionCode::DIAGNOSTICS => Self::Diagnostics(DiagnosticAnswer::parse(&mut octets)?),
            FunctionCode::GET_COMM_EVENT_COUNTER => {
                Self::GetCommEventCounter { busy: octets.word()? != 0, events: octets.word()? }
            }
            FunctionCode::GET_COMM_EVENT_LOG => event_log(&mut octets)?,
            FunctionCode::WRITE_MULTIPLE_COILS => {
                Self::WriteMultipleCoils { address: address(&mut octets)?, quantity: quantity(&mut octets)? }
            }
            FunctionCode::WRITE_MULTIPLE_REGISTERS => Self::WriteMultipleRegisters {
                address: address(&mut octets)?,
                quantity: quantity(&mut octets)?,
            },
            FunctionCode::REPORT_SERVER_ID => Self::ReportServerId(counted_octets(&mut octets)?),
            FunctionCode::READ_FILE_RECORD => Self::ReadFileRecord(FileAnswers::parse(&mut octets)?),
            FunctionCode::WRITE_FILE_RECORD => Self::WriteFileRecord(FileRecords::parse(&mut octets)?),
            FunctionCode::MASK_WRITE_REGISTER => Self::MaskWriteRegister {
                address: address(&mut octets)?,
                and_mask: octets.word()?,
                or_mask: octets.word()?,
            },
            FunctionCode::READ_WRITE_MULTIPLE_REGISTERS => {
                Self::ReadWriteMultipleRegisters(registers(&mut octets)?)
            }
            FunctionCode::READ_FIFO_QUEUE => Self::ReadFifoQueue(fifo(&mut octets)?),
            FunctionCode::ENCAPSULATED_INTERFACE => {
                let interface = octets.octet()?;
                if interface != DEVICE_ID_INTERFACE {
                    return Err(PduError::UnknownInterface { interface });
                }
                Self::ReadDeviceIdentification(DeviceIdPage::parse(&mut octets)?)
            }
            FunctionCode::LOGIC => Self::Logic(LogicAnswer::parse(&mut octets)?),
            _ => return Err(PduError::UnknownFunction { function }),
        };
        octets.finish()?;
        Ok(response)
    }

    /// The function that was asked for, without the high bit.
    pub fn function(&self) -> FunctionCode {
        match self {
            Self::ReadCoils(_) => FunctionCode::READ_COILS,
            Self::ReadDiscreteInputs(_) => FunctionCode::READ_DISCRETE_INPUTS,
            Self::ReadHoldingRegisters(_) => FunctionCode::READ_HOLDING_REGISTERS,
            Self::ReadInputRegisters(_) => FunctionCode::READ_INPUT_REGISTERS,
            Self::WriteSingleCoil { .. } => FunctionCode::WRITE_SINGLE_COIL,
            Self::WriteSingleRegister { .. } => FunctionCode::WRITE_SINGLE_REGISTER,
            Self::ReadExceptionStatus(_) => FunctionCode::READ_EXCEPTION_STATUS,
            Self::Diagnostics(_) => FunctionCode::DIAGNOSTICS,
            Self::GetCommEventCounter { .. } => FunctionCode::GET_COMM_EVENT_COUNTER,
            Self::GetCommEventLog { .. } => FunctionCode::GET_COMM_EVENT_LOG,
            Self::WriteMultipleCoils { .. } => FunctionCode::WRITE_MULTIPLE_COILS,
            Self::WriteMultipleRegisters { .. } => FunctionCode::WRITE_MULTIPLE_REGISTERS,
            Self::ReportServerId(_) => FunctionCode::REPORT_SERVER_ID,
            Self::ReadFileRecord(_) => FunctionCode::READ_FILE_RECORD,
            Self::WriteFileRecord(_) => FunctionCode::WRITE_FILE_RECORD,
            Self::MaskWriteRegister { .. } => FunctionCode::MASK_WRITE_REGISTER,
            Self::ReadWriteMultipleRegisters(_) => FunctionCode::READ_WRITE_MULTIPLE_REGISTERS,
            Self::ReadFifoQueue(_) => FunctionCode::READ_FIFO_QUEUE,
            Self::ReadDeviceIdentification(_) => FunctionCode::ENCAPSULATED_INTERFACE,
            Self::Logic(_) => FunctionCode::LOGIC,
            Self::Exception { function, .. } => *function,
        }
    }
}

impl Emit for Response {
    fn emit(&self, out: &mut Vec<u8>) {
        if let Self::Exception { function, code } = self {
            out.extend_from_slice(&[function.0 | EXCEPTION_BIT, code.octet()]);
            return;
        }
        out.push(self.function().0);
        match self {
            Self::ReadCoils(bits) | Self::ReadDiscreteInputs(bits) => put_counted(out, bits.octets()),
            Self::ReadHoldingRegisters(values)
            | Self::ReadInputRegisters(values)
            | Self::ReadWriteMultipleRegisters(values) => {
                out.push(2 * values.len() as u8);
                put_words(out, values);
            }
            Self::WriteSingleCoil { address, value } => put_words(out, &[address.0, coil_word(*value)]),
            Self::WriteSingleRegister { address, value } => put_words(out, &[address.0, *value]),
            Self::ReadExceptionStatus(status) => out.push(*status),
            Self::Diagnostics(answer) => answer.emit(out),
            Self::GetCommEventCounter { busy, events } => put_words(out, &[busy_word(*busy), *events]),
            Self::GetCommEventLog { busy, events, messages, log } => {
                out.push(6 + log.len() as u8);
                put_words(out, &[busy_word(*busy), *events, *messages]);
                out.extend_from_slice(log);
            }
            Self::WriteMultipleCoils { address, quantity } => put_words(out, &[address.0, quantity.get()]),
            Self::WriteMultipleRegisters { address, quantity } => {
                put_words(out, &[address.0, quantity.get()]);
            }
            Self::ReportServerId(data) => put_counted(out, data),
            Self::ReadFileRecord(answers) => answers.emit(out),
            Self::WriteFileRecord(records) => records.emit(out),
            Self::MaskWriteRegister { address, and_mask, or_mask } => {
                put_words(out, &[address.0, *and_mask, *or_mask]);
            }
            Self::ReadFifoQueue(values) => {
                put_words(out, &[2 + 2 * values.len() as u16, values.len() as u16]);
                put_words(out, values);
            }
            Self::ReadDeviceIdentification(page) => {
                out.push(DEVICE_ID_INTERFACE);
                page.emit(out);
            }
            Self::Logic(answer) => answer.emit(out),
            Self::Exception { .. } => {}
        }
    }
}

fn busy_word(busy: bool) -> u16 {
    if busy { 0xffff } else { 0 }
}

fn put_counted(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(octets.len() as u8);
    out.extend_from_slice(octets);
}

/// A byte count within the list's limits that matches the rest of the PDU, and that many octets.
fn counted_octets<const MIN: usize, const MAX: usize>(
    octets: &mut Octets<'_>,
) -> Result<Bounded<u8, MIN, MAX>, PduError> {
    let count = usize::from(octets.octet()?);
    let data = octets.take(count)?;
    Bounded::try_from(data).map_err(|_| PduError::ByteCountLimit { got: count, min: MIN, max: MAX })
}

fn bits(octets: &mut Octets<'_>) -> Result<Bits, PduError> {
    let packed = counted_octets::<1, 250>(octets)?;
    Ok(Bits::from_bounded(packed))
}

fn registers(octets: &mut Octets<'_>) -> Result<ReadValues, PduError> {
    let count = usize::from(octets.octet()?);
    let limits = PduError::ByteCountLimit { got: count, min: 2, max: 250 };
    if count % 2 != 0 {
        return Err(limits);
    }
    ReadValues::new(words(octets.take(count)?).collect()).map_err(|_| limits)
}

fn fifo(octets: &mut Octets<'_>) -> Result<FifoValues, PduError> {
    let (byte_count, got) = (usize::from(octets.word()?), octets.word()?);
    let expected = 2 + 2 * usize::from(got);
    if got > 31 {
        return Err(PduError::FifoCount { got });
    }
    if byte_count != expected {
        return Err(PduError::ByteCount { got: byte_count, expected });
    }
    let values = words(octets.take(2 * usize::from(got))?).collect();
    FifoValues::new(values).map_err(|_| PduError::FifoCount { got })
}

fn event_log(octets: &mut Octets<'_>) -> Result<Response, PduError> {
    let count = usize::from(octets.octet()?);
    if !(6..=70).contains(&count) {
        return Err(PduError::ByteCountLimit { got: count, min: 6, max: 70 });
    }
    let (busy, events, messages) = (octets.word()? != 0, octets.word()?, octets.word()?);
    let log = EventOctets::try_from(octets.take(count - 6)?).map_err(|_| PduError::ByteCountLimit {
        got: count,
        min: 6,
        max: 70,
    })?;
    Ok(Response::GetCommEventLog { busy, events, messages, log })
}
