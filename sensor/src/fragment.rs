//! Fragments of IP datagrams, put together.
//!
//! # Theory of operation
//! A fragment waits under source, destination, protocol and identification until every octet of its datagram from the
//! first to the last is there; then the datagram goes on as though it had come whole, with the time of the fragment
//! that completed it.
//!
//! # Stated policy
//! - *Overlap*, IPv4: the first copy of an octet stays, later copies are ignored, equal or not. Reported as
//!   `fragment_overlap` where they are equal, and as `fragment_inconsistency` where they are not.
//! - *Overlap*, IPv6: a host drops the whole datagram (RFC 5722), so nothing of it is read.
//! - *Time*: a datagram that is not whole [`LIFETIME`] after its first fragment is given up (RFC 8200, section 4.5).
//! - *Memory*: at most [`DATAGRAMS_MAX`] datagrams and [`OCTETS_MAX`] octets wait, of one datagram at most
//!   [`PARTS_MAX`] parts. Where more would, the oldest datagram is given up.
//! - *Cut captures*: of a fragment that was captured in part the rest is missing, and so is what follows it.
//!
//! What is given up is counted and reported as `incomplete_datagram`.
//!
//! Names of oddities are Zeek's where Zeek has one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use indexmap::IndexMap;

use crate::frame::{Fragment, IpPacket};

/// Nanoseconds.
const LIFETIME: u64 = 60 * 1_000_000_000;
const DATAGRAMS_MAX: usize = 512;
const OCTETS_MAX: usize = 4 << 20;
/// A datagram of 64 KiB over links of 576 octets has 119.
const PARTS_MAX: usize = 256;
/// The longest datagram.
const DATAGRAM_MAX: u32 = 65_535;
/// Fragments but the last are longer in earnest: no link's packets are shorter than 68 octets (RFC 791), IPv6's than
/// 1280. Zeek's limit.
const SMALL: u32 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    id: u32,
}

#[derive(Debug)]
struct Part {
    start: u32,
    end: u32,
    /// Shorter than the part where the capture was cut.
    octets: Vec<u8>,
}

#[derive(Debug)]
struct Partial {
    key: Key,
    begun: u64,
    header_len: u32,
    /// In order, without overlap.
    parts: Vec<Part>,
    /// Octets of the datagram that are there.
    covered: u32,
    /// Its end, where the last fragment was seen.
    end: Option<u32>,
    /// Nothing of it is read: what comes is swallowed until its time is over.
    dropped: bool,
}

impl Partial {
    fn octets(&self) -> usize {
        self.parts.iter().map(|part| part.octets.len()).sum()
    }
}

/// A datagram that is whole.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) octets: Vec<u8>,
    /// Octets that it had on the wire.
    pub(crate) len: usize,
    pub(crate) header_len: u32,
}

/// The datagrams that are not whole.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    numbers: IndexMap<Key, u64, foldhash::fast::RandomState>,
    /// By number: in the order in which they began.
    waiting: BTreeMap<u64, Partial>,
    next: u64,
    octets: usize,
    /// Datagrams given up.
    pub(crate) incomplete: u64,
}

