//! Capture files: pcap and pcapng, both byte orders, any time resolution.
//!
//! # Theory of operation
//! A [`CaptureReader`] keeps one window of octets. For every record it looks at the record's own length first, checks
//! it against a limit, fills the window to exactly that length, and only then lets `pcap-parser` take the record
//! apart. So a forged length costs an error, not memory, and a file that ends early is told apart from a file that
//! ends: every error names the file and the octet at which the broken record starts, and all frames before it have
//! been given out.
//!
//! Times are nanoseconds since 1970; a pcapng interface may count in any power of ten or two.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, parse_block_be, parse_block_le, parse_pcap_frame};
use pcap_parser::{parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header};

/// Longest record that is read. Larger ones are forged: 16 MiB is the largest snap length that tcpdump writes, 256 KiB,
/// with a wide margin.
const RECORD_MAX: usize = 16 << 20;
/// Octets asked of the source at a time.
const CHUNK: usize = 64 << 10;
/// Interfaces kept of one pcapng section.
const INTERFACES_MAX: usize = 4096;

const PCAPNG_SECTION: u32 = 0x0a0d_0d0a;
const PCAPNG_BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// How the frames of a capture begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkType {
    /// Ethernet II or 802.3 (1).
    #[default]
    Ethernet,
    /// Bare IP packets (12, 14, 101, 228, 229).
    RawIp,
    /// BSD loopback, four octets of address family before the packet (0, 108).
    Loopback,
    /// Linux cooked capture, 16 octets (113).
    LinuxCooked,
    /// Linux cooked capture, second version, 20 octets (276).
    LinuxCooked2,
    /// Anything else: frames are counted and not looked into.
    Other(u16),
}

impl LinkType {
    /// From the number in the file (tcpdump.org/linktypes).
    pub fn from_number(number: u16) -> Self {
        match number {
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            0 | 108 => Self::Loopback,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }
}

/// Why a capture cannot be read on. Frames before it have been given out and stay valid.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// The file, as the person named it.
        file: String,
        /// What it said.
        source: io::Error,
    },
    /// Neither pcap nor pcapng.
    #[error(
        "{file}: neither pcap nor pcapng (the file starts with {start}): write one with `tcpdump -w` or Wireshark, unpack it first if it is compressed"
    )]
    NotACapture {
        /// The file.
        file: String,
        /// Its first octets in hexadecimal.
        start: String,
    },
    /// The file ends inside a record.
    #[error(
        "{file}: truncated: the record at octet {offset} needs {need} octets, the file has {got}; {frames} frames before it were read"
    )]
    Truncated {
        /// The file.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// Octets it claims to have.
        need: usize,
        /// Octets that are there.
        got: usize,
        /// Frames before it.
        frames: u64,
    },
    /// A record whose length cannot be.
    #[error(
        "{file}: the record at octet {offset} claims {length} octets, which cannot be; {frames} frames before it were read"
    )]
    BadLength {
        /// The file.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// What it claims.
        length: u64,
        /// Frames before it.
        frames: u64,
    },
    /// A record that does not parse.
    #[error(
        "{file}: the record at octet {offset} is damaged ({problem}); {frames} frames before it were read"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Where the record starts.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
        /// Frames before it.
        frames: u64,
    },
}

/// One frame of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturedFrame<'a> {
    /// Nanoseconds since 1970.
    pub unix_nanos: u64,
    /// How it begins.
    pub link: LinkType,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// Octets it had on the wire.
    pub wire_len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Units per second.
    resolution: u64,
    offset_s: i64,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Pcap { link: LinkType, nanos: bool, big_endian: bool, modified: bool },
    Pcapng { big_endian: bool },
}

/// What one record was: where its frame lies in the window.
struct Found {
    unix_nanos: u64,
    link: LinkType,
    start: usize,
    len: usize,
    wire_len: u32,
}

/// Reads frames from any source of octets.
#[derive(Debug)]
pub struct CaptureReader<R> {
    file: String,
    source: R,
    window: Vec<u8>,
    /// First octet of the window that is not consumed.
    at: usize,
    /// Octet of the file that `window[at]` is.
    offset: u64,
    frames: u64,
    format: Format,
    interfaces: Vec<Interface>,
    ended: bool,
}

impl CaptureReader<File> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::new(&name, file),
            Err(source) => Err(CaptureError::Io { file: name, source }),
        }
    }
}

