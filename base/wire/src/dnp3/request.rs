//! Requests as a device understands them: the strict view (IEEE 1815-2012, clauses 4.2 to 4.4 and annex A).
//!
//! # Theory of operation
//! [`Request::parse`] takes a fragment and gives what is asked for, or a [`RequestError`] that knows the indications of
//! the answer: IIN2.0 for a function that is not supported, IIN2.1 for an object that is unknown or that the function
//! cannot be applied to, IIN2.2 for a qualifier, range or value that makes no sense. Some errors get no answer at all.
//!
//! # Stated policies
//! - *A request is one fragment*, FIR and FIN both set; anything else is silently passed over. CON is not looked at.
//! - *A read* names objects and brings none, so one that is refused does not keep the others from being answered:
//!   [`Read::refused`] collects the indications. Octets that cannot be cut into headers refuse the whole request.
//! - *Everything else* is carried out whole or not at all: the first error refuses the request.
//! - *Functions* 11, 12 (freeze at a time), 15 to 19 and 25 up (applications, files, authentication) are not supported.

use super::object::{Block, Crob, Point, Qualifier, Range, Trouble, Value};
use super::point::{ClassSet, EventClass, PointKind};
use super::{AppControl, Fragment, FunctionCode, Iin};

/// Why a fragment is no request that can be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not even a header.
    #[error("request header needs 2 octets, got {got}")]
    Short {
        /// Octets.
        got: usize,
    },
    /// The function code is an outstation's.
    #[error("function {:#04x} is a response", .function.0)]
    Response {
        /// The function.
        function: FunctionCode,
    },
    /// One of several fragments, or marked as unsolicited.
    #[error("control octet {:#04x} is not that of a request", .control.0)]
    Control {
        /// The control octet.
        control: AppControl,
    },
    /// The device does not have this function.
    #[error("function {:#04x} is not supported", .function.0)]
    Function {
        /// The function.
        function: FunctionCode,
    },
    /// The device does not know the object, or cannot do this with it.
    #[error("g{group}v{variation} is unknown, or the function does not apply to it")]
    Object {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
    },
    /// The qualifier cannot be used with this object.
    #[error("g{group}v{variation} does not take qualifier {qualifier:#04x}")]
    Qualifier {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// The qualifier octet.
        qualifier: u8,
    },
    /// The value cannot be taken.
    #[error("g{group}v{variation} does not take this value")]
    Value {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
    },
    /// The octets behind the header are not whole object headers and objects.
    #[error(transparent)]
    Objects(#[from] Trouble),
    /// Objects where none belong, or none where some belong.
    #[error("function {:#04x} with {octets} octets of objects", .function.0)]
    ObjectCount {
        /// The function.
        function: FunctionCode,
        /// Octets behind the header.
        octets: usize,
    },
}

impl RequestError {
    /// The indications that the answer carries; `None` where there is none to give.
    pub const fn indications(&self) -> Option<Iin> {
        match self {
            Self::Short { .. } | Self::Response { .. } | Self::Control { .. } => None,
            Self::Function { .. } => Some(Iin::NO_FUNCTION_CODE_SUPPORT),
            Self::Object { .. } => Some(Iin::OBJECT_UNKNOWN),
            Self::Objects(Trouble { cause: super::TroubleCause::UnknownObject { .. }, .. }) => {
                Some(Iin::OBJECT_UNKNOWN)
            }
            Self::Qualifier { .. } | Self::Value { .. } | Self::Objects(_) | Self::ObjectCount { .. } => {
                Some(Iin::PARAMETER_ERROR)
            }
        }
    }
}

/// Indices that a header lists, without objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indices<'a>(Block<'a>);

impl Indices<'_> {
    /// As sent, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        // Qualifiers 17 and 28 have indices of at most 16 bits.
        self.0.points().filter_map(|point| u16::try_from(point.index?).ok())
    }
}

