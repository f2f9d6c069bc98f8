//! What DNP3 says of points: engineering values by the site's point map, and what was learnt of the others.
//!
//! A value that the outstation itself calls bad (off line, communication lost, forced) is written with its quality, and
//! neither judged nor learnt from.

use std::borrow::Cow;
use std::net::IpAddr;

use site::Operation;
use wire::dnp3::object::{Crob, OperationType, TripClose};

use super::record::{Dnp3Record, PointKind, SeenPoint};
use crate::analyser::Moment;
use crate::event::{Facts as Subject, Record};
use crate::facts::values::{EVENTS, ValueNews};
use crate::facts::{Facts, ValueKind};
use crate::flow::ConnId;
use crate::known::Known;
use crate::log::{Log, LogWriter};
use crate::process::Process;
use crate::sensor::Sensor;
use crate::sink::LogSink;
use crate::values::Sighting;

/// What the values of a fragment began to do.
#[derive(Debug, Default)]
pub(super) struct News {
    values: Vec<ValueNews>,
    /// Tags that a command sets, with the values it asks for.
    set: Vec<(usize, f64)>,
    /// Who commands and who is to follow.
    hosts: Option<(IpAddr, IpAddr)>,
}

/// How the documentation says that the outputs of a command are operated.
pub(super) fn operation(
    commands: &[super::record::Command],
    outstation: (IpAddr, u16),
    known: &Known,
) -> Option<Operation> {
    let of = |command: &super::record::Command| {
        let kind = if command.crob.is_some() {
            site::PointKind::BinaryOutput
        } else {
            site::PointKind::AnalogOutput
        };
        known.point(outstation, kind, command.index?)?.1.operation
    };
    let mut operations = commands.iter().map(of);
    if operations.any(|operation| operation == Some(Operation::Select)) {
        return Some(Operation::Select);
    }
    let is_direct =
        !commands.is_empty() && commands.iter().all(|command| of(command) == Some(Operation::Direct));
    is_direct.then_some(Operation::Direct)
}

/// Takes the values of a fragment: of responses what is reported, of commands what is asked for.
pub(super) fn take<S: LogSink>(
    record: &Record<'_>,
    facts: &mut Facts,
    known: &Known,
    process: &mut Process,
    log: &mut LogWriter<S>,
) -> News {
    let mut news = News::default();
    let (Subject::Dnp3(dnp3), Some(id), Some(target)) = (&record.facts, record.conn, &record.target) else {
        return news;
    };
    let Some(function) = dnp3.function() else { return news };
    if function.is_response() && !dnp3.is_from_master() {
        let outstation = (target.address, dnp3.link.source.0);
        report(record.at, &id, outstation, dnp3, facts, known, process, log, &mut news);
    } else if dnp3.is_from_master() && matches!(function.0, 4..=6) {
        news.hosts = Some((record.source.address, target.address));
        let outstation = (target.address, dnp3.link.destination.0);
        command(record.at, &id, outstation, dnp3, known, log, &mut news);
    }
    news
}

