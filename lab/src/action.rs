//! What a person can do in a run: the words of the command line and of the live console.

use net::SessionSelector;
use scenarios::Stage;
use serde::de::DeserializeOwned;
use site::FirewallRule;

use crate::services::desk::{Asker, Desk};

/// What there is to write.
pub(crate) const COMMANDS: &str = "write TAG VALUE, acknowledge TAG, safe-stop, attend, rule add {JSON}, rule remove ID, session kill {JSON}";

/// Carries out one command; what was done, in a sentence. Values go over the network, through the operator's station;
/// rules and sessions are the firewall's.
///
/// `source` is through what the command came. An error says what to write instead.
pub(crate) fn act(stage: &Stage, desk: &Desk, source: &str, command: &str) -> Result<String, String> {
    let (verb, rest) = command.trim().split_once(char::is_whitespace).unwrap_or((command.trim(), ""));
    let (second, body) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let body = body.trim();
    let asker = Asker::person(source);
    match (verb, second) {
        ("write", tag) => write(stage, tag, body),
        ("acknowledge", tag) if !tag.is_empty() => {
            stage.operator_acknowledge(tag).map_err(|error| error.to_string())?;
            Ok(format!("alarm {tag} is acknowledged"))
        }
        ("safe-stop", "") => {
            let writes = stage.operator_safe_stop().map_err(|error| error.to_string())?;
            Ok(format!("safe stop: the operator's station writes {writes} values"))
        }
        ("attend", "") => {
            stage.operator_attends();
            Ok("a person sits at the operator's station: alarms wait for them".to_owned())
        }
        ("rule", "add") => {
            let example = r#"rule add {"source": "any", "destination": "192.168.1.101", "action": "deny", "modbus": {"kind": "write"}, "duration": "24h"}"#;
            let rule: FirewallRule = from_json(body, example)?;
            let added = desk.add_rule(&asker, rule).map_err(|refusal| refusal.to_string())?;
            let name = &added.shown.rule.name;
            let first = format!("rule {} ({name}) is in force, in front of all others", added.shown.id);
            let until = added.shown.expires.iter().map(|expires| format!("until {expires}"));
            let notes = added.warnings.iter().map(|warning| format!("note: {warning}"));
            let said: Vec<String> = std::iter::once(first).chain(until).chain(notes).collect();
            Ok(said.join("; "))
        }
        ("rule", "remove") => {
            let id = body
                .parse()
                .map_err(|_| format!("{body:?} is no id of a rule; write it as in: rule remove 7"))?;
            let name = desk.remove_rule(&asker, id).map_err(|refusal| refusal.to_string())?;
            Ok(format!("rule {id} ({name}) is gone"))
        }
        ("session", "kill") => {
            let selector: SessionSelector =
                from_json(body, r#"session kill {"address": "10.0.4.10", "port": 1433}"#)?;
            Ok(format!("{} sessions were reset", desk.kill_sessions(&asker, &selector)))
        }
        _ => Err(format!("unknown command {command:?}; there are: {COMMANDS}")),
    }
}

fn write(stage: &Stage, tag: &str, value: &str) -> Result<String, String> {
    let number = value.parse().ok().filter(|number: &f64| number.is_finite());
    let Some(number) = number.filter(|_| !tag.is_empty()) else {
        return Err(format!("{value:?} is not a number; write it as in: write NAOH.SP 100"));
    };
    stage.operator_write(tag, number).map_err(|error| error.to_string())?;
    Ok(format!("the operator's station writes {number} to {tag}"))
}

fn from_json<T: DeserializeOwned>(body: &str, example: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("{error}; write it as in: {example}"))
}
