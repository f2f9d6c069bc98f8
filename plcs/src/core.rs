//! What a controller's scan and its connections share: the state behind [`crate::Handle`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use record::VirtualTime;
use site::Device;
use site::dnp3::Outstation;
use wire::modbus::mbap::Adu;
use wire::modbus::{
    DeviceIdentity, Emit, ExceptionCode, FunctionCode, ObjectId, Response, TransactionId, UnitId,
};

use crate::alarm_fifo::AlarmFifo;
use crate::communication::Communication;
use crate::event::{EventKind, Events};
use crate::files::FileStore;
use crate::handle::ScanStatistics;
use crate::image::{Image, SignalId};
use crate::logic::Logic;
use crate::mode::{KeySwitch, Mode};
use crate::outstation::{Bound, OutstationHandle};
use crate::registers::Registers;

/// A request waits for at most this many scans before later ones are refused.
const QUEUE_SCANS: usize = 2;

/// An answer in octets; `None` where the request gets none.
pub(crate) type Answer = Option<Vec<u8>>;

/// A request in the queue.
#[derive(Debug)]
struct Queued {
    transaction: TransactionId,
    unit: UnitId,
    pdu: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// What becomes of an ADU that reached the device.
#[derive(Debug)]
pub(crate) enum Offered {
    /// Not for this device, or nobody answers now.
    Silence,
    /// Answered without waiting for a scan.
    Now(Vec<u8>),
    /// In the queue.
    Later(oneshot::Receiver<Answer>),
}

/// Signals that alarms and events are drawn from, with the state they were last seen in.
#[derive(Debug)]
struct Watched {
    signal: SignalId,
    /// Address of the discrete input, for the alarm queue.
    discrete: Option<u16>,
    was_on: bool,
}

pub(crate) struct Core {
    pub(crate) name: String,
    pub(crate) product_code: String,
    pub(crate) image: Image,
    pub(crate) registers: Registers,
    pub(crate) logic: Box<dyn Logic>,
    pub(crate) mode: Mode,
    pub(crate) key: KeySwitch,
    pub(crate) communication: Communication,
    pub(crate) files: FileStore,
    pub(crate) alarms: AlarmFifo,
    pub(crate) identity: DeviceIdentity,
    pub(crate) events: Events,
    pub(crate) statistics: ScanStatistics,
    /// Pieces of a program that a download has brought so far.
    pub(crate) program_in_transit: Vec<u8>,
    pub(crate) inputs: Vec<SignalId>,
    pub(crate) outputs: Vec<SignalId>,
    /// Time without a request after which a connection is dropped.
    pub(crate) idle_timeout: Duration,
    /// Time of the latest scan.
    pub(crate) now: VirtualTime,
    unit: UnitId,
    functions: [bool; 128],
    requests_per_scan: usize,
    max_connections: usize,
    connections: usize,
    queue: VecDeque<Queued>,
    watched: Vec<Watched>,
    /// The DNP3 side, where the device has one.
    pub(crate) outstation: Option<OutstationHandle>,
    /// Values from a peer controller, taken with the inputs of the next scan.
    incoming: Vec<(SignalId, f64)>,
}

impl Core {
    pub(crate) fn new(device: &Device, mut image: Image, logic: Box<dyn Logic>) -> Self {
        let registers = Registers::of(device, &mut image);
        let inputs = device.inputs.iter().map(|tag| image.declare(tag.get_ref())).collect();
        let outputs = device.outputs.iter().map(|tag| image.declare(tag.get_ref())).collect();
        let outstation = Outstation::of(device).map(|map| {
            let mut bound = Bound::new(&map, &mut image);
            let station = bound.outstation();
            for (variation, text) in [
                (242, &device.revision),
                (247, device.name.get_ref()),
                (250, &device.product_name),
                (252, &device.vendor),
            ] {
                station.set_attribute(variation, text);
            }
            OutstationHandle(Rc::new(RefCell::new(bound)))
        });
        let mut functions = [false; 128];
        for code in &device.functions {
            if let Some(supported) = functions.get_mut(usize::from(*code)) {
                *supported = true;
            }
        }
        let mut identity = DeviceIdentity::new(&device.vendor, &device.product_code, &device.revision);
        identity.set(ObjectId::PRODUCT_NAME, &device.product_name);
        identity.set(ObjectId::USER_APPLICATION_NAME, device.name.get_ref());
        let mut watched: Vec<Watched> = registers
            .discretes()
            .map(|(address, signal)| Watched { signal, discrete: Some(address), was_on: image.is_on(signal) })
            .collect();
        for &signal in image.watched() {
            if watched.iter().all(|known| known.signal != signal) {
                watched.push(Watched { signal, discrete: None, was_on: image.is_on(signal) });
            }
        }
        Self {
            name: device.name.get_ref().clone(),
            product_code: device.product_code.clone(),
            image,
            registers,
            logic,
            mode: Mode::Run,
            key: KeySwitch::Run,
            communication: Communication::default(),
            files: FileStore::new(),
            alarms: AlarmFifo::default(),
            identity,
            events: Events::default(),
            statistics: ScanStatistics::default(),
            program_in_transit: Vec::new(),
            inputs,
            outputs,
            idle_timeout: Duration::from_secs(device.idle_timeout_s),
            now: VirtualTime::ZERO,
            unit: UnitId(device.unit_id),
            functions,
            requests_per_scan: device.requests_per_scan.max(1),
            max_connections: device.max_connections,
            connections: 0,
            queue: VecDeque::new(),
            watched,
            outstation,
            incoming: Vec::new(),
        }
    }

