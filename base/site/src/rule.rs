//! Rules of the firewall: who may talk to whom, and what they may say.
//!
//! A rule is written the same everywhere: in a site file (TOML), at the rule interface and as an action (JSON). One with
//! `modbus` or `dnp3` is *deep*: it speaks of single requests on a session, not of the session.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Subnet;

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

/// What a rule does with a packet that opens a flow, or, if it is deep, with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallAction {
    /// Lets it through; a flow both ways.
    Allow,
    /// Drops the packet without a word; a request together with its session, which is reset.
    Deny,
}

/// What a Modbus request does to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// Looks and changes nothing: reads, identification, counters, the echo of Diagnostics.
    Read,
    /// Changes something, or may: writes, restarts, downloads, and functions that nobody knows.
    Write,
}

/// Addresses `first` to `last`, both included, counted from 0; written `40` or `40-59`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct AddressRange {
    first: u16,
    last: u16,
}

impl AddressRange {
    /// First address.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Last address.
    pub const fn last(self) -> u16 {
        self.last
    }
}

/// Requests that a deep rule speaks of, on Modbus/TCP. An empty list means all.
///
/// A *deny* matches a request that touches any of what is named, an *allow* one that does nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModbusMatch {
    /// Function codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<u8>,
    /// Whether they change something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<RequestKind>,
    /// Units. A deny matches units 0 and 255 as well, which devices take for themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<u8>,
    /// Coils and registers, by address alone, whatever their table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressRange>,
}

/// Requests that a deep rule speaks of, on DNP3. An empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dnp3Match {
    /// Function codes of the application layer. Confirmations (0) and frames of the link layer alone go with whatever an
    /// allow lets through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<u8>,
    /// Link addresses of outstations. A deny matches broadcasts as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outstations: Vec<u16>,
    /// Object groups, such as 12 for commands to binary outputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u8>,
}

/// How long a rule lasts on the virtual clock: `90s`, `15m`, `24h`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Lifetime {
    seconds: u64,
}

impl Lifetime {
    /// Longest: a year.
    const LONGEST: u64 = 366 * 86_400;
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

    /// As a span of time.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.seconds)
    }
}

/// Why a text is no part of a rule.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleTextError {
    /// No lifetime.
    #[error("a duration is a whole number with s, m, h or d, from 1s to 366d, as in 24h, got {got:?}")]
    Lifetime {
        /// What stood there.
        got: String,
    },
    /// No range of addresses.
    #[error("an address is a number from 0 to 65535 or a range of them as in 40-59, got {got:?}")]
    Range {
        /// What stood there.
        got: String,
    },
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, length) = Self::UNITS
            .into_iter()
            .find(|(_, length)| self.seconds.is_multiple_of(*length))
            .unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.seconds / length)
    }
}

impl FromStr for Lifetime {
    type Err = RuleTextError;
    fn from_str(text: &str) -> Result<Self, RuleTextError> {
        let wrong = || RuleTextError::Lifetime { got: text.to_owned() };
        let (_, length) =
            Self::UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit)).ok_or_else(wrong)?;
        let digits = &text[..text.len() - 1];
        let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let count: u64 = is_number.then(|| digits.parse().ok()).flatten().ok_or_else(wrong)?;
        let seconds = count.saturating_mul(length);
        if (1..=Self::LONGEST).contains(&seconds) { Ok(Self { seconds }) } else { Err(wrong()) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl FromStr for AddressRange {
    type Err = RuleTextError;
    fn from_str(text: &str) -> Result<Self, RuleTextError> {
        let wrong = || RuleTextError::Range { got: text.to_owned() };
        let number = |text: &str| -> Option<u16> {
            text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse().ok()).flatten()
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(wrong()),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = RuleTextError;
            fn try_from(text: String) -> Result<Self, RuleTextError> {
                text.parse()
            }
        }
    )*};
}

as_text! { Lifetime AddressRange }

/// One rule; the first that matches decides. What no rule matches is denied between zones, and passes at a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirewallRule {
    /// Name, unique among the rules in force; a rule without one that is added to a running firewall gets one.
    #[serde(default)]
    pub name: String,
    /// Who opens the flow: `any`, `zone:NAME`, a network or an address.
    #[serde(rename = "source")]
    pub from: Peer,
    /// To whom.
    #[serde(rename = "destination")]
    pub to: Peer,
    /// Transport; of a deep rule always TCP.
    #[serde(default)]
    pub protocol: Protocol,
    /// Destination ports; empty means all, for a deep rule the port of its protocol.
    #[serde(default)]
    pub ports: Vec<u16>,
    /// Host at whose switch port the rule stands, as a transparent firewall in front of it; without it the rule stands
    /// between the zones, where talk within one zone never comes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Which Modbus requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modbus: Option<ModbusMatch>,
    /// Which DNP3 requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnp3: Option<Dnp3Match>,
    /// Allow or deny.
    pub action: FirewallAction,
    /// Whether a flow that it decides about is written to the journal. Denied requests always are.
    #[serde(default)]
    pub log: bool,
    /// How long it stays, on the virtual clock; for ever if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Lifetime>,
    /// Why the rule is there.
    #[serde(default)]
    pub comment: String,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
}

/// Why a rule makes no sense by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// Two protocols at once.
    #[error("a rule inspects modbus or dnp3, not both; write two rules")]
    TwoProtocols,
    /// Inspection of what is no stream.
    #[error("a rule with modbus or dnp3 needs protocol \"tcp\" or \"any\"")]
    NotTcp,
    /// Ports of what has none.
    #[error("icmp has no ports; leave ports out")]
    PortsOfIcmp,
    /// Port 0.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// Something is too long.
    #[error("{what} takes at most {most}, got {got}")]
    TooLong {
        /// Which part of the rule.
        what: &'static str,
        /// Its limit, in characters or entries.
        most: usize,
        /// What it has.
        got: usize,
    },
    /// A name with characters that would not survive a log.
    #[error("name, at, comment and by take printable characters only")]
    Unprintable,
}

