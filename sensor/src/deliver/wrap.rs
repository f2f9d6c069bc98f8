//! A record as its collector takes it: a syslog message, or a document.

use std::io::Write;

use crate::log::Log;
use crate::output::{Entry, iso};
use crate::value::{Fields, Value};

use super::destination::{Carrier, Destination};

/// What a record is wrapped with.
#[derive(Clone, Debug)]
pub(super) struct Wrapper {
    carrier: Carrier,
    index: Option<String>,
    hostname: String,
}

/// What of an entry stands outside its JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    at: u64,
    path: &'static str,
    severity: u8,
}

/// Syslog's facility: local use 0. Source: RFC 5424, table 1.
const FACILITY: u8 = 16;
/// Longest MSGID, RFC 5424, 6.
const MSGID_MAX: usize = 32;
/// Most that a sequence id counts to before it begins again. RFC 5424, 7.3.1.
const SEQUENCE_MAX: u64 = 2_147_483_647;

impl Head {
    pub(super) fn of(entry: &Entry<'_>) -> Self {
        let level = match entry.field("level") {
            Some(Value::Text(level)) if matches!(entry.log(), Log::Findings | Log::Incidents) => Some(level),
            _ => None,
        };
        // RFC 5424, table 2: critical, error, warning, notice, informational.
        let severity = match level.as_deref() {
            Some("critical") => 2,
            Some("high") => 3,
            Some("medium") => 4,
            Some("low") => 5,
            _ => 6,
        };
        Self { at: entry.unix_nanos(), path: entry.log().path(), severity }
    }

    /// Of a note of the sensor's own, at the time of the record before it.
    pub(super) fn note(at: u64) -> Self {
        Self { at, path: "sensor", severity: 4 }
    }
}

impl Wrapper {
    pub(super) fn new(destination: &Destination) -> Self {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let hostname: String = hostname.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
        Self {
            carrier: destination.carrier,
            index: destination.index.clone(),
            hostname: if hostname.is_empty() { "-".to_owned() } else { hostname },
        }
    }

    /// Appends a record's payload.
    pub(super) fn wrap(&self, head: Head, sequence: u64, json: &[u8], out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = match self.carrier {
            Carrier::SyslogUdp | Carrier::SyslogTcp | Carrier::SyslogTls => write!(
                out,
                "<{}>1 {}Z {} fieldrange-sensor - {} [meta sequenceId=\"{}\"][origin software=\"fieldrange-sensor\" swVersion=\"{}\"] ",
                FACILITY * 8 + head.severity,
                iso(head.at, 6),
                self.hostname,
                head.path.get(..MSGID_MAX).unwrap_or(head.path),
                (sequence - 1) % SEQUENCE_MAX + 1,
                env!("CARGO_PKG_VERSION"),
            ),
            Carrier::Elastic { .. } => Ok(()),
            Carrier::Splunk { .. } => {
                let index = self
                    .index
                    .as_ref()
                    .map(|index| format!("\"index\":\"{}\",", plain(index)))
                    .unwrap_or_default();
                write!(
                    out,
                    "{{\"time\":{}.{:06},\"host\":\"{}\",\"source\":\"fieldrange-sensor\",\"sourcetype\":\"fieldrange:{}\",{index}\"fields\":{{\"sequence\":{sequence}}},\"event\":",
                    head.at / 1_000_000_000,
                    head.at % 1_000_000_000 / 1000,
                    plain(&self.hostname),
                    head.path,
                )
            }
        };
        out.extend_from_slice(json);
        if matches!(self.carrier, Carrier::Splunk { .. }) {
            out.push(b'}');
        }
    }

    /// Appends the note that records are missing here.
    pub(super) fn note(&self, at: u64, sequence: u64, missing: u64, out: &mut Vec<u8>) {
        let message = format!("{missing} records are missing here: the queue on disk was full");
        let note = serde_json::json!({
            "_path": "sensor", "@timestamp": iso(at, 6) + "Z", "timestamp": iso(at, 6) + "+0000",
            "event_type": "stats", "event": { "kind": "pipeline_error", "module": "fieldrange", "dataset": "fieldrange.sensor" },
            "message": message, "missing": missing,
        });
        self.wrap(Head::note(at), sequence, note.to_string().as_bytes(), out);
    }
}

/// Without what would end a JSON text.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '"' | '\\') && !letter.is_control()).collect()
}
