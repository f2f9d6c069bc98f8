//! Records as rules see them: named fields.
//!
//! A record belongs to one *service*, as Sigma's `logsource.service` says it, under `product: fieldrange`. Its fields
//! are Zeek's where Zeek has them (`id.orig_h`, `func`, `pdu_type`) and those of the enrichment beside them
//! (`baseline.new_writer`, `process.residual`). [`fields_of`] lists them all: a rule that names another does not load.
//! A field that does not apply to a record is absent from it.

use std::borrow::Cow;
use std::net::IpAddr;

use rsigma_eval::{Event, EventValue};

use crate::dnp3::Dnp3Record;
use crate::facts::values::ValueNews;
use crate::facts::{Crept, LostPoll, PairNews, ReportsOff, RequestNews};
use crate::flow::{ConnId, Outcome};
use crate::known::HostView;
use crate::process::{Broken, Strain};
use crate::row::address_text;

/// `logsource.product` of every record.
pub(crate) const PRODUCT: &str = "fieldrange";

/// Fields that every record has, as far as they apply.
const COMMON: &[&str] = &[
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "source.address",
    "source.name",
    "source.role",
    "source.zone",
    "source.level",
    "source.known",
    "target.address",
    "target.name",
    "target.role",
    "target.zone",
    "target.level",
    "target.known",
    "device.name",
    "baseline.learning",
];

/// Services, and the fields that their records have beside the common ones.
const SERVICES: &[(&str, &[&str])] = &[
    (
        "modbus",
        &[
            "tid",
            "unit",
            "func",
            "pdu_type",
            "exception",
            "modbus.function",
            "modbus.sub_function",
            "modbus.read",
            "modbus.write",
            "modbus.identity",
            "modbus.address",
            "modbus.quantity",
            "modbus.walk",
            "modbus.creep_steps",
            "modbus.creep_share",
            "tag.name",
            "tag.kind",
            "tag.value",
            "tag.unusual",
            "site.writer",
            "baseline.new_reader",
            "baseline.new_writer",
            "baseline.usual_writer",
            "baseline.new_unit",
            "baseline.rate_factor",
            "baseline.new_function",
            "baseline.new_range",
            "baseline.new_exception",
            "process.residual",
            "process.tie",
            "process.tie_broken",
        ],
    ),
    ("dnp3", crate::dnp3::FIELDS),
    (
        "attempt",
        &[
            "attempt.outcome",
            "attempt.failed",
            "attempt.target",
            "attempt.open",
            "attempt.used_to_accept",
            "baseline.new_talker",
            "baseline.more_connections",
            "baseline.new_service",
        ],
    ),
    ("host", &["host.mac_changed", "host.new"]),
    ("arp", &["arp.target"]),
    ("poll", &["poll.silence_s", "poll.interval_s"]),
    (
        "values",
        &[
            "values.kind",
            "values.unit",
            "values.address",
            "values.value",
            "values.low",
            "values.high",
            "values.points",
            "values.learnt_h",
            "values.beyond",
            "values.jump",
            "values.still_s",
            "values.frozen",
            "values.repeats",
        ],
    ),
    ("process", &["process.law", "process.residual", "process.tie"]),
    (
        "grid",
        &[
            "grid.breaker",
            "grid.line",
            "grid.cut_off",
            "grid.cut_mw",
            "grid.cut_share",
            "grid.joined",
            "grid.overload",
            "grid.loading",
        ],
    ),
    (
        "reports",
        &[
            "reports.off_s",
            "reports.after_restart",
            "reports.cut_short",
            "site.writer",
            "baseline.leaves_reports_off",
        ],
    ),
    (
        "conn",
        &[
            "proto",
            "service",
            "conn_state",
            "history",
            "duration",
            "orig_bytes",
            "resp_bytes",
            "orig_pkts",
            "resp_pkts",
        ],
    ),
    ("weird", &["name"]),
];

/// Names of the services.
pub(crate) fn services() -> impl Iterator<Item = &'static str> {
    SERVICES.iter().map(|(name, _)| *name)
}

