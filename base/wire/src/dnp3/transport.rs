//! Transport function: one octet that cuts fragments into segments (IEEE 1815-2012, clause 8).
//!
//! ```text
//!    7     6    5 ... 0
//! +-----+-----+----------+----------------------------+
//! | FIN | FIR | sequence | 1 to 249 octets            |
//! +-----+-----+----------+----------------------------+
//! ```
//! # Stated policy
//! - *A first segment* always starts afresh; what was collected before is lost, and that is said.
//! - *A segment again, the same to the octet* is passed over, as the standard has it.
//! - *A segment out of sequence* loses what was collected. It is not used, unless it is a first one.
//! - *More than the limit* loses what was collected, up to the next first segment.

/// Octets of user data that follow the transport octet in one frame, at most.
pub const SEGMENT_MAX: usize = 249;

/// Memory that an idle [`Reassembly`] may keep: the usual longest fragment.
const KEPT_MAX: usize = 2048;

/// The transport octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransportHeader(pub u8);

impl TransportHeader {
    /// A transport octet; of `sequence` the low six bits.
    pub const fn new(first: bool, last: bool, sequence: u8) -> Self {
        Self(sequence & 0x3f | if first { 0x40 } else { 0 } | if last { 0x80 } else { 0 })
    }

    /// The first segment of a fragment (FIR).
    pub const fn is_first(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// The last segment of a fragment (FIN).
    pub const fn is_last(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// 0 to 63, then 0 again.
    pub const fn sequence(self) -> u8 {
        self.0 & 0x3f
    }
}

/// Cuts a fragment into segments, transport octet included, sequence numbers from `sequence` on.
///
/// An empty fragment gives one segment that is nothing but its transport octet.
pub fn segments(fragment: &[u8], sequence: u8) -> impl Iterator<Item = Vec<u8>> + '_ {
    let count = fragment.len().div_ceil(SEGMENT_MAX).max(1);
    (0..count).map(move |number| {
        let part = fragment.chunks(SEGMENT_MAX).nth(number).unwrap_or_default();
        let header =
            TransportHeader::new(number == 0, number + 1 == count, sequence.wrapping_add(number as u8));
        [&[header.0], part].concat()
    })
}

/// Why segments came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentLost {
    /// No octet at all.
    #[error("a frame without a transport octet")]
    Empty,
    /// The first segment was not seen.
    #[error("first segment is missing")]
    NoFirst,
    /// A segment is missing between the last one and this.
    #[error("segment {expected} expected, got {got}")]
    OutOfSequence {
        /// The next one in order.
        expected: u8,
        /// This one.
        got: u8,
    },
    /// A new fragment began before the last segment of the one before.
    #[error("a new fragment began before the last segment of {octets} octets")]
    Unfinished {
        /// Collected in vain.
        octets: usize,
    },
    /// More octets than the limit.
    #[error("a fragment above {limit} octets")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

/// What a segment led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reassembled<'a> {
    /// A fragment, where this segment completed one.
    pub fragment: Option<&'a [u8]>,
    /// What was lost, where something was. A new first segment may both lose what was before and be a fragment.
    pub lost: Option<SegmentLost>,
    /// Passed over: the same segment as the one before.
    pub repeated: bool,
}

/// Puts the segments of one sender together. Holds at most one fragment of at most `limit` octets.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    collected: Vec<u8>,
    /// Sequence number of the last segment taken, and where its octets begin. `None` outside a fragment.
    last: Option<(u8, usize)>,
}