    /// Whether the device's list has a function code.
    pub(crate) fn supports(&self, function: FunctionCode) -> bool {
        self.functions.get(usize::from(function.0)).copied().unwrap_or(false)
    }

    /// Takes a connection, if there is room for it.
    pub(crate) fn admit(&mut self) -> bool {
        let room = self.connections < self.max_connections;
        self.connections += usize::from(room);
        room
    }

    pub(crate) fn leave(&mut self) {
        self.connections = self.connections.saturating_sub(1);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Queues a request, or says at once what becomes of it.
    pub(crate) fn offer(&mut self, adu: Adu<'_>) -> Offered {
        let ours = adu.unit == self.unit || adu.unit == UnitId::DEVICE || adu.unit == UnitId(0);
        if !ours {
            self.communication.overheard();
            return Offered::Silence;
        }
        if self.queue.len() >= QUEUE_SCANS * self.requests_per_scan {
            if self.communication.listen_only() {
                self.communication.overheard();
                return Offered::Silence;
            }
            self.communication.received();
            let busy = ExceptionCode::ServerDeviceBusy;
            self.communication.refused(busy);
            self.statistics.refused_busy += 1;
            let refusal = Response::exception(function_of(adu.pdu), busy);
            return Offered::Now(refusal.to_adu(adu.transaction, adu.unit));
        }
        let (answer, receiver) = oneshot::channel();
        self.queue.push_back(Queued {
            transaction: adu.transaction,
            unit: adu.unit,
            pdu: adu.pdu.to_vec(),
            answer,
        });
        self.statistics.queue_longest = self.statistics.queue_longest.max(self.queue.len());
        Offered::Later(receiver)
    }

    /// Step 2 of the scan. A request whose connection is gone is carried out all the same.
    pub(crate) fn serve_queue(&mut self) {
        for _ in 0..self.requests_per_scan {
            let Some(request) = self.queue.pop_front() else { return };
            let response = self.answer(&request.pdu);
            self.statistics.served += 1;
            let octets = response.map(|response| response.to_adu(request.transaction, request.unit));
            // The connection may be gone; then nobody waits for the answer.
            let _ = request.answer.send(octets);
        }
        self.statistics.deferred += self.queue.len() as u64;
    }

    /// A value from a peer controller.
    pub(crate) fn deliver(&mut self, signal: SignalId, value: f64) {
        self.incoming.retain(|(waiting, _)| *waiting != signal);
        self.incoming.push((signal, value));
    }

    pub(crate) fn take_incoming(&mut self) {
        for (signal, value) in self.incoming.drain(..) {
            self.image.set(signal, value);
        }
    }

    /// End of the scan: what changed becomes events and alarms.
    pub(crate) fn report_changes(&mut self) {
        for watched in &mut self.watched {
            let on = self.image.is_on(watched.signal);
            if on == watched.was_on {
                continue;
            }
            watched.was_on = on;
            if let Some(address) = watched.discrete {
                self.alarms.push(address, on);
            }
            let tag = self.image.tag(watched.signal).to_owned();
            self.events.push(self.now, EventKind::State { tag, on });
        }
    }

    /// Sets what a signal is now and after a restart. The state it starts in is no event.
    pub(crate) fn preset(&mut self, signal: SignalId, value: f64) {
        self.image.set_initial(signal, value);
        for watched in self.watched.iter_mut().filter(|watched| watched.signal == signal) {
            watched.was_on = value >= 0.5;
        }
    }

    pub(crate) fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        self.events.push(self.now, EventKind::Mode { from: self.mode, to: mode });
        if mode == Mode::Run {
            self.restart_logic();
            self.alarms.clear();
        }
        self.mode = mode;
    }

    /// The logic starts over, as after power up.
    pub(crate) fn restart_logic(&mut self) {
        self.image.restart(self.logic.retained(), &self.inputs);
        self.logic.restart(&mut self.image);
        self.events.push(self.now, EventKind::Restarted);
    }

    pub(crate) fn set_key(&mut self, key: KeySwitch) {
        if key == self.key {
            return;
        }
        self.events.push(self.now, EventKind::Key { from: self.key, to: key });
        let was = std::mem::replace(&mut self.key, key);
        if key == KeySwitch::Stop {
            self.set_mode(Mode::Stop);
        } else if was == KeySwitch::Stop {
            self.set_mode(Mode::Run);
        }
    }

    pub(crate) fn connection_event(&mut self, at: VirtualTime, kind: EventKind, peer_at_fault: bool) {
        if peer_at_fault {
            self.communication.lost();
        }
        self.events.push(at, kind);
    }

    pub(crate) fn unit(&self) -> UnitId {
        self.unit
    }

    /// Connections refused are events; `peer` knocked in vain.
    pub(crate) fn refused(&mut self, at: VirtualTime, peer: SocketAddr) {
        self.statistics.connections_refused += 1;
        self.events.push(at, EventKind::ConnectionRefused { peer });
    }
}

/// The function code at the front of a PDU, which framing never leaves empty.
pub(crate) fn function_of(pdu: &[u8]) -> FunctionCode {
    FunctionCode(pdu.first().copied().unwrap_or(0))
}
