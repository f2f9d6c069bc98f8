//! What somebody does who has no business on the control network: look round, read, block, write.
//!
//! All of it is behaviour over ordinary connections of a virtual host; there is no code here that could be pointed at
//! anything else. Each deed tags its own flows, so that ground truth lists its frames and no other's.
//!
//! # How a controller's connections are exhausted
//! The tank's unit takes five connections and three are in use. To take what is free is easy; the others must first be
//! lost. Function 8, sub-function 4 puts a device into listen-only mode, in which it answers nobody (Modbus Application
//! Protocol V1.1b3, section 6.8): every client times out and drops its connection, and whoever tries more often than they do
//! gets the place. When nothing more is to be had, sub-function 1 restarts communication, and the device serves
//! again, but only those that are connected. One request in twenty seconds keeps each place.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use clients::ClientError;
use net::{Host, ProbeResult, ProbeStyle, Selector, VirtualStream};
use record::{Clock, VirtualTime, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::modbus::{Diagnostic, Emit, RegisterAddress, Request, TransactionId, UnitId};

use crate::chronicle::{Act, Sign};
use crate::maintenance::identify_over;
use crate::scene::{MODBUS_PORT, Scene, open, write_entry};

/// How long a port scan waits for an answer.
const PROBE_LIMIT: Duration = Duration::from_millis(400);
/// Addresses that a survey of one table covers, in requests of so many.
const SURVEY: (u16, u16) = (64, 8);
/// Time between two attempts at a connection while others lose theirs.
const GRAB_PERIOD: Duration = Duration::from_millis(250);
/// How long a connection must live to count as held.
const HELD_AFTER: Duration = Duration::from_millis(150);
/// Refusals in a row after which nothing more is to be had: longer than any other client waits.
const REFUSALS: u32 = 36;
/// Attempts in all.
const ATTEMPTS_MAX: u32 = 400;
/// Time between two requests that keep a connection.
const KEEP_PERIOD: Duration = Duration::from_secs(20);
/// Longest wait for an answer while keeping.
const KEEP_LIMIT: Duration = Duration::from_secs(2);

/// Asks every address of a range for its ports. Where the first port does not answer, the address counts as empty.
pub(crate) async fn sweep(
    scene: &Scene,
    act: &Act,
    from: &Host,
    range: (Ipv4Addr, Ipv4Addr),
    ports: &[u16],
    pause: Duration,
) {
    act.begin();
    act.tag(Selector::Host(from.name().to_owned()));
    act.on_the_wire();
    for address in range.0.to_bits()..=range.1.to_bits() {
        let address = Ipv4Addr::from_bits(address);
        if address == from.address() {
            continue;
        }
        for port in ports {
            let to = SocketAddrV4::new(address, *port);
            match from.probe(to, ProbeStyle::HalfOpen, PROBE_LIMIT).await {
                Ok(ProbeResult::Open | ProbeResult::Closed) => {}
                // Silence, or a way out of the lab, which is refused.
                Ok(ProbeResult::Filtered) | Err(_) => break,
            }
        }
        scene.clock.sleep(pause).await;
    }
    act.end();
    scene.untag_later(act).await;
}

/// Asks controllers who they are, each over a connection of its own.
pub(crate) async fn identify(scene: &Scene, act: &Act, from: &Host, devices: &[String]) {
    for name in devices {
        let Some((device, to)) = scene.device(name) else { continue };
        let asked = async {
            let mut client = scene.dial(from, act, device, to).await?;
            identify_over(&mut client).await
        };
        if asked.await.is_ok() {
            act.in_the_log();
        }
        act.end();
    }
    scene.untag_later(act).await;
}

/// Reads through the tables of controllers.
pub(crate) async fn survey(scene: &Scene, act: &Act, from: &Host, devices: &[String], pause: Duration) {
    for name in devices {
        // A controller that stops answering is left for the next.
        let _ = survey_one(scene, act, from, name, pause).await;
        act.end();
    }
    scene.untag_later(act).await;
}

async fn survey_one(
    scene: &Scene,
    act: &Act,
    from: &Host,
    name: &str,
    pause: Duration,
) -> Result<(), ClientError> {
    let Some((device, to)) = scene.device(name) else { return Ok(()) };
    let mut client = scene.dial(from, act, device, to).await?;
    identify_over(&mut client).await?;
    act.in_the_log();
    let (end, step) = SURVEY;
    for table in 0..4 {
        for first in (0..end).step_by(usize::from(step)) {
            let address = RegisterAddress(first);
            let answer = match table {
                0 => client.read_input_registers(address, step).await.map(drop),
                1 => client.read_holding_registers(address, step).await.map(drop),
                2 => client.read_discrete_inputs(address, step).await.map(drop),
                _ => client.read_coils(address, step).await.map(drop),
            };
            match answer {
                // Here the table ends.
                Err(ClientError::Exception(_)) if first >= end / 2 => break,
                Ok(()) | Err(ClientError::Exception(_)) => {}
                Err(error) => return Err(error),
            }
            scene.clock.sleep(pause).await;
        }
    }
    Ok(())
}

/// When values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    /// All of them again after so long.
    pub(crate) every: Option<Duration>,
    /// No round begins after this.
    pub(crate) until: VirtualTime,
    /// Time between two values of a round.
    pub(crate) pause: Option<Duration>,
}