impl<R: Read> CaptureReader<R> {
    /// Starts on a source; `file` is its name in errors.
    pub fn new(file: &str, source: R) -> Result<Self, CaptureError> {
        let mut reader = Self {
            file: file.to_owned(),
            source,
            window: Vec::new(),
            at: 0,
            offset: 0,
            frames: 0,
            format: Format::Pcapng { big_endian: false },
            interfaces: Vec::new(),
            ended: false,
        };
        let got = reader.fill(4)?;
        let magic: [u8; 4] = match reader.rest().first_chunk() {
            Some(magic) => *magic,
            None => return Err(reader.not_a_capture(got)),
        };
        if u32::from_le_bytes(magic) == PCAPNG_SECTION {
            return Ok(reader);
        }
        if !matches!(
            u32::from_le_bytes(magic),
            0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34 | 0x34cd_b2a1
        ) {
            return Err(reader.not_a_capture(got));
        }
        let got = reader.fill(24)?;
        if got < 24 {
            return Err(reader.truncated(24, got));
        }
        let Ok((_, header)) = parse_pcap_header(&reader.rest()[..24]) else {
            return Err(reader.damaged("the header does not parse"));
        };
        reader.format = Format::Pcap {
            link: LinkType::from_number(header.network.0 as u16),
            nanos: header.is_nanosecond_precision(),
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
        };
        reader.consume(24);
        Ok(reader)
    }

    /// Frames given out so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Octets of the file used up so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next frame; `None` where the file ends between two records. After an error there is nothing more.
    pub fn next_frame(&mut self) -> Result<Option<CapturedFrame<'_>>, CaptureError> {
        let found = loop {
            if self.ended {
                return Ok(None);
            }
            let step = match self.format {
                Format::Pcap { .. } => self.pcap_record(),
                Format::Pcapng { big_endian } => self.pcapng_block(big_endian),
            };
            match step {
                Ok(Some((found, record_len))) => {
                    let start = self.at + found.start;
                    self.consume(record_len);
                    self.frames += 1;
                    break Found { start, ..found };
                }
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        };
        Ok(Some(CapturedFrame {
            unix_nanos: found.unix_nanos,
            link: found.link,
            octets: self.window.get(found.start..found.start + found.len).unwrap_or_default(),
            wire_len: found.wire_len,
        }))
    }

    /// One pcap record at the front: where its frame lies, and how long the record is.
    fn pcap_record(&mut self) -> Result<Option<(Found, usize)>, CaptureError> {
        let Format::Pcap { link, nanos, big_endian, modified } = self.format else { return Ok(None) };
        let header_len = if modified { 24 } else { 16 };
        let got = self.fill(header_len)?;
        if got == 0 {
            self.ended = true;
            return Ok(None);
        }
        if got < header_len {
            return Err(self.truncated(header_len, got));
        }
        let length = self.word_at(8, big_endian);
        let need = header_len + length as usize;
        if need > RECORD_MAX {
            return Err(self.bad_length(u64::from(length)));
        }
        let got = self.fill(need)?;
        if got < need {
            return Err(self.truncated(need, got));
        }
        let record = &self.rest()[..need];
        let parsed = match (modified, big_endian) {
            (true, _) => parse_pcap_frame_modified(record),
            (false, true) => parse_pcap_frame_be(record),
            (false, false) => parse_pcap_frame(record),
        };
        let Ok((_, frame)) = parsed else { return Err(self.damaged("the record does not parse")) };
        let fraction = u64::from(frame.ts_usec) * if nanos { 1 } else { 1000 };
        let found = Found {
            unix_nanos: u64::from(frame.ts_sec) * 1_000_000_000 + fraction,
            link,
            start: need - frame.data.len(),
            len: frame.data.len(),
            wire_len: frame.origlen,
        };
        Ok(Some((found, need)))
    }

