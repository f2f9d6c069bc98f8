//! What a sender left to its network card: checksums that are unfinished, segments larger than a frame.
//!
//! Between containers there is no card that would do it, so frames arrive half done. `PACKET_VNET_HDR` puts the
//! header of virtio-net (virtio 1.2, section 5.1.6) in front of each frame, which says what is left to do:
//!
//! ```text
//! 0 flags   1 kind of segments   2 header length   4 octets per segment   6 checksum from   8 checksum at
//! ```
//!
//! Numbers are in the machine's own order. Here it is done, and the lab sees frames as a cable would carry them.

use smoltcp::wire::{IpAddress, Ipv4Packet, TcpPacket};

use crate::packet::{ETHERNET, EthernetHead, Ipv4Head, TCP, TYPE_IPV4};

/// Length of the header in front of each frame.
pub(crate) const HEADER: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const SEGMENTS_NONE: u8 = 0;
const SEGMENTS_TCP_V4: u8 = 1;
/// Set beside the kind of segments where congestion is told; of no meaning here.
const SEGMENTS_ECN: u8 = 0x80;

/// FIN and PSH belong to the last segment alone, CWR (RFC 3168) to the first.
const LAST_ONLY: u8 = 0x01 | 0x08;
const FIRST_ONLY: u8 = 0x80;

/// Gives out the frames of what was read, header included. False where it is of a kind that is not known here.
pub(crate) fn finish(read: &[u8], give: &mut dyn FnMut(Vec<u8>)) -> bool {
    let Some((header, frame)) = read.split_first_chunk::<HEADER>() else { return false };
    let half = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
    match header[1] & !SEGMENTS_ECN {
        SEGMENTS_NONE => {
            let mut frame = frame.to_vec();
            if header[0] & NEEDS_CHECKSUM != 0 && !complete(&mut frame, half(6), half(8)) {
                return false;
            }
            give(frame);
            true
        }
        SEGMENTS_TCP_V4 => cut(frame, half(4), give),
        _ => false,
    }
}

