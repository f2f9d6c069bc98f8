//! A stream of DNP3, whatever its octets: it comes to an end, fragments are bounded, work is bounded by octets, and what
//! a point says can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::dnp3::link::{FRAME_MAX, Framing, next_frame};
use wire::dnp3::object::{FileObject, Shape};
use wire::dnp3::{Fragment, Reassembly, Value};

const LIMIT: usize = 2048;

fuzz_target!(|octets: &[u8]| {
    let (mut left, mut reassembly, mut data) = (octets, Reassembly::default(), Vec::new());
    loop {
        match next_frame(left) {
            Framing::Whole { frame, consumed } => {
                assert!(consumed <= FRAME_MAX && frame.user_data_len() <= 250);
                left = &left[consumed..];
                data.clear();
                if frame.user_data(&mut data).is_ok() {
                    if let Some(fragment) = reassembly.push(&data, LIMIT).fragment {
                        assert!(fragment.len() <= LIMIT);
                        read(fragment);
                    }
                }
            }
            Framing::Noise { consumed, .. } => {
                assert!(consumed > 0);
                left = &left[consumed..];
            }
            Framing::Short { need } => {
                assert!(need > left.len());
                break;
            }
        }
    }
    // Checksums keep most inputs from getting further than the link layer.
    read(octets);
});

fn read(octets: &[u8]) {
    let fragment = Fragment::new(octets);
    let (mut headers, mut points) = (0, 0);
    let mut blocks = fragment.blocks();
    for block in blocks.by_ref() {
        headers += 1;
        for point in block.points() {
            points += 1;
            let _ = point.value.number();
            if let Value::Octets(octets) = point.value {
                let _ = FileObject::parse(block.variation, octets).map(|file| file.name().map(<[u8]>::len));
            }
            if let (Some(shape @ Shape::Fields { .. }), true) = (block.shape, block.qualifier.prefix().is_empty()) {
                let mut again = Vec::new();
                if point.emit(shape, &mut again).is_ok() {
                    assert_eq!(Some(again.len()), shape.len(block.variation));
                }
            }
        }
    }
    assert!(headers <= octets.len() / 3 && points <= 8 * octets.len());
    let _ = (blocks.trouble().map(|trouble| trouble.to_string()), fragment.iin(), fragment.has_whole_header());
}
