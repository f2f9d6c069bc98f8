//! Link layer: addresses, the control octet, frames in a stream (IEEE 1815-2012, clause 9).
//!
//! ```text
//!  0      1      2        3         4             6        8
//! +------+------+--------+---------+-------------+--------+-----+---------------------+-----+---
//! | 0x05 | 0x64 | length | control | destination | source | CRC | block, 1 to 16      | CRC | ...
//! +------+------+--------+---------+-------------+--------+-----+---------------------+-----+---
//! ```
//! Numbers are little-endian. The length counts control, addresses and user data, 5 to 255, and no CRC. User data,
//! at most 250 octets, go in blocks of 16, the last one shorter; every block has its CRC.
//!
//! # Theory of operation
//! A reader of a stream collects octets, asks [`next_frame`] what stands at their front, and drops what was consumed.
//! There is a start mark and a checked header, so framing is never lost for good: what is no frame is noise, and a
//! reader looks for the next start behind it. A block with a wrong CRC spoils its frame, not the stream: the header
//! has already said where the next frame begins.

use super::crc::crc16;

/// The two octets that every frame begins with.
pub const START: [u8; 2] = [0x05, 0x64];
/// Octets of a header, CRC included.
pub const HEADER_LEN: usize = 10;
/// Most octets of user data in one frame.
pub const USER_DATA_MAX: usize = 250;
/// Octets of the longest frame.
pub const FRAME_MAX: usize = 292;
/// Octets of a full block, CRC not counted.
const BLOCK: usize = 16;
/// What the length field counts beside user data.
const LENGTH_MIN: u8 = 5;
/// The TCP and UDP port registered for DNP3.
pub const PORT: u16 = 20_000;

/// Address of a master or an outstation on the link layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkAddress(pub u16);

impl LinkAddress {
    /// Broadcast; outstations shall ask for an application confirmation.
    pub const BROADCAST_MANDATORY: Self = Self(0xfffe);
    /// Broadcast; whether to ask for an application confirmation is the outstation's choice.
    pub const BROADCAST_OPTIONAL: Self = Self(0xffff);
    /// Broadcast; no application confirmation.
    pub const BROADCAST_NONE: Self = Self(0xfffd);
    /// Every device that supports it takes this for its own.
    pub const SELF: Self = Self(0xfffc);

    /// To all.
    pub const fn is_broadcast(self) -> bool {
        self.0 >= 0xfffd
    }

    /// The self address.
    pub const fn is_self(self) -> bool {
        self.0 == 0xfffc
    }

    /// Set aside by the standard: no device has it and nobody should use it.
    pub const fn is_reserved(self) -> bool {
        self.0 >= 0xfff0 && self.0 < 0xfffc
    }
}

/// The control octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkControl(pub u8);

impl LinkControl {
    const DIR: u8 = 0x80;
    const PRM: u8 = 0x40;
    const FCB: u8 = 0x20;
    const FCV: u8 = 0x10;

    /// A control octet; `fcv` is the flow control bit (DFC) where `primary` is not set.
    pub const fn new(from_master: bool, function: LinkFunction, fcb: bool, fcv: bool) -> Self {
        let (primary, code) = function.parts();
        Self(
            code | if from_master { Self::DIR } else { 0 }
                | if primary { Self::PRM } else { 0 }
                | if fcb { Self::FCB } else { 0 }
                | if fcv { Self::FCV } else { 0 },
        )
    }

    /// Sent by a master (DIR).
    pub const fn from_master(self) -> bool {
        self.0 & Self::DIR != 0
    }

    /// Begins a transaction of the link layer rather than answering one (PRM).
    pub const fn is_primary(self) -> bool {
        self.0 & Self::PRM != 0
    }

    /// Frame count bit; of primary frames.
    pub const fn fcb(self) -> bool {
        self.0 & Self::FCB != 0
    }

    /// Frame count valid; of primary frames. Of secondary frames the same bit is data flow control (DFC).
    pub const fn fcv(self) -> bool {
        self.0 & Self::FCV != 0
    }

    /// The function code, 0 to 15.
    pub const fn code(self) -> u8 {
        self.0 & 0x0f
    }

