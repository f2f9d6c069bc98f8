//! DNP3 in a connection: streams and datagrams to link frames, segments to fragments.
//!
//! # Theory of operation
//! Each direction has a scanner that looks for frames. A frame is found by its start octets and a header whose checksum
//! is right, so the scanner always finds its way back: noise, damaged headers and missing octets are passed over and
//! said, by Zeek's names where Zeek has one. A frame with a damaged block is dropped, alone.
//!
//! User data go to the reassembly of their *link*: the pair of link addresses, and the direction. Whole fragments come
//! out ([`Item::Dnp3`]), and frames without user data as they are ([`Item::Dnp3Link`]). What belongs together, requests
//! and responses, is `talk`'s.
//!
//! A UDP datagram holds whole frames and stands alone; fragments may span datagrams.
//!
//! # Bounds
//! At most [`LINKS_MAX`] links per connection, the oldest is forgotten where more come; at most [`FRAGMENT_MAX`] octets
//! per fragment, and [`COLLECTED_MAX`] octets that wait for more segments in a connection; at most one unfinished frame
//! per direction. What all connections hold together is bounded by the table of connections (`flow`).

mod names;
mod record;
pub(crate) mod rows;
mod sentence;
mod take;
mod talk;
mod values;

use wire::dnp3::link::{Framing, Noise, next_frame};
use wire::dnp3::{
    FunctionCode, LinkAddress, LinkFrame, LinkHeader, Reassembly, SegmentLost, TransportHeader,
};

use crate::analyser::{Item, Items};
use crate::stream::Piece;

pub(crate) use record::{Dnp3Record, FIELDS};
pub(crate) use take::Scratch;
pub(crate) use talk::{Talk, Told};

/// Links per connection: one is the rule, broadcasts make a second.
const LINKS_MAX: usize = 16;
/// Octets of a fragment: 64 full segments, after which a sequence number would come twice.
pub(crate) const FRAGMENT_MAX: usize = 64 * 249;
/// Octets that wait for more segments, all links of a connection together.
const COLLECTED_MAX: usize = 2 * FRAGMENT_MAX;

#[derive(Debug, Default)]
struct Scanner {
    /// The front of a frame.
    buffer: Vec<u8>,
    /// Octets are missing: noise up to the next frame is no news.
    lost: bool,
}

/// Two stations that talk over a connection.
#[derive(Debug)]
struct Link {
    /// Link addresses of the originator's and of the responder's side.
    ends: (LinkAddress, LinkAddress),
    collecting: [Reassembly; 2],
    talk: Talk,
}

/// A request that `dnp3.log` has not told yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: u64,
    pub(crate) function: FunctionCode,
}

/// The DNP3 side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Dnp3Conn {
    scanners: [Scanner; 2],
    links: Vec<Link>,
    /// Where the next link goes when there are too many.
    oldest: usize,
    frames: u64,
    /// Messages may have been missed: seen from the middle, octets lost, or datagrams.
    unseen: bool,
    pub(crate) asked: Option<Asked>,
}

impl Dnp3Conn {
    /// `partial`: the connection is seen from the middle, so that its first segment may not begin a frame.
    pub(crate) fn new(partial: bool) -> Self {
        let mut conn = Self { unseen: partial, ..Self::default() };
        conn.scanners.iter_mut().for_each(|scanner| scanner.lost = partial);
        conn
    }

