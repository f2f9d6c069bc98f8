//! Any stream comes to an end: every ADU consumes octets, and what is short stays short.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::modbus::mbap::{ADU_MAX, Framing, next_adu};

fuzz_target!(|octets: &[u8]| {
    let mut left = octets;
    loop {
        match next_adu(left) {
            Framing::Whole { adu, consumed } => {
                assert!(consumed <= ADU_MAX && adu.pdu.len() + 7 == consumed);
                left = &left[consumed..];
            }
            Framing::Foreign { protocol, consumed } => {
                assert!(protocol != 0 && consumed <= ADU_MAX);
                left = &left[consumed..];
            }
            Framing::Short { need } => {
                assert!(need > left.len());
                break;
            }
            Framing::Lost(_) => break,
        }
    }
});
