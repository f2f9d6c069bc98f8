//! The way of a DNP3 fragment: rows, news for baseline and inventory, a record for the rules.

use wire::dnp3::object::{Attribute, Block, EventTime, FileObject, Point, Readings, Value};
use wire::dnp3::{Fragment, FunctionCode, Iin, LinkHeader, Trouble, TroubleCause};

use super::record::{Command, Dnp3Record, Header, PointKind, SeenPoint};
use super::rows::{self, Columns, Head};
use super::{Asked, Told, values};
use crate::analyser::{Analyser, Moment};
use crate::event::{Facts as Subject, Record};
use crate::facts::{Dnp3News, Dnp3Request, ReportsRequest};
use crate::log::{Log, LogWriter};
use crate::sensor::Sensor;
use crate::sink::LogSink;

/// Object headers that a record shows.
pub(super) const HEADERS_MAX: usize = 64;
/// Values that a record shows; and points in one header, of data, above which it is odd.
pub(super) const POINTS_MAX: usize = 16_384;
/// Commands that a record shows.
pub(super) const COMMANDS_MAX: usize = 256;
/// Object headers in one fragment above which it is odd.
const OBJECTS_ODD: usize = 2048;
/// Requests without an answer at which it is said that there are many; Suricata's number.
const UNANSWERED_ODD: u32 = 32;
/// Octets of a text in `dnp3_values.log`.
const TEXT_MAX: usize = 256;

/// What one fragment brought; kept between fragments so that nothing is allocated in steady state.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    headers: Vec<Header>,
    points: Vec<SeenPoint>,
    commands: Vec<Command>,
    columns: Columns,
    /// Group and variation of every header.
    objects: Vec<(u8, u8)>,
    /// Points that commands name: whether analog, and the index.
    controls: Vec<(bool, u32)>,
}

/// What is known of a fragment's objects beside the lists in [`Scratch`].
#[derive(Clone, Copy, Debug, Default)]
struct Sum<'a> {
    header_count: usize,
    point_count: u64,
    file: Option<FileObject<'a>>,
    clear_restart: bool,
    too_many_points: bool,
    trouble: Option<Trouble>,
    /// Device attributes: vendor, product, revision.
    identity: [Option<&'a [u8]>; 3],
}

impl<S: LogSink> Sensor<S> {
    /// One frame without user data: keep-alive, link reset, link status.
    pub(crate) fn on_dnp3_link(&mut self, when: Moment, slot: usize, from_orig: bool, link: LinkHeader) {
        self.on_dnp3(when, slot, from_orig, link, None);
    }

    /// One whole fragment.
    pub(crate) fn on_dnp3_fragment(
        &mut self,
        when: Moment,
        slot: usize,
        from_orig: bool,
        link: LinkHeader,
        octets: &[u8],
    ) {
        self.on_dnp3(when, slot, from_orig, link, Some(Fragment::new(octets)));
    }

