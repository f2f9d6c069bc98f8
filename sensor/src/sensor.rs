//! The sensor: frames in, records, logs and findings out.
//!
//! # Theory of operation
//! Every frame takes the same way: it is taken apart, finds its connection, its payload is put in order, whole PDUs
//! come out, each becomes a record, the record is enriched with what the documentation, the baseline and the process
//! say about it, is logged, and is shown to the rules. Nothing but the frames and the configuration influences what is
//! written: no wall clock, no thread, no random number; the same frames give the same files to the bit.
//!
//! # Terms
//! *Frame number*: counted from 1 by the sensor itself, as Wireshark does. *Learning*: the first span of the frames'
//! own time, in which the baseline is taken; rules that speak of what is new are silent in it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use record::StartTime;
use site::{MacAddress, Site};

use crate::analyser::{Analyser, Item, Items, Moment};
pub use crate::arrival::Input;
use crate::capture::LinkType;
use crate::checksum::Checksum;
use crate::clock::Clock;
use crate::dnp3;
use crate::end::EndState;
use crate::event::{ConnRecord, Facts as Subject, Record};
use crate::facts::{Baseline, Facts};
use crate::filter::Filter;
use crate::findings::Findings;
use crate::flow::{Conn, ConnId, Due, Endpoint, FlowTable, Outcome, Proto, Uid, new_conn, roles};
use crate::fragment::Fragments;
use crate::frame::{Arp, Frame, IpPacket, Segment, Transport};
use crate::identify;
use crate::inventory::Inventory;
use crate::known::Known;
use crate::log::{Log, LogFormat, LogSet, LogWriter};
use crate::modbus::ModbusConn;
use crate::modbus_log::ModbusLogs;
use crate::output::Output;
use crate::process::Process;
use crate::row::Field;
use crate::rules::RuleSet;
use crate::sink::LogSink;
use crate::stream::Piece;
pub use crate::summary::Summary;
use crate::tcp::Reuse;

/// Default span for which the baseline learns.
pub const LEARN: Duration = Duration::from_mins(2);
/// Rows of one name in `weird.log`; what comes after is counted.
const WEIRD_ROWS_MAX: u64 = 1000;
pub(crate) const SECOND: u64 = 1_000_000_000;
/// Segments or datagrams of a connection in which its service is looked for.
const SERVICE_LOOKS_MAX: u8 = 4;
/// Segments or datagrams of a connection in which identities are looked for.
const LOOKS_MAX: u8 = 32;
/// What a responder that is full does within this time after it took a connection.
const DROPPED_WITHIN: u64 = SECOND;

/// What the sensor is to know and do.
#[derive(Clone, Debug)]
pub struct SensorConfig {
    /// The site's documentation; without it, everything is judged by what was seen.
    pub site: Option<Arc<Site>>,
    /// How long the baseline learns, from the first frame on.
    pub learn: Duration,
    /// What counts as learnt before the first frame.
    pub baseline: Option<Arc<Baseline>>,
    /// Start of the run: findings' times count from it. Without it, from 1970.
    pub origin: Option<StartTime>,
    /// How logs are written.
    pub format: LogFormat,
    /// Which logs are written.
    pub logs: LogSet,
    /// Most connections that are open at once; further ones push out others, counted.
    pub connections_max: usize,
}

impl Default for SensorConfig {
    fn default() -> Self {
        Self {
            site: None,
            learn: LEARN,
            baseline: None,
            origin: None,
            format: LogFormat::Tsv,
            logs: LogSet::FULL,
            connections_max: 16 << 10,
        }
    }
}

/// Frames to records to findings.
#[derive(Debug)]
pub struct Sensor<S> {
    pub(crate) log: LogWriter<S>,
    pub(crate) known: Known,
    pub(crate) facts: Facts,
    pub(crate) process: Process,
    pub(crate) inventory: Inventory,
    pub(crate) findings: Findings,
    pub(crate) flows: FlowTable,
    pub(crate) modbus_logs: ModbusLogs,
    items: Items,
    pub(crate) dnp3: dnp3::Scratch,
    pub(crate) summary: Summary,
    weird_rows: std::collections::BTreeMap<&'static str, u64>,
    pub(crate) now: u64,
    pub(crate) next_second: u64,
    pub(crate) clock: Clock,
    pub(crate) fragments: Fragments,
}

