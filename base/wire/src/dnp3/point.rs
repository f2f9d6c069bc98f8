//! Points as devices and masters know them: kinds, the groups they are read in, and measurements (annex A).
//!
//! The objects of [`super::object`] say what stood in the octets. A [`Measurement`] says what is meant: which point, its
//! value as a number, its quality, and when. A kind of point has one group for its present value (static) and one for
//! its changes (events), each with several variations; [`Measurement::emit`] writes any of them.

use super::object::{Body, DoubleBit, EventTime, Flags, Point, Shape, Unfit, Value, shape};

/// The kinds of points that have a value and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    /// Single-bit binary input: groups 1 and 2.
    BinaryInput,
    /// Double-bit binary input, a point with two contacts: groups 3 and 4.
    DoubleBitInput,
    /// Status of a binary output: groups 10 and 11.
    BinaryOutput,
    /// Counter: groups 20 and 22.
    Counter,
    /// A counter's value at its latest freeze: groups 21 and 23.
    FrozenCounter,
    /// Analog input: groups 30 and 32.
    AnalogInput,
    /// Status of an analog output: groups 40 and 42.
    AnalogOutput,
}

impl PointKind {
    /// Every kind, in the order of groups.
    pub const ALL: [Self; 7] = [
        Self::BinaryInput,
        Self::DoubleBitInput,
        Self::BinaryOutput,
        Self::Counter,
        Self::FrozenCounter,
        Self::AnalogInput,
        Self::AnalogOutput,
    ];

    /// The group of present values.
    pub const fn static_group(self) -> u8 {
        match self {
            Self::BinaryInput => 1,
            Self::DoubleBitInput => 3,
            Self::BinaryOutput => 10,
            Self::Counter => 20,
            Self::FrozenCounter => 21,
            Self::AnalogInput => 30,
            Self::AnalogOutput => 40,
        }
    }

    /// The group of changes.
    pub const fn event_group(self) -> u8 {
        match self {
            Self::BinaryInput => 2,
            Self::DoubleBitInput => 4,
            Self::BinaryOutput => 11,
            Self::Counter => 22,
            Self::FrozenCounter => 23,
            Self::AnalogInput => 32,
            Self::AnalogOutput => 42,
        }
    }

    /// Variations of present values, the usual one first.
    pub const fn static_variations(self) -> &'static [u8] {
        match self {
            Self::BinaryInput | Self::DoubleBitInput | Self::BinaryOutput => &[2, 1],
            Self::Counter => &[1, 2, 5, 6],
            Self::FrozenCounter => &[1, 2, 5, 6, 9, 10],
            Self::AnalogInput => &[1, 2, 3, 4, 5, 6],
            Self::AnalogOutput => &[1, 2, 3, 4],
        }
    }

    /// Variations of changes, the usual one first.
    pub const fn event_variations(self) -> &'static [u8] {
        match self {
            Self::BinaryInput | Self::DoubleBitInput => &[2, 1, 3],
            Self::BinaryOutput => &[2, 1],
            Self::Counter | Self::FrozenCounter => &[1, 2, 5, 6],
            Self::AnalogInput | Self::AnalogOutput => &[1, 2, 3, 4, 5, 6, 7, 8],
        }
    }

    /// The kind whose present values this group holds.
    pub fn of_static_group(group: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.static_group() == group)
    }

    /// The kind whose changes this group holds.
    pub fn of_event_group(group: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.event_group() == group)
    }

    /// Whether the value is a state and its number a code: 0 and 1, or 0 to 3.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::BinaryInput | Self::DoubleBitInput | Self::BinaryOutput)
    }

    /// Whether the value counts.
    pub const fn is_counter(self) -> bool {
        matches!(self, Self::Counter | Self::FrozenCounter)
    }

    /// Its name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BinaryInput => "binary-input",
            Self::DoubleBitInput => "double-bit-input",
            Self::BinaryOutput => "binary-output",
            Self::Counter => "counter",
            Self::FrozenCounter => "frozen-counter",
            Self::AnalogInput => "analog-input",
            Self::AnalogOutput => "analog-output",
        }
    }
}

/// A point's value at a moment, with its quality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// The kind of point.
    pub kind: PointKind,
    /// Which of its kind.
    pub index: u16,
    /// The value: a state as 0 or 1, two contacts as 0 to 3, a count, or an analog value as transmitted.
    pub value: f64,
    /// Quality. The state of binary points is not in here.
    pub flags: Flags,
    /// Milliseconds since 1970 by the outstation's clock, where the object says so.
    pub time_ms: Option<u64>,
}

