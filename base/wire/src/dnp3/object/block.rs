//! Object headers with their data: from the octets of a fragment to points.
//!
//! # Theory of operation
//! [`Blocks`] goes from object header to object header. What a header brings is measured, not read: for objects of one
//! size that is a multiplication. [`Points`] reads the objects of one block, one after the other, when somebody asks.
//! Neither allocates, and no count in a header makes either of them do more work than there are octets.
//!
//! What cannot be: octets that end too early, a range that runs backwards, a qualifier or an object that nobody knows.
//! The first of these is kept as [`Trouble`], with its place; all that could be read until then has been given out, a
//! block that is cut short with as many points as are whole. Behind an object of unknown size nothing can be read.

use super::header::{Prefix, Qualifier, Range};
use super::table::{Shape, shape};
use super::value::{DoubleBit, Point, Value, little};
use crate::dnp3::FunctionCode;

/// Octets of group, variation and qualifier.
const FIXED_LEN: usize = 3;

/// What is wrong with the objects of a fragment, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("object octet {at}: {cause}")]
pub struct Trouble {
    /// Offset of the object header concerned, from the first octet behind the application header.
    pub at: usize,
    /// What is wrong.
    pub cause: TroubleCause,
}

/// What can be wrong with objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TroubleCause {
    /// Too few octets for an object header.
    #[error("object header needs {need} octets, got {got}")]
    ShortHeader {
        /// For a whole one, as far as can be said.
        need: usize,
        /// To the end of the fragment.
        got: usize,
    },
    /// Fewer octets than the header says.
    #[error("g{group}v{variation} needs {need} octets of data, got {got}")]
    ShortData {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// At least.
        need: u64,
        /// To the end of the fragment.
        got: usize,
    },
    /// Nobody knows how long such an object is; nothing behind it can be read.
    #[error("g{group}v{variation} is unknown, or has no size")]
    UnknownObject {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
    },
    /// A qualifier with a reserved code; nothing behind it can be read.
    #[error("g{group}v{variation} has the reserved qualifier {qualifier:#04x}")]
    ReservedQualifier {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// The qualifier octet.
        qualifier: u8,
    },
    /// The last index comes before the first.
    #[error("g{group}v{variation} ranges from {start} to {stop}")]
    ReversedRange {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// First.
        start: u32,
        /// Last.
        stop: u32,
    },
}

/// The object headers of a fragment, one after the other.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    function: FunctionCode,
    octets: &'a [u8],
    at: usize,
    trouble: Option<Trouble>,
}

impl<'a> Blocks<'a> {
    /// `octets` are those behind the application header of a fragment with this function.
    pub const fn new(function: FunctionCode, octets: &'a [u8]) -> Self {
        Self { function, octets, at: 0, trouble: None }
    }

    /// The first thing that was wrong in what has been read so far.
    pub const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    fn fail(&mut self, at: usize, cause: TroubleCause) {
        self.trouble.get_or_insert(Trouble { at, cause });
    }

    /// Nothing more can be read.
    fn stop(&mut self) {
        self.at = self.octets.len();
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Block<'a>;

    fn next(&mut self) -> Option<Block<'a>> {
        let at = self.at;
        let rest = self.octets.get(at..)?;
        if rest.is_empty() {
            return None;
        }
        let Some((&[group, variation, qualifier], behind)) = rest.split_first_chunk::<FIXED_LEN>() else {
            self.fail(at, TroubleCause::ShortHeader { need: FIXED_LEN, got: rest.len() });
            self.stop();
            return None;
        };
        let qualifier = Qualifier(qualifier);
        let mut block = Block {
            function: self.function,
            group,
            variation,
            qualifier,
            range: Range::Reserved,
            shape: shape(group, variation),
            data: &[],
        };
        let reserved = TroubleCause::ReservedQualifier { group, variation, qualifier: qualifier.0 };
        let Some(range_len) = qualifier.range_len() else {
            self.fail(at, reserved);
            self.stop();
            return Some(block);
        };
        let Some((range, data)) = behind.split_at_checked(range_len) else {
            self.fail(at, TroubleCause::ShortHeader { need: FIXED_LEN + range_len, got: rest.len() });
            self.stop();
            return None;
        };
        block.range = qualifier.range(range);
        if let (true, Range::StartStop { start, stop } | Range::Address { start, stop }) =
            (block.range.is_reversed(), block.range)
        {
            self.fail(at, TroubleCause::ReversedRange { group, variation, start, stop });
        }
        match block.measure(data) {
            Extent::Whole(len) => {
                block.data = data.get(..len).unwrap_or(data);
                self.at = at + FIXED_LEN + range_len + len;
            }
            Extent::Short(need) => {
                self.fail(at, TroubleCause::ShortData { group, variation, need, got: data.len() });
                block.data = data;
                self.stop();
            }
            Extent::Unknown => {
                self.fail(at, TroubleCause::UnknownObject { group, variation });
                self.stop();
            }
            Extent::Reserved => {
                self.fail(at, reserved);
                self.stop();
            }
        }
        Some(block)
    }
}

