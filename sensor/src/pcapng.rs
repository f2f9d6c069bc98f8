//! Blocks of pcapng files (IETF draft-ietf-opsawg-pcapng).
//!
//! The descriptions of interfaces and their statistics are read by `pcap-parser`. Of a packet's block only the head is
//! read, here: its options say nothing that is used, and a damaged option is no reason to lose a frame. Blocks of
//! other kinds are passed over.

use pcap_parser::{Block, parse_block_be, parse_block_le};

use crate::capture::LinkType;

/// Interfaces kept of one section.
const INTERFACES_MAX: usize = 4096;
pub(crate) const SECTION: u32 = 0x0a0d_0d0a;
pub(crate) const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
/// The packet block of early files, obsolete since 2009 and still met.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Where a frame lies in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Nanoseconds since 1970; `None` where the block has no time.
    pub(crate) unix_nanos: Option<u64>,
    pub(crate) link: LinkType,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) wire_len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Units per second.
    resolution: u64,
    offset_s: i64,
    /// 0 for none.
    snap_len: u32,
    /// Frames that the capturing tool or its system lost here, by the latest statistics.
    dropped: u64,
}

/// What is known of the section at hand.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) big_endian: bool,
    interfaces: Vec<Interface>,
    /// Of sections before.
    dropped_before: u64,
}

impl Section {
    /// A new section begins: its interfaces are its own.
    pub(crate) fn begin(&mut self, big_endian: bool) {
        self.dropped_before = self.dropped();
        self.big_endian = big_endian;
        self.interfaces.clear();
    }

    /// Frames that the capturing tool says were lost before they were written.
    pub(crate) fn dropped(&self) -> u64 {
        let here = self.interfaces.iter().map(|interface| interface.dropped);
        here.fold(self.dropped_before, u64::saturating_add)
    }

