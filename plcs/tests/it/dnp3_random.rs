//! Whatever arrives at an outstation: it goes on, what it says makes sense, and it holds no more than it should.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use site::dnp3::Outstation as Map;
use wire::dnp3::{Fragment, PointKind, Response};

use super::dnp3_rig::Rig;

fn map() -> Map {
    let mut points = String::new();
    for (kind, count) in [
        ("binary_input", 300),
        ("double_bit_input", 9),
        ("counter", 9),
        ("analog_input", 120),
        ("binary_output", 3),
        ("analog_output", 3),
    ] {
        for index in 0..count {
            let class = index % 4;
            let _ =
                writeln!(points, "{{ kind = \"{kind}\", index = {index}, tag = \"T\", class = {class} }},");
        }
    }
    let text = format!(
        "outstation = 10\npoint = [\n{points}]\n[dnp3]\nany_master = true\nself_address = true\nunsolicited = true\n\
         fragment_octets = 600\nbuffers = {{ class_1 = 5, class_2 = 40, class_3 = 300 }}\n"
    );
    Map::parse("random.toml", &text).unwrap()
}

#[derive(Clone, Debug)]
enum Event {
    Octets(Vec<u8>),
    Request(u8, Vec<u8>),
    Frame(u8, u16, u16, Vec<u8>),
    Change(u16, f64),
    Wait(u64),
    Reconnect,
}

/// Object headers as masters send them, and some as they do not.
fn objects() -> impl Strategy<Value = Vec<u8>> {
    let group =
        prop::sample::select(vec![0, 1, 2, 3, 10, 12, 20, 21, 22, 30, 32, 34, 40, 41, 50, 60, 80, 110, 200]);
    let qualifier = prop::sample::select(vec![0, 1, 6, 7, 8, 0x17, 0x28, 0x5b]);
    let tail = prop::collection::vec(prop_oneof![Just(0), 0..9_u8, any::<u8>()], 0..24);
    let header = (group, 0..5_u8, qualifier, tail).prop_map(|(group, variation, qualifier, tail)| {
        let mut header = vec![group, variation, qualifier];
        if qualifier != 6 {
            header.extend(tail);
        }
        header
    });
    prop::collection::vec(header, 0..5).prop_map(|headers| headers.concat())
}

fn event() -> impl Strategy<Value = Event> {
    let octets = prop::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        1 => octets.prop_map(Event::Octets),
        8 => (0..40_u8, objects()).prop_map(|(function, objects)| Event::Request(function, objects)),
        2 => (any::<u8>(), any::<u16>(), 0..4_u16, objects())
            .prop_map(|(control, to, from, data)| Event::Frame(control, to, from, data)),
        3 => (0..300_u16, any::<f64>()).prop_map(|(index, value)| Event::Change(index, value)),
        2 => (0..70_000_u64).prop_map(Event::Wait),
        1 => Just(Event::Reconnect),
    ]
}

proptest! {
    #[test]
    fn an_outstation_survives_whatever_arrives(events in prop::collection::vec(event(), 0..60)) {
        let mut rig = Rig::new(&map());
        let mut sequence = 0_u8;
        for event in events {
            match event {
                Event::Octets(octets) => rig.receive(&octets),
                Event::Request(function, objects) => {
                    // The sequence goes on, and now and then stands, so that repeats and confirmations come up.
                    sequence = (sequence + u8::from(function != 0)) & 0x0f;
                    let fragment = [&[0xc0 | sequence, function][..], &objects].concat();
                    let answers = rig.ask(&fragment);
                    prop_assert!(answers.len() <= 4);
                    for answer in &answers {
                        prop_assert!(answer.len() <= 2048);
                        prop_assert!(Response::parse(Fragment::new(answer)).is_ok(), "{answer:02x?}");
                    }
                }
                Event::Frame(control, to, from, data) => {
                    rig.master = from;
                    let to = if to % 3 == 0 { 10 } else { to | 0xfff0 };
                    let frames = rig.frames(&data, control, to);
                    rig.master = 1;
                    rig.receive(&frames);
                }
                Event::Change(index, value) => {
                    rig.update(PointKind::AnalogInput, index, value);
                    rig.update(PointKind::BinaryInput, index, f64::from(u8::from(value > 0.0)));
                }
                Event::Wait(span) => rig.advance(Duration::from_millis(span)),
                Event::Reconnect => rig.connect(),
            }
            rig.fragments.clear();
            rig.links.clear();
            if rig.closed {
                rig.advance(Duration::from_secs(10));
                rig.connect();
                prop_assert!(!rig.closed);
            }
        }
        // Nothing is left that would come due for ever.
        rig.advance(Duration::from_mins(10));
    }
}
