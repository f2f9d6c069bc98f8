//! One frame: Ethernet, VLAN tags, Linux cooked capture, loopback, ARP; what is an IP packet goes on to `packet`.
//!
//! Written by hand because nothing in a frame may be believed: every length is a claim that is cut down to what was
//! captured, and what does not fit is an [`Oddity`] beside whatever could still be read, never a panic and never
//! silence. Padding of short Ethernet frames is left out by the IP length. A fragment is shown as one: putting datagrams
//! together needs a memory, which a frame has not (see `fragment`).
//!
//! Sources: IEEE 802.3, 802.2 and 802.1Q, RFC 826, 1042, tcpdump.org/linktypes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use site::MacAddress;

use crate::capture::LinkType;
pub use crate::checksum::Checksum;
use crate::packet::{self, Reading};

/// Something wrong with a frame, by the name under which it stands in `weird.log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Not even an Ethernet header.
    TruncatedEthernet,
    /// The IP header is cut, or its own length is too small.
    TruncatedIp,
    /// The IP packet claims more octets than its frame had on the wire: not believed.
    TruncatedIpLength,
    /// The header of TCP, UDP or ICMP is cut.
    TruncatedHeader,
    /// A TCP data offset outside 5 to 15, or past the packet's end.
    BadTcpHeaderLength,
    /// An IPv4 header whose own checksum is wrong: no host takes the packet. It is read all the same.
    BadIpChecksum,
    /// A UDP header whose length is not that of its packet.
    UdpLength,
    /// An ARP packet that is not Ethernet and IPv4, or cut.
    BadArp,
}

impl Oddity {
    /// The name in `weird.log`; Zeek's where Zeek has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TruncatedEthernet => "truncated_ethernet_frame",
            Self::TruncatedIp => "truncated_IP",
            Self::TruncatedIpLength => "truncated_IP_len",
            Self::TruncatedHeader => "truncated_header",
            Self::BadTcpHeaderLength => "bad_TCP_header_len",
            Self::BadIpChecksum => "bad_IP_checksum",
            Self::UdpLength => "UDP_datagram_length_mismatch",
            Self::BadArp => "bad_arp",
        }
    }
}

/// One frame, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Source, where the link has such addresses.
    pub source_mac: Option<MacAddress>,
    /// Destination.
    pub destination_mac: Option<MacAddress>,
    /// Innermost VLAN id.
    pub vlan: Option<u16>,
    /// What it carries.
    pub content: Content<'a>,
    /// What is wrong with it.
    pub oddity: Option<Oddity>,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// An IP packet.
    Ip(IpPacket<'a>),
    /// ARP over Ethernet for IPv4.
    Arp(Arp),
    /// Another EtherType, or nothing readable.
    Other,
}

/// An ARP packet (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// Who speaks.
    pub sender_mac: MacAddress,
    /// Under which address.
    pub sender: Ipv4Addr,
    /// Who is asked for.
    pub target: Ipv4Addr,
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPacket<'a> {
    /// Source.
    pub source: IpAddr,
    /// Destination.
    pub destination: IpAddr,
    /// Octets of header and payload, by the header's own length field.
    pub total_len: u32,
    /// Protocol number.
    pub protocol: u8,
    /// What it carries.
    pub transport: Transport<'a>,
    /// Whether the checksum of what it carries is right.
    pub checksum: Checksum,
}

/// The layer above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// TCP.
    Tcp(Segment<'a>),
    /// UDP.
    Udp(Datagram<'a>),
    /// ICMP or ICMPv6.
    Icmp(Icmp),
    /// A part of something.
    Fragment(Fragment<'a>),
    /// Another protocol, or a header that is cut.
    Other,
}

/// A fragment of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Where it lies in the datagram, in octets.
    pub offset: u32,
    /// More follow.
    pub more: bool,
    /// Payload as captured.
    pub payload: &'a [u8],
    /// Payload octets on the wire.
    pub payload_len: u32,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Window, not scaled.
    pub window: u16,
    /// Payload as captured.
    pub payload: &'a [u8],
    /// Payload octets on the wire; more than `payload` where the capture was cut.
    pub payload_len: u32,
}

/// The flags of a TCP segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from this side.
    pub const fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// Opens.
    pub const fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// Aborts.
    pub const fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// The acknowledgement number counts.
    pub const fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Payload as captured.
    pub payload: &'a [u8],
    /// Payload octets by the header's own length field.
    pub payload_len: u32,
}

