//! What a run of the sensor comes to, on one screen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use record::Level;

use crate::log::Log;
use crate::output::{Entry, Output, iso};
use crate::sensor::Summary;
use crate::value::{Fields, Value};

/// Incidents told one by one.
const INCIDENTS_SHOWN: usize = 8;
/// Rules, oddities and strangers told by name.
const NAMES_SHOWN: usize = 8;
/// Names counted of each kind; what a device chooses must not fill memory.
const NAMES_MAX: usize = 1024;

/// What a rule found.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct RuleTold {
    pub(crate) level: Level,
    pub(crate) count: u64,
    /// Message of its first finding.
    pub(crate) first: String,
}

/// An incident, in short.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct IncidentTold {
    level: Level,
    number: i64,
    /// Of its last sign.
    until: String,
    title: String,
    hosts: Vec<String>,
}

/// What was counted on the way out.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct Counts {
    /// Connections by protocol.
    pub(crate) protocols: BTreeMap<String, u64>,
    /// Hosts by role.
    pub(crate) roles: BTreeMap<String, u64>,
    /// Hosts that the documentation does not have, where there is any.
    pub(crate) undocumented: Vec<String>,
    pub(crate) rules: BTreeMap<String, RuleTold>,
    pub(crate) incidents: Vec<IncidentTold>,
    pub(crate) oddities: BTreeMap<String, u64>,
    #[serde(skip)]
    documented: bool,
}

/// Counts entries. Clones share the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Rc<RefCell<Counts>>);

impl Tally {
    pub(crate) fn take(&self) -> Counts {
        self.0.take()
    }
}

impl Output for Tally {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let mut counts = self.0.borrow_mut();
        match entry.log() {
            Log::Conn => {
                let name = text(entry, "service")
                    .or_else(|| text(entry, "proto").map(|proto| format!("other {proto}")));
                count(&mut counts.protocols, name.unwrap_or_default());
            }
            Log::Inventory => {
                count(&mut counts.roles, text(entry, "role").unwrap_or_default());
                if entry.field("documented") == Some(Value::Bool(true)) {
                    counts.documented = true;
                } else if counts.undocumented.len() < NAMES_MAX
                    && let Some(Value::Address(address)) = entry.field("host")
                {
                    counts.undocumented.push(address.to_string());
                }
            }
            Log::Weird => count(&mut counts.oddities, text(entry, "name").unwrap_or_default()),
            Log::Findings => counts.finding(entry),
            Log::Incidents => counts.incident(entry),
            _ => {}
        }
        Ok(())
    }

    fn wants(&self, log: Log) -> bool {
        matches!(log, Log::Conn | Log::Inventory | Log::Weird | Log::Findings | Log::Incidents)
    }
}

fn text(entry: &Entry<'_>, name: &str) -> Option<String> {
    match entry.field(name)? {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    }
}

fn level(entry: &Entry<'_>) -> Level {
    text(entry, "level").and_then(|level| level.parse().ok()).unwrap_or(Level::Informational)
}

fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    if counts.len() < NAMES_MAX || counts.contains_key(&name) {
        *counts.entry(name).or_default() += 1;
    }
}

impl Counts {
    fn finding(&mut self, entry: &Entry<'_>) {
        let Some(rule) = text(entry, "rule") else { return };
        let told = self.rules.entry(rule).or_insert_with(|| RuleTold {
            level: level(entry),
            count: 0,
            first: text(entry, "message").unwrap_or_default(),
        });
        told.count += 1;
    }

