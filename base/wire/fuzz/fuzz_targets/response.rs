//! What is understood as a response survives emit and parse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::modbus::mbap::PDU_MAX;
use wire::modbus::{Emit, Response};

fuzz_target!(|octets: &[u8]| {
    match Response::parse(octets) {
        Ok(request) => {
            let pdu = request.to_pdu();
            assert!(pdu.len() <= PDU_MAX);
            assert_eq!(Response::parse(&pdu), Ok(request));
        }
        Err(error) => assert!((1..=3).contains(&error.exception().octet())),
    }
});