impl<S: LogSink> Sensor<S> {
    /// A sensor that judges by `rules` and writes its logs to `sink`.
    pub fn new(config: SensorConfig, rules: RuleSet, sink: S) -> Self {
        let known = Known::new(config.site);
        let mut facts = Facts::new(u64::try_from(config.learn.as_nanos()).unwrap_or(u64::MAX));
        if let Some(baseline) = &config.baseline {
            facts.expect(baseline);
        }
        Self {
            log: LogWriter::new(sink, config.format, config.logs),
            process: Process::new(&known),
            known,
            facts,
            inventory: Inventory::default(),
            findings: Findings::new(rules, config.origin),
            flows: FlowTable::new(config.connections_max),
            modbus_logs: ModbusLogs::default(),
            items: Items::default(),
            dnp3: dnp3::Scratch::default(),
            summary: Summary::default(),
            weird_rows: std::collections::BTreeMap::new(),
            now: 0,
            next_second: 0,
            clock: Clock::default(),
            fragments: Fragments::default(),
        }
    }

    /// Writes only entries that pass from now on. What the sensor concludes is not affected, nor what outputs see.
    pub fn set_filter(&mut self, filter: Filter) {
        self.log.set_filter(filter);
    }

    /// Shows every entry to one more taker from now on.
    pub fn add_output(&mut self, output: Box<dyn Output>) {
        self.log.add_output(output);
    }

    /// Takes one Ethernet frame.
    pub fn on_frame(&mut self, unix_nanos: u64, octets: &[u8]) {
        self.on_frame_of(LinkType::Ethernet, unix_nanos, octets, octets.len());
    }

    /// The frames have ended: ends what is open and completes the logs. The first error that a sink gave comes out here.
    pub fn finish(&mut self) -> io::Result<Summary> {
        self.end_connections();
        self.findings.finish(self.now, &mut self.log);
        self.inventory.write(&self.known, &mut self.log);
        self.summary.evicted = self.flows.evicted;
        self.summary.input.incomplete_datagrams = self.fragments.incomplete;
        self.summary.input.inventory_full = self.inventory.full;
        self.summary.input.baseline_full = self.facts.is_full();
        self.summary.input.unlearnt_readings = self.facts.values.left_out;
        self.summary.hosts = self.inventory.len();
        self.summary.findings = self.findings.by_level;
        self.summary.incidents = self.findings.incidents_by_level;
        self.summary.findings_swallowed = self.findings.swallowed;
        self.summary.connections = self.log.rows(Log::Conn);
        self.summary.modbus_pdus = self.log.rows(Log::Modbus);
        self.summary.records = self.log.records();
        self.log.finish()?;
        Ok(self.summary.clone())
    }

    /// Whether the baseline is still being learnt.
    pub fn is_learning(&self) -> bool {
        self.facts.is_learning()
    }

    /// What was learnt so far, or given as learnt.
    pub fn baseline(&self) -> Baseline {
        self.facts.baseline()
    }

    /// The sink below.
    pub fn into_sink(self) -> S {
        self.log.into_sink()
    }

    pub(crate) fn look_at_clock(&mut self) {
        while self.flows.is_due(self.now) {
            match self.flows.next_due(self.now) {
                Some(Due::Over(conn)) => self.on_conn_over(conn),
                Some(Due::Unanswered(slot)) => self.on_outcome(slot, Outcome::Unanswered, self.now),
                None => break,
            }
        }
        if self.now >= self.next_second {
            self.next_second = self.now + SECOND;
            self.judge_what_did_not_happen();
            self.judge_process();
            self.findings.tick(self.now, &mut self.log);
        }
    }

    pub(crate) fn on_arp(&mut self, at: u64, arp: &Arp) {
        let sender = IpAddr::V4(arp.sender);
        if arp.sender.is_unspecified() {
            return;
        }
        self.host_seen(at, sender, Some(arp.sender_mac));
        if arp.operation == 1 && arp.sender != arp.target {
            self.judge_arp(at, sender, IpAddr::V4(arp.target));
        }
    }

