//! The strict view of DNP3: frames are found whatever is around them, nothing panics, what a device writes a master reads.

use proptest::prelude::*;
use wire::dnp3::object::{CommandStatus, Crob, Flags};
use wire::dnp3::request::{Order, Readable, Selection};
use wire::dnp3::response::Item;
use wire::dnp3::{
    AppControl, Fragment, FragmentBuilder, Framer, FunctionCode, Iin, LinkAddress, LinkControl, LinkHeader,
    Measurement, Point, PointKind, Request, Response, ResponseWriter, Value,
};

fn octets(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

fn frame(number: u16, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    LinkHeader {
        control: LinkControl(0xc4),
        destination: LinkAddress(number),
        source: LinkAddress(number ^ 0xffff),
    }
    .emit(data, &mut out);
    out
}

/// What may stand between frames: random octets, start marks, frames that were cut off, frames with a damaged octet.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        octets(60),
        prop::collection::vec(prop::sample::select(vec![0x05, 0x64, 0xc4, 0x00]), 0..60),
        (octets(250), any::<prop::sample::Index>()).prop_map(|(mut data, cut)| {
            // A header is 8 octets with a CRC, and so is a block of 8: it would rightly be the last of the frame cut off.
            if data.len() % 16 == 8 {
                data.pop();
            }
            let mut whole = frame(9999, &data);
            // A frame that lacks no more than what the next one begins with would be made whole by it.
            whole.truncate(cut.index(whole.len() - 4));
            whole
        }),
        (octets(250), any::<prop::sample::Index>(), 1..=255_u8).prop_map(|(data, place, flip)| {
            let mut whole = frame(9999, &data);
            let place = place.index(whole.len());
            whole[place] ^= flip;
            whole
        }),
    ]
}

