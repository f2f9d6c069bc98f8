//! DNP3 for EVE.

use serde_json::{Value as Json, json};

use super::entry::Entry;
use super::eve::text;
use crate::value::{Fields, Value};

/// A row of `dnp3.log`: a request with its response, as far as the row tells of them.
pub(super) fn transaction(entry: &Entry<'_>) -> Json {
    let (request, reply) = (text(entry, "fc_request"), text(entry, "fc_reply"));
    let kind = match (&request, reply.as_deref()) {
        (_, Some("UNSOLICITED_RESPONSE")) => "unsolicited_response",
        (Some(_), _) => "request",
        (None, _) => "response",
    };
    let iin = entry.field("iin").and_then(|iin| iin.as_number()).map(|iin| iin as u16);
    let code = |name: &Option<String>| name.as_deref().and_then(function_code);
    let indicators: Vec<_> = iin.map(indicators).unwrap_or_default();
    json!({
        "type": kind,
        "request": request.as_ref().map(|name| json!({ "application": { "function_code": code(&request), "function": name } })),
        "response": reply.as_ref().map(|name| json!({ "application": { "function_code": code(&reply), "function": name } })),
        "application": { "function_code": code(if request.is_some() { &request } else { &reply }) },
        "iin": { "indicators": indicators },
        "complete": entry.field("fc_reply") != None::<Value<'_>>,
    })
}

/// Zeek's names of function codes (base/protocols/dnp3/consts.zeek); the numbers are IEEE 1815-2012, 4.2.2.5.
const FUNCTIONS: &[(u8, &str)] = &[
    (0, "CONFIRM"),
    (1, "READ"),
    (2, "WRITE"),
    (3, "SELECT"),
    (4, "OPERATE"),
    (5, "DIRECT_OPERATE"),
    (6, "DIRECT_OPERATE_NR"),
    (7, "IMMED_FREEZE"),
    (8, "IMMED_FREEZE_NR"),
    (9, "FREEZE_CLEAR"),
    (10, "FREEZE_CLEAR_NR"),
    (11, "FREEZE_AT_TIME"),
    (12, "FREEZE_AT_TIME_NR"),
    (13, "COLD_RESTART"),
    (14, "WARM_RESTART"),
    (15, "INITIALIZE_DATA"),
    (16, "INITIALIZE_APPL"),
    (17, "START_APPL"),
    (18, "STOP_APPL"),
    (19, "SAVE_CONFIG"),
    (20, "ENABLE_UNSOLICITED"),
    (21, "DISABLE_UNSOLICITED"),
    (22, "ASSIGN_CLASS"),
    (23, "DELAY_MEASURE"),
    (24, "RECORD_CURRENT_TIME"),
    (25, "OPEN_FILE"),
    (26, "CLOSE_FILE"),
    (27, "DELETE_FILE"),
    (28, "GET_FILE_INFO"),
    (29, "AUTHENTICATE_FILE"),
    (30, "ABORT_FILE"),
    (31, "ACTIVATE_CONFIG"),
    (32, "AUTHENTICATE_REQ"),
    (33, "AUTHENTICATE_ERR"),
    (129, "RESPONSE"),
    (130, "UNSOLICITED_RESPONSE"),
    (131, "AUTHENTICATE_RESP"),
];

fn function_code(name: &str) -> Option<u8> {
    FUNCTIONS.iter().find(|(_, known)| *known == name).map(|(code, _)| *code)
}

/// Names of the internal indications that are set, as Suricata has them. `iin` is as in `dnp3.log`: the first octet in
/// the high half. Source of the bits: IEEE 1815-2012, 4.2.2.6.
fn indicators(iin: u16) -> Vec<&'static str> {
    const NAMES: [(u16, &str); 14] = [
        (0x8000, "device_restart"),
        (0x4000, "device_trouble"),
        (0x2000, "local_control"),
        (0x1000, "need_time"),
        (0x0800, "class_3_events"),
        (0x0400, "class_2_events"),
        (0x0200, "class_1_events"),
        (0x0100, "all_stations"),
        (0x0020, "config_corrupt"),
        (0x0010, "already_executing"),
        (0x0008, "event_buffer_overflow"),
        (0x0004, "parameter_error"),
        (0x0002, "object_unknown"),
        (0x0001, "no_func_code_support"),
    ];
    NAMES.into_iter().filter(|(bit, _)| iin & bit != 0).map(|(_, name)| name).collect()
}
