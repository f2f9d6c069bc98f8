//! DNP3 properties: nothing panics on any octets, work is bounded by octets, and what is built reads back as it was.

use proptest::prelude::*;
use wire::dnp3::link::{FRAME_MAX, Framing, next_frame};
use wire::dnp3::object::{Attribute, CommandStatus, Crob, DoubleBit, EventTime, Flags, Shape, shape};
use wire::dnp3::object::{Body, FileObject, Lead, Tail};
use wire::dnp3::transport::segments;
use wire::dnp3::{
    AppControl, Block, Fragment, FragmentBuilder, FunctionCode, Iin, LinkAddress, LinkControl, LinkHeader,
    Point, Reassembly, Value,
};

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

/// Octets that look like object headers now and then.
fn likely_objects() -> impl Strategy<Value = Vec<u8>> {
    let qualifier =
        prop::sample::select(vec![0, 1, 2, 3, 6, 7, 8, 9, 0x17, 0x28, 0x39, 0x4b, 0x5b, 0x6b, 0x7a, 0x97]);
    let group = prop::sample::select(vec![0, 1, 2, 3, 12, 20, 30, 32, 41, 50, 60, 70, 80, 83, 110, 120, 200]);
    let part = (group, 0..5_u8, qualifier, octets(24)).prop_map(|(group, variation, qualifier, tail)| {
        let mut part = vec![group, variation, qualifier];
        part.extend(tail);
        part
    });
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Qualifiers with ranges of an octet, counts, and prefixes.
fn readable_qualifier() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![0x00, 0x00, 0x07, 0x17, 0x27, 0x4b])
}

/// Every variation with fields of a fixed length.
fn fields() -> Vec<(u8, u8, Lead, Body, Tail)> {
    let all = (0..=255).flat_map(|group| (0..=255).map(move |variation| (group, variation)));
    all.filter_map(|(group, variation)| match shape(group, variation) {
        Some(Shape::Fields { lead, body, tail }) => Some((group, variation, lead, body, tail)),
        _ => None,
    })
    .collect()
}

/// A value that fits a body, made of random numbers.
fn value_for(body: Body, number: u64, octets: &[u8]) -> Value<'_> {
    let time = number & 0xffff_ffff_ffff;
    match body {
        Body::State => Value::Bit(number & 1 == 1),
        Body::DoubleState => Value::DoubleBit(DoubleBit::from_bits(number as u8)),
        Body::Counter16 => Value::Counter(u32::from(number as u16)),
        Body::Counter32 => Value::Counter(number as u32),
        Body::Integer16 => Value::Integer(i32::from(number as i16)),
        Body::Integer32 => Value::Integer(number as i32),
        Body::Float32 => Value::Single(number as f32),
        Body::Float64 => Value::Double(number as f64),
        Body::Unsigned(octets) => Value::Unsigned((number & ((1 << (8 * u64::from(octets))) - 1)) as u32),
        Body::Time => Value::Time(time),
        Body::TimeInterval { unit } => {
            Value::TimeInterval { time_ms: time, interval: number as u32, unit: unit.then_some(number as u8) }
        }
        Body::Bcd(8) => Value::Bcd(number),
        Body::Bcd(octets) => Value::Bcd(number & ((1 << (8 * u64::from(octets))) - 1)),
        Body::Octets(count) => Value::Octets(&octets[..count.into()]),
        Body::Crob => {
            let status = CommandStatus(number as u8);
            let (control_code, count) = ((number >> 8) as u8, (number >> 16) as u8);
            Value::Crob(Crob {
                control_code,
                count,
                on_time_ms: (number >> 24) as u32,
                off_time_ms: (number >> 32) as u32,
                status,
            })
        }
    }
}

/// A point as it reads back: with nothing that its variation cannot carry.
fn point_for(parts: (Lead, Body, Tail), index: u32, number: u64, octets: &[u8]) -> Point<'_> {
    let (lead, body, tail) = parts;
    let value = value_for(body, number, octets);
    let state = match value {
        Value::Bit(bit) => u8::from(bit) << 7,
        Value::DoubleBit(bits) => bits.bits() << 6,
        _ => 0,
    };
    let flags = (lead == Lead::Flags).then_some(match body {
        Body::State => Flags((number >> 8) as u8 & 0x7f | state),
        Body::DoubleState => Flags((number >> 8) as u8 & 0x3f | state),
        _ => Flags((number >> 8) as u8),
    });
    let status = match (lead, value, tail) {
        (Lead::Status, _, _) => Some(CommandStatus((number >> 8) as u8 & 0x7f)),
        (_, Value::Crob(crob), _) => Some(crob.status),
        (_, _, Tail::Status) => Some(CommandStatus((number >> 8) as u8)),
        _ => None,
    };
    let time = match tail {
        Tail::Time => Some(EventTime::Absolute(number >> 16)),
        Tail::Relative => Some(EventTime::Relative(number as u16)),
        Tail::None | Tail::Status => None,
    };
    Point { index: Some(index), flags, status, value, time }
}

