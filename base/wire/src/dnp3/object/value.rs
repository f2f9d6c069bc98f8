//! Values of points: what an object says, and how it is written.

use super::table::{Body, Lead, Shape, Tail};

/// The octet of flags that most points carry (clause 11.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// Measured and reported as it should be.
    pub const ONLINE: Self = Self(1);
    /// Not measured since the restart.
    pub const RESTART: Self = Self(1 << 1);
    /// Communication with the source is lost.
    pub const COMM_LOST: Self = Self(1 << 2);
    /// Forced to a value elsewhere.
    pub const REMOTE_FORCED: Self = Self(1 << 3);
    /// Forced to a value at the device.
    pub const LOCAL_FORCED: Self = Self(1 << 4);
    /// Chatter filter (binary), rollover (counter), over range (analog).
    pub const FIFTH: Self = Self(1 << 5);
    /// Discontinuity (counter), reference error (analog).
    pub const SIXTH: Self = Self(1 << 6);

    /// Whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// On line, and neither restarted, lost, nor forced.
    pub const fn is_good(self) -> bool {
        self.0 & 0x1f == 1
    }
}

/// What became of a command (annex A, group 12 variation 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CommandStatus(pub u8);

impl CommandStatus {
    /// 0: accepted.
    pub const SUCCESS: Self = Self(0);
    /// 1: operate came too late after select.
    pub const TIMEOUT: Self = Self(1);
    /// 2: operate without select.
    pub const NO_SELECT: Self = Self(2);
    /// 3: the request is malformed.
    pub const FORMAT_ERROR: Self = Self(3);
    /// 4: the point does not support this.
    pub const NOT_SUPPORTED: Self = Self(4);
    /// 5: the queue is full, or the point is active already.
    pub const ALREADY_ACTIVE: Self = Self(5);
    /// 6: the hardware is in trouble.
    pub const HARDWARE_ERROR: Self = Self(6);
    /// 7: switched to local.
    pub const LOCAL: Self = Self(7);
    /// 8: too many objects in one request.
    pub const TOO_MANY_OBJECTS: Self = Self(8);
    /// 9: not authorised.
    pub const NOT_AUTHORIZED: Self = Self(9);
}

/// State of a point with two contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DoubleBit {
    /// 0: on its way.
    Intermediate,
    /// 1: off.
    DeterminedOff,
    /// 2: on.
    DeterminedOn,
    /// 3: cannot be.
    Indeterminate,
}

impl DoubleBit {
    /// From the low two bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Intermediate,
            1 => Self::DeterminedOff,
            2 => Self::DeterminedOn,
            _ => Self::Indeterminate,
        }
    }

    /// 0 to 3.
    pub const fn bits(self) -> u8 {
        self as u8
    }
}

/// What a control relay output block asks of a point (low four bits of the control code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationType {
    /// 0: nothing.
    Nul,
    /// 1: on for the on-time, then off.
    PulseOn,
    /// 2: off for the off-time, then on.
    PulseOff,
    /// 3: on.
    LatchOn,
    /// 4: off.
    LatchOff,
    /// Anything else.
    Undefined(u8),
}

/// The trip-close code (high two bits of the control code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TripClose {
    /// 0: nothing said.
    Nul,
    /// 1: close.
    Close,
    /// 2: trip.
    Trip,
    /// 3: reserved.
    Reserved,
}

/// Control relay output block, or pattern control block (groups 12v1, 12v2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Crob {
    /// Operation type, queue, clear and trip-close code.
    pub control_code: u8,
    /// How often; 0 cancels.
    pub count: u8,
    /// Milliseconds.
    pub on_time_ms: u32,
    /// Milliseconds.
    pub off_time_ms: u32,
    /// Of a request, 0; of an answer, what became of it.
    pub status: CommandStatus,
}

impl Crob {
    /// What it asks of the point.
    pub const fn operation(&self) -> OperationType {
        match self.control_code & 0x0f {
            0 => OperationType::Nul,
            1 => OperationType::PulseOn,
            2 => OperationType::PulseOff,
            3 => OperationType::LatchOn,
            4 => OperationType::LatchOff,
            other => OperationType::Undefined(other),
        }
    }