    fn on_dnp3(
        &mut self,
        when: Moment,
        slot: usize,
        from_orig: bool,
        link: LinkHeader,
        fragment: Option<Fragment<'_>>,
    ) {
        let at = when.at;
        let Self { flows, facts, known, process, inventory, findings, log, dnp3: scratch, .. } = self;
        let Some(conn) = flows.get(slot) else { return };
        let (id, pair) = (conn.id, conn.pair);
        let key = (id.orig.0, id.resp.0, conn.proto, id.resp.1);
        let Analyser::Dnp3(dnp3) = &mut conn.analyser else { return };
        let function = fragment.and_then(|fragment| fragment.function());
        let number = when.frame * 2 + u64::from(from_orig);
        let head = Head { number, at, id, from_orig, link, function };
        let mut told = Told::default();
        if let (Some(fragment), Some(function)) = (&fragment, function) {
            told = dnp3.talk(from_orig, link).map(|talk| talk.observe(fragment, at)).unwrap_or_default();
            if function.is_response() {
                // Zeek has the two octets the other way round.
                let iin = fragment.iin().map(|iin| iin.0.swap_bytes());
                rows::answered(log, &head, dnp3.asked.take(), function, iin);
            } else {
                dnp3.asked = Some(Asked { at, function });
            }
        }
        let sum = scratch.take(&head, fragment, log);
        let malformed = sum.trouble.map(|trouble| trouble.to_string());
        if log.wants(Log::Dnp3Detailed) {
            let (objects, points) = (scratch.objects.as_slice(), sum.point_count);
            rows::detailed(log, &head, fragment.as_ref(), &told, objects, points, malformed.as_deref());
        }

        // The master asks, whoever opened the connection.
        let sender_is_orig = from_orig;
        let master_is_orig = sender_is_orig == link.control.from_master();
        let (master, outstation) =
            if master_is_orig { (id.orig.0, id.resp.0) } else { (id.resp.0, id.orig.0) };
        if sum.identity.iter().any(Option::is_some) && function == Some(FunctionCode::RESPONSE) {
            inventory.attributes(outstation, sum.identity, at);
        }
        let mut record = Dnp3Record {
            link,
            fragment,
            told,
            headers: &scratch.headers,
            header_count: sum.header_count,
            point_count: sum.point_count,
            points: &scratch.points,
            commands: &scratch.commands,
            file: sum.file,
            clear_restart: sum.clear_restart,
            trouble: sum.trouble,
            site_writer: known.is_writer(outstation, master),
            site_operation: None,
            site_other_address: !link.control.from_master()
                && known.outstation(outstation).is_some_and(|address| address != link.source.0),
            news: Dnp3News::default(),
        };
        if let Some(function) = function
            && record.is_request()
            && function != FunctionCode::CONFIRM
        {
            let addresses = (link.source.0, link.destination.0);
            let controls = &scratch.controls;
            let request = Dnp3Request { function: function.0, addresses, controls, at };
            record.news = facts.dnp3_request(pair, key, &request);
            if function.is_control() {
                record.site_operation =
                    values::operation(&scratch.commands, (outstation, link.destination.0), known);
            }
            let frame = when.frame;
            let request = ReportsRequest { at, frame, id, master, outstation, link, first: told.first };
            facts.reports.request(&request, function);
        } else if function.is_some() {
            if let Some(iin) = record.iin() {
                facts.reports.response((outstation, link.source.0), iin.has(Iin::DEVICE_RESTART), at);
            }
            record.news = facts.dnp3_other(pair, key);
        }
        let device = known.device(outstation);
        let record = Record {
            at,
            frame: when.frame,
            conn: Some(id),
            source: known.host(master, facts.knows_host(master)),
            target: Some(known.host(outstation, facts.knows_host(outstation))),
            device: device.map(|(_, device)| device.name.get_ref().as_str()),
            learning: facts.is_learning(),
            facts: Subject::Dnp3(record),
        };
        findings.judge(&record, log);
        let news = values::take(&record, facts, known, process, log);

        for (name, addl) in oddities(&head, fragment, told, &sum).into_iter().flatten() {
            let text = malformed.as_deref().filter(|_| addl.is_none());
            let number = addl.map(|number| number.to_string()).unwrap_or_default();
            self.weird(at, Some(id), name, text.unwrap_or(&number));
        }
        self.judge_dnp3_values(when, id, &news);
    }
}

