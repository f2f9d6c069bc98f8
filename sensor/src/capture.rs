//! Capture files: pcap and pcapng, both byte orders, any time resolution, packed by gzip or not.
//!
//! # Theory of operation
//! A [`CaptureReader`] keeps one window of octets. For every record it looks at the record's own length first, checks
//! it against a limit, fills the window to exactly that length, and only then takes the record apart. So a forged
//! length costs an error, not memory, and a file that ends early is told apart from a file that ends: every error
//! names the file and the octet at which the broken record starts, and all frames before it have been given out. A file
//! of any size takes the same memory. Of a packed file, octets are counted unpacked.
//!
//! Times are nanoseconds since 1970; a pcapng interface may count in any power of ten or two. A frame without a time
//! has that of the one before.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use pcap_parser::parse_pcap_header;

use crate::pcapng::{BYTE_ORDER, Found, SECTION, Section};
use crate::window::Window;

/// Longest record that is read. Larger ones are forged: 16 MiB is the largest snap length that tcpdump writes, 256 KiB,
/// with a wide margin.
const RECORD_MAX: usize = 16 << 20;

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
        "{file}: neither pcap nor pcapng (it starts with {start}): write one with `tcpdump -w` or Wireshark; gzip is unpacked on the way, unpack anything else first"
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
    /// The gzip around the capture is damaged or cut.
    #[error(
        "{file}: damaged gzip ({source}) behind octet {offset} of the unpacked capture; {frames} frames before it were read"
    )]
    Packed {
        /// The file.
        file: String,
        /// How far it could be unpacked, in octets of whole records.
        offset: u64,
        /// What is wrong.
        source: io::Error,
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
enum Format {
    Pcap { link: LinkType, nanos: bool, big_endian: bool, modified: bool },
    Pcapng,
}

/// Reads frames from any source of octets.
#[derive(Debug)]
pub struct CaptureReader<R> {
    file: String,
    window: Window<R>,
    frames: u64,
    format: Format,
    section: Section,
    last_nanos: u64,
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
        let window =
            Window::new(source).map_err(|source| CaptureError::Io { file: file.to_owned(), source })?;
        let mut reader = Self {
            file: file.to_owned(),
            window,
            frames: 0,
            format: Format::Pcapng,
            section: Section::default(),
            last_nanos: 0,
            ended: false,
        };
        let got = reader.window.fill(4);
        let magic: [u8; 4] = match reader.window.rest().first_chunk() {
            Some(magic) => *magic,
            None => return Err(reader.failure().unwrap_or_else(|| reader.not_a_capture(got))),
        };
        if u32::from_le_bytes(magic) == SECTION {
            return Ok(reader);
        }
        if !matches!(
            u32::from_le_bytes(magic),
            0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34 | 0x34cd_b2a1
        ) {
            return Err(reader.not_a_capture(got));
        }
        reader.need(24)?;
        let Ok((_, header)) = parse_pcap_header(&reader.window.rest()[..24]) else {
            return Err(reader.damaged("the header does not parse"));
        };
        reader.format = Format::Pcap {
            link: LinkType::from_number(header.network.0 as u16),
            nanos: header.is_nanosecond_precision(),
            big_endian: header.is_bigendian(),
            modified: header.is_modified_format(),
        };
        reader.window.consume(24);
        Ok(reader)
    }

    /// From when on `flag` is set, the capture ends with the frame at hand, as though there were no more.
    pub fn stop_at(&mut self, flag: &'static AtomicBool) {
        self.window.stop_at(flag);
    }

    /// Frames given out so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Octets of the capture used up so far.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Whether the capture is unpacked on the way.
    pub fn is_packed(&self) -> bool {
        self.window.is_packed()
    }

    /// Frames that the capturing tool says it lost, as far as it says so (pcapng).
    pub fn dropped(&self) -> u64 {
        self.section.dropped()
    }

    /// The next frame; `None` where the file ends between two records. After an error there is nothing more.
    pub fn next_frame(&mut self) -> Result<Option<CapturedFrame<'_>>, CaptureError> {
        let (found, place) = loop {
            if self.ended {
                return Ok(None);
            }
            let step = match self.format {
                Format::Pcap { link, nanos, big_endian, modified } => {
                    self.pcap_record(link, nanos, big_endian, modified)
                }
                Format::Pcapng => self.pcapng_block(),
            };
            match step {
                Ok(Some((found, record_len))) => {
                    let place = self.window.place() + found.start;
                    self.window.consume(record_len);
                    self.frames += 1;
                    break (found, place);
                }
                Ok(None) => {}
                Err(_) if self.window.is_stopped() => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        };
        self.last_nanos = found.unix_nanos.unwrap_or(self.last_nanos);
        Ok(Some(CapturedFrame {
            unix_nanos: self.last_nanos,
            link: found.link,
            octets: self.window.octets(place, found.len),
            wire_len: found.wire_len,
        }))
    }

    /// One pcap record at the front: where its frame lies, and how long the record is.
    fn pcap_record(
        &mut self,
        link: LinkType,
        nanos: bool,
        big_endian: bool,
        modified: bool,
    ) -> Result<Option<(Found, usize)>, CaptureError> {
        // The modified format of old Linux patches has eight octets more.
        let header_len = if modified { 24 } else { 16 };
        if self.is_at_end(header_len)? {
            return Ok(None);
        }
        let word = |at| self.window.word(at, big_endian);
        let (seconds, fraction, length, wire_len) = (word(0), word(4), word(8), word(12));
        let need = header_len + length as usize;
        if need > RECORD_MAX {
            return Err(self.bad_length(u64::from(length)));
        }
        self.need(need)?;
        let fraction = u64::from(fraction) * if nanos { 1 } else { 1000 };
        let unix_nanos = Some(u64::from(seconds) * 1_000_000_000 + fraction);
        let found = Found { unix_nanos, link, start: header_len, len: length as usize, wire_len };
        Ok(Some((found, need)))
    }

    /// One pcapng block at the front; `None` after a block without a frame.
    fn pcapng_block(&mut self) -> Result<Option<(Found, usize)>, CaptureError> {
        if self.is_at_end(12)? {
            return Ok(None);
        }
        if self.window.word(0, false) == SECTION {
            match (self.window.word(8, false), self.window.word(8, true)) {
                (BYTE_ORDER, _) => self.section.begin(false),
                (_, BYTE_ORDER) => self.section.begin(true),
                _ => return Err(self.damaged("a section without a byte order")),
            }
        }
        let length = self.window.word(4, self.section.big_endian);
        let need = length as usize;
        if need < 12 || !need.is_multiple_of(4) || need > RECORD_MAX {
            return Err(self.bad_length(u64::from(length)));
        }
        self.need(need)?;
        let block = self.window.rest().get(..need).unwrap_or_default();
        match self.section.block(block) {
            Ok(Some(found)) => Ok(Some((found, need))),
            Ok(None) => {
                self.window.consume(need);
                Ok(None)
            }
            Err(problem) => Err(self.damaged(problem)),
        }
    }

    /// Whether the file ends here, between two records, of which the next would begin with `header_len` octets.
    fn is_at_end(&mut self, header_len: usize) -> Result<bool, CaptureError> {
        if self.window.fill(header_len) > 0 {
            return self.need(header_len).map(|()| false);
        }
        self.ended = true;
        match self.failure() {
            Some(error) => Err(error),
            None => Ok(true),
        }
    }

    /// Sees to it that so many octets are at hand.
    fn need(&mut self, need: usize) -> Result<(), CaptureError> {
        let got = self.window.fill(need);
        if got >= need {
            return Ok(());
        }
        Err(self.failure().unwrap_or_else(|| self.truncated(need, got)))
    }

    /// What the source said when it failed.
    fn failure(&mut self) -> Option<CaptureError> {
        let source = self.window.take_failure()?;
        let file = self.file.clone();
        Some(if self.window.is_packed() {
            CaptureError::Packed { file, offset: self.offset(), source, frames: self.frames }
        } else {
            CaptureError::Io { file, source }
        })
    }

    fn not_a_capture(&self, got: usize) -> CaptureError {
        let start: Vec<_> =
            self.window.rest()[..got.min(4)].iter().map(|octet| format!("{octet:02x}")).collect();
        let start = if start.is_empty() { "nothing".to_owned() } else { start.join(" ") };
        CaptureError::NotACapture { file: self.file.clone(), start }
    }

    fn truncated(&self, need: usize, got: usize) -> CaptureError {
        CaptureError::Truncated {
            file: self.file.clone(),
            offset: self.offset(),
            need,
            got,
            frames: self.frames,
        }
    }

    fn bad_length(&self, length: u64) -> CaptureError {
        CaptureError::BadLength {
            file: self.file.clone(),
            offset: self.offset(),
            length,
            frames: self.frames,
        }
    }

    fn damaged(&self, problem: &'static str) -> CaptureError {
        CaptureError::Damaged { file: self.file.clone(), offset: self.offset(), problem, frames: self.frames }
    }
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
        for value in [SECTION, 28, BYTE_ORDER] {
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

    #[test]
    fn a_packed_capture_is_read_as_it_is_and_its_damage_is_named() {
        let whole = [pcap(false, false), pcap(false, false)[24..].repeat(999)].concat();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &whole).unwrap();
        let packed = encoder.finish().unwrap();
        let mut reader = CaptureReader::new("x.gz", &packed[..]).unwrap();
        let mut frames = 0;
        while let Some(frame) = reader.next_frame().unwrap() {
            assert_eq!(frame.octets, [7, 8, 9]);
            frames += 1;
        }
        assert_eq!((frames, reader.offset()), (1000, whole.len() as u64));
        let mut cut = CaptureReader::new("x.gz", &packed[..packed.len() - 12]).unwrap();
        let error = loop {
            match cut.next_frame() {
                Ok(frame) => assert!(frame.is_some()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, CaptureError::Packed { .. }), "{error}");
        assert!(cut.next_frame().unwrap().is_none());
    }
}