    /// A host sent something: tells the baseline, the inventory, and, where there is news, the rules.
    fn host_seen(&mut self, at: u64, address: IpAddr, mac: Option<MacAddress>) {
        let on_switch = self.known.is_on_mirrored_switch(address);
        let mac = mac.filter(|_| on_switch);
        self.facts.host_seen(address, mac);
        let (new, moved) = self.inventory.seen(address, mac, at);
        let mac_changed = moved || (new && mac.is_some_and(|mac| self.facts.is_other_card(address, mac)));
        // Without documentation what was learnt says who is known; with it, a stranger is one from the start.
        let documented = self.known.site().is_some();
        let new = new
            && on_switch
            && (documented
                || !(self.facts.is_learning()
                    || self.facts.knows_host(address)
                    || mac.is_some_and(|mac| self.facts.knows_card(mac))));
        if new || mac_changed {
            self.judge_host(at, address, new, mac_changed);
        }
    }

    pub(crate) fn on_packet(&mut self, at: u64, frame: &Frame<'_>, packet: &IpPacket<'_>) {
        let mac = frame.source_mac;
        let (source, target, proto, opens, syn) = match &packet.transport {
            Transport::Tcp(segment) => (
                segment.source_port,
                segment.destination_port,
                Proto::Tcp,
                segment.flags.syn() && !segment.flags.ack(),
                segment.flags.syn(),
            ),
            Transport::Udp(datagram) => {
                (datagram.source_port, datagram.destination_port, Proto::Udp, false, false)
            }
            Transport::Icmp(icmp) => {
                let counterpart = counterpart(icmp.kind, icmp.v6);
                let ports = match counterpart {
                    Some(other) => (u16::from(icmp.kind), u16::from(other)),
                    None => (u16::from(icmp.kind), u16::from(icmp.code)),
                };
                (ports.0, ports.1, Proto::Icmp, true, false)
            }
            Transport::Fragment(_) | Transport::Other => return,
        };
        let (from, to) = ((packet.source, source), (packet.destination, target));
        let mut slot = self.flows.find(from, to, proto);
        if let (Some(found), Transport::Tcp(segment)) = (slot, &packet.transport) {
            let reuse = self.flows.get(found).and_then(|conn| conn.tcp.as_ref()?.is_reuse(segment));
            if let Some(Reuse(weird)) = reuse {
                if let Some(conn) = self.flows.remove(found) {
                    if let Some(name) = weird {
                        self.weird(at, Some(conn.id), name, "");
                    }
                    self.on_conn_over(conn);
                }
                slot = None;
            }
        }
        let slot = match slot {
            Some(slot) => slot,
            None => self.open(at, packet, from, to, proto, roles(from, to, proto, opens, syn)),
        };
        let Some(conn) = self.flows.get(slot) else { return };
        let from_orig = conn.id.orig == from;
        let sent = if from_orig { &mut conn.orig } else { &mut conn.resp };
        if sent.packets == 0 || sent.mac != mac {
            let is_first = sent.packets == 0;
            sent.mac = mac;
            let id = conn.id;
            self.host_seen(at, packet.source, mac);
            if is_first && is_impossible_source(frame, packet.source) {
                self.weird(at, Some(id), "impossible_source_address", &packet.source.to_string());
            }
        }
        let Some(conn) = self.flows.get(slot) else { return };
        let sent = if from_orig { &mut conn.orig } else { &mut conn.resp };
        sent.packets += 1;
        sent.ip_octets += u64::from(packet.total_len);
        match &packet.transport {
            Transport::Tcp(segment) => self.on_segment(at, slot, from_orig, segment),
            Transport::Udp(datagram) => {
                let now = Moment { at, frame: self.summary.frames };
                *sent.payload.get_or_insert(0) += u64::from(datagram.payload_len);
                conn.last = conn.last.max(at);
                let letter = if from_orig { 'D' } else { 'd' };
                if !conn.history.contains(letter) {
                    conn.history.push(letter);
                }
                name_service(conn, &mut self.inventory, from_orig, datagram.payload, at);
                if conn.analyser.wants() {
                    self.items.clear();
                    let held_before = conn.held();
                    conn.analyser.datagram(now, from_orig, datagram.payload, &mut self.items);
                    if conn.held() != held_before {
                        self.note_held(at, slot, held_before);
                    }
                    self.take_items(slot, now);
                }
            }
            Transport::Icmp(icmp) => {
                *sent.payload.get_or_insert(0) += u64::from(icmp.payload_len);
                conn.last = conn.last.max(at);
            }
            Transport::Fragment(_) | Transport::Other => {}
        }
        if packet.checksum != Checksum::Right {
            self.note_checksum(at, slot, packet);
        }
    }

