//! The part of a capture file that is at hand: filled from any source of octets, unpacked where it is packed.
//!
//! A window grows with what is really there, never with what a length field claims, and reads no more than it is asked
//! for where the source has no more yet: a capture on a pipe is looked at frame by frame, as it comes. A source whose
//! first octets are gzip's (RFC 1952) is unpacked on the way, as slowly as it is read: a file that unpacks to a
//! thousand times its size costs time, not memory.

use std::io::{self, Chain, Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::MultiGzDecoder;

/// Octets that a window has room for at first: what is asked of the source at a time.
const ROOM: usize = 256 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];

enum Source<R> {
    Plain(R),
    Packed(Box<MultiGzDecoder<Chain<Cursor<Vec<u8>>, R>>>),
}

/// Octets of a source from the first that is not used up.
pub(crate) struct Window<R> {
    source: Source<R>,
    room: Vec<u8>,
    at: usize,
    end: usize,
    /// Octet of the unpacked file that `room[at]` is.
    offset: u64,
    /// What the source said when it failed; what came before it is used first.
    failed: Option<io::Error>,
    /// Set from outside: the source counts as ended.
    stop: Option<&'static AtomicBool>,
    stopped: bool,
}

impl<R> std::fmt::Debug for Window<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window").field("at", &self.at).field("end", &self.end).finish_non_exhaustive()
    }
}

impl<R: Read> Window<R> {
    /// Looks at the first two octets of a source.
    pub(crate) fn new(mut source: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(2);
        (&mut source).take(2).read_to_end(&mut head)?;
        let mut room = vec![0; ROOM];
        let mut end = 0;
        let source = if head == GZIP {
            Source::Packed(Box::new(MultiGzDecoder::new(Cursor::new(head).chain(source))))
        } else {
            end = head.len();
            room[..end].copy_from_slice(&head);
            Source::Plain(source)
        };
        Ok(Self { source, room, at: 0, end, offset: 0, failed: None, stop: None, stopped: false })
    }

    /// From when on `flag` is set, nothing more is read; a read that waits ends when a signal interrupts it.
    pub(crate) fn stop_at(&mut self, flag: &'static AtomicBool) {
        self.stop = Some(flag);
    }

    /// Whether it is unpacked on the way.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.source, Source::Packed(_))
    }

    /// Whether the flag ended it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What is at hand.
    pub(crate) fn rest(&self) -> &[u8] {
        self.room.get(self.at..self.end).unwrap_or_default()
    }

    /// Octets from a place in the window, as [`Window::place`] counts it.
    pub(crate) fn octets(&self, place: usize, len: usize) -> &[u8] {
        self.room.get(place..place + len).unwrap_or_default()
    }

    /// Where the first octet that is not used up lies.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// Octets used up so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// A 32-bit word of what is at hand; 0 where it is too short.
    pub(crate) fn word(&self, at: usize, big_endian: bool) -> u32 {
        let octets = self.rest().get(at..at + 4).and_then(|octets| octets.first_chunk()).copied();
        let octets = octets.unwrap_or_default();
        if big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.end);
        self.offset += count as u64;
    }

    /// What the source said when it failed, once.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Reads until at least `need` octets are at hand, or the source ends or fails; says how many there are.
    pub(crate) fn fill(&mut self, need: usize) -> usize {
        if self.end - self.at >= need {
            return self.end - self.at;
        }
        if self.at + need > self.room.len() {
            self.room.copy_within(self.at..self.end, 0);
            self.end -= self.at;
            self.at = 0;
        }
        while self.end - self.at < need && self.failed.is_none() {
            self.stopped = self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
            if self.stopped {
                break;
            }
            if self.end == self.room.len() {
                // Full of octets that are really there.
                self.room.resize((self.room.len() * 2).min(self.at + need), 0);
            }
            let into = &mut self.room[self.end..];
            let got = match &mut self.source {
                Source::Plain(source) => source.read(into),
                Source::Packed(source) => source.read(into),
            };
            match got {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed = Some(error),
            }
        }
        self.end - self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// Gives one octet at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(into.len()).min(1);
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn packed(octets: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(octets).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn no_more_is_read_than_asked_for_where_there_is_no_more() {
        let mut window = Window::new(Slow(b"abcdef")).unwrap();
        assert_eq!(window.fill(4), 4);
        assert_eq!(window.rest(), b"abcd");
        window.consume(3);
        assert_eq!((window.fill(9), window.rest(), window.offset()), (3, &b"def"[..], 3));
    }

    #[test]
    fn packed_octets_come_out_as_they_were_in_parts_too() {
        let octets: Vec<u8> = (0..200_000_u32).map(|n| (n * 7) as u8).collect();
        let both = [packed(&octets[..100_000]), packed(&octets[100_000..])].concat();
        let mut window = Window::new(Slow(&both)).unwrap();
        assert!(window.is_packed());
        assert_eq!(window.fill(octets.len()), octets.len());
        assert_eq!(window.rest(), octets);
        assert_eq!(window.fill(octets.len() + 1), octets.len());
        assert!(window.take_failure().is_none());
    }

    #[test]
    fn what_came_before_the_damage_is_at_hand() {
        let octets: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(n) as u8).collect();
        let mut damaged = packed(&octets);
        damaged.truncate(damaged.len() / 2);
        let mut window = Window::new(&damaged[..]).unwrap();
        let got = window.fill(octets.len());
        assert!(got > 10 && got < octets.len(), "{got}");
        assert_eq!(window.rest(), &octets[..got]);
        assert!(window.take_failure().is_some());
    }

    #[test]
    fn a_file_of_zeros_costs_no_more_memory_than_is_asked_for() {
        let bomb = packed(&vec![0; 8 << 20]);
        assert!(bomb.len() < 16 << 10);
        let mut window = Window::new(&bomb[..]).unwrap();
        let mut sum = 0;
        while window.fill(1000) >= 1000 {
            window.consume(1000);
            sum += 1000;
        }
        assert!(sum > 8_000_000 && window.room.len() == ROOM);
    }
}