    /// What the function code means; `None` where the standard gives it no meaning (any more).
    pub const fn function(self) -> Option<LinkFunction> {
        Some(match (self.is_primary(), self.code()) {
            (true, 0) => LinkFunction::ResetLink,
            (true, 2) => LinkFunction::TestLink,
            (true, 3) => LinkFunction::ConfirmedUserData,
            (true, 4) => LinkFunction::UnconfirmedUserData,
            (true, 9) => LinkFunction::RequestLinkStatus,
            (false, 0) => LinkFunction::Ack,
            (false, 1) => LinkFunction::Nack,
            (false, 11) => LinkFunction::LinkStatus,
            (false, 15) => LinkFunction::NotSupported,
            _ => return None,
        })
    }

    /// Carries a transport segment.
    pub const fn has_user_data(self) -> bool {
        self.is_primary() && matches!(self.code(), 3 | 4)
    }
}

/// Functions of the link layer (tables 9-1 and 9-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkFunction {
    /// Primary 0: reset of the secondary's link states.
    ResetLink,
    /// Primary 2: test of the link states.
    TestLink,
    /// Primary 3: user data to be acknowledged.
    ConfirmedUserData,
    /// Primary 4: user data.
    UnconfirmedUserData,
    /// Primary 9: request for the link's status; over TCP also the keep-alive.
    RequestLinkStatus,
    /// Secondary 0: acknowledgement.
    Ack,
    /// Secondary 1: refusal.
    Nack,
    /// Secondary 11: the link's status.
    LinkStatus,
    /// Secondary 15: function not supported.
    NotSupported,
}

impl LinkFunction {
    /// Primary or not, and the code.
    const fn parts(self) -> (bool, u8) {
        match self {
            Self::ResetLink => (true, 0),
            Self::TestLink => (true, 2),
            Self::ConfirmedUserData => (true, 3),
            Self::UnconfirmedUserData => (true, 4),
            Self::RequestLinkStatus => (true, 9),
            Self::Ack => (false, 0),
            Self::Nack => (false, 1),
            Self::LinkStatus => (false, 11),
            Self::NotSupported => (false, 15),
        }
    }

    /// Its name in the standard, with underscores.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResetLink => "RESET_LINK_STATES",
            Self::TestLink => "TEST_LINK_STATES",
            Self::ConfirmedUserData => "CONFIRMED_USER_DATA",
            Self::UnconfirmedUserData => "UNCONFIRMED_USER_DATA",
            Self::RequestLinkStatus => "REQUEST_LINK_STATUS",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::LinkStatus => "LINK_STATUS",
            Self::NotSupported => "NOT_SUPPORTED",
        }
    }
}

/// A header: whatever can be built can be emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkHeader {
    /// Direction, role, count bits and function.
    pub control: LinkControl,
    /// To whom.
    pub destination: LinkAddress,
    /// From whom.
    pub source: LinkAddress,
}

impl LinkHeader {
    /// Appends a whole frame: header, blocks, CRCs. Of `user_data`, at most [`USER_DATA_MAX`] octets are taken.
    pub fn emit(&self, user_data: &[u8], out: &mut Vec<u8>) {
        let user_data = &user_data[..user_data.len().min(USER_DATA_MAX)];
        let [d0, d1] = self.destination.0.to_le_bytes();
        let [s0, s1] = self.source.0.to_le_bytes();
        let header = [START[0], START[1], user_data.len() as u8 + LENGTH_MIN, self.control.0, d0, d1, s0, s1];
        for part in std::iter::once(header.as_slice()).chain(user_data.chunks(BLOCK)) {
            out.extend_from_slice(part);
            out.extend_from_slice(&crc16(part).to_le_bytes());
        }
    }
}

/// A frame with a good header. Its blocks may be damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFrame<'a> {
    /// What the header says.
    pub header: LinkHeader,
    /// Blocks and their CRCs.
    blocks: &'a [u8],
}

impl<'a> LinkFrame<'a> {
    /// Octets of user data.
    pub fn user_data_len(&self) -> usize {
        let whole = self.blocks.len() / (BLOCK + 2) * BLOCK;
        whole + (self.blocks.len() % (BLOCK + 2)).saturating_sub(2)
    }

