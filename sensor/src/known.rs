//! What the site's documentation says, by address: hosts, zones, devices, tags.
//!
//! Built once from the site file, so that a lookup per connection is all it costs. Without a site everything is
//! `unknown`, and the sensor goes by what it sees.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use site::{Device, Encoding, PointEntry, PointKind, RegisterEntry, Site, Table, TagKind};

/// A host as records show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HostView<'a> {
    pub(crate) address: IpAddr,
    /// Name in the site file.
    pub(crate) name: Option<&'a str>,
    pub(crate) role: &'a str,
    pub(crate) zone: &'a str,
    pub(crate) level: &'a str,
    /// Whether the documentation, or without one the baseline, knows it.
    pub(crate) known: bool,
}

#[derive(Debug)]
struct KnownHost {
    name: String,
    role: &'static str,
    zone: usize,
    device: Option<usize>,
}

/// One line of a register map, found by address.
#[derive(Clone, Debug)]
pub(crate) struct Mapped {
    pub(crate) tag: usize,
    entry: RegisterEntry,
}

impl Mapped {
    pub(crate) fn decode(&self, words: [u16; 2]) -> f64 {
        self.entry.decode(words)
    }

    pub(crate) fn width(&self) -> u16 {
        self.entry.encoding.width()
    }

    pub(crate) fn is_bit(&self) -> bool {
        self.entry.encoding == Encoding::Bool
    }
}

#[derive(Debug, Default)]
struct DeviceMap {
    /// By table, then by address.
    tables: [BTreeMap<u16, Mapped>; 4],
    /// DNP3 points, with their tags.
    points: BTreeMap<(PointKind, u16), (usize, PointEntry)>,
}

/// The documentation, by address.
#[derive(Debug, Default)]
pub(crate) struct Known {
    site: Option<Arc<Site>>,
    hosts: BTreeMap<IpAddr, KnownHost>,
    maps: Vec<DeviceMap>,
    tags: BTreeMap<String, usize>,
}

impl Known {
    pub(crate) fn new(site: Option<Arc<Site>>) -> Self {
        let Some(site) = site else { return Self::default() };
        let tags = site.tags.iter().enumerate().map(|(n, tag)| (tag.name.get_ref().clone(), n)).collect();
        let mut known = Self { tags, ..Self::default() };
        for host in &site.hosts {
            let name = host.name.get_ref().clone();
            let zone = site.zones.iter().position(|zone| zone.name.get_ref() == host.zone.get_ref());
            let device = site.devices.iter().position(|device| *device.host.get_ref() == name);
            let known_host =
                KnownHost { name, role: host.role.as_str(), zone: zone.unwrap_or(usize::MAX), device };
            known.hosts.insert(IpAddr::V4(*host.address.get_ref()), known_host);
        }
        // The firewall has the first address of every network.
        for (number, zone) in site.zones.iter().enumerate() {
            for address in zone.networks.iter().filter_map(|network| network.nth(1)) {
                let firewall =
                    KnownHost { name: "firewall".to_owned(), role: "firewall", zone: number, device: None };
                known.hosts.entry(IpAddr::V4(address)).or_insert(firewall);
            }
        }
        for device in &site.devices {
            let mut map = DeviceMap::default();
            for entry in &device.registers {
                if let Some(tag) = known.tags.get(entry.tag.get_ref()) {
                    let mapped = Mapped { tag: *tag, entry: entry.clone() };
                    map.tables[entry.table as usize].insert(*entry.address.get_ref(), mapped);
                }
            }
            for entry in &device.points {
                if let Some(tag) = known.tags.get(entry.tag.get_ref()) {
                    map.points.insert((entry.kind, *entry.index.get_ref()), (*tag, entry.clone()));
                }
            }
            known.maps.push(map);
        }
        known.site = Some(site);
        known
    }

    pub(crate) fn site(&self) -> Option<&Site> {
        self.site.as_deref()
    }

