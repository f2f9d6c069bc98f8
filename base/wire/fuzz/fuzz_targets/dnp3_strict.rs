//! The strict view of DNP3 on any octets: frames out of a stream, requests and responses out of fragments, and what a device
//! writes read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::dnp3::response::Item;
use wire::dnp3::{
    AppControl, Fragment, Framer, FunctionCode, Iin, Reassembly, Request, Response, ResponseWriter,
};

fuzz_target!(|octets: &[u8]| {
    let (mut framer, mut reassembly, mut framed) = (Framer::default(), Reassembly::default(), 0);
    let mut take = |_, data: &[u8]| {
        framed += 10 + data.len() + 2 * data.len().div_ceil(16);
        if let Some(fragment) = reassembly.push(data, 2048).fragment {
            assert!(fragment.len() <= 2048);
            read(fragment);
        }
    };
    for piece in octets.chunks(37) {
        framer.push(piece, &mut take);
    }
    framer.give_up(&mut take);
    assert_eq!(framed as u64 + framer.counts().noise_octets, octets.len() as u64);
    // Checksums keep most inputs from getting further than the link layer.
    read(octets);
});

fn read(octets: &[u8]) {
    match Request::parse(Fragment::new(octets)) {
        Ok(Request::Control(control)) => {
            assert!(control.commands.iter().all(|command| command.status_at < control.objects.len()));
        }
        Ok(_) => {}
        Err(error) => drop((error.indications(), error.to_string())),
    }
    let Ok(response) = Response::parse(Fragment::new(octets)) else { return };
    for item in response.items {
        let Item::Static(point) = item else { continue };
        for &variation in point.kind.static_variations() {
            let mut writer = ResponseWriter::new(64);
            assert_eq!(writer.range(point.kind.static_group(), variation, &[point]), Ok(1));
            let fragment = writer.finish(AppControl::single(0), FunctionCode::RESPONSE, Iin::default());
            assert!(Response::parse(Fragment::new(&fragment)).is_ok());
        }
    }
}