    /// Takes one whole block, its length checked; says where its frame lies, if it has one.
    pub(crate) fn block(&mut self, block: &[u8]) -> Result<Option<Found>, &'static str> {
        let word = |at: usize| self.word(block, at);
        // The length stands at both ends.
        if word(4) != word(block.len() - 4) {
            return Err("the block's two lengths differ");
        }
        let body_end = block.len() - 4;
        let found = match word(0) {
            ENHANCED_PACKET | PACKET => {
                if body_end < 28 {
                    return Err("a packet block that is too short");
                }
                let number = if word(0) == PACKET { self.half(block, 8) } else { word(8) };
                let interface = self.interface(number as usize)?;
                let units = u64::from(word(12)) << 32 | u64::from(word(16));
                Found {
                    unix_nanos: Some(unix_nanos(units, interface)),
                    link: interface.link,
                    start: 28,
                    len: word(20) as usize,
                    wire_len: word(24),
                }
            }
            // A simple packet has no time; it belongs to the first interface.
            SIMPLE_PACKET => {
                if body_end < 12 {
                    return Err("a packet block that is too short");
                }
                let interface = self.interface(0)?;
                let wire_len = word(8);
                let snapped =
                    if interface.snap_len == 0 { wire_len } else { wire_len.min(interface.snap_len) };
                Found { unix_nanos: None, link: interface.link, start: 12, len: snapped as usize, wire_len }
            }
            INTERFACE | STATISTICS => return self.description(block).map(|()| None),
            _ => return Ok(None),
        };
        if found.len > body_end - found.start {
            return Err("a frame longer than its block");
        }
        Ok(Some(found))
    }

    fn description(&mut self, block: &[u8]) -> Result<(), &'static str> {
        let parsed = if self.big_endian { parse_block_be(block) } else { parse_block_le(block) };
        let Ok((_, parsed)) = parsed else { return Err("the block does not parse") };
        match parsed {
            Block::InterfaceDescription(description) => {
                if self.interfaces.len() >= INTERFACES_MAX {
                    return Err("more interfaces than can be");
                }
                let Some(resolution) = resolution(description.if_tsresol) else {
                    return Err("a time resolution that cannot be");
                };
                self.interfaces.push(Interface {
                    link: LinkType::from_number(description.linktype.0 as u16),
                    resolution,
                    offset_s: description.if_tsoffset,
                    snap_len: description.snaplen,
                    dropped: 0,
                });
            }
            Block::InterfaceStatistics(statistics) => {
                let big_endian = self.big_endian;
                // isb_ifdrop and isb_osdrop, 64 bits each in the section's byte order.
                let counts = statistics.options.iter().filter(|option| matches!(option.code.0, 5 | 7));
                let counts = counts.filter_map(|option| {
                    let octets = *option.value.first_chunk::<8>()?;
                    Some(if big_endian { u64::from_be_bytes(octets) } else { u64::from_le_bytes(octets) })
                });
                if let Some(interface) = self.interfaces.get_mut(statistics.if_id as usize) {
                    interface.dropped = counts.fold(0, u64::saturating_add);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn interface(&self, number: usize) -> Result<Interface, &'static str> {
        self.interfaces.get(number).copied().ok_or("a frame of an interface that is not described")
    }

    fn word(&self, block: &[u8], at: usize) -> u32 {
        let octets = block.get(at..at + 4).and_then(|octets| octets.first_chunk()).copied();
        let octets = octets.unwrap_or_default();
        if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    fn half(&self, block: &[u8], at: usize) -> u32 {
        let octets = block.get(at..at + 2).and_then(|octets| octets.first_chunk()).copied();
        let octets = octets.unwrap_or_default();
        u32::from(if self.big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }
}

/// Units per second of `if_tsresol`: a power of ten, or of two where the high bit is set.
fn resolution(code: u8) -> Option<u64> {
    if code & 0x80 == 0 {
        10u64.checked_pow(u32::from(code))
    } else {
        1u64.checked_shl(u32::from(code & 0x7f)).filter(|units| *units != 0)
    }
}

fn unix_nanos(units: u64, interface: Interface) -> u64 {
    let nanos = match interface.resolution {
        1_000_000 => units.saturating_mul(1000),
        1_000_000_000 => units,
        resolution => {
            let nanos = u128::from(units) * 1_000_000_000 / u128::from(resolution);
            u64::try_from(nanos).unwrap_or(u64::MAX)
        }
    };
    if interface.offset_s == 0 {
        return nanos;
    }
    let offset = i128::from(interface.offset_s) * 1_000_000_000;
    u64::try_from((i128::from(nanos) + offset).max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block by hand from the draft's figures, little-endian.
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let len = (body.len().next_multiple_of(4) + 12) as u32;
        let mut block = [kind.to_le_bytes(), len.to_le_bytes()].concat();
        block.extend(body);
        block.resize(len as usize - 4, 0);
        block.extend(len.to_le_bytes());
        block
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Ethernet in microseconds, and raw IP with a snap length of 4.
    fn section() -> Section {
        let mut section = Section::default();
        section.begin(false);
        assert_eq!(section.block(&block(INTERFACE, &words(&[1, 0]))), Ok(None));
        assert_eq!(section.block(&block(INTERFACE, &words(&[101, 4]))), Ok(None));
        section
    }

    #[test]
    fn a_packet_of_each_interface_has_the_link_type_of_its_own() {
        let mut section = section();
        for (number, link) in [(0, LinkType::Ethernet), (1, LinkType::RawIp)] {
            let packet = block(ENHANCED_PACKET, &words(&[number, 0, 3, 4, 9, 7]));
            let found = section.block(&packet).unwrap().unwrap();
            assert_eq!((found.link, found.unix_nanos, found.len), (link, Some(3000), 4));
        }
        assert!(section.block(&block(ENHANCED_PACKET, &words(&[2, 0, 3, 4, 9, 7]))).is_err());
    }

    #[test]
    fn obsolete_and_simple_packets_are_frames_too() {
        let mut section = section();
        // The interface is 16 bits wide, the count of drops stands beside it.
        let packet = block(PACKET, &words(&[9 << 16 | 1, 0, 3, 4, 4, 7]));
        let found = section.block(&packet).unwrap().unwrap();
        assert_eq!((found.link, found.unix_nanos, found.len), (LinkType::RawIp, Some(3000), 4));
        let mut only = Section::default();
        only.begin(false);
        only.block(&block(INTERFACE, &words(&[101, 4]))).unwrap();
        let found = only.block(&block(SIMPLE_PACKET, &words(&[9, 7]))).unwrap().unwrap();
        assert_eq!((found.unix_nanos, found.len, found.wire_len), (None, 4, 9));
    }

    #[test]
    fn a_frame_longer_than_its_block_is_an_error() {
        let mut section = section();
        assert!(section.block(&block(ENHANCED_PACKET, &words(&[0, 0, 3, 5, 9, 7]))).is_err());
        assert!(section.block(&block(ENHANCED_PACKET, &words(&[0, 0, 3, u32::MAX, 9, 7]))).is_err());
        assert!(section.block(&block(ENHANCED_PACKET, &words(&[0, 0]))).is_err());
        let mut torn = block(ENHANCED_PACKET, &words(&[0, 0, 3, 4, 9, 7]));
        let last = torn.len() - 4;
        torn[last] ^= 4;
        assert!(section.block(&torn).is_err());
    }

    #[test]
    fn frames_that_the_capturing_tool_lost_are_counted() {
        let mut section = section();
        // isb_ifdrop 5 and isb_osdrop 2 of interface 0, then the same interface later.
        let statistics = |drops: u32| {
            let options = [0, 0, 0, 5 | 8 << 16, drops, 0, 7 | 8 << 16, 2, 0, 0];
            block(STATISTICS, &words(&options))
        };
        section.block(&statistics(5)).unwrap();
        section.block(&statistics(8)).unwrap();
        assert_eq!(section.dropped(), 10);
        section.begin(false);
        assert_eq!(section.dropped(), 10);
    }
}
