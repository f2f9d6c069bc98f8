//! Any fragments of IPv4 and IPv6 datagrams, and what comes of them, through the sensor.
//!
//! The input is cut into fragments of eight octets of header each: which datagram and which version, offset, flags and
//! length, time that passes; then the payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::{LinkType, LogFormat, LogSet, MemorySink, RuleSet, Sensor, SensorConfig};

fn packet(choice: u8, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
    let protocol = if choice & 2 == 0 { 17 } else { 6 };
    let len = payload.len() as u16;
    let mut octets = Vec::new();
    if choice & 1 == 0 {
        octets.extend([0x45, 0]);
        octets.extend((20 + len).to_be_bytes());
        octets.extend([0, choice >> 2]);
        octets.extend((offset / 8 | u16::from(more) << 13).to_be_bytes());
        octets.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    } else {
        octets.extend([0x60, 0, 0, 0]);
        octets.extend((8 + len).to_be_bytes());
        octets.extend([44, 64]);
        octets.extend([0xfd; 32]);
        octets.extend([protocol, 0]);
        octets.extend((offset & 0xfff8 | u16::from(more)).to_be_bytes());
        octets.extend([0, 0, 0, choice >> 2]);
    }
    octets.extend(payload);
    octets
}

fuzz_target!(|octets: &[u8]| {
    let config = SensorConfig {
        logs: LogSet::FULL,
        format: LogFormat::Json,
        connections_max: 16,
        ..SensorConfig::default()
    };
    let rules = RuleSet::load([]).unwrap_or_else(|error| panic!("{error}"));
    let mut sensor = Sensor::new(config, rules, MemorySink::default());
    let (mut rest, mut at, mut frames) = (octets, 0_u64, 0);
    while let Some((&[choice, high, low, len, seconds, cut], tail)) = rest.split_first_chunk::<6>() {
        let len = usize::from(len).min(tail.len());
        let offset = u16::from_be_bytes([high, low]);
        let whole = packet(choice, offset, seconds & 1 == 1, &tail[..len]);
        rest = &tail[len..];
        at += u64::from(seconds >> 1) * 1_000_000_000;
        let captured = whole.len() - usize::from(cut & 15).min(whole.len());
        sensor.on_frame_of(LinkType::RawIp, at, &whole[..captured], whole.len());
        frames += 1;
    }
    let summary = sensor.finish().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(summary.frames, frames);
});