#[expect(clippy::too_many_arguments, reason = "the parts of the sensor that hear of a value")]
fn report<S: LogSink>(
    at: u64,
    id: &ConnId,
    outstation: (IpAddr, u16),
    dnp3: &Dnp3Record<'_>,
    facts: &mut Facts,
    known: &Known,
    process: &mut Process,
    log: &mut LogWriter<S>,
    news: &mut News,
) {
    let is_mapped = known.device(outstation.0).is_some_and(|(_, device)| !device.points.is_empty());
    let learning = facts.is_learning();
    let is_one = |one: &SeenPoint, other: &SeenPoint| (one.kind, one.event) == (other.kind, other.event);
    // Without documentation, only some kinds are looked at: the others are many, and passed over.
    let is_looked_at = |point: &SeenPoint| is_mapped || learnt_kind(point.kind).is_some();
    let mut rest = dnp3.points;
    while let Some(start) = rest.iter().position(is_looked_at) {
        let row = rest.split_at(start).1;
        let Some(first) = row.first() else { break };
        let (points, behind) = row.split_at(row.iter().take_while(|point| is_one(first, point)).count());
        rest = behind;
        let site_kind = site_kind(first.kind);
        if let Some(kind) = site_kind.filter(|_| is_mapped) {
            for point in points {
                let Some((tag, entry)) = known.point(outstation, kind, point.index) else { continue };
                let value = entry.decode(point.value);
                if is_good(point) {
                    process.read(tag, value, at);
                }
                let Some(tag) = known.tag(tag).filter(|_| log.wants(Log::Values)) else { continue };
                let quality = quality(point);
                let sighting = Sighting {
                    at,
                    id,
                    is_orig: id.orig.0 == outstation.0,
                    tag,
                    value,
                    how: "read",
                    quality: quality.as_deref(),
                    table: kind.as_str(),
                    address: u16::try_from(point.index).unwrap_or(u16::MAX),
                    unit_id: outstation.1,
                };
                sighting.log(log);
            }
        }
        let Some(kind) = learnt_kind(first.kind) else { continue };
        let elsewhere = |index: u32| {
            is_mapped && site_kind.is_some_and(|kind| known.point(outstation, kind, index).is_some())
        };
        let block = if first.event { EVENTS } else { (first.index, points.len() as u32) };
        let values = points.iter().filter(|point| is_good(point)).map(|point| (point.index, point.value));
        let key = (outstation.0, outstation.1, kind);
        news.values.extend(facts.values.take(key, block, at, learning, values, elsewhere));
    }
}

fn command<S: LogSink>(
    at: u64,
    id: &ConnId,
    outstation: (IpAddr, u16),
    dnp3: &Dnp3Record<'_>,
    known: &Known,
    log: &mut LogWriter<S>,
    news: &mut News,
) {
    for command in dnp3.commands {
        let (kind, raw) = match (&command.crob, command.setpoint) {
            (Some(crob), _) => (site::PointKind::BinaryOutput, switched(crob)),
            (None, setpoint) => (site::PointKind::AnalogOutput, setpoint),
        };
        let Some((index, raw)) = command.index.zip(raw) else { continue };
        let Some((number, entry)) = known.point(outstation, kind, index) else { continue };
        let value = entry.decode(raw);
        news.set.push((number, value));
        let Some(tag) = known.tag(number).filter(|_| log.wants(Log::Values)) else { continue };
        let sighting = Sighting {
            at,
            id,
            is_orig: id.resp.0 == outstation.0,
            tag,
            value,
            how: "write",
            quality: None,
            table: kind.as_str(),
            address: *entry.index.get_ref(),
            unit_id: outstation.1,
        };
        sighting.log(log);
    }
}

impl<S: LogSink> Sensor<S> {
    /// Shows the rules what the values of a fragment began to do, and what its commands ask of the plant.
    pub(super) fn judge_dnp3_values(&mut self, when: Moment, id: ConnId, news: &News) {
        self.judge_values(when, id, &news.values);
        let Some((master, outstation)) = news.hosts else { return };
        for (tag, value) in &news.set {
            let Self { facts, known, process, findings, log, .. } = self;
            if let Some(broken) = process.judge_setpoint(*tag, *value, when.at) {
                let name = |tag: &usize| known.tag(*tag).map_or("", |tag| tag.name.get_ref().as_str());
                let record = Record {
                    at: when.at,
                    frame: when.frame,
                    conn: Some(id),
                    source: known.host(outstation, facts.knows_host(outstation)),
                    target: None,
                    device: known.device(outstation).map(|(_, device)| device.name.get_ref().as_str()),
                    learning: facts.is_learning(),
                    facts: Subject::Process { broken, names: broken.tags.iter().map(name).collect() },
                };
                findings.judge(&record, log);
            }
            self.judge_switchings(when, id, (master, outstation), [(*tag, *value)]);
        }
    }
}

/// The value that a command leaves behind; a pulse that neither trips nor closes leaves none.
fn switched(crob: &Crob) -> Option<f64> {
    match (crob.trip_close(), crob.operation()) {
        (TripClose::Close, _) | (TripClose::Nul, OperationType::LatchOn) => Some(1.0),
        (TripClose::Trip, _) | (TripClose::Nul, OperationType::LatchOff) => Some(0.0),
        _ => None,
    }
}

