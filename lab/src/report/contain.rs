//! What courses say about containment and recovery: the figures that parts C and R of the score are made of.
//!
//! Counted are two courses of one seed, *nobody acts* and this run, by their [`Talk`](super::talk::Talk). *No attack* says
//! which talk is a person's to keep: an exchange counts if it is in *nobody acts* and in *no attack*, so that what the
//! attack itself stops, and what operators do only because of it, is nobody's loss. The span runs from the first thing a
//! person did to the end of the last hostile step where nobody acts, and is at least a minute long.

use std::net::Ipv4Addr;

use quizzes::score::containment::{Block, ContainmentInput, FlowClass, Operations, Served, containment};
use quizzes::score::part::Part;
use quizzes::score::recovery::Recovery;
use record::{Role, TruthStep, Verdict, VirtualTime};
use sim::{PlantEvent, PlantEventKind};
use site::{FirewallAction, FirewallRule, HostRole, Peer, Protocol, RequestKind, Site, TagKind};

use super::courses::{Course, Three};
use super::talk::{Flow, SPAN_S};

/// The span in which talk is compared is at least so long, s: somebody who blocks everything at the last moment finds
/// that it stops something.
const SPAN_MIN_S: f64 = 60.0;
/// A flow that lost less than this share is served: polls shift by one where a span begins or ends.
const SHIFT: f64 = 0.02;
/// The plant has to be in its band for so long at the end, s.
const STEADY_S: f64 = 300.0;

/// What containment came to.
pub(super) struct Contained {
    /// Part C.
    pub(super) part: Part,
    /// When the first rule was added that stops some of the plant's own talk.
    pub(super) first_wide: Option<VirtualTime>,
}

/// Containment in a course; `None` without an attack.
pub(super) fn contained(three: &Three, course: &Course, site: &Site) -> Option<Contained> {
    let attack = || three.none.truth.iter().filter(|step| step.verdict == Verdict::Attack);
    let seen = attack().filter_map(|step| step.observable_by(Role::Analyst)).min();
    let end = attack().map(|step| step.end).max()?;
    let operations = seen.map_or_else(Vec::new, |seen| operations(&three.none, course, seen));
    let counted =
        course.first_act.map_or_else(Vec::new, |from| served(three, course, site, spans(from, end)));
    let is_deny = |(_, rule): &&(VirtualTime, FirewallRule)| rule.action == FirewallAction::Deny;
    let (mut blocks, mut first_wide) = (Vec::new(), None);
    for (t, rule) in course.rules.iter().filter(is_deny) {
        let is_cut =
            |(flow, counted): &&(Flow, Served)| counted.actual < counted.none && stops(rule, flow, site);
        let cut = counted.iter().find(is_cut).map(|(_, counted)| counted.name.clone());
        if cut.is_some() {
            first_wide = first_wide.or(Some(*t));
        }
        blocks.push(Block { name: rule.name.clone(), expires: rule.duration.is_some(), stops: cut });
    }
    let flows: Vec<Served> = counted.into_iter().map(|(_, counted)| counted).collect();
    let part = containment(&ContainmentInput {
        operations: &operations,
        flows: &flows,
        blocks: &blocks,
        contained: course.first_act,
    });
    Some(Contained { part, first_wide })
}

/// Operations of each step since a moment: those that change something, or all where none of the attack's does.
fn operations(none: &Course, actual: &Course, seen: VirtualTime) -> Vec<Operations> {
    let since = |course: &Course, step: &str, changing: bool| {
        let all = course.talk.operations.get(step).map_or(&[][..], Vec::as_slice);
        // Times are kept to a tenth of a second, rounded down.
        let from = VirtualTime::from_nanos(seen.as_nanos() / 100_000_000 * 100_000_000);
        all.iter().filter(|it| it.t >= from && (it.changes || !changing)).count() as u64
    };
    let of = |changing: bool| -> Vec<Operations> {
        let steps = none.talk.operations.keys();
        let each = steps.map(|step| Operations {
            step: step.clone(),
            none: since(none, step, changing),
            actual: since(actual, step, changing),
        });
        each.filter(|operations| operations.none > 0).collect()
    };
    let changing = of(true);
    if changing.is_empty() { of(false) } else { changing }
}

/// First span and the one behind the last.
fn spans(from: VirtualTime, end: VirtualTime) -> (usize, usize) {
    let end_s = end.as_secs_f64().max(from.as_secs_f64() + SPAN_MIN_S);
    let span = SPAN_S as f64;
    let first = (from.as_secs_f64() / span).ceil() as usize;
    (first, ((end_s / span) as usize).max(first + 1))
}

fn served(three: &Three, course: &Course, site: &Site, (first, end): (usize, usize)) -> Vec<(Flow, Served)> {
    let count = |flow: Flow| {
        let class = class_of(site, &flow)?;
        let in_course = |course: &Course| course.talk.exchanges(&flow, first, end);
        let none = in_course(&three.none).min(in_course(&three.clean));
        let actual = in_course(course);
        let actual = if (actual as f64) >= none as f64 * (1.0 - SHIFT) { actual.max(none) } else { actual };
        let name = |address: Ipv4Addr| {
            let host = site.hosts.iter().find(|host| *host.address.get_ref() == address);
            host.map_or_else(|| address.to_string(), |host| host.name.get_ref().clone())
        };
        let what = if flow.changes { ", commands" } else { "" };
        let name = format!("{} to {}:{}{what}", name(flow.client), name(flow.server), flow.port);
        (none > 0).then_some((flow, Served { class, name, none, actual }))
    };
    three.none.talk.flows().filter_map(count).collect()
}

