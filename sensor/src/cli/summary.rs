//! What a run of the sensor comes to, on one screen.

use std::io::{self, Write};

use super::sense::SenseArgs;
use crate::sensor::Summary;

pub(crate) fn print(args: &SenseArgs, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{}", serde_json::to_string_pretty(summary)?);
    }
    let [informational, low, medium, high, critical] = summary.findings;
    writeln!(
        out,
        "{} frames, {} connections, {} Modbus PDUs, {} hosts",
        summary.frames, summary.connections, summary.modbus_pdus, summary.hosts
    )?;
    writeln!(
        out,
        "findings: {critical} critical, {high} high, {medium} medium, {low} low, {informational} informational"
    )?;
    let incidents: u64 = summary.incidents.iter().sum();
    writeln!(out, "incidents: {incidents} (incidents.jsonl)")?;
    if summary.odd_frames + summary.weirds > 0 {
        writeln!(out, "oddities: {} (weird.log)", summary.weirds)?;
    }
    if summary.bad_checksums > 0 {
        writeln!(
            out,
            "wrong TCP checksums: {}; a capture taken on the sender itself shows them before the card computes them",
            summary.bad_checksums
        )?;
    }
    if summary.evicted > 0 {
        writeln!(out, "connections ended early to make room: {}", summary.evicted)?;
    }
    writeln!(out, "logs in {}", args.log_dir.display())
}