/// Writes values straight to the controllers that take them, once or over and over.
pub(crate) async fn write(scene: &Scene, act: &Act, from: &Host, values: &[(String, f64)], rhythm: Rhythm) {
    let mut next = scene.clock.now();
    loop {
        write_round(scene, act, from, values, rhythm.pause).await;
        act.end();
        let Some(every) = rhythm.every else { break };
        next += every;
        if next >= rhythm.until {
            break;
        }
        scene.clock.sleep_until(next).await;
    }
    scene.untag_later(act).await;
}

/// One round: values in order, one connection per controller, or per value where there is a pause between them.
async fn write_round(
    scene: &Scene,
    act: &Act,
    from: &Host,
    values: &[(String, f64)],
    pause: Option<Duration>,
) {
    let mut open_to: Option<(&str, clients::ModbusClient<net::KernelClock>)> = None;
    for (index, (tag, value)) in values.iter().enumerate() {
        if let Some(pause) = pause.filter(|_| index > 0) {
            drop(open_to.take());
            scene.clock.sleep(pause).await;
        }
        let Some((device, entry, to)) = scene.register(tag) else { continue };
        let name = device.name.get_ref().as_str();
        let mut client = match open_to.take() {
            Some((open, client)) if open == name && client.is_usable() => client,
            _ => match scene.dial(from, act, device, to).await {
                Ok(client) => client,
                Err(_) => continue,
            },
        };
        if write_entry(&mut client, entry, *value).await.is_ok() {
            act.in_the_log();
            act.awaits(Sign::Value { tag: tag.clone(), value: entry.decode(entry.encode(*value)) });
        }
        open_to = Some((name, client));
    }
}

/// Takes every connection of a controller and keeps it until `until`.
pub(crate) async fn exhaust(scene: &Scene, act: &Act, from: &Host, name: &str, until: VirtualTime) {
    let Some((device, to)) = scene.device(name) else { return };
    let unit = UnitId(device.unit_id);
    act.begin();
    act.tag(Selector::Between {
        source: from.name().to_owned(),
        destination: device.host.get_ref().clone(),
        port: MODBUS_PORT,
    });
    act.on_the_wire();
    act.awaits(Sign::Lost { device: name.to_owned() });
    let mut held = Held { streams: Vec::new(), unit, transaction: 0 };
    let mut refusals = 0;
    for _ in 0..ATTEMPTS_MAX {
        if scene.clock.now() >= until || refusals >= REFUSALS {
            break;
        }
        if grab(scene, from, to, &mut held).await {
            refusals = 0;
            if held.streams.len() == 1 {
                held.send_last(&Request::Diagnostics(Diagnostic::ForceListenOnly)).await;
                act.in_the_log();
            }
        } else {
            refusals += 1;
        }
        scene.clock.sleep(GRAB_PERIOD).await;
    }
    held.send_last(&Request::Diagnostics(Diagnostic::RestartCommunications { clear_log: false })).await;
    while scene.clock.now() < until {
        let next = scene.clock.now() + KEEP_PERIOD;
        held.keep(scene).await;
        // A place that was lost is fought for.
        if held.streams.len() < device.max_connections {
            grab(scene, from, to, &mut held).await;
        }
        scene.clock.sleep_until(next.min(until)).await;
    }
    drop(held);
    act.end();
    scene.untag_later(act).await;
}

/// Connections that are held.
struct Held {
    streams: Vec<VirtualStream>,
    unit: UnitId,
    transaction: u16,
}

impl Held {
    /// Sends a request over the connection that was taken last, without waiting for an answer.
    async fn send_last(&mut self, request: &Request) {
        self.transaction += 1;
        let adu = request.to_adu(TransactionId(self.transaction), self.unit);
        if let Some(stream) = self.streams.last_mut() {
            // A connection that broke shows when it is next kept.
            let _ = stream.write_all(&adu).await;
        }
    }

    /// One request over each connection; those that fail are gone.
    async fn keep(&mut self, scene: &Scene) {
        let Ok(quantity) = 1_u16.try_into() else { return };
        let request = Request::ReadInputRegisters { address: RegisterAddress(0), quantity };
        let mut kept = Vec::new();
        for mut stream in self.streams.drain(..) {
            self.transaction = self.transaction.wrapping_add(1);
            let adu = request.to_adu(TransactionId(self.transaction), self.unit);
            let mut answer = [0; 260];
            let asked = with_timeout(&scene.clock, KEEP_LIMIT, async {
                stream.write_all(&adu).await?;
                stream.read(&mut answer).await
            });
            if !matches!(asked.await, Some(Ok(0) | Err(_))) {
                kept.push(stream);
            }
        }
        self.streams = kept;
    }
}

/// Tries for one more connection. A device without a free place resets it at once.
async fn grab(scene: &Scene, from: &Host, to: SocketAddrV4, held: &mut Held) -> bool {
    let Ok(mut stream) = open(&scene.clock, from, to).await else { return false };
    let mut octet = [0];
    match with_timeout(&scene.clock, HELD_AFTER, stream.read(&mut octet)).await {
        None => {
            held.streams.push(stream);
            true
        }
        Some(_) => false,
    }
}
