//! The Internet checksum (RFC 1071), and what a wrong one means.
//!
//! A capture taken on the sending host shows segments before the network card has finished their checksum: the field
//! then holds nothing, or the sum over the pseudo header alone, which is what the operating system leaves to the card
//! (RFC 793 with offloading). Such a checksum is *unfinished*, not wrong: the segment on the wire was right. A checksum that
//! is neither is wrong: no host takes the segment.

use std::net::IpAddr;

/// Whether a checksum agrees with what it covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// It does, or there is none, or what it covers was not captured whole.
    #[default]
    Right,
    /// Left to the sender's network card: the capture was taken before it.
    Unfinished,
    /// It does not.
    Wrong,
}

/// Judges the checksum of TCP, UDP or ICMPv6, which lies at `at` in `octets` and covers them all and the addresses.
pub(crate) fn judge(octets: &[u8], at: usize, protocol: u8, addresses: (IpAddr, IpAddr)) -> Checksum {
    let addresses = address_sum(addresses);
    let pseudo = addresses + u64::from((u16::from(protocol)).to_be()) + sum_of_length(octets.len());
    if fold(pseudo + sum(octets)) == 0xffff {
        return Checksum::Right;
    }
    let field = octets.get(at..at + 2).and_then(|field| field.first_chunk()).copied().unwrap_or_default();
    let field = u16::from_ne_bytes(field);
    // Some systems leave the length to the card as well.
    let without_length = addresses + u64::from((u16::from(protocol)).to_be());
    if field == 0 || field == fold(pseudo) || field == fold(without_length) {
        Checksum::Unfinished
    } else {
        Checksum::Wrong
    }
}

/// Judges a checksum at `at` that covers `octets` and nothing else: an IPv4 header, an ICMP message.
pub(crate) fn judge_alone(octets: &[u8], at: usize) -> Checksum {
    if fold(sum(octets)) == 0xffff {
        Checksum::Right
    } else if octets.get(at..at + 2) == Some(&[0, 0]) {
        Checksum::Unfinished
    } else {
        Checksum::Wrong
    }
}

// Sums are of words as the machine reads them: the checksum is the same in either order (RFC 1071, section 2 (B)).

fn address_sum((source, destination): (IpAddr, IpAddr)) -> u64 {
    let one = |address| match address {
        IpAddr::V4(address) => sum(&std::net::Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => sum(&std::net::Ipv6Addr::octets(&address)),
    };
    one(source) + one(destination)
}

fn sum_of_length(length: usize) -> u64 {
    sum(&(length as u32).to_be_bytes())
}

fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<4>();
    // Two 16-bit words at once: the fold brings the halves together.
    let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    sum + u64::from(u32::from_ne_bytes(last))
}

fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octets of RFC 1071, section 3: their sum is ddf2.
    #[test]
    fn the_sum_is_that_of_the_rfc() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(u16::from_be(fold(sum(&octets))), 0xddf2);
    }

    /// An IPv4 header of the trace `modbusSmall.pcap` (zeek/zeek, BSD-3), frame 1.
    #[test]
    fn a_headers_own_checksum_is_right_until_it_is_changed() {
        let mut header = [0x45, 0, 0, 0x34, 0x4f, 0xd8, 0x40, 0, 0x80, 6, 0, 0, 0x0a, 0, 0, 9, 0x0a, 0, 0, 3];
        assert_eq!(judge_alone(&header, 10), Checksum::Unfinished);
        let right = !fold(sum(&header));
        header[10..12].copy_from_slice(&right.to_ne_bytes());
        assert_eq!(judge_alone(&header, 10), Checksum::Right);
        header[8] ^= 1;
        assert_eq!(judge_alone(&header, 10), Checksum::Wrong);
    }

    #[test]
    fn what_is_left_to_the_card_is_told_from_what_is_wrong() {
        let addresses = (IpAddr::from([192, 168, 1, 20]), IpAddr::from([192, 168, 1, 101]));
        let mut segment = [0xc0, 0, 1, 0xf6, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0, 7];
        assert_eq!(judge(&segment, 16, 6, addresses), Checksum::Unfinished);
        let pseudo = fold(address_sum(addresses) + sum(&[0, 6]) + sum_of_length(segment.len()));
        segment[16..18].copy_from_slice(&pseudo.to_ne_bytes());
        assert_eq!(judge(&segment, 16, 6, addresses), Checksum::Unfinished);
        segment[16..18].copy_from_slice(&[0, 0]);
        let right = !fold(address_sum(addresses) + sum(&[0, 6]) + sum_of_length(21) + sum(&segment));
        segment[16..18].copy_from_slice(&right.to_ne_bytes());
        assert_eq!(judge(&segment, 16, 6, addresses), Checksum::Right);
        segment[20] ^= 1;
        assert_eq!(judge(&segment, 16, 6, addresses), Checksum::Wrong);
    }
}