    /// One pcapng block at the front; `None` after a block without a frame.
    fn pcapng_block(&mut self, big_endian: bool) -> Result<Option<(Found, usize)>, CaptureError> {
        let got = self.fill(12)?;
        if got == 0 {
            self.ended = true;
            return Ok(None);
        }
        if got < 12 {
            return Err(self.truncated(12, got));
        }
        let mut big_endian = big_endian;
        if self.word_at(0, false) == PCAPNG_SECTION {
            big_endian = match (self.word_at(8, false), self.word_at(8, true)) {
                (PCAPNG_BYTE_ORDER, _) => false,
                (_, PCAPNG_BYTE_ORDER) => true,
                _ => return Err(self.damaged("a section without a byte order")),
            };
            self.format = Format::Pcapng { big_endian };
            self.interfaces.clear();
        }
        let length = self.word_at(4, big_endian);
        let need = length as usize;
        if need < 12 || !need.is_multiple_of(4) || need > RECORD_MAX {
            return Err(self.bad_length(u64::from(length)));
        }
        let got = self.fill(need)?;
        if got < need {
            return Err(self.truncated(need, got));
        }
        let block = &self.window[self.at..self.at + need];
        let parsed = if big_endian { parse_block_be(block) } else { parse_block_le(block) };
        let Ok((_, parsed)) = parsed else { return Err(self.damaged("the block does not parse")) };
        let found = match &parsed {
            Block::EnhancedPacket(packet) => {
                let Some(interface) = self.interfaces.get(packet.if_id as usize) else {
                    return Err(self.damaged("a frame of an interface that is not described"));
                };
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let octets = packet.packet_data();
                Some(Found {
                    unix_nanos: unix_nanos(units, *interface),
                    link: interface.link,
                    start: place_of(block, octets),
                    len: octets.len(),
                    wire_len: packet.origlen,
                })
            }
            // A simple packet has no time; it belongs to the first interface.
            Block::SimplePacket(packet) => {
                let Some(interface) = self.interfaces.first() else {
                    return Err(self.damaged("a frame of an interface that is not described"));
                };
                let octets = packet.packet_data();
                Some(Found {
                    unix_nanos: 0,
                    link: interface.link,
                    start: place_of(block, octets),
                    len: octets.len(),
                    wire_len: packet.origlen,
                })
            }
            Block::InterfaceDescription(description) => {
                if self.interfaces.len() >= INTERFACES_MAX {
                    return Err(self.damaged("more interfaces than can be"));
                }
                let Some(resolution) = resolution(description.if_tsresol) else {
                    return Err(self.damaged("a time resolution that cannot be"));
                };
                let interface = Interface {
                    link: LinkType::from_number(description.linktype.0 as u16),
                    resolution,
                    offset_s: description.if_tsoffset,
                };
                self.interfaces.push(interface);
                None
            }
            _ => None,
        };
        if found.is_none() {
            self.consume(need);
        }
        Ok(found.map(|found| (found, need)))
    }

    fn rest(&self) -> &[u8] {
        &self.window[self.at..]
    }

    fn word_at(&self, at: usize, big_endian: bool) -> u32 {
        let octets = self.rest().get(at..at + 4).and_then(|octets| octets.first_chunk()).copied();
        let octets = octets.unwrap_or_default();
        if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
        self.offset += count as u64;
    }

    /// Reads until at least `need` octets are unconsumed, or the source ends; says how many there are.
    fn fill(&mut self, need: usize) -> Result<usize, CaptureError> {
        if self.window.len() - self.at >= need {
            return Ok(self.window.len() - self.at);
        }
        self.window.drain(..self.at);
        self.at = 0;
        while self.window.len() < need {
            // Grows with what is really there, never with what a length field claims.
            let had = self.window.len();
            let want = CHUNK.max((need - had).min(1 << 20));
            let count = (&mut self.source).take(want as u64).read_to_end(&mut self.window);
            match count {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(CaptureError::Io { file: self.file.clone(), source }),
            }
        }
        Ok(self.window.len())
    }

    fn not_a_capture(&self, got: usize) -> CaptureError {
        let start: Vec<_> = self.rest()[..got.min(4)].iter().map(|octet| format!("{octet:02x}")).collect();
        let start = if start.is_empty() { "nothing".to_owned() } else { start.join(" ") };
        CaptureError::NotACapture { file: self.file.clone(), start }
    }

    fn truncated(&self, need: usize, got: usize) -> CaptureError {
        CaptureError::Truncated {
            file: self.file.clone(),
            offset: self.offset,
            need,
            got,
            frames: self.frames,
        }
    }

    fn bad_length(&self, length: u64) -> CaptureError {
        CaptureError::BadLength { file: self.file.clone(), offset: self.offset, length, frames: self.frames }
    }

    fn damaged(&self, problem: &'static str) -> CaptureError {
        CaptureError::Damaged { file: self.file.clone(), offset: self.offset, problem, frames: self.frames }
    }
}

