//! The analyst's desk: records, frames, downloads, and the call form.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use maud::{PreEscaped, html};
use quizzes::{EntityNames, Form, read_calls};
use record::{VirtualTime, attack};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::exercise::Play;
use super::layout::{Tab, page as framed};
use super::problem::Problem;
use super::team::AtTeam;
use crate::store::CallRow;

/// Calls that a team may hand in during a run: far more than any exercise asks for.
const CALLS_MAX: u64 = 1000;

/// Names of everything that takes part in a run, by address, as far as its plan knows.
fn names_of(play: &Play) -> EntityNames {
    let hosts = play.site.hosts.iter().chain(&play.plan.hosts);
    let topology: BTreeMap<String, String> =
        hosts.map(|host| (host.address.get_ref().to_string(), host.name.get_ref().clone())).collect();
    EntityNames::new(&play.site, &topology)
}

/// The page.
pub(super) async fn page(at: AtTeam) -> Response {
    let techniques: Vec<Value> = attack::techniques()
        .map(|technique| json!([technique.id, technique.name, technique.tactics().collect::<Vec<_>>()]))
        .collect();
    let hosts: Vec<(String, Ipv4Addr)> = at
        .play
        .site
        .hosts
        .iter()
        .map(|host| (host.name.get_ref().clone(), *host.address.get_ref()))
        .collect();
    let base = format!("/team/{}", at.play.team.id);
    let may_call = at.seat().role.analyses();
    let content = html! {
        div.desk {
            div.left {
                section aria-labelledby="records-title" {
                    h2 id="records-title" { "Records" }
                    form id="filter-form" {
                        label { "Log " select id="log" {} }
                        label { "Filter " input id="filter" size="44" spellcheck="false" placeholder="id.orig_h == 192.168.1.0/24 and func == \"WRITE_SINGLE_REGISTER\""; }
                        button type="submit" { "Show" }
                        label { input type="checkbox" id="live" checked; " follow" }
                    }
                    p.says role="status" id="filter-says" {}
                    div.scroll role="region" tabindex="0" aria-label="Rows of the log" { table id="rows" { thead {} tbody {} } }
                    button type="button" id="older" hidden { "Older rows" }
                }
                section aria-labelledby="frame-title" {
                    h2 id="frame-title" { "Frame" }
                    form id="frame-form" { label { "Number " input id="frame-number" size="8" inputmode="numeric"; } button type="submit" { "Open" } button type="button" id="frame-before" { "Before" } button type="button" id="frame-after" { "After" } }
                    div id="frame" {}
                }
                section aria-labelledby="downloads-title" {
                    h2 id="downloads-title" { "Take it with you" }
                    p { a href=(format!("{base}/span.pcapng")) download { "Capture so far" } " "
                        a href=(format!("{base}/span.pcap")) download { "Live stream of the mirror port" } }
                    p.note { "A program has a seat of its own: the facilitator makes its link, and it takes the seat with " code { "curl -sX POST -H 'Accept: application/json' LINK" } ". Then, in a terminal: " code { "curl -sN -H \"Authorization: Bearer SESSION\" http://127.0.0.1:PORT" (base) "/span.pcap | wireshark -k -i -" } }
                }
            }
            div.right {
                section aria-labelledby="call-title" {
                    h2 id="call-title" { "Make a call" }
                    @if may_call {
                        form id="call" {
                            p { "What happened? Attack, fault or authorised work?" }
                            fieldset { legend { "Verdict" }
                                label { input type="radio" name="verdict" value="attack" required; " attack (A)" }
                                label { input type="radio" name="verdict" value="fault"; " fault (F)" }
                                label { input type="radio" name="verdict" value="authorised"; " authorised (W)" }
                            }
                            label { "Hosts, devices, points " input name="entities" required size="34" list="entities" placeholder="192.168.1.77, PLC-1, NAOH.SP"; }
                            datalist id="entities" { @for (name, address) in &hosts { option value=(name) { (address.to_string()) } } }
                            div { label { "From " input name="from" required size="9" placeholder="06:04:10"; } label { "to " input name="to" required size="9" placeholder="06:05:00"; } }
                            label { "Technique " input name="technique" list="techniques" size="34" placeholder="T0836 or nothing"; }
                            datalist id="techniques" { @for technique in attack::techniques() { option value=(technique.id) { (technique.name) } } }
                            fieldset { legend { "Confidence: what a right call earns, what a wrong one costs" }
                                @for (word, gain, cost) in confidences() { label { input type="radio" name="confidence" value=(word) required; (format!(" {word} (+{gain}, -{cost})")) } }
                            }
                            label { "Evidence " input name="evidence" size="34" placeholder="9195, C3xyz..."; }
                            label { "Case " input name="case" size="12" placeholder="calls of one story"; }
                            button.primary type="submit" { "Hand in" }
                        }
                        p.says role="status" id="call-says" {}
                    } @else { p.note { "The analyst of this team makes the calls." } }
                }
                section aria-labelledby="calls-title" {
                    h2 id="calls-title" { "Calls of this team" }
                    table { thead { tr { th scope="col" { "No." } th scope="col" { "At" } th scope="col" { "Verdict" } th scope="col" { "About" } th scope="col" { "Confidence" } } } tbody id="calls" {} }
                }
            }
        }
        script type="application/json" id="techniques-data" { (PreEscaped(Value::Array(techniques).to_string().replace("</", "<\\/"))) }
        script type="application/json" id="start" { (PreEscaped(json!({ "unix": at.play.start().unix_nanos(VirtualTime::ZERO) / 1_000_000_000, "clock": at.play.start().time_of_day(VirtualTime::ZERO) }).to_string())) }
    };
    framed(&at.sitting, &at.play, Tab::Analyst, "analyst.js", content)
}

