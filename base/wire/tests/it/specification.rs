//! The examples that section 6 of the Modbus Application Protocol Specification V1.1b3 prints, both ways.

use wire::modbus::diagnostic::{Counter, Diagnostic, DiagnosticAnswer};
use wire::modbus::file_record::{FileAnswers, FileRange, FileRecord, FileRecords};
use wire::modbus::{
    Bits, DeviceIdPage, DeviceIdentity, Emit, ExceptionCode, FunctionCode, ObjectId, ReadDeviceIdCode,
    RegisterAddress, Request, Response,
};

use crate::hex;

#[track_caller]
fn check_request(octets: &str, request: Request) {
    let octets = hex(octets);
    assert_eq!(Request::parse(&octets), Ok(request.clone()));
    assert_eq!(request.to_pdu(), octets, "emit does not mirror parse");
    assert_eq!(request.function().0, octets[0]);
}

#[track_caller]
fn check_response(octets: &str, response: Response) {
    let octets = hex(octets);
    assert_eq!(Response::parse(&octets), Ok(response.clone()));
    assert_eq!(response.to_pdu(), octets, "emit does not mirror parse");
    assert_eq!(response.function().0, octets[0] & 0x7f);
}

fn at(address: u16) -> RegisterAddress {
    RegisterAddress(address)
}

#[test]
fn read_coils_6_1() {
    check_request("01 0013 0013", Request::ReadCoils { address: at(19), quantity: 19.try_into().unwrap() });
    check_response("01 03 cd6b05", Response::ReadCoils(Bits::from_octets(&[0xcd, 0x6b, 0x05]).unwrap()));
}

#[test]
fn read_discrete_inputs_6_2() {
    check_request(
        "02 00c4 0016",
        Request::ReadDiscreteInputs { address: at(196), quantity: 22.try_into().unwrap() },
    );
    check_response(
        "02 03 acdb35",
        Response::ReadDiscreteInputs(Bits::from_octets(&[0xac, 0xdb, 0x35]).unwrap()),
    );
}

#[test]
fn read_holding_registers_6_3() {
    check_request(
        "03 006b 0003",
        Request::ReadHoldingRegisters { address: at(107), quantity: 3.try_into().unwrap() },
    );
    check_response(
        "03 06 022b 0000 0064",
        Response::ReadHoldingRegisters(vec![555, 0, 100].try_into().unwrap()),
    );
}

#[test]
fn read_input_registers_6_4() {
    check_request(
        "04 0008 0001",
        Request::ReadInputRegisters { address: at(8), quantity: 1.try_into().unwrap() },
    );
    check_response("04 02 000a", Response::ReadInputRegisters(vec![10].try_into().unwrap()));
}

#[test]
fn write_single_coil_6_5() {
    check_request("05 00ac ff00", Request::WriteSingleCoil { address: at(172), value: true });
    check_request("05 00ac 0000", Request::WriteSingleCoil { address: at(172), value: false });
    check_response("05 00ac ff00", Response::WriteSingleCoil { address: at(172), value: true });
}

#[test]
fn write_single_register_6_6() {
    check_request("06 0001 0003", Request::WriteSingleRegister { address: at(1), value: 3 });
    check_response("06 0001 0003", Response::WriteSingleRegister { address: at(1), value: 3 });
}

#[test]
fn read_exception_status_6_7() {
    check_request("07", Request::ReadExceptionStatus);
    check_response("07 6d", Response::ReadExceptionStatus(0x6d));
}

#[test]
fn diagnostics_6_8() {
    let query = Diagnostic::ReturnQueryData(vec![0xa5, 0x37].try_into().unwrap());
    check_request("08 0000 a537", Request::Diagnostics(query.clone()));
    check_response("08 0000 a537", Response::Diagnostics(DiagnosticAnswer::Echo(query)));
    check_request(
        "08 0001 ff00",
        Request::Diagnostics(Diagnostic::RestartCommunications { clear_log: true }),
    );
    check_request(
        "08 0001 0000",
        Request::Diagnostics(Diagnostic::RestartCommunications { clear_log: false }),
    );
    check_request("08 0002 0000", Request::Diagnostics(Diagnostic::ReturnDiagnosticRegister));
    check_response("08 0002 0155", Response::Diagnostics(DiagnosticAnswer::DiagnosticRegister(0x155)));
    check_request("08 0003 2300", Request::Diagnostics(Diagnostic::ChangeAsciiDelimiter(b'#')));
    check_request("08 0004 0000", Request::Diagnostics(Diagnostic::ForceListenOnly));
    check_request("08 000a 0000", Request::Diagnostics(Diagnostic::ClearCounters));
    check_request("08 0014 0000", Request::Diagnostics(Diagnostic::ClearOverrunCounter));
    let counters = [
        Counter::BusMessages,
        Counter::BusCommunicationErrors,
        Counter::BusExceptionErrors,
        Counter::ServerMessages,
        Counter::ServerNoResponses,
        Counter::ServerNaks,
        Counter::ServerBusy,
        Counter::BusCharacterOverruns,
    ];
    for (sub_function, counter) in (11..).zip(counters) {
        check_request(
            &format!("08 {sub_function:04x} 0000"),
            Request::Diagnostics(Diagnostic::ReturnCounter(counter)),
        );
        check_response(
            &format!("08 {sub_function:04x} 0207"),
            Response::Diagnostics(DiagnosticAnswer::Counter(counter, 0x207)),
        );
    }
}

