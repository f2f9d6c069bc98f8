//! A whole site: reading its file and checking that it makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_spanned::Spanned;

use crate::file::Source;
use crate::{
    Access, Device, FileError, FirewallRule, Grid, Host, Peer, SafeStop, Subnet, Tag, TagKind, Tie, Zone,
};

/// What is written down about one plant.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Short name, `waterworks`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Zone whose switch has the mirror port.
    pub mirror_zone: Spanned<String>,
    /// Networks behind the firewall, outermost first.
    #[serde(rename = "zone")]
    pub zones: Vec<Zone>,
    /// Machines.
    #[serde(rename = "host")]
    pub hosts: Vec<Host>,
    /// Rules of the firewall, in order.
    #[serde(rename = "firewall", default)]
    pub firewall: Vec<FirewallRule>,
    /// Tags.
    #[serde(rename = "tag")]
    pub tags: Vec<Tag>,
    /// What one button of the operator's does, in order: a state in which nothing can go further wrong. Empty where the
    /// plant has none.
    #[serde(default)]
    pub safe_stop: Vec<SafeStop>,
    /// Controllers.
    #[serde(rename = "device")]
    pub devices: Vec<Device>,
    /// Physical ties between tags.
    #[serde(rename = "tie", default)]
    pub ties: Vec<Tie>,
    /// What breakers join, where the plant is an electrical network.
    #[serde(default)]
    pub grid: Option<Grid>,
}

/// Sites that come with Fieldrange: name and text.
const BUNDLED: [(&str, &str); 2] = [
    ("waterworks", include_str!("../sites/waterworks.toml")),
    ("power", include_str!("../sites/power.toml")),
];