const fn site_kind(kind: PointKind) -> Option<site::PointKind> {
    Some(match kind {
        PointKind::BinaryInput => site::PointKind::BinaryInput,
        PointKind::DoubleBitInput => site::PointKind::DoubleBitInput,
        PointKind::BinaryOutput => site::PointKind::BinaryOutput,
        PointKind::Counter => site::PointKind::Counter,
        PointKind::AnalogInput => site::PointKind::AnalogInput,
        PointKind::AnalogOutput => site::PointKind::AnalogOutput,
        _ => return None,
    })
}

const fn learnt_kind(kind: PointKind) -> Option<ValueKind> {
    Some(match kind {
        PointKind::Counter => ValueKind::Counter,
        PointKind::AnalogInput => ValueKind::AnalogInput,
        PointKind::AnalogOutput => ValueKind::AnalogOutput,
        _ => return None,
    })
}

/// Bits of the octet of flags that speak of quality, by kind, with the words of IEEE 1815-2012, 11.6; the first is set
/// where all is well.
fn quality_bits(kind: PointKind) -> &'static [(u8, &'static str)] {
    match kind {
        PointKind::BinaryInput => &[
            (0x01, "online"),
            (0x02, "restart"),
            (0x04, "comm_lost"),
            (0x08, "remote_forced"),
            (0x10, "local_forced"),
            (0x20, "chatter_filter"),
        ],
        PointKind::Counter => &[
            (0x01, "online"),
            (0x02, "restart"),
            (0x04, "comm_lost"),
            (0x08, "remote_forced"),
            (0x10, "local_forced"),
            (0x20, "rollover"),
            (0x40, "discontinuity"),
        ],
        PointKind::AnalogInput | PointKind::AnalogOutput => &[
            (0x01, "online"),
            (0x02, "restart"),
            (0x04, "comm_lost"),
            (0x08, "remote_forced"),
            (0x10, "local_forced"),
            (0x20, "over_range"),
            (0x40, "reference_err"),
        ],
        _ => &[
            (0x01, "online"),
            (0x02, "restart"),
            (0x04, "comm_lost"),
            (0x08, "remote_forced"),
            (0x10, "local_forced"),
        ],
    }
}

/// On line, and neither lost nor forced nor just restarted; where no flags are sent, it is on line by definition.
fn is_good(point: &SeenPoint) -> bool {
    point.flags.is_none_or(|flags| flags & 0x1f == 1)
}

/// The words for its flags.
fn quality(point: &SeenPoint) -> Option<Cow<'static, str>> {
    let flags = point.flags?;
    let bits = quality_bits(point.kind);
    let mask = bits.iter().fold(0, |mask, (bit, _)| mask | bit);
    if flags & mask == 1 {
        return Some(Cow::Borrowed("online"));
    }
    let offline = (flags & 1 == 0).then_some("offline");
    let set = bits.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| *word);
    Some(Cow::Owned(offline.into_iter().chain(set).collect::<Vec<_>>().join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(kind: PointKind, flags: Option<u8>) -> SeenPoint {
        SeenPoint { kind, event: false, index: 0, value: 1.0, flags }
    }

    #[test]
    fn quality_is_told_in_the_words_of_the_standard() {
        for (kind, flags, words, good) in [
            (PointKind::AnalogInput, 0x01, "online", true),
            (PointKind::AnalogInput, 0x21, "online,over_range", true),
            (PointKind::BinaryInput, 0x81, "online", true),
            (PointKind::BinaryInput, 0x84, "offline,comm_lost", false),
            (PointKind::Counter, 0x09, "online,remote_forced", false),
        ] {
            let point = point(kind, Some(flags));
            assert_eq!((quality(&point).as_deref(), is_good(&point)), (Some(words), good));
        }
        assert!(is_good(&point(PointKind::AnalogInput, None)));
        assert_eq!(quality(&point(PointKind::AnalogInput, None)), None);
    }

    #[test]
    fn trips_and_closes_leave_a_state_and_a_bare_pulse_does_not() {
        let switched = |control_code| {
            let status = wire::dnp3::object::CommandStatus(0);
            switched(&Crob { control_code, count: 1, on_time_ms: 100, off_time_ms: 100, status })
        };
        assert_eq!([0x41, 0x81, 3, 4, 1].map(switched), [Some(1.0), Some(0.0), Some(1.0), Some(0.0), None]);
    }
}