    pub(crate) fn is_documented(&self, address: IpAddr) -> bool {
        self.hosts.contains_key(&address)
    }

    /// A host as records show it; `seen` is whether the baseline knows it.
    pub(crate) fn host(&self, address: IpAddr, seen: bool) -> HostView<'_> {
        let unknown = HostView { address, name: None, role: "unknown", zone: "", level: "", known: false };
        let Some(site) = &self.site else { return HostView { known: seen, ..unknown } };
        if let Some(host) = self.hosts.get(&address) {
            let zone = site.zones.get(host.zone);
            return HostView {
                address,
                name: Some(&host.name),
                role: host.role,
                zone: zone.map_or("", |zone| zone.name.get_ref()),
                level: zone.map_or("", |zone| &zone.level),
                known: true,
            };
        }
        let zone = match address {
            IpAddr::V4(address) => site.zone_of(address),
            IpAddr::V6(_) => None,
        };
        match zone {
            Some(zone) => HostView { zone: zone.name.get_ref(), level: &zone.level, ..unknown },
            // In none of the site's networks: outside.
            None => HostView { zone: "outside", level: "outside", ..unknown },
        }
    }

    /// Whether an address is on the mirrored switch, so that its frames carry its own MAC address.
    pub(crate) fn is_on_mirrored_switch(&self, address: IpAddr) -> bool {
        match (&self.site, address) {
            (Some(site), IpAddr::V4(address)) => {
                site.zone_of(address).is_some_and(|zone| zone.name.get_ref() == site.mirror_zone.get_ref())
            }
            _ => self.site.is_none(),
        }
    }

    /// Whether an address belongs to the site, or without one to a private range: Zeek's `local_orig`, `local_resp`.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        if is_private(address) {
            return true;
        }
        match (&self.site, address) {
            (Some(site), IpAddr::V4(address)) => {
                site.zone_of(address).is_some_and(|zone| zone.level != "outside")
            }
            _ => false,
        }
    }

    /// The controller at an address.
    pub(crate) fn device(&self, address: IpAddr) -> Option<(usize, &Device)> {
        let index = self.hosts.get(&address)?.device?;
        Some((index, self.site.as_ref()?.devices.get(index)?))
    }

    /// Whether the documentation names a host as one that writes to a device.
    pub(crate) fn is_writer(&self, device: IpAddr, host: IpAddr) -> bool {
        let Some((_, device)) = self.device(device) else { return false };
        let Some(host) = self.hosts.get(&host) else { return false };
        device.writers.iter().any(|writer| *writer.get_ref() == host.name)
    }

    /// Lines of a device's register map whose first address lies in `start..start + count`.
    pub(crate) fn mapped(
        &self,
        device: usize,
        table: Table,
        start: u16,
        count: u16,
    ) -> impl Iterator<Item = (u16, &Mapped)> {
        let map = self.maps.get(device).map(|map| &map.tables[table as usize]);
        let end = u32::from(start) + u32::from(count);
        map.into_iter()
            .flat_map(move |map| map.range(start..))
            .take_while(move |(address, _)| u32::from(**address) < end)
            .map(|(address, mapped)| (*address, mapped))
    }

    /// Whether a device's register map knows an address, or the second half of a value there.
    pub(crate) fn is_mapped(&self, device: usize, table: Table, address: u16) -> bool {
        let is_before = |before: u16| self.mapped(device, table, before, 1).any(|(_, one)| one.width() == 2);
        self.mapped(device, table, address, 1).next().is_some()
            || address.checked_sub(1).is_some_and(is_before)
    }

    /// A DNP3 point of the outstation at an address: its tag and its line in the site file.
    pub(crate) fn point(
        &self,
        outstation: (IpAddr, u16),
        kind: PointKind,
        index: u32,
    ) -> Option<(usize, &PointEntry)> {
        let (number, device) = self.device(outstation.0)?;
        let map = self.maps.get(number).filter(|map| !map.points.is_empty())?;
        if device.outstation.as_ref().is_none_or(|address| *address.get_ref() != outstation.1) {
            return None;
        }
        let (tag, entry) = map.points.get(&(kind, u16::try_from(index).ok()?))?;
        Some((*tag, entry))
    }

    /// The link address that the documentation gives the outstation of a host.
    pub(crate) fn outstation(&self, host: IpAddr) -> Option<u16> {
        Some(*self.device(host)?.1.outstation.as_ref()?.get_ref())
    }

    /// The controller that holds a tag: its address and its name.
    pub(crate) fn device_of_tag(&self, tag: usize) -> Option<(IpAddr, &str)> {
        let number = self.maps.iter().position(|map| {
            map.tables.iter().any(|table| table.values().any(|mapped| mapped.tag == tag))
                || map.points.values().any(|(mapped, _)| *mapped == tag)
        })?;
        let (address, _) = self.hosts.iter().find(|(_, host)| host.device == Some(number))?;
        Some((*address, self.site.as_ref()?.devices.get(number)?.name.get_ref()))
    }

    /// Number of a tag.
    pub(crate) fn tag_number(&self, name: &str) -> Option<usize> {
        self.tags.get(name).copied()
    }

    /// A tag by number.
    pub(crate) fn tag(&self, number: usize) -> Option<&site::Tag> {
        self.site.as_ref()?.tags.get(number)
    }

    /// How many tags there are.
    pub(crate) fn tag_count(&self) -> usize {
        self.tags.len()
    }
}

