//! A site's network: one switch per zone, its hosts, and the firewall in the middle.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;

use record::VirtualTime;
use site::{HostRole, Lifetime, RuleProblem, Site, Subnet};

use crate::filter::{Firewall, ZoneNetworks};
use crate::firewall::FirewallHandle;
use crate::host::Host;
use crate::kernel::Kernel;
use crate::ledger::FrameLedger;
use crate::link::LinkProperties;
use crate::switch::Switch;
use crate::world::{NewNic, Owner, Shared};

/// Gets every frame that crosses a mirror: when, its number from 1, its octets.
pub type MirrorConsumer = Box<dyn FnMut(VirtualTime, u64, &[u8])>;

/// Why a network cannot be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// A kernel has one network.
    #[error("this kernel has a network already")]
    BuiltTwice,
    /// Two hosts have one name.
    #[error("two hosts are called {name:?}")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Two hosts, or a host and the firewall, have one address.
    #[error("host {host:?} has the address {address}, which {other:?} has")]
    AddressTaken {
        /// The later one.
        host: String,
        /// The address.
        address: Ipv4Addr,
        /// The earlier one.
        other: String,
    },
    /// No such zone.
    #[error("host {host:?} is to stand in zone {zone:?}, which does not exist")]
    NoSuchZone {
        /// The host.
        host: String,
        /// The zone.
        zone: String,
    },
    /// The address lies outside the zone's networks.
    #[error("host {host:?} has the address {address}, which is not in zone {zone:?}")]
    OutsideZone {
        /// The host.
        host: String,
        /// Its address.
        address: Ipv4Addr,
        /// Its zone.
        zone: String,
    },
    /// A rule stands at a host that does not exist.
    #[error("rule {rule:?} is to stand at host {host:?}, which does not exist")]
    UnknownHostInRule {
        /// The rule.
        rule: String,
        /// The host.
        host: String,
    },
    /// A rule makes no sense by itself.
    #[error("rule {rule:?}: {problem}")]
    Rule {
        /// The rule.
        rule: String,
        /// Why.
        problem: RuleProblem,
    },
    /// Two rules have one name.
    #[error("a rule called {rule:?} is in force; choose another name or leave it out")]
    RuleNameTaken {
        /// The name.
        rule: String,
    },
    /// The firewall is full.
    #[error("{most} rules are in force, which is the most; remove one first")]
    TooManyRules {
        /// The limit.
        most: usize,
    },
    /// A rule names a zone that does not exist.
    #[error("rule {rule:?} names zone {zone:?}, which does not exist")]
    UnknownZoneInRule {
        /// The rule.
        rule: String,
        /// The zone.
        zone: String,
    },
}

/// Consumers of all mirrors, by switch.
#[derive(Default)]
pub(crate) struct Mirrors {
    consumers: BTreeMap<usize, Vec<MirrorConsumer>>,
}

impl Mirrors {
    /// Whether anybody watches a switch.
    pub(crate) fn watches(&self, switch: usize) -> bool {
        self.consumers.contains_key(&switch)
    }

    /// Shows a frame to all who watch.
    pub(crate) fn show(&mut self, switch: usize, at: VirtualTime, number: u64, octets: &[u8]) {
        for consumer in self.consumers.get_mut(&switch).into_iter().flatten() {
            consumer(at, number, octets);
        }
    }
}

/// The network of a site. Cheap to clone; stays on the kernel's thread.
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
    mirrors: Rc<RefCell<Mirrors>>,
    mirror_zone: Rc<str>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("mirror_zone", &self.mirror_zone).finish_non_exhaustive()
    }
}

impl Network {
    /// A host by name.
    pub fn host(&self, name: &str) -> Option<Host> {
        let index = self.shared.world().host_names.get(name).copied()?;
        Some(Host::new(&self.shared, index))
    }

    /// A host by address.
    pub fn host_at(&self, address: Ipv4Addr) -> Option<Host> {
        let index = self.shared.world().hosts.iter().position(|host| host.address == address)?;
        Some(Host::new(&self.shared, index))
    }

    /// All hosts: address and name, those added later included, without the firewall.
    pub fn topology(&self) -> BTreeMap<Ipv4Addr, String> {
        self.shared.world().hosts.iter().map(|host| (host.address, host.name.to_string())).collect()
    }

    /// Where real clients enter, if the site has such a host.
    pub fn uplink(&self) -> Option<Host> {
        let index = self.shared.world().hosts.iter().position(|host| host.is_uplink)?;
        Some(Host::new(&self.shared, index))
    }

    /// Shows every frame that crosses a zone's switch to `consumer`, from the next one on. False where there is
    /// no such zone. A consumer must not call this itself.
    pub fn mirror(&self, zone: &str, consumer: MirrorConsumer) -> bool {
        let Some(switch) = self.switch(zone) else { return false };
        self.mirrors.borrow_mut().consumers.entry(switch).or_default().push(consumer);
        true
    }

