//! What each function does: a request in, a response out.
//!
//! The order of checks is the specification's (section 7, and each function's state diagram): function code, then the
//! structure of the request, then addresses, then carrying out.

use site::Table;
use wire::modbus::{
    Bits, Diagnostic, DiagnosticAnswer, ExceptionCode, FunctionCode, LogicAnswer, LogicRequest, PduError,
    Quantity, RegisterAddress, Request, Response,
};

use crate::alarm_fifo::ALARM_FIFO_ADDRESS;
use crate::core::{Core, function_of};
use crate::event::EventKind;
use crate::mode::{KeySwitch, Mode};

/// Octets of program in one answer to an upload.
const UPLOAD_OCTETS: usize = 240;
/// Octets of the largest program that a download may bring.
const PROGRAM_OCTETS_MAX: usize = 64 * 1024;

/// Bits of the diagnostic register (function 8, sub-function 2). The vendor's own choice.
const DIAGNOSTIC_NOT_RUNNING: u16 = 1;
const DIAGNOSTIC_ALARMS_LOST: u16 = 2;
const DIAGNOSTIC_KEY_IN_PROGRAM: u16 = 4;

/// A response, no response, or a refusal.
type Performed = Result<Option<Response>, ExceptionCode>;

impl Core {
    /// Carries out one request for this device; `None` where it gets no answer.
    pub(crate) fn answer(&mut self, pdu: &[u8]) -> Option<Response> {
        self.communication.received();
        let function = function_of(pdu);
        if self.communication.listen_only() {
            self.leave_listen_only(function, pdu);
            self.communication.unanswered();
            return None;
        }
        let performed = if self.supports(function) {
            Request::parse(pdu).map_err(PduError::exception).and_then(|request| self.perform(&request))
        } else {
            Err(ExceptionCode::IllegalFunction)
        };
        match performed {
            Ok(Some(response)) => {
                self.communication.completed(counts_as_event(&response));
                Some(response)
            }
            Ok(None) => {
                self.communication.unanswered();
                None
            }
            Err(code) => {
                self.communication.refused(code);
                Some(Response::exception(function, code))
            }
        }
    }

    /// The one thing that a device in listen-only mode does: restart, without a word.
    fn leave_listen_only(&mut self, function: FunctionCode, pdu: &[u8]) {
        if !self.supports(function) {
            return;
        }
        if let Ok(Request::Diagnostics(Diagnostic::RestartCommunications { clear_log })) = Request::parse(pdu)
        {
            self.restart_communications(clear_log);
        }
    }

