//! IPv4 and IPv6 packets, and the heads of what they carry: TCP, UDP, ICMP.
//!
//! Sources: RFC 791, 792, 793, 768, 8200, 4302, 4443.

use std::net::IpAddr;

use crate::checksum::{Checksum, judge, judge_alone};
use crate::frame::{
    Datagram, Fragment, Icmp, IpPacket, Oddity, Segment, TcpFlags, Transport, half_at, ipv4_at, ipv6_at,
};

/// A packet, or nothing that can be read as one; and what is wrong with it.
pub(crate) type Reading<'a> = (Option<IpPacket<'a>>, Option<Oddity>);

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const FRAGMENT_HEADER: u8 = 44;
const AUTHENTICATION_HEADER: u8 = 51;
/// Extension headers of one packet that are passed over: more than the six kinds of RFC 8200, section 4.1.
const EXTENSIONS_MAX: usize = 10;

/// Reads a packet of either version; `cut` octets of its frame were not captured.
pub(crate) fn by_version(octets: &[u8], cut: usize) -> Reading<'_> {
    match octets.first().map(|octet| octet >> 4) {
        Some(4) => ipv4(octets, cut),
        Some(6) => ipv6(octets, cut),
        _ => (None, Some(Oddity::TruncatedIp)),
    }
}

pub(crate) fn ipv4(octets: &[u8], cut: usize) -> Reading<'_> {
    let header_len = octets.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    let (Some(source), Some(destination)) = (ipv4_at(octets, 12), ipv4_at(octets, 16)) else {
        return (None, Some(Oddity::TruncatedIp));
    };
    if header_len < 20 || octets.len() < header_len || octets[0] >> 4 != 4 {
        return (None, Some(Oddity::TruncatedIp));
    }
    // Zero where the sender's card cuts segments itself: then the captured length is the truth.
    let claimed = match usize::from(u16::from_be_bytes([octets[2], octets[3]])) {
        0 => octets.len() + cut,
        claimed => claimed,
    };
    if claimed < header_len {
        return (None, Some(Oddity::TruncatedIp));
    }
    if claimed > octets.len() + cut {
        return (None, Some(Oddity::TruncatedIpLength));
    }
    let wrong = judge_alone(&octets[..header_len], 10) == Checksum::Wrong;
    let field = u16::from_be_bytes([octets[6], octets[7]]);
    let protocol = octets[9];
    let payload = &octets[header_len..claimed.min(octets.len())];
    let payload_len = claimed - header_len;
    let addresses = (IpAddr::V4(source), IpAddr::V4(destination));
    // Neither an offset nor more to come: the low 14 bits.
    let is_whole = field.trailing_zeros() >= 14;
    let mut read = if is_whole {
        Upper::read(protocol, payload, payload_len, addresses)
    } else {
        Upper::of(Transport::Fragment(Fragment {
            id: u32::from(u16::from_be_bytes([octets[4], octets[5]])),
            offset: u32::from(field & 0x1fff) * 8,
            more: field & 0x2000 != 0,
            payload,
            payload_len: payload_len as u32,
        }))
    };
    if wrong {
        read.oddity = read.oddity.or(Some(Oddity::BadIpChecksum));
    }
    read.packet(addresses, claimed, protocol)
}

pub(crate) fn ipv6(octets: &[u8], cut: usize) -> Reading<'_> {
    let (Some(source), Some(destination)) = (ipv6_at(octets, 8), ipv6_at(octets, 24)) else {
        return (None, Some(Oddity::TruncatedIp));
    };
    if octets.len() < 40 || octets[0] >> 4 != 6 {
        return (None, Some(Oddity::TruncatedIp));
    }
    let payload = &octets[40..];
    // Zero as in IPv4, and in jumbograms.
    let claimed = match usize::from(u16::from_be_bytes([octets[4], octets[5]])) {
        0 => payload.len() + cut,
        claimed => claimed,
    };
    if claimed > payload.len() + cut {
        return (None, Some(Oddity::TruncatedIpLength));
    }
    let addresses = (IpAddr::V6(source), IpAddr::V6(destination));
    let captured = &payload[..claimed.min(payload.len())];
    let (protocol, read) = behind_extensions(octets[6], captured, claimed, addresses);
    read.packet(addresses, 40 + claimed, protocol)
}

/// Reads what a datagram carried that came in fragments and has been put together. `octets` may be fewer than
/// `claimed` where fragments were captured in part.
pub(crate) fn put_together(
    octets: &[u8],
    claimed: usize,
    protocol: u8,
    header_len: u32,
    addresses: (IpAddr, IpAddr),
) -> Reading<'_> {
    let (protocol, read) = if addresses.0.is_ipv6() {
        behind_extensions(protocol, octets, claimed, addresses)
    } else {
        (protocol, Upper::read(protocol, octets, claimed, addresses))
    };
    let (packet, oddity) = read.packet(addresses, claimed, protocol);
    (packet.map(|packet| IpPacket { total_len: packet.total_len + header_len, ..packet }), oddity)
}

