//! Requests that make no sense, and the exception that each one earns.

use wire::modbus::{ExceptionCode, FunctionCode, PduError, Request};

use crate::hex;

const FUNCTION: ExceptionCode = ExceptionCode::IllegalFunction;
const ADDRESS: ExceptionCode = ExceptionCode::IllegalDataAddress;
const VALUE: ExceptionCode = ExceptionCode::IllegalDataValue;

/// Request, exception, and why. `NN*M` at the end repeats an octet.
const TABLE: &[(&str, ExceptionCode, &str)] = &[
    ("00", FUNCTION, "function 0 does not exist"),
    ("09", FUNCTION, "program 484 is not ours"),
    ("2a 01", FUNCTION, "function 42 is not assigned"),
    ("80", FUNCTION, "function codes from 128 are exceptions"),
    ("83 0000 0001", FUNCTION, "a request with the exception bit"),
    ("ff", FUNCTION, "function code 255"),
    ("01", VALUE, "read coils without address"),
    ("01 0000 00", VALUE, "read coils, quantity cut"),
    ("01 0000 0000", VALUE, "no coils"),
    ("01 0000 07d1", VALUE, "2001 coils"),
    ("02 0000 0000", VALUE, "no inputs"),
    ("02 0000 07d1", VALUE, "2001 inputs"),
    ("03 0000 0000", VALUE, "no registers"),
    ("03 0000 007e", VALUE, "126 registers"),
    ("03 0000 ffff", VALUE, "65535 registers"),
    ("03 0000 0001 00", VALUE, "a trailing octet"),
    ("04 0000 0000", VALUE, "no input registers"),
    ("04 0000 007e", VALUE, "126 input registers"),
    ("05 0000 1234", VALUE, "coil value 1234"),
    ("05 0000 00ff", VALUE, "coil value 00ff"),
    ("05 0000 ff01", VALUE, "coil value ff01"),
    ("05 0000 ff", VALUE, "coil value cut"),
    ("06 0000 00", VALUE, "register value cut"),
    ("06 0000 0000 00", VALUE, "a trailing octet"),
    ("07 00", VALUE, "read exception status has no data"),
    ("08", VALUE, "no sub-function"),
    ("08 0005 0000", FUNCTION, "reserved sub-function 5"),
    ("08 0013 0000", FUNCTION, "reserved sub-function 19"),
    ("08 ffff 0000", FUNCTION, "sub-function 65535"),
    ("08 0000", VALUE, "no query data"),
    ("08 0000 a5", VALUE, "half a word of query data"),
    ("08 0001 0001", VALUE, "restart with data 0001"),
    ("08 0002 0001", VALUE, "diagnostic register with data"),
    ("08 0003 000a", VALUE, "delimiter in the low octet"),
    ("08 0004 ff00", VALUE, "listen only with data"),
    ("08 000a 0001", VALUE, "clear counters with data"),
    ("08 000b 00", VALUE, "data cut"),
    ("0b 00", VALUE, "comm event counter has no data"),
    ("0c 00", VALUE, "comm event log has no data"),
    ("0f 0000 0000 00", VALUE, "no coils to write"),
    ("0f 0000 07b1 f7 00*247", VALUE, "1969 coils to write"),
    ("0f 0000 07d0 01 00", VALUE, "2000 coils and one octet"),
    ("0f 0000 000a 01 ff", VALUE, "ten coils in one octet"),
    ("0f 0000 0008 02 ffff", VALUE, "eight coils in two octets"),
    ("0f 0000 000a 02 ff", VALUE, "second octet missing"),
    ("10 0000 0000 00", VALUE, "no registers to write"),
    ("10 0000 007c f8 00*248", VALUE, "124 registers to write"),
    ("10 0000 0002 03 000000", VALUE, "odd byte count"),
    ("10 0000 0002 02 0000", VALUE, "byte count of one register"),
    ("10 0000 0001 02 00", VALUE, "second octet missing"),
    ("10 0000 0001 02 0000 00", VALUE, "a trailing octet"),
    ("10 0000 0001", VALUE, "no byte count"),
    ("11 00", VALUE, "report server id has no data"),
    ("14", VALUE, "no byte count"),
    ("14 00", VALUE, "byte count 0"),
    ("14 06 06 0001 0000 00", VALUE, "byte count 6"),
    ("14 07 07 0001 0000 0001", ADDRESS, "reference type 7"),
    ("14 08 06 0001 0000 0001 06", VALUE, "one octet of a second range"),
    ("14 07 06 0001 0000 0001 06", VALUE, "more octets than the byte count"),
    ("14 f6 06*246", VALUE, "byte count 246"),
    ("15 08 06 0001 0000 0001 00", VALUE, "byte count 8"),
    ("15 09 05 0001 0000 0001 0000", ADDRESS, "reference type 5"),
    ("15 09 06 0001 0000 0002 0000", VALUE, "two registers announced, one there"),
    ("15 09 06 0001 0000 0000 0000", VALUE, "a record of no register"),
    ("16 0000 0000", VALUE, "no OR mask"),
    ("16 0000 0000 0000 00", VALUE, "a trailing octet"),
    ("17 0000 0000 0000 0001 02 0000", VALUE, "reads nothing"),
    ("17 0000 007e 0000 0001 02 0000", VALUE, "reads 126"),
    ("17 0000 0001 0000 0000 00", VALUE, "writes nothing"),
    ("17 0000 0001 0000 007a f4 00*244", VALUE, "writes 122"),
    ("17 0000 0001 0000 0001 04 0000", VALUE, "byte count of two registers"),
    ("18 00", VALUE, "pointer cut"),
    ("18 0000 00", VALUE, "a trailing octet"),
    ("2b", VALUE, "no interface"),
    ("2b 0d 0000", FUNCTION, "CANopen"),
    ("2b 00", FUNCTION, "interface 0"),
    ("2b 0e 00 00", VALUE, "read device id code 0"),
    ("2b 0e 05 00", VALUE, "read device id code 5"),
    ("2b 0e 01", VALUE, "no object id"),
    ("2b 0e 01 00 00", VALUE, "a trailing octet"),
    ("5a", VALUE, "no sub-code"),
    ("5a 05", FUNCTION, "sub-code 5"),
    ("5a 00 00", VALUE, "status has no data"),
    ("5a 03 0000", VALUE, "offset cut"),
    ("5a 04 00000001 00000000", VALUE, "a download of nothing"),
    ("5a 04 00000001 00000000 00*241", VALUE, "a download of 241 octets"),
];

