//! The least server that is one: tables in memory behind `wire`, any stream.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::modbus::mbap::{Framing, next_adu};
use wire::modbus::{
    Bits, DeviceIdentity, Diagnostic, DiagnosticAnswer, Emit, ExceptionCode, FunctionCode, ObjectId,
    PduError, RegisterAddress, Request, Response,
};

pub(crate) struct Device {
    pub(crate) registers: [u16; 200],
    pub(crate) coils: [bool; 200],
    identity: DeviceIdentity,
}

impl Device {
    pub(crate) fn new() -> Self {
        let mut identity = DeviceIdentity::new("EXERCISE Automation", "EX-7", "1.0");
        identity.set(ObjectId::MODEL_NAME, &"long ".repeat(40));
        identity.set(ObjectId::USER_APPLICATION_NAME, "water");
        let mut registers = [0; 200];
        registers.iter_mut().zip(0..).for_each(|(register, value)| *register = value);
        Self { registers, coils: [false; 200], identity }
    }

    fn answer(&mut self, request: Request) -> Result<Response, ExceptionCode> {
        let outside = ExceptionCode::IllegalDataAddress;
        let from = |address: RegisterAddress| usize::from(address.0);
        Ok(match request {
            Request::ReadCoils { address, quantity } => {
                let bits = self.coils.get(from(address)..from(address) + usize::from(quantity.get()));
                Response::ReadCoils(Bits::pack(bits.ok_or(outside)?).unwrap())
            }
            Request::ReadHoldingRegisters { address, quantity } => {
                let words = self.registers.get(from(address)..from(address) + usize::from(quantity.get()));
                Response::ReadHoldingRegisters(words.ok_or(outside)?.try_into().unwrap())
            }
            Request::WriteSingleCoil { address, value } => {
                *self.coils.get_mut(from(address)).ok_or(outside)? = value;
                Response::WriteSingleCoil { address, value }
            }
            Request::WriteSingleRegister { address, value } => {
                *self.registers.get_mut(from(address)).ok_or(outside)? = value;
                Response::WriteSingleRegister { address, value }
            }
            Request::WriteMultipleCoils { address, values } => {
                let coils = self.coils.get_mut(from(address)..from(address) + values.len());
                coils.ok_or(outside)?.copy_from_slice(&values);
                Response::WriteMultipleCoils { address, quantity: (values.len() as u16).try_into().unwrap() }
            }
            Request::WriteMultipleRegisters { address, values } => {
                let words = self.registers.get_mut(from(address)..from(address) + values.len());
                words.ok_or(outside)?.copy_from_slice(&values);
                Response::WriteMultipleRegisters {
                    address,
                    quantity: (values.len() as u16).try_into().unwrap(),
                }
            }
            Request::MaskWriteRegister { address, and_mask, or_mask } => {
                let register = self.registers.get_mut(from(address)).ok_or(outside)?;
                *register = (*register & and_mask) | (or_mask & !and_mask);
                Response::MaskWriteRegister { address, and_mask, or_mask }
            }
            Request::ReadWriteMultipleRegisters { read_address, read_quantity, write_address, values } => {
                let words = self.registers.get_mut(from(write_address)..from(write_address) + values.len());
                words.ok_or(outside)?.copy_from_slice(&values);
                let words = self
                    .registers
                    .get(from(read_address)..from(read_address) + usize::from(read_quantity.get()));
                Response::ReadWriteMultipleRegisters(words.ok_or(outside)?.try_into().unwrap())
            }
            Request::Diagnostics(query @ Diagnostic::ReturnQueryData(_)) => {
                Response::Diagnostics(DiagnosticAnswer::Echo(query))
            }
            Request::ReportServerId => Response::server_id(&[7], true, b"EXERCISE"),
            Request::ReadDeviceIdentification { code, object } => {
                Response::ReadDeviceIdentification(self.identity.answer(code, object)?)
            }
            _ => return Err(ExceptionCode::IllegalFunction),
        })
    }
}

/// Answers until the client leaves.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, mut device: Device) {
    let (mut buffer, mut chunk) = (Vec::new(), [0; 300]);
    loop {
        match next_adu(&buffer) {
            Framing::Whole { adu, consumed } => {
                let response = Request::parse(adu.pdu)
                    .map_err(PduError::exception)
                    .and_then(|request| device.answer(request))
                    .unwrap_or_else(|code| Response::exception(FunctionCode(adu.pdu[0]), code));
                let octets = response.to_adu(adu.transaction, adu.unit);
                buffer.drain(..consumed);
                if stream.write_all(&octets).await.is_err() {
                    return;
                }
            }
            Framing::Short { .. } => match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            },
            Framing::Foreign { .. } | Framing::Lost(_) => return,
        }
    }
}
