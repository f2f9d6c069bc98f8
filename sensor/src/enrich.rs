//! Enrichment: what documentation, baseline and process say about a record, before the rules see it.
//!
//! A decoder says what was sent. Here that becomes what it means at this site: registers become tags with engineering
//! values, a request becomes one that is new or not, a write becomes one that the plant can follow or not. What the
//! rules conclude from it is theirs.

use std::borrow::Cow;
use std::net::IpAddr;

use wire::modbus::{FunctionCode, Packet, Table};

use crate::event::{Facts as Subject, ModbusRecord, Point, Record};
use crate::facts::{PairNews, RequestFacts, RequestNews};
use crate::flow::{ConnId, Outcome};
use crate::known::{Known, tag_kind};
use crate::log::{Field, Log, LogSink};
use crate::modbus::Waiting;
use crate::process::Process;
use crate::sensor::Sensor;

/// Tags that one write may set, as far as records show them.
const POINTS_MAX: usize = 16;

impl<S: LogSink> Sensor<S> {
    /// One Modbus PDU: a row of `modbus.log`, news for process, baseline and inventory, and a record for the rules.
    pub(crate) fn on_pdu(
        &mut self,
        at: u64,
        slot: usize,
        from_orig: bool,
        transaction: u16,
        unit: u8,
        pdu: &[u8],
    ) {
        let Self { flows, facts, known, process, inventory, findings, log, summary, .. } = self;
        let Some(conn) = flows.get(slot) else { return };
        let packet = if from_orig { Packet::request(pdu) } else { Packet::response(pdu) };
        let (Some(raw), Some(function)) = (packet.raw_function(), packet.function()) else { return };
        if conn.service.is_none() {
            // A whole ADU with protocol id 0 is what Zeek confirms by too.
            conn.service = Some("modbus");
        }
        if from_orig && raw & 0x80 != 0 {
            // Zeek writes no row for a request with the exception bit either.
            let id = conn.id;
            self.weird(at, Some(id), "modbus_request_with_exception_bit", &raw.to_string());
            return;
        }
        let id = conn.id;
        let name = function_name(&packet, raw, function);
        let exception = exception_name(&packet);
        log.row(
            Log::Modbus,
            &[
                Field::Time(at),
                Field::Text(id.uid.as_str()),
                Field::Address(id.orig.0),
                Field::Count(u64::from(id.orig.1)),
                Field::Address(id.resp.0),
                Field::Count(u64::from(id.resp.1)),
                Field::Count(u64::from(transaction)),
                Field::Count(u64::from(unit)),
                Field::Text(&name),
                Field::Text(if from_orig { "REQ" } else { "RESP" }),
                exception.as_deref().into(),
            ],
        );

        let key = (id.orig.0, id.resp.0, conn.proto, id.resp.1);
        let device = known.device(id.resp.0);
        let device_number = device.map(|(number, _)| number);
        let mut points: Vec<Point<'_>> = Vec::new();
        let mut news = RequestNews::default();
        let mut new_exception = false;
        let mut judged = None;
        let (mut address, mut quantity) = (packet.address().map(|a| a.0), packet.quantity());
        let mut bits = packet.table().is_some_and(is_bits);
        if from_orig {
            let read = packet.read_range().map(|(address, quantity)| (address.0, quantity));
            if let Some(modbus) = &mut conn.modbus {
                modbus.expect(Waiting {
                    transaction,
                    unit,
                    function,
                    table: packet.table(),
                    read,
                    frame: summary.frames,
                });
            }
            let request = RequestFacts {
                function: function.0,
                reads: packet.is_read(),
                writes: packet.is_write(),
                range: read.zip(packet.table()).map(|((first, count), table)| {
                    (table, first, first.saturating_add(count.saturating_sub(1)))
                }),
                at,
            };
            news = facts.request(conn.pair, key, &request);
            if packet.is_write() {
                if let Some((first, count)) = packet.write_range() {
                    (address, quantity) = (Some(first.0), Some(count));
                }
                if let Some(device) = device_number {
                    points = written_points(&packet, known, process, device);
                }
                for point in &points {
                    let tag = known.tag_number(point.tag);
                    let found = tag.and_then(|tag| process.judge_setpoint(tag, point.value, at));
                    if let Some(found) = found
                        && judged.as_ref().is_none_or(|so_far: &crate::process::Broken<'_>| {
                            found.residual > so_far.residual
                        })
                    {
                        judged = Some(found);
                    }
                }
            }
        } else {
            let request =
                conn.modbus.as_mut().and_then(|modbus| modbus.answered(transaction, unit, function));
            if let Some(code) = packet.exception_code() {
                new_exception = facts.exception(conn.pair, key, function.0, code.octet());
            } else if let (Some(request), Some(device)) = (&request, device_number) {
                take_values(&packet, request, known, process, device, at);
            }
            if packet.device_id_objects().is_some() || packet.server_id().is_some() {
                inventory.identified(id.resp.0, &packet, at);
            }
            if let Some(request) = request {
                address = address.or(request.read.map(|(first, _)| first));
                quantity = quantity.or(request.read.map(|(_, count)| count));
                bits |= request.table.is_some_and(is_bits);
            }
        }
        let record = Record {
            at,
            frame: summary.frames,
            conn: Some(id),
            source: known.host(id.orig.0, facts.knows_host(id.orig.0)),
            target: Some(known.host(id.resp.0, facts.knows_host(id.resp.0))),
            device: device.map(|(_, device)| device.name.get_ref().as_str()),
            learning: facts.is_learning(),
            facts: Subject::Modbus(ModbusRecord {
                transaction,
                unit,
                function: function.0,
                name: &name,
                request: from_orig,
                exception: exception.as_deref(),
                sub_function: packet.sub_function(),
                read: packet.is_read(),
                write: packet.is_write(),
                identity: function == FunctionCode::REPORT_SERVER_ID
                    || packet.interface() == Some(DEVICE_IDENTIFICATION),
                address,
                quantity,
                bits,
                points: &points,
                site_writer: known.is_writer(id.resp.0, id.orig.0),
                news,
                new_exception,
                judged,
                tie_broken: process.any_tie_broken(),
            }),
        };
        findings.judge(&record, log);
        if from_orig && packet.is_write() {
            // The latest value on the wire is the one asked for; a refusal shows at the next read.
            let values: Vec<_> =
                points.iter().filter_map(|point| Some((known.tag_number(point.tag)?, point.value))).collect();
            for (tag, value) in values {
                process.set(tag, value, at);
            }
        }
    }

    /// Polls that stopped.
    pub(crate) fn judge_what_did_not_happen(&mut self) {
        for lost in self.facts.lost_polls(self.now) {
            let subject = Subject::Poll { lost };
            self.judge(self.now, None, lost.source, Some(lost.target), subject);
        }
    }

    /// Ties that hold over time.
    pub(crate) fn judge_process(&mut self) {
        let Self { facts, known, process, findings, log, summary, now, .. } = self;
        let mut found = Vec::new();
        process.judge_ties(*now, |broken| {
            found.push((
                broken.tie.to_owned(),
                broken.law,
                broken.residual,
                broken.tags,
                broken.values,
                broken.limit,
                broken.found,
            ))
        });
        for (tie, law, residual, tags, values, limit, difference) in found {
            let broken =
                crate::process::Broken { tie: &tie, law, residual, tags, values, limit, found: difference };
            let name = |tag: usize| known.tag(tag).map_or("", |tag| tag.name.get_ref().as_str());
            let Some((address, device)) = known.device_of_tag(tags[0]) else { continue };
            let record = Record {
                at: *now,
                frame: summary.frames,
                conn: None,
                source: known.host(address, true),
                target: None,
                device: Some(device),
                learning: facts.is_learning(),
                facts: Subject::Process { broken, names: [name(tags[0]), name(tags[1])] },
            };
            findings.judge(&record, log);
        }
    }

    pub(crate) fn judge_arp(&mut self, at: u64, sender: IpAddr, target: IpAddr) {
        self.judge(at, None, sender, None, Subject::Arp { target });
    }

    pub(crate) fn judge_host(&mut self, at: u64, address: IpAddr, new: bool, mac_changed: bool) {
        self.judge(at, None, address, None, Subject::Host { new, mac_changed });
    }

    pub(crate) fn judge_attempt(&mut self, at: u64, id: ConnId, outcome: Outcome, news: PairNews) {
        let subject = Subject::Attempt { outcome, port: id.resp.1, news };
        self.judge(at, Some(id), id.orig.0, Some(id.resp.0), subject);
    }

    pub(crate) fn judge_weird(&mut self, at: u64, id: Option<ConnId>, name: &'static str) {
        let Some(id) = id else { return };
        self.judge(at, Some(id), id.orig.0, Some(id.resp.0), Subject::Weird { name });
    }

    fn judge(
        &mut self,
        at: u64,
        conn: Option<ConnId>,
        source: IpAddr,
        target: Option<IpAddr>,
        subject: Subject<'_>,
    ) {
        let Self { facts, known, findings, log, summary, .. } = self;
        let device = target.and_then(|target| known.device(target));
        let record = Record {
            at,
            frame: summary.frames,
            conn,
            source: known.host(source, facts.knows_host(source)),
            target: target.map(|target| known.host(target, facts.knows_host(target))),
            device: device.map(|(_, device)| device.name.get_ref().as_str()),
            learning: facts.is_learning(),
            facts: subject,
        };
        findings.judge(&record, log);
    }
}

