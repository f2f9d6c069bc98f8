//! Zones and conduits, hosts, talkers, and the firewall's rules.

use axum::Json;
use axum::response::Response;
use maud::html;
use serde_json::{Value, json};

use super::layout::{Tab, page as framed};
use super::problem::Problem;
use super::team::AtTeam;
use crate::live::Pair;

/// A talker is drawn as active for so long after its last frame, s of plant.
const ACTIVE_S: f64 = 10.0;

/// The page.
pub(super) async fn page(at: AtTeam) -> Response {
    let site = &at.play.site;
    let may_change = at.seat().role.analyses() && at.play.live().is_some();
    let content = html! {
        section aria-labelledby="zones-title" {
            h2 id="zones-title" { "Zones, conduits and talkers" }
            p.note { "Zones from level 4 down to level 1. A line is a pair that talked in the last " (ACTIVE_S) " seconds on the mirror port of " (site.mirror_zone.get_ref()) "; the table says what it is." }
            div id="zones" {}
        }
        section aria-labelledby="talkers-title" {
            h2 id="talkers-title" { "Talkers" }
            table { thead { tr { th scope="col" { "Client" } th scope="col" { "Server" } th scope="col" { "Service" } th.number scope="col" { "Frames" } th.number scope="col" { "Octets" } th scope="col" { "Last" } } } tbody id="talkers" {} }
            p.note id="unlisted" {}
        }
        section aria-labelledby="hosts-title" tabindex="0" {
            h2 id="hosts-title" { "Hosts of the documentation" }
            table {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Address" } th scope="col" { "MAC" } th scope="col" { "Vendor of the card" } th scope="col" { "Zone" } th scope="col" { "Role" } th scope="col" { "Criticality" } th scope="col" { "What" } th scope="col" { "Answers for it" } } }
                tbody {
                    @for host in &site.hosts {
                        tr id=(format!("host-{}", host.name.get_ref())) {
                            th scope="row" { (host.name.get_ref()) } td.mono { (host.address.get_ref().to_string()) } td.mono { (host.mac.get_ref().to_string()) }
                            td { (sensor::vendor(*host.mac.get_ref()).unwrap_or("-")) } td { (host.zone.get_ref()) } td { (host.role.as_str()) }
                            td { (host.criticality.as_str()) } td { (host.title) } td { (host.owner) }
                        }
                    }
                }
            }
        }
        section aria-labelledby="rules-title" {
            h2 id="rules-title" { "Firewall between the zones" }
            p.note { "The first rule that matches decides; what none matches is denied. Hosts of one zone reach each other without it. A change is for this team's lab, kept in its record." }
            table { thead { tr { th scope="col" { "No." } th scope="col" { "Rule" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Service" } th scope="col" { "Action" } th.number scope="col" { "Hits" } th scope="col" { "Until" } th scope="col" { "Reason" } th scope="col" { span.hidden { "Remove" } } } } tbody id="rules" {} }
            p.note id="sessions" {}
            @if may_change {
                form id="add-rule" {
                    h2 { "Add a rule in front" }
                    label { "Name " input name="name" required maxlength="60" pattern="[A-Za-z0-9._-]+" size="18"; }
                    label { "From " input name="from" required value="any" list="peers" size="16"; }
                    label { "To " input name="to" required value="any" list="peers" size="16"; }
                    label { "Ports " input name="ports" placeholder="502, 20000" size="10"; }
                    label { "Modbus functions " input name="functions" placeholder="5, 6, 16" size="10"; }
                    label { "Action " select name="action" { option { "deny" } option { "allow" } } }
                    label { "For " input name="duration" placeholder="24h" size="6"; }
                    label { "Reason " input name="comment" required maxlength="200" size="30"; }
                    button.primary type="submit" { "Add" }
                    datalist id="peers" {
                        option value="any" {}
                        @for zone in &site.zones { option value=(format!("zone:{}", zone.name.get_ref())) { (zone.title) } }
                        @for host in &site.hosts { option value=(host.address.get_ref().to_string()) { (host.name.get_ref()) } }
                    }
                }
                form id="kill" {
                    label { "End sessions of " input name="address" list="peers" required size="16" placeholder="203.0.113.40"; }
                    button type="submit" { "End sessions" }
                }
            }
            p.says role="status" id="says" {}
        }
    };
    framed(&at.sitting, &at.play, Tab::Network, "network.js", content)
}

/// What of it moves.
pub(super) async fn data(at: AtTeam) -> Result<Json<Value>, Problem> {
    at.not_blank()?;
    let site = &at.play.site;
    let zones: Vec<Value> = site
        .zones
        .iter()
        .map(|zone| {
            let hosts: Vec<Value> = site
                .hosts
                .iter()
                .filter(|host| host.zone.get_ref() == zone.name.get_ref())
                .map(|host| json!({ "name": host.name.get_ref(), "address": host.address.get_ref(), "role": host.role.as_str(), "title": host.title }))
                .collect();
            let networks: Vec<String> = zone.networks.iter().map(ToString::to_string).collect();
            json!({ "name": zone.name.get_ref(), "title": zone.title, "level": zone.level, "networks": networks, "hosts": hosts })
        })
        .collect();
    let Some(lab) = &at.play.lab else {
        return Ok(Json(json!({ "zones": zones, "talkers": [], "rules": [] })));
    };
    let name = |address: std::net::Ipv4Addr| {
        site.host_at(address).map_or_else(|| address.to_string(), |host| host.name.get_ref().clone())
    };
    let state = lab.board().read();
    let talkers: Vec<Value> = state
        .talkers
        .iter()
        .map(|(Pair { client, server, service }, talk)| {
            json!({
                "client": name(*client), "client_address": client, "server": name(*server), "server_address": server,
                "service": service, "frames": talk.frames, "octets": talk.octets,
                "clock": at.play.start().time_of_day(talk.last),
                "is_active": state.now.as_secs_f64() - talk.last.as_secs_f64() <= ACTIVE_S,
                "is_known": site.host_at(*client).is_some() && site.host_at(*server).is_some(),
            })
        })
        .collect();
    let rules: Vec<Value> = state
        .rules
        .iter()
        .map(|line| {
            json!({ "id": line.id, "rule": line.rule, "hits": line.hits,
                "until": line.expires.map(|expires| at.play.start().time_of_day(expires)) })
        })
        .collect();
    Ok(Json(json!({ "zones": zones, "talkers": talkers, "rules": rules, "sessions": state.sessions,
        "unlisted_frames": state.unlisted_frames })))
}