/// Fields of a service's records; `None` where there is no such service.
pub(crate) fn fields_of(service: &str) -> Option<impl Iterator<Item = &'static str> + use<>> {
    let (_, own) = SERVICES.iter().find(|(name, _)| *name == service)?;
    Some(own.iter().chain(COMMON).copied())
}

/// A tag that a write sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point<'a> {
    /// Number of the tag.
    pub(crate) number: usize,
    /// Its address in the table that is written.
    pub(crate) address: u16,
    pub(crate) tag: &'a str,
    pub(crate) description: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) states: &'a [String],
    pub(crate) before: Option<f64>,
    pub(crate) value: f64,
    pub(crate) unusual: bool,
}

/// A Modbus PDU.
#[expect(clippy::struct_excessive_bools, reason = "each is a field that rules ask for by name")]
#[derive(Clone, Debug)]
pub(crate) struct ModbusRecord<'a> {
    pub(crate) transaction: u16,
    pub(crate) unit: u8,
    pub(crate) function: u8,
    pub(crate) name: &'a str,
    pub(crate) request: bool,
    pub(crate) exception: Option<&'a str>,
    pub(crate) sub_function: Option<u16>,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) identity: bool,
    pub(crate) address: Option<u16>,
    pub(crate) quantity: Option<u16>,
    /// Bits rather than registers.
    pub(crate) bits: bool,
    pub(crate) points: &'a [Point<'a>],
    pub(crate) site_writer: bool,
    pub(crate) news: RequestNews,
    pub(crate) new_exception: bool,
    /// How far the setpoint that it writes has crept.
    pub(crate) crept: Crept,
    pub(crate) judged: Option<Broken<'a>>,
    pub(crate) tie_broken: bool,
}

/// What a record is about.
#[derive(Clone, Debug)]
pub(crate) enum Facts<'a> {
    Modbus(ModbusRecord<'a>),
    Dnp3(Dnp3Record<'a>),
    Attempt { outcome: Outcome, port: u16, news: PairNews },
    Host { new: bool, mac_changed: bool },
    Arp { target: IpAddr },
    Poll { lost: LostPoll },
    Process { broken: Broken<'a>, names: Vec<&'a str> },
    Grid { strain: &'a Strain, breaker: &'a str },
    Reports { off: ReportsOff, site_writer: bool },
    Values(ValueNews),
    Conn(ConnRecord<'a>),
    Weird { name: &'a str },
}

/// A connection that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnRecord<'a> {
    pub(crate) proto: &'static str,
    pub(crate) service: Option<&'static str>,
    pub(crate) conn_state: &'static str,
    pub(crate) history: &'a str,
    pub(crate) duration: u64,
    pub(crate) sizes: (u64, u64),
    pub(crate) packets: (u64, u64),
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    /// Nanoseconds since 1970.
    pub(crate) at: u64,
    /// The frame that shows it, counted from 1; 0 where none does.
    pub(crate) frame: u64,
    pub(crate) conn: Option<ConnId>,
    pub(crate) source: HostView<'a>,
    pub(crate) target: Option<HostView<'a>>,
    pub(crate) device: Option<&'a str>,
    pub(crate) learning: bool,
    pub(crate) facts: Facts<'a>,
}

/// Absent where empty.
fn text(text: &str) -> Option<EventValue<'_>> {
    (!text.is_empty()).then_some(EventValue::Str(Cow::Borrowed(text)))
}

#[expect(clippy::unnecessary_wraps, reason = "a field's value stands beside others that may be absent")]
fn address<'a>(address: IpAddr) -> Option<EventValue<'a>> {
    Some(EventValue::Str(Cow::Owned(address_text(address))))
}

#[expect(clippy::unnecessary_wraps, reason = "as above")]
fn int<'a>(number: impl Into<i64>) -> Option<EventValue<'a>> {
    Some(EventValue::Int(number.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "as above")]
fn flag<'a>(value: bool) -> Option<EventValue<'a>> {
    Some(EventValue::Bool(value))
}

fn host_field<'a>(host: &HostView<'a>, field: &str) -> Option<EventValue<'a>> {
    match field {
        "address" => address(host.address),
        "name" => host.name.and_then(text),
        "role" => text(host.role),
        "zone" => text(host.zone),
        "level" => text(host.level),
        "known" => flag(host.known),
        _ => None,
    }
}