/// Most characters of a rule's name, of who asked for it, and of a host.
const NAME_MAX: usize = 64;
/// Most characters of a comment.
const COMMENT_MAX: usize = 500;
/// Most entries of a list.
const ENTRIES_MAX: usize = 256;

impl FirewallRule {
    /// Whether it speaks of requests.
    pub const fn is_deep(&self) -> bool {
        self.modbus.is_some() || self.dnp3.is_some()
    }

    /// Whether it matches a destination port of TCP.
    pub fn takes_port(&self, port: u16) -> bool {
        match (&self.modbus, &self.dnp3) {
            _ if !self.ports.is_empty() => self.ports.contains(&port),
            (Some(_), _) => port == MODBUS_PORT,
            (_, Some(_)) => port == DNP3_PORT,
            (None, None) => true,
        }
    }

    /// Checks all that can be checked without knowing the site.
    pub fn check(&self) -> Result<(), RuleProblem> {
        if self.modbus.is_some() && self.dnp3.is_some() {
            return Err(RuleProblem::TwoProtocols);
        }
        if self.is_deep() && self.protocol == Protocol::Icmp {
            return Err(RuleProblem::NotTcp);
        }
        if self.protocol == Protocol::Icmp && !self.ports.is_empty() {
            return Err(RuleProblem::PortsOfIcmp);
        }
        if self.ports.contains(&0) {
            return Err(RuleProblem::Port);
        }
        let (modbus, dnp3) = (self.modbus.as_ref(), self.dnp3.as_ref());
        let at = self.at.as_deref().unwrap_or_default();
        for (what, got, most) in [
            ("name", self.name.chars().count(), NAME_MAX),
            ("at", at.chars().count(), NAME_MAX),
            ("by", self.by.chars().count(), NAME_MAX),
            ("comment", self.comment.chars().count(), COMMENT_MAX),
            ("ports", self.ports.len(), ENTRIES_MAX),
            ("functions", modbus.map_or(0, |it| it.functions.len()), ENTRIES_MAX),
            ("units", modbus.map_or(0, |it| it.units.len()), ENTRIES_MAX),
            ("addresses", modbus.map_or(0, |it| it.addresses.len()), ENTRIES_MAX),
            ("functions", dnp3.map_or(0, |it| it.functions.len()), ENTRIES_MAX),
            ("outstations", dnp3.map_or(0, |it| it.outstations.len()), ENTRIES_MAX),
            ("groups", dnp3.map_or(0, |it| it.groups.len()), ENTRIES_MAX),
        ] {
            if got > most {
                return Err(RuleProblem::TooLong { what, most, got });
            }
        }
        if [&self.name, at, &self.comment, &self.by].iter().any(|text| text.chars().any(char::is_control)) {
            return Err(RuleProblem::Unprintable);
        }
        Ok(())
    }
}

/// The TCP port registered for Modbus.
const MODBUS_PORT: u16 = 502;
/// The TCP port registered for DNP3.
const DNP3_PORT: u16 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_with_a_unit() {
        for (text, seconds) in [("24h", 86_400), ("1s", 1), ("15m", 900), ("366d", 31_622_400)] {
            let lifetime: Lifetime = text.parse().unwrap();
            assert_eq!(lifetime.as_duration().as_secs(), seconds);
            assert_eq!(lifetime.to_string().parse(), Ok(lifetime), "{text}");
        }
        for wrong in
            ["", "h", "24", "0s", "-1h", "1.5h", "+1h", "367d", "24 h", "99999999999999999999d", "1\u{b5}"]
        {
            assert!(wrong.parse::<Lifetime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_of_addresses_has_one_or_two_ends() {
        let range: AddressRange = "40-59".parse().unwrap();
        assert_eq!((range.first(), range.last(), range.to_string().as_str()), (40, 59, "40-59"));
        assert_eq!("7".parse::<AddressRange>().unwrap().to_string(), "7");
        for wrong in ["", "-", "5-", "-5", "9-3", "65536", "1-2-3", " 1", "+1"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }

    #[track_caller]
    fn check(toml: &str, problem: Option<&RuleProblem>) {
        let text = format!("source = \"any\"\ndestination = \"zone:control\"\naction = \"deny\"\n{toml}");
        let rule: FirewallRule = toml::from_str(&text).unwrap();
        assert_eq!(rule.check().err().as_ref(), problem, "{toml}");
    }

    #[test]
    fn a_rule_that_makes_no_sense_says_why() {
        check("", None);
        check("modbus = { functions = [5, 6], addresses = [\"40-59\"] }", None);
        check("modbus = {}\ndnp3 = {}", Some(&RuleProblem::TwoProtocols));
        check("modbus = {}\nprotocol = \"icmp\"", Some(&RuleProblem::NotTcp));
        check("ports = [1]\nprotocol = \"icmp\"", Some(&RuleProblem::PortsOfIcmp));
        check("ports = [0]", Some(&RuleProblem::Port));
        check("name = \"a\\nb\"", Some(&RuleProblem::Unprintable));
        let long = "x".repeat(501);
        let problem = RuleProblem::TooLong { what: "comment", most: 500, got: 501 };
        check(&format!("comment = \"{long}\""), Some(&problem));
    }
}
