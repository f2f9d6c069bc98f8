//! From a request's method, path and body to what the desk does, and back to JSON. No HTTP library in here.
//!
//! Every answer that is no success has `{"error": "a sentence"}`. Which answers there are is written down in
//! `openapi.json`, which is served; a test holds the two together.

use net::{NetError, SessionSelector};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::desk::{Asker, Desk, Refusal};

/// The interface's description of itself.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// JSON; empty for none.
    pub(super) body: String,
    /// Methods that a path takes, with 405.
    pub(super) allow: Option<&'static str>,
}

impl Answer {
    fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_string(value).unwrap_or_default();
        Self { status, body, allow: None }
    }

    /// An answer that is no success.
    pub(super) fn error(status: u16, problem: impl std::fmt::Display) -> Self {
        Self::json(status, &json!({ "error": problem.to_string() }))
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NoRule { .. } => 404,
            Refusal::OtherZone { .. } => 403,
            Refusal::Rule(NetError::RuleNameTaken { .. }) => 409,
            Refusal::TooManyTickets | Refusal::Rule(NetError::TooManyRules { .. }) => 507,
            Refusal::NoAsset { .. } | Refusal::TooLong { .. } | Refusal::NoTitle | Refusal::Rule(_) => 422,
        };
        Self::error(status, refusal)
    }
}

/// Answers one request.
pub(super) fn answer(desk: &Desk, question: &Question<'_>) -> Answer {
    handle(desk, question).unwrap_or_else(|refused| refused)
}

fn handle(desk: &Desk, question: &Question<'_>) -> Result<Answer, Answer> {
    let segments: Vec<&str> = question.path.split('/').skip(1).collect();
    if segments == ["openapi.json"] {
        return match question.method {
            "GET" => Ok(Answer { status: 200, body: OPENAPI.to_owned(), allow: None }),
            _ => Err(not_allowed("GET")),
        };
    }
    let allowed = match segments[..] {
        ["api", "v1", "rules" | "tickets"] => "GET, POST",
        ["api", "v1", "rules", _] | ["api", "v1", "sessions"] => "GET, DELETE",
        ["api", "v1", "assets"] | ["api", "v1", "assets", _] => "GET",
        _ => return Err(Answer::error(404, "nothing is here; /openapi.json says what there is")),
    };
    if !allowed.split(", ").any(|method| method == question.method) {
        return Err(not_allowed(allowed));
    }
    let asker = question.key.and_then(|key| desk.holder(key)).ok_or_else(|| {
        Answer::error(401, "send the key of a zone as Authorization: Bearer KEY or X-API-Key: KEY")
    })?;
    let rule_id = |text: &str| text.parse::<u64>().map_err(|_| Answer::error(404, "a rule's id is a number"));
    Ok(match (question.method, &segments[2..]) {
        ("GET", ["rules"]) => Answer::json(200, &json!({ "rules": desk.rules() })),
        ("POST", ["rules"]) => Answer::json(201, &desk.add_rule(&asker, read(question)?)?),
        ("GET", ["rules", id]) => Answer::json(200, &desk.rule(rule_id(id)?)?),
        ("DELETE", ["rules", id]) => {
            Answer::json(200, &json!({ "removed": desk.remove_rule(&asker, rule_id(id)?)? }))
        }
        ("GET", ["sessions"]) => Answer::json(200, &json!({ "sessions": desk.sessions() })),
        ("DELETE", ["sessions"]) => kill_sessions(desk, &asker, question.query.unwrap_or_default())?,
        ("GET", ["assets"]) => Answer::json(200, &json!({ "assets": desk.assets() })),
        ("GET", ["assets", id]) => match desk.asset(id) {
            Ok(asset) => Answer::json(200, asset),
            Err(refusal) => Answer::error(404, refusal),
        },
        ("GET", _) => Answer::json(200, &json!({ "tickets": desk.tickets() })),
        _ => Answer::json(201, &desk.open_ticket(&asker, read(question)?)?),
    })
}

fn not_allowed(allowed: &'static str) -> Answer {
    Answer { allow: Some(allowed), ..Answer::error(405, format_args!("this takes {allowed}")) }
}

/// Reads a JSON body.
fn read<T: DeserializeOwned>(question: &Question<'_>) -> Result<T, Answer> {
    let kind = question.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Answer::error(415, "send Content-Type: application/json"));
    }
    serde_json::from_slice(question.body).map_err(|error| Answer::error(400, error))
}

