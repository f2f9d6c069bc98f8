//! Entries by the names of the Elastic Common Schema.
//!
//! What ECS has a name for stands under that name; everything else keeps Zeek's under `fieldrange.LOG`, so nothing is lost.
//! Source: Elastic Common Schema reference 8.17, field sets base, event, source, destination, network, rule, threat,
//! related, host, observer, zeek.

use serde_json::{Map, Value as Json, json};

use super::entry::Entry;
use super::moment::iso;
use crate::log::Log;
use crate::value::Value;

/// One document.
pub(super) fn document(entry: &Entry<'_>) -> Json {
    let mut doc = Document::default();
    let path = entry.log().path();
    doc.put("@timestamp", json!(iso(entry.unix_nanos(), 9) + "Z"));
    doc.put("ecs.version", json!("8.17.0"));
    doc.put("event.module", json!("fieldrange"));
    doc.put("event.dataset", json!(format!("fieldrange.{path}")));
    doc.put("observer.type", json!("ids"));
    doc.put("observer.vendor", json!("Fieldrange"));
    doc.put("observer.product", json!("fieldrange-sensor"));
    doc.put("observer.version", json!(env!("CARGO_PKG_VERSION")));
    let (kind, category, kinds): (&str, &[&str], &[&str]) = match entry.log() {
        Log::Findings | Log::Incidents => ("alert", &["intrusion_detection", "network"], &["info"]),
        Log::Inventory | Log::KnownModbus => ("asset", &["host"], &["info"]),
        Log::Conn => ("event", &["network"], &["connection", "end"]),
        Log::Weird => ("event", &["network"], &["info"]),
        _ => ("event", &["network"], &["protocol"]),
    };
    doc.put("event.kind", json!(kind));
    doc.put("event.category", json!(category));
    doc.put("event.type", json!(kinds));
    for (name, value) in entry.fields() {
        if !doc.named(entry.log(), name, &value) {
            doc.put_in(["fieldrange", path, name], value.to_json());
        }
    }
    if let Some(Json::Object(rules)) = entry.object().and_then(|object| object.get("rules")) {
        // An incident has several: which, and how often each.
        doc.put("rule.name", rules.keys().map(String::as_str).collect());
        doc.put_in(["fieldrange", path, "rules"], Json::Object(rules.clone()));
    }
    let service = entry.service().filter(|service| ["modbus", "dnp3"].contains(service));
    if let Some(protocol) = protocol(entry.log()).or(service) {
        doc.put("network.protocol", json!(protocol));
    }
    doc.finish()
}

/// The protocol that a log is of.
pub(super) fn protocol(log: Log) -> Option<&'static str> {
    let path = log.path();
    let starts =
        |name: &&str| path == *name || path.strip_prefix(*name).is_some_and(|rest| rest.starts_with('_'));
    ["modbus", "dnp3"].into_iter().find(starts)
}

/// Elastic's risk for a level of ours: the middle of its band, as its own detection rules have it.
fn severity(level: &str) -> u64 {
    match level {
        "critical" => 99,
        "high" => 73,
        "medium" => 47,
        "low" => 21,
        _ => 0,
    }
}

#[derive(Default)]
struct Document {
    root: Map<String, Json>,
    octets: [u64; 2],
    packets: [u64; 2],
}

impl Document {
    /// Puts a value under a name with dots.
    fn put(&mut self, name: &str, value: Json) {
        self.put_in(name.split('.'), value);
    }

