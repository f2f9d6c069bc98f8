//! Properties: nothing panics, and what can be built survives the wire. `PROPTEST_CASES` sets the number of cases.

use proptest::prelude::*;
use wire::modbus::diagnostic::{Counter, Diagnostic, DiagnosticAnswer};
use wire::modbus::file_record::{FileAnswers, FileRange, FileRecord, FileRecords};
use wire::modbus::logic::{LogicAnswer, LogicRequest, LogicState};
use wire::modbus::mbap::{self, Framing, next_adu};
use wire::modbus::{
    Bits, DeviceIdPage, Direction, Emit, ExceptionCode, FunctionCode, ObjectId, Packet, Quantity,
    ReadDeviceIdCode, RegisterAddress, Request, Response, TransactionId, UnitId,
};

fn address() -> impl Strategy<Value = RegisterAddress> {
    any::<u16>().prop_map(RegisterAddress)
}

fn quantity<const MAX: u16>() -> impl Strategy<Value = Quantity<MAX>> {
    (1..=MAX).prop_map(|quantity| Quantity::new(quantity).unwrap())
}

fn words(max: usize) -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 1..=max)
}

fn octets(min: usize, max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), min..=max)
}

fn counter() -> impl Strategy<Value = Counter> {
    prop::sample::select(vec![
        Counter::BusMessages,
        Counter::BusCommunicationErrors,
        Counter::BusExceptionErrors,
        Counter::ServerMessages,
        Counter::ServerNoResponses,
        Counter::ServerNaks,
        Counter::ServerBusy,
        Counter::BusCharacterOverruns,
    ])
}

fn diagnostic() -> impl Strategy<Value = Diagnostic> {
    prop_oneof![
        prop::collection::vec(any::<[u8; 2]>(), 1..=125)
            .prop_map(|pairs| Diagnostic::ReturnQueryData(pairs.concat().try_into().unwrap())),
        any::<bool>().prop_map(|clear_log| Diagnostic::RestartCommunications { clear_log }),
        Just(Diagnostic::ReturnDiagnosticRegister),
        any::<u8>().prop_map(Diagnostic::ChangeAsciiDelimiter),
        Just(Diagnostic::ForceListenOnly),
        Just(Diagnostic::ClearCounters),
        counter().prop_map(Diagnostic::ReturnCounter),
        Just(Diagnostic::ClearOverrunCounter),
    ]
}

fn read_device_id_code() -> impl Strategy<Value = ReadDeviceIdCode> {
    (1..=4_u8).prop_map(|octet| ReadDeviceIdCode::from_octet(octet).unwrap())
}

fn records() -> impl Strategy<Value = FileRecords> {
    prop::collection::vec((any::<u16>(), any::<u16>(), words(20)), 1..=5).prop_map(|records| {
        let records = records.into_iter().map(|(file, record, values)| FileRecord { file, record, values });
        FileRecords::new(records.collect()).unwrap()
    })
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (address(), quantity()).prop_map(|(address, quantity)| Request::ReadCoils { address, quantity }),
        (address(), quantity())
            .prop_map(|(address, quantity)| Request::ReadDiscreteInputs { address, quantity }),
        (address(), quantity())
            .prop_map(|(address, quantity)| Request::ReadHoldingRegisters { address, quantity }),
        (address(), quantity())
            .prop_map(|(address, quantity)| Request::ReadInputRegisters { address, quantity }),
        (address(), any::<bool>()).prop_map(|(address, value)| Request::WriteSingleCoil { address, value }),
        (address(), any::<u16>())
            .prop_map(|(address, value)| Request::WriteSingleRegister { address, value }),
        Just(Request::ReadExceptionStatus),
        diagnostic().prop_map(Request::Diagnostics),
        Just(Request::GetCommEventCounter),
        Just(Request::GetCommEventLog),
        (address(), prop::collection::vec(any::<bool>(), 1..=1968)).prop_map(|(address, values)| {
            Request::WriteMultipleCoils { address, values: values.try_into().unwrap() }
        }),
        (address(), words(123)).prop_map(|(address, values)| Request::WriteMultipleRegisters {
            address,
            values: values.try_into().unwrap()
        }),
        Just(Request::ReportServerId),
        prop::collection::vec(any::<(u16, u16, u16)>(), 1..=35).prop_map(|ranges| {
            let ranges = ranges.into_iter().map(|(file, record, length)| FileRange { file, record, length });
            Request::ReadFileRecord(ranges.collect::<Vec<_>>().try_into().unwrap())
        }),
        records().prop_map(Request::WriteFileRecord),
        (address(), any::<u16>(), any::<u16>()).prop_map(|(address, and_mask, or_mask)| {
            Request::MaskWriteRegister { address, and_mask, or_mask }
        }),
        (address(), quantity(), address(), words(121)).prop_map(
            |(read_address, read_quantity, write_address, values)| Request::ReadWriteMultipleRegisters {
                read_address,
                read_quantity,
                write_address,
                values: values.try_into().unwrap()
            }
        ),
        address().prop_map(|address| Request::ReadFifoQueue { address }),
        (read_device_id_code(), any::<u8>())
            .prop_map(|(code, object)| Request::ReadDeviceIdentification { code, object: ObjectId(object) }),
        prop_oneof![
            Just(LogicRequest::Status),
            Just(LogicRequest::Start),
            Just(LogicRequest::Stop),
            any::<u32>().prop_map(|offset| LogicRequest::Upload { offset }),
            (any::<u32>(), any::<u32>(), octets(1, 240)).prop_map(|(total, offset, octets)| {
                LogicRequest::Download { total, offset, octets: octets.try_into().unwrap() }
            }),
        ]
        .prop_map(Request::Logic),
    ]
}

