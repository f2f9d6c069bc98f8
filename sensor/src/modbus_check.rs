//! What is odd about a Modbus PDU: names for `weird.log`.
//!
//! Facts, not judgements: a length that contradicts the fields, a quantity or value that the specification excludes, an
//! answer that does not fit its request. Nothing here stops the decoding; the PDU is logged as it is. Numbers in
//! parentheses are sections of the Modbus application protocol specification, version 1.1b3.

use wire::modbus::{ExceptionCode, FunctionCode, Packet};

use crate::modbus::Waiting;

/// What a PDU shows by itself, at most one thing, the one that explains most.
pub(crate) fn oddity(packet: &Packet<'_>) -> Option<&'static str> {
    let function = packet.function()?;
    if let Some(ExceptionCode::Other(_)) = packet.exception_code() {
        return Some("modbus_unknown_exception");
    }
    if function.0 == 0 || function.name().is_none() {
        return Some("modbus_unknown_function");
    }
    if packet.declared_len().is_some_and(|len| len != packet.pdu().len()) {
        return Some("modbus_length_mismatch");
    }
    if function == FunctionCode::DIAGNOSTICS && is_unknown_diagnostic(packet) {
        // Zeek's names.
        return Some(if packet.is_response() {
            "modbus_diag_unknown_response_subfunction"
        } else {
            "modbus_diag_unknown_request_subfunction"
        });
    }
    if packet.coil_word().is_some_and(|word| !matches!(word, 0 | 0xff00)) {
        return Some("modbus_bad_value");
    }
    if !packet.is_response() && (is_beyond_limits(packet) || contradicts_byte_count(packet)) {
        return Some("modbus_bad_quantity");
    }
    None
}

/// Sub-functions that the specification defines (6.8.1).
fn is_unknown_diagnostic(packet: &Packet<'_>) -> bool {
    packet.sub_function().is_some_and(|sub| !matches!(sub, 0..=4 | 10..=18 | 20))
}

/// More or less than a request may ask for (6.1 to 6.17).
fn is_beyond_limits(packet: &Packet<'_>) -> bool {
    let beyond =
        |most: u16, range: Option<(_, u16)>| range.is_some_and(|(_, count)| !(1..=most).contains(&count));
    let (read, write) = (packet.read_range(), packet.write_range());
    match packet.function() {
        Some(FunctionCode(1 | 2)) => beyond(2000, read),
        Some(FunctionCode(3 | 4)) => beyond(125, read),
        Some(FunctionCode(15)) => beyond(1968, write),
        Some(FunctionCode(16)) => beyond(123, write),
        Some(FunctionCode(23)) => beyond(125, read) || beyond(121, write),
        _ => false,
    }
}

/// A write whose byte count is not what its quantity takes.
fn contradicts_byte_count(packet: &Packet<'_>) -> bool {
    let (Some((_, count)), Some(octets)) = (packet.write_range(), packet.byte_count()) else { return false };
    match packet.function() {
        Some(FunctionCode(15)) => octets != count.div_ceil(8),
        Some(FunctionCode(16 | 23)) => u32::from(octets) != 2 * u32::from(count),
        _ => false,
    }
}

/// What an answer shows beside its request; `is_complete` where every request was seen.
pub(crate) fn answer_oddity(
    request: Option<&Waiting>,
    is_complete: bool,
    answer: &Packet<'_>,
) -> Option<&'static str> {
    match request {
        Some(request) => is_mismatch(request, answer).then_some("modbus_answer_mismatch"),
        None => is_complete.then_some("modbus_unsolicited_response"),
    }
}

/// Whether an answer cannot belong to its request: another number of values than asked for, or an echo that differs.
fn is_mismatch(request: &Waiting, answer: &Packet<'_>) -> bool {
    if answer.is_exception() {
        return false;
    }
    match (request.function.0, request.read, request.echo) {
        (1 | 2, Some((_, count)), _) => answer.byte_count().is_some_and(|octets| octets != count.div_ceil(8)),
        (3 | 4 | 23, Some((_, count)), _) => {
            answer.byte_count().is_some_and(|octets| u32::from(octets) != 2 * u32::from(count))
        }
        (5 | 6 | 15 | 16, _, Some(asked)) => echo(answer).is_some_and(|told| told != asked),
        _ => false,
    }
}

