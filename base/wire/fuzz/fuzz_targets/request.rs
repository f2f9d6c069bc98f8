//! What is understood as a request survives emit and parse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::modbus::mbap::PDU_MAX;
use wire::modbus::{Emit, Request};

fuzz_target!(|octets: &[u8]| {
    match Request::parse(octets) {
        Ok(request) => {
            let pdu = request.to_pdu();
            assert!(pdu.len() <= PDU_MAX);
            assert_eq!(Request::parse(&pdu), Ok(request));
        }
        Err(error) => assert!((1..=3).contains(&error.exception().octet())),
    }
});
