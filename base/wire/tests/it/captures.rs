//! The lenient view over real traffic, counted against tshark 4.0.17.
//!
//! Runs only where the captures lie beside the workspace, in `../shared/captures`, and says so where they do not.
//! The TCP here is the least that will do: octets by sequence number, in order, nothing else; the sensor has the real one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wire::modbus::mbap::{Framing, next_adu};
use wire::modbus::{Direction, Packet};

/// Where our count is not tshark's, by how much, and why.
const DIFFERENT: &[(&str, i64, &str)] = &[
    (
        "zeek/fuzz-72.pcap",
        -16,
        "segments are missing, so that this in-order TCP waits after the first request, and the first response has length 0",
    ),
    (
        "zeek/modbusBig.pcap",
        1,
        "the response in frame 3150 was captured after its acknowledgement: tshark takes it for a retransmission",
    ),
];

const FILES: &[&str] = &[
    "icsnpp/icsnpp-modbus/testing/traces/modbus_example.pcap",
    "iti/modbus/ModbusTCP.pcap",
    "iti/modbus/modbus_test.pcap",
    "lemay/characterization_modbus_6RTU_with_operate.pcap",
    "quickdraw-snort/modbus_test_data_part1.pcap",
    "suricata-verify/modbus/modbus.pcap",
    "zeek/fuzz-72.pcap",
    "zeek/modbus-and-non-modbus-p502.pcap",
    "zeek/modbusBig.pcap",
    "zeek/modbusSmall.pcap",
];

#[derive(Debug, Default, PartialEq)]
struct Counts {
    pdus: i64,
    exceptions: i64,
    functions: BTreeMap<String, i64>,
}

#[test]
fn pdu_counts_agree_with_tshark() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    if !captures.exists() {
        eprintln!("SKIPPED: {} does not exist, nothing was compared", captures.display());
        return;
    }
    let oracle = std::fs::read_to_string(captures.join("oracle/tshark-4.0.17-pdu-counts.json")).unwrap();
    let oracle: serde_json::Value = serde_json::from_str(&oracle).unwrap();
    for file in FILES {
        let expected = counts_of(&oracle[file]);
        let actual = count(&captures.join(file));
        let known = DIFFERENT.iter().find(|(name, _, _)| name == file);
        match known {
            None => assert_eq!(actual, expected, "{file}: ours, then tshark's"),
            Some((_, more, why)) => {
                assert_eq!(actual.pdus - expected.pdus, *more, "{file}: {why}: {actual:?}");
            }
        }
    }
}

fn counts_of(entry: &serde_json::Value) -> Counts {
    let functions = entry["modbus_fc"].as_object().unwrap();
    Counts {
        pdus: entry["modbus_pdus"].as_i64().unwrap(),
        exceptions: entry["modbus_exceptions"].as_i64().unwrap(),
        functions: functions.iter().map(|(code, count)| (code.clone(), count.as_i64().unwrap())).collect(),
    }
}

/// One direction of one connection.
#[derive(Default)]
struct Stream {
    next: Option<u32>,
    waiting: BTreeMap<u32, Vec<u8>>,
    buffer: Vec<u8>,
    lost: bool,
}

impl Stream {
    fn take(&mut self, sequence: u32, octets: &[u8], direction: Direction, counts: &mut Counts) {
        self.waiting.insert(sequence, octets.to_vec());
        let mut next = *self.next.get_or_insert(sequence);
        while let Some((&sequence, _)) = self.waiting.iter().find(|(at, _)| next.wrapping_sub(**at) < 1 << 31)
        {
            let octets = self.waiting.remove(&sequence).unwrap();
            let old = next.wrapping_sub(sequence) as usize;
            if let Some(fresh) = octets.get(old..) {
                self.buffer.extend_from_slice(fresh);
                next = next.wrapping_add(fresh.len() as u32);
            }
        }
        self.next = Some(next);
        while !self.lost {
            match next_adu(&self.buffer) {
                Framing::Whole { adu, consumed } => {
                    let packet = Packet::new(direction, adu.pdu);
                    counts.pdus += 1;
                    counts.exceptions += i64::from(packet.is_exception());
                    *counts.functions.entry(packet.function().unwrap().to_string()).or_default() += 1;
                    self.buffer.drain(..consumed);
                }
                Framing::Foreign { consumed, .. } => drop(self.buffer.drain(..consumed)),
                Framing::Short { .. } => break,
                Framing::Lost(_) => self.lost = true,
            }
        }
    }
}

/// Ethernet, perhaps a VLAN tag, IPv4, TCP to or from port 502, out of a little-endian microsecond pcap.
fn count(path: &PathBuf) -> Counts {
    let file = std::fs::read(path).unwrap();
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1], "{}", path.display());
    let mut counts = Counts::default();
    let mut streams: BTreeMap<Vec<u8>, Stream> = BTreeMap::new();
    let mut at = 24;
    while let Some(head) = file.get(at..at + 16) {
        let length = u32::from_le_bytes(head[8..12].try_into().unwrap()) as usize;
        let Some(frame) = file.get(at + 16..at + 16 + length) else { break };
        at += 16 + length;
        segment(frame, &mut streams, &mut counts);
    }
    counts
}

/// `None` for whatever is no whole TCP segment.
fn segment(frame: &[u8], streams: &mut BTreeMap<Vec<u8>, Stream>, counts: &mut Counts) -> Option<()> {
    let ip = match frame.get(12..14)? {
        [0x08, 0x00] => frame.get(14..)?,
        [0x81, 0x00] => frame.get(18..)?,
        _ => return None,
    };
    let (header, total) =
        (usize::from(ip.first()? & 0xf) * 4, usize::from(u16::from_be_bytes([*ip.get(2)?, *ip.get(3)?])));
    if *ip.get(9)? != 6 {
        return None;
    }
    let tcp = ip.get(header..total.min(ip.len()))?;
    let ports = tcp.get(..4)?;
    let direction = match (u16::from_be_bytes([ports[0], ports[1]]), u16::from_be_bytes([ports[2], ports[3]]))
    {
        (_, 502) => Direction::Request,
        (502, _) => Direction::Response,
        _ => return None,
    };
    let sequence = u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?);
    let payload = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    let key = [&ip[12..20], ports].concat();
    if tcp.get(13)? & 0b10 != 0 {
        let stream = Stream { next: Some(sequence.wrapping_add(1)), ..Stream::default() };
        streams.insert(key, stream);
    } else if !payload.is_empty() {
        streams.entry(key).or_default().take(sequence, payload, direction, counts);
    }
    Some(())
}
