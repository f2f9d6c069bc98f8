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

mod parse;

use super::object::{Block, Crob, Qualifier, Range, Trouble};
use super::point::{ClassSet, EventClass, PointKind};
use super::{AppControl, FunctionCode, Iin};
use parse::qualifier_error;

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
