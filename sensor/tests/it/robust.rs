//! Nothing that comes in makes the sensor panic or grow without bound.

use proptest::prelude::*;
use sensor::{CaptureReader, LinkType, MemorySink, RuleSet, Sensor, SensorConfig};

use crate::session::{PLC_1, ROGUE, SECOND, Story};

fn sensor() -> Sensor<MemorySink> {
    let config = SensorConfig {
        site: Some(std::sync::Arc::new(site::Site::named("waterworks").unwrap())),
        learn: std::time::Duration::ZERO,
        connections_max: 64,
        ..SensorConfig::default()
    };
    Sensor::new(config, RuleSet::embedded().unwrap(), MemorySink::default())
}

fn frames() -> Vec<(u64, Vec<u8>)> {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..3, &mut talks, |_| 4.0);
    let mut rogue = story.connect(SECOND, ROGUE, PLC_1, 502);
    story.ask(SECOND, &mut rogue, 1, &[43, 14, 1, 0], &[43, 14, 1, 1, 0, 0, 1, 0, 1, b'H']);
    story.ask(SECOND, &mut rogue, 1, &[16, 0, 40, 0, 2, 4, 0, 1, 0, 2], &[16, 0, 40, 0, 2]);
    story.arp(SECOND, ROGUE, PLC_1);
    story.frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_octets_never_panic(
        frames in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<u8>(), 0..200)), 0..20),
    ) {
        let mut sensor = sensor();
        for (at, octets) in &frames {
            sensor.on_frame(*at, octets);
            sensor.on_frame_of(LinkType::RawIp, *at, octets, octets.len());
        }
        prop_assert_eq!(sensor.finish().unwrap().frames, 2 * frames.len() as u64);
    }

    #[test]
    fn damaged_traffic_never_panics(
        damage in prop::collection::vec((any::<prop::sample::Index>(), 12usize..120, any::<u8>()), 0..40),
        order in any::<u64>(),
    ) {
        let mut frames = frames();
        for (which, at, value) in damage {
            let index = which.index(frames.len());
            if let Some(octet) = frames[index].1.get_mut(at) {
                *octet = value;
            }
        }
        let len = frames.len();
        frames.rotate_left((order % len as u64) as usize);
        let mut sensor = sensor();
        for (at, octets) in &frames {
            sensor.on_frame(*at, octets);
        }
        sensor.finish().unwrap();
    }

    #[test]
    fn captures_never_panic(octets in prop::collection::vec(any::<u8>(), 0..600), magic in 0usize..6) {
        let magics: [&[u8]; 6] = [
            &[], &[0xd4, 0xc3, 0xb2, 0xa1], &[0xa1, 0xb2, 0xc3, 0xd4], &[0x4d, 0x3c, 0xb2, 0xa1],
            &[0x0a, 0x0d, 0x0d, 0x0a, 0x1c, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
              0xff, 0xff, 0xff, 0xff, 0x1c, 0, 0, 0],
            &[0x34, 0xcd, 0xb2, 0xa1],
        ];
        let whole = [magics[magic], &octets[..]].concat();
        if let Ok(mut reader) = CaptureReader::new("random", &whole[..]) {
            while let Ok(Some(frame)) = reader.next_frame() {
                prop_assert!(frame.octets.len() <= whole.len());
            }
        }
    }
}

#[test]
fn a_flood_of_connections_is_bounded_and_counted() {
    let mut story = Story::new();
    for n in 0..20_000u32 {
        let source = [10, (n >> 16) as u8, (n >> 8) as u8, n as u8];
        story.segment(u64::from(n) * 1000, (source, PLC_1), (1024, 502), (1, 0), 2, &[]);
    }
    let mut sensor = sensor();
    for (at, frame) in &story.frames {
        sensor.on_frame(*at, frame);
    }
    let summary = sensor.finish().unwrap();
    assert_eq!((summary.connections, summary.evicted), (20_000, 20_000 - 64));
}