fn only_block(fragment: &[u8]) -> Block<'_> {
    let mut blocks = Fragment::new(fragment).blocks();
    let block = blocks.next().unwrap();
    assert_eq!(blocks.next(), None);
    assert_eq!(blocks.trouble(), None);
    block
}

fn begin() -> FragmentBuilder {
    FragmentBuilder::response(AppControl::single(3), FunctionCode::RESPONSE, Iin::default())
}

proptest! {
    #[test]
    fn any_octets_are_read_to_their_end(function in any::<u8>(), objects in prop_oneof![octets(64), likely_objects()]) {
        let fragment = [&[0xc0, function, 0, 0][..], &objects].concat();
        let fragment = Fragment::new(&fragment);
        let mut blocks = fragment.blocks();
        let (mut headers, mut points) = (0, 0);
        for block in blocks.by_ref() {
            headers += 1;
            for point in block.points() {
                points += 1;
                if let (70, Value::Octets(octets)) = (block.group, point.value) {
                    let _ = FileObject::parse(block.variation, octets);
                }
            }
        }
        prop_assert!(headers <= fragment.octets().len() / 3);
        prop_assert!(points <= 8 * fragment.octets().len());
        let _ = (blocks.trouble().map(|trouble| trouble.to_string()), fragment.iin(), fragment.control());
    }

    #[test]
    fn readings_are_the_points_side_by_side(
        pick in any::<prop::sample::Index>(), bits in 0..4_u8, qualifier in readable_qualifier(),
        start in 0..5_u8, count in 0..20_u8, data in octets(120),
    ) {
        let shapes = fields();
        let (group, variation) = match bits {
            0 => (1, 1),
            1 => (3, 1),
            _ => { let (group, variation, ..) = shapes[pick.index(shapes.len())]; (group, variation) }
        };
        let range = if qualifier == 0 { vec![start, start + count] } else { vec![count] };
        let fragment = [&[0xc0, 0x81, 0, 0, group, variation, qualifier][..], &range, &data].concat();
        let block = Fragment::new(&fragment).blocks().next().unwrap();
        let points: Vec<Point<'_>> = block.points().collect();
        if let Some(readings) = block.readings() {
            let (mut indices, mut numbers, mut flags) = (Vec::new(), Vec::new(), Vec::new());
            readings.indices(&mut indices);
            readings.numbers(&mut numbers);
            readings.flags(&mut flags);
            prop_assert_eq!((readings.len(), readings.is_empty()), (points.len(), points.is_empty()));
            prop_assert_eq!(indices, points.iter().map(|point| point.index.unwrap()).collect::<Vec<_>>());
            let of_points = points.iter().map(|point| point.value.number().unwrap().to_bits());
            prop_assert_eq!(numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>(), of_points.collect::<Vec<_>>());
            prop_assert_eq!(flags, points.iter().filter_map(|point| point.flags).map(|flags| flags.0.into()).collect::<Vec<u16>>());
            prop_assert!(points.iter().all(|point| point.time.is_none() && point.status.is_none()));
        } else {
            // Points of another form: without an index, with a time or a status, or no number.
            let plain = |point: &Point<'_>| {
                point.index.is_some() && point.time.is_none() && point.status.is_none() && point.value.number().is_some()
            };
            let packed_apart = bits < 2 && qualifier != 0;
            prop_assert!(packed_apart || points.is_empty() || !points.iter().all(plain));
        }
    }

    #[test]
    fn any_stream_comes_to_an_end(stream in octets(600)) {
        let mut left = stream.as_slice();
        loop {
            match next_frame(left) {
                Framing::Whole { frame, consumed } => {
                    prop_assert!(consumed <= FRAME_MAX);
                    let _ = frame.user_data(&mut Vec::new());
                    left = &left[consumed..];
                }
                Framing::Noise { consumed, .. } => {
                    prop_assert!(consumed > 0);
                    left = &left[consumed..];
                }
                Framing::Short { need } => {
                    prop_assert!(need > left.len());
                    break;
                }
            }
        }
    }

    #[test]
    fn a_frame_survives_the_wire_whatever_noise_is_around(
        control in any::<u8>(), ends in any::<(u16, u16)>(), data in octets(250), noise in octets(40),
    ) {
        // Noise that is itself the front of a frame would rightly swallow the frame.
        let noise: Vec<u8> = noise.into_iter().filter(|&octet| octet != 5).collect();
        let header = LinkHeader {
            control: LinkControl(control), destination: LinkAddress(ends.0), source: LinkAddress(ends.1),
        };
        let mut stream = noise.clone();
        header.emit(&data, &mut stream);
        stream.extend(&noise);
        let front = if noise.is_empty() { 0 } else {
            let Framing::Noise { consumed, .. } = next_frame(&stream) else { panic!("noise") };
            consumed
        };
        prop_assert_eq!(front, noise.len());
        let Framing::Whole { frame, consumed } = next_frame(&stream[front..]) else { panic!("whole") };
        let mut read = Vec::new();
        prop_assert_eq!(frame.user_data(&mut read), Ok(()));
        prop_assert_eq!((frame.header, read, frame.user_data_len()), (header, data.clone(), data.len()));
        prop_assert_eq!(front + consumed, stream.len() - noise.len());
    }

    #[test]
    fn a_flipped_bit_is_always_seen(data in octets(250), flip in any::<prop::sample::Index>()) {
        let mut stream = Vec::new();
        LinkHeader {
            control: LinkControl(0xc4), destination: LinkAddress(1), source: LinkAddress(2),
        }.emit(&data, &mut stream);
        let bit = flip.index(8 * stream.len());
        stream[bit / 8] ^= 1 << (bit % 8);
        let good = match next_frame(&stream) {
            Framing::Whole { frame, .. } => frame.user_data(&mut Vec::new()).is_ok(),
            _ => false,
        };
        prop_assert!(!good);
    }

    #[test]
    fn a_fragment_survives_its_segments(fragment in octets(2048), sequence in any::<u8>()) {
        let mut reassembly = Reassembly::default();
        let mut whole = None;
        for segment in segments(&fragment, sequence) {
            prop_assert!(whole.is_none());
            let result = reassembly.push(&segment, 2048);
            prop_assert_eq!(result.lost, None);
            whole = result.fragment.map(<[u8]>::to_vec);
        }
        prop_assert_eq!(whole, Some(fragment));
    }

    #[test]
    fn any_segments_keep_reassembly_bounded(parts in prop::collection::vec(octets(60), 0..40)) {
        let mut reassembly = Reassembly::default();
        for part in &parts {
            if let Some(fragment) = reassembly.push(part, 100).fragment {
                prop_assert!(fragment.len() <= 100);
            }
        }
    }

    #[test]
    fn points_of_every_variation_survive_the_wire(
        which in prop::sample::select(fields()), start in any::<u16>(), numbers in prop::collection::vec(any::<u64>(), 1..5),
    ) {
        let (group, variation, lead, body, tail) = which;
        let filler = [0x5a; 16];
        let start = start.min(u16::MAX - 5);
        let make = |index: u32, number: u64| point_for((lead, body, tail), index, number, &filler);
        let points: Vec<_> =
            numbers.iter().zip(u32::from(start)..).map(|(&number, index)| make(index, number)).collect();

        let fragment = begin().points(group, variation, start, &points).unwrap().finish();
        prop_assert_eq!(only_block(&fragment).points().collect::<Vec<_>>(), points.clone());
        let fragment = begin().indexed(group, variation, &points).unwrap().finish();
        prop_assert_eq!(only_block(&fragment).points().collect::<Vec<_>>(), points.clone());

        let uncounted: Vec<_> = points.iter().map(|point| Point { index: None, ..*point }).collect();
        let fragment = begin().counted(group, variation, &points).unwrap().finish();
        prop_assert_eq!(only_block(&fragment).points().collect::<Vec<_>>(), uncounted.clone());

        // Cut short, the points that are whole remain, and the trouble is said.
        let cut = &fragment[..fragment.len() - 1];
        let mut blocks = Fragment::new(cut).blocks();
        let kept: Vec<_> = blocks.next().unwrap().points().collect();
        prop_assert_eq!(kept.as_slice(), &uncounted[..uncounted.len() - 1]);
        prop_assert!(blocks.trouble().is_some());
    }

    #[test]
    fn packed_points_survive_the_wire(start in 0..60_000_u16, bits in prop::collection::vec(0..4_u8, 1..40)) {
        let indices = || u32::from(start)..;
        let named = |index| Point { index: Some(index), flags: None, status: None, value: Value::None, time: None };
        let single: Vec<_> = bits.iter().zip(indices())
            .map(|(bits, index)| Point { value: Value::Bit(bits & 1 == 1), ..named(index) }).collect();
        let double: Vec<_> = bits.iter().zip(indices())
            .map(|(bits, index)| Point { value: Value::DoubleBit(DoubleBit::from_bits(*bits)), ..named(index) }).collect();
        for (group, points) in [(1, &single), (10, &single), (80, &single), (3, &double)] {
            let fragment = begin().points(group, 1, start, points).unwrap().finish();
            prop_assert_eq!(&only_block(&fragment).points().collect::<Vec<_>>(), points);
        }
    }

    #[test]
    fn octets_of_any_length_survive_the_wire(parts in prop::collection::vec(octets(40), 1..4), kind in any::<u8>()) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let fragment = begin().free_format(70, 5, &slices).unwrap().finish();
        let read: Vec<_> = only_block(&fragment).points().map(|point| point.value).collect();
        prop_assert_eq!(read, slices.iter().map(|octets| Value::Octets(octets)).collect::<Vec<_>>());

        let kind = kind.min(254);
        let value = Value::Attribute(Attribute { kind, octets: slices[0] });
        let point = Point { index: Some(0), flags: None, status: None, value, time: None };
        let fragment = begin().points(0, 252, 0, &[point]).unwrap().finish();
        prop_assert_eq!(only_block(&fragment).points().next(), Some(point));
    }
}