proptest! {
    #[test]
    fn no_frame_is_lost_between_random_octets(
        parts in prop::collection::vec((noise(), octets(250)), 1..8), pieces in 1..400_usize,
    ) {
        let (mut stream, mut sent) = (Vec::new(), Vec::new());
        for ((noise, data), number) in parts.iter().zip(1..) {
            stream.extend(noise);
            stream.extend(frame(number, data));
            sent.push((number, data.clone()));
        }
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        let mut keep = |header: LinkHeader, data: &[u8]| found.push((header.destination.0, data.to_vec()));
        for piece in stream.chunks(pieces) {
            framer.push(piece, &mut keep);
        }
        framer.give_up(&mut keep);
        // Once in some ten thousand times what follows a frame that was cut off is by chance what it lacked: then that is
        // a frame, and what it took is none. Too many such cases fail the test.
        prop_assume!(found.iter().all(|(number, _)| (1..=8).contains(number)));
        prop_assert_eq!(found, sent);
        prop_assert!(!framer.is_waiting());
    }

    #[test]
    fn a_framer_counts_every_octet_once(stream in octets(900), pieces in 1..300_usize) {
        let (mut framer, mut framed) = (Framer::default(), 0);
        let mut keep = |_: LinkHeader, data: &[u8]| framed += 10 + data.len() + 2 * data.len().div_ceil(16);
        for piece in stream.chunks(pieces) {
            framer.push(piece, &mut keep);
        }
        framer.give_up(&mut keep);
        prop_assert_eq!(framed as u64 + framer.counts().noise_octets, stream.len() as u64);
    }

    #[test]
    fn any_octets_are_a_request_or_an_error(
        function in any::<u8>(), control in any::<u8>(), objects in octets(80),
    ) {
        let fragment = [&[control, function][..], &objects].concat();
        match Request::parse(Fragment::new(&fragment)) {
            Ok(Request::Control(control)) => {
                prop_assert_eq!(control.objects, objects.as_slice());
                prop_assert!(control.commands.iter().all(|command| command.status_at < objects.len()));
            }
            Ok(Request::Read(read)) => prop_assert!(read.headers.len() <= objects.len() / 3),
            Ok(_) => {}
            Err(error) => { let _ = (error.indications(), error.to_string()); }
        }
    }

    #[test]
    fn any_octets_are_a_response_or_an_error(
        control in any::<u8>(), function in 0x80..=0x84_u8, objects in octets(80),
    ) {
        let fragment = [&[control, function, 0, 0][..], &objects].concat();
        match Response::parse(Fragment::new(&fragment)) {
            Ok(response) => prop_assert!(response.items.len() <= 8 * objects.len()),
            Err(error) => { let _ = error.to_string(); }
        }
    }

    #[test]
    fn what_a_device_writes_a_master_reads(
        kind in prop::sample::select(PointKind::ALL.to_vec()), which in any::<prop::sample::Index>(),
        start in 0..1000_u16, numbers in prop::collection::vec(any::<u32>(), 1..60), limit in 4..400_usize,
    ) {
        let points: Vec<_> = numbers.iter().zip(start..).map(|(&number, index)| Measurement {
            kind,
            index,
            value: f64::from(match kind {
                PointKind::DoubleBitInput => number % 4,
                _ if kind.is_binary() => number % 2,
                _ => number % 30_000,
            }),
            flags: Flags(1 | number as u8 & 0x1e),
            time_ms: Some(u64::from(number)),
        }).collect();
        let (statics, events) = (kind.static_variations(), kind.event_variations());
        for (group, variation) in [
            (kind.static_group(), statics[which.index(statics.len())]),
            (kind.event_group(), events[which.index(events.len())]),
        ] {
            let event = group == kind.event_group();
            let mut writer = ResponseWriter::new(limit);
            let written = if event {
                writer.counted(51, 1, &[0; 6]);
                let objects = points.iter().map(|point| {
                    (point.index, move |out: &mut Vec<u8>| point.emit(group, variation, point.index, out))
                });
                writer.indexed(group, variation, start > 100, objects.take(if start > 100 { 60 } else { 50 })).unwrap()
            } else {
                writer.range(group, variation, &points).unwrap()
            };
            let fragment = writer.finish(AppControl::single(0), FunctionCode::RESPONSE, Iin::default());
            prop_assert!(fragment.len() <= limit);
            let parsed = Response::parse(Fragment::new(&fragment));
            if event && written > 0 && fragment.get(4) != Some(&51) && matches!(group, 2 | 4) && variation == 3 {
                // A limit so small that the common time found no room.
                prop_assert!(parsed.is_err());
                continue;
            }
            let parsed = parsed.unwrap();
            prop_assert_eq!(parsed.items.len(), written);
            for (item, point) in parsed.items.iter().zip(&points) {
                let (Item::Static(read) | Item::Event(read)) = item else { panic!("{item:?}") };
                prop_assert_eq!((read.kind, read.index, read.value), (kind, point.index, point.value));
            }
        }
    }

    #[test]
    fn what_a_master_builds_a_device_understands(
        indices in prop::collection::vec(any::<u16>(), 1..20), code in any::<u8>(), on in any::<u32>(), value in any::<i16>(),
    ) {
        let crob = Crob { control_code: code, count: 1, on_time_ms: on, off_time_ms: 7, status: CommandStatus::SUCCESS };
        let named = |index: &u16, value| Point {
            index: Some((*index).into()), flags: None, status: None, value, time: None,
        };
        let crobs: Vec<_> = indices.iter().map(|index| named(index, Value::Crob(crob))).collect();
        let setpoints: Vec<_> = indices.iter().map(|index| named(index, Value::Integer(value.into()))).collect();
        let fragment = FragmentBuilder::request(AppControl::single(3), FunctionCode::DIRECT_OPERATE)
            .indexed(12, 1, &crobs).unwrap().indexed(41, 2, &setpoints).unwrap().finish();
        let Ok(Request::Control(control)) = Request::parse(Fragment::new(&fragment)) else { panic!("a control") };
        let expected: Vec<_> = indices.iter().map(|index| (*index, Order::Crob(crob)))
            .chain(indices.iter().map(|index| (*index, Order::Setpoint(f64::from(value))))).collect();
        let read: Vec<_> = control.commands.iter().map(|command| (command.index, command.order)).collect();
        prop_assert_eq!(read, expected);
        prop_assert!(control.commands.iter().all(|command| control.objects[command.status_at] == 0));

        let fragment = FragmentBuilder::request(AppControl::single(3), FunctionCode::READ)
            .all(60, 2).range(30, 0, 3, 9).count(2, 2, 5).finish();
        let Ok(Request::Read(read)) = Request::parse(Fragment::new(&fragment)) else { panic!("a read") };
        prop_assert_eq!(read.headers[1].selection, Selection::Range { start: 3, stop: 9 });
        prop_assert_eq!(read.headers[2].object, Readable::Events(PointKind::BinaryInput, Some(2)));
    }
}
