//! What Zeek's policy scripts log of Modbus: who speaks it, and holding registers that changed.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::{Pdu, prefix};
use crate::log::{Log, LogWriter};
use crate::row::Field;
use crate::sink::LogSink;

/// Hosts and roles remembered for `known_modbus.log`.
pub(super) const HOSTS_MAX: usize = 16 << 10;
/// After this time a host is news again.
const DAY: u64 = 86_400 * 1_000_000_000;
/// Registers of one page.
const PAGE: usize = 64;
/// Pages of registers remembered for `modbus_register_change.log`: at most 3 MiB.
pub(super) const PAGES_MAX: usize = 4096;

/// Hosts and registers.
#[derive(Debug, Default)]
pub(super) struct Memory {
    hosts: IndexMap<(IpAddr, bool), u64, foldhash::fast::RandomState>,
    pages: IndexMap<(IpAddr, u8, u16), Box<Page>, foldhash::fast::RandomState>,
}

/// Neighbouring registers.
#[derive(Debug)]
struct Page {
    values: [u16; PAGE],
    set_at: [u64; PAGE],
    known: u64,
}

impl Memory {
    /// Who speaks Modbus.
    pub(super) fn host<S: LogSink>(&mut self, log: &mut LogWriter<S>, pdu: &Pdu<'_>) {
        if !log.wants(Log::KnownModbus) {
            return;
        }
        for (host, is_client) in [(pdu.id.orig.0, true), (pdu.id.resp.0, false)] {
            let is_full = self.hosts.len() >= HOSTS_MAX;
            match self.hosts.get_mut(&(host, is_client)) {
                Some(last) if pdu.at.saturating_sub(*last) < DAY => continue,
                Some(last) => *last = pdu.at,
                None if is_full => continue,
                None => drop(self.hosts.insert((host, is_client), pdu.at)),
            }
            let role = if is_client { "Known::MODBUS_MASTER" } else { "Known::MODBUS_SLAVE" };
            let fields = [Field::Time(pdu.at), Field::Address(host), Field::Text(role)];
            log.row(Log::KnownModbus, &fields);
        }
    }

    /// Holding registers that a device told, from `first` on.
    pub(super) fn registers<S: LogSink>(&mut self, log: &mut LogWriter<S>, pdu: &Pdu<'_>, first: u16) {
        if !log.wants(Log::ModbusRegisterChange) {
            return;
        }
        let (at, device) = (pdu.at, (pdu.id.resp.0, pdu.unit));
        let mut registers = pdu.packet.registers().into_iter().flatten();
        let mut place = u32::from(first);
        while let Ok(address) = u16::try_from(place) {
            let number = address / PAGE as u16;
            let mut page = self.page((device.0, device.1, number));
            for offset in usize::from(address) % PAGE..PAGE {
                let Some(value) = registers.next() else { return };
                let register = u32::from(number) * PAGE as u32 + offset as u32;
                if let Some((old, since)) = page.as_mut().and_then(|page| page.set(offset, value, at)) {
                    let start = prefix(at, pdu.id);
                    let own = [
                        Field::Count(register.into()),
                        Field::Count(old.into()),
                        Field::Count(value.into()),
                        Field::Interval(at.saturating_sub(since)),
                    ];
                    log.row(Log::ModbusRegisterChange, &[start.as_slice(), &own].concat());
                }
            }
            place = (u32::from(number) + 1) * PAGE as u32;
        }
    }

    fn page(&mut self, key: (IpAddr, u8, u16)) -> Option<&mut Page> {
        if self.pages.len() >= PAGES_MAX && !self.pages.contains_key(&key) {
            return None;
        }
        Some(
            self.pages
                .entry(key)
                .or_insert_with(|| Box::new(Page { values: [0; PAGE], set_at: [0; PAGE], known: 0 })),
        )
    }
}

impl Page {
    /// Sets a register; what it was, and since when, if it was something else.
    fn set(&mut self, offset: usize, value: u16, at: u64) -> Option<(u16, u64)> {
        let (old, since) = (self.values[offset], self.set_at[offset]);
        let is_known = self.known >> offset & 1 == 1;
        if is_known && old == value {
            return None;
        }
        (self.values[offset], self.set_at[offset]) = (value, at);
        self.known |= 1 << offset;
        is_known.then_some((old, since))
    }
}
