//! Rows of the DNP3 logs.
//!
//! `dnp3.log` is Zeek's (version 8.0), `dnp3_control.log` and `dnp3_objects.log` are those of CISA's ICSNPP package, column
//! for column and row for row. What they leave out stands in logs of our own: `dnp3_detailed.log` has every fragment and
//! every frame without user data, with link addresses, sequence numbers and indications; `dnp3_values.log` every object
//! header that brings values, with the values.
//!
//! Two peculiarities of theirs are kept, so that rows compare equal:
//! - The range of an object header that counts is the count as the first index and 0 as the last, and a count of two or
//!   four octets has its octets the wrong way round: one point is 256.
//! - `iin` is IIN1 times 256 plus IIN2; the standard's bit 0 is bit 8 there.

use wire::dnp3::object::{Crob, Qualifier, Range};
use wire::dnp3::{Block, Fragment, FunctionCode, LinkHeader};

use super::{Asked, Told, names};
use crate::flow::{ConnId, Endpoint};
use crate::front::Front;
use crate::log::{Log, LogWriter};
use crate::row::{Field, prefix};
use crate::sink::LogSink;

/// What the rows of one fragment have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Of the frame and the direction: rows with the same number begin alike.
    pub(super) number: u64,
    pub(super) at: u64,
    pub(super) id: ConnId,
    pub(super) from_orig: bool,
    pub(super) link: LinkHeader,
    pub(super) function: Option<FunctionCode>,
}

impl Head {
    fn ends(&self) -> (Endpoint, Endpoint) {
        if self.from_orig { (self.id.orig, self.id.resp) } else { (self.id.resp, self.id.orig) }
    }

    /// What its rows begin with.
    fn front<'a>(&'a self) -> Front<impl Fn() -> [Field<'a>; 11]> {
        Front {
            number: self.number,
            at: self.at,
            uid: self.id.uid,
            from_orig: self.from_orig,
            like: Log::Dnp3Detailed,
            fields: || self.directed(),
        }
    }

    /// The connection, and who sent it to whom.
    fn directed(&self) -> [Field<'_>; 11] {
        let [ts, uid, orig_h, orig_p, resp_h, resp_p] = prefix(self.at, &self.id);
        let (from, to) = self.ends();
        [
            ts,
            uid,
            orig_h,
            orig_p,
            resp_h,
            resp_p,
            Field::Bool(self.from_orig),
            Field::Address(from.0),
            Field::Count(from.1.into()),
            Field::Address(to.0),
            Field::Count(to.1.into()),
        ]
    }
}

/// A function's name as Zeek writes it.
fn function_name(function: FunctionCode, unknown: &mut String) -> Field<'_> {
    function.name().map_or_else(
        || {
            *unknown = format!("unknown-{}", function.0);
            Field::Text(unknown)
        },
        Field::Name,
    )
}

fn name<'a>(name: Option<&'static str>) -> Field<'a> {
    name.map_or(Field::Unset, Field::Name)
}

/// `dnp3.log`: a response, with the last request before it that had no row yet.
pub(super) fn answered<S: LogSink>(
    log: &mut LogWriter<S>,
    head: &Head,
    asked: Option<Asked>,
    function: FunctionCode,
    iin: Option<u16>,
) {
    let (mut one, mut other) = (String::new(), String::new());
    let row = [
        asked.map_or(Field::Unset, |asked| function_name(asked.function, &mut one)),
        function_name(function, &mut other),
        iin.map_or(Field::Unset, |iin| Field::Count(iin.into())),
    ];
    log.row_of(Log::Dnp3, head.front(), &row);
}

/// `dnp3.log`: a request alone, at its connection's end.
pub(crate) fn unanswered<S: LogSink>(log: &mut LogWriter<S>, id: &ConnId, asked: Asked) {
    let mut unknown = String::new();
    let [ts, uid, orig_h, orig_p, resp_h, resp_p] = prefix(asked.at, id);
    let function = function_name(asked.function, &mut unknown);
    let row = [ts, uid, orig_h, orig_p, resp_h, resp_p, function, Field::Unset, Field::Unset];
    log.row(Log::Dnp3, &row);
}

/// `dnp3_objects.log`: an object header of a read or of its response.
pub(super) fn object<S: LogSink>(log: &mut LogWriter<S>, head: &Head, block: &Block<'_>) {
    let (Some(function), Some(object)) = (head.function, names::object(block.group, block.variation)) else {
        return;
    };
    let answers = function == FunctionCode::RESPONSE;
    if !answers && function != FunctionCode::READ {
        return;
    }
    let [count, low, high] = if answers { zeeks_range(block) } else { [Field::Unset; 3] };
    let row = [name(function.name()), Field::Name(object), count, low, high];
    log.row_of(Log::Dnp3Objects, head.front(), &row);
}

/// Number of objects, first and last index as Zeek has them.
fn zeeks_range(block: &Block<'_>) -> [Field<'static>; 3] {
    let count = u32::try_from(block.range.count()).unwrap_or(u32::MAX);
    let (low, high) = match (block.range, block.qualifier.range_code()) {
        (Range::StartStop { start, stop } | Range::Address { start, stop }, _) => (start, stop),
        (Range::All, _) => (0xffff, 0xffff),
        (Range::Count(count), 8) => (u32::from((count as u16).swap_bytes()), 0),
        (Range::Count(count), 9) => (count.swap_bytes(), 0),
        (Range::Count(count) | Range::FreeFormat(count), _) => (count, 0),
        (Range::Reserved, _) => (0, 0),
    };
    [count, low, high].map(|number| Field::Count(number.into()))
}