impl Reassembly {
    /// Takes the user data of one frame.
    ///
    /// A fragment in one segment, which is the common case, is given back without being copied.
    pub fn push<'a>(&'a mut self, user_data: &'a [u8], limit: usize) -> Reassembled<'a> {
        let mut result = Reassembled { fragment: None, lost: None, repeated: false };
        let Some((&header, octets)) = user_data.split_first() else {
            result.lost = Some(SegmentLost::Empty);
            return result;
        };
        let header = TransportHeader(header);
        if header.is_first() {
            if self.is_collecting() {
                result.lost = Some(SegmentLost::Unfinished { octets: self.collected.len() });
            }
            self.clear();
            if octets.len() > limit {
                result.lost = Some(SegmentLost::TooLong { limit });
            } else if header.is_last() {
                result.fragment = Some(octets);
            } else {
                self.collected.extend_from_slice(octets);
                self.last = Some((header.sequence(), 0));
            }
            return result;
        }
        let Some((sequence, start)) = self.last else {
            result.lost = Some(SegmentLost::NoFirst);
            return result;
        };
        let expected = (sequence + 1) & 0x3f;
        if header.sequence() == sequence && self.collected.get(start..) == Some(octets) {
            result.repeated = true;
            return result;
        }
        if header.sequence() != expected {
            self.clear();
            result.lost = Some(SegmentLost::OutOfSequence { expected, got: header.sequence() });
            return result;
        }
        if self.collected.len() + octets.len() > limit {
            self.clear();
            result.lost = Some(SegmentLost::TooLong { limit });
            return result;
        }
        self.last = Some((expected, self.collected.len()));
        self.collected.extend_from_slice(octets);
        if header.is_last() {
            self.last = None;
            result.fragment = Some(&self.collected);
        }
        result
    }

    /// Whether segments wait for more.
    pub fn is_collecting(&self) -> bool {
        self.last.is_some()
    }

    /// The octets collected; of a fragment that just became whole, all of them.
    pub fn collected(&self) -> &[u8] {
        &self.collected
    }

    /// Forgets what was collected, and gives memory back where it was much.
    pub fn clear(&mut self) {
        if self.collected.capacity() > KEPT_MAX {
            self.collected = Vec::new();
        }
        self.collected.clear();
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(reassembly: &mut Reassembly, segment: &[u8]) -> Option<SegmentLost> {
        let result = reassembly.push(segment, 600);
        assert_eq!(result.fragment, None);
        result.lost
    }

    #[test]
    fn a_fragment_comes_together_whatever_its_length() {
        for len in [0, 1, 249, 250, 498, 600] {
            let fragment: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut reassembly = Reassembly::default();
            // Beginning at 63, so that the sequence goes round.
            let parts: Vec<_> = segments(&fragment, 63).collect();
            let (last, fronts) = parts.split_last().unwrap();
            for part in fronts {
                assert_eq!(lost(&mut reassembly, part), None);
            }
            assert_eq!(reassembly.push(last, 600).fragment, Some(fragment.as_slice()), "{len}");
            assert!(!reassembly.is_collecting());
        }
    }

    #[test]
    fn a_repeated_segment_is_passed_over_and_a_missing_one_loses_the_fragment() {
        let fragment = [5; 700];
        let parts: Vec<_> = segments(&fragment, 0).collect();
        let mut reassembly = Reassembly::default();
        assert_eq!(lost(&mut reassembly, &parts[0]), None);
        assert_eq!(lost(&mut reassembly, &parts[1]), None);
        assert!(reassembly.push(&parts[1], 600).repeated);
        assert_eq!(lost(&mut reassembly, &parts[2]), Some(SegmentLost::TooLong { limit: 600 }));
        assert_eq!(lost(&mut reassembly, &parts[2]), Some(SegmentLost::NoFirst));
        assert_eq!(lost(&mut reassembly, &parts[0]), None);
        let out_of_sequence = SegmentLost::OutOfSequence { expected: 1, got: 2 };
        assert_eq!(lost(&mut reassembly, &parts[2]), Some(out_of_sequence));
        assert_eq!(lost(&mut reassembly, &[]), Some(SegmentLost::Empty));
    }

    #[test]
    fn a_first_segment_starts_afresh_and_says_what_it_lost() {
        let mut reassembly = Reassembly::default();
        assert_eq!(lost(&mut reassembly, &[0x40, 1, 2, 3]), None);
        let result = reassembly.push(&[0xc5, 9], 600);
        assert_eq!(result.fragment, Some([9].as_slice()));
        assert_eq!(result.lost, Some(SegmentLost::Unfinished { octets: 3 }));
    }
}