/// Finishes a checksum (RFC 1071) that covers the octets from `start` on and lies `offset` behind it; what stands
/// there is the sum over the pseudo header.
fn complete(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let at = start + offset;
    if at + 2 > frame.len() {
        return false;
    }
    let mut sum = 0_u32;
    for pair in frame[start..].chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = match !(sum as u16) {
        // Zero would mean that there is none (RFC 768); the other zero is the same sum.
        0 => 0xffff,
        checksum => checksum,
    };
    frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// Cuts a TCP segment over IPv4 into frames with `size` octets of data each.
fn cut(frame: &[u8], size: usize, give: &mut dyn FnMut(Vec<u8>)) -> bool {
    let is_ipv4 = EthernetHead::parse(frame).is_some_and(|head| head.kind == TYPE_IPV4);
    let Some(ip) = frame.get(ETHERNET..).and_then(Ipv4Head::parse) else { return false };
    let tcp_at = ETHERNET + ip.header;
    let segment = &frame[tcp_at..ETHERNET + ip.total];
    if !is_ipv4 || ip.protocol != TCP || size == 0 || segment.len() < 20 {
        return false;
    }
    let tcp_header = usize::from(segment[12] >> 4) * 4;
    if tcp_header < 20 || tcp_header > segment.len() {
        return false;
    }
    let (headers, data) = frame[..ETHERNET + ip.total].split_at(tcp_at + tcp_header);
    let first_ident = u16::from_be_bytes([headers[ETHERNET + 4], headers[ETHERNET + 5]]);
    let sequence = u32::from_be_bytes([segment[4], segment[5], segment[6], segment[7]]);
    let count = data.len().div_ceil(size).max(1);
    for number in 0..count {
        let piece = &data[number * size..data.len().min((number + 1) * size)];
        let mut octets = Vec::with_capacity(headers.len() + piece.len());
        octets.extend_from_slice(headers);
        octets.extend_from_slice(piece);
        let total = (octets.len() - ETHERNET) as u16;
        octets[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total.to_be_bytes());
        let ident = first_ident.wrapping_add(number as u16);
        octets[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&ident.to_be_bytes());
        let own = sequence.wrapping_add((number * size) as u32);
        octets[tcp_at + 4..tcp_at + 8].copy_from_slice(&own.to_be_bytes());
        if number + 1 < count {
            octets[tcp_at + 13] &= !LAST_ONLY;
        }
        if number > 0 {
            octets[tcp_at + 13] &= !FIRST_ONLY;
        }
        Ipv4Packet::new_unchecked(&mut octets[ETHERNET..]).fill_checksum();
        let (source, destination) = (IpAddress::Ipv4(ip.source), IpAddress::Ipv4(ip.destination));
        TcpPacket::new_unchecked(&mut octets[tcp_at..]).fill_checksum(&source, &destination);
        give(octets);
    }
    true
}

#[cfg(test)]
mod tests {
    use smoltcp::wire::{TcpControl, TcpSeqNumber};

    use super::*;
    use crate::packet::{BROADCAST, bare_segment};

    /// A segment with `data` octets behind the headers, as a sender hands it to its card.
    fn large(data: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        let (from, to) = (([10, 0, 4, 99].into(), 40_000), ([192, 168, 1, 101].into(), 502));
        bare_segment(from, to, TcpControl::Fin, 1000, Some(7), None, &mut octets);
        EthernetHead { destination: BROADCAST, source: [2; 6], kind: TYPE_IPV4 }.emit(&mut octets);
        octets.extend((0..data).map(|n| n as u8));
        let total = (octets.len() - ETHERNET) as u16;
        octets[ETHERNET + 2..ETHERNET + 4].copy_from_slice(&total.to_be_bytes());
        octets
    }

    fn finished(header: [u8; HEADER], frame: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut given = Vec::new();
        let read: Vec<u8> = header.iter().chain(frame).copied().collect();
        finish(&read, &mut |frame| given.push(frame)).then_some(given)
    }

    fn header(flags: u8, kind: u8, size: u16, start: u16, offset: u16) -> [u8; HEADER] {
        let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
        header[4..6].copy_from_slice(&size.to_ne_bytes());
        header[6..8].copy_from_slice(&start.to_ne_bytes());
        header[8..10].copy_from_slice(&offset.to_ne_bytes());
        header
    }

    #[test]
    fn a_large_segment_becomes_frames_with_right_checksums() {
        let frame = large(3000);
        let frames = finished(header(NEEDS_CHECKSUM, SEGMENTS_TCP_V4, 1410, 34, 16), &frame).unwrap();
        assert_eq!(frames.iter().map(Vec::len).collect::<Vec<_>>(), [1464, 1464, 14 + 40 + 180]);
        let mut data = Vec::new();
        for (number, frame) in frames.iter().enumerate() {
            let packet = Ipv4Packet::new_checked(&frame[ETHERNET..]).unwrap();
            assert!(packet.verify_checksum());
            let segment = TcpPacket::new_checked(packet.payload()).unwrap();
            assert!(segment.verify_checksum(&packet.src_addr().into(), &packet.dst_addr().into()));
            assert_eq!(segment.seq_number(), TcpSeqNumber(1000 + 1410 * number as i32));
            assert_eq!(segment.fin(), number == 2, "only the last one ends the stream");
            data.extend_from_slice(segment.payload());
        }
        assert_eq!(data, (0..3000).map(|n| n as u8).collect::<Vec<_>>());
    }

    #[test]
    fn an_unfinished_checksum_is_finished() {
        let mut frame = large(33);
        let (source, destination) = ([10, 0, 4, 99].into(), [192, 168, 1, 101].into());
        let mut segment = TcpPacket::new_unchecked(&mut frame[34..]);
        // What Linux leaves there: the sum over addresses, protocol and length, not inverted.
        let pseudo: u32 = [0x0a00_u32, 0x0463, 0xc0a8, 0x0165, 6, 53].iter().sum();
        segment.set_checksum(((pseudo & 0xffff) + (pseudo >> 16)) as u16);
        let frames = finished(header(NEEDS_CHECKSUM, SEGMENTS_NONE, 0, 34, 16), &frame).unwrap();
        let segment = TcpPacket::new_checked(&frames[0][34..]).unwrap();
        assert!(segment.verify_checksum(&IpAddress::Ipv4(source), &IpAddress::Ipv4(destination)));
    }

    #[test]
    fn nonsense_is_refused() {
        let frame = large(100);
        assert_eq!(finished(header(NEEDS_CHECKSUM, SEGMENTS_NONE, 0, 34, 60_000), &frame), None);
        assert_eq!(finished(header(0, SEGMENTS_TCP_V4, 0, 0, 0), &frame), None);
        assert_eq!(finished(header(0, 3, 100, 0, 0), &frame), None, "UDP fragments");
        for short in 0..54 {
            assert_eq!(finished(header(0, SEGMENTS_TCP_V4, 1, 0, 0), &frame[..short]), None, "{short}");
        }
        assert!(!finish(&[0; 9], &mut |_| panic!("nothing there")));
    }
}
