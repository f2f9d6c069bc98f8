//! Enrichment: what documentation, baseline and process say about a record, before the rules see it.
//!
//! A decoder says what was sent. Here that becomes what it means at this site: registers become tags with engineering
//! values, a request becomes one that is new or not, a write becomes one that the plant can follow or not. What the
//! rules conclude from it is theirs.

use std::borrow::Cow;
use std::net::IpAddr;

use wire::modbus::{FunctionCode, Packet, Table};

use crate::analyser::{Analyser, Moment};
use crate::event::{Facts as Subject, ModbusRecord, Point, Record};
use crate::facts::values::ValueNews;
use crate::facts::{Crept, Facts, PairNews, RequestFacts, RequestNews};
use crate::flow::{Conn, ConnId, Outcome};
use crate::known::{Known, tag_kind};
use crate::log::{Log, LogWriter};
use crate::modbus::{ModbusConn, Waiting};
use crate::modbus_check;
use crate::modbus_log::{self, Pdu};
use crate::points;
use crate::process::{Broken, Process};
use crate::sensor::Sensor;
use crate::sink::LogSink;
use crate::values::Sighting;

/// Tags that one write may set, as far as records show them.
const POINTS_MAX: usize = 16;

impl<S: LogSink> Sensor<S> {
    /// One Modbus PDU: a row of `modbus.log`, news for process, baseline and inventory, and a record for the rules.
    pub(crate) fn on_pdu(
        &mut self,
        when: Moment,
        slot: usize,
        request: bool,
        transaction: u16,
        unit: u8,
        pdu: &[u8],
    ) {
        let at = when.at;
        let Self { flows, facts, known, process, inventory, findings, log, modbus_logs, .. } = self;
        let Some(conn) = flows.get(slot) else { return };
        let packet = if request { Packet::request(pdu) } else { Packet::response(pdu) };
        let (Some(raw), Some(function)) = (packet.raw_function(), packet.function()) else { return };
        if conn.service.is_none() {
            // A whole ADU with protocol id 0 is what Zeek confirms by too.
            conn.service = Some("modbus");
        }
        if request && raw & 0x80 != 0 {
            // Zeek writes no row for a request with the exception bit either.
            let id = conn.modbus_id();
            self.weird(at, Some(id), "modbus_request_with_exception_bit", &raw.to_string());
            return;
        }
        let id = conn.modbus_id();
        let name = function_name(&packet, raw, function);
        let exception = exception_name(&packet);
        let row = Pdu {
            at,
            id: &id,
            transaction,
            unit,
            name: &name,
            exception: exception.as_deref(),
            packet: &packet,
        };
        modbus_log::pdu(log, &row);
        let (keep, values) = (log.wants(Log::ModbusDetailed), log.wants(Log::Values));
        let seen = Seen { at, frame: when.frame, transaction, unit, function, packet: &packet, keep, values };
        let mut odd = [modbus_check::oddity(&packet), None];
        let mut told = if request {
            let (told, link) = seen.request(conn, facts, known, process);
            modbus_logs.request(log, &row, link);
            while let Some(forgotten) = conn.analyser.modbus().and_then(ModbusConn::forget) {
                modbus_logs.unanswered(log, &id, &forgotten);
                odd[1] = Some("modbus_unanswered_requests");
            }
            told
        } else {
            if packet.device_id_objects().is_some() || packet.server_id().is_some() {
                inventory.identified(id.resp.0, &packet, at);
            }
            let answered =
                conn.analyser.modbus().and_then(|modbus| modbus.answered(transaction, unit, function));
            modbus_logs.response(log, &row, answered.as_ref());
            let is_complete = conn.analyser.modbus().is_some_and(|modbus| modbus.is_complete());
            odd[1] = modbus_check::answer_oddity(answered.as_ref(), is_complete, &packet);
            let told = seen.response(conn, facts, known, process, answered.as_ref());
            if let (Some(modbus), Some(answered)) = (conn.analyser.modbus(), answered) {
                modbus.recycle(answered);
            }
            told
        };
        if values {
            told.log_values(log, known, &row);
        }
        let device = known.device(id.resp.0);
        let record = Record {
            at,
            frame: when.frame,
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
                request,
                exception: exception.as_deref(),
                sub_function: packet.sub_function(),
                read: packet.is_read(),
                write: packet.is_write(),
                identity: function == FunctionCode::REPORT_SERVER_ID
                    || packet.interface() == Some(DEVICE_IDENTIFICATION),
                address: told.address,
                quantity: told.quantity,
                bits: told.bits,
                points: &told.points,
                site_writer: known.is_writer(id.resp.0, id.orig.0),
                news: told.news,
                new_exception: told.new_exception,
                crept: told.crept,
                judged: told.judged(process, at),
                tie_broken: process.any_tie_broken(),
            }),
        };
        findings.judge(&record, log);
        let value_news = std::mem::take(&mut told.value_news);
        let set: Vec<_> = told.points.iter().map(|point| (point.number, point.value)).collect();
        for oddity in odd.into_iter().flatten() {
            self.weird(at, Some(id), oddity, &raw.to_string());
        }
        self.judge_switchings(when, id, (id.orig.0, id.resp.0), set);
        self.judge_values(when, id, &value_news);
    }

    /// What a command would do to the grid, before it does: `set` are tags with the values that it asks for, which count
    /// as their latest afterwards; a refusal shows at the next report.
    pub(crate) fn judge_switchings(
        &mut self,
        when: Moment,
        id: ConnId,
        (master, device): (IpAddr, IpAddr),
        set: impl IntoIterator<Item = (usize, f64)>,
    ) {
        for (tag, value) in set {
            if let Some(strain) = self.process.judge_switching(tag, value) {
                let breaker = self.known.tag(strain.breaker).map(|tag| tag.name.get_ref().clone());
                let breaker = breaker.as_deref().unwrap_or_default();
                let subject = Subject::Grid { strain: &strain, breaker };
                self.judge((when.at, when.frame), Some(id), master, Some(device), subject);
            }
            self.process.set(tag, value, when.at);
        }
    }

    /// Polls that stopped, and what else should have followed and did not.
    pub(crate) fn judge_what_did_not_happen(&mut self) {
        for lost in self.facts.lost_polls(self.now) {
            let subject = Subject::Poll { lost };
            // Silence has no frame.
            self.judge((self.now, 0), None, lost.source, Some(lost.target), subject);
        }
        for off in self.facts.reports.due(self.now, self.facts.is_learning()) {
            let site_writer = self.known.is_writer(off.outstation, off.master);
            let subject = Subject::Reports { off, site_writer };
            self.judge((self.now, off.frame), Some(off.id), off.master, Some(off.outstation), subject);
        }
    }

    /// Ties that hold over time.
    pub(crate) fn judge_process(&mut self) {
        let Self { facts, known, process, findings, log, now, .. } = self;
        let broken_ties = process.judge_ties(*now, facts.is_learning());
        for broken in broken_ties.into_iter().filter_map(|tie| process.broken(tie)) {
            let name = |tag: usize| known.tag(tag).map_or("", |tag| tag.name.get_ref().as_str());
            let Some((address, device)) = known.device_of_tag(*broken.tags.first().unwrap_or(&usize::MAX))
            else {
                continue;
            };
            let record = Record {
                at: *now,
                frame: 0,
                conn: None,
                source: known.host(address, true),
                target: None,
                device: Some(device),
                learning: facts.is_learning(),
                facts: Subject::Process { broken, names: broken.tags.iter().map(|tag| name(*tag)).collect() },
            };
            findings.judge(&record, log);
        }
    }

    pub(crate) fn judge_arp(&mut self, at: u64, sender: IpAddr, target: IpAddr) {
        self.judge((at, self.summary.frames), None, sender, None, Subject::Arp { target });
    }

    pub(crate) fn judge_host(&mut self, at: u64, address: IpAddr, new: bool, mac_changed: bool) {
        self.judge((at, self.summary.frames), None, address, None, Subject::Host { new, mac_changed });
    }

    pub(crate) fn judge_attempt(
        &mut self,
        at: u64,
        frame: u64,
        id: ConnId,
        outcome: Outcome,
        news: PairNews,
    ) {
        let subject = Subject::Attempt { outcome, port: id.resp.1, news };
        self.judge((at, frame), Some(id), id.orig.0, Some(id.resp.0), subject);
    }

    pub(crate) fn judge_weird(&mut self, at: u64, id: Option<ConnId>, name: &'static str) {
        let Some(id) = id else { return };
        let place = (at, self.summary.frames);
        self.judge(place, Some(id), id.orig.0, Some(id.resp.0), Subject::Weird { name });
    }

    /// Shows a record to the rules; `place` is its time and its frame, 0 for none.
    pub(crate) fn judge(
        &mut self,
        place: (u64, u64),
        conn: Option<ConnId>,
        source: IpAddr,
        target: Option<IpAddr>,
        subject: Subject<'_>,
    ) {
        let Self { facts, known, findings, log, .. } = self;
        let device = target.and_then(|target| known.device(target));
        let record = Record {
            at: place.0,
            frame: place.1,
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

impl Conn {
    /// Its ends as client and server.
    pub(crate) fn modbus_id(&self) -> ConnId {
        match &self.analyser {
            Analyser::Modbus(modbus) if !modbus.client_is_orig() => {
                ConnId { orig: self.id.resp, resp: self.id.orig, ..self.id }
            }
            _ => self.id,
        }
    }
}

/// One PDU, before anything is known about it.
struct Seen<'p> {
    at: u64,
    frame: u64,
    transaction: u16,
    unit: u8,
    function: FunctionCode,
    packet: &'p Packet<'p>,
    /// Whether the octets of requests are kept for their row.
    keep: bool,
    /// Whether the values told are kept for theirs.
    values: bool,
}

/// What is known about a PDU.
#[derive(Default)]
struct Told<'k> {
    address: Option<u16>,
    quantity: Option<u16>,
    bits: bool,
    table: Option<Table>,
    points: Vec<Point<'k>>,
    /// Values that an answer tells: address, tag, value.
    values: Vec<(u16, usize, f64)>,
    news: RequestNews,
    new_exception: bool,
    crept: Crept,
    /// What the values that an answer tells began to do.
    value_news: Vec<ValueNews>,
}