/// `dnp3_control.log`: a control relay output block or a pattern control block.
pub(super) fn control<S: LogSink>(
    log: &mut LogWriter<S>,
    head: &Head,
    variation: u8,
    index: Option<u32>,
    crob: &Crob,
) {
    let Some(function) = head.function else { return };
    let (mut unknown, unknown_status);
    unknown = String::new();
    let answers = function == FunctionCode::RESPONSE;
    let status = match (answers, names::status(crob.status.0)) {
        (false, _) => Field::Unset,
        (true, Some(known)) => Field::Name(known),
        (true, None) => {
            unknown_status = format!("unknown-{:x}", crob.status.0);
            Field::Text(&unknown_status)
        }
    };
    let row = [
        Field::Name(if variation == 1 { "Control Relay Output Block" } else { "Pattern Control Block" }),
        function_name(function, &mut unknown),
        Field::Count(index.unwrap_or(0).into()),
        Field::Name(names::trip_close(crob.trip_close())),
        Field::Name(names::operation(crob.operation())),
        Field::Bool(crob.clear()),
        Field::Count(crob.count.into()),
        Field::Count(crob.on_time_ms.into()),
        Field::Count(crob.off_time_ms.into()),
        status,
    ];
    log.row_of(Log::Dnp3Control, head.front(), &row);
}

/// `dnp3_detailed.log`: a fragment, or a frame without one.
pub(super) fn detailed<S: LogSink>(
    log: &mut LogWriter<S>,
    head: &Head,
    fragment: Option<&Fragment<'_>>,
    told: &Told,
    objects: &[(u8, u8)],
    points: u64,
    malformed: Option<&str>,
) {
    let mut unknown = String::new();
    let mut indications = [""; 16];
    let iin = fragment.and_then(Fragment::iin);
    let mut set = 0;
    for (slot, name) in indications.iter_mut().zip(iin.into_iter().flat_map(wire::dnp3::Iin::names)) {
        *slot = name;
        set += 1;
    }
    let control = fragment.and_then(Fragment::control);
    let bit = |bit: Option<bool>| bit.map_or(Field::Unset, Field::Bool);
    let row = [
        Field::Count(head.link.source.0.into()),
        Field::Count(head.link.destination.0.into()),
        name(head.link.control.function().map(wire::dnp3::LinkFunction::name)),
        bit(control.map(wire::dnp3::AppControl::is_first)),
        bit(control.map(wire::dnp3::AppControl::is_last)),
        bit(control.map(wire::dnp3::AppControl::wants_confirm)),
        bit(control.map(wire::dnp3::AppControl::is_unsolicited)),
        control.map_or(Field::Unset, |control| Field::Count(control.sequence().into())),
        head.function.map_or(Field::Unset, |function| function_name(function, &mut unknown)),
        if iin.is_some() { Field::Set(&indications[..set]) } else { Field::Unset },
        if objects.is_empty() { Field::Unset } else { Field::Objects(objects) },
        if fragment.is_some() { Field::Count(points) } else { Field::Unset },
        bit(told.matched),
        name(told.request.and_then(FunctionCode::name)),
        told.elapsed.map_or(Field::Unset, Field::Interval),
        fragment.map_or(Field::Unset, |fragment| Field::Count(fragment.octets().len() as u64)),
        malformed.into(),
    ];
    log.row_of(Log::Dnp3Detailed, head.front(), &row);
}

/// Values of one object header, side by side; what none of its points has is empty.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) indices: Vec<u32>,
    pub(super) values: Vec<f64>,
    pub(super) flags: Vec<u16>,
    pub(super) statuses: Vec<u16>,
    pub(super) times: Vec<u64>,
    pub(super) texts: Vec<String>,
}

impl Columns {
    pub(super) fn clear(&mut self) {
        self.indices.clear();
        self.values.clear();
        self.flags.clear();
        self.statuses.clear();
        self.times.clear();
        self.texts.clear();
    }
}

/// `dnp3_values.log`: an object header with its values.
pub(super) fn values<S: LogSink>(log: &mut LogWriter<S>, head: &Head, block: &Block<'_>, columns: &Columns) {
    let mut unknown = String::new();
    let texts: Vec<&str> = columns.texts.iter().map(String::as_str).collect();
    let Qualifier(qualifier) = block.qualifier;
    let or_unset = |is_empty: bool, field| if is_empty { Field::Unset } else { field };
    let row = [
        Field::Count(head.link.source.0.into()),
        Field::Count(head.link.destination.0.into()),
        head.function.map_or(Field::Unset, |function| function_name(function, &mut unknown)),
        Field::Count(block.group.into()),
        Field::Count(block.variation.into()),
        Field::Count(qualifier.into()),
        name(names::object(block.group, block.variation)),
        or_unset(columns.indices.is_empty(), Field::Indices(&columns.indices)),
        or_unset(columns.values.is_empty(), Field::Numbers(&columns.values)),
        or_unset(columns.flags.is_empty(), Field::Counts(&columns.flags)),
        or_unset(columns.statuses.is_empty(), Field::Counts(&columns.statuses)),
        or_unset(columns.times.is_empty(), Field::Times(&columns.times)),
        or_unset(texts.is_empty(), Field::Set(&texts)),
    ];
    log.row_of(Log::Dnp3Values, head.front(), &row);
}
