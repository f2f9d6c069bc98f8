//! The plant, as the operator sees it: mimic, values, alarms, trends, faceplates.

use axum::Json;
use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use record::VirtualTime;
use serde::Deserialize;
use serde_json::{Value, json};
use site::{Site, Tag, TagKind};

use super::layout::{Tab, page as framed};
use super::problem::Problem;
use super::team::AtTeam;
use crate::language::LANGUAGE;

/// The picture of a plant, if there is one.
fn mimic(plant: &str) -> Option<&'static str> {
    match plant {
        "water" => Some(include_str!("assets/mimic-water.svg")),
        "power" => Some(include_str!("assets/mimic-power.svg")),
        _ => None,
    }
}

/// What the page's script has to know of a tag.
fn tag_data(site: &Site, tag: &Tag) -> Value {
    let taker = site.device_that_takes(tag.name.get_ref());
    json!({
        "description": tag.description,
        "unit": tag.unit,
        "kind": tag.kind,
        "low": tag.low,
        "high": tag.high,
        "normal_low": tag.normal_low,
        "normal_high": tag.normal_high,
        "states": tag.states,
        "taken_by": taker.map(|device| device.name.get_ref().clone()),
    })
}

fn kind_title(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Measurement => "Measurements",
        TagKind::Setpoint => "Setpoints",
        TagKind::Command => "Modes and commands",
        TagKind::Status => "States",
        TagKind::Alarm => "Alarm bits",
    }
}

fn value_table(site: &Site, kind: TagKind) -> Markup {
    html! {
        table.values {
            caption { (kind_title(kind)) }
            thead { tr { th scope="col" { "Tag" } th scope="col" { "What" } th.number scope="col" { "Value" } th scope="col" { "Unit" } } }
            tbody {
                @for tag in site.tags.iter().filter(|tag| tag.kind == kind) {
                    tr data-row=(tag.name.get_ref()) {
                        th scope="row" { button.link type="button" data-open=(tag.name.get_ref()) { (tag.name.get_ref()) } }
                        td { (tag.description) }
                        td.number data-value=(tag.name.get_ref()) { "-" }
                        td { (tag.unit) }
                    }
                }
            }
        }
    }
}

/// The page.
pub(super) async fn page(at: AtTeam) -> Response {
    let play = &at.play;
    let site = &play.site;
    let tags: serde_json::Map<String, Value> =
        site.tags.iter().map(|tag| (tag.name.get_ref().clone(), tag_data(site, tag))).collect();
    // Inside a script element only "</" could end it early; as JSON it may be written with an escape.
    let tags = Value::Object(tags).to_string().replace("</", "<\\/");
    let content = html! {
        details.briefing open[play.lab.is_some()] {
            summary { "Briefing" }
            @for paragraph in &play.briefing { p lang=[play.class.settings.get(LANGUAGE)] { (paragraph) } }
        }
        div.plant {
            section.mimic aria-label="Mimic of the plant" {
                @if let Some(picture) = mimic(&play.plan.plant) { (PreEscaped(picture)) }
                p.note id="lost" role="status" {}
            }
            section.side {
                section aria-labelledby="alarms-title" {
                    h2 id="alarms-title" { "Alarms" }
                    table.alarms { thead { tr { th scope="col" { "P" } th scope="col" { "Since" } th scope="col" { "Alarm" } th scope="col" { "State" } th scope="col" { span.hidden { "Acknowledge" } } } } tbody id="alarms" aria-live="polite" {} }
                    p.note id="no-alarms" { "None." }
                }
                section aria-labelledby="trends-title" {
                    h2 id="trends-title" { "Trends" }
                    div.pens {
                        label { "Pen " select id="pen" { @for tag in site.tags.iter().filter(|tag| matches!(tag.kind, TagKind::Measurement | TagKind::Setpoint)) { option value=(tag.name.get_ref()) { (tag.name.get_ref()) " " (tag.description) } } } }
                        button id="add-pen" type="button" { "Add" }
                        label { "Span " select id="trend-span" { option value="300" { "5 min" } option value="900" selected { "15 min" } option value="3600" { "1 h" } } }
                    }
                    div id="trends" {}
                }
                @if at.seat().role.operates() && !site.safe_stop.is_empty() {
                    section aria-labelledby="stop-title" {
                        h2 id="stop-title" { "Safe stop" }
                        p { "Stops dosing and inflow, then the pumps: " (site.safe_stop.len()) " values are written." }
                        button.danger id="safe-stop" type="button" { "Safe stop" }
                    }
                }
            }
        }
        details.tables {
            summary { "All values as tables" }
            div.columns {
                @for kind in [TagKind::Measurement, TagKind::Setpoint, TagKind::Command, TagKind::Status, TagKind::Alarm] { (value_table(site, kind)) }
            }
        }
        dialog id="faceplate" aria-labelledby="faceplate-title" {}
        script type="application/json" id="tags" { (PreEscaped(tags)) }
    };
    framed(&at.sitting, play, Tab::Plant, "plant.js", content)
}

/// How far back.
#[derive(Deserialize)]
pub(super) struct Span {
    #[serde(default = "quarter_of_an_hour")]
    seconds: u32,
}

fn quarter_of_an_hour() -> u32 {
    900
}

/// Points of a tag's trend, and who changed it last.
pub(super) async fn trend(
    at: AtTeam,
    Path((_, tag)): Path<(i64, String)>,
    Query(span): Query<Span>,
) -> Result<Json<Value>, Problem> {
    at.not_blank()?;
    if at.play.site.tag(&tag).is_none() {
        return Err(Problem::missing(format!("this site has no tag {tag:?}")));
    }
    let Some(lab) = &at.play.lab else {
        return Err(Problem::conflict("this run is over: its values are in process.csv"));
    };
    let state = lab.board().read();
    let from = VirtualTime::from_secs_f64((state.now.as_secs_f64() - f64::from(span.seconds)).max(0.0));
    let change = state.last_change(&tag).map(|change| {
        json!({ "clock": at.play.start().time_of_day(change.t), "who": change.source, "what": change.command })
    });
    Ok(Json(json!({
        "now": state.now.as_secs_f64(),
        "points": state.trend(&tag, from),
        "last_change": change,
    })))
}