/// Flags that are no part of a binary point's state.
const BINARY_QUALITY: u8 = 0x3f;

impl Measurement {
    /// What a lenient point means; `None` where it has no index of 16 bits, or no number.
    ///
    /// `common_time_ms` is the common time of occurrence (group 51) that goes before relative times. Variations without
    /// flags are on line, as the standard has it.
    pub fn of(kind: PointKind, point: &Point<'_>, common_time_ms: Option<u64>) -> Option<Self> {
        let mut flags = point.flags.unwrap_or(Flags::ONLINE);
        if kind.is_binary() {
            flags.0 &= BINARY_QUALITY | if kind == PointKind::DoubleBitInput { 0 } else { 0x40 };
        }
        let time_ms = match point.time {
            None => None,
            Some(EventTime::Absolute(time)) => Some(time),
            Some(EventTime::Relative(time)) => Some(common_time_ms?.saturating_add(time.into())),
        };
        let index = u16::try_from(point.index?).ok()?;
        Some(Self { kind, index, value: point.value.number()?, flags, time_ms })
    }

    /// As an object of this shape. Numbers that the shape cannot hold are cut to its nearest and flagged *over range*;
    /// counters of 16 bits keep their low half; fractions are rounded, NaN is 0.
    ///
    /// `relative_ms` is the time since the common time of occurrence, for shapes that carry it.
    fn point(&self, shape: Shape, relative_ms: u16) -> Result<Point<'static>, Unfit> {
        let value = self.value;
        let (low, high, made): (f64, f64, fn(f64) -> Value<'static>) = match shape {
            Shape::Bits => (0.0, 1.0, |number| Value::Bit(number >= 0.5)),
            Shape::DoubleBits => (0.0, 3.0, |number| Value::DoubleBit(DoubleBit::from_bits(number as u8))),
            Shape::Fields { body, .. } => match body {
                Body::State => (0.0, 1.0, |number| Value::Bit(number >= 0.5)),
                Body::DoubleState => {
                    (0.0, 3.0, |number| Value::DoubleBit(DoubleBit::from_bits(number as u8)))
                }
                Body::Counter16 => {
                    (0.0, f64::from(u32::MAX), |number| Value::Counter(number.round() as u32 & 0xffff))
                }
                Body::Counter32 => (0.0, f64::from(u32::MAX), |number| Value::Counter(number.round() as u32)),
                Body::Integer16 => {
                    (f64::from(i16::MIN), f64::from(i16::MAX), |number| Value::Integer(number.round() as i32))
                }
                Body::Integer32 => {
                    (f64::from(i32::MIN), f64::from(i32::MAX), |number| Value::Integer(number.round() as i32))
                }
                Body::Float32 => {
                    (f64::from(f32::MIN), f64::from(f32::MAX), |number| Value::Single(number as f32))
                }
                Body::Float64 => (f64::MIN, f64::MAX, Value::Double),
                _ => return Err(Unfit),
            },
            _ => return Err(Unfit),
        };
        let fits = value >= low && value <= high;
        let number = if value.is_nan() { 0.0 } else { value.clamp(low, high) };
        let mut flags = self.flags;
        if !fits && !self.kind.is_binary() && !self.kind.is_counter() {
            flags.0 |= Flags::FIFTH.0;
        }
        let time = match shape {
            Shape::Fields { tail: super::object::Tail::Relative, .. } => {
                Some(EventTime::Relative(relative_ms))
            }
            _ => self.time_ms.map(EventTime::Absolute),
        };
        Ok(Point {
            index: Some(self.index.into()),
            flags: Some(flags),
            status: None,
            value: made(number),
            time,
        })
    }

    /// Appends the object, without prefix, in this variation of its static or event group. Not for packed variations.
    pub fn emit(&self, group: u8, variation: u8, relative_ms: u16, out: &mut Vec<u8>) -> Result<(), Unfit> {
        let shape = shape(group, variation).ok_or(Unfit)?;
        self.point(shape, relative_ms)?.emit(shape, out)
    }

    /// Whether its quality is nothing but *on line*: packed variations, which have no flags, can tell no other.
    pub const fn is_plain(&self) -> bool {
        self.flags.0 == Flags::ONLINE.0
    }
}

/// Classes of data: 0 for present values, 1 to 3 for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventClass {
    /// Group 60 variation 2.
    Class1,
    /// Group 60 variation 3.
    Class2,
    /// Group 60 variation 4.
    Class3,
}