fn device_id_page() -> impl Strategy<Value = DeviceIdPage> {
    let objects = prop::collection::vec((any::<u8>(), octets(0, 40)), 0..=6);
    (read_device_id_code(), any::<u8>(), any::<Option<u8>>(), objects).prop_map(
        |(code, conformity, next, objects)| {
            let mut page = DeviceIdPage::new(code, conformity);
            page.next = next.map(ObjectId);
            for (id, value) in objects {
                // A page that is full takes no more: that too is part of the property.
                let _ = page.push(ObjectId(id), &value);
            }
            page
        },
    )
}

fn logic_state() -> impl Strategy<Value = LogicState> {
    prop::sample::select(vec![LogicState::Stopped, LogicState::Running, LogicState::Program])
}

fn logic_answer() -> impl Strategy<Value = LogicAnswer> {
    prop_oneof![
        (logic_state(), logic_state(), any::<u32>(), any::<u32>())
            .prop_map(|(state, key, length, checksum)| LogicAnswer::Status { state, key, length, checksum }),
        Just(LogicAnswer::Start),
        Just(LogicAnswer::Stop),
        (any::<u32>(), any::<u32>(), octets(0, 240)).prop_map(|(total, offset, octets)| {
            LogicAnswer::Upload { total, offset, octets: octets.try_into().unwrap() }
        }),
        any::<u32>().prop_map(|next| LogicAnswer::Download { next }),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let bits = || octets(1, 250).prop_map(|octets| Bits::from_octets(&octets).unwrap());
    let reads = prop_oneof![
        bits().prop_map(Response::ReadCoils),
        bits().prop_map(Response::ReadDiscreteInputs),
        words(125).prop_map(|values| Response::ReadHoldingRegisters(values.try_into().unwrap())),
        words(125).prop_map(|values| Response::ReadInputRegisters(values.try_into().unwrap())),
        words(125).prop_map(|values| Response::ReadWriteMultipleRegisters(values.try_into().unwrap())),
        prop::collection::vec(any::<u16>(), 0..=31)
            .prop_map(|values| Response::ReadFifoQueue(values.try_into().unwrap())),
        any::<u8>().prop_map(Response::ReadExceptionStatus),
        prop::collection::vec(words(20), 1..=5)
            .prop_map(|answers| Response::ReadFileRecord(FileAnswers::new(answers).unwrap())),
    ];
    let writes = prop_oneof![
        (address(), any::<bool>()).prop_map(|(address, value)| Response::WriteSingleCoil { address, value }),
        (address(), any::<u16>())
            .prop_map(|(address, value)| Response::WriteSingleRegister { address, value }),
        (address(), quantity())
            .prop_map(|(address, quantity)| Response::WriteMultipleCoils { address, quantity }),
        (address(), quantity())
            .prop_map(|(address, quantity)| Response::WriteMultipleRegisters { address, quantity }),
        records().prop_map(Response::WriteFileRecord),
        (address(), any::<u16>(), any::<u16>()).prop_map(|(address, and_mask, or_mask)| {
            Response::MaskWriteRegister { address, and_mask, or_mask }
        }),
    ];
    let echoed = diagnostic().prop_filter("read sub-functions are not echoed", |diagnostic| {
        !matches!(diagnostic, Diagnostic::ReturnDiagnosticRegister | Diagnostic::ReturnCounter(_))
    });
    let others = prop_oneof![
        echoed.prop_map(|diagnostic| Response::Diagnostics(DiagnosticAnswer::Echo(diagnostic))),
        any::<u16>().prop_map(|value| Response::Diagnostics(DiagnosticAnswer::DiagnosticRegister(value))),
        (counter(), any::<u16>())
            .prop_map(|(counter, value)| Response::Diagnostics(DiagnosticAnswer::Counter(counter, value))),
        any::<(bool, u16)>().prop_map(|(busy, events)| Response::GetCommEventCounter { busy, events }),
        (any::<(bool, u16, u16)>(), octets(0, 64)).prop_map(|((busy, events, messages), log)| {
            Response::GetCommEventLog { busy, events, messages, log: log.try_into().unwrap() }
        }),
        octets(1, 251).prop_map(|data| Response::ReportServerId(data.try_into().unwrap())),
        device_id_page().prop_map(Response::ReadDeviceIdentification),
        logic_answer().prop_map(Response::Logic),
        (0..128_u8, any::<u8>()).prop_map(|(function, code)| Response::exception(
            FunctionCode(function),
            ExceptionCode::from_octet(code)
        )),
    ];
    prop_oneof![reads, writes, others]
}

/// Octets that begin like something known more often than chance would have it.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(FunctionCode::KNOWN.to_vec()), octets(0, 260), any::<bool>()).prop_map(
        |(function, mut octets, known)| {
            if let (Some(first), true) = (octets.first_mut(), known) {
                *first = function.0;
            }
            octets
        },
    )
}