    /// The ledger of a zone's mirror.
    pub fn ledger(&self, zone: &str) -> Option<FrameLedger> {
        Some(FrameLedger { shared: self.shared.clone(), switch: self.switch(zone)? })
    }

    /// The ledger of the mirror that the site names: the one whose frame numbers ground truth speaks of.
    pub fn mirror_ledger(&self) -> FrameLedger {
        let switch = self.switch(&self.mirror_zone).unwrap_or(0);
        FrameLedger { shared: self.shared.clone(), switch }
    }

    /// Name of the zone whose mirror the site names.
    pub fn mirror_zone(&self) -> &str {
        &self.mirror_zone
    }

    /// The firewall's rule API.
    pub fn firewall(&self) -> FirewallHandle {
        FirewallHandle { shared: self.shared.clone() }
    }

    fn switch(&self, zone: &str) -> Option<usize> {
        self.shared.world().switch_of(zone)
    }
}

/// Builds a site's network in a kernel that has none.
pub fn build(kernel: &mut Kernel, site: &Site) -> Result<Network, NetError> {
    let shared = kernel.shared.clone();
    let mut world = shared.world();
    if world.firewall.is_some() {
        return Err(NetError::BuiltTwice);
    }
    let mut zones = Vec::new();
    for zone in &site.zones {
        let name = zone.name.get_ref();
        let switch = world.switches.len();
        world.switches.push(Switch::new(name));
        let link = match &zone.wan {
            Some(wan) => LinkProperties::over(wan),
            None if zone.level == "outside" => LinkProperties::WIDE_AREA,
            None => world.plant_link,
        };
        let addresses = zone
            .networks
            .iter()
            .filter_map(|network| Some((zone.gateway_in(network)?, network.prefix())))
            .collect();
        let mac = firewall_mac(switch);
        let nic = world.add_nic(NewNic {
            owner: Owner::Firewall,
            name: "firewall".into(),
            mac,
            addresses,
            gateway: None,
            switch,
            link,
        });
        zones.push(ZoneNetworks { name: name.clone(), networks: zone.networks.clone(), nic });
    }
    world.firewall = Some(Firewall::new(zones, world.mtu));
    drop(world);
    for host in &site.hosts {
        add_host(&shared, host)?;
    }
    // Behind the hosts: a rule may stand at the port of one.
    for rule in &site.firewall {
        let mut world = shared.world();
        let position = world.firewall.as_ref().map_or(0, Firewall::rule_count);
        world.insert_rule(position, rule.clone(), rule.duration.map(Lifetime::as_duration), false)?;
    }
    Ok(Network {
        shared,
        mirrors: kernel.mirrors.clone(),
        mirror_zone: site.mirror_zone.get_ref().as_str().into(),
    })
}

/// Ethernet addresses of the firewall: one per zone, with the OUI of a maker of firewalls' network cards.
fn firewall_mac(switch: usize) -> [u8; 6] {
    [0x00, 0x90, 0x0b, 0x10, 0x01, switch as u8 + 1]
}

/// Adds one host.
pub(crate) fn add_host(shared: &Arc<Shared>, host: &site::Host) -> Result<Host, NetError> {
    let mut world = shared.world();
    let name = host.name.get_ref();
    let zone = host.zone.get_ref();
    let address = *host.address.get_ref();
    if world.host_names.contains_key(name.as_str()) {
        return Err(NetError::NameTaken { name: name.clone() });
    }
    if let Some(other) = world.addresses.get(&address) {
        return Err(NetError::AddressTaken { host: name.clone(), address, other: other.to_string() });
    }
    let known = world.firewall.as_ref().and_then(|firewall| firewall.zone(zone));
    let (Some(switch), Some(known)) = (world.switches.iter().position(|switch| switch.zone == *zone), known)
    else {
        return Err(NetError::NoSuchZone { host: name.clone(), zone: zone.clone() });
    };
    let network: Option<Subnet> = known.networks.iter().copied().find(|network| network.contains(address));
    let mut gateways = world.nics[known.nic].addresses.iter().map(|(gateway, _)| *gateway);
    let gateway = network.and_then(|network| gateways.find(|gateway| network.contains(*gateway)));
    let (Some(network), Some(gateway)) = (network, gateway) else {
        return Err(NetError::OutsideZone { host: name.clone(), address, zone: zone.clone() });
    };
    let is_uplink = host.role == HostRole::Uplink;
    let mac = host.mac.get_ref().0;
    let index = world.add_host(name, mac, (address, network.prefix()), gateway, switch, is_uplink);
    drop(world);
    Ok(Host::new(shared, index))
}
