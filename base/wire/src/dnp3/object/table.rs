//! What an object looks like, by group and variation (IEEE 1815-2012, annex A).

/// What stands at the front of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lead {
    /// Nothing.
    None,
    /// An octet of flags; for binary points the state is in it.
    Flags,
    /// An octet with a command's status in its low seven bits (groups 13 and 43).
    Status,
}

/// The value proper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// The state in bit 7 of the leading octet.
    State,
    /// The state in bits 6 and 7 of the leading octet.
    DoubleState,
    /// A counter of 16 bits.
    Counter16,
    /// A counter of 32 bits.
    Counter32,
    /// A signed number of 16 bits.
    Integer16,
    /// A signed number of 32 bits.
    Integer32,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// An unsigned number of so many octets that counts nothing: deadbands, delays.
    Unsigned(u8),
    /// Control relay output block or pattern control block, status included.
    Crob,
    /// Milliseconds since 1970, 48 bits.
    Time,
    /// Milliseconds since 1970 and an interval of 32 bits, and its unit in one octet where there is one.
    TimeInterval {
        /// Whether a unit follows; milliseconds without one.
        unit: bool,
    },
    /// Packed decimal of so many octets.
    Bcd(u8),
    /// So many octets.
    Octets(u8),
}

impl Body {
    /// Octets.
    pub const fn len(self) -> usize {
        match self {
            Self::State | Self::DoubleState => 0,
            Self::Counter16 | Self::Integer16 => 2,
            Self::Counter32 | Self::Integer32 | Self::Float32 => 4,
            Self::Time => 6,
            Self::Float64 => 8,
            Self::TimeInterval { unit } => 10 + unit as usize,
            Self::Crob => 11,
            Self::Unsigned(octets) | Self::Bcd(octets) | Self::Octets(octets) => octets as usize,
        }
    }

    /// No octets of its own.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// What stands at the end of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tail {
    /// Nothing.
    None,
    /// Milliseconds since 1970, 48 bits.
    Time,
    /// Milliseconds since the common time of occurrence (group 51) before, 16 bits.
    Relative,
    /// An octet with a command's status.
    Status,
}

/// What objects of one group and variation look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// No octets: class data.
    Nothing,
    /// One bit each, eight to an octet, the first lowest.
    Bits,
    /// Two bits each, four to an octet, the first lowest.
    DoubleBits,
    /// One after the other.
    Fields {
        /// At the front.
        lead: Lead,
        /// The value.
        body: Body,
        /// At the end.
        tail: Tail,
    },
    /// Octets, as many as the variation says.
    Text,
    /// Device attribute: data type, length, value.
    Attribute,
    /// Private registration: eight octets, of which the last two say how many follow.
    Private,
    /// As long as the size prefix says.
    Sized,
}

impl Shape {
    /// Octets of one object, where they do not depend on its content or its prefix.
    pub const fn len(self, variation: u8) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Text => Some(variation as usize),
            Self::Fields { lead, body, tail } => {
                let lead = if matches!(lead, Lead::None) { 0 } else { 1 };
                let tail = match tail {
                    Tail::None => 0,
                    Tail::Status => 1,
                    Tail::Relative => 2,
                    Tail::Time => 6,
                };
                Some(lead + body.len() + tail)
            }
            Self::Bits | Self::DoubleBits | Self::Attribute | Self::Private | Self::Sized => None,
        }
    }
}

const fn flags(body: Body) -> Shape {
    Shape::Fields { lead: Lead::Flags, body, tail: Tail::None }
}

const fn flags_time(body: Body) -> Shape {
    Shape::Fields { lead: Lead::Flags, body, tail: Tail::Time }
}

const fn flags_relative(body: Body) -> Shape {
    Shape::Fields { lead: Lead::Flags, body, tail: Tail::Relative }
}

const fn plain(body: Body) -> Shape {
    Shape::Fields { lead: Lead::None, body, tail: Tail::None }
}

const fn command(body: Body) -> Shape {
    Shape::Fields { lead: Lead::None, body, tail: Tail::Status }
}

const fn commanded(body: Body, tail: Tail) -> Shape {
    Shape::Fields { lead: Lead::Status, body, tail }
}

