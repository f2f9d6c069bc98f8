//! DNP3 for EVE: one event per fragment, as Suricata has it.
//!
//! From `dnp3_detailed.log`. What that has no column for is left out: the count bits of link headers, and of an
//! object header everything but group and variation; `dnp3_values.log` has the points. Source and destination are those
//! of the connection in both directions, as with Suricata.

use serde_json::{Value as Json, json};
use wire::dnp3::FunctionCode;

use super::entry::Entry;
use super::eve::text;
use crate::value::{Fields, Value};

/// The body of an event; `None` for what Suricata says nothing of: link frames without a fragment, and confirmations.
pub(super) fn fragment(entry: &Entry<'_>) -> Option<Json> {
    let name = text(entry, "function_code")?;
    let code = function_code(&name).filter(|code| FunctionCode(*code) != FunctionCode::CONFIRM)?;
    let kind = match FunctionCode(code) {
        FunctionCode::UNSOLICITED_RESPONSE => "unsolicited_response",
        _ if code >= FunctionCode::RESPONSE.0 => "response",
        _ => "request",
    };
    let flag = |name: &str| entry.field(name) == Some(Value::Bool(true));
    let json_of = |name: &str| entry.field(name).map_or(Json::Null, |value| value.to_json());
    let objects: Vec<Json> =
        list(entry, "objects").filter_map(|object| group_and_variation(&object)).collect();
    let mut body = json!({
        "type": kind,
        "src": json_of("link_source"),
        "dst": json_of("link_destination"),
        "control": { "dir": flag("is_orig"), "function_code": link_function(entry) },
        "application": {
            "control": {
                "fir": flag("fir"), "fin": flag("fin"), "con": flag("con"), "uns": flag("uns"),
                "sequence": json_of("sequence"),
            },
            "function_code": code,
            "objects": objects,
            "complete": entry.field("malformed").is_none(),
        },
    });
    if entry.field("iin").is_some() {
        let indicators: Vec<String> = list(entry, "iin").map(|name| indicator(&name)).collect();
        body["iin"] = json!({ "indicators": indicators });
    }
    Some(body)
}

fn list<'a>(entry: &Entry<'a>, name: &str) -> impl Iterator<Item = String> + use<'a> {
    let items = match entry.fields().into_iter().find(|(field, _)| *field == name) {
        Some((_, Value::List(items))) => items,
        _ => Vec::new(),
    };
    items.into_iter().filter_map(|item| match item {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    })
}

fn function_code(name: &str) -> Option<u8> {
    let known = (0..=255).find(|code| FunctionCode(*code).name() == Some(name));
    known.or_else(|| name.strip_prefix("unknown-")?.parse().ok())
}

/// Suricata's name for an internal indication.
fn indicator(name: &str) -> String {
    match name {
        "BROADCAST" => "all_stations".to_owned(),
        "NO_FUNCTION_CODE_SUPPORT" => "no_func_code_support".to_owned(),
        name => name.to_lowercase(),
    }
}

/// Number of a link function. Source: IEEE 1815-2012, 9.2.4.1.3, tables 9-1 and 9-2.
fn link_function(entry: &Entry<'_>) -> Option<u8> {
    Some(match text(entry, "link_function")?.as_str() {
        "RESET_LINK_STATES" | "ACK" => 0,
        "NACK" => 1,
        "TEST_LINK_STATES" => 2,
        "CONFIRMED_USER_DATA" => 3,
        "UNCONFIRMED_USER_DATA" => 4,
        "REQUEST_LINK_STATUS" => 9,
        "LINK_STATUS" => 11,
        "NOT_SUPPORTED" => 15,
        _ => return None,
    })
}

/// The two numbers of an object as the log writes it.
fn group_and_variation(text: &str) -> Option<Json> {
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    let (group, variation): (u8, u8) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(json!({ "group": group, "variation": variation }))
}