    fn incident(&mut self, entry: &Entry<'_>) {
        if self.incidents.len() == NAMES_MAX {
            return;
        }
        let hosts = match entry.field("hosts") {
            Some(Value::List(items)) => items
                .iter()
                .take(NAMES_SHOWN)
                .filter_map(|item| item.to_json().as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        let number = match entry.field("incident") {
            Some(Value::Int(number)) => number,
            _ => 0,
        };
        self.incidents.push(IncidentTold {
            level: level(entry),
            number,
            until: iso(entry.unix_nanos(), 0),
            title: text(entry, "title").unwrap_or_default(),
            hosts,
        });
    }
}

/// What the screen is about.
pub(crate) struct Screen<'a> {
    pub(crate) summary: &'a Summary,
    pub(crate) counts: Counts,
    pub(crate) logs_in: Option<&'a Path>,
    /// What became of records that were sent.
    pub(crate) sent: &'a [String],
}

impl Screen<'_> {
    /// Everything, for programs.
    pub(crate) fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut json = serde_json::to_value(self.summary)?;
        if let (Some(json), Ok(serde_json::Value::Object(counts))) =
            (json.as_object_mut(), serde_json::to_value(&self.counts))
        {
            json.extend(counts.into_iter().map(|(name, value)| match name.as_str() {
                // The summary has numbers under this name already.
                "incidents" => ("incidents_told".to_owned(), value),
                _ => (name, value),
            }));
            json.insert("sent".to_owned(), self.sent.into());
        }
        writeln!(out, "{}", serde_json::to_string_pretty(&json)?)
    }

    /// For people.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { summary, counts, .. } = self;
        let dnp3 = match summary.dnp3_fragments {
            0 => String::new(),
            fragments => format!(", {fragments} DNP3 fragments"),
        };
        writeln!(
            out,
            "{} frames, {} connections, {} Modbus PDUs{dnp3}, {} hosts",
            summary.frames, summary.connections, summary.modbus_pdus, summary.hosts
        )?;
        row(out, "protocols", &ranked(&counts.protocols))?;
        row(out, "hosts", &ranked(&counts.roles))?;
        if counts.documented && !counts.undocumented.is_empty() {
            row(out, "strangers", &counts.undocumented)?;
        }
        let [informational, low, medium, high, critical] = summary.findings;
        writeln!(
            out,
            "findings: {critical} critical, {high} high, {medium} medium, {low} low, {informational} informational"
        )?;
        let mut rules: Vec<_> = counts.rules.iter().collect();
        rules.sort_by_key(|(name, told)| (std::cmp::Reverse(told.level), name.as_str()));
        for (name, told) in rules.iter().take(NAMES_SHOWN) {
            writeln!(out, "  {:13}  {name} x{}: {}", told.level, told.count, shortened(&told.first))?;
        }
        if rules.len() > NAMES_SHOWN {
            writeln!(out, "  and {} rules more", rules.len() - NAMES_SHOWN)?;
        }
        let total: u64 = summary.incidents.iter().sum();
        writeln!(out, "incidents: {total} (incidents.jsonl)")?;
        let mut incidents: Vec<_> = counts.incidents.iter().collect();
        incidents.sort_by_key(|told| (std::cmp::Reverse(told.level), told.number));
        for told in incidents.iter().take(INCIDENTS_SHOWN) {
            let hosts = told.hosts.join(", ");
            writeln!(
                out,
                "  {:13}  #{} until {}: {} ({hosts})",
                told.level, told.number, told.until, told.title
            )?;
        }
        self.print_trouble(out)?;
        match self.logs_in {
            Some(directory) => writeln!(out, "logs in {}", directory.display()),
            None => Ok(()),
        }
    }

    fn print_trouble(&self, out: &mut dyn Write) -> io::Result<()> {
        let summary = self.summary;
        if summary.odd_frames + summary.weirds > 0 {
            let names = ranked(&self.counts.oddities);
            let names = if names.is_empty() { String::new() } else { format!(": {}", joined(&names)) };
            writeln!(out, "oddities: {} (weird.log){names}", summary.weirds)?;
        }
        print_input(summary, out)?;
        for line in self.sent {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// What the input lacked, each by name and only where it is so.
fn print_input(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let input = &summary.input;
    let counted = [
        (input.dropped, "frames lost before the sensor saw them (kernel or capturing tool)"),
        (summary.bad_checksums, "packets with a wrong checksum"),
        (
            input.unfinished_checksums,
            "packets with an unfinished checksum: captured on the sender, before its card filled it in; read all the same",
        ),
        (input.late_frames, "frames more than 10 s out of order"),
        (input.clock_steps, "times the clock of the capture went back; what was open then was ended"),
        (input.incomplete_datagrams, "IP datagrams of which a fragment never came"),
        (input.relieved_streams, "streams that lost waiting segments for want of memory"),
        (
            input.unlearnt_readings,
            "readings of more registers or points than the baseline keeps: their values are not judged",
        ),
        (summary.evicted, "connections ended early to make room"),
    ];
    for (count, what) in counted {
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    if input.inventory_full {
        writeln!(out, "more hosts came than the inventory keeps ({})", summary.hosts)?;
    }
    if input.baseline_full {
        writeln!(
            out,
            "more pairs of hosts came than the baseline keeps: what is new may be more than was said"
        )?;
    }
    Ok(())
}

fn row(out: &mut dyn Write, heading: &str, items: &[String]) -> io::Result<()> {
    if items.is_empty() { Ok(()) } else { writeln!(out, "{heading}: {}", joined(items)) }
}

fn joined(items: &[String]) -> String {
    let text = items.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(NAMES_SHOWN) {
        Some(more @ 1..) => format!("{text} and {more} more"),
        _ => text,
    }
}

/// `modbus 95, tds 12`, the most frequent first.
fn ranked(counts: &BTreeMap<String, u64>) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect()
}

/// What fits on a line.
fn shortened(text: &str) -> String {
    const WIDTH: usize = 120;
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 3).chain("...".chars()).collect()
}
