//! A small Modbus device for tests: tables, a scan, a limit of connections, listen-only mode. Not a controller: it
//! has no logic, and stands in for one where only the network matters.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;

use net::{KernelClock, Network, Spawner, VirtualStream};
use record::{Clock, VirtualTime};
use site::{Access, Device, Table};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::modbus::{
    Bits, DeviceIdentity, Diagnostic, DiagnosticAnswer, Emit, ExceptionCode, Framing, FunctionCode, Request,
    Response, TransactionId, UnitId, next_adu,
};

/// A request as the device took it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    pub(crate) at: VirtualTime,
    pub(crate) from: Ipv4Addr,
    pub(crate) function: u8,
    /// Tag and value, where it wrote.
    pub(crate) wrote: Option<(String, f64)>,
    pub(crate) refused: bool,
}

#[derive(Default)]
pub(crate) struct Tables {
    cells: BTreeMap<(Table, u16), u16>,
    connected: Vec<Ipv4Addr>,
    listen_only: bool,
    pub(crate) taken: Vec<Taken>,
}

/// The device; clones share it.
#[derive(Clone)]
pub(crate) struct TinyDevice {
    pub(crate) device: Rc<Device>,
    pub(crate) tables: Rc<RefCell<Tables>>,
    clock: KernelClock,
}

impl TinyDevice {
    pub(crate) fn start(device: &Device, network: &Network, spawner: &Spawner, clock: &KernelClock) -> Self {
        let mut tables = Tables::default();
        for entry in &device.registers {
            for offset in 0..entry.encoding.width() {
                tables.cells.insert((entry.table, entry.address.get_ref() + offset), 1000);
            }
        }
        let tiny = Self {
            device: Rc::new(device.clone()),
            tables: Rc::new(RefCell::new(tables)),
            clock: clock.clone(),
        };
        let host = network.host(device.host.get_ref()).unwrap();
        let listener = host.listen(502, 8).unwrap();
        let (server, spawner) = (tiny.clone(), spawner.clone());
        spawner.clone().spawn("tiny device", async move {
            loop {
                let stream = listener.accept().await;
                let from = *stream.peer().ip();
                if server.tables.borrow().connected.len() >= server.device.max_connections {
                    stream.abort();
                    continue;
                }
                server.tables.borrow_mut().connected.push(from);
                let server = server.clone();
                spawner.spawn("tiny connection", async move {
                    server.serve(stream, from).await;
                    let connected = &mut server.tables.borrow_mut().connected;
                    let place = connected.iter().position(|peer| *peer == from).unwrap();
                    connected.remove(place);
                });
            }
        });
        tiny
    }

    /// Who is connected, sorted.
    pub(crate) fn connected(&self) -> Vec<Ipv4Addr> {
        let mut connected = self.tables.borrow().connected.clone();
        connected.sort_unstable();
        connected
    }

    pub(crate) fn set(&self, table: Table, address: u16, value: u16) {
        self.tables.borrow_mut().cells.insert((table, address), value);
    }

    pub(crate) fn writes(&self) -> Vec<Taken> {
        self.tables.borrow().taken.iter().filter(|taken| taken.wrote.is_some()).cloned().collect()
    }