/// Which points of an object a header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All (qualifier 06).
    All,
    /// A range, both ends included; `stop` is not below `start` (qualifiers 00 and 01).
    Range {
        /// First index.
        start: u16,
        /// Last index.
        stop: u16,
    },
    /// The first so many (qualifiers 07 and 08).
    Count(u16),
    /// These (qualifiers 17 and 28).
    Indices(Indices<'a>),
}

impl<'a> Selection<'a> {
    fn of(block: &Block<'a>) -> Result<Self, RequestError> {
        let count = |count: u32| u16::try_from(count).map_err(|_| qualifier_error(block));
        Ok(match (block.qualifier, block.range) {
            (Qualifier::ALL, _) => Self::All,
            (Qualifier::RANGE_8 | Qualifier::RANGE_16, Range::StartStop { start, stop }) => {
                Self::Range { start: count(start)?, stop: count(stop)? }
            }
            (Qualifier::COUNT_8 | Qualifier::COUNT_16, Range::Count(number)) => Self::Count(count(number)?),
            (Qualifier::INDEXED_8 | Qualifier::INDEXED_16, _) => Self::Indices(Indices(*block)),
            _ => return Err(qualifier_error(block)),
        })
    }
}

/// An object that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// Group 60 variation 1: all present values.
    Class0,
    /// Group 60 variations 2 to 4: all changes of a class.
    Class(EventClass),
    /// Present values of a kind; `None` leaves the variation to the device.
    Static(PointKind, Option<u8>),
    /// Changes of a kind.
    Events(PointKind, Option<u8>),
    /// Commands to binary outputs as events (group 13).
    CommandEvents(Option<u8>),
    /// Deadbands of analog inputs (group 34).
    Deadbands(Option<u8>),
    /// Texts (group 110). The variation is their length, so any is asked for.
    Texts,
    /// Changes of texts (group 111).
    TextEvents,
    /// A device attribute: its variation, 254 for all, 255 for the list (group 0).
    Attribute(u8),
    /// Time and date (group 50 variation 1).
    Time,
    /// Internal indications (group 80 variation 1).
    Indications,
}

impl Readable {
    fn of(group: u8, variation: u8) -> Option<Self> {
        let within = |known: &[u8]| match variation {
            0 => Some(None),
            other => known.contains(&other).then_some(Some(other)),
        };
        if let Some(kind) = PointKind::of_static_group(group) {
            return Some(Self::Static(kind, within(kind.static_variations())?));
        }
        if let Some(kind) = PointKind::of_event_group(group) {
            return Some(Self::Events(kind, within(kind.event_variations())?));
        }
        Some(match (group, variation) {
            (60, 1) => Self::Class0,
            (60, 2..=4) => Self::Class(EventClass::from_variation(variation)?),
            (13, _) => Self::CommandEvents(within(&[1, 2])?),
            (34, _) => Self::Deadbands(within(&[1, 2, 3])?),
            (110, _) => Self::Texts,
            (111, _) => Self::TextEvents,
            (0, 1..) => Self::Attribute(variation),
            (50, 1) => Self::Time,
            (80, 1) => Self::Indications,
            _ => return None,
        })
    }

    /// Whether it is a matter of changes rather than of present values.
    pub const fn is_event(self) -> bool {
        matches!(self, Self::Class(_) | Self::Events(..) | Self::CommandEvents(_) | Self::TextEvents)
    }

    /// Qualifiers by what the object is: events are counted, present values have places.
    const fn takes(self, selection: &Selection<'_>) -> bool {
        match selection {
            Selection::All => true,
            Selection::Count(_) => self.is_event() || matches!(self, Self::Time),
            Selection::Range { .. } | Selection::Indices(_) => {
                !self.is_event() && !matches!(self, Self::Class0 | Self::Time)
            }
        }
    }
}

/// One header of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadHeader<'a> {
    /// What.
    pub object: Readable,
    /// Which of them.
    pub selection: Selection<'a>,
}

