//! One frame: Ethernet, VLAN tags, ARP, IPv4 and IPv6, and the head of TCP, UDP and ICMP.
//!
//! Written by hand because nothing in a frame may be believed: every length is a claim that is cut down to what was
//! captured, and what does not fit is an [`Oddity`] beside whatever could still be read, never a panic and never
//! silence. Padding of short Ethernet frames is left out by the IP length. Fragments are not put together: the first
//! one is read as far as it goes, the rest are reported.
//!
//! Sources: IEEE 802.3 and 802.1Q, RFC 791, 792, 793, 768, 826, 8200.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use site::MacAddress;

use crate::capture::LinkType;

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
    /// A fragment: fragments are not put together.
    Fragment,
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
            Self::Fragment => "ip_fragment",
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
    /// Another protocol, a fragment, or a header that is cut.
    Other,
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
    /// Whether the checksum is right; true where it cannot be told because the capture was cut.
    pub checksum_good: bool,
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
        let skip = match link {
            LinkType::Ethernet => {
                frame.ethernet(octets, cut);
                return frame;
            }
            LinkType::RawIp => 0,
            LinkType::Loopback => 4,
            LinkType::LinuxCooked => 16,
            LinkType::LinuxCooked2 => 20,
            LinkType::Other(_) => return frame,
        };
        match octets.get(skip..) {
            Some(packet) => frame.ip_by_version(packet, cut),
            None => frame.oddity = Some(Oddity::TruncatedEthernet),
        }
        frame
    }

    /// `cut` octets of the frame were not captured.
    fn ethernet(&mut self, octets: &'a [u8], cut: usize) {
        let (Some(destination), Some(source)) = (mac_at(octets, 0), mac_at(octets, 6)) else {
            self.oddity = Some(Oddity::TruncatedEthernet);
            return;
        };
        self.destination_mac = Some(destination);
        self.source_mac = Some(source);
        let mut at = 12;
        // Two tags (802.1ad) are the most that anybody stacks; more read as an unknown EtherType.
        for _ in 0..3 {
            let Some(kind) = word_at(octets, at) else {
                self.oddity = Some(Oddity::TruncatedEthernet);
                return;
            };
            at += 2;
            let rest = octets.get(at..).unwrap_or_default();
            match kind {
                0x8100 | 0x88a8 | 0x9100 => {
                    self.vlan = word_at(octets, at).map(|tag| tag & 0x0fff);
                    at += 2;
                }
                0x0800 => return self.ipv4(rest, cut),
                0x86dd => return self.ipv6(rest, cut),
                0x0806 => return self.arp(rest),
                _ => return,
            }
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

    fn ip_by_version(&mut self, octets: &'a [u8], cut: usize) {
        match octets.first().map(|octet| octet >> 4) {
            Some(4) => self.ipv4(octets, cut),
            Some(6) => self.ipv6(octets, cut),
            _ => self.oddity = Some(Oddity::TruncatedIp),
        }
    }

    fn ipv4(&mut self, octets: &'a [u8], cut: usize) {
        let header_len = octets.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
        let (Some(source), Some(destination)) = (ipv4_at(octets, 12), ipv4_at(octets, 16)) else {
            self.oddity = Some(Oddity::TruncatedIp);
            return;
        };
        if header_len < 20 || octets.len() < header_len || octets[0] >> 4 != 4 {
            self.oddity = Some(Oddity::TruncatedIp);
            return;
        }
        // Zero where the sender's card cuts segments itself: then the captured length is the truth.
        let claimed = match usize::from(u16::from_be_bytes([octets[2], octets[3]])) {
            0 => octets.len() + cut,
            claimed => claimed,
        };
        if claimed < header_len {
            self.oddity = Some(Oddity::TruncatedIp);
            return;
        }
        if claimed > octets.len() + cut {
            self.oddity = Some(Oddity::TruncatedIpLength);
            return;
        }
        let fragment = u16::from_be_bytes([octets[6], octets[7]]) & 0x3fff;
        let protocol = octets[9];
        let payload = &octets[header_len..claimed.min(octets.len())];
        let addresses = (IpAddr::V4(source), IpAddr::V4(destination));
        let transport = if fragment == 0 {
            self.transport(protocol, payload, claimed - header_len, addresses)
        } else {
            self.oddity = Some(Oddity::Fragment);
            Transport::Other
        };
        self.content = Content::Ip(IpPacket {
            source: addresses.0,
            destination: addresses.1,
            total_len: claimed as u32,
            protocol,
            transport,
        });
    }

    fn ipv6(&mut self, octets: &'a [u8], cut: usize) {
        let (Some(source), Some(destination)) = (ipv6_at(octets, 8), ipv6_at(octets, 24)) else {
            self.oddity = Some(Oddity::TruncatedIp);
            return;
        };
        let claimed = usize::from(u16::from_be_bytes([octets[4], octets[5]]));
        let payload = octets.get(40..).unwrap_or_default();
        if claimed > payload.len() + cut {
            self.oddity = Some(Oddity::TruncatedIpLength);
            return;
        }
        let mut rest = &payload[..claimed.min(payload.len())];
        let mut rest_claimed = claimed;
        let mut protocol = octets[6];
        let mut fragment = false;
        // Extension headers: hop-by-hop, routing, destination options; the fragment header ends the walk.
        for _ in 0..8 {
            if !matches!(protocol, 0 | 43 | 60 | 44) {
                break;
            }
            let (Some(next), Some(length)) = (rest.first(), rest.get(1)) else { break };
            let length = if protocol == 44 { 8 } else { (usize::from(*length) + 1) * 8 };
            fragment |= protocol == 44 && rest.get(2..4).is_some_and(|field| field != [0, 0]);
            protocol = *next;
            rest = rest.get(length..).unwrap_or_default();
            rest_claimed = rest_claimed.saturating_sub(length);
        }
        let addresses = (IpAddr::V6(source), IpAddr::V6(destination));
        let transport = if fragment {
            self.oddity = Some(Oddity::Fragment);
            Transport::Other
        } else {
            self.transport(protocol, rest, rest_claimed, addresses)
        };
        self.content = Content::Ip(IpPacket {
            source: addresses.0,
            destination: addresses.1,
            total_len: 40 + claimed as u32,
            protocol,
            transport,
        });
    }

    /// `octets` is what was captured, `claimed` how many there were on the wire.
    fn transport(
        &mut self,
        protocol: u8,
        octets: &'a [u8],
        claimed: usize,
        addresses: (IpAddr, IpAddr),
    ) -> Transport<'a> {
        let read = match protocol {
            6 => self.tcp(octets, claimed, addresses),
            17 => udp(octets),
            1 | 58 => icmp(octets, claimed, protocol == 58),
            _ => return Transport::Other,
        };
        read.unwrap_or_else(|| {
            self.oddity = self.oddity.or(Some(Oddity::TruncatedHeader));
            Transport::Other
        })
    }

    fn tcp(
        &mut self,
        octets: &'a [u8],
        claimed: usize,
        addresses: (IpAddr, IpAddr),
    ) -> Option<Transport<'a>> {
        let header = octets.first_chunk::<20>()?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < 20 || header_len > claimed {
            self.oddity = Some(Oddity::BadTcpHeaderLength);
            return Some(Transport::Other);
        }
        let whole = octets.len() == claimed;
        Some(Transport::Tcp(Segment {
            source_port: u16::from_be_bytes([header[0], header[1]]),
            destination_port: u16::from_be_bytes([header[2], header[3]]),
            sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
            flags: TcpFlags(header[13]),
            window: u16::from_be_bytes([header[14], header[15]]),
            payload: octets.get(header_len..).unwrap_or_default(),
            payload_len: (claimed - header_len) as u32,
            checksum_good: !whole || checksum(octets, addresses) == 0xffff,
        }))
    }
}