/// The head of an ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// Octets behind the eight of the header.
    pub payload_len: u32,
    /// ICMPv6.
    pub v6: bool,
}

impl<'a> Frame<'a> {
    /// Reads a frame as far as it goes. `wire_len` is how long it was on the wire, at least as long as what was captured.
    pub fn parse(link: LinkType, octets: &'a [u8], wire_len: usize) -> Self {
        let mut frame = Self {
            source_mac: None,
            destination_mac: None,
            vlan: None,
            content: Content::Other,
            oddity: None,
        };
        let cut = wire_len.saturating_sub(octets.len());
        match link {
            LinkType::Ethernet => frame.ethernet(octets, cut),
            LinkType::RawIp => frame.take(packet::by_version(octets, cut)),
            LinkType::Loopback => match octets.get(4..) {
                Some(rest) => frame.take(packet::by_version(rest, cut)),
                None => frame.oddity = Some(Oddity::TruncatedEthernet),
            },
            // Address length and address at 4 and 6, protocol at 14.
            LinkType::LinuxCooked => frame.cooked(octets, (4, 6), 14, 16, cut),
            // Protocol first, address length as one octet at 11, address at 12.
            LinkType::LinuxCooked2 => frame.cooked(octets, (10, 12), 0, 20, cut),
            LinkType::Other(_) => {}
        }
        frame
    }

    fn take(&mut self, (packet, oddity): Reading<'a>) {
        if let Some(packet) = packet {
            self.content = Content::Ip(packet);
        }
        self.oddity = self.oddity.or(oddity);
    }

    /// `cut` octets of the frame were not captured.
    fn ethernet(&mut self, octets: &'a [u8], cut: usize) {
        let (Some(destination), Some(source)) = (mac_at(octets, 0), mac_at(octets, 6)) else {
            self.oddity = Some(Oddity::TruncatedEthernet);
            return;
        };
        self.destination_mac = Some(destination);
        self.source_mac = Some(source);
        match half_at(octets, 12) {
            Some(kind) => self.by_type(kind, octets.get(14..).unwrap_or_default(), cut),
            None => self.oddity = Some(Oddity::TruncatedEthernet),
        }
    }

    /// Linux cooked capture; `address` is where the length of the sender's address and the address itself stand.
    fn cooked(
        &mut self,
        octets: &'a [u8],
        address: (usize, usize),
        kind_at: usize,
        header_len: usize,
        cut: usize,
    ) {
        let (Some(kind), Some(rest)) = (half_at(octets, kind_at), octets.get(header_len..)) else {
            self.oddity = Some(Oddity::TruncatedEthernet);
            return;
        };
        // One octet in the second version, behind the packet type.
        if half_at(octets, address.0).is_some_and(|length| length & 0xff == 6) {
            self.source_mac = mac_at(octets, address.1);
        }
        self.by_type(kind, rest, cut);
    }

    /// What an EtherType says that follows.
    fn by_type(&mut self, kind: u16, octets: &'a [u8], cut: usize) {
        let (mut kind, mut rest) = (kind, octets);
        // Two tags (802.1ad) are the most that anybody stacks in earnest; more than four read as an unknown type.
        for _ in 0..4 {
            if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
                break;
            }
            let (Some(tag), Some(next)) = (half_at(rest, 0), half_at(rest, 2)) else {
                self.oddity = Some(Oddity::TruncatedEthernet);
                return;
            };
            self.vlan = Some(tag & 0x0fff);
            kind = next;
            rest = rest.get(4..).unwrap_or_default();
        }
        // A length in place of a type: 802.2, and behind a SNAP header the type (RFC 1042).
        if kind < 0x0600 {
            let Some([0xaa, 0xaa, 3, 0, 0, 0, high, low]) = rest.first_chunk::<8>() else { return };
            kind = u16::from_be_bytes([*high, *low]);
            rest = &rest[8..];
        }
        match kind {
            0x0800 => self.take(packet::ipv4(rest, cut)),
            0x86dd => self.take(packet::ipv6(rest, cut)),
            0x0806 => self.arp(rest),
            _ => {}
        }
    }

    fn arp(&mut self, octets: &[u8]) {
        let fields = (octets.get(..8), mac_at(octets, 8), ipv4_at(octets, 14), ipv4_at(octets, 24));
        match fields {
            (Some(&[0, 1, 8, 0, 6, 4, high, low]), Some(sender_mac), Some(sender), Some(target)) => {
                let operation = u16::from_be_bytes([high, low]);
                self.content = Content::Arp(Arp { operation, sender_mac, sender, target });
            }
            _ => self.oddity = Some(Oddity::BadArp),
        }
    }
}

