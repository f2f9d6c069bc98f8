//! Any octets as a capture file: read to the end or to an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::CaptureReader;

fuzz_target!(|octets: &[u8]| {
    let Ok(mut reader) = CaptureReader::new("fuzz", octets) else { return };
    while let Ok(Some(frame)) = reader.next_frame() {
        assert!(frame.octets.len() <= octets.len());
    }
    assert!(reader.offset() <= octets.len() as u64);
    assert!(matches!(reader.next_frame(), Ok(None)));
});
