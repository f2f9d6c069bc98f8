//! `modbus_detailed.log`: a request and its answer in one row.

use std::borrow::Cow;

use wire::modbus::{FunctionCode, Packet};

use super::{Pdu, count, has_link, link_id, prefix};
use crate::flow::ConnId;
use crate::log::{Log, LogWriter};
use crate::modbus::Waiting;
use crate::row::Field;
use crate::sink::LogSink;

/// A row of one PDU of which no more than its header is told.
pub(super) fn lone<S: LogSink>(log: &mut LogWriter<S>, pdu: &Pdu<'_>) {
    let mut row = Row::new(pdu.at, pdu.id, pdu.transaction, pdu.unit, pdu.name);
    row.exception = pdu.exception.into();
    log.row(Log::ModbusDetailed, &row.fields());
}

/// An answer that nobody asked for.
pub(super) fn unasked<S: LogSink>(words: &mut Vec<u16>, log: &mut LogWriter<S>, pdu: &Pdu<'_>) {
    let packet = pdu.packet;
    let link = link_id(pdu.id, u32::from(pdu.transaction), true);
    let (mei, sub) = (mei_type(packet), sub_function(packet));
    words.clear();
    if packet.quantity().is_some() || packet.bits().is_some() {
        push_values(packet, usize::MAX, words);
    }
    let mut row = Row::new(pdu.at, pdu.id, pdu.transaction, pdu.unit, pdu.name);
    row.matched = Field::Bool(false);
    row.address = packet.address().map_or(Field::Unset, |address| Field::Count(address.0.into()));
    row.quantity = match packet.function() {
        Some(FunctionCode(1 | 2)) => Field::Count(words.len() as u64),
        Some(FunctionCode(15 | 16 | 5 | 6 | 3 | 4 | 24)) => count(packet.quantity()),
        _ => Field::Unset,
    };
    if !matches!(packet.function(), Some(FunctionCode(22 | 23))) && packet.registers().is_some()
        || packet.bits().is_some()
    {
        row.response_values = Field::Counts(words);
    }
    if packet.function() == Some(FunctionCode::ENCAPSULATED_INTERFACE) {
        row.link = Field::Text(&link);
    }
    row.response_sub = sub.as_deref().into();
    row.response_data = diagnostic_data(packet);
    row.mei = mei.as_deref().into();
    log.row(Log::ModbusDetailed, &row.fields());
}

/// A request with its answer, or without.
pub(super) fn row<S: LogSink>(
    words: &mut Vec<u16>,
    log: &mut LogWriter<S>,
    id: &ConnId,
    request: &Waiting,
    answer: Option<&Pdu<'_>>,
) {
    let asked = Packet::request(&request.pdu);
    let function = request.function;
    let link = if has_link(function) { link_id(id, request.link, false) } else { String::new() };
    let mei = mei_type(&asked);
    let name = function.name().unwrap_or("unknown");
    let told = answer.map(|answer| answer.packet).filter(|packet| !packet.is_exception());

    let (asked_sub, told_sub) = (sub_function(&asked), told.and_then(sub_function));

    // Values asked to be written, then values told.
    words.clear();
    let mut padding = String::new();
    if matches!(function.0, 5 | 6 | 15 | 16) {
        push_values(&asked, usize::MAX, words);
    }
    let split = words.len();
    if let Some(told) = told
        && matches!(function.0, 1..=6 | 24)
    {
        let most = if matches!(function.0, 1 | 2) {
            request.read.map_or(0, |(_, count)| count.into())
        } else {
            usize::MAX
        };
        push_values(told, most, words);
        for bit in told.bits().into_iter().flatten().skip(most) {
            padding.push_str(if padding.is_empty() { "" } else { "," });
            padding.push(if bit { '1' } else { '0' });
        }
    }
    let (asked_values, told_values) = words.split_at(split);

    let mut row = Row::new(request.at, id, request.transaction, request.unit, name);
    row.matched = Field::Bool(answer.is_some());
    row.exception = answer.and_then(|answer| answer.exception).into();
    row.mei = mei.as_deref().into();
    if !link.is_empty() {
        row.link = Field::Text(&link);
    }
    if !matches!(function.0, 20 | 21 | 23) {
        row.address = asked.address().map_or(Field::Unset, |address| Field::Count(address.0.into()));
    }
    row.quantity = match function.0 {
        1..=4 => count(asked.quantity()),
        5 | 6 => Field::Count(1),
        15 => Field::Count(asked_values.len() as u64),
        16 => told
            .and_then(Packet::quantity)
            .map_or(Field::Count(asked_values.len() as u64), |quantity| Field::Count(quantity.into())),
        20 | 21 => Field::Count(asked.file_ranges().map_or(0, Iterator::count) as u64),
        24 => told.map_or(Field::Unset, |_| Field::Count(told_values.len() as u64)),
        _ => Field::Unset,
    };
    if matches!(function.0, 5 | 6 | 15 | 16) {
        row.request_values = Field::Counts(asked_values);
    }
    if told.is_some() && (matches!(function.0, 1..=6) || !told_values.is_empty()) {
        row.response_values = Field::Counts(told_values);
    }
    if function == FunctionCode::DIAGNOSTICS {
        (row.request_sub, row.request_data) = (asked_sub.as_deref().into(), diagnostic_data(&asked));
    }
    match told {
        Some(told) if function == FunctionCode::DIAGNOSTICS => {
            (row.response_sub, row.response_data) = (told_sub.as_deref().into(), diagnostic_data(told));
        }
        _ if !padding.is_empty() => row.response_data = Field::Text(&padding),
        _ => {}
    }
    log.row(Log::ModbusDetailed, &row.fields());
}

