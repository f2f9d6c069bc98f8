//! One direction of a TCP stream, put in order.
//!
//! # Theory of operation
//! Octets are counted from 1; 0 is the SYN. Octets that follow what was given out are given out at once. Octets
//! behind a hole wait, until the hole is filled or the other side acknowledges beyond it: then they were lost on the
//! way to the sensor, not on the way to the host, and a gap is reported.
//!
//! # Stated policy
//! - *Overlap*: the first copy of an octet stays, later copies are ignored, equal or not.
//! - *Retransmission*: ignored, but counted in the connection's history (`t`).
//! - *Loss*: the gap is reported with its length, and the analyser starts afresh behind it.
//! - *Memory*: at most [`WAITING_MAX`] octets wait per direction. Where more would, the hole counts as lost. What waits
//!   in all connections together is bounded by the table of connections (see `flow`).

use std::collections::BTreeMap;

/// Octets that may wait behind a hole, per direction.
pub(crate) const WAITING_MAX: usize = 64 << 10;
/// Segments that may wait behind a hole, per direction.
const WAITING_SEGMENTS_MAX: usize = 256;
/// What keeping a segment costs beside its octets: its place in the tree, its vector, the allocator's share.
const SEGMENT_COST: usize = 96;

/// What a stream gives out, in order.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    /// Octets that follow the ones before.
    Octets(&'a [u8]),
    /// As many octets are missing here.
    Gap(u64),
}

/// One direction of a TCP stream.
#[derive(Debug)]
pub(crate) struct Stream {
    /// First octet that was not given out.
    next: u64,
    /// Segments behind a hole: first octet, length, and the octets where somebody wants them.
    waiting: BTreeMap<u64, (u32, Vec<u8>)>,
    waiting_octets: usize,
}

impl Default for Stream {
    fn default() -> Self {
        Self { next: 1, waiting: BTreeMap::new(), waiting_octets: 0 }
    }
}

impl Stream {
    /// Starts over at octet 1.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Whether octets wait behind a hole.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Octets of memory that what waits takes.
    pub(crate) fn held(&self) -> usize {
        self.waiting_octets + self.waiting.len() * SEGMENT_COST
    }