/// What a flow is for; `None` where it is none of the plant's own functions.
fn class_of(site: &Site, flow: &Flow) -> Option<FlowClass> {
    use HostRole::{Engineering, Historian, Hmi, ItHistorian, Plc, Rtu, Server};
    let role = |address: Ipv4Addr| {
        site.hosts.iter().find(|host| *host.address.get_ref() == address).map(|host| host.role)
    };
    match (role(flow.client)?, role(flow.server)?) {
        (Plc | Rtu, Plc | Rtu) => Some(FlowClass::Control),
        (Hmi | Server, Plc | Rtu) if flow.changes => Some(FlowClass::Control),
        (Hmi | Server, Plc | Rtu) | (Hmi, Hmi | Server) => Some(FlowClass::View),
        (Engineering, Plc | Rtu | Hmi | Server) => Some(FlowClass::Engineering),
        (Historian | ItHistorian, _) | (_, Historian | ItHistorian) => Some(FlowClass::Replication),
        _ => None,
    }
}

/// Whether a rule speaks of a flow.
fn stops(rule: &FirewallRule, flow: &Flow, site: &Site) -> bool {
    let is_peer = |peer: &Peer, address: Ipv4Addr| match peer {
        Peer::Any => true,
        Peer::Zone(name) => site
            .zones
            .iter()
            .any(|zone| zone.name.get_ref() == name && zone.networks.iter().any(|it| it.contains(address))),
        Peer::Subnet(subnet) => subnet.contains(address),
    };
    let host = |address: Ipv4Addr| site.hosts.iter().find(|host| *host.address.get_ref() == address);
    let comes_by = match &rule.at {
        Some(at) => [flow.client, flow.server]
            .into_iter()
            .any(|address| host(address).is_some_and(|host| host.name.get_ref() == at)),
        None => match (host(flow.client), host(flow.server)) {
            (Some(client), Some(server)) => client.zone.get_ref() != server.zone.get_ref(),
            _ => true,
        },
    };
    let kind = rule.modbus.as_ref().and_then(|modbus| modbus.kind);
    let is_kind = kind.is_none_or(|kind| (kind == RequestKind::Write) == flow.changes);
    comes_by
        && is_kind
        && rule.protocol != Protocol::Icmp
        && rule.takes_port(flow.port)
        && is_peer(&rule.from, flow.client)
        && is_peer(&rule.to, flow.server)
}

/// How a course left the plant, against the course without the attack.
pub(super) fn recovery(
    three: &Three,
    course: &Course,
    site: &Site,
    end: VirtualTime,
    justified: bool,
) -> Recovery {
    let alike = |one: &Course, other: &Course, tag: &str| match (one.last.get(tag), other.last.get(tag)) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-6 * other.abs().max(1.0),
        _ => true,
    };
    let is_setpoint =
        |tag: &&str| site.tag(tag).is_some_and(|it| matches!(it.kind, TagKind::Setpoint | TagKind::Command));
    let mut broken: Vec<String> = points_of_attack(&three.none.truth)
        .filter(is_setpoint)
        .filter(|tag| !alike(&three.none, &three.clean, tag))
        .map(str::to_owned)
        .collect();
    broken.sort();
    broken.dedup();
    let restored = broken.iter().filter(|tag| alike(course, &three.clean, tag)).cloned().collect();
    let from = VirtualTime::from_secs_f64((end.as_secs_f64() - STEADY_S).max(0.0));
    let without = standing(&three.clean.events, from);
    let more = |events: &[PlantEvent]| -> Vec<String> {
        standing(events, from).into_iter().filter(|alarm| !without.contains(alarm)).collect()
    };
    Recovery {
        broken,
        restored,
        upset: more(&three.none.events),
        still_upset: more(&course.events),
        justified,
    }
}

fn points_of_attack(truth: &[TruthStep]) -> impl Iterator<Item = &str> {
    let attack = truth.iter().filter(|step| step.verdict == Verdict::Attack);
    attack.flat_map(|step| step.points.iter().map(record::EntityId::name))
}

/// Alarms and trips that stand at some moment from `from` on, by tag, sorted.
fn standing(events: &[PlantEvent], from: VirtualTime) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut stood: Vec<String> = Vec::new();
    for event in events {
        let tag = event.tag.as_str();
        match event.kind {
            PlantEventKind::AlarmRaised | PlantEventKind::SwitchOperated | PlantEventKind::Tripped => {
                open.push(tag);
            }
            PlantEventKind::AlarmCleared | PlantEventKind::SwitchReleased | PlantEventKind::TripReset => {
                if event.time >= from && open.contains(&tag) {
                    stood.push(tag.to_owned());
                }
                open.retain(|it| *it != tag);
            }
            _ => {}
        }
    }
    stood.extend(open.into_iter().map(str::to_owned));
    stood.sort();
    stood.dedup();
    stood
}
