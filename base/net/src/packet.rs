//! Just enough of Ethernet, ARP, IPv4, ICMP and TCP to carry packets; the rest is smoltcp's.
//!
//! ```text
//! Ethernet (IEEE 802.3)  destination 6 | source 6 | type 2 | payload, padded to 46
//! ARP (RFC 826)          hardware 1, protocol 0x0800, lengths 6 and 4, operation, sender, target
//! ```

use std::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    Icmpv4Packet, Icmpv4Repr, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

/// Length of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;
/// Shortest Ethernet frame without its check sequence; shorter ones are padded with zeros.
pub(crate) const SHORTEST: usize = 60;
/// Destination of a frame to everybody.
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];
/// EtherType of IPv4.
pub(crate) const TYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub(crate) const TYPE_ARP: u16 = 0x0806;
/// IP protocol number of ICMP.
pub(crate) const ICMP: u8 = 1;
/// IP protocol number of TCP.
pub(crate) const TCP: u8 = 6;

/// The three fields of an Ethernet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EthernetHead {
    pub(crate) destination: [u8; 6],
    pub(crate) source: [u8; 6],
    pub(crate) kind: u16,
}

impl EthernetHead {
    /// `None` where the frame is too short for a header.
    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let (head, _) = octets.split_first_chunk::<ETHERNET>()?;
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, k0, k1] = *head;
        Some(Self {
            destination: [d0, d1, d2, d3, d4, d5],
            source: [s0, s1, s2, s3, s4, s5],
            kind: u16::from_be_bytes([k0, k1]),
        })
    }

    /// Writes itself over the first octets of a frame, which must have room for a header.
    pub(crate) fn emit(self, octets: &mut [u8]) {
        octets[..6].copy_from_slice(&self.destination);
        octets[6..12].copy_from_slice(&self.source);
        octets[12..ETHERNET].copy_from_slice(&self.kind.to_be_bytes());
    }
}

/// An ARP request or reply for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) is_request: bool,
    pub(crate) sender_mac: [u8; 6],
    pub(crate) sender: Ipv4Addr,
    pub(crate) target_mac: [u8; 6],
    pub(crate) target: Ipv4Addr,
}

const ARP_FIXED: [u8; 6] = [0, 1, 8, 0, 6, 4];

impl Arp {
    /// `None` for anything but a request or reply for IPv4 over Ethernet.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let (packet, _) = payload.split_first_chunk::<28>()?;
        if packet[..6] != ARP_FIXED {
            return None;
        }
        let mac = |at: usize| -> [u8; 6] { std::array::from_fn(|n| packet[at + n]) };
        let ip = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        let is_request = match (packet[6], packet[7]) {
            (0, 1) => true,
            (0, 2) => false,
            _ => return None,
        };
        Some(Self { is_request, sender_mac: mac(8), sender: ip(14), target_mac: mac(18), target: ip(24) })
    }

    /// The whole frame to `destination`.
    pub(crate) fn emit(self, destination: [u8; 6], octets: &mut Vec<u8>) {
        octets.clear();
        octets.resize(ETHERNET, 0);
        EthernetHead { destination, source: self.sender_mac, kind: TYPE_ARP }.emit(octets);
        octets.extend(ARP_FIXED);
        octets.extend([0, if self.is_request { 1 } else { 2 }]);
        octets.extend(self.sender_mac);
        octets.extend(self.sender.octets());
        octets.extend(self.target_mac);
        octets.extend(self.target.octets());
    }
}

/// What routing and demultiplexing need of an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ipv4Head {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    /// Length of the header.
    pub(crate) header: usize,
    /// Length of header and payload; what follows is padding.
    pub(crate) total: usize,
}

impl Ipv4Head {
    /// `None` where it is not IPv4, or its lengths do not fit.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let (head, _) = packet.split_first_chunk::<20>()?;
        let header = usize::from(head[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] >> 4 != 4 || header < 20 || total < header || total > packet.len() {
            return None;
        }
        Some(Self {
            source: Ipv4Addr::new(head[12], head[13], head[14], head[15]),
            destination: Ipv4Addr::new(head[16], head[17], head[18], head[19]),
            protocol: head[9],
            hop_limit: head[8],
            header,
            total,
        })
    }
}

/// Takes one hop off an IPv4 packet and mends its header checksum (RFC 1624).
pub(crate) fn decrement_hop_limit(packet: &mut [u8]) {
    packet[8] -= 1;
    let sum = u32::from(u16::from_be_bytes([packet[10], packet[11]])) + 0x0100;
    let folded = (sum + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&folded.to_be_bytes());
}

/// What demultiplexing and the firewall need of a TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpHead {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) flags: u8,
    /// Length of the header as it says.
    pub(crate) header: usize,
}

/// FIN, in the flags of a TCP segment.
pub(crate) const FIN: u8 = 0x01;
/// SYN.
pub(crate) const SYN: u8 = 0x02;
/// RST.
pub(crate) const RST: u8 = 0x04;
/// ACK.
pub(crate) const ACK: u8 = 0x10;