    fn open(
        &mut self,
        at: u64,
        packet: &IpPacket<'_>,
        from: Endpoint,
        to: Endpoint,
        proto: Proto,
        flipped: bool,
    ) -> usize {
        let (orig, resp) = if flipped { (to, from) } else { (from, to) };
        self.facts.host_seen(packet.destination, None);
        let key = (orig.0, resp.0, proto, resp.1);
        let (pair, count) = self.facts.open_pair(key);
        let uid = Uid::new(orig.0, resp.0, proto, resp.1, count);
        let opens = matches!(&packet.transport, Transport::Tcp(segment) if segment.flags.syn());
        let analyser = Analyser::new(proto, [orig.1, resp.1], !opens);
        let id = ConnId { uid, orig, resp };
        let number = self.summary.frames;
        let conn = new_conn(id, proto, packet.protocol, flipped, at, number, pair, analyser);
        let (slot, evicted) = self.flows.insert(conn);
        if let Some(evicted) = evicted {
            self.on_conn_over(evicted);
        }
        if proto != Proto::Tcp {
            self.facts.talked(pair, key);
        }
        slot
    }

    fn on_segment(&mut self, at: u64, slot: usize, from_orig: bool, segment: &Segment<'_>) {
        let mut items = std::mem::take(&mut self.items);
        items.clear();
        let Some(conn) = self.flows.get(slot) else { return };
        let now = Moment { at, frame: self.summary.frames };
        let Conn { tcp: Some(tcp), analyser, .. } = conn else { return };
        if !tcp.both_closed() {
            conn.last = conn.last.max(at);
        }
        let wanted = analyser.wants();
        let held_before = tcp.held() + analyser.held();
        let mut head = false;
        let step = tcp.segment(from_orig, segment, wanted, &mut |from_orig, piece| {
            head |= matches!(piece, Piece::Octets(_));
            analyser.deliver(now, from_orig, piece, &mut items);
        });
        if head && !segment.payload.is_empty() {
            name_service(conn, &mut self.inventory, from_orig, segment.payload, at);
        }
        let id = conn.id;
        let held = conn.held();
        let is_dropped = conn.outcome == Some(Outcome::Established)
            && !from_orig
            && (segment.flags.rst() || segment.flags.fin())
            && at.saturating_sub(conn.established_at) <= DROPPED_WITHIN
            && conn.sizes().1 == 0
            && conn.tcp.as_ref().is_some_and(|tcp| tcp.orig.state == EndState::Established);
        if step.closed {
            self.uncount(slot);
            self.flows.hasten(slot);
        }
        if held != held_before {
            self.note_held(at, slot, held_before);
        }
        for weird in &step.weirds {
            self.weird(at, Some(id), weird, "");
        }
        if step.established {
            self.on_outcome(slot, Outcome::Established, at);
        } else if step.refused {
            self.on_outcome(slot, Outcome::Refused, at);
        } else if is_dropped {
            self.on_outcome(slot, Outcome::Dropped, at);
        }
        self.items = items;
        self.take_items(slot, now);
    }

    /// What a connection holds has changed; where all hold too much, others give up what they hold.
    fn note_held(&mut self, at: u64, slot: usize, before: usize) {
        self.flows.note_held(slot, before);
        while let Some(id) = self.flows.relieve() {
            self.summary.input.relieved_streams += 1;
            self.weird(at, Some(id), "stream_memory_exceeded", "");
        }
    }

    /// What the analyser of a connection gave out, in order.
    fn take_items(&mut self, slot: usize, now: Moment) {
        if let Some(conn) = self.flows.get(slot)
            && conn.service.is_none()
            && let Analyser::Dnp3(dnp3) = &conn.analyser
            && dnp3.is_confirmed()
        {
            conn.service = Some(if conn.proto == Proto::Udp { "dnp3_udp" } else { "dnp3_tcp" });
        }
        if self.items.items.is_empty() {
            return;
        }
        let items = std::mem::take(&mut self.items);
        let mut when = now;
        for item in &items.items {
            match item {
                Item::When(moment) => when = *moment,
                Item::Modbus { request, transaction, unit, at: place } => {
                    let pdu = items.octets.get(place.clone()).unwrap_or_default();
                    self.on_pdu(when, slot, *request, *transaction, *unit, pdu);
                }
                Item::Dnp3 { from_orig, header, at: place } => {
                    let fragment = items.octets.get(place.clone()).unwrap_or_default();
                    self.summary.dnp3_fragments += 1;
                    self.on_dnp3_fragment(when, slot, *from_orig, *header, fragment);
                }
                Item::Dnp3Link { from_orig, header } => self.on_dnp3_link(when, slot, *from_orig, *header),
                Item::Weird { name, number } => {
                    let id = self.flows.get(slot).map(|conn| conn.id);
                    self.weird(when.at, id, name, &number.to_string());
                }
            }
        }
        self.items = items;
    }

