//! Entries as Suricata's EVE events.
//!
//! A finding is an `alert`, a connection a `flow`, a Modbus request with its response a `modbus` event, an oddity an
//! `anomaly`; an incident is an event of our own, `incident`. Names and places of fields are Suricata's (8.0, EVE JSON
//! format); numbers that it would take from its rule files are derived from our rules' names, so that they are the same
//! in every run. What needs the whole transaction and is not in our row of it is left out, never guessed.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use wire::modbus::{ExceptionCode, FunctionCode};

use super::dnp3_eve;
use super::ecs::protocol;
use super::entry::Entry;
use super::moment::{fnv1a, iso};
use crate::log::Log;
use crate::value::{Fields, Value};

/// One event; `None` where EVE has none of its kind.
pub(super) fn event(entry: &Entry<'_>) -> Option<Json> {
    let mut event = json!({ "timestamp": time(entry.unix_nanos()) });
    if let Some(uid) = text(entry, "uid") {
        // Suricata's flow ids fit into 52 bits, so that JavaScript can count with them.
        event["flow_id"] = json!(fnv1a(&uid) >> 12);
        event["zeek_uid"] = json!(uid);
    }
    for (name, eve) in [
        ("id.orig_h", "src_ip"),
        ("id.orig_p", "src_port"),
        ("id.resp_h", "dest_ip"),
        ("id.resp_p", "dest_port"),
    ] {
        if let Some(value) = entry.field(name) {
            event[eve] = value.to_json();
        }
    }
    let (kind, body) = match entry.log() {
        Log::Findings => ("alert", alert(entry)),
        Log::Incidents => ("incident", own(entry)),
        Log::Conn => {
            event["proto"] = json!(text(entry, "proto")?.to_uppercase());
            event["app_proto"] = json!(text(entry, "service").unwrap_or_else(|| "failed".to_owned()));
            ("flow", flow(entry))
        }
        Log::Weird => ("anomaly", anomaly(entry)),
        Log::ModbusDetailed => ("modbus", modbus(entry)),
        Log::Dnp3Detailed => ("dnp3", dnp3_eve::fragment(entry)?),
        _ => return None,
    };
    event["event_type"] = json!(kind);
    event[kind] = body;
    if let Some(protocol) = protocol(entry.log()) {
        event["app_proto"] = json!(protocol);
        event["proto"] = json!("TCP");
    }
    if entry.log() == Log::Findings {
        event["fieldrange"] = own(entry);
        if let Some(service) = entry.service().filter(|service| ["modbus", "dnp3"].contains(service)) {
            event["app_proto"] = json!(service);
        }
        if let Some(Value::List(frames)) = entry.field("frames") {
            event["pcap_cnt"] = frames.last().map_or(Json::Null, Value::to_json);
        }
    }
    Some(event)
}

fn time(unix_nanos: u64) -> String {
    iso(unix_nanos, 6) + "+0000"
}

pub(super) fn text(entry: &Entry<'_>, name: &str) -> Option<String> {
    match entry.field(name)? {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    }
}

fn number(entry: &Entry<'_>, name: &str) -> u64 {
    entry.field(name).and_then(|value| value.as_number()).unwrap_or_default() as u64
}

fn json_of(entry: &Entry<'_>, name: &str) -> Json {
    entry.field(name).map_or(Json::Null, |value| value.to_json())
}

/// The line of a finding or an incident itself.
fn own(entry: &Entry<'_>) -> Json {
    entry.object().map_or(Json::Null, |object| Json::Object(object.clone()))
}

fn alert(entry: &Entry<'_>) -> Json {
    let rule = text(entry, "rule").unwrap_or_default();
    let severity = match text(entry, "level").as_deref() {
        Some("critical" | "high") => 1,
        Some("medium") => 2,
        Some("low") => 3,
        _ => 4,
    };
    json!({
        "action": "allowed",
        "gid": 1,
        // Beyond what public rule sets use.
        "signature_id": 3_000_000_000 + fnv1a(&rule) % 1_000_000_000,
        "rev": 1,
        "signature": text(entry, "title"),
        "category": "Industrial control system",
        "severity": severity,
        "metadata": {
            "rule": [rule],
            "mitre_technique_id": json_of(entry, "techniques"),
            "affected_product": json_of(entry, "entities"),
        },
    })
}

fn flow(entry: &Entry<'_>) -> Json {
    let start = entry.unix_nanos();
    let duration = match entry.field("duration") {
        Some(Value::Interval(nanos)) => nanos,
        _ => 0,
    };
    let conn_state = text(entry, "conn_state").unwrap_or_default();
    let (state, reason) = match conn_state.as_str() {
        "SF" | "RSTO" | "RSTR" => ("closed", "shutdown"),
        "S1" | "S2" | "S3" | "OTH" => ("established", "timeout"),
        _ => ("new", "timeout"),
    };
    json!({
        "pkts_toserver": number(entry, "orig_pkts"),
        "pkts_toclient": number(entry, "resp_pkts"),
        "bytes_toserver": number(entry, "orig_ip_bytes"),
        "bytes_toclient": number(entry, "resp_ip_bytes"),
        "start": time(start),
        "end": time(start.saturating_add(duration)),
        "age": duration / 1_000_000_000,
        "state": state,
        "reason": reason,
    })
}