/// The word for a kind of tag.
pub(crate) const fn tag_kind(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Measurement => "measurement",
        TagKind::Setpoint => "setpoint",
        TagKind::Command => "command",
        TagKind::Status => "status",
        TagKind::Alarm => "alarm",
    }
}

/// Zeek's `Site::private_address_space`: RFC 1918 and its like. The documentation networks are not in it.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_broadcast()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known::new(Some(Arc::new(Site::named("waterworks").unwrap())))
    }

    #[test]
    fn documented_hosts_are_known_and_strangers_are_not() {
        let known = known();
        let hmi = known.host(IpAddr::from([192, 168, 1, 20]), false);
        assert_eq!((hmi.name, hmi.role, hmi.zone, hmi.known), (Some("hmi"), "hmi", "control", true));
        let firewall = known.host(IpAddr::from([192, 168, 1, 1]), false);
        assert_eq!((firewall.role, firewall.known), ("firewall", true));
        let rogue = known.host(IpAddr::from([192, 168, 1, 77]), true);
        assert_eq!((rogue.name, rogue.zone, rogue.known), (None, "control", false));
        assert_eq!(known.host(IpAddr::from([203, 0, 113, 40]), false).level, "outside");
        assert_eq!(known.host(IpAddr::from([8, 8, 8, 8]), false).level, "outside");
    }

    #[test]
    fn writers_are_those_of_the_device() {
        let known = known();
        let plc_3 = IpAddr::from([192, 168, 1, 103]);
        assert!(known.is_writer(plc_3, IpAddr::from([192, 168, 1, 30])));
        assert!(!known.is_writer(plc_3, IpAddr::from([192, 168, 1, 20])));
    }

    #[test]
    fn registers_become_tags() {
        let known = known();
        let (device, _) = known.device(IpAddr::from([192, 168, 1, 101])).unwrap();
        let found: Vec<_> = known.mapped(device, Table::Holding, 39, 3).collect();
        let names: Vec<_> = found
            .iter()
            .filter_map(|(_, mapped)| known.tag(mapped.tag))
            .map(|tag| tag.name.get_ref())
            .collect();
        assert_eq!(names, ["NAOH.SP", "NAOH.MAN"]);
        assert_eq!(found[0].1.decode([11_100, 0]), 11_100.0);
    }
}