    /// Trip or close.
    pub const fn trip_close(&self) -> TripClose {
        match self.control_code >> 6 {
            0 => TripClose::Nul,
            1 => TripClose::Close,
            2 => TripClose::Trip,
            _ => TripClose::Reserved,
        }
    }

    /// Behind what is under way (obsolete).
    pub const fn queue(&self) -> bool {
        self.control_code & 0x10 != 0
    }

    /// Cancel what is under way.
    pub const fn clear(&self) -> bool {
        self.control_code & 0x20 != 0
    }
}

/// A device attribute (group 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// 1 text, 2 unsigned, 3 signed, 4 float, 5 octets, 6 bits, 7 time, 254 and 255 lists.
    pub kind: u8,
    /// The value.
    pub octets: &'a [u8],
}

/// What an object says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// No value: the point is only named.
    None,
    /// Binary.
    Bit(bool),
    /// Double-bit binary.
    DoubleBit(DoubleBit),
    /// A counter.
    Counter(u32),
    /// An analog value, or a setpoint.
    Integer(i32),
    /// An analog value, or a setpoint.
    Single(f32),
    /// An analog value, or a setpoint.
    Double(f64),
    /// A deadband, or a delay: seconds in group 52 variation 1, milliseconds in variation 2.
    Unsigned(u32),
    /// A command to a binary output.
    Crob(Crob),
    /// Milliseconds since 1970.
    Time(u64),
    /// A time and what is to pass until the next.
    TimeInterval {
        /// Milliseconds since 1970.
        time_ms: u64,
        /// In the unit's own measure; milliseconds where there is no unit.
        interval: u32,
        /// The unit's code (table in annex A, group 50 variation 4).
        unit: Option<u8>,
    },
    /// Packed decimal; nibbles above 9 are kept as they are.
    Bcd(u64),
    /// A device attribute.
    Attribute(Attribute<'a>),
    /// Octets that are not taken apart here: octet strings, files, data sets, authentication.
    Octets(&'a [u8]),
}

impl Value<'_> {
    /// As a number, where it is one: bits as 0 and 1, double bits as 0 to 3.
    #[inline]
    pub fn number(&self) -> Option<f64> {
        Some(match *self {
            Self::Bit(bit) => f64::from(u8::from(bit)),
            Self::DoubleBit(bits) => f64::from(bits.bits()),
            Self::Counter(number) | Self::Unsigned(number) => f64::from(number),
            Self::Integer(number) => f64::from(number),
            Self::Single(number) => f64::from(number),
            Self::Double(number) => number,
            _ => return None,
        })
    }
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventTime {
    /// Milliseconds since 1970, by the outstation's clock.
    Absolute(u64),
    /// Milliseconds since the common time of occurrence in the same fragment.
    Relative(u16),
}

/// One point of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point<'a> {
    /// Its index: from its prefix, or counted from the start of the range; `None` where the header only counts.
    pub index: Option<u32>,
    /// Its flags, where the variation has them. The state of binary points is in their high bits too.
    pub flags: Option<Flags>,
    /// The status of a command, where the variation has one.
    pub status: Option<CommandStatus>,
    /// What it says.
    pub value: Value<'a>,
    /// When it happened, of events.
    pub time: Option<EventTime>,
}

/// A point that cannot be written in the shape asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value does not fit the variation")]
pub struct Unfit;

/// Little-endian number from at most eight octets.
#[inline]
pub(super) fn little(octets: &[u8]) -> u64 {
    match *octets {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        _ => octets.iter().rev().fold(0, |sum, &octet| sum << 8 | u64::from(octet)),
    }
}

#[inline]
fn array<const N: usize>(octets: &[u8]) -> [u8; N] {
    octets.first_chunk().copied().unwrap_or([0; N])
}

impl<'a> Point<'a> {
    /// A point of which nothing but its index is known.
    #[inline]
    pub(super) const fn named(index: Option<u32>) -> Self {
        Self { index, flags: None, status: None, value: Value::None, time: None }
    }

