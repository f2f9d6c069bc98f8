//! What answers say of registers and points: to the baseline, and what it finds in them to the rules.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;

use rsigma_eval::EventValue;
use wire::modbus::{Packet, Table};

use crate::analyser::Moment;
use crate::enrich::site_table;
use crate::event::Facts as Subject;
use crate::facts::values::{Oddity, ValueNews};
use crate::facts::{Facts, ValueKind};
use crate::flow::ConnId;
use crate::known::Known;
use crate::modbus::Waiting;
use crate::sensor::Sensor;
use crate::sentence::number;
use crate::sink::LogSink;

/// Shows the registers of an answer to the baseline; those that the site's map knows are judged by its ties.
pub(crate) fn registers(
    facts: &mut Facts,
    known: &Known,
    (server, unit): (IpAddr, u8),
    packet: &Packet<'_>,
    request: &Waiting,
    at: u64,
) -> Vec<ValueNews> {
    let (table, kind) = match request.table {
        Some(table @ Table::HoldingRegisters) => (table, ValueKind::Holding),
        Some(table @ Table::InputRegisters) => (table, ValueKind::Input),
        _ => return Vec::new(),
    };
    let (Some((first, count)), Some(registers)) = (request.read, packet.registers()) else {
        return Vec::new();
    };
    let device = known.device(server).map(|(device, _)| device);
    let is_mapped = |address: u32| {
        let address = u16::try_from(address).ok();
        device
            .zip(address)
            .is_some_and(|(device, address)| known.is_mapped(device, site_table(table), address))
    };
    let values = (u32::from(first)..).zip(registers.take(count.into()).map(f64::from));
    let learning = facts.is_learning();
    let (key, block) = ((server, u16::from(unit), kind), (u32::from(first), u32::from(count)));
    facts.values.take(key, block, at, learning, values, is_mapped)
}

impl<S: LogSink> Sensor<S> {
    /// Shows the rules what values began to do.
    pub(crate) fn judge_values(&mut self, when: Moment, id: ConnId, news: &[ValueNews]) {
        for news in news {
            self.judge((when.at, when.frame), Some(id), news.bank.0, None, Subject::Values(*news));
        }
    }
}

impl ValueNews {
    pub(crate) fn field(&self, path: &str) -> Option<EventValue<'_>> {
        let int = |number: u32| Some(EventValue::Int(number.into()));
        let float = |number: f64| number.is_finite().then_some(EventValue::Float(number));
        let (_, unit, kind) = self.bank;
        match (path, self.oddity) {
            ("values.kind", _) => Some(EventValue::Str(Cow::Borrowed(kind.as_str()))),
            ("values.unit", _) => int(unit.into()),
            ("values.address", _) => int(self.address),
            ("values.value", _) => float(self.value),
            ("values.low", _) => float(self.low),
            ("values.high", _) => float(self.high),
            ("values.points", _) => int(self.points),
            ("values.learnt_h", _) => float(self.learnt_h),
            ("values.beyond", Oddity::Beyond(spans)) => float(spans),
            ("values.jump", Oddity::Jump(factor)) => float(factor),
            ("values.still_s", Oddity::Frozen(seconds, _)) => float(seconds),
            ("values.frozen", Oddity::Frozen(_, points)) => int(points),
            ("values.repeats", Oddity::Repeats(answers)) => int(answers),
            _ => None,
        }
    }

    /// What a device's values began to do, for the message of a finding.
    pub(crate) fn sentence(&self, device: &str) -> String {
        let (_, unit, kind) = self.bank;
        let what = match kind {
            ValueKind::Holding => "holding register",
            ValueKind::Input => "input register",
            ValueKind::Counter => "counter",
            ValueKind::AnalogInput => "analog input",
            ValueKind::AnalogOutput => "analog output",
        };
        let whose = if kind.is_word() { "unit" } else { "outstation" };
        let place = format!("{what} {} of {whose} {unit} at {device}", self.address);
        let usual = format!(
            "usually {} to {}, learnt over {} h",
            number(self.low),
            number(self.high),
            number(self.learnt_h)
        );
        let value = number(self.value);
        let mut text = match self.oddity {
            Oddity::Beyond(spans) => {
                format!("{place} says {value}, {usual}, {} times that span outside", number(spans))
            }
            Oddity::Jump(factor) => {
                format!(
                    "{place} jumped to {value}, {} times the largest step before; {usual}",
                    number(factor)
                )
            }
            Oddity::Frozen(seconds, points) => {
                let mut text = format!(
                    "{place} has stood still at {value} for {} s and always moved before",
                    number(seconds)
                );
                if points > 1 {
                    let _ = write!(text, "; {points} such points of it stand still now");
                }
                return text;
            }
            Oddity::Repeats(answers) => {
                return format!(
                    "answers of {device} repeat earlier ones number for number, {answers} in a row: {what}s of {whose} {unit}"
                );
            }
        };
        if self.points > 1 {
            let _ = write!(text, "; {} points at once", self.points);
        }
        text
    }
}
