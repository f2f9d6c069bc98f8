//! Traces beside the network: what mail gateway, VPN, directory, jump server, engineering workstation, historian, doors and
//! telephone keep of a run.
//!
//! # Theory of operation
//! Traces are written when a run has ended, as a function of its plan, its ground truth and the connections that its
//! sensor saw; nothing here acts, so no run is altered by them. Whoever went over the jump server has a connection to the
//! workstation's remote desktop in the capture: around each of those the story is told back to the VPN log-on, the ticket of the
//! directory, and, where the session was hostile, to the mail that took the credential; and forward to the process that spoke to
//! the controllers, with the ports of the capture. What people do every day stands around it, drawn from the seed.
//!
//! Hosts, accounts, domains and hashes are invented; outside addresses are from the documentation ranges (RFC 5737), domains end in
//! `.example` (RFC 2606). Event ids and field names are those of Windows Security auditing and of Sysmon.
//!
//! What a person can find is also given as `facts`, for the lab to grade by; a trainee's copy of a record has none.

mod files;
mod office;
mod windows;
mod workstation;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use record::{KeyedStream, TruthStep, Verdict, VirtualTime};
use serde_json::Value;
use site::{HostRole, Site};

use crate::plan::Plan;

/// A connection as the sensor's log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// First packet.
    pub start: VirtualTime,
    /// Last packet.
    pub end: VirtualTime,
    /// Who opened it.
    pub client: Ipv4Addr,
    /// From which port.
    pub client_port: u16,
    /// To whom.
    pub server: Ipv4Addr,
    /// To which port.
    pub server_port: u16,
}

/// What was left on hosts and in the office.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Files by name, `vpn.jsonl`.
    pub files: BTreeMap<String, String>,
    /// What can be found in them: a question's name and its answer, `none` where there is nothing to find.
    pub facts: BTreeMap<String, String>,
}

/// Port of a remote desktop.
const DESKTOP: u16 = 3389;
/// An attack may send its first request so long after its session began, ms.
const SESSION_MARGIN_MS: i64 = 5_000;
const MS_PER_HOUR: i64 = 3_600_000;
/// Days of ordinary work before the run.
const DAYS_BEFORE: i64 = 2;

/// Somebody at the works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Person {
    account: &'static str,
    group: &'static str,
    /// From where they log on when they are at home.
    home: Ipv4Addr,
}

const ENGINEER: Person =
    Person { account: "a.brandt", group: "engineering", home: Ipv4Addr::new(198, 51, 100, 80) };
const OFFICE: [Person; 3] = [
    Person { account: "j.harlow", group: "office", home: Ipv4Addr::new(198, 51, 100, 17) },
    Person { account: "m.osei", group: "office", home: Ipv4Addr::new(198, 51, 100, 34) },
    Person { account: "t.lindqvist", group: "office", home: Ipv4Addr::new(198, 51, 100, 51) },
];
/// From where a borrowed credential is used.
const STRANGER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 200);

/// Somebody sat down at the engineering workstation over the network.
#[derive(Clone, Debug)]
struct Session {
    start_ms: i64,
    end_ms: i64,
    flow: Flow,
    who: Person,
    from: Ipv4Addr,
    hostile: bool,
    ticket: Option<String>,
    logon_id: u64,
}

/// What everybody who writes a trace needs.
struct Writer<'a> {
    plan: &'a Plan,
    truth: &'a [TruthStep],
    flows: &'a [Flow],
    workstation: Ipv4Addr,
    workstation_name: &'a str,
    sessions: Vec<Session>,
    end_ms: i64,
    lines: BTreeMap<&'static str, Vec<(i64, String)>>,
    facts: BTreeMap<String, String>,
}

/// Writes the traces of a run; `end` is when it ended. Nothing where the site has no jump server and no engineering
/// workstation.
pub fn traces(plan: &Plan, truth: &[TruthStep], flows: &[Flow], site: &Site, end: VirtualTime) -> Traces {
    let host = |role: HostRole| site.hosts.iter().find(|host| host.role == role);
    let (Some(_), Some(workstation)) = (host(HostRole::Jump), host(HostRole::Engineering)) else {
        return Traces::default();
    };
    let mut writer = Writer {
        plan,
        truth,
        flows,
        workstation: *workstation.address.get_ref(),
        workstation_name: workstation.name.get_ref(),
        sessions: Vec::new(),
        end_ms: millis(end),
        lines: BTreeMap::new(),
        facts: BTreeMap::new(),
    };
    writer.sessions = writer.find_sessions();
    office::write(&mut writer);
    windows::write(&mut writer);
    let mut files = workstation::files(&mut writer);
    files.extend(files::files(&mut writer, site));
    for (name, mut lines) in writer.lines {
        lines.retain(|(at, _)| *at <= writer.end_ms);
        lines.sort_by_key(|(at, _)| *at);
        files.insert(name.to_owned(), lines.into_iter().map(|(_, line)| line + "\n").collect());
    }
    Traces { files, facts: writer.facts }
}