/// The encapsulated interface of device identification.
const DEVICE_IDENTIFICATION: u8 = 14;

/// Zeek's name of a function; exceptions have `_EXCEPTION` behind it, unknown ones their number.
fn function_name(packet: &Packet<'_>, raw: u8, function: FunctionCode) -> Cow<'static, str> {
    match (function.name(), packet.is_exception()) {
        (Some(name), false) => Cow::Borrowed(name),
        (Some(name), true) => Cow::Owned(format!("{name}_EXCEPTION")),
        (None, _) => Cow::Owned(format!("unknown-{raw}")),
    }
}

fn exception_name(packet: &Packet<'_>) -> Option<Cow<'static, str>> {
    let code = packet.exception_code()?;
    Some(code.name().map_or_else(|| Cow::Owned(format!("unknown-{}", code.octet())), Cow::Borrowed))
}

const fn is_bits(table: Table) -> bool {
    matches!(table, Table::Coils | Table::DiscreteInputs)
}

const fn site_table(table: Table) -> site::Table {
    match table {
        Table::Coils => site::Table::Coil,
        Table::DiscreteInputs => site::Table::Discrete,
        Table::HoldingRegisters => site::Table::Holding,
        Table::InputRegisters => site::Table::Input,
    }
}

/// The tags that a write sets, with the values it asks for.
fn written_points<'a>(
    packet: &Packet<'_>,
    known: &'a Known,
    process: &Process,
    device: usize,
) -> Vec<Point<'a>> {
    let (Some(table), Some((first, count))) = (packet.table(), packet.write_range()) else {
        return Vec::new();
    };
    let word = |offset: u16| match (packet.masks(), packet.registers(), packet.bits()) {
        // A mask write changes bits of what is there, which the wire does not show: no value.
        (Some(_), _, _) => None,
        (_, Some(registers), _) => registers.get(usize::from(offset)),
        (_, _, Some(mut bits)) => bits.nth(usize::from(offset)).map(u16::from),
        _ => None,
    };
    let mut points = Vec::new();
    for (address, mapped) in known.mapped(device, site_table(table), first.0, count).take(POINTS_MAX) {
        let offset = address - first.0;
        let Some(high) = word(offset) else { continue };
        let low = if mapped.width() == 2 { word(offset + 1) } else { Some(0) };
        let (Some(low), Some(tag)) = (low, known.tag(mapped.tag)) else { continue };
        let value = mapped.decode([high, low]);
        points.push(Point {
            tag: tag.name.get_ref(),
            description: &tag.description,
            unit: &tag.unit,
            kind: tag_kind(tag.kind),
            states: &tag.states,
            before: process.value(mapped.tag),
            value,
            unusual: !tag.is_usual(value),
        });
    }
    points
}

/// Values that an answer to a read tells.
fn take_values(
    packet: &Packet<'_>,
    request: &Waiting,
    known: &Known,
    process: &mut Process,
    device: usize,
    at: u64,
) {
    let (Some(table), Some((first, count))) = (request.table, request.read) else { return };
    let registers = packet.registers();
    for (address, mapped) in known.mapped(device, site_table(table), first, count) {
        let offset = usize::from(address - first);
        let words = if mapped.is_bit() {
            packet.bits().and_then(|mut bits| bits.nth(offset)).map(|bit| [u16::from(bit), 0])
        } else {
            registers.as_ref().and_then(|registers| {
                let low = if mapped.width() == 2 { registers.get(offset + 1)? } else { 0 };
                Some([registers.get(offset)?, low])
            })
        };
        if let Some(words) = words {
            process.set(mapped.tag, mapped.decode(words), at);
        }
    }
}
