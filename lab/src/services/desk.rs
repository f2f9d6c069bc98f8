//! What can be asked and changed at the firewall and beside it, and by whom.
//!
//! Everybody who asks is an [`Asker`]. A person in the run may do everything (who that is, is the console's affair); the holder of a zone's key may see everything and
//! change what touches the zone: a rule that has an end in it or stands at the port of one of its hosts, a session with an
//! end in it. What is changed is in the journal, with the asker's name.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use net::{FirewallHandle, KernelClock, ListedRule, NetError, SessionInfo, SessionSelector};
use record::{Clock, EventSource, StartTime, VirtualTime};
use serde::{Deserialize, Serialize};
use site::{Criticality, FirewallRule, MacAddress, Peer, Site, Zone};

use crate::journal::Journal;

/// Tickets kept, at most.
const TICKETS_MAX: usize = 1000;
/// Most characters of a ticket's title.
const TITLE_MAX: usize = 200;
/// Most characters of its text.
const TEXT_MAX: usize = 8000;
/// Most assets that it names.
const ASSETS_MAX: usize = 32;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    /// The name in the journal.
    pub(crate) name: String,
    /// The zone that it answers for; all of them where there is none.
    pub(crate) zone: Option<String>,
}

impl Asker {
    /// A person in the run, by what they speak through: the console, the command line.
    pub(crate) fn person(through: &str) -> Self {
        Self { name: through.to_owned(), zone: None }
    }
}

/// Why something was not done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Rule(#[from] NetError),
    #[error("the key of zone {zone:?} makes rules and ends sessions that touch this zone; this one does not")]
    OtherZone { zone: String },
    #[error("no rule has the id {id}")]
    NoRule { id: u64 },
    #[error("no asset is called {id:?}")]
    NoAsset { id: String },
    #[error("{what} takes at most {most}, got {got}")]
    TooLong { what: &'static str, most: usize, got: usize },
    #[error("a ticket needs a title")]
    NoTitle,
    #[error("{TICKETS_MAX} tickets are open, which is the most")]
    TooManyTickets,
}

/// A rule in force, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct RuleShown {
    pub(crate) id: u64,
    /// From 0; the first that matches decides.
    pub(crate) position: usize,
    /// Flows that it decided about; of a deep rule, requests.
    pub(crate) hits: u64,
    /// When it goes away, in UTC on the virtual clock.
    pub(crate) expires: Option<String>,
    pub(crate) rule: FirewallRule,
}

/// What adding a rule came to.
#[derive(Debug, Serialize)]
pub(crate) struct RuleAdded {
    #[serde(flatten)]
    pub(crate) shown: RuleShown,
    /// What the rule will not do although its author may think so.
    pub(crate) warnings: Vec<String>,
}

/// A session, as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct SessionShown {
    protocol: &'static str,
    source: String,
    destination: String,
    since: String,
    rule: String,
    at: Option<String>,
    inspected: Option<net::Inspected>,
}

/// A host as the asset register has it.
#[derive(Debug, Serialize)]
pub(crate) struct Asset {
    id: String,
    title: String,
    role: &'static str,
    address: Ipv4Addr,
    mac: MacAddress,
    zone: String,
    level: String,
    criticality: Criticality,
    owner: String,
    /// Of controllers.
    identity: Option<Identity>,
}

/// What a controller says of itself.
#[derive(Clone, Debug, Serialize)]
struct Identity {
    vendor: String,
    product: String,
    product_code: String,
    revision: String,
}

/// How soon somebody should look at a ticket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

/// A ticket as it is sent in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTicket {
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    severity: Severity,
    /// Assets that it is about, by id.
    #[serde(default)]
    assets: Vec<String>,
}

/// A ticket as it is kept.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ticket {
    id: usize,
    opened: String,
    by: String,
    #[serde(flatten)]
    content: NewTicket,
}

/// The firewall's rule interface, the asset register and the tickets of one lab.
pub(crate) struct Desk {
    firewall: FirewallHandle,
    clock: KernelClock,
    start: StartTime,
    zones: Vec<Zone>,
    assets: Vec<Asset>,
    /// Zone by key.
    keys: BTreeMap<String, String>,
    tickets: RefCell<Vec<Ticket>>,
    journal: Option<Journal>,
}

