//! The link of one controller to another: reads a point over Modbus, once each period, and hands it to the image.
//!
//! A value that arrives counts as fresh for as long as the logic says ([`crate::logic::pumps`]); this task judges nothing.
//! It counts the values that arrived in a signal of its own, by which the logic sees that the link lives.
//!
//! Like many a compact controller, it renews its connection now and then, so that one that died half-open does not last. In
//! the second between it has no place at the other controller: somebody who takes the last free one then keeps it out.

use std::convert::Infallible;
use std::time::Duration;

use clients::{Connect, ModbusSession, SessionSettings};
use record::Clock;
use site::{Device, RegisterEntry, Table};
use wire::modbus::{RegisterAddress, UnitId};

use crate::handle::Handle;
use crate::image::MissingSignal;
use crate::logic::pumps::UPDATES;

/// Time from one reading to the next.
pub const PEER_PERIOD: Duration = Duration::from_secs(1);

/// Readings over one connection before it is renewed.
pub const RENEW_AFTER_READINGS: u32 = 30;

/// What a controller does in automatic when a value that it gets from another one stays away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommLossAction {
    /// Goes on with the last value.
    #[default]
    HoldLast,
    /// Stops its pumps.
    StopPumps,
    /// Runs its pumps.
    StartPumps,
}

/// A point of another controller, and the signal that takes its value.
#[derive(Clone, Debug)]
pub struct PeerPoint {
    /// Unit id of the other controller.
    pub unit: UnitId,
    /// Where the point lies there; an input or holding register.
    pub entry: RegisterEntry,
    /// Tag of the signal that takes it here.
    pub target: String,
    /// Readings over one connection before it is renewed; 0 for never.
    pub renew_after_readings: u32,
}

impl PeerPoint {
    /// The register of `source` that holds `tag`, to be taken as `target` here.
    pub fn of(source: &Device, tag: &str, target: &str) -> Result<Self, MissingSignal> {
        let entry = source
            .entry(tag, |entry| entry.table == Table::Input)
            .or_else(|| source.entry(tag, |entry| entry.table == Table::Holding))
            .ok_or_else(|| MissingSignal { device: source.name.get_ref().clone(), tag: tag.to_owned() })?;
        Ok(Self {
            unit: UnitId(source.unit_id),
            entry: entry.clone(),
            target: target.to_owned(),
            renew_after_readings: RENEW_AFTER_READINGS,
        })
    }
}

/// Polls a point for ever. Readings fall on multiples of [`PEER_PERIOD`] from the start; one that takes longer than a
/// period leaves the next ones out. Fails only where the controller has no signal for the point.
pub async fn poll_peer<K: Connect, C: Clock>(
    handle: Handle,
    clock: C,
    connect: K,
    point: PeerPoint,
) -> Result<Infallible, MissingSignal> {
    let missing = |tag: &str| MissingSignal { device: handle.name(), tag: tag.to_owned() };
    let target = handle.signal(&point.target).ok_or_else(|| missing(&point.target))?;
    let counter = handle.signal(UPDATES).ok_or_else(|| missing(UPDATES))?;
    let settings = SessionSettings {
        unit: point.unit,
        answer_limit: PEER_PERIOD,
        connect_limit: PEER_PERIOD,
        backoff_first: PEER_PERIOD,
        backoff_max: 5 * PEER_PERIOD,
    };
    let mut session = ModbusSession::new(connect, clock.clone(), settings);
    let address = RegisterAddress(*point.entry.address.get_ref());
    let width = point.entry.encoding.width();
    let (mut arrived, mut readings) = (0_u32, 0);
    let mut next = clock.now();
    loop {
        let words = match point.entry.table {
            Table::Holding => session.read_holding_registers(address, width).await,
            _ => session.read_input_registers(address, width).await,
        };
        if let Ok(words) = words
            && let Some(&first) = words.first()
        {
            let second = words.get(1).copied().unwrap_or(0);
            arrived = arrived.wrapping_add(1);
            handle.deliver(target, point.entry.decode([first, second]));
            handle.deliver(counter, f64::from(arrived));
            readings += 1;
            if readings == point.renew_after_readings {
                session.disconnect();
            }
        }
        if !session.is_connected() {
            readings = 0;
        }
        while next <= clock.now() {
            next += PEER_PERIOD;
        }
        clock.sleep_until(next).await;
    }
}