fn anomaly(entry: &Entry<'_>) -> Json {
    let kind = if entry.field("uid").is_some() { "stream" } else { "decode" };
    json!({ "type": kind, "event": text(entry, "name"), "addl": text(entry, "addl") })
}

/// What Suricata calls a function, and what it says that it does.
const FUNCTIONS: &[(u8, &str, &str)] = &[
    (1, "RdCoils", "READ | COILS"),
    (2, "RdDiscreteInputs", "READ | DISCRETES"),
    (3, "RdHoldRegs", "READ | HOLDING"),
    (4, "RdInputRegs", "READ | INPUT"),
    (5, "WrSingleCoil", "WRITE | COILS | SINGLE"),
    (6, "WrSingleReg", "WRITE | HOLDING | SINGLE"),
    (7, "RdExcStatus", ""),
    (8, "Diagnostic", ""),
    (11, "GetCommEventCtr", ""),
    (12, "GetCommEventLog", ""),
    (15, "WrMultCoils", "WRITE | COILS | MULTIPLE"),
    (16, "WrMultRegs", "WRITE | HOLDING | MULTIPLE"),
    (17, "ReportServerID", ""),
    (20, "RdFileRec", ""),
    (21, "WrFileRec", ""),
    (22, "MaskWrReg", "WRITE | HOLDING"),
    (23, "RdWrMultRegs", "READ | WRITE | HOLDING | MULTIPLE"),
    (24, "RdFIFOQueue", ""),
    (43, "MEI", ""),
];

/// Category of a function code. Source: MODBUS Application Protocol Specification V1.1b3, section 5 and annex A.
fn category(code: u8) -> &'static str {
    match code {
        1..=8 | 11 | 12 | 15..=17 | 20..=24 | 43 => "PUBLIC_ASSIGNED",
        65..=72 | 100..=110 => "USER_DEFINED",
        9 | 10 | 13 | 14 | 18 | 19 | 40..=42 | 90 | 91 | 125..=127 => "RESERVED",
        0 | 128.. => "NONE",
        _ => "PUBLIC_UNASSIGNED",
    }
}

fn modbus(entry: &Entry<'_>) -> Json {
    let function = text(entry, "func").unwrap_or_default();
    let code = (0..=127)
        .find(|code| FunctionCode(*code).name() == Some(function.as_str()))
        .or_else(|| function.rsplit('-').next()?.parse().ok())
        .unwrap_or(0);
    let known = FUNCTIONS.iter().find(|(known, ..)| *known == code);
    let access = known.map_or("", |(.., access)| *access);
    let head = json!({
        "transaction_id": json_of(entry, "tid"),
        "protocol_id": 0,
        "unit_id": json_of(entry, "unit"),
        "function_raw": code,
        "function_code": known.map_or("Unknown", |(_, name, _)| *name),
        "access_type": if access.is_empty() { "NONE" } else { access },
        "category": category(code),
        "error_flags": "NONE",
    });
    let (mut request, mut response) = (head.clone(), head);
    let (address, quantity) = (json_of(entry, "address"), json_of(entry, "quantity"));
    let bits = access.contains("COILS") || access.contains("DISCRETES");
    let data = |name: &str| entry.field(name).and_then(|values| hex(&values, bits));
    match code {
        1..=4 => {
            request["read"] = json!({ "address": address, "quantity": quantity });
            if let Some(data) = data("response_values") {
                response["read"] = json!({ "data": data });
            }
        }
        5 | 6 => {
            for (side, values) in [(&mut request, "request_values"), (&mut response, "response_values")] {
                let value = match entry.field(values) {
                    Some(Value::List(items)) => items.first().map_or(Json::Null, Value::to_json),
                    _ => Json::Null,
                };
                side["write"] = json!({ "address": address, "data": value });
            }
        }
        15 | 16 => {
            let data = data("request_values");
            request["write"] = json!({ "address": address, "quantity": quantity, "data": data });
            response["write"] = json!({ "address": address, "data": quantity });
        }
        _ => {}
    }
    if let Some(exception) = text(entry, "exception_code") {
        let raw = exception_number(&exception);
        let fields = response.as_object_mut().map(|fields| (fields.remove("read"), fields.remove("write")));
        drop(fields);
        response["exception"] = json!({ "raw": raw, "code": exception });
    }
    if entry.field("matched") == Some(Value::Bool(false)) {
        // Which of the two was seen, the row does not say.
        return json!({ "request": request });
    }
    json!({ "request": request, "response": response })
}

fn exception_number(name: &str) -> Option<u8> {
    let by_name = (1..=255).find(|code| ExceptionCode::from_octet(*code).name() == Some(name));
    by_name.or_else(|| name.rsplit('-').next()?.parse().ok())
}

/// Registers or bits as the octets that carried them, in hexadecimal.
fn hex(values: &Value<'_>, bits: bool) -> Option<String> {
    let Value::List(items) = values else { return None };
    let numbers: Vec<u16> = items.iter().map(|item| item.as_number().unwrap_or_default() as u16).collect();
    let octet = |bits: &[u16]| bits.iter().rev().fold(0_u8, |octet, bit| octet << 1 | u8::from(*bit != 0));
    let octets: Vec<u8> = if bits {
        numbers.chunks(8).map(octet).collect()
    } else {
        numbers.into_iter().flat_map(u16::to_be_bytes).collect()
    };
    let mut text = String::new();
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    Some(text)
}