/// What `weird.log` is told of a fragment; with a number, or with what the trouble says.
fn oddities(
    head: &Head,
    fragment: Option<Fragment<'_>>,
    told: Told,
    sum: &Sum<'_>,
) -> [Option<(&'static str, Option<u64>)>; 6] {
    let Some(fragment) = fragment else { return [None; 6] };
    let mut odd = [None; 6];
    if told.unanswered == UNANSWERED_ODD {
        odd[5] = Some(("dnp3_unanswered_requests", Some(UNANSWERED_ODD.into())));
    }
    if !fragment.has_whole_header() {
        odd[0] = Some(("dnp3_short_application_header", Some(fragment.octets().len() as u64)));
        return odd;
    }
    if let Some(function) = head.function {
        if function.name().is_none() {
            odd[0] = Some(("dnp3_unknown_function", Some(u64::from(function.0))));
        }
        // An outstation answers and a master asks; Zeek's weird of this name goes by who opened the connection.
        if function != FunctionCode::CONFIRM && function.is_response() == head.link.control.from_master() {
            odd[1] = Some(("dnp3_unexpected_flow_direction", Some(u64::from(function.0))));
        }
    }
    odd[2] = sum.trouble.map(|trouble| (trouble_name(trouble.cause), None));
    if sum.too_many_points {
        odd[3] = Some(("dnp3_too_many_points", Some(sum.point_count)));
    }
    if sum.header_count > OBJECTS_ODD {
        odd[4] = Some(("dnp3_too_many_objects", Some(sum.header_count as u64)));
    }
    odd
}

const fn trouble_name(cause: TroubleCause) -> &'static str {
    match cause {
        TroubleCause::ShortHeader { .. } => "dnp3_short_object_header",
        TroubleCause::ShortData { .. } => "dnp3_short_object_data",
        TroubleCause::UnknownObject { .. } => "dnp3_unknown_object",
        TroubleCause::ReservedQualifier { .. } => "dnp3_reserved_qualifier",
        TroubleCause::ReversedRange { .. } => "dnp3_reversed_range",
    }
}