#[test]
fn comm_event_counter_and_log_6_9_and_6_10() {
    check_request("0b", Request::GetCommEventCounter);
    check_response("0b ffff 0108", Response::GetCommEventCounter { busy: true, events: 264 });
    check_request("0c", Request::GetCommEventLog);
    check_response(
        "0c 08 0000 0108 0121 20 00",
        Response::GetCommEventLog {
            busy: false,
            events: 264,
            messages: 289,
            log: vec![0x20, 0].try_into().unwrap(),
        },
    );
}

#[test]
fn write_multiple_coils_6_11() {
    let values = [true, false, true, true, false, false, true, true, true, false];
    check_request(
        "0f 0013 000a 02 cd01",
        Request::WriteMultipleCoils { address: at(19), values: values.as_slice().try_into().unwrap() },
    );
    check_response(
        "0f 0013 000a",
        Response::WriteMultipleCoils { address: at(19), quantity: 10.try_into().unwrap() },
    );
}

#[test]
fn write_multiple_registers_6_12() {
    let values = vec![10, 0x102].try_into().unwrap();
    check_request("10 0001 0002 04 000a 0102", Request::WriteMultipleRegisters { address: at(1), values });
    check_response(
        "10 0001 0002",
        Response::WriteMultipleRegisters { address: at(1), quantity: 2.try_into().unwrap() },
    );
}

/// The specification leaves id and additional data to the device; layout from section 6.13.
#[test]
fn report_server_id_6_13() {
    check_request("11", Request::ReportServerId);
    check_response("11 05 2a ff 414243", Response::server_id(&[0x2a], true, b"ABC"));
    check_response("11 02 2a 00", Response::server_id(&[0x2a], false, b""));
}

#[test]
fn file_records_6_14_and_6_15() {
    let ranges =
        vec![FileRange { file: 4, record: 1, length: 2 }, FileRange { file: 3, record: 9, length: 2 }];
    check_request(
        "14 0e 06 0004 0001 0002 06 0003 0009 0002",
        Request::ReadFileRecord(ranges.try_into().unwrap()),
    );
    let answers = FileAnswers::new(vec![vec![0x0dfe, 0x0020], vec![0x33cd, 0x0040]]).unwrap();
    check_response("14 0c 05 06 0dfe 0020 05 06 33cd 0040", Response::ReadFileRecord(answers));
    let records =
        FileRecords::new(vec![FileRecord { file: 4, record: 7, values: vec![0x6af, 0x4be, 0x100d] }]);
    let octets = "15 0d 06 0004 0007 0003 06af 04be 100d";
    check_request(octets, Request::WriteFileRecord(records.clone().unwrap()));
    check_response(octets, Response::WriteFileRecord(records.unwrap()));
}

#[test]
fn mask_write_register_6_16() {
    check_request(
        "16 0004 00f2 0025",
        Request::MaskWriteRegister { address: at(4), and_mask: 0xf2, or_mask: 0x25 },
    );
    check_response(
        "16 0004 00f2 0025",
        Response::MaskWriteRegister { address: at(4), and_mask: 0xf2, or_mask: 0x25 },
    );
}

#[test]
fn read_write_multiple_registers_6_17() {
    check_request(
        "17 0003 0006 000e 0003 06 00ff 00ff 00ff",
        Request::ReadWriteMultipleRegisters {
            read_address: at(3),
            read_quantity: 6.try_into().unwrap(),
            write_address: at(14),
            values: vec![255, 255, 255].try_into().unwrap(),
        },
    );
    check_response(
        "17 0c 00fe 0acd 0001 0003 000d 00ff",
        Response::ReadWriteMultipleRegisters(vec![0xfe, 0xacd, 1, 3, 13, 255].try_into().unwrap()),
    );
}

#[test]
fn read_fifo_queue_6_18() {
    check_request("18 04de", Request::ReadFifoQueue { address: at(0x4de) });
    check_response("18 0006 0002 01b8 1284", Response::ReadFifoQueue(vec![440, 4740].try_into().unwrap()));
}

/// The example prints object lengths 16 and 0d, which fit neither of its texts as printed; the lengths here are the texts' own.
#[test]
fn read_device_identification_6_21() {
    let request = Request::ReadDeviceIdentification { code: ReadDeviceIdCode::Basic, object: ObjectId(0) };
    check_request("2b 0e 01 00", request);
    let mut page = DeviceIdPage::new(ReadDeviceIdCode::Basic, 1);
    page.push(ObjectId::VENDOR_NAME, b"Company identification").unwrap();
    page.push(ObjectId::PRODUCT_CODE, b"Product code XX").unwrap();
    page.push(ObjectId::REVISION, b"V2.11").unwrap();
    let head = "2b 0e 01 01 00 00 03 00 16 436f6d70616e79206964656e74696669636174696f6e";
    let octets = format!("{head} 01 0f 50726f6475637420636f6465205858 02 05 56322e3131");
    check_response(&octets, Response::ReadDeviceIdentification(page.clone()));

    let identity = DeviceIdentity::new("Company identification", "Product code XX", "V2.11");
    page.conformity = 0x81;
    assert_eq!(identity.answer(ReadDeviceIdCode::Basic, ObjectId(0)), Ok(page));
}

#[test]
fn exceptions_7() {
    check_response("81 02", Response::exception(FunctionCode(1), ExceptionCode::IllegalDataAddress));
    check_response("ab 03", Response::exception(FunctionCode(43), ExceptionCode::IllegalDataValue));
    let to_a_strange_function = Response::exception(FunctionCode(0xc1), ExceptionCode::IllegalFunction);
    assert_eq!(to_a_strange_function.to_pdu(), [0xc1, 1]);
}