/// Where `inner`, a part of `outer`, begins in it. Counted from the addresses, as `pcap-parser` gives slices only.
fn place_of(outer: &[u8], inner: &[u8]) -> usize {
    (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize)
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
    let nanos = u128::from(units) * 1_000_000_000 / u128::from(interface.resolution);
    let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
    let offset = i128::from(interface.offset_s) * 1_000_000_000;
    u64::try_from(nanos.saturating_add(offset).max(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcap with one frame of three octets at 1.000002 s, written by hand from the file format's description.
    fn pcap(big_endian: bool, nanos: bool) -> Vec<u8> {
        let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let magic: u32 = if nanos { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut octets = word(magic).to_vec();
        octets.extend(if big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
        for value in [0, 0, 65_535, 1, 1, if nanos { 2000 } else { 2 }, 3, 60] {
            octets.extend(word(value));
        }
        octets.extend([7, 8, 9]);
        octets
    }

    fn pcapng(big_endian: bool, resolution: u8, units: u64) -> Vec<u8> {
        let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let half = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut octets = Vec::new();
        for value in [PCAPNG_SECTION, 28, PCAPNG_BYTE_ORDER] {
            octets.extend(word(value));
        }
        octets.extend(half(1));
        octets.extend(half(0));
        octets.extend([0xff; 8]);
        octets.extend(word(28));
        // Interface description with if_tsresol.
        for value in [1, 32] {
            octets.extend(word(value));
        }
        octets.extend(half(1));
        octets.extend(half(0));
        octets.extend(word(0));
        octets.extend(half(9));
        octets.extend(half(1));
        octets.extend([resolution, 0, 0, 0]);
        octets.extend(word(0));
        octets.extend(word(32));
        // Enhanced packet: three octets and one of padding.
        for value in [6, 36, 0, (units >> 32) as u32, units as u32, 3, 60] {
            octets.extend(word(value));
        }
        octets.extend([7, 8, 9, 0]);
        octets.extend(word(36));
        octets
    }

    #[track_caller]
    fn check(octets: &[u8], nanos: u64) {
        let mut reader = CaptureReader::new("x", octets).unwrap();
        let frame = reader.next_frame().unwrap().unwrap();
        assert_eq!(frame.octets, [7, 8, 9]);
        assert_eq!((frame.unix_nanos, frame.wire_len, frame.link), (nanos, 60, LinkType::Ethernet));
        assert!(reader.next_frame().unwrap().is_none());
        assert_eq!(reader.offset(), octets.len() as u64);
    }

    #[test]
    fn every_byte_order_and_resolution_gives_the_same_frame() {
        for big_endian in [false, true] {
            check(&pcap(big_endian, false), 1_000_002_000);
            check(&pcap(big_endian, true), 1_000_002_000);
            check(&pcapng(big_endian, 6, 1_000_002), 1_000_002_000);
            check(&pcapng(big_endian, 9, 1_000_002_000), 1_000_002_000);
            // 2^-1 s: three units are 1.5 s.
            check(&pcapng(big_endian, 0x81, 3), 1_500_000_000);
        }
    }

    #[test]
    fn a_file_cut_anywhere_names_the_octet_where_the_record_starts() {
        for whole in [pcap(false, false), pcapng(false, 9, 5)] {
            for cut in 1..whole.len() {
                let error = match CaptureReader::new("cut.pcap", &whole[..cut]) {
                    Err(error) => error,
                    Ok(mut reader) => match reader.next_frame() {
                        Err(error) => error,
                        // Cut exactly between two records: the file is whole, and shorter.
                        Ok(frame) => {
                            assert!(frame.is_none() && [24, 28, 60].contains(&cut), "{cut}");
                            continue;
                        }
                    },
                };
                let text = error.to_string();
                assert!(text.contains("cut.pcap"), "{text}");
                if cut >= 24 {
                    assert!(text.contains("truncated: the record at octet"), "{cut}: {text}");
                }
            }
        }
    }

    #[test]
    fn frames_before_the_cut_are_kept() {
        let mut octets = pcap(false, false);
        let record = octets[24..].to_vec();
        octets.extend(&record[..10]);
        let mut reader = CaptureReader::new("two.pcap", &octets[..]).unwrap();
        assert!(reader.next_frame().unwrap().is_some());
        let error = reader.next_frame().unwrap_err();
        assert!(matches!(error, CaptureError::Truncated { offset: 43, frames: 1, .. }), "{error}");
        assert!(reader.next_frame().unwrap().is_none());
    }

    #[test]
    fn a_forged_length_costs_an_error_not_memory() {
        let mut octets = pcap(false, false);
        octets[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut reader = CaptureReader::new("x", &octets[..]).unwrap();
        assert!(matches!(reader.next_frame(), Err(CaptureError::BadLength { offset: 24, .. })));
    }

    #[test]
    fn other_files_are_refused_with_advice() {
        let error = CaptureReader::new("notes.txt", &b"hello"[..]).unwrap_err().to_string();
        assert!(error.contains("notes.txt") && error.contains("tcpdump"), "{error}");
        assert!(CaptureReader::new("empty", &b""[..]).is_err());
    }
}