    /// Drops what waits. Once the other side acknowledges it, it shows as a gap.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_octets = 0;
    }

    /// Takes a segment. `octets` may be shorter than `len` where the capture was cut; the rest is a gap then.
    /// Octets are kept only while `wanted`.
    pub(crate) fn segment(
        &mut self,
        start: u64,
        len: u32,
        octets: &[u8],
        wanted: bool,
        out: &mut dyn FnMut(Piece<'_>),
    ) {
        let end = start + u64::from(len);
        if end <= self.next {
            return;
        }
        if start > self.next {
            self.keep(start, len, octets, wanted);
            if self.waiting_octets > WAITING_MAX || self.waiting.len() > WAITING_SEGMENTS_MAX {
                self.lose_first_hole(out);
            }
            return;
        }
        let known = (self.next - start) as usize;
        let fresh = octets.get(known..).unwrap_or_default();
        if !fresh.is_empty() {
            out(Piece::Octets(fresh));
        }
        let missing = (end - self.next) - fresh.len() as u64;
        if missing > 0 {
            out(Piece::Gap(missing));
        }
        self.next = end;
        if !self.waiting.is_empty() {
            self.give_out_ready(out);
        }
    }

    /// The other side has everything before `seq`: what is missing there was lost on the way to the sensor.
    pub(crate) fn acknowledged(&mut self, seq: u64, out: &mut dyn FnMut(Piece<'_>)) {
        while seq > self.next {
            let hole_end = self.waiting.first_key_value().map_or(seq, |(start, _)| seq.min(*start));
            if hole_end > self.next {
                out(Piece::Gap(hole_end - self.next));
                self.next = hole_end;
            }
            self.give_out_ready(out);
        }
    }

    fn keep(&mut self, start: u64, len: u32, octets: &[u8], wanted: bool) {
        // The first copy stays: what is already there at this place is not touched.
        if let Some((known, _)) = self.waiting.get(&start)
            && *known >= len
        {
            return;
        }
        let octets = if wanted { octets.to_vec() } else { Vec::new() };
        self.waiting_octets += octets.len();
        if let Some((_, old)) = self.waiting.insert(start, (len, octets)) {
            self.waiting_octets -= old.len();
        }
    }

    fn lose_first_hole(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some((&start, _)) = self.waiting.first_key_value()
            && start > self.next
        {
            out(Piece::Gap(start - self.next));
            self.next = start;
        }
        self.give_out_ready(out);
    }

    fn give_out_ready(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (start, (len, octets)) = entry.remove_entry();
            self.waiting_octets -= octets.len();
            let end = start + u64::from(len);
            if end <= self.next {
                continue;
            }
            let fresh = octets.get((self.next - start) as usize..).unwrap_or_default();
            if !fresh.is_empty() {
                out(Piece::Octets(fresh));
            }
            let missing = (end - self.next) - fresh.len() as u64;
            if missing > 0 && !octets.is_empty() {
                out(Piece::Gap(missing));
            }
            self.next = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stream: &mut Stream, start: u64, octets: &str) -> String {
        let mut said = String::new();
        let len = octets.len() as u32;
        stream.segment(start, len, octets.as_bytes(), true, &mut |piece| said.push_str(&show(&piece)));
        said
    }

    fn show(piece: &Piece<'_>) -> String {
        match piece {
            Piece::Octets(octets) => String::from_utf8_lossy(octets).into_owned(),
            Piece::Gap(count) => format!("<{count}>"),
        }
    }

    #[test]
    fn segments_come_out_in_order_whatever_order_they_came_in() {
        let mut stream = Stream::default();
        assert_eq!(text(&mut stream, 4, "def"), "");
        assert_eq!(text(&mut stream, 7, "ghi"), "");
        assert_eq!(text(&mut stream, 1, "abc"), "abcdefghi");
        assert!(!stream.is_waiting());
    }

    #[test]
    fn the_first_copy_of_an_octet_stays() {
        let mut stream = Stream::default();
        assert_eq!(text(&mut stream, 1, "abc"), "abc");
        assert_eq!(text(&mut stream, 1, "XYZd"), "d");
        assert_eq!(text(&mut stream, 2, "bc"), "");
    }

    #[test]
    fn a_hole_that_is_acknowledged_is_a_gap() {
        let mut stream = Stream::default();
        text(&mut stream, 1, "ab");
        text(&mut stream, 5, "ef");
        let mut said = String::new();
        stream.acknowledged(7, &mut |piece| said.push_str(&show(&piece)));
        assert_eq!(said, "<2>ef");
        stream.acknowledged(9, &mut |piece| said.push_str(&show(&piece)));
        assert_eq!(said, "<2>ef<2>");
    }

    #[test]
    fn waiting_octets_are_bounded() {
        let mut stream = Stream::default();
        let segment = vec![0; 1000];
        let mut gaps = 0;
        for n in 0..1000 {
            stream.segment(10 + n * 2000, 1000, &segment, true, &mut |piece| {
                gaps += u64::from(matches!(piece, Piece::Gap(_)));
            });
            assert!(stream.waiting_octets <= WAITING_MAX + 1000);
        }
        assert!(gaps > 900);
    }

    #[test]
    fn what_was_dropped_for_want_of_memory_shows_as_a_gap() {
        let mut stream = Stream::default();
        text(&mut stream, 1, "ab");
        text(&mut stream, 5, "ef");
        assert_eq!(stream.held(), 2 + SEGMENT_COST);
        stream.forget_waiting();
        assert_eq!(stream.held(), 0);
        let mut said = String::new();
        stream.acknowledged(7, &mut |piece| said.push_str(&show(&piece)));
        assert_eq!(said, "<4>");
        assert_eq!(text(&mut stream, 7, "gh"), "gh");
    }

    #[test]
    fn octets_cut_off_the_capture_are_a_gap() {
        let mut stream = Stream::default();
        let mut said = String::new();
        stream.segment(1, 10, b"abc", true, &mut |piece| said.push_str(&show(&piece)));
        assert_eq!(said, "abc<7>");
    }
}
