//! Every accessor of the lenient view, both directions, and its agreement with the strict values about length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::modbus::{Packet, Request, Response};

fuzz_target!(|octets: &[u8]| {
    for packet in [Packet::request(octets), Packet::response(octets)] {
        let _ = (packet.function(), packet.is_exception(), packet.exception_code(), packet.is_read(), packet.is_write());
        let _ = (packet.table(), packet.address(), packet.quantity(), packet.read_range(), packet.write_range());
        let _ = (packet.byte_count(), packet.coil_word(), packet.masks(), packet.sub_function(), packet.interface());
        let _ = (packet.read_device_id_code(), packet.device_id_object(), packet.conformity(), packet.more_follows());
        let _ = (packet.server_id(), packet.registers().map(Iterator::count), packet.bits().map(Iterator::count));
        let _ = (packet.device_id_objects().map(Iterator::count), packet.file_ranges().map(Iterator::count));
        let understood =
            if packet.is_response() { Response::parse(octets).is_ok() } else { Request::parse(octets).is_ok() };
        if let (true, Some(declared)) = (understood, packet.declared_len()) {
            assert_eq!(declared, octets.len());
        }
    }
});
