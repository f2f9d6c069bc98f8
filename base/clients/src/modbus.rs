//! One Modbus/TCP connection, seen from the client.
//!
//! # Theory of operation
//! The octets are tokio-modbus's work. What it lacks is added here: a time limit on the given clock, answers checked
//! against their request (it only asserts in debug builds), exceptions of functions that it does not know by name,
//! and an end of stream that is the same on every machine. One request is in flight at a time. After an error for which
//! [`ClientError::is_fatal`] holds the connection is of no more use, and every later call says so.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use record::{Clock, with_timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::prelude::ReadCode;
use tokio_modbus::{ProtocolError, Request, Response, Slave};
use wire::modbus::{
    Bits, Emit, ExceptionCode, FunctionCode, ObjectId, ReadDeviceIdCode, RegisterAddress, UnitId,
};

use crate::ClientError;
use crate::connect::Stream;
use crate::error::Violation;
use crate::watched::Watched;

/// Pages of a device's identification that are read at most.
const DEVICE_ID_PAGES_MAX: usize = 32;

/// A client with one open connection.
pub struct ModbusClient<C> {
    context: Context,
    ended: Arc<AtomicBool>,
    usable: bool,
    clock: C,
    limit: Duration,
}

/// What a device answers to Report Server ID, as tokio-modbus understands it: an id of one octet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerId {
    /// The vendor's id of the device.
    pub id: u8,
    /// Does it run?
    pub running: bool,
    /// What the vendor adds, usually a text.
    pub additional: Vec<u8>,
}

impl<C: Clock> ModbusClient<C> {
    /// Speaks to `unit` over an open stream. Each call waits for its whole answer for at most `limit`.
    pub fn new<S: Stream>(stream: S, unit: UnitId, clock: C, limit: Duration) -> Self {
        let (stream, ended) = Watched::new(stream);
        Self { context: tcp::attach_slave(stream, Slave(unit.0)), ended, usable: true, clock, limit }
    }

    /// Can the next call succeed? False after a fatal error.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// Addresses the next calls to another unit of the same connection.
    pub fn set_unit(&mut self, unit: UnitId) {
        use tokio_modbus::slave::SlaveContext as _;
        self.context.set_slave(Slave(unit.0));
    }