impl Told<'_> {
    /// What was told, and what was asked to be written, in `values.log`.
    fn log_values<S: LogSink>(&self, log: &mut LogWriter<S>, known: &Known, pdu: &Pdu<'_>) {
        let Some(table) = self.table else { return };
        let is_orig = !pdu.packet.is_response();
        let read = self.values.iter().copied();
        let written = self.points.iter().map(|point| (point.address, point.number, point.value));
        for (address, tag, value) in read.chain(written) {
            let Some(tag) = known.tag(tag) else { continue };
            let sighting = Sighting {
                at: pdu.at,
                id: pdu.id,
                is_orig,
                tag,
                value,
                how: if is_orig { "write" } else { "read" },
                quality: None,
                table: table_name(table),
                address,
                unit_id: pdu.unit.into(),
            };
            sighting.log(log);
        }
    }

    /// The tie that a write would break most, or come nearest to breaking.
    fn judged<'t>(&self, process: &'t Process, at: u64) -> Option<Broken<'t>> {
        let found =
            self.points.iter().filter_map(|point| process.judge_setpoint(point.number, point.value, at));
        found.max_by(|one, other| one.residual.total_cmp(&other.residual))
    }
}

impl Seen<'_> {
    fn request<'k>(
        &self,
        conn: &mut Conn,
        facts: &mut Facts,
        known: &'k Known,
        process: &Process,
    ) -> (Told<'k>, u32) {
        let packet = self.packet;
        let mut link = 0;
        let (id, table) = (conn.modbus_id(), packet.table());
        let read = packet.read_range().map(|(address, quantity)| (address.0, quantity));
        if let Some(modbus) = conn.analyser.modbus() {
            let (transaction, unit, function) = (self.transaction, self.unit, self.function);
            let (number, mut pdu) = modbus.next_request();
            link = number;
            if self.keep {
                pdu.extend_from_slice(packet.pdu());
            }
            let (at, frame, echo) = (self.at, self.frame, modbus_check::echo(packet));
            modbus.expect(Waiting { at, transaction, unit, function, table, read, echo, frame, link, pdu });
        }
        let request = RequestFacts {
            function: self.function.0,
            unit: self.unit,
            reads: packet.is_read(),
            writes: packet.is_write(),
            range: read
                .zip(table)
                .map(|((first, count), table)| (table, first, first.saturating_add(count.saturating_sub(1)))),
            at: self.at,
        };
        let key = (id.orig.0, id.resp.0, conn.proto, id.resp.1);
        let news = facts.request(conn.pair, key, &request);
        let mut told = Told {
            address: packet.address().map(|address| address.0),
            quantity: packet.quantity(),
            bits: table.is_some_and(is_bits),
            table,
            news,
            ..Told::default()
        };
        if packet.is_write() {
            if let Some((first, count)) = packet.write_range() {
                (told.address, told.quantity) = (Some(first.0), Some(count));
            }
            if let Some((first, 1)) = packet.write_range()
                && let Some(word) = packet.registers().and_then(|registers| registers.get(0))
            {
                let point = (id.resp.0, u16::from(self.unit), u32::from(first.0), false);
                told.crept = facts.written(point, f64::from(word));
            }
            if let Some((device, _)) = known.device(id.resp.0) {
                told.points = written_points(packet, known, process, device);
            }
        }
        (told, link)
    }

    fn response<'k>(
        &self,
        conn: &mut Conn,
        facts: &mut Facts,
        known: &'k Known,
        process: &mut Process,
        request: Option<&Waiting>,
    ) -> Told<'k> {
        let packet = self.packet;
        let id = conn.modbus_id();
        let read = request.and_then(|request| request.read);
        let table = request.and_then(|request| request.table).or(packet.table());
        let mut told = Told {
            address: packet.address().map(|address| address.0).or(read.map(|(first, _)| first)),
            quantity: packet.quantity().or(read.map(|(_, count)| count)),
            bits: table.is_some_and(is_bits),
            table,
            ..Told::default()
        };
        if let Some(code) = packet.exception_code() {
            let key = (id.orig.0, id.resp.0, conn.proto, id.resp.1);
            told.new_exception = facts.exception(conn.pair, key, self.function.0, code.octet());
        } else if let Some(request) = request {
            told.value_news =
                points::registers(facts, known, (id.resp.0, self.unit), packet, request, self.at);
            let Some((device, _)) = known.device(id.resp.0) else { return told };
            take_values(packet, request, known, device, &mut |address, tag, value| {
                process.read(tag, value, self.at);
                if self.values {
                    told.values.push((address, tag, value));
                }
            });
        }
        told
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

pub(crate) const fn site_table(table: Table) -> site::Table {
    match table {
        Table::Coils => site::Table::Coil,
        Table::DiscreteInputs => site::Table::Discrete,
        Table::HoldingRegisters => site::Table::Holding,
        Table::InputRegisters => site::Table::Input,
    }
}

const fn table_name(table: Table) -> &'static str {
    match table {
        Table::Coils => "coil",
        Table::DiscreteInputs => "discrete",
        Table::HoldingRegisters => "holding",
        Table::InputRegisters => "input",
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
            number: mapped.tag,
            address,
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

/// Values that an answer to a read tells: address, tag, value.
fn take_values(
    packet: &Packet<'_>,
    request: &Waiting,
    known: &Known,
    device: usize,
    out: &mut dyn FnMut(u16, usize, f64),
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
            out(address, mapped.tag, mapped.decode(words));
        }
    }
}