/// `address=10.0.4.10&port=1433`, either or both.
fn kill_sessions(desk: &Desk, asker: &Asker, query: &str) -> Result<Answer, Answer> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Answer::error(400, format_args!("name sessions as in ?address=10.0.4.10&port=1433: {problem}"))
    };
    let mut fields = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let value = match (name, text.parse::<u16>()) {
            ("port", Ok(port)) => Value::from(port),
            _ => Value::from(text),
        };
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(wrong(&"a name comes twice"));
        }
    }
    if fields.is_empty() {
        return Err(wrong(&"neither is there"));
    }
    let selector: SessionSelector =
        serde_json::from_value(Value::Object(fields)).map_err(|error| wrong(&error))?;
    Ok(Answer::json(200, &json!({ "killed": desk.kill_sessions(asker, &selector) })))
}

#[cfg(test)]
mod tests {
    use record::StartTime;
    use site::Site;

    use super::*;

    const SEED: u64 = 3;

    fn desk() -> Desk {
        let start: StartTime = "2021-02-05T08:00:00Z".parse().unwrap();
        let site = Site::named("waterworks").unwrap();
        let mut kernel = net::Kernel::new(net::KernelConfig::new(SEED, start));
        let network = net::build(&mut kernel, &site).unwrap();
        Desk::new(&site, SEED, start, network.firewall(), kernel.clock(), None)
    }

    fn key(zone: &str) -> String {
        crate::services::keys(SEED, &Site::named("waterworks").unwrap())[zone].clone()
    }