    async fn serve(&self, mut stream: VirtualStream, from: Ipv4Addr) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 512];
        loop {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
            while let Framing::Whole { adu, consumed } = next_adu(&buffer) {
                let (transaction, unit, pdu) = (adu.transaction, adu.unit, adu.pdu.to_vec());
                buffer.drain(..consumed);
                // The next scan.
                let period = self.device.scan_ms * 1_000_000;
                let scan = (self.clock.now().as_nanos() / period + 1) * period;
                self.clock.sleep_until(VirtualTime::from_nanos(scan)).await;
                if let Some(answer) = self.answer(&pdu, from, transaction, unit)
                    && stream.write_all(&answer).await.is_err()
                {
                    return;
                }
            }
        }
    }

    fn answer(
        &self,
        pdu: &[u8],
        from: Ipv4Addr,
        transaction: TransactionId,
        unit: UnitId,
    ) -> Option<Vec<u8>> {
        let function = FunctionCode(pdu[0]);
        let mut wrote = None;
        let knows = self.device.functions.contains(&function.0);
        let response = match Request::parse(pdu) {
            Ok(Request::Diagnostics(Diagnostic::RestartCommunications { clear_log })) if knows => {
                self.tables.borrow_mut().listen_only = false;
                Some(Response::Diagnostics(DiagnosticAnswer::Echo(Diagnostic::RestartCommunications {
                    clear_log,
                })))
            }
            Ok(Request::Diagnostics(Diagnostic::ForceListenOnly)) if knows => {
                self.tables.borrow_mut().listen_only = true;
                None
            }
            _ if self.tables.borrow().listen_only => None,
            Ok(request) if self.device.functions.contains(&function.0) => Some(
                self.carry_out(&request, &mut wrote)
                    .unwrap_or_else(|code| Response::exception(function, code)),
            ),
            _ => Some(Response::exception(function, ExceptionCode::IllegalFunction)),
        };
        let refused = matches!(response, Some(Response::Exception { .. }));
        let at = self.clock.now();
        self.tables.borrow_mut().taken.push(Taken { at, from, function: function.0, wrote, refused });
        response.map(|response| response.to_adu(transaction, unit))
    }

    fn carry_out(
        &self,
        request: &Request,
        wrote: &mut Option<(String, f64)>,
    ) -> Result<Response, ExceptionCode> {
        let read = |table: Table, first: u16, count: u16| {
            (first..first + count)
                .map(|at| self.tables.borrow().cells.get(&(table, at)).copied())
                .collect::<Option<Vec<u16>>>()
                .ok_or(ExceptionCode::IllegalDataAddress)
        };
        let bits = |words: Vec<u16>| Bits::pack(&words.iter().map(|w| *w != 0).collect::<Vec<_>>()).unwrap();
        let mut write = |table: Table, address: u16, value: u16| {
            let entry = self
                .device
                .registers
                .iter()
                .find(|e| e.table == table && *e.address.get_ref() == address && e.access == Access::Write)
                .ok_or(ExceptionCode::IllegalDataAddress)?;
            self.set(table, address, value);
            *wrote = Some((entry.tag.get_ref().clone(), entry.decode([value, 0])));
            Ok(())
        };
        Ok(match request {
            Request::ReadCoils { address, quantity } => {
                Response::ReadCoils(bits(read(Table::Coil, address.0, quantity.get())?))
            }
            Request::ReadDiscreteInputs { address, quantity } => {
                Response::ReadDiscreteInputs(bits(read(Table::Discrete, address.0, quantity.get())?))
            }
            Request::ReadHoldingRegisters { address, quantity } => Response::ReadHoldingRegisters(
                read(Table::Holding, address.0, quantity.get())?.try_into().unwrap(),
            ),
            Request::ReadInputRegisters { address, quantity } => Response::ReadInputRegisters(
                read(Table::Input, address.0, quantity.get())?.try_into().unwrap(),
            ),
            Request::WriteSingleCoil { address, value } => {
                write(Table::Coil, address.0, u16::from(*value))?;
                Response::WriteSingleCoil { address: *address, value: *value }
            }
            Request::WriteSingleRegister { address, value } => {
                write(Table::Holding, address.0, *value)?;
                Response::WriteSingleRegister { address: *address, value: *value }
            }
            Request::ReportServerId => Response::server_id(&[7], true, b"tiny"),
            Request::ReadDeviceIdentification { code, object } => {
                let d = &self.device;
                let identity = DeviceIdentity::new(&d.vendor, &d.product_code, &d.revision);
                Response::ReadDeviceIdentification(identity.answer(*code, *object)?)
            }
            _ => return Err(ExceptionCode::IllegalFunction),
        })
    }
}