    /// Blocks without their CRCs, and whether the CRC is right.
    pub fn blocks(&self) -> impl Iterator<Item = (&'a [u8], bool)> + use<'a> {
        self.blocks.chunks(BLOCK + 2).map(|chunk| {
            let (block, crc) = chunk.split_at(chunk.len().saturating_sub(2));
            (block, crc == crc16(block).to_le_bytes())
        })
    }

    /// Appends the user data. On a wrong CRC `out` is left as it was, and the number of the block, from 0, comes back.
    pub fn user_data(&self, out: &mut Vec<u8>) -> Result<(), BadBlock> {
        let start = out.len();
        for (number, (block, good)) in self.blocks().enumerate() {
            if !good {
                out.truncate(start);
                return Err(BadBlock { block: number });
            }
            out.extend_from_slice(block);
        }
        Ok(())
    }
}

/// A block whose CRC does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("CRC of block {block} is wrong")]
pub struct BadBlock {
    /// Counted from 0, the header not counted.
    pub block: usize,
}

/// What stands at the front of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing<'a> {
    /// Not enough for a decision: at least `need` octets in all are wanted. An empty buffer is short too.
    Short {
        /// Octets, from the front of the buffer, without which nothing more can be said.
        need: usize,
    },
    /// One frame; drop `consumed` octets and ask again.
    Whole {
        /// The frame.
        frame: LinkFrame<'a>,
        /// Its octets, CRCs included.
        consumed: usize,
    },
    /// No frame: drop `consumed` octets and ask again.
    Noise {
        /// Why not.
        cause: Noise,
        /// Octets up to the next that may begin a frame.
        consumed: usize,
    },
}

/// Why octets are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Noise {
    /// Something else stands there.
    #[error("no start octets")]
    NoStart,
    /// Damaged on the way, or no header at all.
    #[error("header CRC is {got:#06x}, computed {computed:#06x}")]
    HeaderCrc {
        /// In the octets.
        got: u16,
        /// As it should be.
        computed: u16,
    },
    /// Less than a header counts itself, with a good CRC.
    #[error("length must be at least 5, got {length}")]
    Length {
        /// The length field.
        length: u8,
    },
}

/// Says what stands at the front of `buffer`.
pub fn next_frame(buffer: &[u8]) -> Framing<'_> {
    match buffer {
        [] => return Framing::Short { need: HEADER_LEN },
        [0x05] | [0x05, 0x64, ..] => {}
        _ => return Framing::Noise { cause: Noise::NoStart, consumed: next_start(buffer, 0) },
    }
    let Some((head, rest)) = buffer.split_first_chunk::<HEADER_LEN>() else {
        return Framing::Short { need: HEADER_LEN };
    };
    let &[_, _, length, control, d0, d1, s0, s1, c0, c1] = head;
    let (got, computed) = (u16::from_le_bytes([c0, c1]), crc16(&head[..8]));
    if got != computed {
        let cause = Noise::HeaderCrc { got, computed };
        return Framing::Noise { cause, consumed: next_start(buffer, START.len()) };
    }
    let Some(user_data) = length.checked_sub(LENGTH_MIN) else {
        return Framing::Noise { cause: Noise::Length { length }, consumed: HEADER_LEN };
    };
    let body = usize::from(user_data) + 2 * usize::from(user_data).div_ceil(BLOCK);
    let Some(blocks) = rest.get(..body) else {
        return Framing::Short { need: HEADER_LEN + body };
    };
    let header = LinkHeader {
        control: LinkControl(control),
        destination: LinkAddress(u16::from_le_bytes([d0, d1])),
        source: LinkAddress(u16::from_le_bytes([s0, s1])),
    };
    Framing::Whole { frame: LinkFrame { header, blocks }, consumed: HEADER_LEN + body }
}

/// Whether octets begin with a whole header whose CRC is right: as good as certainly DNP3.
pub fn begins_with_header(octets: &[u8]) -> bool {
    octets.starts_with(&START)
        && octets
            .first_chunk::<HEADER_LEN>()
            .is_some_and(|head| head[2] >= LENGTH_MIN && head[8..] == crc16(&head[..8]).to_le_bytes())
}

