//! One row of a log or one finding, while it is on its way out.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::event::Record;
use crate::flow::ConnId;
use crate::log::Log;
use crate::row::{Field, write_json};
use crate::value::{Fields, Value, of_json};

/// Where a finding comes from: what its line does not say, and tools want to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// Nanoseconds since 1970.
    pub(crate) at: u64,
    pub(crate) conn: Option<ConnId>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) target: Option<IpAddr>,
    /// Service of the record that the rule saw.
    pub(crate) service: &'static str,
}

impl About {
    pub(crate) fn record(record: &Record<'_>) -> Self {
        Self {
            at: record.at,
            conn: record.conn,
            source: Some(record.source.address),
            target: record.target.map(|target| target.address),
            service: record.service(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Row(&'a [Field<'a>]),
    Json { line: &'a str, value: &'a serde_json::Value, about: &'a About },
}

/// One row of a log, or one finding.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    log: Log,
    at: u64,
    content: Content<'a>,
}

impl<'a> Entry<'a> {
    /// A row; `now` is its time where it has no column for one.
    pub(crate) fn row(log: Log, fields: &'a [Field<'a>], now: u64) -> Self {
        let at = match fields.first() {
            Some(Field::Time(at)) => *at,
            _ => now,
        };
        Self { log, at, content: Content::Row(fields) }
    }

    /// A line of JSON, and the same parsed.
    pub(crate) fn json(log: Log, line: &'a str, value: &'a serde_json::Value, about: &'a About) -> Self {
        Self { log, at: about.at, content: Content::Json { line, value, about } }
    }

    /// The log that it belongs to.
    pub fn log(&self) -> Log {
        self.log
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(&self) -> u64 {
        self.at
    }

    /// Service of the record behind a finding, as rules name it.
    pub fn service(&self) -> Option<&'static str> {
        match self.content {
            Content::Row(_) => None,
            Content::Json { about, .. } => Some(about.service),
        }
    }

    /// Of a finding or an incident, its line as JSON, with what is no field: objects within it.
    pub fn object(&self) -> Option<&'a serde_json::Map<String, serde_json::Value>> {
        match self.content {
            Content::Row(_) => None,
            Content::Json { value, .. } => value.as_object(),
        }
    }

    /// The fields that are set, in the order of the log's columns. Of a finding, its own and those of its connection.
    pub fn fields(&self) -> Vec<(&'a str, Value<'a>)> {
        match self.content {
            Content::Row(fields) => {
                let named = self.log.columns().iter().zip(fields);
                named.filter_map(|((name, _), field)| Some((*name, field.value()?))).collect()
            }
            Content::Json { value, about, .. } => {
                let ends = ENDS.iter().filter_map(|name| Some((*name, about.field(name, self.at)?)));
                let own = value.as_object().into_iter().flatten();
                ends.chain(own.filter_map(|(name, value)| Some((name.as_str(), of_json(value)?)))).collect()
            }
        }
    }

    /// Appends it as one JSON object with Zeek's names, without a line's end. `_path` says which log it is of, as in
    /// Zeek's JSON streaming logs.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"_path\":\"");
        out.extend_from_slice(self.log.path().as_bytes());
        out.push(b'"');
        match self.content {
            Content::Row(fields) => {
                for ((name, _), field) in self.log.columns().iter().zip(fields) {
                    if matches!(field, Field::Unset) {
                        continue;
                    }
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    write_json(out, *field);
                }
                out.push(b'}');
            }
            Content::Json { line, about, .. } => {
                for name in ENDS {
                    let Some(value) = about.field(name, self.at) else { continue };
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(b"\":");
                    match value {
                        Value::Time(nanos) => write_json(out, Field::Time(nanos)),
                        // A value always serialises.
                        value => drop(serde_json::to_writer(&mut *out, &value.to_json())),
                    }
                }
                match line.strip_prefix('{') {
                    Some(rest) if rest != "}" => {
                        out.push(b',');
                        out.extend_from_slice(rest.as_bytes());
                    }
                    _ => out.push(b'}'),
                }
            }
        }
    }
}

/// What a finding gets beside its own fields.
const ENDS: [&str; 5] = ["ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"];

impl About {
    fn field(&self, name: &str, at: u64) -> Option<Value<'static>> {
        Some(match name {
            "ts" => Value::Time(at),
            "id.orig_h" => Value::Address(self.conn.map(|conn| conn.orig.0).or(self.source)?),
            "id.orig_p" => Value::Int(self.conn?.orig.1.into()),
            "id.resp_h" => Value::Address(self.conn.map(|conn| conn.resp.0).or(self.target)?),
            "id.resp_p" => Value::Int(self.conn?.resp.1.into()),
            "source.address" => Value::Address(self.source?),
            "target.address" => Value::Address(self.target?),
            _ => return None,
        })
    }
}

impl Fields for Entry<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        if name == "_path" {
            return Some(Value::Text(Cow::Borrowed(self.log.path())));
        }
        match self.content {
            Content::Row(fields) => {
                let at = self.log.columns().iter().position(|(column, _)| *column == name)?;
                fields.get(at)?.value()
            }
            Content::Json { value, about, .. } => {
                value.get(name).and_then(of_json).or_else(|| about.field(name, self.at))
            }
        }
    }
}