    fn on_outcome(&mut self, slot: usize, outcome: Outcome, at: u64) {
        let Some(conn) = self.flows.get(slot) else { return };
        conn.outcome = Some(outcome);
        if outcome == Outcome::Established {
            conn.established_at = at;
            conn.counted = true;
        }
        let (pair, id, first_frame) = (conn.pair, conn.id, conn.first_frame);
        let key = (id.orig.0, id.resp.0, conn.proto, id.resp.1);
        let news = match outcome {
            Outcome::Established => self.facts.accepted(pair, key),
            _ => self.facts.refused(pair, key),
        };
        // Silence has no frame of its own: the SYN is what shows it.
        let frame = if outcome == Outcome::Unanswered { first_frame } else { self.summary.frames };
        self.judge_attempt(at, frame, id, outcome, news);
    }

    /// A connection that closed is no longer open for the baseline, though its row waits for stragglers.
    fn uncount(&mut self, slot: usize) {
        let Some(conn) = self.flows.get(slot) else { return };
        if std::mem::take(&mut conn.counted) {
            let key = (conn.id.orig.0, conn.id.resp.0, conn.proto, conn.id.resp.1);
            let pair = conn.pair;
            self.facts.closed(pair, key);
        }
    }

    pub(crate) fn on_conn_over(&mut self, mut conn: Box<Conn>) {
        let modbus_id = conn.modbus_id();
        while let Some(request) = conn.analyser.modbus().and_then(ModbusConn::unanswered) {
            self.modbus_logs.unanswered(&mut self.log, &modbus_id, &request);
        }
        let (orig_size, resp_size) = conn.sizes();
        let duration = conn.last.saturating_sub(conn.first);
        let sized = |size| if duration > 0 { Field::Count(size) } else { Field::Unset };
        let history = conn.tcp.as_ref().map_or(&conn.history, |tcp| &tcp.history);
        let missed = conn.tcp.as_ref().map_or(0, |tcp| tcp.orig.missed + tcp.resp.missed);
        let key = (conn.id.orig.0, conn.id.resp.0, conn.proto, conn.id.resp.1);
        if conn.counted {
            self.facts.closed(conn.pair, key);
        }
        if let Analyser::Dnp3(dnp3) = &conn.analyser
            && let Some(asked) = dnp3.asked
        {
            dnp3::rows::unanswered(&mut self.log, &conn.id, asked);
        }
        if let Some(service) = conn.service {
            self.inventory.spoke(conn.id.orig.0, conn.id.resp.0, service, conn.last);
        }
        self.log.row(
            Log::Conn,
            &[
                Field::Time(conn.first),
                Field::Text(conn.id.uid.as_str()),
                Field::Address(conn.id.orig.0),
                Field::Count(u64::from(conn.id.orig.1)),
                Field::Address(conn.id.resp.0),
                Field::Count(u64::from(conn.id.resp.1)),
                Field::Text(conn.proto.as_str()),
                conn.service.into(),
                if duration > 0 { Field::Interval(duration) } else { Field::Unset },
                sized(orig_size),
                sized(resp_size),
                Field::Text(conn.conn_state()),
                Field::Bool(self.known.is_local(conn.id.orig.0)),
                Field::Bool(self.known.is_local(conn.id.resp.0)),
                Field::Count(missed),
                if history.is_empty() { Field::Unset } else { Field::Text(history) },
                Field::Count(conn.orig.packets),
                Field::Count(conn.orig.ip_octets),
                Field::Count(conn.resp.packets),
                Field::Count(conn.resp.ip_octets),
                Field::Unset,
                Field::Count(u64::from(conn.ip_proto)),
            ],
        );
        let record = Record {
            at: self.now,
            frame: conn.first_frame,
            conn: Some(conn.id),
            source: self.known.host(conn.id.orig.0, self.facts.knows_host(conn.id.orig.0)),
            target: Some(self.known.host(conn.id.resp.0, self.facts.knows_host(conn.id.resp.0))),
            device: self.known.device(conn.id.resp.0).map(|(_, device)| device.name.get_ref().as_str()),
            learning: self.facts.is_learning(),
            facts: Subject::Conn(ConnRecord {
                proto: conn.proto.as_str(),
                service: conn.service,
                conn_state: conn.conn_state(),
                history,
                duration,
                sizes: (orig_size, resp_size),
                packets: (conn.orig.packets, conn.resp.packets),
            }),
        };
        self.findings.judge(&record, &mut self.log);
    }

