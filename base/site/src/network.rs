//! Zones, hosts and the rules of the firewall between zones.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

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
    /// Its addresses; the firewall has the first one (`.1`).
    pub networks: Vec<Subnet>,
    /// How its switch is joined to the firewall, where that is no cable in the same building.
    #[serde(default)]
    pub wan: Option<WideAreaLink>,
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
}

/// Source or destination of a firewall rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Peer {
    /// Anything.
    Any,
    /// All hosts of a zone, `zone:dmz`.
    Zone(String),
    /// A network or one address.
    Subnet(Subnet),
}

/// Why a text is not a peer of a firewall rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rule's from and to are any, zone:NAME, 10.0.4.0/24 or 10.0.4.10, got {got:?}")]
pub struct PeerError {
    /// What stood there.
    pub got: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Zone(name) => write!(f, "zone:{name}"),
            Self::Subnet(subnet) if subnet.prefix() == 32 => subnet.address().fmt(f),
            Self::Subnet(subnet) => subnet.fmt(f),
        }
    }
}

impl FromStr for Peer {
    type Err = PeerError;
    fn from_str(text: &str) -> Result<Self, PeerError> {
        if text == "any" {
            Ok(Self::Any)
        } else if let Some(name) = text.strip_prefix("zone:") {
            Ok(Self::Zone(name.to_owned()))
        } else if let Ok(address) = text.parse::<Ipv4Addr>() {
            Ok(Self::Subnet(Subnet::single(address)))
        } else {
            text.parse().map(Self::Subnet).map_err(|_| PeerError { got: text.to_owned() })
        }
    }
}

impl From<Peer> for String {
    fn from(peer: Peer) -> Self {
        peer.to_string()
    }
}

impl TryFrom<String> for Peer {
    type Error = PeerError;
    fn try_from(text: String) -> Result<Self, PeerError> {
        text.parse()
    }
}

/// Transport a rule matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Whatever it is.
    #[default]
    Any,
    /// TCP.
    Tcp,
    /// ICMP.
    Icmp,
}

/// What a rule does with a packet that opens a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallAction {
    /// Lets the flow through, both ways.
    Allow,
    /// Drops the packet without a word.
    Deny,
}

/// One rule; the first that matches decides, and what no rule matches is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// Name, unique in the site.
    pub name: String,
    /// Who opens the flow.
    pub from: Peer,
    /// To whom.
    pub to: Peer,
    /// Transport.
    #[serde(default)]
    pub protocol: Protocol,
    /// Destination ports; empty means all.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Allow or deny.
    pub action: FirewallAction,
    /// Whether a match is written to the journal.
    #[serde(default)]
    pub log: bool,
    /// Seconds on the virtual clock after which the rule goes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// Why the rule is there.
    #[serde(default)]
    pub comment: String,
}
