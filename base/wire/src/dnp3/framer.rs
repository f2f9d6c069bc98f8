//! Frames out of a stream that may hold anything: the device's side of the link layer.
//!
//! # Theory of operation
//! [`Framer`] keeps the octets that may still become a frame, at most [`FRAME_MAX`] of them. Checksums are looked at as soon
//! as their octets are there. Where a header or a block is wrong, the search goes on *one octet behind the start mark*,
//! not behind the length that the header claimed: so a frame that was cut off, or noise that happens to look like a
//! header, never swallows a whole frame that follows. What is held back is given up by [`Framer::give_up`], which a
//! reader calls when a frame has been on its way for too long.
//!
//! The lenient [`super::link::next_frame`] of the sensor trusts a good header for where the next frame begins. The price
//! of the policy here is that a frame within the data of a damaged frame is taken; opendnp3's parser does the same.

use super::crc::crc16;
use super::link::{FRAME_MAX, HEADER_LEN, LinkAddress, LinkControl, LinkHeader, START};

/// Octets of a full block with its CRC.
const BLOCK: usize = 18;

/// What a stream has brought so far, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FramerCounts {
    /// Whole frames.
    pub frames: u64,
    /// Starts whose header CRC or length was wrong.
    pub bad_headers: u64,
    /// Frames with a block whose CRC was wrong.
    pub bad_blocks: u64,
    /// Octets that belonged to no frame.
    pub noise_octets: u64,
}

/// Finds frames in a stream.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Octets at the front that are done with.
    done: usize,
    counts: FramerCounts,
}

impl Framer {
    /// Takes octets and gives every whole frame in them to `each`, with its user data.
    pub fn push(&mut self, octets: &[u8], mut each: impl FnMut(LinkHeader, &[u8])) {
        let mut user_data = [0; super::link::USER_DATA_MAX];
        // In pieces, so that memory is bounded whatever arrives at once.
        for piece in octets.chunks(FRAME_MAX) {
            self.buffer.extend_from_slice(piece);
            self.search(&mut user_data, &mut each);
        }
    }

    /// Frames that stand behind octets which never became one: to be called when nothing has arrived for long.
    pub fn give_up(&mut self, mut each: impl FnMut(LinkHeader, &[u8])) {
        let mut user_data = [0; super::link::USER_DATA_MAX];
        while self.is_waiting() {
            self.skip(1);
            self.search(&mut user_data, &mut each);
        }
    }

    /// Whether octets wait that may become a frame.
    pub const fn is_waiting(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// What was found so far.
    pub const fn counts(&self) -> FramerCounts {
        self.counts
    }

    fn skip(&mut self, octets: usize) {
        self.done += octets;
        self.counts.noise_octets += octets as u64;
    }

    fn search(&mut self, user_data: &mut [u8], each: &mut impl FnMut(LinkHeader, &[u8])) {
        loop {
            let front = self.buffer.get(self.done..).unwrap_or_default();
            match look(front, user_data) {
                Look::Short => break,
                Look::Noise(octets) => self.skip(octets),
                Look::BadHeader => {
                    self.counts.bad_headers += 1;
                    self.skip(1);
                }
                Look::BadBlock => {
                    self.counts.bad_blocks += 1;
                    self.skip(1);
                }
                Look::Frame { header, octets, data } => {
                    self.counts.frames += 1;
                    self.done += octets;
                    each(header, user_data.get(..data).unwrap_or_default());
                }
            }
        }
        self.buffer.drain(..self.done.min(self.buffer.len()));
        self.done = 0;
    }
}

enum Look {
    /// Right so far, not whole.
    Short,
    /// So many octets up to the next possible start.
    Noise(usize),
    BadHeader,
    BadBlock,
    Frame {
        header: LinkHeader,
        octets: usize,
        data: usize,
    },
}

fn look(front: &[u8], user_data: &mut [u8]) -> Look {
    match front {
        [] | [0x05] => return Look::Short,
        [0x05, 0x64, ..] => {}
        _ => {
            let start = front.windows(2).position(|pair| pair == START);
            let last = usize::from(front.last() == Some(&START[0]));
            return Look::Noise(start.unwrap_or(front.len() - last));
        }
    }
    let Some((head, mut rest)) = front.split_first_chunk::<HEADER_LEN>() else { return Look::Short };
    let &[_, _, length, control, d0, d1, s0, s1, c0, c1] = head;
    let Some(mut left) = usize::from(length).checked_sub(5) else { return Look::BadHeader };
    if u16::from_le_bytes([c0, c1]) != crc16(&head[..8]) {
        return Look::BadHeader;
    }
    let (mut octets, mut data) = (HEADER_LEN, 0);
    while left > 0 {
        let size = left.min(BLOCK - 2);
        let Some((block, behind)) = rest.split_at_checked(size + 2) else { return Look::Short };
        let (block, crc) = block.split_at(size);
        if crc != crc16(block).to_le_bytes() {
            return Look::BadBlock;
        }
        if let Some(place) = user_data.get_mut(data..data + size) {
            place.copy_from_slice(block);
        }
        (rest, left, data, octets) = (behind, left - size, data + size, octets + size + 2);
    }
    let header = LinkHeader {
        control: LinkControl(control),
        destination: LinkAddress(u16::from_le_bytes([d0, d1])),
        source: LinkAddress(u16::from_le_bytes([s0, s1])),
    };
    Look::Frame { header, octets, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(source: u16, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        LinkHeader { control: LinkControl(0xc4), destination: LinkAddress(10), source: LinkAddress(source) }
            .emit(&vec![source as u8; len], &mut out);
        out
    }

    fn sources(framer: &mut Framer, octets: &[u8]) -> Vec<u16> {
        let mut found = Vec::new();
        framer.push(octets, |header, data| {
            assert!(data.iter().all(|octet| *octet == header.source.0 as u8));
            found.push(header.source.0);
        });
        found
    }

    #[test]
    fn a_frame_that_was_cut_off_does_not_swallow_the_next() {
        let mut framer = Framer::default();
        let cut = frame(1, 200);
        let stream = [&cut[..40], &frame(2, 20), &frame(3, 0)].concat();
        assert_eq!(sources(&mut framer, &stream), [2, 3]);
        assert_eq!(framer.counts().bad_blocks, 1);
    }

    #[test]
    fn what_waits_behind_a_header_without_its_blocks_is_found_when_it_is_given_up() {
        let mut framer = Framer::default();
        let stream = [&frame(1, 200)[..10], &frame(2, 0)].concat();
        assert_eq!(sources(&mut framer, &stream), Vec::<u16>::new());
        assert!(framer.is_waiting());
        let mut found = Vec::new();
        framer.give_up(|header, _| found.push(header.source.0));
        assert_eq!(found, [2]);
        assert!(!framer.is_waiting());
    }

    #[test]
    fn octets_may_come_one_by_one() {
        let mut framer = Framer::default();
        let stream = [vec![5, 5, 0x64, 9], frame(7, 33), vec![0x64], frame(8, 250)].concat();
        let found: Vec<u16> = stream.iter().flat_map(|octet| sources(&mut framer, &[*octet])).collect();
        assert_eq!(found, [7, 8]);
        assert!(!framer.is_waiting());
    }
}