fn millis(t: VirtualTime) -> i64 {
    i64::try_from(t.as_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

impl Writer<'_> {
    fn draw(&self, purpose: &str, occurrence: u64, bound: u64) -> u64 {
        KeyedStream::new(self.plan.seed, "traces", purpose).below(occurrence, bound)
    }

    /// A number between two, both included.
    fn between(&self, purpose: &str, occurrence: u64, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.draw(purpose, occurrence, high.abs_diff(low) + 1)).unwrap_or(0)
    }

    /// A hash that nobody has: 64 hexadecimal digits from the seed.
    fn hash(&self, of: &str) -> String {
        let mut stream = KeyedStream::new(self.plan.seed, "hash", of);
        [0, 1, 2, 3].map(|word| format!("{:016x}", stream.bits(word))).concat()
    }

    fn stamp(&self, at_ms: i64) -> String {
        self.plan.start.utc_millis(at_ms)
    }

    fn note(&mut self, file: &'static str, at_ms: i64, line: &Value) {
        self.lines.entry(file).or_default().push((at_ms, line.to_string()));
    }

    fn fact(&mut self, name: &str, value: impl ToString) {
        self.facts.insert(name.to_owned(), value.to_string());
    }

    /// The employee whose credential was taken: the scenario says so, or the seed does.
    fn victim(&self) -> Person {
        let named = self.plan.values.get("badge").map(ToString::to_string);
        let by_name = OFFICE.iter().find(|person| named.as_deref() == Some(person.account));
        let drawn = &OFFICE[self.draw("victim", 0, OFFICE.len() as u64) as usize % OFFICE.len()];
        *by_name.unwrap_or(drawn)
    }

    /// The hostile step that a moment at the workstation belongs to.
    fn hostile_at(&self, at_ms: i64, until_ms: i64) -> Option<&TruthStep> {
        let by_the_workstation = |step: &&TruthStep| {
            step.verdict == Verdict::Attack
                && step.source.as_ref().is_some_and(|source| source.name() == self.workstation_name)
        };
        self.truth.iter().filter(by_the_workstation).find(|step| {
            (at_ms - SESSION_MARGIN_MS..=until_ms + SESSION_MARGIN_MS).contains(&millis(step.start))
                || (millis(step.start) - SESSION_MARGIN_MS..=millis(step.end)).contains(&at_ms)
        })
    }

    fn find_sessions(&self) -> Vec<Session> {
        let desktop = |flow: &&Flow| flow.server == self.workstation && flow.server_port == DESKTOP;
        let mut sessions = Vec::new();
        for (index, flow) in self.flows.iter().filter(desktop).enumerate() {
            let (start_ms, end_ms) = (millis(flow.start), millis(flow.end));
            let hostile = self.hostile_at(start_ms, end_ms).is_some();
            let ticket = self.truth.iter().filter(|step| step.verdict != Verdict::Attack).find(|step| {
                (start_ms - SESSION_MARGIN_MS..=end_ms).contains(&millis(step.start)) && step.ticket.is_some()
            });
            let who = if hostile { self.victim() } else { ENGINEER };
            sessions.push(Session {
                start_ms,
                end_ms,
                flow: *flow,
                who,
                from: if hostile { STRANGER } else { who.home },
                hostile,
                ticket: ticket.and_then(|step| step.ticket.clone()),
                logon_id: 0x2a_0000 + 0x1357 * (index as u64 + 1) + self.draw("logon", index as u64, 0x1000),
            });
        }
        sessions
    }

    /// The first hostile session.
    fn intrusion(&self) -> Option<Session> {
        self.sessions.iter().find(|session| session.hostile).cloned()
    }
}

/// Address of the VPN's pool that a session has: in the network from which the jump server may be reached.
fn pool(session: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 5, 64 + (session % 128) as u8)
}
