//! The hosts that were seen: `inventory.log`.
//!
//! A host's name, zone, level and role come from the site's documentation; where that does not know it, the role comes
//! from what it does. Its identity comes from its own answers to device identification (43/14) and report server id
//! (17), or from what it says in EtherNet/IP, S7, HTTP, SSH and TDS: octets that a device chose, cut to printable text.

use std::collections::BTreeSet;
use std::net::IpAddr;

use indexmap::IndexMap;
use site::MacAddress;
use wire::modbus::Packet;

use crate::identify::Identity;
use crate::known::Known;
use crate::log::{Log, LogWriter};
use crate::row::Field;
use crate::sink::LogSink;

/// Hosts kept; a scan of forged sources shall not fill memory.
const HOSTS_MAX: usize = 4096;
/// Octets kept of each text that a device sends.
const TEXT_MAX: usize = 64;

/// Vendors by the first half of an Ethernet address: the ones that the reference site and common tools use. Source: the
/// public listing of the IEEE registration authority.
const VENDORS: &[([u8; 3], &str)] = &[
    ([0x00, 0x00, 0xbc], "Rockwell Automation"),
    ([0x00, 0x01, 0x05], "Beckhoff Automation"),
    ([0x00, 0x0c, 0x29], "VMware"),
    ([0x00, 0x0e, 0x8c], "Siemens"),
    ([0x00, 0x14, 0x22], "Dell"),
    ([0x00, 0x15, 0x5d], "Microsoft"),
    ([0x00, 0x1b, 0x1b], "Siemens"),
    ([0x00, 0x1b, 0x21], "Intel"),
    ([0x00, 0x1d, 0x9c], "Rockwell Automation"),
    ([0x00, 0x20, 0x4a], "Pronet"),
    ([0x00, 0x30, 0xa7], "Schweitzer Engineering Laboratories"),
    ([0x00, 0x30, 0xde], "WAGO"),
    ([0x00, 0x50, 0x56], "VMware"),
    ([0x00, 0x60, 0x78], "Power Measurement"),
    ([0x00, 0x80, 0x2f], "National Instruments"),
    ([0x00, 0x80, 0xf4], "Telemecanique Electrique"),
    ([0x00, 0x90, 0xe8], "Moxa"),
    ([0x00, 0xa0, 0x45], "Phoenix Contact"),
    ([0x08, 0x00, 0x06], "Siemens"),
    ([0x08, 0x00, 0x27], "PCS Systemtechnik (VirtualBox)"),
    ([0x28, 0x63, 0x36], "Siemens"),
    ([0x52, 0x54, 0x00], "QEMU"),
    ([0xb8, 0x27, 0xeb], "Raspberry Pi Foundation"),
    ([0xdc, 0xa6, 0x32], "Raspberry Pi Trading"),
];

/// Vendor of a network card; locally administered addresses have none.
pub fn vendor(mac: MacAddress) -> Option<&'static str> {
    let [a, b, c, ..] = mac.0;
    if let Some((_, name)) = VENDORS.iter().find(|(prefix, _)| *prefix == [a, b, c]) {
        return Some(name);
    }
    (a & 2 != 0).then_some("locally administered")
}

#[derive(Debug, Default)]
struct HostFacts {
    mac: Option<MacAddress>,
    first: u64,
    last: u64,
    protocols: BTreeSet<&'static str>,
    serves: BTreeSet<&'static str>,
    calls: BTreeSet<&'static str>,
    vendor: Option<String>,
    product: Option<String>,
    revision: Option<String>,
}

/// The hosts that were seen.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// More hosts came than are kept.
    pub(crate) full: bool,
    hosts: IndexMap<IpAddr, HostFacts, foldhash::fast::RandomState>,
}

impl Inventory {
    fn host(&mut self, address: IpAddr, at: u64) -> Option<&mut HostFacts> {
        let is_host = match address {
            IpAddr::V4(address) => {
                !address.is_multicast() && !address.is_broadcast() && !address.is_unspecified()
            }
            IpAddr::V6(address) => !address.is_multicast() && !address.is_unspecified(),
        };
        if !is_host {
            return None;
        }
        if self.hosts.len() >= HOSTS_MAX && !self.hosts.contains_key(&address) {
            self.full = true;
            return None;
        }
        let host =
            self.hosts.entry(address).or_insert_with(|| HostFacts { first: at, ..HostFacts::default() });
        host.first = host.first.min(at);
        host.last = host.last.max(at);
        Some(host)
    }

    /// A host sent something: whether it is new, and whether another card speaks for it than before.
    pub(crate) fn seen(&mut self, address: IpAddr, mac: Option<MacAddress>, at: u64) -> (bool, bool) {
        let new = !self.hosts.contains_key(&address);
        let Some(host) = self.host(address, at) else { return (false, false) };
        let Some(mac) = mac else { return (new, false) };
        let before = host.mac.replace(mac);
        (new, before.is_some_and(|before| before != mac))
    }

    /// A connection spoke a protocol.
    pub(crate) fn spoke(&mut self, orig: IpAddr, resp: IpAddr, protocol: &'static str, at: u64) {
        for (address, serves) in [(orig, false), (resp, true)] {
            if let Some(host) = self.host(address, at) {
                host.protocols.insert(protocol);
                if serves {
                    host.serves.insert(protocol);
                } else {
                    host.calls.insert(protocol);
                }
            }
        }
    }