impl EventClass {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Class1, Self::Class2, Self::Class3];

    /// By its number, 1 to 3.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Class1),
            2 => Some(Self::Class2),
            3 => Some(Self::Class3),
            _ => None,
        }
    }

    /// By its variation of group 60, 2 to 4.
    pub const fn from_variation(variation: u8) -> Option<Self> {
        Self::from_number(variation.wrapping_sub(1))
    }

    /// 1 to 3.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Place in an array of three.
    pub const fn place(self) -> usize {
        self as usize
    }

    /// The indication that events of this class wait.
    pub const fn indication(self) -> super::Iin {
        match self {
            Self::Class1 => super::Iin::CLASS_1_EVENTS,
            Self::Class2 => super::Iin::CLASS_2_EVENTS,
            Self::Class3 => super::Iin::CLASS_3_EVENTS,
        }
    }
}

/// A set of event classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClassSet(u8);

impl ClassSet {
    /// None.
    pub const NONE: Self = Self(0);
    /// Classes 1, 2 and 3.
    pub const ALL: Self = Self(7);

    /// These and `class`.
    #[must_use]
    pub const fn with(self, class: EventClass) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// All that are in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether `class` is one of them.
    pub const fn has(self, class: EventClass) -> bool {
        self.0 >> class as u8 & 1 == 1
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, class 1 first.
    pub fn iter(self) -> impl Iterator<Item = EventClass> {
        EventClass::ALL.into_iter().filter(move |class| self.has(*class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analog(value: f64) -> Measurement {
        Measurement {
            kind: PointKind::AnalogInput,
            index: 7,
            value,
            flags: Flags::ONLINE,
            time_ms: Some(0x0102_0304_0506),
        }
    }

    fn emitted(measurement: Measurement, group: u8, variation: u8) -> Vec<u8> {
        let mut out = Vec::new();
        measurement.emit(group, variation, 0, &mut out).unwrap();
        out
    }

    #[test]
    fn every_variation_of_every_kind_has_a_shape_and_can_be_written() {
        for kind in PointKind::ALL {
            let measurement = Measurement { kind, ..analog(1.0) };
            for (group, variations) in [
                (kind.static_group(), kind.static_variations()),
                (kind.event_group(), kind.event_variations()),
            ] {
                for &variation in variations {
                    let shape = shape(group, variation).unwrap();
                    if matches!(shape, Shape::Bits | Shape::DoubleBits) {
                        continue;
                    }
                    assert_eq!(Some(emitted(measurement, group, variation).len()), shape.len(variation));
                }
            }
            assert_eq!(PointKind::of_static_group(kind.static_group()), Some(kind));
            assert_eq!(PointKind::of_event_group(kind.event_group()), Some(kind));
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_cut_and_flagged() {
        // Annex A, object 30: a value beyond the variation is reported as its limit, with OVER_RANGE (bit 5).
        assert_eq!(emitted(analog(40_000.0), 30, 2), [0x21, 0xff, 0x7f]);
        assert_eq!(emitted(analog(-1e12), 30, 1), [0x21, 0, 0, 0, 0x80]);
        assert_eq!(emitted(analog(f64::NAN), 30, 2), [0x21, 0, 0]);
        assert_eq!(emitted(analog(-2.4), 30, 2), [0x01, 0xfe, 0xff]);
        assert_eq!(emitted(analog(1e300), 30, 5)[0], 0x21);
        let counter = Measurement { kind: PointKind::Counter, ..analog(65_538.0) };
        assert_eq!(emitted(counter, 20, 2), [1, 2, 0]);
    }

    #[test]
    fn events_carry_their_time() {
        assert_eq!(emitted(analog(1.0), 32, 4), [1, 1, 0, 6, 5, 4, 3, 2, 1]);
        let change = Measurement { kind: PointKind::BinaryInput, ..analog(1.0) };
        let mut out = Vec::new();
        change.emit(2, 3, 0x1234, &mut out).unwrap();
        assert_eq!(out, [0x81, 0x34, 0x12]);
    }

    #[test]
    fn classes_are_numbered_as_group_60_has_them() {
        assert_eq!(EventClass::from_variation(2), Some(EventClass::Class1));
        assert_eq!([0, 1, 5].map(EventClass::from_variation), [None; 3]);
        let set = ClassSet::NONE.with(EventClass::Class1).with(EventClass::Class3);
        assert_eq!(set.iter().map(EventClass::number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(ClassSet::ALL.without(set).iter().count(), 1);
    }
}