enum Extent {
    /// All there, in so many octets.
    Whole(usize),
    /// So many octets would be needed at least.
    Short(u64),
    Unknown,
    Reserved,
}

/// One object header, and the objects that it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    function: FunctionCode,
    /// Group: the kind of point.
    pub group: u8,
    /// Variation: the form of the object; 0 asks for any.
    pub variation: u8,
    /// Prefix and range codes.
    pub qualifier: Qualifier,
    /// Which objects, or how many.
    pub range: Range,
    /// What they look like; `None` where the standard does not say.
    pub shape: Option<Shape>,
    /// Prefixes and objects; cut short where the fragment is.
    pub data: &'a [u8],
}

impl<'a> Block<'a> {
    /// Whether its header is followed by objects: names alone follow a read, a freeze, an assignment to a class.
    pub fn brings_objects(&self) -> bool {
        // Authentication rides along with any function, and a file's transport object says where to read on.
        let regardless = matches!(self.qualifier.prefix(), Prefix::Size(_)) || matches!(self.group, 120);
        let freeze_time = self.group == 50 && matches!(self.function.0, 0x0b | 0x0c);
        !self.function.names_only() || regardless || freeze_time
    }

    /// The points: each object that is whole. Where only points are named, those that have an index prefix.
    pub fn points(&self) -> Points<'a> {
        let brings = self.brings_objects();
        let prefix = self.qualifier.prefix();
        let stride = match self.shape {
            _ if !brings => Stride::Octets(prefix.len()),
            Some(Shape::Bits) if prefix.is_empty() => Stride::Bits(1),
            Some(Shape::DoubleBits) if prefix.is_empty() => Stride::Bits(2),
            shape => match self.object_len(shape) {
                Some(len) => Stride::Octets(prefix.len() + len),
                None => Stride::Walk,
            },
        };
        let left = match stride {
            Stride::Octets(0) => 0,
            _ => self.range.count(),
        };
        Points { block: *self, brings, prefix, stride, left, number: 0, at: 0 }
    }

    /// Octets of one object where all have as many, prefix not counted.
    fn object_len(&self, shape: Option<Shape>) -> Option<usize> {
        match (self.qualifier.prefix(), shape?) {
            (Prefix::Size(_), _) => None,
            // Bits that come with an index have an octet each.
            (_, Shape::Bits | Shape::DoubleBits) => Some(1),
            (_, shape) => shape.len(self.variation),
        }
    }

    /// How many octets of `data` belong to this block.
    fn measure(&self, data: &[u8]) -> Extent {
        let prefix = self.qualifier.prefix();
        let count = self.range.count();
        if prefix == Prefix::Reserved {
            return Extent::Reserved;
        }
        let need = if !self.brings_objects() {
            count * prefix.len() as u64
        } else if count == 0 {
            0
        } else {
            match self.shape {
                Some(Shape::Bits) if prefix.is_empty() => count.div_ceil(8),
                Some(Shape::DoubleBits) if prefix.is_empty() => count.div_ceil(4),
                None if !matches!(prefix, Prefix::Size(_)) => return Extent::Unknown,
                shape => match self.object_len(shape) {
                    Some(len) => count * (prefix.len() + len) as u64,
                    None => return self.walk(data, prefix, count),
                },
            }
        };
        match usize::try_from(need) {
            Ok(len) if len <= data.len() => Extent::Whole(len),
            _ => Extent::Short(need),
        }
    }

    fn walk(&self, data: &[u8], prefix: Prefix, count: u64) -> Extent {
        let mut at = 0;
        for _ in 0..count {
            match object_end(self.shape, prefix, data, at) {
                // An object that is nothing at all would let a count run on over no octets.
                End::At(end) if end > at => at = end,
                End::At(_) | End::Unknown => return Extent::Unknown,
                End::Beyond(need) => return Extent::Short(need),
            }
        }
        Extent::Whole(at)
    }
}