impl Fragments {
    /// Takes a fragment; returns the datagram if that completes it. `weird` gets the names of what is odd about it.
    pub(crate) fn take(
        &mut self,
        at: u64,
        packet: &IpPacket<'_>,
        fragment: &Fragment<'_>,
        weird: &mut dyn FnMut(&'static str),
    ) -> Option<Whole> {
        self.expire(at, weird);
        let (start, len) = (fragment.offset, fragment.payload_len);
        if start + len > DATAGRAM_MAX {
            weird("excessively_large_fragment");
            return None;
        }
        if fragment.more && (len == 0 || !len.is_multiple_of(8)) {
            weird("fragment_with_odd_length");
            return None;
        }
        if fragment.more && len < SMALL {
            weird("excessively_small_fragment");
        }
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            id: fragment.id,
        };
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None => self.begin(key, at, packet.total_len - len, weird),
        };
        let partial = self.waiting.get_mut(&number)?;
        if partial.dropped {
            return None;
        }
        let before = partial.octets();
        partial.insert(start, fragment, weird);
        self.octets = self.octets + partial.octets() - before;
        if partial.end == Some(partial.covered) && !partial.dropped {
            let partial = self.remove(number)?;
            return Some(partial.join());
        }
        while self.octets > OCTETS_MAX {
            self.give_up_oldest(weird);
        }
        None
    }

    /// Gives up what has waited too long.
    pub(crate) fn expire(&mut self, now: u64, weird: &mut dyn FnMut(&'static str)) {
        while let Some((_, oldest)) = self.waiting.first_key_value() {
            if now.saturating_sub(oldest.begun) <= LIFETIME {
                break;
            }
            self.give_up_oldest(weird);
        }
    }

    fn begin(&mut self, key: Key, at: u64, header_len: u32, weird: &mut dyn FnMut(&'static str)) -> u64 {
        if self.waiting.len() >= DATAGRAMS_MAX {
            self.give_up_oldest(weird);
        }
        self.next += 1;
        self.numbers.insert(key, self.next);
        let partial =
            Partial { key, begun: at, header_len, parts: Vec::new(), covered: 0, end: None, dropped: false };
        self.waiting.insert(self.next, partial);
        self.next
    }

    fn remove(&mut self, number: u64) -> Option<Partial> {
        let partial = self.waiting.remove(&number)?;
        self.numbers.swap_remove(&partial.key);
        self.octets -= partial.octets();
        Some(partial)
    }

    fn give_up_oldest(&mut self, weird: &mut dyn FnMut(&'static str)) {
        let Some((&number, _)) = self.waiting.first_key_value() else { return };
        if self.remove(number).is_some_and(|partial| !partial.dropped) {
            self.incomplete += 1;
            weird("incomplete_datagram");
        }
    }
}

impl Partial {
    fn insert(&mut self, start: u32, fragment: &Fragment<'_>, weird: &mut dyn FnMut(&'static str)) {
        let mut end = start + fragment.payload_len;
        if !fragment.more {
            if self.end.is_some_and(|known| known != end)
                || self.parts.last().is_some_and(|last| last.end > end)
            {
                weird("fragment_size_inconsistency");
                return;
            }
            self.end = Some(end);
        }
        if let Some(known) = self.end
            && end > known
        {
            weird("fragment_size_inconsistency");
            end = known;
        }
        let octets = |from: u32, to: u32| {
            let payload = fragment.payload;
            let to = ((to - start) as usize).min(payload.len());
            payload.get((from - start) as usize..to).unwrap_or_default()
        };
        let (mut overlap, mut differs, mut same_place) = (false, false, false);
        let mut fresh = Vec::new();
        let mut at = start;
        for part in &self.parts {
            if part.end <= at {
                continue;
            }
            if part.start >= end {
                break;
            }
            overlap = true;
            same_place |= part.start == start && part.end == end;
            let (from, to) = (part.start.max(at), part.end.min(end));
            let known = &part.octets[part.octets.len().min((from - part.start) as usize)..];
            differs |= known.iter().zip(octets(from, to)).any(|(one, other)| one != other);
            if part.start > at {
                fresh.push((at, part.start));
            }
            at = part.end;
        }
        if at < end {
            fresh.push((at, end));
        }
        if overlap {
            weird(if differs { "fragment_inconsistency" } else { "fragment_overlap" });
            // An exact copy may come by a network's doing (RFC 8200, section 4.5).
            if self.key.source.is_ipv6() && (!same_place || differs) {
                self.dropped = true;
                self.parts.clear();
                return;
            }
        }
        if self.parts.len() + fresh.len() > PARTS_MAX {
            weird("too_many_fragments");
            self.dropped = true;
            self.parts.clear();
            return;
        }
        for (from, to) in fresh {
            self.covered += to - from;
            let place = self.parts.partition_point(|part| part.start < from);
            self.parts.insert(place, Part { start: from, end: to, octets: octets(from, to).to_vec() });
        }
    }

    fn join(self) -> Whole {
        let len = self.end.unwrap_or(0) as usize;
        let mut octets = Vec::with_capacity(len);
        for part in &self.parts {
            octets.extend_from_slice(&part.octets);
            if part.octets.len() < (part.end - part.start) as usize {
                break;
            }
        }
        Whole { octets, len, header_len: self.header_len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Checksum;
    use crate::frame::Transport;

    struct Bench {
        fragments: Fragments,
        weirds: Vec<&'static str>,
        v6: bool,
    }

    impl Bench {
        fn new(v6: bool) -> Self {
            Self { fragments: Fragments::default(), weirds: Vec::new(), v6 }
        }

        fn take(&mut self, at: u64, id: u32, offset: u32, more: bool, payload: &[u8]) -> Option<Vec<u8>> {
            let (source, destination): (IpAddr, IpAddr) = if self.v6 {
                ([0xfd00, 0, 0, 0, 0, 0, 0, 1].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 2].into())
            } else {
                ([10, 0, 0, 1].into(), [10, 0, 0, 2].into())
            };
            let payload_len = payload.len() as u32;
            let fragment = Fragment { id, offset, more, payload, payload_len };
            let packet = IpPacket {
                source,
                destination,
                total_len: 20 + payload_len,
                protocol: 17,
                transport: Transport::Fragment(fragment),
                checksum: Checksum::Right,
            };
            let weirds = &mut self.weirds;
            let whole = self.fragments.take(at, &packet, &fragment, &mut |name| weirds.push(name));
            whole.map(|whole| whole.octets)
        }
    }

    fn filled(letter: u8, len: usize) -> Vec<u8> {
        vec![letter; len]
    }

    #[test]
    fn a_datagram_is_whole_whatever_the_order_of_its_fragments() {
        let whole = [filled(1, 64), filled(2, 64), filled(3, 5)].concat();
        let pieces = [(0, true, &whole[..64]), (64, true, &whole[64..128]), (128, false, &whole[128..])];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut bench = Bench::new(false);
            let mut got = None;
            for (n, place) in order.into_iter().enumerate() {
                let (offset, more, payload) = pieces[place];
                got = bench.take(n as u64, 7, offset, more, payload);
                assert_eq!(got.is_some(), n == 2, "{order:?}");
            }
            assert_eq!(got.unwrap(), whole);
            assert!(bench.weirds.is_empty() && bench.fragments.waiting.is_empty());
            assert_eq!(bench.fragments.octets, 0);
        }
    }

    #[test]
    fn the_first_copy_of_an_octet_stays_in_ipv4_and_drops_the_datagram_in_ipv6() {
        for v6 in [false, true] {
            let mut bench = Bench::new(v6);
            bench.take(0, 7, 0, true, &filled(b'a', 64));
            assert_eq!(bench.take(0, 7, 0, true, &filled(b'a', 64)), None, "a copy");
            bench.take(1, 7, 0, true, &filled(b'X', 128));
            let whole = bench.take(2, 7, 128, false, &filled(b'c', 3));
            assert_eq!(bench.weirds, ["fragment_overlap", "fragment_inconsistency"]);
            let expected = [filled(b'a', 64), filled(b'X', 64), filled(b'c', 3)].concat();
            assert_eq!(whole, (!v6).then_some(expected));
        }
    }

    #[test]
    fn what_never_becomes_whole_is_given_up_and_counted() {
        let mut bench = Bench::new(false);
        bench.take(0, 1, 0, true, &filled(0, 64));
        assert_eq!(bench.take(LIFETIME + 1, 1, 64, false, &filled(0, 8)), None);
        assert_eq!((bench.fragments.incomplete, bench.weirds.as_slice()), (1, &["incomplete_datagram"][..]));
    }

    #[test]
    fn a_flood_of_fragments_is_bounded_and_counted() {
        let mut bench = Bench::new(false);
        for id in 0..5000 {
            bench.take(0, id, 8, true, &filled(0, 40_000));
            assert!(bench.fragments.octets <= OCTETS_MAX);
            assert!(bench.fragments.waiting.len() <= DATAGRAMS_MAX);
            assert_eq!(bench.fragments.waiting.len(), bench.fragments.numbers.len());
        }
        assert!(bench.fragments.incomplete > 4800);
        for offset in (0..40_000).step_by(16) {
            bench.take(0, 70_000, offset, true, &filled(0, 8));
        }
        assert!(bench.weirds.contains(&"too_many_fragments"));
    }

    #[test]
    fn sizes_that_cannot_be_are_named() {
        let mut bench = Bench::new(false);
        bench.take(0, 1, 65_528, false, &filled(0, 64));
        bench.take(0, 1, 0, true, &filled(0, 65));
        bench.take(0, 2, 0, false, &filled(0, 64));
        bench.take(0, 3, 64, false, &filled(0, 64));
        bench.take(0, 3, 128, true, &filled(0, 64));
        bench.take(0, 3, 64, false, &filled(0, 32));
        let expected = [
            "excessively_large_fragment",
            "fragment_with_odd_length",
            "fragment_size_inconsistency",
            "fragment_size_inconsistency",
        ];
        assert_eq!(bench.weirds, expected);
    }
}