/// The columns of `modbus_detailed.log` behind the connection.
struct Row<'a> {
    start: [Field<'a>; 6],
    header: [Field<'a>; 3],
    address: Field<'a>,
    quantity: Field<'a>,
    request_values: Field<'a>,
    response_values: Field<'a>,
    link: Field<'a>,
    matched: Field<'a>,
    request_sub: Field<'a>,
    response_sub: Field<'a>,
    request_data: Field<'a>,
    response_data: Field<'a>,
    exception: Field<'a>,
    mei: Field<'a>,
}

impl<'a> Row<'a> {
    fn new(at: u64, id: &'a ConnId, transaction: u16, unit: u8, name: &'a str) -> Self {
        let unset = Field::Unset;
        Self {
            start: prefix(at, id),
            header: [Field::Count(transaction.into()), Field::Count(unit.into()), Field::Text(name)],
            address: unset,
            quantity: unset,
            request_values: unset,
            response_values: unset,
            link: unset,
            matched: unset,
            request_sub: unset,
            response_sub: unset,
            request_data: unset,
            response_data: unset,
            exception: unset,
            mei: unset,
        }
    }

    fn fields(&self) -> [Field<'a>; 21] {
        let [ts, uid, orig_h, orig_p, resp_h, resp_p] = self.start;
        let [transaction, unit, name] = self.header;
        [
            ts,
            uid,
            orig_h,
            orig_p,
            resp_h,
            resp_p,
            transaction,
            unit,
            name,
            self.address,
            self.quantity,
            self.request_values,
            self.response_values,
            self.link,
            self.matched,
            self.request_sub,
            self.response_sub,
            self.request_data,
            self.response_data,
            self.exception,
            self.mei,
        ]
    }
}

/// Appends the values that a PDU carries: registers, or bits as 0 and 1, at most `most`.
fn push_values(packet: &Packet<'_>, most: usize, words: &mut Vec<u16>) {
    words.extend(packet.registers().into_iter().flatten().take(most));
    words.extend(packet.bits().into_iter().flatten().take(most).map(u16::from));
}

/// ICSNPP's name of the encapsulated interface.
fn mei_type(packet: &Packet<'_>) -> Option<Cow<'static, str>> {
    Some(match packet.interface()? {
        13 => Cow::Borrowed("CANopen"),
        14 => Cow::Borrowed("Read Device Identification"),
        other => Cow::Owned(format!("invalid encapsulated interface transport mei-(0x{other:02x})")),
    })
}

/// Octets behind the sub-function of Diagnostics.
fn diagnostic_data<'a>(packet: &Packet<'a>) -> Field<'a> {
    match (packet.function(), packet.pdu().get(3..)) {
        (Some(FunctionCode::DIAGNOSTICS), Some(data)) => Field::Octets(data),
        _ => Field::Unset,
    }
}

/// ICSNPP's name of a sub-function of Diagnostics (the specification, section 6.8.1).
fn sub_function(packet: &Packet<'_>) -> Option<Cow<'static, str>> {
    if packet.function() != Some(FunctionCode::DIAGNOSTICS) {
        return None;
    }
    Some(Cow::Borrowed(match packet.sub_function()? {
        0 => "Return Query Data",
        1 => "Restart Communications Option",
        2 => "Return Diagnostic Register",
        3 => "Change ASCII Input Delimiter",
        4 => "Force Listen Only Mode",
        10 => "Clear Counters and Diagnostic Register",
        11 => "Return Bus Message Count",
        12 => "Return Bus Communication Error Count",
        13 => "Return Bus Exception Error Count",
        14 => "Return Server Message Count",
        15 => "Return Server No Response Count",
        16 => "Return Server NAK Count",
        17 => "Return Server Busy Count",
        18 => "Return Bus Character Overrun Count",
        20 => "Clear Overrun Counter and Flag",
        other => return Some(Cow::Owned(format!("unknown-{other}"))),
    }))
}