impl Record<'_> {
    /// Its service.
    pub(crate) const fn service(&self) -> &'static str {
        match self.facts {
            Facts::Modbus(_) => "modbus",
            Facts::Dnp3(_) => "dnp3",
            Facts::Attempt { .. } => "attempt",
            Facts::Host { .. } => "host",
            Facts::Arp { .. } => "arp",
            Facts::Poll { .. } => "poll",
            Facts::Process { .. } => "process",
            Facts::Grid { .. } => "grid",
            Facts::Reports { .. } => "reports",
            Facts::Values(_) => "values",
            Facts::Conn(_) => "conn",
            Facts::Weird { .. } => "weird",
        }
    }

    fn own_field(&self, path: &str) -> Option<EventValue<'_>> {
        match &self.facts {
            Facts::Modbus(modbus) => modbus.field(path),
            Facts::Dnp3(dnp3) => dnp3.field(path),
            Facts::Attempt { outcome, port, news } => match path {
                "attempt.outcome" => text(outcome.as_str()),
                "attempt.failed" => flag(*outcome != Outcome::Established),
                "attempt.target" => {
                    let target = self.target?.address;
                    Some(EventValue::Str(Cow::Owned(format!("{target}:{port}"))))
                }
                "attempt.open" => int(news.open),
                "attempt.used_to_accept" => flag(news.used_to_accept),
                "baseline.new_talker" => flag(news.new_talker),
                "baseline.more_connections" => flag(news.more_connections),
                "baseline.new_service" => flag(news.new_service),
                _ => None,
            },
            Facts::Host { new, mac_changed } => match path {
                "host.new" => flag(*new),
                "host.mac_changed" => flag(*mac_changed),
                _ => None,
            },
            Facts::Arp { target } => {
                if path == "arp.target" {
                    address(*target)
                } else {
                    None
                }
            }
            Facts::Poll { lost } => match path {
                "poll.silence_s" => Some(EventValue::Float(lost.silence as f64 / 1e9)),
                "poll.interval_s" => Some(EventValue::Float(lost.interval as f64 / 1e9)),
                _ => None,
            },
            Facts::Process { broken, .. } => process_field(broken, path),
            Facts::Grid { strain, breaker } => grid_field(strain, breaker, path),
            Facts::Reports { off, site_writer } => match path {
                "reports.off_s" => Some(EventValue::Float(off.off as f64 / 1e9)),
                "reports.after_restart" => flag(off.after_restart),
                "reports.cut_short" => flag(off.ended),
                "site.writer" => flag(*site_writer),
                "baseline.leaves_reports_off" => flag(off.learnt),
                _ => None,
            },
            Facts::Values(news) => news.field(path),
            Facts::Conn(conn) => match path {
                "proto" => text(conn.proto),
                "service" => conn.service.and_then(text),
                "conn_state" => text(conn.conn_state),
                "history" => text(conn.history),
                "duration" => Some(EventValue::Float(conn.duration as f64 / 1e9)),
                "orig_bytes" => int(conn.sizes.0 as i64),
                "resp_bytes" => int(conn.sizes.1 as i64),
                "orig_pkts" => int(conn.packets.0 as i64),
                "resp_pkts" => int(conn.packets.1 as i64),
                _ => None,
            },
            Facts::Weird { name } => {
                if path == "name" {
                    text(name)
                } else {
                    None
                }
            }
        }
    }
}

fn process_field<'a>(broken: &Broken<'a>, path: &str) -> Option<EventValue<'a>> {
    match path {
        "process.law" => text(broken.law),
        "process.residual" => Some(EventValue::Float(broken.residual)),
        "process.tie" => text(broken.tie),
        _ => None,
    }
}

fn grid_field<'a>(strain: &'a Strain, breaker: &'a str, path: &str) -> Option<EventValue<'a>> {
    let names = |names: &'a [String]| {
        let names = names.iter().map(|name| EventValue::Str(Cow::Borrowed(name.as_str())));
        Some(EventValue::Array(names.collect::<Vec<_>>()))
            .filter(|all| !matches!(all, EventValue::Array(all) if all.is_empty()))
    };
    match path {
        "grid.breaker" => text(breaker),
        "grid.line" => text(strain.line.as_deref()?),
        "grid.cut_off" => names(&strain.cut),
        "grid.joined" => names(&strain.joined),
        "grid.cut_mw" => Some(EventValue::Float(strain.cut_mw)),
        "grid.cut_share" => Some(EventValue::Float(strain.cut_share)),
        "grid.overload" => text(&strain.overload.as_ref()?.0),
        "grid.loading" => Some(EventValue::Float(strain.loading()?)),
        _ => None,
    }
}