    /// Coils, function code 1: exactly `quantity` bits.
    pub async fn read_coils(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<bool>, ClientError> {
        match self.call(Request::ReadCoils(address.0, quantity)).await? {
            Response::ReadCoils(bits) => self.exactly(bits, quantity),
            _ => self.violation(Violation::Function),
        }
    }

    /// Discrete inputs, function code 2: exactly `quantity` bits.
    pub async fn read_discrete_inputs(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<bool>, ClientError> {
        match self.call(Request::ReadDiscreteInputs(address.0, quantity)).await? {
            Response::ReadDiscreteInputs(bits) => self.exactly(bits, quantity),
            _ => self.violation(Violation::Function),
        }
    }

    /// Holding registers, function code 3: exactly `quantity` words.
    pub async fn read_holding_registers(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<u16>, ClientError> {
        match self.call(Request::ReadHoldingRegisters(address.0, quantity)).await? {
            Response::ReadHoldingRegisters(words) if words.len() == usize::from(quantity) => Ok(words),
            _ => self.violation(Violation::Content),
        }
    }

    /// Input registers, function code 4: exactly `quantity` words.
    pub async fn read_input_registers(
        &mut self,
        address: RegisterAddress,
        quantity: u16,
    ) -> Result<Vec<u16>, ClientError> {
        match self.call(Request::ReadInputRegisters(address.0, quantity)).await? {
            Response::ReadInputRegisters(words) if words.len() == usize::from(quantity) => Ok(words),
            _ => self.violation(Violation::Content),
        }
    }

    /// Writes one coil, function code 5.
    pub async fn write_single_coil(
        &mut self,
        address: RegisterAddress,
        value: bool,
    ) -> Result<(), ClientError> {
        let response = self.call(Request::WriteSingleCoil(address.0, value)).await?;
        self.echo(response == Response::WriteSingleCoil(address.0, value))
    }

    /// Writes one holding register, function code 6.
    pub async fn write_single_register(
        &mut self,
        address: RegisterAddress,
        value: u16,
    ) -> Result<(), ClientError> {
        let response = self.call(Request::WriteSingleRegister(address.0, value)).await?;
        self.echo(response == Response::WriteSingleRegister(address.0, value))
    }

    /// Writes 1 to 1968 coils, function code 15.
    pub async fn write_multiple_coils(
        &mut self,
        address: RegisterAddress,
        values: &[bool],
    ) -> Result<(), ClientError> {
        if values.is_empty() || values.len() > 1968 {
            return Err(ClientError::Request { count: values.len() });
        }
        let response = self.call(Request::WriteMultipleCoils(address.0, Cow::Borrowed(values))).await?;
        self.echo(response == Response::WriteMultipleCoils(address.0, values.len() as u16))
    }

    /// Writes 1 to 123 holding registers, function code 16.
    pub async fn write_multiple_registers(
        &mut self,
        address: RegisterAddress,
        values: &[u16],
    ) -> Result<(), ClientError> {
        if values.is_empty() || values.len() > 123 {
            return Err(ClientError::Request { count: values.len() });
        }
        let response = self.call(Request::WriteMultipleRegisters(address.0, Cow::Borrowed(values))).await?;
        self.echo(response == Response::WriteMultipleRegisters(address.0, values.len() as u16))
    }

    /// Sets and clears bits of a holding register, function code 22: new = (old AND `and_mask`) OR (`or_mask` AND NOT `and_mask`).
    pub async fn mask_write_register(
        &mut self,
        address: RegisterAddress,
        and_mask: u16,
        or_mask: u16,
    ) -> Result<(), ClientError> {
        let response = self.call(Request::MaskWriteRegister(address.0, and_mask, or_mask)).await?;
        self.echo(response == Response::MaskWriteRegister(address.0, and_mask, or_mask))
    }

    /// Writes 1 to 121 holding registers, then reads `quantity`, function code 23.
    pub async fn read_write_multiple_registers(
        &mut self,
        read_address: RegisterAddress,
        quantity: u16,
        write_address: RegisterAddress,
        values: &[u16],
    ) -> Result<Vec<u16>, ClientError> {
        if values.is_empty() || values.len() > 121 {
            return Err(ClientError::Request { count: values.len() });
        }
        let values = Cow::Borrowed(values);
        let request = Request::ReadWriteMultipleRegisters(read_address.0, quantity, write_address.0, values);
        match self.call(request).await? {
            Response::ReadWriteMultipleRegisters(words) if words.len() == usize::from(quantity) => Ok(words),
            _ => self.violation(Violation::Content),
        }
    }

    /// Id, run indicator and additional octets, function code 17.
    pub async fn report_server_id(&mut self) -> Result<ServerId, ClientError> {
        match self.call(Request::ReportServerId).await? {
            Response::ReportServerId(id, running, additional) => Ok(ServerId { id, running, additional }),
            _ => self.violation(Violation::Function),
        }
    }

    /// All identification objects of a category, function code 43 with interface 14, page after page; with
    /// [`ReadDeviceIdCode::Specific`], the one object `from`. At most 32 pages.
    pub async fn read_device_identification(
        &mut self,
        code: ReadDeviceIdCode,
        from: ObjectId,
    ) -> Result<Vec<(ObjectId, Vec<u8>)>, ClientError> {
        let read_code = match code {
            ReadDeviceIdCode::Basic => ReadCode::Basic,
            ReadDeviceIdCode::Regular => ReadCode::Regular,
            ReadDeviceIdCode::Extended => ReadCode::Extended,
            ReadDeviceIdCode::Specific => ReadCode::Specific,
        };
        let mut objects = Vec::new();
        let mut from = from.0;
        for _ in 0..DEVICE_ID_PAGES_MAX {
            let Response::ReadDeviceIdentification(page) =
                self.call(Request::ReadDeviceIdentification(read_code, from)).await?
            else {
                return self.violation(Violation::Function);
            };
            objects.extend(
                page.device_id_objects.into_iter().map(|object| (ObjectId(object.id), object.value.to_vec())),
            );
            if !page.more_follows {
                break;
            }
            from = page.next_object_id;
        }
        Ok(objects)
    }

    /// Sends any PDU and gives the octets behind the function code of its answer. For functions without a method here.
    ///
    /// `data` holds at most 252 octets, the function code is below 128.
    pub async fn raw(&mut self, function: FunctionCode, data: &[u8]) -> Result<Vec<u8>, ClientError> {
        if data.len() > 252 || function.0 > 127 {
            return Err(ClientError::Request { count: data.len() });
        }
        let response = self.call(Request::Custom(function.0, Cow::Borrowed(data))).await?;
        match data_of(response) {
            Some(data) => Ok(data),
            None => self.violation(Violation::Undecodable),
        }
    }

    /// One request, one answer.
    async fn call(&mut self, request: Request<'_>) -> Result<Response, ClientError> {
        if !self.usable {
            return Err(ClientError::Closed);
        }
        // Until the answer is here the connection is in an unknown state, also if this future is dropped.
        self.usable = false;
        let sent = request.function_code().value();
        let outcome = match with_timeout(&self.clock, self.limit, self.context.call(request)).await {
            None => Err(ClientError::Timeout { limit: self.limit }),
            Some(Ok(Ok(response))) => Ok(response),
            Some(Ok(Err(code))) => Err(ClientError::Exception(ExceptionCode::from_octet(code.into()))),
            Some(Err(error)) => self.explain(sent, error),
        };
        self.usable = !outcome.as_ref().is_err_and(ClientError::is_fatal);
        outcome
    }

    /// tokio-modbus compares function codes by name: a raw request and its answer look different to it.
    fn explain(&self, sent: u8, error: tokio_modbus::Error) -> Result<Response, ClientError> {
        let violation = match error {
            tokio_modbus::Error::Protocol(ProtocolError::HeaderMismatch { .. }) => Violation::Header,
            tokio_modbus::Error::Protocol(ProtocolError::FunctionCodeMismatch { result, .. }) => match result
            {
                Ok(response) if response.function_code().value() == sent => return Ok(response),
                Err(refusal) if refusal.function.value() == sent => {
                    return Err(ClientError::Exception(ExceptionCode::from_octet(refusal.exception.into())));
                }
                _ => Violation::Function,
            },
            tokio_modbus::Error::Transport(_) if self.ended.load(Ordering::Relaxed) => {
                return Err(ClientError::Closed);
            }
            tokio_modbus::Error::Transport(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                    Violation::Undecodable
                }
                kind => return Err(ClientError::Io { kind }),
            },
        };
        Err(ClientError::Protocol { violation })
    }

    fn violation<T>(&mut self, violation: Violation) -> Result<T, ClientError> {
        self.usable = false;
        Err(ClientError::Protocol { violation })
    }

    fn echo(&mut self, faithful: bool) -> Result<(), ClientError> {
        if faithful { Ok(()) } else { self.violation(Violation::Content) }
    }

    /// As many bits as were asked for, out of whole octets.
    fn exactly(&mut self, mut bits: Vec<bool>, quantity: u16) -> Result<Vec<bool>, ClientError> {
        if bits.len() != usize::from(quantity).div_ceil(8) * 8 {
            return self.violation(Violation::Content);
        }
        bits.truncate(usize::from(quantity));
        Ok(bits)
    }
}

/// The octets behind the function code, put together again where tokio-modbus took them apart.
fn data_of(response: Response) -> Option<Vec<u8>> {
    use wire::modbus::Response as Strict;
    let strict = match response {
        Response::Custom(_, data) => return Some(data.to_vec()),
        Response::ReadCoils(bits) => Strict::ReadCoils(Bits::pack(&bits).ok()?),
        Response::ReadDiscreteInputs(bits) => Strict::ReadDiscreteInputs(Bits::pack(&bits).ok()?),
        Response::ReadHoldingRegisters(words) => Strict::ReadHoldingRegisters(words.try_into().ok()?),
        Response::ReadInputRegisters(words) => Strict::ReadInputRegisters(words.try_into().ok()?),
        Response::ReadWriteMultipleRegisters(words) => {
            Strict::ReadWriteMultipleRegisters(words.try_into().ok()?)
        }
        Response::WriteSingleCoil(address, value) => {
            Strict::WriteSingleCoil { address: RegisterAddress(address), value }
        }
        Response::WriteSingleRegister(address, value) => {
            Strict::WriteSingleRegister { address: RegisterAddress(address), value }
        }
        Response::WriteMultipleCoils(address, quantity) => Strict::WriteMultipleCoils {
            address: RegisterAddress(address),
            quantity: quantity.try_into().ok()?,
        },
        Response::WriteMultipleRegisters(address, quantity) => Strict::WriteMultipleRegisters {
            address: RegisterAddress(address),
            quantity: quantity.try_into().ok()?,
        },
        Response::MaskWriteRegister(address, and_mask, or_mask) => {
            Strict::MaskWriteRegister { address: RegisterAddress(address), and_mask, or_mask }
        }
        Response::ReportServerId(id, running, additional) => Strict::server_id(&[id], running, &additional),
        Response::ReadDeviceIdentification(answer) => {
            let code = ReadDeviceIdCode::from_octet(answer.read_code.value())?;
            let mut page = wire::modbus::DeviceIdPage::new(code, answer.conformity_level.value());
            page.next = answer.more_follows.then_some(ObjectId(answer.next_object_id));
            for object in answer.device_id_objects {
                page.push(ObjectId(object.id), &object.value).ok()?;
            }
            Strict::ReadDeviceIdentification(page)
        }
    };
    Some(strict.to_pdu().split_off(1))
}
