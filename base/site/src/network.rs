//! Zones and hosts.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;

use crate::{MacAddress, Subnet};

/// A part of the network behind one switch; zones meet at the firewall.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Short name, `control`.
    pub name: Spanned<String>,
    /// What people call it.
    pub title: String,
    /// Purdue level, `4`, `3.5`, `1-3`, `outside`.
    pub level: String,
    /// Its addresses; the firewall has the first one (`.1`) of each.
    pub networks: Vec<Subnet>,
    /// The firewall's address in the first network, where it is another than `.1`.
    #[serde(default)]
    pub gateway: Option<Spanned<Ipv4Addr>>,
    /// How its switch is joined to the firewall, where that is no cable in the same building.
    #[serde(default)]
    pub wan: Option<WideAreaLink>,
}

impl Zone {
    /// The firewall's address in one of the zone's networks, as far as the network has room for one.
    pub fn gateway_in(&self, network: &Subnet) -> Option<Ipv4Addr> {
        let own = self.gateway.as_ref().map(|gateway| *gateway.get_ref());
        own.filter(|gateway| network.contains(*gateway)).or_else(|| network.nth(1))
    }
}

/// A link over leased lines, radio or a carrier's network. What is left out is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WideAreaLink {
    /// Time that every frame takes, one way.
    pub latency_ms: f64,
    /// Upper limit of the time that a frame takes on top.
    pub jitter_ms: f64,
    /// Share of frames that are lost, 0 to 1.
    pub loss: f64,
}

impl WideAreaLink {
    /// Longest time that is taken: a way round the world by satellite, several times over.
    const LONGEST_MS: f64 = 10_000.0;

    /// Whether its figures make sense.
    pub(crate) fn is_sound(&self) -> bool {
        let times = 0.0..=Self::LONGEST_MS;
        times.contains(&self.latency_ms)
            && times.contains(&self.jitter_ms)
            && (0.0..=0.5).contains(&self.loss)
    }
}

/// What a host is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// Programmable logic controller.
    Plc,
    /// Remote terminal unit.
    Rtu,
    /// Operator station.
    Hmi,
    /// OT historian.
    Historian,
    /// Engineering workstation.
    Engineering,
    /// Historian on the enterprise side.
    ItHistorian,
    /// Office workstation.
    Workstation,
    /// Jump server.
    Jump,
    /// Mail, patches and the like.
    Server,
    /// Vendor's remote support.
    RemoteSupport,
    /// Where real clients enter in live mode.
    Uplink,
    /// A host that the site's documentation does not know.
    Unknown,
}

impl HostRole {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plc => "plc",
            Self::Rtu => "rtu",
            Self::Hmi => "hmi",
            Self::Historian => "historian",
            Self::Engineering => "engineering",
            Self::ItHistorian => "it-historian",
            Self::Workstation => "workstation",
            Self::Jump => "jump",
            Self::Server => "server",
            Self::RemoteSupport => "remote-support",
            Self::Uplink => "uplink",
            Self::Unknown => "unknown",
        }
    }
}

/// How much depends on a host: what an asset register says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Criticality {
    /// Nobody waits for it.
    #[default]
    Low,
    /// Work goes on without it for a day.
    Medium,
    /// Operation is blind or slow without it.
    High,
    /// The process stops, or is in danger, without it.
    Critical,
}

impl Criticality {
    /// Its name in site files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// One machine on the network.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Short name, `plc-1`.
    pub name: Spanned<String>,
    /// IPv4 address.
    pub address: Spanned<Ipv4Addr>,
    /// Ethernet address; its first half names the vendor of the network card.
    pub mac: Spanned<MacAddress>,
    /// Zone it stands in.
    pub zone: Spanned<String>,
    /// What it is for.
    pub role: HostRole,
    /// What people call it.
    #[serde(default)]
    pub title: String,
    /// How much depends on it.
    #[serde(default)]
    pub criticality: Criticality,
    /// Who answers for it.
    #[serde(default)]
    pub owner: String,
}
