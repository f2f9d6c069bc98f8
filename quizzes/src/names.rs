//! Names that people write, turned into canonical entities.
//!
//! # Theory of operation
//! A person names what they saw: `192.168.1.101`, `00:80:f4:51:01:65`, `plc-1`, `PLC-1` or `NAOH.SP`. Truth,
//! findings and scores speak of one name each: `host:hmi`, `device:PLC-1`, `point:NAOH.SP`. This module is the only
//! place that goes from the one to the other. A controller and the host it answers on are one thing: both become
//! the device, so that nobody loses points for naming the address instead of the nameplate.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use record::EntityId;
use site::{MacAddress, Site};

/// Why a text names nothing in this plant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing here is called {got:?}")]
pub struct UnknownEntity {
    /// What stood there.
    pub got: String,
    /// Canonical names that look like it, best first; at most three.
    pub suggestions: Vec<String>,
}

impl UnknownEntity {
    /// What to write instead.
    pub fn fix(&self) -> String {
        if self.suggestions.is_empty() {
            "write host:NAME, device:NAME, point:TAG, an address or a MAC address of this plant".to_owned()
        } else {
            format!("did you mean {}?", self.suggestions.join(" or "))
        }
    }
}

/// Every name of one run: what the site's documentation knows, and the hosts that took part besides.
#[derive(Clone, Debug)]
pub struct EntityNames {
    hosts: BTreeMap<String, EntityId>,
    devices: BTreeMap<String, EntityId>,
    points: BTreeMap<String, EntityId>,
    addresses: BTreeMap<Ipv4Addr, EntityId>,
    macs: BTreeMap<MacAddress, EntityId>,
}

impl EntityNames {
    /// Names of a site, and of the hosts in a run's topology (`RunManifest::topology`, address to host name).
    pub fn new(site: &Site, topology: &BTreeMap<String, String>) -> Self {
        let mut names = Self {
            hosts: BTreeMap::new(),
            devices: BTreeMap::new(),
            points: BTreeMap::new(),
            addresses: BTreeMap::new(),
            macs: BTreeMap::new(),
        };
        for device in &site.devices {
            let name = device.name.get_ref();
            names.devices.insert(name.to_lowercase(), EntityId::device(name));
            names.hosts.insert(device.host.get_ref().to_lowercase(), EntityId::device(name));
        }
        for host in &site.hosts {
            let entity = names.add_host(host.name.get_ref());
            names.addresses.insert(*host.address.get_ref(), entity.clone());
            names.macs.insert(*host.mac.get_ref(), entity);
        }
        for (address, name) in topology {
            let entity = names.add_host(name);
            if let Ok(address) = address.parse() {
                names.addresses.insert(address, entity);
            }
        }
        for tag in &site.tags {
            let name = tag.name.get_ref();
            names.points.insert(name.to_lowercase(), EntityId::point(name));
        }
        names
    }

    fn add_host(&mut self, name: &str) -> EntityId {
        self.hosts.entry(name.to_lowercase()).or_insert_with(|| EntityId::host(name)).clone()
    }

    /// The entity that a text names: a canonical name, an address, a MAC address, or a bare name or tag.
    /// Upper and lower case do not matter.
    pub fn resolve(&self, text: &str) -> Result<EntityId, UnknownEntity> {
        let text = text.trim();
        let key = text.to_lowercase();
        let found = if let Some(name) = key.strip_prefix("host:") {
            self.hosts.get(name).or_else(|| self.by_address(name))
        } else if let Some(name) = key.strip_prefix("device:") {
            self.devices.get(name).or_else(|| self.hosts.get(name)).or_else(|| self.by_address(name))
        } else if let Some(name) = key.strip_prefix("point:") {
            self.points.get(name)
        } else {
            self.by_address(&key)
                .or_else(|| self.devices.get(&key))
                .or_else(|| self.hosts.get(&key))
                .or_else(|| self.points.get(&key))
        };
        found
            .cloned()
            .ok_or_else(|| UnknownEntity { got: text.to_owned(), suggestions: self.suggestions(&key) })
    }

    /// The same entity under its canonical name; as it was where this run does not know it.
    pub fn canonical(&self, entity: &EntityId) -> EntityId {
        self.resolve(&entity.to_string()).unwrap_or_else(|_| entity.clone())
    }

    /// The entity at an IPv4 address, where the run knows it.
    pub fn at(&self, address: &str) -> Option<EntityId> {
        self.by_address(address).cloned()
    }

    /// Controllers, by ascending name.
    pub fn devices(&self) -> impl Iterator<Item = &EntityId> {
        self.devices.values()
    }

    fn by_address(&self, text: &str) -> Option<&EntityId> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            self.addresses.get(&address)
        } else {
            self.macs.get(&text.parse::<MacAddress>().ok()?)
        }
    }

    fn suggestions(&self, key: &str) -> Vec<String> {
        let bare = key.split_once(':').filter(|(kind, _)| ["host", "device", "point"].contains(kind));
        let bare = bare.map_or(key, |(_, name)| name);
        let names = self.devices.iter().chain(&self.hosts).chain(&self.points);
        let addresses = self.addresses.iter().map(|(address, entity)| (address.to_string(), entity));
        let mut close: Vec<(usize, String)> = names
            .map(|(name, entity)| (edit_distance(bare, name), entity.to_string()))
            .chain(addresses.map(|(address, entity)| (edit_distance(bare, &address), entity.to_string())))
            .filter(|(distance, _)| *distance <= (bare.chars().count() / 3).max(1))
            .collect();
        close.sort();
        let mut found: Vec<String> = Vec::new();
        for (_, name) in close {
            if !found.contains(&name) && found.len() < 3 {
                found.push(name);
            }
        }
        found
    }
}

/// Levenshtein's distance: insertions, deletions and replacements from one text to the other.
pub(crate) fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> EntityNames {
        let topology = BTreeMap::from([("192.168.1.77".to_owned(), "visitor".to_owned())]);
        EntityNames::new(&Site::named("waterworks").unwrap(), &topology)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(names().resolve(text).unwrap().to_string(), expected, "{text}");
    }

    #[test]
    fn addresses_macs_hosts_and_tags_become_canonical() {
        check("192.168.1.20", "host:hmi");
        check("host:192.168.1.20", "host:hmi");
        check("00:14:22:3c:01:14", "host:hmi");
        check("HMI", "host:hmi");
        check("naoh.sp", "point:NAOH.SP");
        check("visitor", "host:visitor");
        check("192.168.1.77", "host:visitor");
    }

    #[test]
    fn a_controller_and_its_host_are_one() {
        for text in ["plc-1", "PLC-1", "host:plc-1", "device:PLC-1", "192.168.1.101", "00:80:f4:51:01:65"] {
            check(text, "device:PLC-1");
        }
    }

    #[test]
    fn an_unknown_name_brings_suggestions() {
        let error = names().resolve("device:PLC-9").unwrap_err();
        assert!(error.suggestions.contains(&"device:PLC-1".to_owned()), "{error:?}");
        assert!(names().resolve("NAOH.SB").unwrap_err().fix().contains("point:NAOH.SP"));
        assert!(names().resolve("").is_err() && names().resolve("\u{1f980}").is_err());
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
    }
}