    /// Whether a frame with a good header was seen.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.frames > 0
    }

    /// Octets of unfinished fragments.
    pub(crate) fn held(&self) -> usize {
        self.links.iter().flat_map(|link| &link.collecting).map(|side| side.collected().len()).sum()
    }

    /// Drops unfinished fragments.
    pub(crate) fn forget_held(&mut self) {
        self.links.iter_mut().flat_map(|link| &mut link.collecting).for_each(Reassembly::clear);
    }

    /// What was said between the two stations of a frame; `None` where so many others followed that it is forgotten.
    pub(crate) fn talk(&mut self, from_orig: bool, header: LinkHeader) -> Option<&mut Talk> {
        let ends = ends(from_orig, header);
        self.links.iter_mut().find(|link| link.ends == ends).map(|link| &mut link.talk)
    }

    /// The two stations of a frame.
    fn link(&mut self, from_orig: bool, header: LinkHeader) -> &mut Link {
        let ends = ends(from_orig, header);
        let at = self.links.iter().position(|link| link.ends == ends).unwrap_or_else(|| {
            let talk = Talk::new(self.unseen || self.links.len() == LINKS_MAX);
            let link = Link { ends, collecting: <[Reassembly; 2]>::default(), talk };
            if self.links.len() < LINKS_MAX {
                self.links.push(link);
                self.links.len() - 1
            } else {
                let at = self.oldest;
                self.oldest = (at + 1) % LINKS_MAX;
                self.links[at] = link;
                at
            }
        });
        &mut self.links[at]
    }

    /// Takes what a direction of a TCP connection gave out.
    pub(crate) fn deliver(&mut self, from_orig: bool, piece: Piece<'_>, out: &mut Items) {
        let side = usize::from(!from_orig);
        let octets = match piece {
            Piece::Octets(octets) => octets,
            Piece::Gap(_) => {
                self.scanners[side].buffer.clear();
                self.scanners[side].lost = true;
                self.unseen = true;
                self.links.iter_mut().for_each(|link| link.talk.missed());
                return;
            }
        };
        if self.scanners[side].buffer.is_empty() {
            // The ordinary case: whole frames in a segment, not copied twice.
            let used = self.scan(from_orig, octets, out);
            self.scanners[side].buffer.extend_from_slice(octets.get(used..).unwrap_or_default());
        } else {
            let mut buffer = std::mem::take(&mut self.scanners[side].buffer);
            buffer.extend_from_slice(octets);
            let used = self.scan(from_orig, &buffer, out);
            buffer.drain(..used);
            self.scanners[side].buffer = buffer;
        }
    }

    /// Takes a UDP datagram.
    pub(crate) fn datagram(&mut self, from_orig: bool, octets: &[u8], out: &mut Items) {
        self.unseen = true;
        let used = self.scan(from_orig, octets, out);
        if used < octets.len() {
            out.weird("dnp3_datagram_cut", (octets.len() - used) as u16);
        }
    }

    /// Takes frames off the front; says how many octets were used.
    fn scan(&mut self, from_orig: bool, octets: &[u8], out: &mut Items) -> usize {
        let mut used = 0;
        loop {
            let rest = octets.get(used..).unwrap_or_default();
            match next_frame(rest) {
                Framing::Short { .. } => return used,
                Framing::Whole { frame, consumed } => {
                    self.scanners[usize::from(!from_orig)].lost = false;
                    self.frame(from_orig, &frame, out);
                    used += consumed;
                }
                Framing::Noise { cause, consumed } => {
                    let lost = &mut self.scanners[usize::from(!from_orig)].lost;
                    match cause {
                        Noise::NoStart if *lost => {}
                        Noise::NoStart => {
                            let first = [rest.first(), rest.get(1)].map(|octet| octet.copied().unwrap_or(0));
                            out.weird("dnp3_header_lacks_magic", u16::from_be_bytes(first));
                            *lost = true;
                        }
                        Noise::HeaderCrc { got, .. } => {
                            out.weird("dnp3_corrupt_header_checksum", got);
                            *lost = true;
                        }
                        Noise::Length { length } => {
                            out.weird("dnp3_negative_or_zero_length_link_layer", u16::from(length));
                        }
                    }
                    used += consumed;
                }
            }
        }
    }

    fn frame(&mut self, from_orig: bool, frame: &LinkFrame<'_>, out: &mut Items) {
        self.frames += 1;
        let header = frame.header;
        if header.control.function().is_none() {
            out.weird("dnp3_unknown_link_function", u16::from(header.control.0));
        }
        if frame.user_data_len() == 0 {
            out.items.push(Item::Dnp3Link { from_orig, header });
            return;
        }
        if !header.control.has_user_data() {
            // An outstation that keeps to the standard is deaf to these, one that does not is not: they are read.
            out.weird("dnp3_user_data_under_link_function", u16::from(header.control.code()));
        }
        let start = out.octets.len();
        if let Err(bad) = frame.user_data(&mut out.octets) {
            out.weird("dnp3_corrupt_app_chunk_checksum", bad.block as u16);
            return;
        }
        let single = TransportHeader(out.octets.get(start).copied().unwrap_or(0)).is_first();
        let side = usize::from(!from_orig);
        let link = self.link(from_orig, header);
        let collecting = &mut link.collecting[side];
        let result = collecting.push(out.octets.get(start..).unwrap_or_default(), FRAGMENT_MAX);
        let (whole, lost, repeated) = (result.fragment.is_some(), result.lost, result.repeated);
        if whole && !single {
            out.octets.truncate(start);
            out.octets.extend_from_slice(collecting.collected());
            collecting.clear();
        }
        let waits = collecting.is_collecting();
        if repeated {
            out.weird("dnp3_repeated_segment", 0);
        }
        if let Some(lost) = lost {
            let (name, number) = lost_name(lost);
            out.weird(name, number);
        }
        if whole {
            let at = start + usize::from(single)..out.octets.len();
            out.items.push(Item::Dnp3 { from_orig, header, at });
        } else {
            out.octets.truncate(start);
        }
        if waits {
            self.bound_collected(header, from_orig, out);
        }
    }

    /// Gives up what other links collected, where all together is too much.
    fn bound_collected(&mut self, header: LinkHeader, from_orig: bool, out: &mut Items) {
        if self.links.len() > 1 && self.held() > COLLECTED_MAX {
            out.weird("dnp3_too_many_unfinished_fragments", self.links.len() as u16);
            let keep = self.link(from_orig, header).ends;
            for link in self.links.iter_mut().filter(|link| link.ends != keep) {
                link.collecting.iter_mut().for_each(Reassembly::clear);
            }
        }
    }
}

