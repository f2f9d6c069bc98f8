//! Any octets as a row of frames, through the whole sensor with the water works' documentation.
//!
//! The input is cut into frames: one octet that chooses a prefix (so that the fuzzer need not find an Ethernet, IP and
//! TCP header by itself) and the time that passes, two octets of length, then the frame.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use sensor::{MemorySink, RuleSet, Sensor, SensorConfig};
use site::Site;

static SITE: LazyLock<Arc<Site>> =
    LazyLock::new(|| Arc::new(Site::named("waterworks").unwrap_or_else(|error| panic!("{error}"))));

/// Ethernet, IPv4, and TCP or UDP from the HMI to PLC-1, and back, to a port of Modbus, of DNP3, of EtherNet/IP, of none.
fn prefix(choice: u8, len: usize) -> Vec<u8> {
    if choice & 1 == 0 {
        return Vec::new();
    }
    let (mut source, mut target) = ([192, 168, 1, 20], [192, 168, 1, 101]);
    let [high, low] = [502_u16, 20_000, 44_818, 10_502][usize::from(choice >> 4 & 3)].to_be_bytes();
    let is_udp = choice & 8 != 0;
    let (mut ports, mut numbers) = ([0xc0, 0, high, low], [0, 0, 0, 1, 0, 0, 0, 1]);
    if choice & 2 != 0 {
        std::mem::swap(&mut source, &mut target);
        ports.rotate_left(2);
        numbers.rotate_left(4);
    }
    let mut frame = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((if is_udp { 28 } else { 40 } + len as u16).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, if is_udp { 17 } else { 6 }, 0, 0]);
    frame.extend(source);
    frame.extend(target);
    frame.extend(ports);
    if is_udp {
        frame.extend((8 + len as u16).to_be_bytes());
        frame.extend([0, 0]);
        return frame;
    }
    frame.extend(numbers);
    frame.extend([0x50, if choice & 4 != 0 { 2 } else { 0x18 }, 1, 0, 0, 0, 0, 0]);
    frame
}

fuzz_target!(|octets: &[u8]| {
    let config = SensorConfig {
        site: Some(SITE.clone()),
        learn: Duration::from_secs(1),
        connections_max: 16,
        ..SensorConfig::default()
    };
    // Loading the rules takes longer than everything else; `tests/it/robust.rs` runs with them.
    let rules = RuleSet::load([]).unwrap_or_else(|error| panic!("{error}"));
    let mut sensor = Sensor::new(config, rules, MemorySink::default());
    let mut rest = octets;
    let (mut at, mut frames) = (0u64, 0);
    while let Some((&[choice, high, low], tail)) = rest.split_first_chunk::<3>() {
        let len = usize::from(u16::from_be_bytes([high & 1, low])).min(tail.len());
        let mut frame = prefix(choice, len);
        frame.extend_from_slice(&tail[..len]);
        rest = &tail[len..];
        at += u64::from(choice) * 20_000_000;
        sensor.on_frame(at, &frame);
        frames += 1;
    }
    let summary = sensor.finish().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(summary.frames, frames);
});