    /// Asks with the key of a zone, and holds the answer against the document.
    #[track_caller]
    fn ask(desk: &Desk, zone: &str, line: &str, body: &str) -> (u16, Value) {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let key = key(zone);
        let question = Question {
            method,
            path,
            query,
            key: Some(&key),
            content_type: Some("application/json"),
            body: body.as_bytes(),
        };
        let answer = answer(desk, &question);
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let template = document["paths"].as_object().unwrap().iter().find(|(template, _)| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(&path).all(|(one, other)| one == other || one.starts_with('{'))
        });
        if let Some((_, operations)) = template
            && let Some(operation) = operations.get(method.to_lowercase())
        {
            let status = answer.status.to_string();
            assert!(operation["responses"].get(&status).is_some(), "{line}: {status} is not in the document");
        } else {
            assert!([404, 405].contains(&answer.status), "{line} is not in the document: {answer:?}");
        }
        (answer.status, serde_json::from_str(&answer.body).unwrap())
    }

    const DENY: &str = r#"{"name": "no-writes", "source": "zone:enterprise", "destination": "192.168.1.101",
        "action": "deny", "modbus": {"functions": [5, 6, 15, 16], "addresses": ["0-99"]}, "duration": "24h",
        "comment": "case 7", "by": "alice"}"#;

    #[test]
    fn a_rule_is_added_shown_and_removed() {
        let desk = desk();
        let before = desk.rules().len();
        let (status, added) = ask(&desk, "control", "POST /api/v1/rules", DENY);
        assert_eq!(status, 201, "{added}");
        assert_eq!(added["expires"], "2021-02-06T08:00:00Z");
        assert_eq!(added["rule"]["by"], "alice (key of control)");
        assert_eq!((&added["position"], &added["warnings"]), (&json!(0), &json!([])));
        let line = format!("GET /api/v1/rules/{}", added["id"]);
        let (status, shown) = ask(&desk, "dmz", &line, "");
        assert_eq!((status, &shown["rule"]), (200, &added["rule"]));
        // What is shown can be sent in again.
        let again: site::FirewallRule = serde_json::from_value(shown["rule"].clone()).unwrap();
        assert_eq!(again.duration.unwrap().to_string(), "1d");
        assert_eq!(ask(&desk, "control", "POST /api/v1/rules", DENY).0, 409);
        let line = format!("DELETE /api/v1/rules/{}", added["id"]);
        assert_eq!(ask(&desk, "dmz", &line, "").0, 403, "it does not touch the DMZ");
        assert_eq!(ask(&desk, "enterprise", &line, "").0, 200);
        assert_eq!(ask(&desk, "enterprise", &line, "").0, 404);
        assert_eq!(desk.rules().len(), before);
    }

    #[test]
    fn a_key_makes_rules_for_its_own_zone() {
        let desk = desk();
        let rule = |source: &str, rest: &str| {
            format!(r#"{{"source": "{source}", "destination": "any", "action": "deny"{rest}}}"#)
        };
        for (zone, body, status) in [
            ("dmz", rule("10.0.35.5", ""), 201),
            ("dmz", rule("10.0.35.0/24", ""), 201),
            ("dmz", rule("10.0.4.10", ""), 403),
            ("dmz", rule("any", ""), 403),
            ("dmz", rule("10.0.0.0/8", ""), 403),
            ("control", rule("any", r#", "at": "plc-1""#), 201),
            ("control", rule("any", r#", "at": "jump""#), 403),
        ] {
            assert_eq!(ask(&desk, zone, "POST /api/v1/rules", &body).0, status, "{zone} {body}");
        }
        let body = r#"{"source": "192.168.1.30", "destination": "192.168.1.101", "action": "deny"}"#;
        let (_, added) = ask(&desk, "control", "POST /api/v1/rules", body);
        assert!(added["warnings"][0].as_str().unwrap().contains("talk past the firewall"), "{added}");
    }

    #[test]
    fn what_cannot_be_read_or_makes_no_sense_is_told_apart() {
        let desk = desk();
        let rules = "POST /api/v1/rules";
        for (line, body, status) in [
            (rules, "{", 400),
            (rules, r#"{"source": "any", "destination": "any", "action": "deny", "colour": 1}"#, 400),
            (rules, r#"{"source": "anywhere", "destination": "any", "action": "deny"}"#, 400),
            (rules, r#"{"source": "zone:control", "destination": "zone:moon", "action": "deny"}"#, 422),
            (
                rules,
                r#"{"source": "zone:control", "destination": "any", "action": "deny", "at": "moon"}"#,
                422,
            ),
            (
                rules,
                r#"{"source": "zone:control", "destination": "any", "action": "deny", "modbus": {}, "dnp3": {}}"#,
                422,
            ),
            ("DELETE /api/v1/sessions", "", 400),
            ("DELETE /api/v1/sessions?address=moon", "", 400),
            ("DELETE /api/v1/sessions?port=1&port=2", "", 400),
            ("DELETE /api/v1/sessions?address=10.0.4.10&port=1433", "", 200),
            ("GET /api/v1/assets/plc-9", "", 404),
            ("GET /api/v1/rules/x", "", 404),
            ("POST /api/v1/tickets", r#"{"title": " "}"#, 422),
            ("POST /api/v1/tickets", r#"{"title": "x", "assets": ["moon"]}"#, 422),
            ("PUT /api/v1/rules", "", 405),
            ("GET /", "", 404),
            ("GET /api/v1/rules/1/2", "", 404),
        ] {
            let (got, answer) = ask(&desk, "control", line, body);
            assert_eq!(got, status, "{line} {body}: {answer}");
            assert!(status == 200 || !answer["error"].as_str().unwrap().is_empty());
        }
        let question =
            Question { method: "GET", path: "/api/v1/rules", key: Some("control-0"), ..Question::default() };
        assert_eq!(answer(&desk, &question).status, 401);
        let key = key("control");
        let question =
            Question { method: "POST", path: "/api/v1/rules", key: Some(&key), ..Question::default() };
        assert_eq!(answer(&desk, &question).status, 415);
    }

    #[test]
    fn assets_and_tickets_are_told() {
        let desk = desk();
        let (_, plc) = ask(&desk, "soc", "GET /api/v1/assets/plc-1", "");
        assert_eq!(
            (&plc["zone"], &plc["criticality"], &plc["address"]),
            (&json!("control"), &json!("critical"), &json!("192.168.1.101"))
        );
        assert!(plc["identity"]["vendor"].is_string() && plc["owner"] == "Operations", "{plc}");
        let body = r#"{"title": "Odd writes", "severity": "high", "assets": ["plc-1"]}"#;
        let (status, ticket) = ask(&desk, "soc", "POST /api/v1/tickets", body);
        assert_eq!((status, &ticket["id"], &ticket["by"]), (201, &json!(1), &json!("key of soc")));
        let (_, all) = ask(&desk, "dmz", "GET /api/v1/tickets", "");
        assert_eq!(all["tickets"], json!([ticket]));
        for _ in 1..1000 {
            assert_eq!(ask(&desk, "soc", "POST /api/v1/tickets", body).0, 201);
        }
        assert_eq!(ask(&desk, "soc", "POST /api/v1/tickets", body).0, 507);
    }
}