enum End {
    At(usize),
    Beyond(u64),
    Unknown,
}

/// Where an object of variable size ends, its prefix included.
fn object_end(shape: Option<Shape>, prefix: Prefix, data: &[u8], at: usize) -> End {
    let start = at + prefix.len();
    let field = |place: usize, len: usize| data.get(place..place + len).map(little);
    let end = match (prefix, shape) {
        (Prefix::Size(_), _) => field(at, prefix.len()).map(|size| start as u64 + size),
        (_, Some(Shape::Attribute)) => field(start, 2).map(|head| {
            let (kind, length) = (head & 0xff, head >> 8);
            // The extended list counts from 256 on.
            start as u64 + 2 + length + if kind == 255 { 256 } else { 0 }
        }),
        (_, Some(Shape::Private)) => field(start + 6, 2).map(|length| start as u64 + 8 + length),
        _ => return End::Unknown,
    };
    match end {
        Some(end) if end <= data.len() as u64 => End::At(end as usize),
        Some(end) => End::Beyond(end),
        None => End::Beyond(start as u64 + 1),
    }
}

#[derive(Clone, Copy, Debug)]
enum Stride {
    /// Packed, so many bits each.
    Bits(u32),
    /// So many octets each, prefix included; 0 for objects that are nothing.
    Octets(usize),
    /// Each says how long it is.
    Walk,
}

/// The points of a block, one after the other.
#[derive(Clone, Debug)]
pub struct Points<'a> {
    block: Block<'a>,
    brings: bool,
    prefix: Prefix,
    stride: Stride,
    /// How many the header still promises.
    left: u64,
    number: u32,
    at: usize,
}

impl<'a> Points<'a> {
    #[inline]
    fn index(&self, object: &[u8]) -> Option<u32> {
        match self.prefix {
            Prefix::Index(len) => Some(little(object.get(..len.into())?) as u32),
            _ => self.block.range.start().map(|start| start.wrapping_add(self.number)),
        }
    }

    #[inline]
    fn bit(&self, width: u32) -> Option<Point<'a>> {
        let place = u64::from(self.number) * u64::from(width);
        let octet = *self.block.data.get((place / 8) as usize)? >> (place % 8);
        let value = if width == 1 {
            Value::Bit(octet & 1 == 1)
        } else {
            Value::DoubleBit(DoubleBit::from_bits(octet))
        };
        Some(Point { value, ..Point::named(self.index(&[])) })
    }
}

impl<'a> Iterator for Points<'a> {
    type Item = Point<'a>;

    // Most of the work on a response is done here: inlined, a caller that wants values alone pays for nothing else.
    #[inline]
    fn next(&mut self) -> Option<Point<'a>> {
        self.left = self.left.checked_sub(1)?;
        let data = self.block.data;
        let end = match self.stride {
            Stride::Bits(width) => {
                let point = self.bit(width);
                self.number = self.number.wrapping_add(1);
                return point;
            }
            Stride::Octets(len) => self.at + len,
            Stride::Walk => match object_end(self.block.shape, self.prefix, data, self.at) {
                End::At(end) => end,
                _ => return None,
            },
        };
        let object = data.get(self.at..end)?;
        let index = self.index(object);
        self.at = end;
        self.number = self.number.wrapping_add(1);
        if !self.brings {
            return Some(Point::named(index));
        }
        let octets = object.get(self.prefix.len()..).unwrap_or_default();
        Some(match (self.block.shape, self.prefix) {
            (Some(Shape::Bits), _) => {
                let value = Value::Bit(octets.first().is_some_and(|octet| octet & 1 == 1));
                Point { value, ..Point::named(index) }
            }
            (Some(Shape::DoubleBits), _) => {
                let value = Value::DoubleBit(DoubleBit::from_bits(octets.first().copied().unwrap_or(0)));
                Point { value, ..Point::named(index) }
            }
            // The size is the sender's: only what is as long as it should be has fields.
            (Some(shape @ Shape::Fields { .. }), Prefix::Size(_))
                if shape.len(self.block.variation) != Some(octets.len()) =>
            {
                Point { value: Value::Octets(octets), ..Point::named(index) }
            }
            (shape, _) => Point::parse(shape, index, octets),
        })
    }
}