/// What each confidence earns and costs, of a step's weight: the law's own figures.
fn confidences() -> [(&'static str, f64, f64); 3] {
    use quizzes::score::rules;
    use record::Confidence;
    [("low", Confidence::Low), ("mid", Confidence::Mid), ("high", Confidence::High)]
        .map(|(word, confidence)| (word, rules::bonus(confidence), rules::cost(confidence)))
}

/// A call as the form sends it: times are the scenario's clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallForm {
    /// Seconds of the run, first and last moment.
    interval: [f64; 2],
    entities: Vec<String>,
    verdict: String,
    technique: Option<String>,
    confidence: String,
    #[serde(default)]
    evidence: Vec<String>,
    case: Option<String>,
}

/// The line of `calls.jsonl` that it becomes.
#[derive(Serialize)]
struct Line<'a> {
    id: u64,
    t: f64,
    interval: [f64; 2],
    entities: &'a [String],
    verdict: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    technique: Option<&'a str>,
    confidence: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    evidence: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
}

/// Takes a call, if it makes sense.
pub(super) async fn call(
    State(console): State<Shared>,
    at: AtTeam,
    Json(form): Json<CallForm>,
) -> Result<Json<CallRow>, Problem> {
    if !at.seat().role.analyses() {
        return Err(Problem::forbidden("the analyst of this team makes the calls"));
    }
    let Some(lab) = at.play.live() else {
        return Err(Problem::conflict("this run is over: calls are closed"));
    };
    at.not_blank()?;
    let now = lab.now();
    let line = |id| {
        let line = Line {
            id,
            t: now.as_secs_f64(),
            interval: form.interval,
            entities: &form.entities,
            verdict: &form.verdict,
            technique: form.technique.as_deref().filter(|technique| !technique.is_empty()),
            confidence: &form.confidence,
            evidence: &form.evidence,
            case: form.case.as_deref().filter(|case| !case.is_empty()),
        };
        serde_json::to_string(&line).unwrap_or_default()
    };
    // Checked by the same rules as a file of calls; a number that is free stands in for the one it will get.
    let checked = read_calls("call", &line(1), &names_of(&at.play), at.play.plan.end, Form::Live);
    if let Err(problems) = checked {
        let says: Vec<String> = problems
            .iter()
            .map(|error| format!("{} ({})", error.problem, without_a_hint(&error.fix)))
            .collect();
        return Err(Problem::bad(says.join("; ")));
    }
    let store = console.exercise.store();
    if store.calls(at.play.run.id)?.len() as u64 >= CALLS_MAX {
        return Err(Problem::conflict(format!("{CALLS_MAX} calls are in: no more are taken in one run")));
    }
    Ok(Json(store.add_call(at.play.run.id, at.seat().id, line)?))
}

/// What to write instead, but no names: a scenario's own hosts are for the analyst to find.
fn without_a_hint(fix: &str) -> &str {
    if fix.starts_with("did you mean") {
        "write a name of the site's documentation, or an address as the records show it"
    } else {
        fix
    }
}

/// Calls of the team so far.
pub(super) async fn calls(State(console): State<Shared>, at: AtTeam) -> Result<Json<Value>, Problem> {
    let calls = console.exercise.store().calls(at.play.run.id)?;
    let is_open = at.is_open(&console);
    let lines: Vec<Value> = calls
        .iter()
        .filter_map(|call| {
            let mut line: Value = serde_json::from_str(&call.body).ok()?;
            let t = line["t"].as_f64().map(|t| at.play.start().time_of_day(VirtualTime::from_secs_f64(t)));
            line["clock"] = json!(t);
            if is_open {
                line["points_override"] = json!(call.points_override);
                line["override_reason"] = json!(call.override_reason);
            }
            Some(line)
        })
        .collect();
    Ok(Json(Value::Array(lines)))
}