pub(crate) fn half_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2).and_then(|word| word.first_chunk()).map(|word| u16::from_be_bytes(*word))
}

fn mac_at(octets: &[u8], at: usize) -> Option<MacAddress> {
    octets.get(at..at + 6).and_then(|mac| mac.first_chunk()).map(|mac| MacAddress(*mac))
}

pub(crate) fn ipv4_at(octets: &[u8], at: usize) -> Option<Ipv4Addr> {
    octets.get(at..at + 4).and_then(|address| address.first_chunk::<4>()).map(|a| Ipv4Addr::from(*a))
}

pub(crate) fn ipv6_at(octets: &[u8], at: usize) -> Option<Ipv6Addr> {
    octets.get(at..at + 16).and_then(|address| address.first_chunk::<16>()).map(|a| Ipv6Addr::from(*a))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Modbus request in a frame of the trace `modbus_example` (icsnpp-modbus, BSD-3), addresses changed and the
    /// checksum computed anew with scapy.
    fn request() -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend([0x45, 0, 0, 52, 0, 1, 0, 0, 64, 6, 0, 0, 192, 168, 1, 20, 192, 168, 1, 101]);
        frame.extend([0xc0, 0x00, 0x01, 0xf6, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0]);
        frame.extend([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]);
        frame
    }

    fn segment<'a>(frame: &Frame<'a>) -> Segment<'a> {
        match frame.content {
            Content::Ip(IpPacket { transport: Transport::Tcp(segment), .. }) => segment,
            _ => panic!("no segment: {frame:?}"),
        }
    }

    fn checksum_of(frame: &Frame<'_>) -> Checksum {
        match frame.content {
            Content::Ip(packet) => packet.checksum,
            _ => panic!("no packet: {frame:?}"),
        }
    }

    #[test]
    fn a_segment_is_read_and_padding_left_out() {
        let mut octets = request();
        octets.extend([0xee; 6]);
        let frame = Frame::parse(LinkType::Ethernet, &octets, octets.len());
        let segment = segment(&frame);
        assert_eq!(segment.payload, [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]);
        assert_eq!((segment.source_port, segment.destination_port), (49_152, 502));
        assert_eq!(frame.oddity, None);
        assert_eq!(checksum_of(&frame), Checksum::Unfinished);
    }

    #[test]
    fn vlan_tags_are_seen_through() {
        let mut octets = request();
        octets.splice(12..12, [0x81, 0x00, 0x20, 0x07]);
        let frame = Frame::parse(LinkType::Ethernet, &octets, octets.len());
        assert_eq!(frame.vlan, Some(7));
        assert_eq!(segment(&frame).payload_len, 12);
    }

    #[test]
    fn stacked_tags_snap_and_cooked_captures_are_seen_through() {
        let ethernet = request();
        let packet = &ethernet[14..];
        let mac = [0, 0x80, 0xf4, 1, 2, 3];
        let tags = [0x88, 0xa8, 0, 100, 0x81, 0, 0, 7, 8, 0];
        let snap = [0, 60, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        let cooked = [&[0, 0, 0, 1, 0, 6][..], &mac, &[0, 0, 8, 0], packet].concat();
        let tagged = [&[0, 0, 0, 1, 0, 6][..], &mac, &[0, 0, 0x81, 0, 0, 7, 8, 0], packet].concat();
        let cooked_2 = [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6][..], &mac, &[0, 0], packet].concat();
        let cases = [
            (LinkType::Ethernet, [&ethernet[..12], &tags, packet].concat(), Some(7)),
            (LinkType::Ethernet, [&ethernet[..12], &snap, packet].concat(), None),
            (LinkType::LinuxCooked, cooked, None),
            (LinkType::LinuxCooked, tagged, Some(7)),
            (LinkType::LinuxCooked2, cooked_2, None),
            (LinkType::Loopback, [&[2, 0, 0, 0], packet].concat(), None),
            (LinkType::RawIp, packet.to_vec(), None),
        ];
        for (link, octets, vlan) in cases {
            let frame = Frame::parse(link, &octets, octets.len());
            assert_eq!((segment(&frame).payload_len, frame.vlan), (12, vlan), "{link:?}");
            let cooked = matches!(link, LinkType::LinuxCooked | LinkType::LinuxCooked2);
            assert_eq!(cooked, frame.source_mac == Some(MacAddress(mac)), "{link:?}");
        }
    }

    /// `IPv6()/IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/AH()/TCP()` and its kind, octets by scapy 2.6.
    #[test]
    fn extension_headers_are_walked_over_and_fragments_shown() {
        let addresses = [[0xfd; 16], [0xfe; 16]].concat();
        let tcp = &request()[34..];
        let extensions =
            [&[60, 0, 1, 4, 0, 0, 0, 0, 51, 0, 1, 4, 0, 0, 0, 0][..], &[6, 1], &[0; 10]].concat();
        let v6 = |next: u8, rest: &[u8]| {
            let len = (rest.len() as u16).to_be_bytes();
            [&[0x60, 0, 0, 0, len[0], len[1], next, 64][..], &addresses, rest].concat()
        };
        let whole = v6(0, &[&extensions, tcp].concat());
        let frame = Frame::parse(LinkType::RawIp, &whole, whole.len());
        assert_eq!((segment(&frame).destination_port, frame.oddity), (502, None));
        let part = v6(44, &[&[6, 0, 0, 0x41, 0, 1, 0, 2][..], tcp].concat());
        let Content::Ip(packet) = Frame::parse(LinkType::RawIp, &part, part.len()).content else {
            panic!("no packet")
        };
        let Transport::Fragment(fragment) = packet.transport else { panic!("{packet:?}") };
        assert_eq!((fragment.id, fragment.offset, fragment.more, packet.protocol), (0x1_0002, 64, true, 6));
        // The whole datagram in one fragment is none.
        let atomic = v6(44, &[&[6, 0, 0, 0, 0, 1, 0, 2][..], tcp].concat());
        assert_eq!(segment(&Frame::parse(LinkType::RawIp, &atomic, atomic.len())).payload_len, 12);
        let endless = v6(0, &[0; 200]);
        assert_eq!(
            Frame::parse(LinkType::RawIp, &endless, endless.len()).oddity,
            Some(Oddity::TruncatedHeader)
        );
    }

    #[test]
    fn a_udp_length_that_is_not_the_packets_is_an_oddity() {
        let udp = |claims: u8| {
            let header = [0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            [&header[..], &[4, 0, 0x4e, 0x20, 0, claims, 0, 0, 1, 2, 3, 4]].concat()
        };
        for (claims, oddity, payload) in
            [(12, None, 4), (9, Some(Oddity::UdpLength), 1), (99, Some(Oddity::UdpLength), 4)]
        {
            let octets = udp(claims);
            let frame = Frame::parse(LinkType::RawIp, &octets, octets.len());
            let Content::Ip(IpPacket { transport: Transport::Udp(datagram), .. }) = frame.content else {
                panic!("no datagram")
            };
            assert_eq!((frame.oddity, datagram.payload.len()), (oddity, payload));
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_an_oddity_at_most() {
        let whole = request();
        for cut in 0..whole.len() {
            let frame = Frame::parse(LinkType::Ethernet, &whole[..cut], cut);
            assert!(frame.oddity.is_some(), "{cut}");
            let snapped = Frame::parse(LinkType::Ethernet, &whole[..cut], whole.len());
            assert_eq!(snapped.oddity.is_none(), cut >= 54, "{cut}");
        }
        let cut = Frame::parse(LinkType::Ethernet, &whole[..whole.len() - 4], whole.len());
        assert_eq!((segment(&cut).payload.len(), segment(&cut).payload_len), (8, 12));
    }

    #[test]
    fn arp_is_read() {
        let mut octets = vec![0xff; 6];
        octets.extend([0, 0x14, 0x22, 0x3c, 1, 0x14, 8, 6]);
        octets.extend([0, 1, 8, 0, 6, 4, 0, 1, 0, 0x14, 0x22, 0x3c, 1, 0x14, 192, 168, 1, 20]);
        octets.extend([0, 0, 0, 0, 0, 0, 192, 168, 1, 101]);
        let Content::Arp(arp) = Frame::parse(LinkType::Ethernet, &octets, octets.len()).content else {
            panic!("no ARP")
        };
        assert_eq!((arp.operation, arp.sender.octets()[3], arp.target.octets()[3]), (1, 20, 101));
    }
}