impl ModbusRecord<'_> {
    fn field(&self, path: &str) -> Option<EventValue<'_>> {
        match path {
            "tid" => int(self.transaction),
            "unit" => int(self.unit),
            "func" => text(self.name),
            "pdu_type" => text(if self.request { "REQ" } else { "RESP" }),
            "exception" => self.exception.and_then(text),
            "modbus.function" => int(self.function),
            "modbus.sub_function" => self.sub_function.and_then(int),
            "modbus.read" => flag(self.read),
            "modbus.write" => flag(self.write),
            "modbus.identity" => flag(self.identity),
            "modbus.address" => self.address.and_then(int),
            "modbus.quantity" => self.quantity.and_then(int),
            "modbus.walk" => int(self.news.walk),
            "modbus.creep_steps" => int(self.crept.steps),
            "modbus.creep_share" => Some(EventValue::Float(self.crept.share)),
            "tag.name" => self.points_as(|point| EventValue::Str(Cow::Borrowed(point.tag))),
            "tag.kind" => self.points_as(|point| EventValue::Str(Cow::Borrowed(point.kind))),
            "tag.value" => self.points_as(|point| EventValue::Float(point.value)),
            "tag.unusual" => flag(self.points.iter().any(|point| point.unusual)),
            "site.writer" => flag(self.site_writer),
            "baseline.new_reader" => flag(self.news.new_reader),
            "baseline.new_writer" => flag(self.news.new_writer),
            "baseline.usual_writer" => flag(self.news.usual_writer),
            "baseline.new_unit" => flag(self.news.new_unit),
            "baseline.rate_factor" => int(self.news.rate),
            "baseline.new_function" => flag(self.news.new_function),
            "baseline.new_range" => flag(self.news.new_range),
            "baseline.new_exception" => flag(self.new_exception),
            "process.tie_broken" => flag(self.tie_broken),
            _ => self.judged.as_ref().and_then(|judged| process_field(judged, path)),
        }
    }

    fn points_as<'b>(&'b self, value: impl Fn(&'b Point<'b>) -> EventValue<'b>) -> Option<EventValue<'b>> {
        match self.points {
            [] => None,
            [point] => Some(value(point)),
            points => Some(EventValue::Array(points.iter().map(value).collect())),
        }
    }
}

impl Event for Record<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        match path {
            "uid" => self.conn.as_ref().and_then(|conn| text(conn.uid.as_str())),
            "id.orig_h" => address(self.conn.map_or(self.source.address, |conn| conn.orig.0)),
            "id.orig_p" => int(self.conn?.orig.1),
            "id.resp_h" => address(self.conn.map(|conn| conn.resp.0).or(self.target.map(|t| t.address))?),
            "id.resp_p" => int(self.conn?.resp.1),
            "device.name" => self.device.and_then(text),
            "baseline.learning" => flag(self.learning),
            _ => {
                if let Some(field) = path.strip_prefix("source.") {
                    host_field(&self.source, field)
                } else if let Some(field) = path.strip_prefix("target.") {
                    host_field(self.target.as_ref()?, field)
                } else {
                    self.own_field(path)
                }
            }
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.all_string_values().iter().any(|value| pred(value))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let fields = fields_of(self.service()).into_iter().flatten();
        fields
            .filter_map(|field| match self.get_field(field) {
                Some(EventValue::Str(value)) => Some(value),
                _ => None,
            })
            .collect()
    }

    fn to_json(&self) -> serde_json::Value {
        let fields = fields_of(self.service()).into_iter().flatten();
        let pairs = fields.filter_map(|name| Some((name.to_owned(), self.get_field(name)?.to_json())));
        serde_json::Value::Object(pairs.collect())
    }
}