    /// A device answered who it is.
    pub(crate) fn identified(&mut self, address: IpAddr, packet: &Packet<'_>, at: u64) {
        let Some(host) = self.host(address, at) else { return };
        for (id, value) in packet.device_id_objects().into_iter().flatten() {
            let slot = match id.0 {
                0 => &mut host.vendor,
                1 => &mut host.product,
                2 => &mut host.revision,
                _ => continue,
            };
            *slot = Some(printable(value));
        }
        if let Some(id) = packet.server_id()
            && host.product.is_none()
        {
            host.product = Some(printable(id)).filter(|text| !text.is_empty());
        }
    }

    /// A device or a program said what it is. What industrial protocols tell comes before what programs tell.
    pub(crate) fn told(&mut self, address: IpAddr, identity: &Identity<'_>, at: u64) {
        let Some(host) = self.host(address, at) else { return };
        let revision = identity.revision.shown();
        let told = [identity.vendor, identity.product, &revision];
        if host.product.is_some() && identity.vendor.is_empty() && revision.is_empty() {
            return;
        }
        let slots = [&mut host.vendor, &mut host.product, &mut host.revision];
        for (slot, text) in slots.into_iter().zip(told) {
            if !text.is_empty() {
                *slot = Some(printable(text));
            }
        }
    }

    /// A DNP3 outstation told its attributes: vendor, product, revision.
    pub(crate) fn attributes(&mut self, address: IpAddr, attributes: [Option<&[u8]>; 3], at: u64) {
        let Some(host) = self.host(address, at) else { return };
        for (slot, value) in
            [&mut host.vendor, &mut host.product, &mut host.revision].into_iter().zip(attributes)
        {
            if let Some(value) = value {
                *slot = Some(printable(value));
            }
        }
    }

    /// Writes one row per host, by address.
    pub(crate) fn write<S: LogSink>(&self, known: &Known, log: &mut LogWriter<S>) {
        let mut hosts: Vec<_> = self.hosts.iter().collect();
        hosts.sort_by_key(|(address, _)| **address);
        for (address, host) in hosts {
            let view = known.host(*address, false);
            let mac = host.mac.map(|mac| mac.to_string());
            let documented = known.is_documented(*address);
            let role = if documented { view.role } else { role_by_behaviour(host) };
            let protocols: Vec<_> = host.protocols.iter().copied().collect();
            let device = known.device(*address).map(|(_, device)| device.name.get_ref().as_str());
            let text = |text: &'static str| if text.is_empty() { Field::Unset } else { Field::Text(text) };
            let view_text = |text| if str::is_empty(text) { Field::Unset } else { Field::Text(text) };
            log.row(
                Log::Inventory,
                &[
                    Field::Time(host.first),
                    Field::Time(host.last),
                    Field::Address(*address),
                    mac.as_deref().into(),
                    text(host.mac.and_then(vendor).unwrap_or("")),
                    view.name.into(),
                    view_text(view.zone),
                    view_text(view.level),
                    Field::Text(role),
                    Field::Bool(documented),
                    Field::Set(&protocols),
                    device.into(),
                    host.vendor.as_deref().into(),
                    host.product.as_deref().into(),
                    host.revision.as_deref().into(),
                ],
            );
        }
    }

    /// How many hosts were seen.
    pub(crate) fn len(&self) -> usize {
        self.hosts.len()
    }
}

/// Services of controllers.
const CONTROL: [&str; 6] = ["modbus", "dnp3_tcp", "dnp3_udp", "s7comm", "iec104", "enip"];

fn role_by_behaviour(host: &HostFacts) -> &'static str {
    if CONTROL.iter().any(|service| host.serves.contains(service)) {
        "controller"
    } else if CONTROL.iter().any(|service| host.calls.contains(service)) {
        "control-client"
    } else if host.serves.contains("tds") {
        "database"
    } else if host.serves.contains("rfb") || host.serves.contains("rdp") {
        "remote-desktop"
    } else {
        "unknown"
    }
}

fn printable(octets: &[u8]) -> String {
    let text = octets.iter().take(TEXT_MAX);
    text.map(|octet| if octet.is_ascii_graphic() || *octet == b' ' { char::from(*octet) } else { '.' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_those_of_the_card() {
        assert_eq!(vendor(MacAddress([0x00, 0x80, 0xf4, 1, 2, 3])), Some("Telemecanique Electrique"));
        assert_eq!(vendor(MacAddress([0x02, 0, 0x5e, 1, 2, 3])), Some("locally administered"));
        assert_eq!(vendor(MacAddress([0x00, 0xde, 0xad, 1, 2, 3])), None);
    }

    #[test]
    fn an_identity_is_what_the_device_says_cut_to_print() {
        let mut inventory = Inventory::default();
        let plc = IpAddr::from([192, 168, 1, 101]);
        let pdu = [0x2b, 14, 1, 1, 0, 0, 2, 0, 3, b'A', 0, b'B', 2, 2, b'V', b'1'];
        inventory.identified(plc, &Packet::response(&pdu), 5);
        assert_eq!(inventory.hosts[&plc].vendor.as_deref(), Some("A.B"));
        assert_eq!(inventory.hosts[&plc].revision.as_deref(), Some("V1"));
    }

    #[test]
    fn a_changed_card_is_noticed() {
        let mut inventory = Inventory::default();
        let plc = IpAddr::from([192, 168, 1, 101]);
        let (one, other) = (MacAddress([0; 6]), MacAddress([1; 6]));
        assert_eq!(inventory.seen(plc, Some(one), 1), (true, false));
        assert_eq!(inventory.seen(plc, Some(one), 2), (false, false));
        assert_eq!(inventory.seen(plc, Some(other), 3), (false, true));
    }
}
