//! Qualifier and range of an object header (IEEE 1815-2012, tables 4-4 and 4-5).

/// What stands before each object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// Nothing.
    None,
    /// Its index, in so many octets.
    Index(u8),
    /// Its size in octets, in so many octets.
    Size(u8),
    /// Code 7, and codes with the reserved high bit.
    Reserved,
}

impl Prefix {
    /// Octets before each object.
    pub const fn len(self) -> usize {
        match self {
            Self::Index(octets) | Self::Size(octets) => octets as usize,
            Self::None | Self::Reserved => 0,
        }
    }

    /// Nothing before the objects.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The qualifier octet: prefix code and range specifier code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qualifier(pub u8);

impl Qualifier {
    /// 00: start and stop, one octet each.
    pub const RANGE_8: Self = Self(0x00);
    /// 01: start and stop, two octets each.
    pub const RANGE_16: Self = Self(0x01);
    /// 06: all.
    pub const ALL: Self = Self(0x06);
    /// 07: a count of one octet.
    pub const COUNT_8: Self = Self(0x07);
    /// 08: a count of two octets.
    pub const COUNT_16: Self = Self(0x08);
    /// 17: a count and indices of one octet.
    pub const INDEXED_8: Self = Self(0x17);
    /// 28: a count and indices of two octets.
    pub const INDEXED_16: Self = Self(0x28);
    /// 5B: a count of one octet and sizes of two: free format.
    pub const FREE_FORMAT: Self = Self(0x5b);

    /// What stands before each object.
    pub const fn prefix(self) -> Prefix {
        match self.0 >> 4 {
            0 => Prefix::None,
            1 => Prefix::Index(1),
            2 => Prefix::Index(2),
            3 => Prefix::Index(4),
            4 => Prefix::Size(1),
            5 => Prefix::Size(2),
            6 => Prefix::Size(4),
            _ => Prefix::Reserved,
        }
    }

    /// The prefix code, 0 to 7; the reserved high bit is left out.
    pub const fn prefix_code(self) -> u8 {
        self.0 >> 4 & 7
    }

    /// The range specifier code, 0 to 15.
    pub const fn range_code(self) -> u8 {
        self.0 & 0x0f
    }

    /// Octets of the range field; `None` for reserved codes.
    pub const fn range_len(self) -> Option<usize> {
        Some(match self.range_code() {
            0 | 3 | 8 => 2,
            1 | 4 | 9 => 4,
            2 | 5 => 8,
            6 => 0,
            7 | 0x0b => 1,
            _ => return None,
        })
    }

    /// Reads the range field from octets that hold it whole.
    pub(super) fn range(self, octets: &[u8]) -> Range {
        let long = |octets: &[u8]| octets.iter().rev().fold(0_u32, |sum, &octet| sum << 8 | u32::from(octet));
        let (low, high) = octets.split_at(octets.len() / 2);
        match self.range_code() {
            0..=2 => Range::StartStop { start: long(low), stop: long(high) },
            3..=5 => Range::Address { start: long(low), stop: long(high) },
            6 => Range::All,
            7..=9 => Range::Count(long(octets)),
            0x0b => Range::FreeFormat(long(octets)),
            _ => Range::Reserved,
        }
    }
}

/// Which objects, or how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Indices, both ends included.
    StartStop {
        /// First.
        start: u32,
        /// Last; smaller than the first where the sender errs.
        stop: u32,
    },
    /// Virtual addresses, both ends included.
    Address {
        /// First.
        start: u32,
        /// Last.
        stop: u32,
    },
    /// All that there are.
    All,
    /// So many.
    Count(u32),
    /// So many, each with its size before it.
    FreeFormat(u32),
    /// A code without a meaning.
    Reserved,
}

impl Range {
    /// How many objects it says; 0 for all, for reserved codes, and where the last comes before the first.
    pub const fn count(self) -> u64 {
        match self {
            Self::StartStop { start, stop } | Self::Address { start, stop } if stop >= start => {
                (stop - start) as u64 + 1
            }
            Self::Count(count) | Self::FreeFormat(count) => count as u64,
            _ => 0,
        }
    }

    /// First index, where it says one.
    pub const fn start(self) -> Option<u32> {
        match self {
            Self::StartStop { start, .. } | Self::Address { start, .. } => Some(start),
            _ => None,
        }
    }

    /// Last index, where it says one.
    pub const fn stop(self) -> Option<u32> {
        match self {
            Self::StartStop { stop, .. } | Self::Address { stop, .. } => Some(stop),
            _ => None,
        }
    }

    /// Whether the last comes before the first.
    pub const fn is_reversed(self) -> bool {
        match self {
            Self::StartStop { start, stop } | Self::Address { start, stop } => stop < start,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_little_endian() {
        let range = |qualifier: u8, octets: &[u8]| Qualifier(qualifier).range(octets);
        assert_eq!(range(0x00, &[1, 5]), Range::StartStop { start: 1, stop: 5 });
        assert_eq!(range(0x01, &[0, 1, 2, 1]), Range::StartStop { start: 256, stop: 258 });
        assert_eq!(range(0x02, &[0, 0, 1, 0, 2, 0, 1, 0]).count(), 3);
        assert_eq!(range(0x09, &[4, 3, 2, 1]), Range::Count(0x0102_0304));
        assert_eq!(range(0x5b, &[2]), Range::FreeFormat(2));
        assert_eq!(range(0x06, &[]), Range::All);
        assert_eq!(Range::StartStop { start: 0, stop: u32::MAX }.count(), 1 << 32);
        assert!(range(0x00, &[5, 1]).is_reversed() && range(0x00, &[5, 1]).count() == 0);
    }

    #[test]
    fn qualifiers_split_into_their_codes() {
        assert_eq!(Qualifier::INDEXED_16.prefix(), Prefix::Index(2));
        assert_eq!(Qualifier::FREE_FORMAT.prefix(), Prefix::Size(2));
        assert_eq!(Qualifier(0x39).prefix().len() + Qualifier(0x39).range_len().unwrap(), 8);
        assert_eq!(Qualifier(0x7a).range_len(), None);
        assert_eq!(Qualifier(0x97).prefix(), Prefix::Reserved);
    }
}