impl TcpHead {
    /// `None` where the segment is shorter than a header.
    pub(crate) fn parse(segment: &[u8]) -> Option<Self> {
        let (head, _) = segment.split_first_chunk::<20>()?;
        Some(Self {
            source_port: u16::from_be_bytes([head[0], head[1]]),
            destination_port: u16::from_be_bytes([head[2], head[3]]),
            sequence: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            acknowledgement: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            flags: head[13],
            header: usize::from(head[12] >> 4) * 4,
        })
    }

    /// Whether it asks for a new connection.
    pub(crate) fn opens(self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }

    /// Whether it has a flag.
    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A TCP segment without payload, with room for an Ethernet header in front.
pub(crate) fn bare_segment(
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    control: TcpControl,
    sequence: u32,
    acknowledgement: Option<u32>,
    max_segment: Option<u16>,
    octets: &mut Vec<u8>,
) {
    let repr = TcpRepr {
        src_port: from.1,
        dst_port: to.1,
        control,
        seq_number: TcpSeqNumber(sequence as i32),
        ack_number: acknowledgement.map(|number| TcpSeqNumber(number as i32)),
        window_len: if control == TcpControl::Syn { 1024 } else { 0 },
        window_scale: None,
        max_seg_size: max_segment,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let header = ipv4(from.0, to.0, IpProtocol::Tcp, repr.buffer_len());
    let checksums = ChecksumCapabilities::default();
    make_room(octets, ETHERNET + header.buffer_len() + repr.buffer_len());
    header.emit(&mut Ipv4Packet::new_unchecked(&mut octets[ETHERNET..]), &checksums);
    repr.emit(
        &mut TcpPacket::new_unchecked(&mut octets[ETHERNET + header.buffer_len()..]),
        &IpAddress::Ipv4(from.0),
        &IpAddress::Ipv4(to.0),
        &checksums,
    );
}

/// An echo request, with room for an Ethernet header in front.
pub(crate) fn echo_request(from: Ipv4Addr, to: Ipv4Addr, ident: u16, sequence: u16, octets: &mut Vec<u8>) {
    // The 56 octets that ping sends by default, counting up.
    let data: [u8; 56] = std::array::from_fn(|n| n as u8);
    let repr = Icmpv4Repr::EchoRequest { ident, seq_no: sequence, data: &data };
    let header = ipv4(from, to, IpProtocol::Icmp, repr.buffer_len());
    let checksums = ChecksumCapabilities::default();
    make_room(octets, ETHERNET + header.buffer_len() + repr.buffer_len());
    header.emit(&mut Ipv4Packet::new_unchecked(&mut octets[ETHERNET..]), &checksums);
    repr.emit(&mut Icmpv4Packet::new_unchecked(&mut octets[ETHERNET + header.buffer_len()..]), &checksums);
}

/// Identifier and sequence number of an echo reply, `None` for any other message.
pub(crate) fn echo_reply(message: &[u8]) -> Option<(u16, u16)> {
    let (head, _) = message.split_first_chunk::<8>()?;
    (head[0] == 0).then(|| (u16::from_be_bytes([head[4], head[5]]), u16::from_be_bytes([head[6], head[7]])))
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, next_header: IpProtocol, payload_len: usize) -> Ipv4Repr {
    Ipv4Repr { src_addr: from, dst_addr: to, next_header, payload_len, hop_limit: 64 }
}

fn make_room(octets: &mut Vec<u8>, length: usize) {
    octets.clear();
    octets.resize(length, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 20);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 4, 10);

    #[test]
    fn one_hop_less_keeps_the_checksum_right() {
        let mut octets = Vec::new();
        bare_segment((A, 1), (B, 2), TcpControl::Syn, 7, None, Some(1410), &mut octets);
        for _ in 0..60 {
            decrement_hop_limit(&mut octets[ETHERNET..]);
            assert!(Ipv4Packet::new_checked(&octets[ETHERNET..]).unwrap().verify_checksum());
        }
        let head = Ipv4Head::parse(&octets[ETHERNET..]).unwrap();
        assert_eq!((head.hop_limit, head.source, head.destination), (4, A, B));
        assert!(TcpHead::parse(&octets[ETHERNET + 20..]).unwrap().opens());
    }

    #[test]
    fn arp_mirrors() {
        let arp = Arp { is_request: true, sender_mac: [2; 6], sender: A, target_mac: [0; 6], target: B };
        let mut octets = Vec::new();
        arp.emit(BROADCAST, &mut octets);
        assert_eq!(octets.len(), 42);
        assert_eq!(Arp::parse(&octets[ETHERNET..]), Some(arp));
        for short in 0..28 {
            assert_eq!(Arp::parse(&octets[ETHERNET..ETHERNET + short]), None);
        }
    }

    #[test]
    fn short_and_wrong_packets_are_refused() {
        let mut octets = Vec::new();
        echo_request(A, B, 1, 2, &mut octets);
        let packet = &octets[ETHERNET..];
        for short in 0..packet.len() {
            assert_eq!(Ipv4Head::parse(&packet[..short]), None, "{short}");
        }
        let mut wrong = packet.to_vec();
        wrong[0] = 0x44;
        assert_eq!(Ipv4Head::parse(&wrong), None);
        assert_eq!(TcpHead::parse(&[0; 19]), None);
        assert_eq!(echo_reply(&[0; 7]), None);
        assert_eq!(echo_reply(&[0, 0, 0, 0, 0, 1, 0, 2]), Some((1, 2)));
    }
}