impl Site {
    /// Names of the sites that come with Fieldrange.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|(name, _)| *name)
    }

    /// A site that comes with Fieldrange.
    pub fn named(name: &str) -> Result<Self, FileError> {
        match BUNDLED.iter().find(|(bundled, _)| *bundled == name) {
            Some((_, text)) => Self::parse(&format!("{name}.toml"), text),
            None => Err(FileError {
                file: name.to_owned(),
                line: 0,
                problem: format!("no site is called {name:?}"),
                fix: format!(
                    "name one of {}, or a file ending in .toml",
                    Self::names().collect::<Vec<_>>().join(", ")
                ),
            }),
        }
    }

    /// Reads a site file and checks it whole.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file, text };
        let site: Self = source.parse()?;
        site.check(&source)?;
        Ok(site)
    }

    /// A host by name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name.get_ref() == name)
    }

    /// A host by address.
    pub fn host_at(&self, address: Ipv4Addr) -> Option<&Host> {
        self.hosts.iter().find(|host| *host.address.get_ref() == address)
    }

    /// A zone by name.
    pub fn zone(&self, name: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name.get_ref() == name)
    }

    /// The zone whose networks hold an address.
    pub fn zone_of(&self, address: Ipv4Addr) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.networks.iter().any(|network| network.contains(address)))
    }

    /// A tag by name.
    pub fn tag(&self, name: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.name.get_ref() == name)
    }

    /// A controller by name.
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name.get_ref() == name)
    }

    /// The controller that answers on a host.
    pub fn device_on(&self, host: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.host.get_ref() == host)
    }

    /// The controller through which a tag is written or commanded.
    pub fn device_that_takes(&self, tag: &str) -> Option<&Device> {
        let takes = |device: &&Device| device.writable_entry(tag).is_some() || device.output(tag).is_some();
        self.devices.iter().find(takes)
    }

    fn check(&self, source: &Source<'_>) -> Result<(), FileError> {
        self.check_zones(source)?;
        self.check_hosts(source)?;
        self.check_tags(source)?;
        for device in &self.devices {
            self.check_device(source, device)?;
        }
        self.check_names_in_rules(source)
    }

    fn check_zones(&self, source: &Source<'_>) -> Result<(), FileError> {
        let mut seen: Vec<(Subnet, &str)> = Vec::new();
        for zone in &self.zones {
            if self.zones.iter().filter(|other| other.name.get_ref() == zone.name.get_ref()).count() > 1 {
                return Err(source.error(
                    &zone.name,
                    format!("two zones are called {:?}", zone.name.get_ref()),
                    "rename one of them",
                ));
            }
            if zone.networks.is_empty() {
                return Err(source.error(
                    &zone.name,
                    "a zone needs a network",
                    "add networks = [\"192.168.1.0/24\"]",
                ));
            }
            if zone.wan.is_some_and(|wan| !wan.is_sound()) {
                return Err(source.error(
                    &zone.name,
                    "a wide area link takes 0 to 10000 ms and loses a share of 0 to 0.5",
                    "write wan = { latency_ms = 30, jitter_ms = 10, loss = 0.01 }",
                ));
            }
            if let Some(gateway) = &zone.gateway
                && !zone.networks.first().is_some_and(|network| network.contains(*gateway.get_ref()))
            {
                return Err(source.error(
                    gateway,
                    format!("{} is not in the zone's first network", gateway.get_ref()),
                    "choose an address of that network, or leave gateway out for .1",
                ));
            }
            for network in &zone.networks {
                if let Some((other, name)) = seen.iter().find(|(other, _)| other.overlaps(network)) {
                    return Err(source.error(
                        &zone.name,
                        format!("{network} overlaps {other} of zone {name:?}"),
                        "give every zone addresses of its own",
                    ));
                }
                seen.push((*network, zone.name.get_ref()));
            }
        }
        if self.zone(self.mirror_zone.get_ref()).is_none() {
            let names: Vec<_> = self.zones.iter().map(|zone| zone.name.get_ref().as_str()).collect();
            return Err(source.error(
                &self.mirror_zone,
                format!("no zone is called {:?}", self.mirror_zone.get_ref()),
                format!("name one of {}", names.join(", ")),
            ));
        }
        Ok(())
    }

    fn check_hosts(&self, source: &Source<'_>) -> Result<(), FileError> {
        let mut names = BTreeSet::new();
        let mut addresses = BTreeMap::new();
        let mut macs = BTreeMap::new();
        for host in &self.hosts {
            let name = host.name.get_ref();
            if !names.insert(name) {
                return Err(source.error(
                    &host.name,
                    format!("two hosts are called {name:?}"),
                    "rename one of them",
                ));
            }
            let address = *host.address.get_ref();
            if let Some(other) = addresses.insert(address, name) {
                return Err(source.error(
                    &host.address,
                    format!("hosts {other:?} and {name:?} both have the address {address}"),
                    "give each host an address of its own",
                ));
            }
            let mac = *host.mac.get_ref();
            if let Some(other) = macs.insert(mac, name) {
                return Err(source.error(
                    &host.mac,
                    format!("hosts {other:?} and {name:?} both have the MAC address {mac}"),
                    "give each host a MAC address of its own",
                ));
            }
            let Some(zone) = self.zone(host.zone.get_ref()) else {
                return Err(source.error(
                    &host.zone,
                    format!("no zone is called {:?}", host.zone.get_ref()),
                    "name a zone of this file",
                ));
            };
            let Some(network) = zone.networks.iter().find(|network| network.contains(address)) else {
                return Err(source.error(
                    &host.address,
                    format!("{address} is not in zone {:?}", zone.name.get_ref()),
                    "choose an address of the zone's networks, or another zone",
                ));
            };
            if zone.gateway_in(network) == Some(address) {
                return Err(source.error(
                    &host.address,
                    format!("{address} is the firewall's own"),
                    "choose another address",
                ));
            }
        }
        Ok(())
    }

    fn check_tags(&self, source: &Source<'_>) -> Result<(), FileError> {
        let mut names = BTreeSet::new();
        for tag in &self.tags {
            let name = tag.name.get_ref();
            if !names.insert(name) {
                return Err(source.error(
                    &tag.name,
                    format!("two tags are called {name:?}"),
                    "rename one of them",
                ));
            }
            if tag.low.partial_cmp(&tag.high) != Some(std::cmp::Ordering::Less) {
                return Err(source.error(
                    &tag.name,
                    format!("{name}: low must be below high"),
                    "swap or mend low and high",
                ));
            }
            if tag.priority.is_some_and(|priority| tag.kind != TagKind::Alarm || !(1..=3).contains(&priority))
            {
                return Err(source.error(
                    &tag.name,
                    format!("{name}: a priority is 1, 2 or 3, and alarms alone have one"),
                    "mend it, or leave it out",
                ));
            }
        }
        for stop in &self.safe_stop {
            if self.device_that_takes(stop.tag.get_ref()).is_none() {
                return Err(source.error(
                    &stop.tag,
                    format!("the safe stop writes {:?}, which no controller takes", stop.tag.get_ref()),
                    "name a setpoint or command of this file",
                ));
            }
        }
        for tie in &self.ties {
            for tag in tie.law.tags() {
                if self.tag(tag).is_none() {
                    return Err(source.error_at(
                        source.text.find(&tie.name).unwrap_or(0),
                        format!("tie {:?} speaks of {tag:?}, which is no tag of this file", tie.name),
                        "add the tag or mend the name",
                    ));
                }
            }
        }
        self.grid.as_ref().map_or(Ok(()), |grid| grid.check(source, |name| self.tag(name).is_some()))
    }

    fn check_device(&self, source: &Source<'_>, device: &Device) -> Result<(), FileError> {
        if self.host(device.host.get_ref()).is_none() {
            return Err(source.error(
                &device.host,
                format!("no host is called {:?}", device.host.get_ref()),
                "name a host of this file",
            ));
        }
        for writer in &device.writers {
            if self.host(writer.get_ref()).is_none() {
                return Err(source.error(
                    writer,
                    format!("no host is called {:?}", writer.get_ref()),
                    "name a host of this file",
                ));
            }
        }
        for signal in device.inputs.iter().chain(&device.outputs) {
            if self.tag(signal.get_ref()).is_none() {
                return Err(source.error(
                    signal,
                    format!("no tag is called {:?}", signal.get_ref()),
                    "add the tag or mend the name",
                ));
            }
        }
        device.check_points(source)?;
        let mapped = device
            .registers
            .iter()
            .map(|entry| &entry.tag)
            .chain(device.points.iter().flat_map(crate::PointEntry::tags))
            .chain(&device.dnp3.local);
        for tag in mapped {
            if self.tag(tag.get_ref()).is_none() {
                return Err(source.error(
                    tag,
                    format!("no tag is called {:?}", tag.get_ref()),
                    "add the tag or mend the name",
                ));
            }
        }
        let mut taken = BTreeMap::new();
        for entry in &device.registers {
            let tag = entry.tag.get_ref();
            if entry.table.is_bits() != (entry.encoding == crate::Encoding::Bool) {
                return Err(source.error(
                    &entry.address,
                    format!("{tag}: table {} and encoding do not go together", entry.table.as_str()),
                    "bits (coil, discrete) take encoding = \"bool\", registers (input, holding) the others",
                ));
            }
            if !entry.table.is_writable() && entry.access != Access::Read {
                return Err(source.error(
                    &entry.address,
                    format!("{tag}: Modbus has no function that writes table {}", entry.table.as_str()),
                    "use holding or coil, or leave access out",
                ));
            }
            if entry.scale == 0.0 || !entry.scale.is_finite() {
                return Err(source.error(
                    &entry.tag,
                    format!("{tag}: scale must not be 0"),
                    "leave scale out for one unit per count",
                ));
            }
            for address in u32::from(*entry.address.get_ref())
                ..u32::from(*entry.address.get_ref()) + u32::from(entry.encoding.width())
            {
                if let Some(other) = taken.insert((entry.table, address), tag) {
                    return Err(source.error(
                        &entry.address,
                        format!("{} {address} holds both {other} and {tag}", entry.table.as_str()),
                        "give each entry addresses of its own; f32 takes two",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_names_in_rules(&self, source: &Source<'_>) -> Result<(), FileError> {
        for rule in &self.firewall {
            let place = |text: &str| source.text.find(text).unwrap_or(0);
            let here = || place(&format!("name = {:?}", rule.name));
            if let Err(problem) = rule.check() {
                return Err(source.error_at(
                    here(),
                    format!("rule {:?}: {problem}", rule.name),
                    "mend or remove the rule",
                ));
            }
            let namesakes = self.firewall.iter().filter(|other| other.name == rule.name).count();
            if rule.name.is_empty() || namesakes > 1 {
                return Err(source.error_at(
                    here(),
                    format!("{namesakes} rules are called {:?}", rule.name),
                    "give each rule a name of its own",
                ));
            }
            if let Some(host) = &rule.at
                && self.host(host).is_none()
            {
                return Err(source.error_at(
                    place(&format!("at = {host:?}")),
                    format!("rule {:?} stands at {host:?}, which is no host of this file", rule.name),
                    "name a host of this file",
                ));
            }
            for peer in [&rule.from, &rule.to] {
                if let Peer::Zone(name) = peer
                    && self.zone(name).is_none()
                {
                    return Err(source.error_at(
                        place(&format!("zone:{name}")),
                        format!("rule {:?} names zone {name:?}, which is not in this file", rule.name),
                        "name a zone of this file",
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATERWORKS: &str = BUNDLED[0].1;

    #[track_caller]
    fn check_altered(from: &str, to: &str, problem: &str) {
        assert!(WATERWORKS.contains(from), "{from:?} is gone from the file");
        let altered = WATERWORKS.replacen(from, to, 1);
        let error = Site::parse("waterworks.toml", &altered).unwrap_err();
        let line = WATERWORKS[..WATERWORKS.find(from).unwrap()].lines().count().max(1);
        assert!(error.problem.contains(problem), "{error}");
        assert!(!error.fix.is_empty(), "{error}");
        assert!(error.line.abs_diff(line) <= 3, "{error}: expected near line {line}");
    }

    #[test]
    fn the_bundled_sites_make_sense() {
        for name in Site::names() {
            Site::named(name).unwrap();
        }
    }

    #[test]
    fn two_hosts_with_one_address_are_an_error_with_line_and_fix() {
        check_altered("address = \"192.168.1.103\"", "address = \"192.168.1.102\"", "both have the address");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_fix() {
        check_altered("unit_id = 2", "unit = 2", "unknown field `unit`");
    }

    #[test]
    fn a_missing_tag_is_an_error_with_line_and_fix() {
        check_altered("tag = \"FIT-301\"", "tag = \"FIT-309\"", "no tag is called");
    }

    #[test]
    fn two_entries_at_one_address_are_an_error() {
        check_altered("address = 41, tag", "address = 40, tag", "holds both");
    }

    #[test]
    fn an_address_outside_its_zone_is_an_error() {
        check_altered("address = \"192.168.1.20\"", "address = \"192.168.7.20\"", "is not in zone");
    }
}
