//! Points of a block side by side, where each is an index and a number, with or without flags, and nothing else.
//!
//! That is what polls bring, hundreds at a time. [`Block::points`] reads every form of object there is and asks for each
//! point which it is; here that is asked once for all of them. What it reads is the same.

use super::block::Block;
use super::header::Prefix;
use super::table::{Body, Lead, Shape, Tail};
use super::value::little;

/// Points of one block, each with an index and a number.
#[derive(Clone, Copy, Debug)]
pub struct Readings<'a> {
    data: &'a [u8],
    count: usize,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// From this index on, so many to an octet.
    Packed {
        start: u32,
        per_octet: u8,
    },
    Objects {
        index: Index,
        len: usize,
        lead: Option<usize>,
        body: Body,
        at: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Index {
    /// The first one; the others follow.
    From(u32),
    /// Before each object, in so many octets.
    Prefix(usize),
}

impl<'a> Block<'a> {
    /// Its points side by side; `None` where they have another form, which [`Block::points`] reads.
    pub fn readings(&self) -> Option<Readings<'a>> {
        if !self.brings_objects() {
            return None;
        }
        let index = match self.qualifier.prefix() {
            Prefix::None => Index::From(self.range.start()?),
            Prefix::Index(octets) => Index::Prefix(octets.into()),
            Prefix::Size(_) | Prefix::Reserved => return None,
        };
        let promised = usize::try_from(self.range.count()).unwrap_or(usize::MAX);
        let packed = |per_octet: u8| match index {
            Index::From(start) => {
                Some((Form::Packed { start, per_octet }, self.data.len() * usize::from(per_octet)))
            }
            Index::Prefix(_) => None,
        };
        let (form, whole) = match self.shape? {
            Shape::Bits => packed(8)?,
            Shape::DoubleBits => packed(4)?,
            Shape::Fields { lead: lead @ (Lead::None | Lead::Flags), body, tail: Tail::None }
                if is_number(body) =>
            {
                let before = self.qualifier.prefix().len();
                let at = before + usize::from(lead == Lead::Flags);
                let len = at + body.len();
                let lead = (lead == Lead::Flags).then_some(before);
                (Form::Objects { index, len, lead, body, at }, self.data.len().checked_div(len)?)
            }
            _ => return None,
        };
        Some(Readings { data: self.data, count: promised.min(whole), form })
    }
}

const fn is_number(body: Body) -> bool {
    !matches!(body, Body::Crob | Body::Time | Body::TimeInterval { .. } | Body::Bcd(_) | Body::Octets(_))
}

impl Readings<'_> {
    /// How many points.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// No points.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Appends the index of each.
    pub fn indices(&self, out: &mut Vec<u32>) {
        match self.form {
            Form::Packed { start, .. } | Form::Objects { index: Index::From(start), .. } => {
                out.extend((0..self.count).map(|place| start.wrapping_add(place as u32)));
            }
            Form::Objects { index: Index::Prefix(octets), .. } => {
                out.extend(self.objects().map(|object| little(&object[..octets]) as u32));
            }
        }
    }

    /// Appends the flags of each, where the variation has them.
    pub fn flags(&self, out: &mut Vec<u16>) {
        if let Form::Objects { lead: Some(at), .. } = self.form {
            out.extend(self.objects().map(|object| u16::from(object[at])));
        }
    }

    /// Appends the number that each says, as [`super::Value::number`] has it.
    pub fn numbers(&self, out: &mut Vec<f64>) {
        let (body, lead) = match self.form {
            Form::Packed { per_octet, .. } => return self.packed(per_octet, out),
            Form::Objects { body, lead, .. } => (body, lead.unwrap_or(0)),
        };
        match body {
            Body::State => out.extend(self.objects().map(|object| f64::from(object[lead] >> 7))),
            Body::DoubleState => out.extend(self.objects().map(|object| f64::from(object[lead] >> 6))),
            Body::Counter16 => self.each(out, |octets| u16::from_le_bytes(octets).into()),
            Body::Counter32 => self.each(out, |octets| u32::from_le_bytes(octets).into()),
            Body::Integer16 => self.each(out, |octets| i16::from_le_bytes(octets).into()),
            Body::Integer32 => self.each(out, |octets| i32::from_le_bytes(octets).into()),
            Body::Float32 => self.each(out, |octets| f32::from_le_bytes(octets).into()),
            Body::Float64 => self.each(out, f64::from_le_bytes),
            // What else is a number: unsigned.
            _ => out.extend(self.objects().map(|object| f64::from(little(&object[self.at()..]) as u32))),
        }
    }

    fn packed(&self, per_octet: u8, out: &mut Vec<f64>) {
        let width = 8 / per_octet;
        let mask = if width == 1 { 1 } else { 3 };
        let values = |octet: &u8| {
            let octet = *octet;
            (0..per_octet).map(move |place| f64::from(octet >> (place * width) & mask))
        };
        out.extend(self.data.iter().flat_map(values).take(self.count));
    }

    fn each<const N: usize>(&self, out: &mut Vec<f64>, number: impl Fn([u8; N]) -> f64) {
        let at = self.at();
        let octets = |object: &[u8]| object[at..].first_chunk().copied().unwrap_or([0; N]);
        out.extend(self.objects().map(|object| number(octets(object))));
    }

    /// Where the value begins in an object.
    const fn at(&self) -> usize {
        match self.form {
            Form::Packed { .. } => 0,
            Form::Objects { at, .. } => at,
        }
    }

    fn objects(&self) -> impl Iterator<Item = &[u8]> {
        let len = match self.form {
            Form::Packed { .. } => 1,
            Form::Objects { len, .. } => len,
        };
        self.data.chunks_exact(len).take(self.count)
    }
}