/// Link addresses of the originator's and of the responder's side.
const fn ends(from_orig: bool, header: LinkHeader) -> (LinkAddress, LinkAddress) {
    if from_orig { (header.source, header.destination) } else { (header.destination, header.source) }
}

/// What lost segments are called; by Zeek's name where it has one.
fn lost_name(lost: SegmentLost) -> (&'static str, u16) {
    match lost {
        SegmentLost::Empty => ("dnp3_empty_segment", 0),
        SegmentLost::NoFirst => ("dnp3_first_application_layer_chunk_missing", 0),
        SegmentLost::OutOfSequence { got, .. } => ("dnp3_segment_out_of_sequence", u16::from(got)),
        SegmentLost::Unfinished { octets } => ("dnp3_unfinished_fragment", octets as u16),
        SegmentLost::TooLong { limit } => ("dnp3_fragment_too_long", limit as u16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::dnp3::transport::segments;
    use wire::dnp3::{LinkControl, LinkFunction};

    fn frames(fragment: &[u8], destination: u16) -> Vec<Vec<u8>> {
        let header = LinkHeader {
            control: LinkControl::new(true, LinkFunction::UnconfirmedUserData, false, false),
            destination: LinkAddress(destination),
            source: LinkAddress(1),
        };
        let emit = |segment: Vec<u8>| {
            let mut out = Vec::new();
            header.emit(&segment, &mut out);
            out
        };
        segments(fragment, 0).map(emit).collect()
    }

    /// Fragments and names of oddities, in order.
    fn play(conn: &mut Dnp3Conn, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<&'static str>) {
        let mut items = Items::default();
        let (mut fragments, mut weirds) = (Vec::new(), Vec::new());
        for piece in pieces {
            let piece = if piece.is_empty() { Piece::Gap(5) } else { Piece::Octets(piece) };
            conn.deliver(true, piece, &mut items);
            for item in items.items.drain(..) {
                match item {
                    Item::Dnp3 { at, .. } => fragments.push(items.octets[at].to_vec()),
                    Item::Weird { name, .. } => weirds.push(name),
                    _ => {}
                }
            }
            items.clear();
        }
        (fragments, weirds)
    }

    #[test]
    fn fragments_come_out_however_the_stream_is_cut() {
        let fragment: Vec<u8> = (0..700_u16).map(|n| n as u8).collect();
        let stream = frames(&fragment, 10).concat();
        for cut in 1..stream.len() {
            let mut conn = Dnp3Conn::new(false);
            let (fragments, weirds) = play(&mut conn, &[&stream[..cut], &stream[cut..]]);
            assert_eq!((fragments.len(), weirds.len()), (1, 0), "{cut}");
            assert_eq!(fragments[0], fragment);
        }
        let octets: Vec<_> = stream.chunks(1).collect();
        assert_eq!(play(&mut Dnp3Conn::new(false), &octets).0, [fragment]);
    }

    #[test]
    fn damage_costs_its_frame_and_nothing_behind_it() {
        let good = frames(&[0xc0, 1, 60, 2, 6], 10).concat();
        let mut bad_header = good.clone();
        bad_header[4] ^= 1;
        let mut bad_block = good.clone();
        bad_block[12] ^= 1;
        let stream = [&b"noise"[..], &good, &bad_header, &good, &bad_block, &good].concat();
        let (fragments, weirds) = play(&mut Dnp3Conn::new(false), &[&stream]);
        assert_eq!(fragments.len(), 3);
        let names =
            ["dnp3_header_lacks_magic", "dnp3_corrupt_header_checksum", "dnp3_corrupt_app_chunk_checksum"];
        assert_eq!(weirds, names);
    }

    #[test]
    fn a_gap_and_a_start_in_the_middle_are_no_noise() {
        let good = frames(&[0xc0, 1, 60, 2, 6], 10).concat();
        let (fragments, weirds) =
            play(&mut Dnp3Conn::new(true), &[&good[5..], &good, &good[..8], &[], &good]);
        assert_eq!((fragments.len(), weirds), (2, vec![]));
    }

    #[test]
    fn links_do_not_disturb_each_other_and_are_bounded() {
        let fragment = [7; 400];
        let mut conn = Dnp3Conn::new(false);
        let (a, b) = (frames(&fragment, 10), frames(&fragment, 11));
        let (fragments, weirds) = play(&mut conn, &[&a[0], &b[0], &a[1], &b[1]]);
        assert_eq!((fragments.len(), weirds), (2, vec![]));
        for destination in 0..200 {
            let long = frames(&[1; 15_000], destination);
            let (fragments, _) = play(&mut conn, &[&long[..long.len() - 1].concat()]);
            assert!(fragments.is_empty() && conn.links.len() <= LINKS_MAX);
            assert!(conn.held() > 0 && conn.held() <= COLLECTED_MAX);
        }
        conn.forget_held();
        assert_eq!(conn.held(), 0);
    }
}