/// A read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read<'a> {
    /// What can be answered, in the order of the request.
    pub headers: Vec<ReadHeader<'a>>,
    /// Indications for what cannot.
    pub refused: Iin,
}

/// One thing to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Clears the indication *device restart* (group 80 variation 1, index 7, value 0).
    ClearRestart,
    /// The time now, milliseconds since 1970 (group 50 variation 1).
    Time(u64),
    /// The time at the latest *record current time* (group 50 variation 3).
    RecordedTime(u64),
    /// Deadbands of analog inputs by index (group 34).
    Deadbands(Vec<(u16, f64)>),
}

/// What a command asks of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// A control relay output block, for a binary output.
    Crob(Crob),
    /// A setpoint, for an analog output.
    Setpoint(f64),
}

/// One object of a control request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// Which output.
    pub index: u16,
    /// What to do.
    pub order: Order,
    /// Place of its status among the octets of the objects.
    pub status_at: usize,
}

/// The four ways to command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlFunction {
    /// Announce.
    Select,
    /// Do what was announced.
    Operate,
    /// Do at once.
    DirectOperate,
    /// Do at once, without an answer.
    DirectOperateNoAck,
}

/// Commands to outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Control<'a> {
    /// In which way.
    pub function: ControlFunction,
    /// Header and objects as they came: the answer repeats them, with each status filled in.
    pub objects: &'a [u8],
    /// The commands, in order.
    pub commands: Vec<Command>,
}

/// Counters to be frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze<'a> {
    /// Set to 0 afterwards.
    pub clear: bool,
    /// Whether an answer is due.
    pub answered: bool,
    /// Which.
    pub counters: Vec<Selection<'a>>,
}

/// One header of an assignment to classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// To which class of events; `None` is class 0: changes are no events any more.
    pub class: Option<EventClass>,
    /// Points of which kind.
    pub kind: PointKind,
    /// Which of them.
    pub selection: Selection<'a>,
}

