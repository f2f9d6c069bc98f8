//! Writes captures as pcapng, with times in nanoseconds, the same octets for the same frames.
//!
//! ```text
//! section header  "EXERCISE" as its comment; no names of hardware, system or application
//! interface       Ethernet, if_name, if_tsresol = 9
//! enhanced packet time (high, low), lengths, octets padded to 4          one per frame
//! ```
//! Little-endian. Source: draft-ietf-opsawg-pcapng-02.

use std::io::{self, Write};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const LINKTYPE_ETHERNET: u16 = 1;
const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;

/// Writes one capture of one interface.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    frames: u64,
}

impl<W: Write> PcapngWriter<W> {
    /// Starts a capture. `interface` is the name that Wireshark shows, for example `span-control`.
    pub fn new(mut out: W, interface: &str) -> io::Result<Self> {
        let mut section = Vec::new();
        section.extend(BYTE_ORDER.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        section.extend(u64::MAX.to_le_bytes());
        option(&mut section, OPTION_COMMENT, b"EXERCISE: simulated traffic, nothing in it is real");
        option(&mut section, OPTION_END, b"");
        block(&mut out, SECTION_HEADER, &section)?;

        let mut description = Vec::new();
        description.extend(LINKTYPE_ETHERNET.to_le_bytes());
        description.extend(0_u16.to_le_bytes());
        description.extend(0_u32.to_le_bytes());
        option(&mut description, IF_NAME, interface.as_bytes());
        option(&mut description, IF_TSRESOL, &[9]);
        option(&mut description, OPTION_END, b"");
        block(&mut out, INTERFACE, &description)?;
        Ok(Self { out, frames: 0 })
    }

    /// Adds a frame; `unix_nanos` is its time in nanoseconds since 1970.
    pub fn write(&mut self, unix_nanos: u64, frame: &[u8]) -> io::Result<()> {
        let padding = frame.len().next_multiple_of(4) - frame.len();
        let length = (32 + frame.len() + padding) as u32;
        let words = [
            ENHANCED_PACKET,
            length,
            0,
            (unix_nanos >> 32) as u32,
            unix_nanos as u32,
            frame.len() as u32,
            frame.len() as u32,
        ];
        let mut head = [0; 28];
        for (octets, word) in head.chunks_exact_mut(4).zip(words) {
            octets.copy_from_slice(&word.to_le_bytes());
        }
        self.out.write_all(&head)?;
        self.out.write_all(frame)?;
        self.out.write_all(&[0; 3][..padding])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.frames += 1;
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Passes on what the writer below holds back.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = (12 + body.len()) as u32;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Names and comments are ours and short; an overlong one is cut.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use pcap_parser::pcapng::Block;
    use pcap_parser::{PcapBlockOwned, PcapNGReader, traits::PcapReaderIterator};

    use super::*;

    #[test]
    fn an_independent_reader_sees_the_same_times_and_octets() {
        let frames: Vec<(u64, Vec<u8>)> =
            (0..9).map(|n| (1_612_512_000_123_456_789 + n, (0..60 + n as u8).collect())).collect();
        let mut writer = PcapngWriter::new(Vec::new(), "span-control").unwrap();
        for (time, frame) in &frames {
            writer.write(*time, frame).unwrap();
        }
        assert_eq!(writer.frames(), 9);
        let capture = writer.finish().unwrap();

        let mut reader = PcapNGReader::new(65_536, &capture[..]).unwrap();
        let (mut seen, mut resolution) = (Vec::new(), 0);
        while let Ok((length, block)) = reader.next() {
            match block {
                PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                    resolution = interface.if_tsresol;
                }
                PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                    let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                    seen.push((time, packet.data[..packet.caplen as usize].to_vec()));
                }
                _ => {}
            }
            reader.consume(length);
        }
        assert_eq!(resolution, 9);
        assert_eq!(seen, frames);
    }
}