/// Walks over IPv6 extension headers: hop-by-hop, routing, destination options, authentication; a fragment header ends
/// the walk. Returns the protocol behind them.
fn behind_extensions(
    first: u8,
    octets: &[u8],
    claimed: usize,
    addresses: (IpAddr, IpAddr),
) -> (u8, Upper<'_>) {
    let (mut protocol, mut rest, mut claimed) = (first, octets, claimed);
    for _ in 0..EXTENSIONS_MAX {
        if !matches!(protocol, 0 | 43 | 60 | 135 | FRAGMENT_HEADER | AUTHENTICATION_HEADER) {
            return (protocol, Upper::read(protocol, rest, claimed, addresses));
        }
        let (Some(&next), Some(&units)) = (rest.first(), rest.get(1)) else { break };
        let length = match protocol {
            FRAGMENT_HEADER => 8,
            // In units of four octets, not counting the first two (RFC 4302, section 2.2).
            AUTHENTICATION_HEADER => (usize::from(units) + 2) * 4,
            _ => (usize::from(units) + 1) * 8,
        };
        if length > claimed {
            break;
        }
        let header = rest;
        rest = rest.get(length..).unwrap_or_default();
        claimed -= length;
        if protocol == FRAGMENT_HEADER {
            let Some(field) = half_at(header, 2) else { break };
            // A fragment that is the whole is none (RFC 6946).
            if field & 0xfff9 != 0 {
                let (Some(high), Some(low)) = (half_at(header, 4), half_at(header, 6)) else { break };
                let fragment = Fragment {
                    id: u32::from(high) << 16 | u32::from(low),
                    offset: u32::from(field & 0xfff8),
                    more: field & 1 != 0,
                    payload: rest,
                    payload_len: claimed as u32,
                };
                return (next, Upper::of(Transport::Fragment(fragment)));
            }
        }
        protocol = next;
    }
    (protocol, Upper { oddity: Some(Oddity::TruncatedHeader), ..Upper::of(Transport::Other) })
}

/// What an IP packet carries, and how it was found.
struct Upper<'a> {
    transport: Transport<'a>,
    checksum: Checksum,
    oddity: Option<Oddity>,
}

impl<'a> Upper<'a> {
    fn of(transport: Transport<'a>) -> Self {
        Self { transport, checksum: Checksum::Right, oddity: None }
    }

    /// `octets` is what was captured, `claimed` how many there were on the wire.
    fn read(protocol: u8, octets: &'a [u8], claimed: usize, addresses: (IpAddr, IpAddr)) -> Self {
        let read = match protocol {
            TCP => tcp(octets, claimed),
            UDP => udp(octets, claimed),
            ICMP | ICMPV6 => icmp(octets, claimed, protocol == ICMPV6),
            _ => return Self::of(Transport::Other),
        };
        let Some((transport, oddity)) = read else {
            return Self { oddity: Some(Oddity::TruncatedHeader), ..Self::of(Transport::Other) };
        };
        // What was not captured whole cannot be judged.
        let checksum = if octets.len() < claimed || oddity.is_some() {
            Checksum::Right
        } else {
            match protocol {
                TCP => judge(octets, 16, protocol, addresses),
                // Zero says that there is none.
                UDP if octets.get(6..8) == Some(&[0, 0]) => Checksum::Right,
                UDP => judge(octets, 6, protocol, addresses),
                ICMPV6 => judge(octets, 2, protocol, addresses),
                _ => judge_alone(octets, 2),
            }
        };
        Self { transport, checksum, oddity }
    }

    fn packet(self, addresses: (IpAddr, IpAddr), total_len: usize, protocol: u8) -> Reading<'a> {
        let packet = IpPacket {
            source: addresses.0,
            destination: addresses.1,
            total_len: total_len as u32,
            protocol,
            transport: self.transport,
            checksum: self.checksum,
        };
        (Some(packet), self.oddity)
    }
}

fn tcp(octets: &[u8], claimed: usize) -> Option<(Transport<'_>, Option<Oddity>)> {
    let header = octets.first_chunk::<20>()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 || header_len > claimed {
        return Some((Transport::Other, Some(Oddity::BadTcpHeaderLength)));
    }
    let segment = Segment {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        sequence: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        acknowledgement: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        payload: octets.get(header_len..).unwrap_or_default(),
        payload_len: (claimed - header_len) as u32,
    };
    Some((Transport::Tcp(segment), None))
}

fn udp(octets: &[u8], claimed: usize) -> Option<(Transport<'_>, Option<Oddity>)> {
    let header = octets.first_chunk::<8>()?;
    // Zero in jumbograms.
    let length = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
        0 => claimed,
        length => length,
    };
    // Shorter than its packet or longer: no host takes all of it.
    let oddity = (length != claimed).then_some(Oddity::UdpLength);
    let length = length.clamp(8, claimed.max(8));
    let payload = &octets[8..];
    let datagram = Datagram {
        source_port: u16::from_be_bytes([header[0], header[1]]),
        destination_port: u16::from_be_bytes([header[2], header[3]]),
        payload: &payload[..(length - 8).min(payload.len())],
        payload_len: (length - 8) as u32,
    };
    Some((Transport::Udp(datagram), oddity))
}

fn icmp(octets: &[u8], claimed: usize, v6: bool) -> Option<(Transport<'_>, Option<Oddity>)> {
    let header = octets.first_chunk::<4>()?;
    let payload_len = claimed.saturating_sub(8) as u32;
    Some((Transport::Icmp(Icmp { kind: header[0], code: header[1], payload_len, v6 }), None))
}