/// A request that makes sense.
#[derive(Clone, Debug, PartialEq)]
pub enum Request<'a> {
    /// 0: a response was received.
    Confirm,
    /// 1.
    Read(Read<'a>),
    /// 2.
    Write(Vec<Write>),
    /// 3 to 6.
    Control(Control<'a>),
    /// 7 to 10.
    Freeze(Freeze<'a>),
    /// 13.
    ColdRestart,
    /// 14.
    WarmRestart,
    /// 20.
    EnableUnsolicited(ClassSet),
    /// 21.
    DisableUnsolicited(ClassSet),
    /// 22.
    AssignClass(Vec<Assignment<'a>>),
    /// 23.
    MeasureDelay,
    /// 24.
    RecordTime,
}

fn object_error(block: &Block<'_>) -> RequestError {
    RequestError::Object { group: block.group, variation: block.variation }
}

fn qualifier_error(block: &Block<'_>) -> RequestError {
    RequestError::Qualifier { group: block.group, variation: block.variation, qualifier: block.qualifier.0 }
}

fn value_error(block: &Block<'_>) -> RequestError {
    RequestError::Value { group: block.group, variation: block.variation }
}

impl<'a> Request<'a> {
    /// Understands a fragment.
    pub fn parse(fragment: Fragment<'a>) -> Result<Self, RequestError> {
        let (Some(control), Some(function)) = (fragment.control(), fragment.function()) else {
            return Err(RequestError::Short { got: fragment.octets().len() });
        };
        if function.is_response() {
            return Err(RequestError::Response { function });
        }
        let misplaced = control.is_unsolicited() && function != FunctionCode::CONFIRM;
        if !control.is_first() || !control.is_last() || misplaced {
            return Err(RequestError::Control { control });
        }
        let objects = fragment.object_octets();
        let count_error = RequestError::ObjectCount { function, octets: objects.len() };
        let bare = |request| if objects.is_empty() { Ok(request) } else { Err(count_error) };
        let some = || if objects.is_empty() { Err(count_error) } else { Ok(()) };
        match function {
            FunctionCode::CONFIRM => bare(Self::Confirm),
            FunctionCode::READ => parse_read(fragment).map(Self::Read),
            FunctionCode::WRITE => {
                some()?;
                each(fragment, parse_write).map(Self::Write)
            }
            FunctionCode::SELECT => parse_control(fragment, ControlFunction::Select),
            FunctionCode::OPERATE => parse_control(fragment, ControlFunction::Operate),
            FunctionCode::DIRECT_OPERATE => parse_control(fragment, ControlFunction::DirectOperate),
            FunctionCode::DIRECT_OPERATE_NR => parse_control(fragment, ControlFunction::DirectOperateNoAck),
            FunctionCode::IMMED_FREEZE => parse_freeze(fragment, false, true),
            FunctionCode::IMMED_FREEZE_NR => parse_freeze(fragment, false, false),
            FunctionCode::FREEZE_CLEAR => parse_freeze(fragment, true, true),
            FunctionCode::FREEZE_CLEAR_NR => parse_freeze(fragment, true, false),
            FunctionCode::COLD_RESTART => bare(Self::ColdRestart),
            FunctionCode::WARM_RESTART => bare(Self::WarmRestart),
            FunctionCode::ENABLE_UNSOLICITED => {
                some()?;
                parse_classes(fragment).map(Self::EnableUnsolicited)
            }
            FunctionCode::DISABLE_UNSOLICITED => {
                some()?;
                parse_classes(fragment).map(Self::DisableUnsolicited)
            }
            FunctionCode::ASSIGN_CLASS => {
                some()?;
                parse_assignments(fragment).map(Self::AssignClass)
            }
            FunctionCode::DELAY_MEASURE => bare(Self::MeasureDelay),
            FunctionCode::RECORD_CURRENT_TIME => bare(Self::RecordTime),
            function => Err(RequestError::Function { function }),
        }
    }

    /// Whether an answer is due when all goes well.
    pub const fn is_answered(&self) -> bool {
        match self {
            Self::Confirm => false,
            Self::Control(control) => !matches!(control.function, ControlFunction::DirectOperateNoAck),
            Self::Freeze(freeze) => freeze.answered,
            _ => true,
        }
    }
}

/// Every block of a fragment through `parse`; all or nothing.
fn each<'a, T>(
    fragment: Fragment<'a>,
    mut parse: impl FnMut(&Block<'a>) -> Result<T, RequestError>,
) -> Result<Vec<T>, RequestError> {
    let (mut blocks, mut parsed) = (fragment.blocks(), Vec::new());
    while let Some(block) = blocks.next() {
        // A block that is cut short is given out too.
        if let Some(trouble) = blocks.trouble() {
            return Err(trouble.into());
        }
        parsed.push(parse(&block)?);
    }
    blocks.trouble().map_or(Ok(parsed), |trouble| Err(trouble.into()))
}

fn parse_read(fragment: Fragment<'_>) -> Result<Read<'_>, RequestError> {
    let mut refused = Iin::default();
    let headers = each(fragment, |block| {
        let object = Readable::of(block.group, block.variation).ok_or_else(|| object_error(block));
        let header = object.and_then(|object| {
            let selection = Selection::of(block)?;
            let fits = object.takes(&selection);
            if fits { Ok(ReadHeader { object, selection }) } else { Err(qualifier_error(block)) }
        });
        Ok(match header {
            Ok(header) => Some(header),
            Err(error) => {
                refused = refused.with(error.indications().unwrap_or_default());
                None
            }
        })
    })?;
    Ok(Read { headers: headers.into_iter().flatten().collect(), refused })
}

fn parse_write(block: &Block<'_>) -> Result<Write, RequestError> {
    let one_time = || match (block.qualifier, block.range.count(), block.points().next()) {
        (Qualifier::COUNT_8 | Qualifier::COUNT_16, 1, Some(Point { value: Value::Time(time), .. })) => {
            Ok(time)
        }
        (Qualifier::COUNT_8 | Qualifier::COUNT_16, _, _) => Err(value_error(block)),
        _ => Err(qualifier_error(block)),
    };
    match (block.group, block.variation) {
        (80, 1) => {
            if !matches!(block.qualifier, Qualifier::RANGE_8 | Qualifier::RANGE_16) {
                return Err(qualifier_error(block));
            }
            // The restart indication is the only one that a master may change (clause 4.2.2.6).
            let mut points = block.points();
            match (points.next(), points.next()) {
                (Some(Point { index: Some(7), value: Value::Bit(false), .. }), None) => {
                    Ok(Write::ClearRestart)
                }
                _ => Err(value_error(block)),
            }
        }
        (50, 1) => one_time().map(Write::Time),
        (50, 3) => one_time().map(Write::RecordedTime),
        (34, 1..=3) => {
            if matches!(Selection::of(block)?, Selection::All | Selection::Count(_)) {
                return Err(qualifier_error(block));
            }
            let deadband = |point: Point<'_>| {
                let index = u16::try_from(point.index?).ok()?;
                let width = point.value.number().filter(|width| *width >= 0.0)?;
                Some((index, width))
            };
            let deadbands: Option<Vec<_>> = block.points().map(deadband).collect();
            deadbands.map(Write::Deadbands).ok_or_else(|| value_error(block))
        }
        _ => Err(object_error(block)),
    }
}

fn parse_control(fragment: Fragment<'_>, function: ControlFunction) -> Result<Request<'_>, RequestError> {
    let objects = fragment.object_octets();
    if objects.is_empty() {
        let function = fragment.function().unwrap_or(FunctionCode::SELECT);
        return Err(RequestError::ObjectCount { function, octets: 0 });
    }
    let (mut commands, mut end) = (Vec::new(), 0);
    each(fragment, |block| {
        if !matches!((block.group, block.variation), (12, 1) | (41, 1..=4)) {
            return Err(object_error(block));
        }
        if !matches!(block.qualifier, Qualifier::INDEXED_8 | Qualifier::INDEXED_16) {
            return Err(qualifier_error(block));
        }
        // Group, variation, qualifier and count stand before the data.
        end += 3 + block.qualifier.range_len().unwrap_or(0);
        let prefix = block.qualifier.prefix().len();
        let size = block.shape.and_then(|shape| shape.len(block.variation)).unwrap_or(0);
        for point in block.points() {
            end += prefix + size;
            let order = match point.value {
                Value::Crob(crob) => Order::Crob(crob),
                // A setpoint has to be a number.
                value => match value.number().filter(|number| number.is_finite()) {
                    Some(number) => Order::Setpoint(number),
                    None => return Err(value_error(block)),
                },
            };
            let index = point.index.and_then(|index| u16::try_from(index).ok());
            let index = index.ok_or_else(|| qualifier_error(block))?;
            commands.push(Command { index, order, status_at: end - 1 });
        }
        Ok(())
    })?;
    Ok(Request::Control(Control { function, objects, commands }))
}

fn parse_freeze(fragment: Fragment<'_>, clear: bool, answered: bool) -> Result<Request<'_>, RequestError> {
    if fragment.object_octets().is_empty() {
        let function = fragment.function().unwrap_or(FunctionCode::IMMED_FREEZE);
        return Err(RequestError::ObjectCount { function, octets: 0 });
    }
    let counters = each(fragment, |block| match (block.group, block.variation) {
        (20, 0) => match Selection::of(block)? {
            Selection::Count(_) => Err(qualifier_error(block)),
            selection => Ok(selection),
        },
        _ => Err(object_error(block)),
    })?;
    Ok(Request::Freeze(Freeze { clear, answered, counters }))
}

fn parse_classes(fragment: Fragment<'_>) -> Result<ClassSet, RequestError> {
    let classes = each(fragment, |block| match (block.group, EventClass::from_variation(block.variation)) {
        (60, Some(_)) if block.qualifier != Qualifier::ALL => Err(qualifier_error(block)),
        (60, Some(class)) => Ok(class),
        _ => Err(object_error(block)),
    })?;
    Ok(classes.into_iter().fold(ClassSet::NONE, ClassSet::with))
}

fn parse_assignments(fragment: Fragment<'_>) -> Result<Vec<Assignment<'_>>, RequestError> {
    let mut to = None;
    let assignments = each(fragment, |block| {
        if block.group == 60 {
            if block.qualifier != Qualifier::ALL {
                return Err(qualifier_error(block));
            }
            to = Some(match block.variation {
                1 => None,
                variation => Some(EventClass::from_variation(variation).ok_or_else(|| object_error(block))?),
            });
            return Ok(None);
        }
        let kind = PointKind::of_static_group(block.group).filter(|_| block.variation == 0);
        let kind = kind.ok_or_else(|| object_error(block))?;
        // Which class must have been said before.
        let class = to.ok_or_else(|| value_error(block))?;
        match Selection::of(block)? {
            Selection::Count(_) => Err(qualifier_error(block)),
            selection => Ok(Some(Assignment { class, kind, selection })),
        }
    })?;
    Ok(assignments.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(octets: &[u8], expected: Result<Request<'_>, RequestError>) {
        assert_eq!(Request::parse(Fragment::new(octets)), expected, "{octets:02x?}");
    }

    fn refused(octets: &[u8]) -> Option<Iin> {
        Request::parse(Fragment::new(octets)).unwrap_err().indications()
    }

    #[test]
    fn an_integrity_poll_reads_four_classes() {
        // The master's request of conformance procedure 8.9.2.2, step 1.
        let octets = [0xc0, 1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6];
        let all = |object| ReadHeader { object, selection: Selection::All };
        let mut headers: Vec<_> =
            EventClass::ALL.into_iter().map(|class| all(Readable::Class(class))).collect();
        headers.push(all(Readable::Class0));
        check(&octets, Ok(Request::Read(Read { headers, refused: Iin::default() })));
    }

    #[test]
    fn a_read_goes_on_behind_what_it_cannot_have() {
        let octets = [0xc1, 1, 99, 1, 6, 1, 0, 0, 2, 5, 2, 0, 0, 1, 2, 1, 9, 6];
        let range = Selection::Range { start: 2, stop: 5 };
        let header = ReadHeader { object: Readable::Static(PointKind::BinaryInput, None), selection: range };
        let refused = Iin::OBJECT_UNKNOWN.with(Iin::PARAMETER_ERROR);
        check(&octets, Ok(Request::Read(Read { headers: vec![header], refused })));
    }

    #[test]
    fn a_read_that_is_no_header_is_refused_whole() {
        for octets in [
            &[0xc0, 1, 60][..],
            &[0xc0, 1, 1, 0, 0, 5, 2],
            &[0xc0, 1, 1, 0, 0x0d],
            &[0xc0, 1, 1, 0, 0x28, 2, 0, 1],
        ] {
            assert_eq!(refused(octets), Some(Iin::PARAMETER_ERROR), "{octets:02x?}");
        }
    }

    #[test]
    fn a_command_knows_where_its_status_stands() {
        // Conformance procedure 8.2.1.2.1, step 1: latch on, count 1, 100 ms on, 200 ms off, index 0.
        let octets = [
            0xc0, 3, 12, 1, 0x28, 1, 0, 0, 0, 3, 1, 100, 0, 0, 0, 200, 0, 0, 0, 0, 41, 2, 0x17, 1, 7, 10, 0,
            0,
        ];
        let Ok(Request::Control(control)) = Request::parse(Fragment::new(&octets)) else {
            panic!("a control")
        };
        assert_eq!((control.function, control.objects), (ControlFunction::Select, &octets[2..]));
        let [crob, setpoint] = control.commands[..] else { panic!("two commands") };
        assert!(matches!(crob.order, Order::Crob(crob) if crob.on_time_ms == 100 && crob.off_time_ms == 200));
        assert_eq!((crob.index, crob.status_at), (0, 17));
        assert_eq!((setpoint.index, setpoint.order, setpoint.status_at), (7, Order::Setpoint(10.0), 25));
    }

    #[test]
    fn refusals_carry_the_indication_of_their_cause() {
        for (octets, expected) in [
            (&[0xc0][..], None),
            (&[], None),
            (&[0x80, 1], None),
            (&[0x40, 1], None),
            (&[0xd0, 1, 60, 1, 6], None),
            (&[0xc0, 0x81, 0, 0], None),
            (&[0xc0, 25], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 11, 20, 0, 6], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 32], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 0x70], Some(Iin::NO_FUNCTION_CODE_SUPPORT)),
            (&[0xc0, 2, 1, 1, 0, 0, 0, 0], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 2, 222, 1, 0, 0, 0, 0], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 2, 80, 1, 0, 7, 7, 1], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 80, 1, 0, 4, 4, 0], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 80, 1, 0, 6, 7, 0], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2, 50, 1, 7, 2, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 2], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 5, 12, 1, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 5, 10, 2, 0x17, 1, 0, 1], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 5, 12, 1, 0x17, 1, 0, 3, 1], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 7, 30, 0, 6], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 13, 60, 1, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 21, 60, 1, 6], Some(Iin::OBJECT_UNKNOWN)),
            (&[0xc0, 22, 1, 0, 6], Some(Iin::PARAMETER_ERROR)),
            (&[0xc0, 23, 60, 1, 6], Some(Iin::PARAMETER_ERROR)),
        ] {
            assert_eq!(refused(octets), expected, "{octets:02x?}");
        }
    }

    #[test]
    fn writes_of_time_restart_and_deadbands_are_understood() {
        check(&[0xc0, 2, 80, 1, 0, 7, 7, 0], Ok(Request::Write(vec![Write::ClearRestart])));
        check(
            &[0xc0, 2, 50, 1, 7, 1, 6, 5, 4, 3, 2, 1],
            Ok(Request::Write(vec![Write::Time(0x0102_0304_0506)])),
        );
        check(&[0xc0, 2, 50, 3, 7, 1, 1, 0, 0, 0, 0, 0], Ok(Request::Write(vec![Write::RecordedTime(1)])));
        let deadbands = Write::Deadbands(vec![(3, 10.0), (4, 11.0)]);
        check(&[0xc0, 2, 34, 1, 0, 3, 4, 10, 0, 11, 0], Ok(Request::Write(vec![deadbands])));
    }

    #[test]
    fn classes_are_enabled_and_assigned() {
        let classes = ClassSet::NONE.with(EventClass::Class1).with(EventClass::Class3);
        check(&[0xc0, 20, 60, 2, 6, 60, 4, 6], Ok(Request::EnableUnsolicited(classes)));
        let octets = [0xc0, 22, 60, 1, 6, 1, 0, 6, 60, 3, 6, 30, 0, 0, 1, 2];
        let muted = Assignment { class: None, kind: PointKind::BinaryInput, selection: Selection::All };
        let second = Assignment {
            class: Some(EventClass::Class2),
            kind: PointKind::AnalogInput,
            selection: Selection::Range { start: 1, stop: 2 },
        };
        check(&octets, Ok(Request::AssignClass(vec![muted, second])));
    }

    #[test]
    fn indices_are_read_from_their_header() {
        let octets = [0xc0, 1, 30, 2, 0x28, 2, 0, 1, 0, 0, 4];
        let Ok(Request::Read(read)) = Request::parse(Fragment::new(&octets)) else { panic!("a read") };
        let Selection::Indices(indices) = read.headers[0].selection else { panic!("indices") };
        assert_eq!(indices.iter().collect::<Vec<_>>(), [1, 1024]);
    }
}
