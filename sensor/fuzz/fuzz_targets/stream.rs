//! Any order of segments of two Modbus and DNP3 connections through the sensor, and a second time whole: what comes in
//! order out of order has to be the same.
//!
//! The input is a conversation of one direction, and an order: the segments of it are delivered in that order, with copies.
//! As long as nothing is left out, the PDUs are those of the conversation delivered in order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::{LinkType, Log, LogFormat, LogSet, MemorySink, RuleSet, Sensor, SensorConfig};

fn segment(port: u16, flags: u8, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![0x45, 0];
    octets.extend((40 + payload.len() as u16).to_be_bytes());
    octets.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0xc0, 0]);
    octets.extend(port.to_be_bytes());
    octets.extend(sequence.to_be_bytes());
    octets.extend([0, 0, 0, 1, 0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    octets.extend(payload);
    octets
}

/// PDUs that the sensor finds in segments.
fn pdus(port: u16, segments: &[(u32, &[u8])]) -> (u64, u64) {
    let config = SensorConfig { logs: LogSet::FULL, format: LogFormat::Json, ..SensorConfig::default() };
    let rules = RuleSet::load([]).unwrap_or_else(|error| panic!("{error}"));
    let mut sensor = Sensor::new(config, rules, MemorySink::default());
    let mut feed = |octets: Vec<u8>| sensor.on_frame_of(LinkType::RawIp, 0, &octets, octets.len());
    feed(segment(port, 2, 0, &[]));
    for (sequence, payload) in segments {
        feed(segment(port, 0x18, 1 + sequence, payload));
    }
    let summary = sensor.finish().unwrap_or_else(|error| panic!("{error}"));
    (summary.modbus_pdus, sensor.into_sink().text(Log::Weird).lines().count() as u64)
}

fuzz_target!(|octets: &[u8]| {
    let Some((&[choice, size, count], rest)) = octets.split_first_chunk::<3>() else { return };
    let port = if choice & 1 == 0 { 502 } else { 20_000 };
    let (order, conversation) = rest.split_at(usize::from(count).min(rest.len()));
    let mut segments = Vec::new();
    let mut at = 0;
    for piece in conversation.chunks(usize::from(size % 64) + 1) {
        segments.push((at, piece));
        at += piece.len() as u32;
    }
    if segments.is_empty() || segments.len() > 200 {
        return;
    }
    let in_order = pdus(port, &segments);
    // Any order, with copies; then all of them once more, so that nothing is missing.
    let mut shuffled: Vec<_> = order.iter().map(|place| segments[usize::from(*place) % segments.len()]).collect();
    shuffled.extend(&segments);
    let out_of_order = pdus(port, &shuffled);
    assert_eq!(in_order.0, out_of_order.0, "order {order:?}");
});
