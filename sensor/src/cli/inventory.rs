//! `inventory`: the hosts of a capture.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

use super::sense::{SenseArgs, feed};
use super::{SenseError, Verdict};
use crate::log::Log;
use crate::output::{Entry, Output};
use crate::value::Value;

/// Which capture, and how the hosts are told.
#[derive(Clone, Debug, clap::Args)]
pub struct InventoryArgs {
    /// Capture to read, pcap or pcapng; - for standard input
    #[arg(value_name = "FILE")]
    pub read: PathBuf,
    /// Documentation of the site: the name of one that comes with Fieldrange, or a file ending in .toml
    #[arg(long, value_name = "NAME|FILE")]
    pub site: Option<String>,
    /// Print one JSON object per host
    #[arg(long)]
    pub json: bool,
}

/// Keeps the rows of the inventory.
#[derive(Clone, Debug, Default)]
struct Hosts(Rc<RefCell<Vec<serde_json::Map<String, serde_json::Value>>>>);

impl Output for Hosts {
    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let fields = entry.fields().into_iter().map(|(name, value)| (name.to_owned(), json(&value)));
        self.0.borrow_mut().push(fields.collect());
        Ok(())
    }

    fn wants(&self, log: Log) -> bool {
        log == Log::Inventory
    }
}

/// Times in words that every tool reads.
fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Time(nanos) => (crate::output::iso(*nanos, 6) + "Z").into(),
        value => value.to_json(),
    }
}

pub(crate) fn inventory(args: &InventoryArgs, out: &mut dyn Write) -> Result<Verdict, SenseError> {
    let hosts = Hosts::default();
    let sense = SenseArgs { read: Some(args.read.clone()), site: args.site.clone(), ..SenseArgs::default() };
    let (_, broken) = feed(&sense, None, vec![Box::new(hosts.clone())])?;
    let hosts = hosts.0.take();
    print(args, &hosts, out).map_err(SenseError::Output)?;
    broken.map_or(Ok(Verdict::Clear), Err)
}

/// Columns of the table: heading and field.
const COLUMNS: [(&str, &str); 8] = [
    ("HOST", "host"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("LEVEL", "level"),
    ("KNOWN", "documented"),
    ("PROTOCOLS", "protocols"),
    ("MAC", "mac"),
    ("DEVICE", "device"),
];

fn print(
    args: &InventoryArgs,
    hosts: &[serde_json::Map<String, serde_json::Value>],
    out: &mut dyn Write,
) -> io::Result<()> {
    if args.json {
        for host in hosts {
            writeln!(out, "{}", serde_json::to_string(host)?)?;
        }
        return Ok(());
    }
    let mut table: Vec<Vec<String>> =
        vec![COLUMNS.iter().map(|(heading, _)| (*heading).to_owned()).collect()];
    table.extend(hosts.iter().map(|host| COLUMNS.iter().map(|(_, field)| cell(host, field)).collect()));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in &table {
        let padded: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

fn cell(host: &serde_json::Map<String, serde_json::Value>, field: &str) -> String {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Bool(true) => "yes".to_owned(),
        serde_json::Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    };
    let identity = ["vendor", "product", "revision"].map(|field| host.get(field).map(word));
    let identity: Vec<_> = identity.into_iter().flatten().collect();
    match host.get(field) {
        Some(serde_json::Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(serde_json::Value::Array(items)) => items.iter().map(word).collect::<Vec<_>>().join(","),
        Some(value) if field == "mac" => match host.get("mac_vendor") {
            Some(vendor) => format!("{} ({})", word(value), word(vendor)),
            None => word(value),
        },
        Some(value) if field == "device" && !identity.is_empty() => {
            format!("{}: {}", word(value), identity.join(" "))
        }
        None if field == "device" && !identity.is_empty() => identity.join(" "),
        Some(value) => word(value),
        None => "-".to_owned(),
    }
}