impl Desk {
    /// A desk with the site's assets and no tickets.
    pub(crate) fn new(
        site: &Site,
        seed: u64,
        start: StartTime,
        firewall: FirewallHandle,
        clock: KernelClock,
        journal: Option<Journal>,
    ) -> Self {
        Self {
            firewall,
            clock,
            start,
            zones: site.zones.clone(),
            assets: assets(site),
            keys: super::keys(seed, site).into_iter().map(|(zone, key)| (key, zone)).collect(),
            tickets: RefCell::default(),
            journal,
        }
    }

    /// Who holds a key.
    pub(crate) fn holder(&self, key: &str) -> Option<Asker> {
        let zone = self.keys.get(key)?;
        Some(Asker { name: format!("key of {zone}"), zone: Some(zone.clone()) })
    }

    /// Rules in force, in the order in which they are tried.
    pub(crate) fn rules(&self) -> Vec<RuleShown> {
        let rules = self.firewall.rules().into_iter().enumerate();
        rules.map(|(position, listed)| self.show(position, listed)).collect()
    }

    /// One rule in force.
    pub(crate) fn rule(&self, id: u64) -> Result<RuleShown, Refusal> {
        self.rules().into_iter().find(|shown| shown.id == id).ok_or(Refusal::NoRule { id })
    }

    fn show(&self, position: usize, listed: ListedRule) -> RuleShown {
        let ListedRule { id, rule, expires, hits } = listed;
        RuleShown { id, position, hits, expires: expires.map(|at| self.start.utc(at)), rule }
    }

    /// Puts a rule in front of all others.
    pub(crate) fn add_rule(&self, asker: &Asker, mut rule: FirewallRule) -> Result<RuleAdded, Refusal> {
        if let Some(zone) = &asker.zone
            && !self.rule_touches(&rule, zone)
        {
            return Err(Refusal::OtherZone { zone: zone.clone() });
        }
        let name = &asker.name;
        rule.by = if rule.by.is_empty() { name.clone() } else { format!("{} ({name})", rule.by) };
        let warnings = self.warnings(&rule);
        let id = self.firewall.add(rule, None)?;
        Ok(RuleAdded { shown: self.rule(id)?, warnings })
    }

    /// Takes a rule out; its name.
    pub(crate) fn remove_rule(&self, asker: &Asker, id: u64) -> Result<String, Refusal> {
        let RuleShown { rule, .. } = self.rule(id)?;
        if let Some(zone) = &asker.zone
            && !self.rule_touches(&rule, zone)
        {
            return Err(Refusal::OtherZone { zone: zone.clone() });
        }
        self.firewall.remove_by(id, &asker.name);
        Ok(rule.name)
    }

    /// Sessions that are open now.
    pub(crate) fn sessions(&self) -> Vec<SessionShown> {
        let show = |session: SessionInfo| SessionShown {
            protocol: match session.flow.protocol {
                net::FlowProtocol::Tcp => "tcp",
                net::FlowProtocol::Icmp => "icmp",
                net::FlowProtocol::Arp => "arp",
                net::FlowProtocol::Other => "other",
            },
            source: session.source.to_string(),
            destination: session.destination.to_string(),
            since: self.start.utc(session.since),
            rule: session.rule,
            at: session.at,
            inspected: session.inspected,
        };
        self.firewall.sessions().into_iter().map(show).collect()
    }

    /// Ends sessions, of those that the asker answers for; how many there were.
    pub(crate) fn kill_sessions(&self, asker: &Asker, selector: &SessionSelector) -> usize {
        let zone = asker.zone.as_deref().map(|name| self.zone(name));
        let is_inside = |address: Ipv4Addr| match zone {
            None => true,
            Some(zone) => {
                zone.is_some_and(|zone| zone.networks.iter().any(|network| network.contains(address)))
            }
        };
        self.firewall.kill_sessions_by(selector, |one, other| is_inside(one) || is_inside(other), &asker.name)
    }