    /// Writes an oddity; of a connection, each name once.
    pub(crate) fn weird(&mut self, at: u64, id: Option<ConnId>, name: &'static str, addl: &str) {
        self.summary.weirds += 1;
        if let Some(id) = id
            && let Some(conn) = self.flows.conn_of(&id)
        {
            if conn.weirds.contains(&name) {
                return;
            }
            conn.weirds.push(name);
        }
        let rows = self.weird_rows.entry(name).or_default();
        *rows += 1;
        if *rows <= WEIRD_ROWS_MAX {
            self.weird_row(at, id, name, addl);
        }
        self.judge_weird(at, id, name);
    }

    fn weird_row(&mut self, at: u64, id: Option<ConnId>, name: &'static str, addl: &str) {
        let ends = id.map(|id| {
            [
                Field::Address(id.orig.0),
                Field::Count(u64::from(id.orig.1)),
                Field::Address(id.resp.0),
                Field::Count(u64::from(id.resp.1)),
            ]
        });
        let [orig_h, orig_p, resp_h, resp_p] = ends.unwrap_or([Field::Unset; 4]);
        self.log.row(
            Log::Weird,
            &[
                Field::Time(at),
                id.as_ref().map(|id| id.uid.as_str()).into(),
                orig_h,
                orig_p,
                resp_h,
                resp_p,
                Field::Text(name),
                if addl.is_empty() { Field::Unset } else { Field::Text(addl) },
                Field::Bool(false),
                Field::Text("fieldrange"),
                Field::Unset,
            ],
        );
    }
}

/// Names the service of a connection that is not taken apart, and takes down what its ends say about themselves.
fn name_service(conn: &mut Conn, inventory: &mut Inventory, from_orig: bool, octets: &[u8], at: u64) {
    if conn.looks >= LOOKS_MAX || matches!(conn.analyser, Analyser::Modbus(_) | Analyser::Dnp3(_)) {
        return;
    }
    conn.looks += 1;
    if conn.service.is_none() {
        let port = conn.id.resp.1;
        let service = match conn.proto {
            Proto::Tcp if conn.looks <= SERVICE_LOOKS_MAX => identify::tcp_service(port, from_orig, octets),
            Proto::Udp => identify::udp_service(port, octets),
            _ => None,
        };
        // On a port of ours only protocols that cannot be mistaken for it.
        let is_taken = conn.analyser.is_taken();
        conn.service = service.filter(|name| !is_taken || identify::is_certain(name));
    }
    if let Some(service) = conn.service
        && let Some(identity) = identify::identity(service, from_orig, octets)
    {
        let address = if from_orig { conn.id.orig.0 } else { conn.id.resp.0 };
        inventory.told(address, &identity, at);
    }
}

/// Whether no host on a network can have sent from this address. Captures of a loopback interface, whose frames have no
/// card at either end, are full of it.
fn is_impossible_source(frame: &Frame<'_>, source: IpAddr) -> bool {
    frame.destination_mac.is_some_and(|mac| mac.0 != [0; 6])
        && match source {
            IpAddr::V4(address) => address.is_loopback() || address.is_multicast() || address.is_broadcast(),
            IpAddr::V6(address) => address.is_loopback() || address.is_multicast(),
        }
}

/// The ICMP type that answers a type, as far as there is one (RFC 792, 950, 1256; RFC 4443, 4861).
fn counterpart(kind: u8, v6: bool) -> Option<u8> {
    let pairs: &[(u8, u8)] = if v6 {
        &[(128, 129), (133, 134), (135, 136), (139, 140), (144, 145), (130, 131)]
    } else {
        &[(8, 0), (13, 14), (15, 16), (17, 18), (10, 9)]
    };
    pairs.iter().find_map(|(ask, answer)| match kind {
        kind if kind == *ask => Some(*answer),
        kind if kind == *answer => Some(*ask),
        _ => None,
    })
}