/// What objects of this group and variation look like; `None` for those that the standard does not have, and for
/// variation 0, which only asks for any.
pub const fn shape(group: u8, variation: u8) -> Option<Shape> {
    use Body::{Counter16, Counter32, DoubleState, Float32, Float64, Integer16, Integer32, State};
    Some(match (group, variation) {
        (0, 1..) => Shape::Attribute,
        (1 | 10 | 80, 1) | (12, 3) => Shape::Bits,
        (3, 1) => Shape::DoubleBits,
        (1 | 10, 2) | (2 | 11, 1) => flags(State),
        (3, 2) | (4, 1) => flags(DoubleState),
        (2 | 11, 2) => flags_time(State),
        (4, 2) => flags_time(DoubleState),
        (2, 3) => flags_relative(State),
        (4, 3) => flags_relative(DoubleState),
        (12, 1 | 2) => plain(Body::Crob),
        (13, 1) => commanded(State, Tail::None),
        (13, 2) => commanded(State, Tail::Time),
        (20..=23, 1 | 3) => flags(Counter32),
        (20..=23, 2 | 4) => flags(Counter16),
        (20, 5 | 7) | (21, 9 | 11) => plain(Counter32),
        (20, 6 | 8) | (21, 10 | 12) => plain(Counter16),
        (21..=23, 5 | 7) => flags_time(Counter32),
        (21..=23, 6 | 8) => flags_time(Counter16),
        (30..=33 | 40 | 42, 1) => flags(Integer32),
        (30..=33 | 40 | 42, 2) => flags(Integer16),
        (30, 3) | (31, 5) => plain(Integer32),
        (30, 4) | (31, 6) => plain(Integer16),
        (30 | 32 | 33 | 42, 5) | (31, 7) | (40, 3) => flags(Float32),
        (30 | 32 | 33 | 42, 6) | (31, 8) | (40, 4) => flags(Float64),
        (31..=33 | 42, 3) => flags_time(Integer32),
        (31..=33 | 42, 4) => flags_time(Integer16),
        (32 | 33 | 42, 7) => flags_time(Float32),
        (32 | 33 | 42, 8) => flags_time(Float64),
        (34, 1) | (52, 1 | 2) => plain(Body::Unsigned(2)),
        (34, 2) => plain(Body::Unsigned(4)),
        (34, 3) => plain(Float32),
        (41, 1) => command(Integer32),
        (41, 2) => command(Integer16),
        (41, 3) => command(Float32),
        (41, 4) => command(Float64),
        (43, 1) => commanded(Integer32, Tail::None),
        (43, 2) => commanded(Integer16, Tail::None),
        (43, 3) => commanded(Integer32, Tail::Time),
        (43, 4) => commanded(Integer16, Tail::Time),
        (43, 5) => commanded(Float32, Tail::None),
        (43, 6) => commanded(Float64, Tail::None),
        (43, 7) => commanded(Float32, Tail::Time),
        (43, 8) => commanded(Float64, Tail::Time),
        (50, 1 | 3) | (51, 1 | 2) => plain(Body::Time),
        (50, 2) => plain(Body::TimeInterval { unit: false }),
        (50, 4) => plain(Body::TimeInterval { unit: true }),
        (60, 1..=4) => Shape::Nothing,
        (70, 1..=8) | (82 | 85 | 87 | 88 | 90 | 91, 1) | (86, 1 | 3) | (120, 1 | 2 | 5..=15) => Shape::Sized,
        (81, 1) => plain(Body::Octets(3)),
        (83, 1 | 2) => Shape::Private,
        (86, 2) => plain(Body::Octets(1)),
        (101, 1) => plain(Body::Bcd(2)),
        (101, 2) => plain(Body::Bcd(4)),
        (101, 3) => plain(Body::Bcd(8)),
        (102, 1) => plain(Body::Unsigned(1)),
        (110..=113, 1..) => Shape::Text,
        (120, 3) => plain(Body::Octets(6)),
        (120, 4) => plain(Body::Octets(2)),
        (121 | 122, 1) => plain(Body::Octets(7)),
        (122, 2) => plain(Body::Octets(13)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets of objects as annex A draws them, written down from the drawings rather than from the table above:
    /// group, then variation=octets.
    const ANNEX_A: &str = "
        1 2=1
        2 1=1 2=7 3=3
        3 2=1
        4 1=1 2=7 3=3
        10 2=1
        11 1=1 2=7
        12 1=11 2=11
        13 1=1 2=7
        20 1=5 2=3 5=4 6=2
        21 1=5 2=3 5=11 6=9 9=4 10=2
        22 1=5 2=3 5=11 6=9
        23 1=5 2=3 5=11 6=9
        30 1=5 2=3 3=4 4=2 5=5 6=9
        31 1=5 2=3 3=11 4=9 5=4 6=2 7=5 8=9
        32 1=5 2=3 3=11 4=9 5=5 6=9 7=11 8=15
        33 1=5 2=3 3=11 4=9 5=5 6=9 7=11 8=15
        34 1=2 2=4 3=4
        40 1=5 2=3 3=5 4=9
        41 1=5 2=3 3=5 4=9
        42 1=5 2=3 3=11 4=9 5=5 6=9 7=11 8=15
        43 1=5 2=3 3=11 4=9 5=5 6=9 7=11 8=15
        50 1=6 2=10 3=6 4=11
        51 1=6 2=6
        52 1=2 2=2
        60 1=0 2=0 3=0 4=0
        81 1=3
        86 2=1
        101 1=2 2=4 3=8
        102 1=1
        110 17=17
        111 255=255
        112 1=1
        113 9=9
        120 3=6 4=2
        121 1=7
        122 1=7 2=13";

    #[test]
    fn objects_are_as_long_as_annex_a_says() {
        for line in ANNEX_A.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let group = words.next().unwrap().parse().unwrap();
            for word in words {
                let (variation, octets) = word.split_once('=').unwrap();
                let variation = variation.parse().unwrap();
                let shape = shape(group, variation).unwrap_or_else(|| panic!("g{group}v{variation}"));
                assert_eq!(shape.len(variation), Some(octets.parse().unwrap()), "g{group}v{variation}");
            }
        }
    }

    #[test]
    fn variation_0_and_what_is_unknown_have_no_shape() {
        for (group, variation) in [(1, 0), (30, 0), (1, 3), (5, 1), (32, 9), (60, 5), (110, 0), (255, 0)] {
            assert_eq!(shape(group, variation), None, "g{group}v{variation}");
        }
    }
}