    /// Reads an object whose octets are all there.
    #[inline]
    pub(super) fn parse(shape: Option<Shape>, index: Option<u32>, octets: &'a [u8]) -> Self {
        let mut point = Self::named(index);
        match shape {
            Some(Shape::Fields { lead, body, tail }) => point.parse_fields(lead, body, tail, octets),
            Some(Shape::Attribute) => {
                let (kind, value) =
                    (octets.first().copied().unwrap_or(0), octets.get(2..).unwrap_or_default());
                point.value = Value::Attribute(Attribute { kind, octets: value });
            }
            Some(Shape::Nothing) => {}
            _ => point.value = Value::Octets(octets),
        }
        point
    }

    #[inline]
    fn parse_fields(&mut self, lead: Lead, body: Body, tail: Tail, octets: &'a [u8]) {
        let first = octets.first().copied().unwrap_or(0);
        let (start, end) = (usize::from(lead != Lead::None), body.len());
        let (value, rest) = octets.get(start..).unwrap_or_default().split_at_checked(end).unwrap_or_default();
        match lead {
            Lead::None => {}
            Lead::Flags => self.flags = Some(Flags(first)),
            Lead::Status => self.status = Some(CommandStatus(first & 0x7f)),
        }
        self.value = match body {
            Body::State => Value::Bit(first & 0x80 != 0),
            Body::DoubleState => Value::DoubleBit(DoubleBit::from_bits(first >> 6)),
            Body::Counter16 => Value::Counter(u16::from_le_bytes(array(value)).into()),
            Body::Counter32 => Value::Counter(u32::from_le_bytes(array(value))),
            Body::Integer16 => Value::Integer(i16::from_le_bytes(array(value)).into()),
            Body::Integer32 => Value::Integer(i32::from_le_bytes(array(value))),
            Body::Float32 => Value::Single(f32::from_le_bytes(array(value))),
            Body::Float64 => Value::Double(f64::from_le_bytes(array(value))),
            Body::Unsigned(_) => Value::Unsigned(little(value) as u32),
            Body::Time => Value::Time(little(value)),
            Body::TimeInterval { .. } => Value::TimeInterval {
                time_ms: little(value.get(..6).unwrap_or_default()),
                interval: little(value.get(6..10).unwrap_or_default()) as u32,
                unit: value.get(10).copied(),
            },
            Body::Bcd(_) => Value::Bcd(little(value)),
            Body::Octets(_) => Value::Octets(value),
            Body::Crob => {
                let [control_code, count, a, b, c, d, e, f, g, h, status] = array(value);
                let status = CommandStatus(status);
                self.status = Some(status);
                let (on_time_ms, off_time_ms) =
                    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
                Value::Crob(Crob { control_code, count, on_time_ms, off_time_ms, status })
            }
        };
        match tail {
            Tail::None => {}
            Tail::Time => self.time = Some(EventTime::Absolute(little(rest))),
            Tail::Relative => self.time = Some(EventTime::Relative(little(rest) as u16)),
            Tail::Status => self.status = Some(CommandStatus(first_of(rest))),
        }
    }

    /// Appends the object in this shape, without prefix. What the shape needs and the point lacks is written as 0: flags
    /// (but for the state), status, time. Packed bits are not for one point alone.
    ///
    /// On an error nothing is appended.
    pub fn emit(&self, shape: Shape, out: &mut Vec<u8>) -> Result<(), Unfit> {
        match (shape, self.value) {
            (Shape::Nothing, _) => Ok(()),
            (Shape::Fields { lead, body, tail }, _) => self.emit_fields(lead, body, tail, out),
            (Shape::Text | Shape::Sized | Shape::Private, Value::Octets(octets)) => {
                out.extend_from_slice(octets);
                Ok(())
            }
            (Shape::Attribute, Value::Attribute(attribute)) => {
                let length = u8::try_from(attribute.octets.len()).map_err(|_| Unfit)?;
                out.extend_from_slice(&[attribute.kind, length]);
                out.extend_from_slice(attribute.octets);
                Ok(())
            }
            _ => Err(Unfit),
        }
    }