fn look_at_everything(packet: Packet<'_>) {
    let octets = packet.pdu().len();
    let _ = (packet.data(), packet.function(), packet.is_exception(), packet.exception_code());
    let _ = (packet.is_read(), packet.is_write(), packet.table(), packet.address(), packet.quantity());
    let _ =
        (packet.read_range(), packet.write_range(), packet.byte_count(), packet.coil_word(), packet.masks());
    let _ =
        (packet.sub_function(), packet.interface(), packet.read_device_id_code(), packet.device_id_object());
    let _ = (packet.conformity(), packet.more_follows(), packet.server_id(), packet.declared_len());
    assert!(packet.registers().is_none_or(|registers| 2 * registers.count() <= octets));
    assert!(packet.bits().is_none_or(|bits| bits.count() <= 8 * octets));
    assert!(packet.device_id_objects().is_none_or(|objects| objects.count() <= octets));
    assert!(packet.file_ranges().is_none_or(|ranges| ranges.count() <= octets));
}

proptest! {
    #[test]
    fn requests_survive_the_wire(request in request(), transaction: u16, unit: u8) {
        let pdu = request.to_pdu();
        prop_assert!(pdu.len() <= mbap::PDU_MAX, "{} octets", pdu.len());
        prop_assert_eq!(Request::parse(&pdu), Ok(request.clone()));
        let adu = request.to_adu(TransactionId(transaction), UnitId(unit));
        let expected = mbap::Adu { transaction: TransactionId(transaction), unit: UnitId(unit), pdu: &pdu };
        prop_assert_eq!(next_adu(&adu), Framing::Whole { adu: expected, consumed: adu.len() });
        let declared = Packet::request(&pdu).declared_len();
        prop_assert!(declared.is_none_or(|len| len == pdu.len()), "declared {:?} of {}", declared, pdu.len());
    }

    #[test]
    fn responses_survive_the_wire(response in response()) {
        let pdu = response.to_pdu();
        prop_assert!(pdu.len() <= mbap::PDU_MAX, "{} octets", pdu.len());
        prop_assert_eq!(Response::parse(&pdu), Ok(response.clone()));
        let declared = Packet::response(&pdu).declared_len();
        prop_assert!(declared.is_none_or(|len| len == pdu.len()), "declared {:?} of {}", declared, pdu.len());
    }

    #[test]
    fn a_request_cut_anywhere_is_refused_with_exception_3_or_another_whole_request(request in request(), cut: prop::sample::Index) {
        let pdu = request.to_pdu();
        let cut = cut.index(pdu.len());
        if let Err(error) = Request::parse(&pdu[..cut]) {
            prop_assert_eq!(error.exception(), ExceptionCode::IllegalDataValue);
        } else {
            // Only query data and logic have no length of their own.
            prop_assert!(matches!(request, Request::Diagnostics(_) | Request::Logic(_)), "{:?} cut at {}", request, cut);
        }
    }

    #[test]
    fn noise_never_panics_and_what_is_understood_is_stable(octets in noise()) {
        let _ = next_adu(&octets);
        for direction in [Direction::Request, Direction::Response] {
            look_at_everything(Packet::new(direction, &octets));
        }
        if let Ok(request) = Request::parse(&octets) {
            prop_assert_eq!(Request::parse(&request.to_pdu()), Ok(request));
        }
        if let Ok(response) = Response::parse(&octets) {
            prop_assert_eq!(Response::parse(&response.to_pdu()), Ok(response));
        }
    }
}
