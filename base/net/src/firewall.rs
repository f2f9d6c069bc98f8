//! The firewall's rule API: what it tells, and what it can be told.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use record::VirtualTime;
use serde::{Deserialize, Serialize};
use site::{FirewallRule, Lifetime};

use crate::filter::SessionKey;
use crate::flow::FlowKey;
use crate::inspect::{DeniedRequest, Inspected};
use crate::network::NetError;
use crate::world::Shared;

/// What the firewall did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirewallEventKind {
    /// Let a new flow through; told where the rule says so.
    Allowed,
    /// Dropped a packet that opened a flow.
    Denied,
    /// Dropped a packet that belongs to no session.
    NoSession,
    /// Dropped a packet with a source address of another zone.
    Spoofed,
    /// Got a new rule.
    RuleAdded,
    /// Lost a rule.
    RuleRemoved,
    /// Lost a rule whose lifetime was over.
    RuleExpired,
    /// Ended a session.
    SessionKilled,
    /// Dropped a request, and reset its session.
    RequestDenied,
}

/// One line of the firewall's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirewallEvent {
    /// When.
    #[serde(skip)]
    pub time: VirtualTime,
    /// What it did.
    pub kind: FirewallEventKind,
    /// The rule that decided; none where no rule matched.
    pub rule: Option<String>,
    /// `tcp`, `icmp`, or the IP protocol number; empty for changes of rules.
    pub protocol: String,
    /// Who opened the flow, with port 0 where there are no ports.
    pub source: Option<SocketAddrV4>,
    /// To whom.
    pub destination: Option<SocketAddrV4>,
    /// The request that was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<DeniedRequest>,
    /// The rule that was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<Box<FirewallRule>>,
    /// Who removed a rule or ended a session, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl FirewallEvent {
    /// An event without particulars.
    pub(crate) fn new(time: VirtualTime, kind: FirewallEventKind, rule: Option<String>) -> Self {
        Self {
            time,
            kind,
            rule,
            protocol: String::new(),
            source: None,
            destination: None,
            request: None,
            added: None,
            by: None,
        }
    }
}

/// A rule in force.
#[derive(Clone, Debug)]
pub struct ListedRule {
    /// Names it for [`FirewallHandle::remove`].
    pub id: u64,
    /// What it says.
    pub rule: FirewallRule,
    /// When it goes away.
    pub expires: Option<VirtualTime>,
    /// How many flows it decided about, or, if it is deep, how many requests.
    pub hits: u64,
}

/// A flow that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The flow.
    pub flow: FlowKey,
    /// Who opened it.
    pub source: SocketAddrV4,
    /// To whom.
    pub destination: SocketAddrV4,
    /// When it began.
    pub since: VirtualTime,
    /// The rule that let it through; empty where none was needed, at a port.
    pub rule: String,
    /// The host at whose port it was seen; none between zones.
    pub at: Option<String>,
    /// Whether its requests are inspected.
    pub inspected: Option<Inspected>,
}

/// Picks sessions; what is left out picks all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSelector {
    /// Address of either end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    /// Service port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl SessionSelector {
    /// Whether a session is picked.
    pub(crate) fn picks(&self, key: &SessionKey) -> bool {
        self.address.is_none_or(|address| *key.client.ip() == address || *key.server.ip() == address)
            && self.port.is_none_or(|port| key.server.port() == port)
    }
}

/// The firewall's rule API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FirewallHandle {
    pub(crate) shared: Arc<Shared>,
}

impl FirewallHandle {
    /// Rules in force, in the order in which they are tried.
    pub fn rules(&self) -> Vec<ListedRule> {
        let world = self.shared.world();
        let entries = world.firewall.iter().flat_map(|firewall| &firewall.rules);
        entries
            .map(|entry| ListedRule {
                id: entry.id,
                rule: entry.rule.clone(),
                expires: entry.expires.map(VirtualTime::from_nanos),
                hits: entry.hits,
            })
            .collect()
    }

    /// Adds a rule in front of all others, so that it decides first. It goes away after `lifetime`, or, where
    /// that is `None`, after the rule's own `duration`. Its id.
    pub fn add(&self, rule: FirewallRule, lifetime: Option<Duration>) -> Result<u64, NetError> {
        self.insert(0, rule, lifetime)
    }

    /// Adds a rule at `position`, counted from 0; past the end is at the end.
    pub fn insert(
        &self,
        position: usize,
        rule: FirewallRule,
        lifetime: Option<Duration>,
    ) -> Result<u64, NetError> {
        let lifetime = lifetime.or(rule.duration.map(Lifetime::as_duration));
        self.shared.world().insert_rule(position, rule, lifetime, true)
    }

    /// Removes a rule. False if it is not there.
    pub fn remove(&self, id: u64) -> bool {
        self.remove_by(id, "")
    }

    /// Removes a rule, and says in the journal who did. False if it is not there.
    pub fn remove_by(&self, id: u64, by: &str) -> bool {
        self.shared.world().take_rule(id, FirewallEventKind::RuleRemoved, by)
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        let world = self.shared.world();
        let now = world.now;
        let sessions = world.firewall.iter().flat_map(|firewall| &firewall.sessions);
        sessions
            .filter(|(_, session)| session.expires > now)
            .map(|(key, session)| SessionInfo {
                flow: (*session.flow).clone(),
                source: key.client,
                destination: key.server,
                since: VirtualTime::from_nanos(session.since),
                rule: session.rule.clone(),
                at: key.at.map(|nic| world.nics[nic].name.to_string()),
                inspected: session.inspection.as_ref().map(|inspection| inspection.protocol),
            })
            .collect()
    }

    /// Ends sessions: both ends get a reset, and what they still send is dropped. How many there were.
    pub fn kill_sessions(&self, selector: &SessionSelector) -> usize {
        self.kill_sessions_by(selector, |_, _| true, "")
    }

    /// The same for those whose client and server `concerns` says yes to; the journal says who did.
    pub fn kill_sessions_by(
        &self,
        selector: &SessionSelector,
        concerns: impl Fn(Ipv4Addr, Ipv4Addr) -> bool,
        by: &str,
    ) -> usize {
        let picks = |key: &SessionKey| selector.picks(key) && concerns(*key.client.ip(), *key.server.ip());
        self.shared.world().kill_sessions(&picks, by)
    }
}