fn udp(octets: &[u8]) -> Option<Transport<'_>> {
    let header = octets.first_chunk::<8>()?;
    let claimed = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = &octets[8..];
    Some(Transport::Udp(Datagram {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        payload: &payload[..claimed.saturating_sub(8).min(payload.len())],
        payload_len: claimed.saturating_sub(8) as u32,
    }))
}

fn icmp(octets: &[u8], claimed: usize, v6: bool) -> Option<Transport<'_>> {
    let header = octets.first_chunk::<4>()?;
    let payload_len = claimed.saturating_sub(8) as u32;
    Some(Transport::Icmp(Icmp { kind: header[0], code: header[1], payload_len, v6 }))
}

/// The one's complement sum over pseudo header and segment; 0xffff where the checksum is right (RFC 793).
fn checksum(segment: &[u8], addresses: (IpAddr, IpAddr)) -> u16 {
    let mut sum: u64 = 6 + segment.len() as u64;
    match addresses {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum = add_words(sum, &source.octets());
            sum = add_words(sum, &destination.octets());
        }
        (source, destination) => {
            for address in [source, destination] {
                if let IpAddr::V6(address) = address {
                    sum = add_words(sum, &address.octets());
                }
            }
        }
    }
    sum = add_words(sum, segment);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn add_words(mut sum: u64, octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    for word in words {
        // Two 16-bit words at once: the fold at the end brings the halves together.
        sum += u64::from(u32::from_be_bytes(*word));
    }
    for (index, octet) in rest.iter().enumerate() {
        sum += u64::from(*octet) << (if index % 2 == 0 { 8 } else { 0 });
    }
    sum
}

fn word_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2).and_then(|word| word.first_chunk()).map(|word| u16::from_be_bytes(*word))
}

fn mac_at(octets: &[u8], at: usize) -> Option<MacAddress> {
    octets.get(at..at + 6).and_then(|mac| mac.first_chunk()).map(|mac| MacAddress(*mac))
}

fn ipv4_at(octets: &[u8], at: usize) -> Option<Ipv4Addr> {
    octets.get(at..at + 4).and_then(|address| address.first_chunk::<4>()).map(|a| Ipv4Addr::from(*a))
}

fn ipv6_at(octets: &[u8], at: usize) -> Option<Ipv6Addr> {
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

    #[test]
    fn a_segment_is_read_and_padding_left_out() {
        let mut octets = request();
        octets.extend([0xee; 6]);
        let frame = Frame::parse(LinkType::Ethernet, &octets, octets.len());
        let segment = segment(&frame);
        assert_eq!(segment.payload, [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1]);
        assert_eq!((segment.source_port, segment.destination_port), (49_152, 502));
        assert_eq!(frame.oddity, None);
        assert!(!segment.checksum_good);
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
    fn a_right_checksum_is_told_from_a_wrong_one() {
        let mut octets = request();
        let addresses = (IpAddr::from([192, 168, 1, 20]), IpAddr::from([192, 168, 1, 101]));
        let sum = !checksum(&octets[34..], addresses);
        octets[50..52].copy_from_slice(&sum.to_be_bytes());
        assert!(segment(&Frame::parse(LinkType::Ethernet, &octets, octets.len())).checksum_good);
        octets[60] ^= 1;
        assert!(!segment(&Frame::parse(LinkType::Ethernet, &octets, octets.len())).checksum_good);
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