    fn perform(&mut self, request: &Request) -> Performed {
        if request.function().writes() && self.key == KeySwitch::Stop {
            return Err(ExceptionCode::ServerDeviceFailure);
        }
        match request {
            Request::ReadCoils { address, quantity } => {
                self.read_bits(Table::Coil, *address, quantity.get()).map(Response::ReadCoils)
            }
            Request::ReadDiscreteInputs { address, quantity } => {
                self.read_bits(Table::Discrete, *address, quantity.get()).map(Response::ReadDiscreteInputs)
            }
            Request::ReadHoldingRegisters { address, quantity } => {
                let words = self.read(Table::Holding, *address, quantity.get())?;
                fits(words).map(Response::ReadHoldingRegisters)
            }
            Request::ReadInputRegisters { address, quantity } => {
                let words = self.read(Table::Input, *address, quantity.get())?;
                fits(words).map(Response::ReadInputRegisters)
            }
            Request::WriteSingleCoil { address, value } => {
                self.write(Table::Coil, *address, &[u16::from(*value)])?;
                Ok(Response::WriteSingleCoil { address: *address, value: *value })
            }
            Request::WriteSingleRegister { address, value } => {
                self.write(Table::Holding, *address, &[*value])?;
                Ok(Response::WriteSingleRegister { address: *address, value: *value })
            }
            Request::WriteMultipleCoils { address, values } => {
                let words: Vec<u16> = values.iter().map(|on| u16::from(*on)).collect();
                self.write(Table::Coil, *address, &words)?;
                let quantity = quantity(values.len())?;
                Ok(Response::WriteMultipleCoils { address: *address, quantity })
            }
            Request::WriteMultipleRegisters { address, values } => {
                self.write(Table::Holding, *address, values)?;
                let quantity = quantity(values.len())?;
                Ok(Response::WriteMultipleRegisters { address: *address, quantity })
            }
            Request::MaskWriteRegister { address, and_mask, or_mask } => {
                let old = self.read(Table::Holding, *address, 1)?;
                let new = (old[0] & and_mask) | (or_mask & !and_mask);
                self.write(Table::Holding, *address, &[new])?;
                Ok(Response::MaskWriteRegister { address: *address, and_mask: *and_mask, or_mask: *or_mask })
            }
            Request::ReadWriteMultipleRegisters { read_address, read_quantity, write_address, values } => {
                // Both ranges are checked before anything is written; then the write comes first.
                self.read(Table::Holding, *read_address, read_quantity.get())?;
                self.write(Table::Holding, *write_address, values)?;
                let words = self.read(Table::Holding, *read_address, read_quantity.get())?;
                fits(words).map(Response::ReadWriteMultipleRegisters)
            }
            Request::ReadFifoQueue { address } => {
                if address.0 != ALARM_FIFO_ADDRESS {
                    return Err(ExceptionCode::IllegalDataAddress);
                }
                fits(self.alarms.entries()).map(Response::ReadFifoQueue)
            }
            Request::ReadFileRecord(ranges) => {
                let answers = ranges.iter().map(|range| self.files.read(*range)).collect::<Result<_, _>>()?;
                wire::modbus::file_record::FileAnswers::new(answers)
                    .map(Response::ReadFileRecord)
                    .map_err(|_| ExceptionCode::IllegalDataValue)
            }
            Request::WriteFileRecord(records) => {
                self.files.write(records.as_slice())?;
                Ok(Response::WriteFileRecord(records.clone()))
            }
            Request::ReadExceptionStatus => Ok(Response::ReadExceptionStatus(self.exception_status())),
            Request::Diagnostics(diagnostic) => return Ok(self.diagnose(diagnostic)),
            Request::GetCommEventCounter => {
                Ok(Response::GetCommEventCounter { busy: false, events: self.communication.events() })
            }
            Request::GetCommEventLog => {
                let messages = self.communication.counter(wire::modbus::diagnostic::Counter::BusMessages);
                let log = fits(self.communication.log())?;
                let events = self.communication.events();
                Ok(Response::GetCommEventLog { busy: false, events, messages, log })
            }
            Request::ReportServerId => {
                // One octet of id and then the run indicator is what most clients expect.
                let words = format!("{} {}", self.product_code, self.name);
                Ok(Response::server_id(&[self.unit().0], self.mode == Mode::Run, words.as_bytes()))
            }
            Request::ReadDeviceIdentification { code, object } => {
                self.identity.answer(*code, *object).map(Response::ReadDeviceIdentification)
            }
            Request::Logic(logic) => self.engineer(logic).map(Response::Logic),
        }
        .map(Some)
    }

    fn read(&self, table: Table, address: RegisterAddress, quantity: u16) -> Result<Vec<u16>, ExceptionCode> {
        self.registers.read(&self.image, table, address, quantity)
    }