/// Place of the next octets that may be a start, from `from` on; the length of `buffer` where there is none.
fn next_start(buffer: &[u8], from: usize) -> usize {
    let tail = buffer.get(from..).unwrap_or_default();
    let found =
        (0..tail.len()).find(|&at| tail[at] == START[0] && tail.get(at + 1).is_none_or(|&o| o == START[1]));
    from + found.unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Request link status, master 1 to outstation 10: the frame that the project's notes spell out octet by octet.
    const REQUEST_STATUS: [u8; 10] = [0x05, 0x64, 0x05, 0xc9, 0x0a, 0x00, 0x01, 0x00, 0xfe, 0xda];

    fn header() -> LinkHeader {
        LinkHeader {
            control: LinkControl::new(true, LinkFunction::RequestLinkStatus, false, false),
            destination: LinkAddress(10),
            source: LinkAddress(1),
        }
    }

    #[test]
    fn a_header_reads_and_writes() {
        let frame = LinkFrame { header: header(), blocks: &[] };
        assert_eq!(next_frame(&REQUEST_STATUS), Framing::Whole { frame, consumed: 10 });
        let mut out = Vec::new();
        header().emit(&[], &mut out);
        assert_eq!(out, REQUEST_STATUS);
    }

    #[test]
    fn every_front_of_a_frame_is_short_not_wrong() {
        let mut out = Vec::new();
        header().emit(&[7; 40], &mut out);
        assert_eq!(out.len(), 10 + 40 + 6);
        for len in 0..out.len() {
            let need = if len < HEADER_LEN { HEADER_LEN } else { out.len() };
            assert_eq!(next_frame(&out[..len]), Framing::Short { need }, "{len}");
        }
        let Framing::Whole { frame, consumed } = next_frame(&out) else { panic!("whole") };
        let mut data = Vec::new();
        assert_eq!((frame.user_data(&mut data), data.len(), consumed), (Ok(()), frame.user_data_len(), 56));
    }

    #[test]
    fn noise_ends_where_a_frame_may_begin() {
        let octets = [&[1, 5, 9, 5][..], &REQUEST_STATUS].concat();
        assert_eq!(next_frame(&octets), Framing::Noise { cause: Noise::NoStart, consumed: 4 });
        assert_eq!(next_frame(&[1, 2, 5]), Framing::Noise { cause: Noise::NoStart, consumed: 2 });
        assert_eq!(next_frame(&[5]), Framing::Short { need: 10 });
        assert_eq!(next_frame(&[5, 5]), Framing::Noise { cause: Noise::NoStart, consumed: 1 });
    }

    #[test]
    fn a_damaged_header_is_passed_over_and_the_next_frame_found() {
        let mut octets = REQUEST_STATUS.to_vec();
        octets[4] ^= 1;
        octets.extend(REQUEST_STATUS);
        let cause = Noise::HeaderCrc { got: 0xdafe, computed: crc16(&octets[..8]) };
        assert_eq!(next_frame(&octets), Framing::Noise { cause, consumed: 10 });
        assert!(matches!(next_frame(&octets[10..]), Framing::Whole { .. }));
    }

    #[test]
    fn a_damaged_block_spoils_its_frame_alone() {
        let mut out = Vec::new();
        header().emit(&[7; 40], &mut out);
        let end = out.len();
        out[HEADER_LEN + 20] ^= 0x10;
        out.extend(REQUEST_STATUS);
        let Framing::Whole { frame, consumed } = next_frame(&out) else { panic!("whole") };
        let mut data = vec![1];
        assert_eq!((frame.user_data(&mut data), data), (Err(BadBlock { block: 1 }), vec![1]));
        assert_eq!(consumed, end);
        assert!(matches!(next_frame(&out[end..]), Framing::Whole { .. }));
    }

    #[test]
    fn a_length_below_five_is_noise_even_with_a_good_crc() {
        let mut octets = [5, 0x64, 4, 0xc9, 1, 0, 2, 0, 0, 0];
        let crc = crc16(&octets[..8]).to_le_bytes();
        octets[8..].copy_from_slice(&crc);
        assert_eq!(next_frame(&octets), Framing::Noise { cause: Noise::Length { length: 4 }, consumed: 10 });
        assert!(!begins_with_header(&octets));
        assert!(begins_with_header(&REQUEST_STATUS));
    }

    #[test]
    fn the_longest_frame_is_as_long_as_it_should_be() {
        let mut out = Vec::new();
        header().emit(&[0; 300], &mut out);
        assert_eq!(out.len(), FRAME_MAX);
    }

    #[test]
    fn every_function_survives_its_control_octet() {
        for code in 0..=255 {
            let control = LinkControl(code);
            if let Some(function) = control.function() {
                let again = LinkControl::new(control.from_master(), function, control.fcb(), control.fcv());
                assert_eq!(again, control, "{}", function.name());
            }
        }
        assert!(LinkAddress(0xfffd).is_broadcast() && LinkAddress::SELF.is_self());
        assert!(LinkAddress(0xfff0).is_reserved() && !LinkAddress(0xffef).is_reserved());
    }
}