/// What an answer to a write repeats: address, and value or quantity.
pub(crate) fn echo(packet: &Packet<'_>) -> Option<(u16, u16)> {
    let address = packet.address()?.0;
    let second = match packet.function()?.0 {
        5 => packet.coil_word(),
        6 => packet.registers()?.get(0),
        15 | 16 => packet.quantity(),
        _ => None,
    };
    Some((address, second?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: bool, pdu: &[u8], expected: Option<&str>) {
        let packet = if request { Packet::request(pdu) } else { Packet::response(pdu) };
        assert_eq!(oddity(&packet), expected, "{pdu:02x?}");
    }

    /// Requests and answers of the specification's own examples (6.1 to 6.21).
    #[test]
    fn what_the_specification_shows_is_not_odd() {
        let pairs: [(&[u8], &[u8]); 7] = [
            (&[1, 0, 0x13, 0, 0x13], &[1, 3, 0xcd, 0x6b, 5]),
            (&[3, 0, 0x6b, 0, 3], &[3, 6, 2, 0x2b, 0, 0, 0, 0x64]),
            (&[5, 0, 0xac, 0xff, 0], &[5, 0, 0xac, 0xff, 0]),
            (&[8, 0, 0, 0xa5, 0x37], &[8, 0, 0, 0xa5, 0x37]),
            (&[15, 0, 0x13, 0, 10, 2, 0xcd, 1], &[15, 0, 0x13, 0, 10]),
            (&[16, 0, 1, 0, 2, 4, 0, 10, 1, 2], &[16, 0, 1, 0, 2]),
            (&[22, 0, 4, 0, 0xf2, 0, 0x25], &[22, 0, 4, 0, 0xf2, 0, 0x25]),
        ];
        for (request, answer) in pairs {
            check(true, request, None);
            check(false, answer, None);
            assert!(!is_mismatch(&waiting(request), &Packet::response(answer)), "{request:02x?}");
        }
        check(false, &[0x81, 2], None);
    }

    #[test]
    fn each_oddity_has_its_name() {
        check(true, &[3, 0, 0, 0, 126], Some("modbus_bad_quantity"));
        check(true, &[1, 0, 0, 0, 0], Some("modbus_bad_quantity"));
        check(true, &[16, 0, 1, 0, 3, 4, 0, 10, 1, 2], Some("modbus_bad_quantity"));
        check(true, &[5, 0, 1, 0xfe, 0], Some("modbus_bad_value"));
        check(true, &[3, 0, 0, 0], Some("modbus_length_mismatch"));
        check(false, &[3, 4, 0, 1], Some("modbus_length_mismatch"));
        check(true, &[0], Some("modbus_unknown_function"));
        check(true, &[99, 1, 2], Some("modbus_unknown_function"));
        check(false, &[0x83, 7], Some("modbus_unknown_exception"));
        check(true, &[8, 0, 99, 0, 0], Some("modbus_diag_unknown_request_subfunction"));
        check(true, &[], None);
    }

    #[test]
    fn an_answer_of_another_size_or_another_echo_does_not_fit() {
        let mismatch =
            |request: &[u8], answer: &[u8]| is_mismatch(&waiting(request), &Packet::response(answer));
        // Ten coils are two octets, ten registers are twenty.
        assert!(!mismatch(&[1, 0, 0, 0, 10], &[1, 2, 0xff, 3]));
        assert!(mismatch(&[1, 0, 0, 0, 10], &[1, 3, 0xff, 3, 0]));
        assert!(mismatch(&[3, 0, 0, 0, 10], &[3, 2, 0, 1]));
        assert!(mismatch(&[6, 0, 1, 0, 5], &[6, 0, 1, 0, 6]));
        assert!(mismatch(&[16, 0, 1, 0, 2, 4, 0, 10, 1, 2], &[16, 0, 1, 0, 3]));
        assert!(!mismatch(&[6, 0, 1, 0, 5], &[0x86, 2]));
    }

    fn waiting(pdu: &[u8]) -> Waiting {
        let packet = Packet::request(pdu);
        Waiting {
            at: 0,
            transaction: 0,
            unit: 0,
            function: packet.function().unwrap(),
            table: packet.table(),
            read: packet.read_range().map(|(address, count)| (address.0, count)),
            echo: echo(&packet),
            frame: 0,
            link: 0,
            pdu: Vec::new(),
        }
    }
}