    fn put_in<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, value: Json) {
        let mut map = &mut self.root;
        let mut names = names.into_iter().peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                map.insert(name.to_owned(), value);
                return;
            }
            let next = map.entry(name).or_insert_with(|| Json::Object(Map::new()));
            let Json::Object(next) = next else { return };
            map = next;
        }
    }

    /// Adds a value to the list `SET.FIELD`, once.
    fn push(&mut self, set: &str, field: &str, value: Json) {
        let set = self.root.entry(set).or_insert_with(|| json!({}));
        let Json::Object(set) = set else { return };
        let Json::Array(items) = set.entry(field).or_insert_with(|| json!([])) else { return };
        if !items.contains(&value) {
            items.push(value);
        }
    }

    /// Puts a field of a log under ECS's name for it; `false` where it has none.
    fn named(&mut self, log: Log, name: &str, value: &Value<'_>) -> bool {
        let json = || value.to_json();
        let count = || value.as_number().unwrap_or_default() as u64;
        let finding = matches!(log, Log::Findings | Log::Incidents);
        match (log, name) {
            (_, "ts" | "t") => {}
            (_, "uid") => self.put("zeek.session_id", json()),
            (_, "id.orig_h") => self.address("source", value),
            (_, "id.resp_h") => self.address("destination", value),
            (_, "id.orig_p") => self.put("source.port", json()),
            (_, "id.resp_p") => self.put("destination.port", json()),
            (Log::Conn, "proto") => self.put("network.transport", json()),
            (Log::Conn, "service") => self.put("network.protocol", json()),
            (Log::Conn, "ip_proto") => self.put("network.iana_number", json!(count().to_string())),
            (Log::Conn, "duration") => {
                if let Value::Interval(nanos) = value {
                    self.put("event.duration", json!(nanos));
                }
            }
            (Log::Conn, "orig_ip_bytes") => self.octets[0] = count(),
            (Log::Conn, "resp_ip_bytes") => self.octets[1] = count(),
            (Log::Conn, "orig_pkts") => self.packets[0] = count(),
            (Log::Conn, "resp_pkts") => self.packets[1] = count(),
            (Log::Conn, "conn_state") => {
                self.put("event.action", json());
                self.put("fieldrange.conn.conn_state", json());
            }
            (Log::Modbus | Log::ModbusDetailed, "func") => {
                self.put("event.action", json());
                self.put_in(["fieldrange", log.path(), "func"], json());
            }
            (Log::Modbus, "exception") => {
                self.put("event.outcome", json!("failure"));
                self.put("fieldrange.modbus.exception", json());
            }
            (Log::Weird, "name") => self.put("event.action", json()),
            (Log::Inventory, "host") => {
                self.push("host", "ip", json());
                self.push("related", "ip", json());
            }
            (Log::Inventory, "mac") => {
                let mac = json().as_str().unwrap_or_default().to_uppercase().replace(':', "-");
                self.push("host", "mac", json!(mac));
            }
            (Log::Inventory, "name") => {
                self.put("host.name", json());
                self.push("related", "hosts", json());
            }
            (_, "rule") if finding => self.put("rule.name", json()),
            (_, "title") if finding => self.put("rule.description", json()),
            (_, "message") if finding => self.put("message", json()),
            (_, "level") if finding => {
                let level = json();
                self.put("event.severity", json!(severity(level.as_str().unwrap_or_default())));
                self.put("log.level", level);
            }
            (_, "techniques") if finding => {
                self.put("threat.framework", json!("MITRE ATT&CK for ICS"));
                self.put("threat.technique.id", json());
            }
            (_, "hosts") if finding => {
                for host in json().as_array().into_iter().flatten() {
                    self.push("related", "ip", host.clone());
                }
            }
            (_, "entities") if finding => {
                for entity in json().as_array().into_iter().flatten().filter_map(Json::as_str) {
                    if let Some((_, name)) = entity.split_once(':') {
                        self.push("related", "hosts", json!(name));
                    }
                }
                self.put_in(["fieldrange", log.path(), "entities"], json());
            }
            _ => return false,
        }
        true
    }

    fn address(&mut self, end: &str, value: &Value<'_>) {
        let text = value.to_json();
        self.put_in([end, "ip"], text.clone());
        self.put_in([end, "address"], text.clone());
        self.push("related", "ip", text);
        if let Value::Address(address) = value {
            self.put("network.type", json!(if address.is_ipv4() { "ipv4" } else { "ipv6" }));
        }
    }

    fn finish(mut self) -> Json {
        if self.packets != [0, 0] {
            for (index, end) in ["source", "destination"].into_iter().enumerate() {
                self.put_in([end, "packets"], json!(self.packets[index]));
                self.put_in([end, "bytes"], json!(self.octets[index]));
            }
            self.put("network.packets", json!(self.packets[0] + self.packets[1]));
            self.put("network.bytes", json!(self.octets[0] + self.octets[1]));
        }
        Json::Object(self.root)
    }
}