    fn read_bits(
        &self,
        table: Table,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Bits, ExceptionCode> {
        let bits: Vec<bool> =
            self.read(table, address, quantity)?.into_iter().map(|word| word != 0).collect();
        Bits::pack(&bits).map_err(|_| ExceptionCode::IllegalDataValue)
    }

    fn write(&mut self, table: Table, address: RegisterAddress, values: &[u16]) -> Result<(), ExceptionCode> {
        self.registers.write(&mut self.image, table, address, values)
    }

    /// Function 7: the first eight discrete inputs, as far as there are any.
    fn exception_status(&self) -> u8 {
        self.registers
            .discretes()
            .filter(|(address, signal)| *address < 8 && self.image.is_on(*signal))
            .fold(0, |status, (address, _)| status | 1 << address)
    }

    fn diagnose(&mut self, diagnostic: &Diagnostic) -> Option<Response> {
        let echo = || DiagnosticAnswer::Echo(diagnostic.clone());
        let answer = match diagnostic {
            Diagnostic::ReturnQueryData(_) | Diagnostic::ChangeAsciiDelimiter(_) => echo(),
            Diagnostic::RestartCommunications { clear_log } => {
                self.restart_communications(*clear_log);
                echo()
            }
            Diagnostic::ReturnDiagnosticRegister => {
                DiagnosticAnswer::DiagnosticRegister(self.diagnostic_register())
            }
            Diagnostic::ForceListenOnly => {
                self.communication.enter_listen_only();
                self.events.push(self.now, EventKind::ListenOnly);
                return None;
            }
            Diagnostic::ClearCounters => {
                self.communication.clear_counters();
                echo()
            }
            Diagnostic::ReturnCounter(counter) => {
                DiagnosticAnswer::Counter(*counter, self.communication.counter(*counter))
            }
            Diagnostic::ClearOverrunCounter => {
                self.communication.clear_overruns();
                echo()
            }
        };
        Some(Response::Diagnostics(answer))
    }

    fn restart_communications(&mut self, clear_log: bool) {
        self.communication.restart(clear_log);
        self.events.push(self.now, EventKind::CommunicationsRestarted);
    }

    fn diagnostic_register(&self) -> u16 {
        let flag = |on: bool, bit: u16| if on { bit } else { 0 };
        flag(self.mode != Mode::Run, DIAGNOSTIC_NOT_RUNNING)
            | flag(self.alarms.overflowed(), DIAGNOSTIC_ALARMS_LOST)
            | flag(self.key == KeySwitch::Program, DIAGNOSTIC_KEY_IN_PROGRAM)
    }

    /// Function 90, the vendor's own; what the key switch allows stands in [`crate::mode`].
    fn engineer(&mut self, request: &LogicRequest) -> Result<LogicAnswer, ExceptionCode> {
        let allowed =
            if self.key == KeySwitch::Program { Ok(()) } else { Err(ExceptionCode::ServerDeviceFailure) };
        match request {
            LogicRequest::Status => Ok(LogicAnswer::Status {
                state: self.mode.on_wire(),
                key: self.key.on_wire(),
                length: self.logic.program().len() as u32,
                checksum: adler32(self.logic.program()),
            }),
            LogicRequest::Start => {
                allowed?;
                self.set_mode(Mode::Run);
                Ok(LogicAnswer::Start)
            }
            LogicRequest::Stop => {
                allowed?;
                self.set_mode(Mode::Stop);
                Ok(LogicAnswer::Stop)
            }
            LogicRequest::Upload { offset } => {
                let program = self.logic.program();
                let rest = program.get(*offset as usize..).ok_or(ExceptionCode::IllegalDataAddress)?;
                let octets = fits(rest[..rest.len().min(UPLOAD_OCTETS)].to_vec())?;
                Ok(LogicAnswer::Upload { total: program.len() as u32, offset: *offset, octets })
            }
            LogicRequest::Download { total, offset, octets } => {
                if !self.logic.takes_programs() {
                    return Err(ExceptionCode::IllegalFunction);
                }
                allowed?;
                let next = self.download(*total, *offset, octets)?;
                Ok(LogicAnswer::Download { next })
            }
        }
    }

    /// Takes a piece of a new program, from the front to the end without gaps; offset 0 starts over. Between the first
    /// piece and the next start the controller stands in mode Program, and the old program stays until the new one
    /// is whole and makes sense.
    fn download(&mut self, total: u32, offset: u32, octets: &[u8]) -> Result<u32, ExceptionCode> {
        if offset == 0 {
            self.program_in_transit.clear();
        }
        let total = total as usize;
        let next = self.program_in_transit.len() + octets.len();
        if offset as usize != self.program_in_transit.len() || next > total || total > PROGRAM_OCTETS_MAX {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        self.set_mode(Mode::Program);
        self.program_in_transit.extend_from_slice(octets);
        if next == total {
            let program = std::mem::take(&mut self.program_in_transit);
            self.logic.load(&program, &mut self.image).map_err(|_| ExceptionCode::IllegalDataValue)?;
            self.events.push(self.now, EventKind::ProgramLoaded);
        }
        Ok(next as u32)
    }
}

/// Adler-32 (RFC 1950, section 8.2): the device's checksum of its program.
fn adler32(octets: &[u8]) -> u32 {
    let (a, b) = octets.iter().fold((1_u32, 0_u32), |(a, b), octet| {
        let a = (a + u32::from(*octet)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

/// Function 11 counts what was carried out, but neither itself nor what clears it.
fn counts_as_event(response: &Response) -> bool {
    !matches!(
        response,
        Response::GetCommEventCounter { .. }
            | Response::Diagnostics(DiagnosticAnswer::Echo(
                Diagnostic::RestartCommunications { .. } | Diagnostic::ClearCounters
            ))
    )
}

/// A list into the bounded list of a response. The request's limits make sure that it fits; if not, the device failed.
fn fits<T, const MIN: usize, const MAX: usize>(
    items: Vec<T>,
) -> Result<wire::modbus::Bounded<T, MIN, MAX>, ExceptionCode> {
    wire::modbus::Bounded::new(items).map_err(|_| ExceptionCode::ServerDeviceFailure)
}

fn quantity<const MAX: u16>(count: usize) -> Result<Quantity<MAX>, ExceptionCode> {
    Quantity::try_from(count as u16).map_err(|_| ExceptionCode::ServerDeviceFailure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adler32_of_the_published_example() {
        // "Wikipedia" -> 0x11e60398, the example of RFC 1950's common descriptions.
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
