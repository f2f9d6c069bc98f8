//! Makes a long capture of short ones: repeats them with new addresses until there are enough packets, and mixes in
//! a flood where one is asked for. The same arguments give the same octets.
//!
//! ```sh
//! cargo run --release -p sensor --example repeat -- 1000000 0 CAPTURE... > long.pcap
//! cargo run --release -p sensor --example repeat -- 50000000 50 CAPTURE... | fieldrange-sensor -r - --log-dir logs
//! ```
//!
//! The first argument is the number of packets, the second how many per cent of them are flood: SYNs from a million
//! addresses, noise on the ports of Modbus and DNP3, ARP scans, fragments without their rest, segments behind holes.
//! Every round over the captures has addresses of its own in 10.0.0.0/8, and begins where the one before ended.
//! Checksums are made anew, so that they are right.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use sensor::{CaptureReader, LinkType};

/// Between two packets of a flood, and between two rounds.
const GAP: u64 = 10_000;
/// Longest pause between two packets of a capture: what comes fast is what is measured.
const PAUSE_MAX: u64 = 1_000_000;

struct Original {
    /// Since the packet before.
    after: u64,
    octets: Vec<u8>,
    /// Where its IPv4 header begins, where it has one.
    ip: Option<usize>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers = (args.first().and_then(|n| n.parse().ok()), args.get(1).and_then(|n| n.parse().ok()));
    let (Some(count), Some(share), true) = (numbers.0, numbers.1, args.len() > 2) else {
        eprintln!("usage: repeat PACKETS FLOOD_PER_CENT CAPTURE... > long.pcap");
        return ExitCode::from(2);
    };
    match repeat(count, share, &args[2..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn repeat(count: u64, share: u64, captures: &[String]) -> io::Result<()> {
    let (originals, hosts) = read(captures)?;
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    let mut at = 1_700_000_000_000_000_000_u64;
    let (mut written, mut round, mut flood) = (0, 0_u32, Flood::default());
    let mut octets = Vec::new();
    while written < count {
        at += GAP;
        for original in &originals {
            // So many floods for each packet that the share holds.
            while share > 0 && (flood.sent + 1) * 100 <= (written + 1) * share && written < count {
                at += GAP;
                flood.next(&mut octets);
                packet(&mut out, at, &octets)?;
                written += 1;
            }
            if written >= count {
                break;
            }
            at += original.after;
            octets.clear();
            octets.extend_from_slice(&original.octets);
            if let Some(ip) = original.ip {
                readdress(&mut octets, ip, &hosts, round);
            }
            packet(&mut out, at, &octets)?;
            written += 1;
        }
        round += 1;
    }
    out.flush()
}

fn packet(out: &mut impl Write, at: u64, octets: &[u8]) -> io::Result<()> {
    let len = octets.len() as u32;
    for word in [(at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32, len, len] {
        out.write_all(&word.to_le_bytes())?;
    }
    out.write_all(octets)
}

type Hosts = BTreeMap<[u8; 4], u8>;

fn read(captures: &[String]) -> io::Result<(Vec<Original>, Hosts)> {
    let (mut originals, mut hosts) = (Vec::new(), Hosts::new());
    for capture in captures {
        let mut reader = CaptureReader::open(Path::new(capture)).map_err(io::Error::other)?;
        let mut last = None;
        loop {
            let frame = match reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    eprintln!("{error}");
                    break;
                }
            };
            if frame.link != LinkType::Ethernet {
                continue;
            }
            let after = frame.unix_nanos.saturating_sub(last.unwrap_or(frame.unix_nanos));
            last = Some(frame.unix_nanos);
            let octets = frame.octets.to_vec();
            let ip = (octets.get(12..14) == Some(&[8, 0]) && octets.len() >= 34).then_some(14);
            if let Some(ip) = ip {
                for place in [ip + 12, ip + 16] {
                    if let Some(address) = octets.get(place..).and_then(|rest| rest.first_chunk()) {
                        let next = hosts.len() as u8;
                        hosts.entry(*address).or_insert(next);
                    }
                }
            }
            originals.push(Original { after: after.min(PAUSE_MAX), octets, ip });
        }
    }
    if originals.is_empty() {
        return Err(io::Error::other("no Ethernet frame in these captures"));
    }
    Ok((originals, hosts))
}

/// Addresses of the round, and the checksums that cover them: made anew, whatever they were.
fn readdress(octets: &mut [u8], ip: usize, hosts: &Hosts, round: u32) {
    let header_len = usize::from(octets[ip] & 15) * 4;
    let end = (ip + usize::from(u16::from_be_bytes([octets[ip + 2], octets[ip + 3]]))).min(octets.len());
    for place in [ip + 12, ip + 16] {
        let old = [octets[place], octets[place + 1], octets[place + 2], octets[place + 3]];
        // A broadcast stays one.
        if let Some(number) = hosts.get(&old).copied().filter(|_| old[0] < 224) {
            octets[place..place + 4].copy_from_slice(&[10, (round >> 8) as u8, round as u8, number]);
        }
    }
    let upper = ip + header_len;
    if header_len < 20 || upper > end {
        return;
    }
    finish(octets, ip..upper, ip + 10, 0);
    let (protocol, is_whole) = (octets[ip + 9], octets[ip + 6].trailing_zeros() >= 6 && octets[ip + 7] == 0);
    let at = match protocol {
        6 => upper + 16,
        17 => upper + 6,
        _ => return,
    };
    if is_whole && at + 2 <= end {
        let pseudo = sum(&octets[ip + 12..ip + 20]) + u32::from(protocol) + (end - upper) as u32;
        finish(octets, upper..end, at, pseudo);
    }
}

/// Writes the checksum of a range at `at`, which lies in it.
fn finish(octets: &mut [u8], range: std::ops::Range<usize>, at: usize, pseudo: u32) {
    octets[at..at + 2].fill(0);
    let mut sum = sum(&octets[range]) + pseudo;
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    octets[at..at + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

fn sum(octets: &[u8]) -> u32 {
    let words =
        octets.chunks(2).map(|word| u32::from(word[0]) << 8 | word.get(1).copied().map_or(0, u32::from));
    words.sum()
}

/// Hostile packets, of each kind in turn.
#[derive(Default)]
struct Flood {
    sent: u64,
}

impl Flood {
    fn next(&mut self, octets: &mut Vec<u8>) {
        let n = self.sent;
        self.sent += 1;
        // Weyl's sequence: spread, and the same every time.
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        let stream = (n / 8 % 1000).to_be_bytes();
        let source = match n % 8 {
            7 => [172, 31, stream[6], stream[7]],
            _ => [172, 16 | noise[0] & 7, noise[1], noise[2]],
        };
        octets.clear();
        octets.extend([2, 0, 0, 0, 0, 1, 2, 0]);
        octets.extend(source);
        match n % 8 {
            0..=2 => tcp(octets, source, 502, 2, &[]),
            3 => tcp(octets, source, 20_000, 0x18, &[noise, noise].concat()),
            4 => tcp(octets, source, 502, 0x18, &[noise; 8].concat()),
            5 => {
                octets.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0]);
                octets.extend([source, source].concat());
                octets.extend([0, 0, 0, 0, 0, 0, 10, noise[3], noise[4], noise[5]]);
            }
            6 => {
                ipv4(octets, source, 17, 40, [noise[6], noise[7]], 0x20);
                octets.extend([noise; 5].concat());
            }
            // One of a thousand streams, ever further behind its hole.
            _ => {
                let place = octets.len() + 2 + 20;
                tcp(octets, source, 8000, 0x10, &[noise; 100].concat());
                let sequence = 10_000 + (n / 8000) as u32 * 2000;
                octets[place + 4..place + 8].copy_from_slice(&sequence.to_be_bytes());
            }
        }
    }
}

fn ipv4(octets: &mut Vec<u8>, source: [u8; 4], protocol: u8, len: u16, id: [u8; 2], flags: u8) {
    octets.extend([8, 0, 0x45, 0]);
    octets.extend((20 + len).to_be_bytes());
    octets.extend(id);
    octets.extend([flags, 0, 64, protocol, 0, 0]);
    octets.extend(source);
    octets.extend([10, 0, 0, 1]);
}

fn tcp(octets: &mut Vec<u8>, source: [u8; 4], port: u16, flags: u8, payload: &[u8]) {
    ipv4(octets, source, 6, 20 + payload.len() as u16, [0, 0], 0);
    octets.extend([0xc0, source[3]]);
    octets.extend(port.to_be_bytes());
    octets.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    octets.extend(payload);
}
