//! What every actor of one run holds: the network, the clock, the site, and the chronicle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;
use std::time::Duration;

use clients::{ClientError, ModbusClient, ModbusSession, SessionSettings};
use futures::channel::mpsc::UnboundedSender;
use net::{Host, KernelClock, Network, Spawner, VirtualStream};
use record::{Clock, StartTime, with_timeout};
use site::{Device, PointEntry, RegisterEntry, Site, Table};
use wire::modbus::{RegisterAddress, UnitId};

use crate::chronicle::{Act, Chronicle};
use crate::rfb::Gesture;

/// Port of Modbus/TCP.
pub(crate) const MODBUS_PORT: u16 = 502;
/// Port of DNP3.
pub(crate) const DNP3_PORT: u16 = 20_000;

/// Longest wait of an actor for a connection and for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// How long frames of a flow still belong to an event after the last answer: its end on the wire.
const AFTERMATH: Duration = Duration::from_millis(250);

/// How a controller takes a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    /// A Modbus client writes it.
    Register(&'a RegisterEntry),
    /// A DNP3 master commands it.
    Output(&'a PointEntry),
}

/// One run as its actors see it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) network: Network,
    pub(crate) spawner: Spawner,
    pub(crate) clock: KernelClock,
    pub(crate) site: Rc<Site>,
    pub(crate) seed: u64,
    pub(crate) start: StartTime,
    pub(crate) chronicle: Chronicle,
    /// Remote sessions that are open, by the event that opened them.
    pub(crate) sessions: Rc<RefCell<BTreeMap<String, UnboundedSender<Gesture>>>>,
    /// Acts whose writes will be entered over a remote session, by tag.
    pub(crate) entering: Rc<RefCell<BTreeMap<String, Act>>>,
}

impl Scene {
    /// A host. Names were checked when the scenario was staged; a host that is gone is as good as silent.
    pub(crate) fn host(&self, name: &str) -> Option<Host> {
        self.network.host(name)
    }

    /// A controller and where it answers.
    pub(crate) fn device(&self, name: &str) -> Option<(&Device, SocketAddrV4)> {
        let device = self.site.device(name)?;
        Some((device, self.address_of(device, MODBUS_PORT)?))
    }

    /// A port of the host on which a controller answers.
    pub(crate) fn address_of(&self, device: &Device, port: u16) -> Option<SocketAddrV4> {
        let address: Ipv4Addr = *self.site.host(device.host.get_ref())?.address.get_ref();
        Some(SocketAddrV4::new(address, port))
    }

    /// The controller that takes a tag, and how.
    pub(crate) fn taker(&self, tag: &str) -> Option<(&Device, Way<'_>)> {
        let device = self.site.device_that_takes(tag)?;
        let register = device.writable_entry(tag).map(Way::Register);
        Some((device, register.or_else(|| device.output(tag).map(Way::Output))?))
    }

    /// The controller that takes a tag as a Modbus server, the entry of its map, and where it answers.
    pub(crate) fn register(&self, tag: &str) -> Option<(&Device, &RegisterEntry, SocketAddrV4)> {
        match self.taker(tag)? {
            (device, Way::Register(entry)) => Some((device, entry, self.address_of(device, MODBUS_PORT)?)),
            (_, Way::Output(_)) => None,
        }
    }

    /// Opens a Modbus connection for an act; its flow is the act's.
    pub(crate) async fn dial(
        &self,
        host: &Host,
        act: &Act,
        device: &Device,
        to: SocketAddrV4,
    ) -> Result<ModbusClient<KernelClock>, ClientError> {
        act.begin();
        act.tag_flow(host.next_flow(to));
        act.on_the_wire();
        let stream = open(&self.clock, host, to).await?;
        Ok(ModbusClient::new(stream, UnitId(device.unit_id), self.clock.clone(), PATIENCE))
    }

    /// A session for a poller, under a name of its own.
    pub(crate) fn session(
        &self,
        host: &Host,
        device: &Device,
        to: SocketAddrV4,
        answer_limit: Duration,
    ) -> ModbusSession<Dialler, KernelClock> {
        let settings = SessionSettings {
            unit: UnitId(device.unit_id),
            answer_limit,
            connect_limit: PATIENCE,
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_secs(10),
        };
        ModbusSession::new(Dialler { host: host.used_by("poll"), to }, self.clock.clone(), settings)
    }

    /// Lets a connection's end cross the wire, then closes the act's list of frames.
    pub(crate) async fn untag_later(&self, act: &Act) {
        self.clock.sleep(AFTERMATH).await;
        act.untag();
    }
}

/// Opens a connection, with an actor's patience.
pub(crate) async fn open(
    clock: &KernelClock,
    host: &Host,
    to: SocketAddrV4,
) -> Result<VirtualStream, ClientError> {
    match with_timeout(clock, PATIENCE, host.connect(to)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(ClientError::Connect { kind: error.kind() }),
        None => Err(ClientError::Timeout { limit: PATIENCE }),
    }
}

/// Opens connections from one host to one address.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    host: Host,
    to: SocketAddrV4,
}

impl clients::Connect for Dialler {
    type Stream = VirtualStream;

    async fn connect(&self) -> std::io::Result<VirtualStream> {
        self.host.connect(self.to).await
    }
}

/// Writes one value: function 5 for a coil, 6 for a register, 16 for a value of two registers.
pub(crate) async fn write_entry(
    client: &mut ModbusClient<KernelClock>,
    entry: &RegisterEntry,
    value: f64,
) -> Result<(), ClientError> {
    let address = RegisterAddress(*entry.address.get_ref());
    let words = entry.encode(value);
    match (entry.table, entry.encoding.width()) {
        (Table::Coil | Table::Discrete, _) => client.write_single_coil(address, words[0] != 0).await,
        (_, 1) => client.write_single_register(address, words[0]).await,
        _ => client.write_multiple_registers(address, &words).await,
    }
}