    fn emit_fields(&self, lead: Lead, body: Body, tail: Tail, out: &mut Vec<u8>) -> Result<(), Unfit> {
        let start = out.len();
        let state = match (body, self.value) {
            (Body::State, Value::Bit(bit)) => u8::from(bit) << 7,
            (Body::DoubleState, Value::DoubleBit(bits)) => bits.bits() << 6,
            (Body::State | Body::DoubleState, _) => return Err(Unfit),
            _ => 0,
        };
        let kept = match body {
            Body::State => 0x7f,
            Body::DoubleState => 0x3f,
            _ => 0xff,
        };
        match lead {
            Lead::None => {}
            Lead::Flags => out.push(self.flags.unwrap_or_default().0 & kept | state),
            Lead::Status => out.push(self.status.unwrap_or_default().0 & 0x7f | state),
        }
        if self.emit_body(body, out).is_err() {
            out.truncate(start);
            return Err(Unfit);
        }
        match (tail, self.time) {
            (Tail::None, _) => {}
            (Tail::Time, time) => {
                let time = if let Some(EventTime::Absolute(time)) = time { time } else { 0 };
                out.extend_from_slice(&time.to_le_bytes()[..6]);
            }
            (Tail::Relative, time) => {
                let time = if let Some(EventTime::Relative(time)) = time { time } else { 0 };
                out.extend_from_slice(&time.to_le_bytes());
            }
            (Tail::Status, _) => out.push(self.status.unwrap_or_default().0),
        }
        Ok(())
    }

    fn emit_body(&self, body: Body, out: &mut Vec<u8>) -> Result<(), Unfit> {
        match (body, self.value) {
            (Body::State | Body::DoubleState, _) => {}
            (Body::Counter16, Value::Counter(number)) => {
                out.extend(u16::try_from(number).map_err(|_| Unfit)?.to_le_bytes());
            }
            (Body::Counter32, Value::Counter(number)) => out.extend(number.to_le_bytes()),
            (Body::Integer16, Value::Integer(number)) => {
                out.extend(i16::try_from(number).map_err(|_| Unfit)?.to_le_bytes());
            }
            (Body::Integer32, Value::Integer(number)) => out.extend(number.to_le_bytes()),
            (Body::Float32, Value::Single(number)) => out.extend(number.to_le_bytes()),
            (Body::Float64, Value::Double(number)) => out.extend(number.to_le_bytes()),
            (Body::Unsigned(octets), Value::Unsigned(number)) => {
                let number = number.to_le_bytes();
                let (low, high) = number.split_at_checked(octets.into()).ok_or(Unfit)?;
                if high.iter().any(|&octet| octet != 0) {
                    return Err(Unfit);
                }
                out.extend_from_slice(low);
            }
            (Body::Time, Value::Time(time)) => out.extend_from_slice(&time.to_le_bytes()[..6]),
            (Body::TimeInterval { unit: with_unit }, Value::TimeInterval { time_ms, interval, unit }) => {
                out.extend_from_slice(&time_ms.to_le_bytes()[..6]);
                out.extend(interval.to_le_bytes());
                if with_unit {
                    out.push(unit.unwrap_or_default());
                }
            }
            (Body::Bcd(octets), Value::Bcd(number)) => {
                out.extend_from_slice(number.to_le_bytes().get(..octets.into()).ok_or(Unfit)?);
            }
            (Body::Octets(count), Value::Octets(octets)) if octets.len() == usize::from(count) => {
                out.extend_from_slice(octets);
            }
            (Body::Crob, Value::Crob(crob)) => {
                out.extend([crob.control_code, crob.count]);
                out.extend(crob.on_time_ms.to_le_bytes());
                out.extend(crob.off_time_ms.to_le_bytes());
                out.push(crob.status.0);
            }
            _ => return Err(Unfit),
        }
        Ok(())
    }
}

fn first_of(octets: &[u8]) -> u8 {
    octets.first().copied().unwrap_or(0)
}