fn octets(text: &str) -> Vec<u8> {
    let Some((front, count)) = text.rsplit_once('*') else { return hex(text) };
    let (front, repeated) = front.split_at(front.len() - 2);
    let mut octets = hex(front);
    octets.resize(octets.len() + count.parse::<usize>().unwrap(), hex(repeated)[0]);
    octets
}

#[test]
fn every_nonsense_earns_its_exception() {
    for (text, exception, why) in TABLE {
        match Request::parse(&octets(text)) {
            Err(error) => assert_eq!(error.exception(), *exception, "{why}: {error}"),
            Ok(request) => panic!("{why}: taken for {request:?}"),
        }
    }
}

#[test]
fn limits_themselves_are_allowed() {
    for text in [
        "01 ffff 07d0",
        "02 0000 07d0",
        "03 0000 007d",
        "04 0000 007d",
        "0f 0000 07b0 f6 ff*246",
        "10 0000 007b f6 ff*246",
        "17 0000 007d 0000 0079 f2 ff*242",
        "08 0000 ff*250",
        "5a 04 00000001 00000000 ff*240",
    ] {
        let octets = octets(text);
        assert!(Request::parse(&octets).is_ok(), "{text}: {:?}", Request::parse(&octets));
        assert!(octets.len() <= wire::modbus::mbap::PDU_MAX);
    }
}

#[test]
fn errors_carry_their_evidence() {
    assert_eq!(Request::parse(&[]), Err(PduError::Empty));
    assert_eq!(Request::parse(&hex("03 0000")), Err(PduError::Truncated { need: 5, got: 3 }));
    assert_eq!(Request::parse(&hex("03 0000 0001 ff")), Err(PduError::Trailing { expected: 5, got: 6 }));
    assert_eq!(Request::parse(&hex("03 0000 007e")), Err(PduError::Quantity { got: 126, max: 125 }));
    assert_eq!(Request::parse(&hex("05 0000 1234")), Err(PduError::CoilValue { got: 0x1234 }));
    assert_eq!(Request::parse(&hex("0f 0000 07d0 01 00")), Err(PduError::Quantity { got: 2000, max: 1968 }));
    assert_eq!(Request::parse(&hex("0f 0000 000a 01 00")), Err(PduError::ByteCount { got: 1, expected: 2 }));
    let unknown = FunctionCode(0x2a);
    assert_eq!(Request::parse(&[0x2a]), Err(PduError::UnknownFunction { function: unknown }));
}

/// Every function code, alone: either it is a whole request, or the answer is exception 1 or 3.
#[test]
fn every_function_code_by_itself_is_decided() {
    for code in 0..=255 {
        let known = FunctionCode(code).is_known();
        match Request::parse(&[code]) {
            Ok(request) => assert!(known && request.function().0 == code),
            Err(error) => {
                assert_eq!(error.exception(), if known { VALUE } else { FUNCTION }, "function {code}");
            }
        }
    }
}