impl Scratch {
    fn take<'a, S: LogSink>(
        &mut self,
        head: &Head,
        fragment: Option<Fragment<'a>>,
        log: &mut LogWriter<S>,
    ) -> Sum<'a> {
        self.headers.clear();
        self.points.clear();
        self.commands.clear();
        self.objects.clear();
        self.controls.clear();
        let mut sum = Sum::default();
        let Some(fragment) = fragment else { return sum };
        let (objects, values) = (log.wants(Log::Dnp3Objects), log.wants(Log::Dnp3Values));
        // Group 51 says from when relative times in the same fragment count.
        let mut occurrence = None;
        let mut blocks = fragment.blocks();
        for block in blocks.by_ref() {
            sum.header_count += 1;
            self.objects.push((block.group, block.variation));
            let count = block.range.count();
            sum.point_count = sum.point_count.saturating_add(count);
            if self.headers.len() < HEADERS_MAX {
                let range = block.range.start().zip(block.range.stop());
                self.headers.push(Header { group: block.group, variation: block.variation, range, count });
            }
            if objects {
                rows::object(log, head, &block);
            }
            if !block.brings_objects() || block.data.is_empty() {
                continue;
            }
            sum.too_many_points |= count > POINTS_MAX as u64;
            self.columns.clear();
            // A restart bit that is cleared is more than a number.
            match block.readings().filter(|_| block.group != 80) {
                Some(readings) => self.readings(&block, &readings),
                None => {
                    for point in block.points() {
                        self.point(head, &block, &point, &mut occurrence, &mut sum, log);
                    }
                }
            }
            if values {
                rows::values(log, head, &block, &self.columns);
            }
        }
        sum.trouble = blocks.trouble();
        sum
    }

    /// The points of a block that are numbers: what polls bring.
    fn readings(&mut self, block: &Block<'_>, readings: &Readings<'_>) {
        let Columns { indices, values, flags, .. } = &mut self.columns;
        readings.indices(indices);
        readings.numbers(values);
        readings.flags(flags);
        let (kind, event) = PointKind::of(block.group);
        let room = POINTS_MAX.saturating_sub(self.points.len());
        let points = indices.iter().zip(values.iter()).take(room);
        let seen = |(&index, &value), flags| SeenPoint { kind, event, index, value, flags };
        if flags.is_empty() {
            self.points.extend(points.map(|point| seen(point, None)));
        } else {
            self.points
                .extend(points.zip(flags.iter()).map(|(point, flags)| seen(point, Some(*flags as u8))));
        }
    }

    fn point<'a, S: LogSink>(
        &mut self,
        head: &Head,
        block: &Block<'a>,
        point: &Point<'a>,
        occurrence: &mut Option<u64>,
        sum: &mut Sum<'a>,
        log: &mut LogWriter<S>,
    ) {
        let time_ms = match point.time {
            Some(EventTime::Absolute(time)) => Some(time),
            Some(EventTime::Relative(offset)) => occurrence.map(|start| start + u64::from(offset)),
            None => None,
        };
        let (kind, event) = PointKind::of(block.group);
        let mut number = point.value.number();
        match point.value {
            Value::Crob(crob) => {
                rows::control(log, head, block.variation, point.index, &crob);
                number = Some(f64::from(crob.control_code));
                self.command(Command {
                    index: point.index,
                    crob: Some(crob),
                    setpoint: None,
                    status: crob.status.0,
                });
            }
            Value::Time(time) if block.group == 51 => *occurrence = Some(time),
            Value::Octets(octets) if block.group == 70 => {
                sum.file = sum.file.or(FileObject::parse(block.variation, octets));
            }
            Value::Attribute(attribute) => {
                // Manufacturer, product and model, software version.
                match block.variation {
                    252 => sum.identity[0] = Some(attribute.octets),
                    250 => sum.identity[1] = Some(attribute.octets),
                    242 => sum.identity[2] = Some(attribute.octets),
                    _ => {}
                }
            }
            Value::Bcd(bcd) => number = Some(decimal(bcd).unwrap_or(f64::NAN)),
            Value::Bit(false)
                if block.group == 80
                    && point.index == Some(7)
                    && head.function == Some(FunctionCode::WRITE) =>
            {
                sum.clear_restart = true;
            }
            _ => {}
        }
        if log.wants(Log::Dnp3Values) {
            self.columns.take(point, number, time_ms);
        }
        let Some(value) = number else { return };
        if block.group == 41 {
            let status = point.status.map_or(0, |status| status.0);
            self.command(Command { index: point.index, crob: None, setpoint: Some(value), status });
        }
        if let Some(index) = point.index
            && self.points.len() < POINTS_MAX
        {
            let flags = point.flags.map(|flags| flags.0);
            self.points.push(SeenPoint { kind, event, index, value, flags });
        }
    }

    fn command(&mut self, command: Command) {
        if self.commands.len() < COMMANDS_MAX {
            self.controls.extend(command.index.map(|index| (command.crob.is_none(), index)));
            self.commands.push(command);
        }
    }
}

const fn nanos(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(1_000_000)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(&octets[..octets.len().min(TEXT_MAX)]).into_owned()
}

impl Columns {
    fn take(&mut self, point: &Point<'_>, number: Option<f64>, time_ms: Option<u64>) {
        self.indices.extend(point.index);
        self.values.extend(number);
        self.flags.extend(point.flags.map(|flags| u16::from(flags.0)));
        self.statuses.extend(point.status.map(|status| u16::from(status.0)));
        match point.value {
            Value::Time(time) | Value::TimeInterval { time_ms: time, .. } => self.times.push(nanos(time)),
            Value::Octets(octets) | Value::Attribute(Attribute { octets, .. }) => {
                self.texts.push(text(octets));
            }
            _ => self.times.extend(time_ms.map(nanos)),
        }
    }
}

/// Packed decimal as a number; `None` where a nibble is above 9.
fn decimal(bcd: u64) -> Option<f64> {
    let nibbles = (0..16).rev().map(|place| bcd >> (4 * place) & 0x0f);
    nibbles.into_iter().try_fold(0.0, |sum, nibble| (nibble < 10).then_some(sum * 10.0 + nibble as f64))
}