    /// All assets, in the order of the documentation.
    pub(crate) fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// One asset.
    pub(crate) fn asset(&self, id: &str) -> Result<&Asset, Refusal> {
        self.assets.iter().find(|asset| asset.id == id).ok_or_else(|| Refusal::NoAsset { id: id.to_owned() })
    }

    /// Tickets, oldest first.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        self.tickets.borrow().clone()
    }

    /// Opens a ticket.
    pub(crate) fn open_ticket(&self, asker: &Asker, ticket: NewTicket) -> Result<Ticket, Refusal> {
        for (what, got, most) in [
            ("title", ticket.title.chars().count(), TITLE_MAX),
            ("text", ticket.text.chars().count(), TEXT_MAX),
            ("assets", ticket.assets.len(), ASSETS_MAX),
        ] {
            if got > most {
                return Err(Refusal::TooLong { what, most, got });
            }
        }
        if ticket.title.trim().is_empty() {
            return Err(Refusal::NoTitle);
        }
        for id in &ticket.assets {
            self.asset(id)?;
        }
        let mut tickets = self.tickets.borrow_mut();
        if tickets.len() >= TICKETS_MAX {
            return Err(Refusal::TooManyTickets);
        }
        let (id, now) = (tickets.len() + 1, self.clock.now());
        let ticket = Ticket { id, opened: self.start.utc(now), by: asker.name.clone(), content: ticket };
        self.report(now, &ticket);
        tickets.push(ticket.clone());
        Ok(ticket)
    }

    fn report(&self, now: VirtualTime, ticket: &Ticket) {
        if let Some(journal) = &self.journal {
            let data = serde_json::to_value(ticket).unwrap_or_default();
            journal.report(now, EventSource::Trainee, "ticket.opened", data);
        }
    }

    fn zone(&self, name: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.name.get_ref() == name)
    }

    /// The zone that a peer lies in as a whole.
    fn zone_of<'a>(&'a self, peer: &'a Peer) -> Option<&'a str> {
        match peer {
            Peer::Any => None,
            Peer::Zone(name) => Some(name),
            Peer::Subnet(subnet) => {
                let holds = |zone: &&Zone| {
                    let mut networks = zone.networks.iter();
                    networks.any(|network| {
                        network.prefix() <= subnet.prefix() && network.contains(subnet.address())
                    })
                };
                self.zones.iter().find(holds).map(|zone| zone.name.get_ref().as_str())
            }
        }
    }

    fn rule_touches(&self, rule: &FirewallRule, zone: &str) -> bool {
        let at = rule.at.as_deref().and_then(|host| self.asset(host).ok());
        [&rule.from, &rule.to].into_iter().any(|peer| self.zone_of(peer) == Some(zone))
            || at.is_some_and(|asset| asset.zone == zone)
    }

    fn warnings(&self, rule: &FirewallRule) -> Vec<String> {
        let mut warnings = Vec::new();
        if rule.at.is_none()
            && let (Some(from), Some(to)) = (self.zone_of(&rule.from), self.zone_of(&rule.to))
            && from == to
        {
            warnings.push(format!(
                "source and destination lie in zone {from}, whose hosts talk past the firewall; add \"at\" with the name of a host to stand at its port"
            ));
        }
        if rule.at.is_none() && !rule.is_deep() && rule.action == site::FirewallAction::Deny {
            warnings.push("sessions that are open go on; end them with a session kill".to_owned());
        }
        warnings
    }
}

fn assets(site: &Site) -> Vec<Asset> {
    let asset = |host: &site::Host| {
        let name = host.name.get_ref();
        let identity = site.device_on(name).map(|device| Identity {
            vendor: device.vendor.clone(),
            product: device.product_name.clone(),
            product_code: device.product_code.clone(),
            revision: device.revision.clone(),
        });
        let zone = host.zone.get_ref();
        Asset {
            id: name.clone(),
            title: host.title.clone(),
            role: host.role.as_str(),
            address: *host.address.get_ref(),
            mac: *host.mac.get_ref(),
            zone: zone.clone(),
            level: site.zone(zone).map(|zone| zone.level.clone()).unwrap_or_default(),
            criticality: host.criticality,
            owner: host.owner.clone(),
            identity,
        }
    };
    site.hosts.iter().map(asset).collect()
}
