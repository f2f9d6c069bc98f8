//! What pymodbus and mbpoll said to each other: see `vectors/README.md`.

use wire::modbus::mbap::{Framing, next_adu};
use wire::modbus::{Direction, Emit, Packet, PduError, Request, Response, TransactionId};

use crate::hex;

/// pymodbus puts the delimiter of Change ASCII Input Delimiter in the low octet; the specification, section 6.8.1, in the high one.
const LOW_DELIMITER: &str = "00110000000601080003000a";

fn lines() -> impl Iterator<Item = (Direction, Vec<u8>, &'static str)> {
    include_str!("vectors/tools.txt").lines().map(|line| {
        let (direction, octets) = line.split_once(' ').expect("direction and octets");
        let direction = if direction == "request" { Direction::Request } else { Direction::Response };
        (direction, hex(octets), octets)
    })
}

#[test]
fn what_other_programs_send_is_understood_and_sent_the_same() {
    let (mut understood, mut strange) = (0, 0);
    for (direction, octets, text) in lines() {
        let Framing::Whole { adu, consumed } = next_adu(&octets) else { panic!("{text}") };
        assert_eq!(consumed, octets.len());
        let again = match direction {
            Direction::Request => {
                Request::parse(adu.pdu).map(|request| request.to_adu(adu.transaction, adu.unit))
            }
            Direction::Response => {
                Response::parse(adu.pdu).map(|response| response.to_adu(adu.transaction, adu.unit))
            }
        };
        match again {
            Ok(again) => {
                assert_eq!(again, octets, "{text}");
                understood += 1;
            }
            Err(error) => {
                assert_eq!(
                    (text, error),
                    (LOW_DELIMITER, PduError::DiagnosticData { sub_function: 3, got: 10 })
                );
                strange += 1;
            }
        }
    }
    assert_eq!((understood, strange), (88, 2));
}

#[test]
fn the_lenient_view_agrees_with_the_strict_values() {
    for (direction, octets, text) in lines() {
        let packet = Packet::new(direction, &octets[7..]);
        let code = packet.function().unwrap();
        assert!(packet.declared_len().is_none_or(|len| len == octets.len() - 7), "{text}");
        match direction {
            Direction::Request => match Request::parse(packet.pdu()) {
                Ok(
                    Request::ReadCoils { address, quantity }
                    | Request::ReadDiscreteInputs { address, quantity },
                ) => {
                    assert_eq!(packet.read_range(), Some((address, quantity.get())));
                    assert!(packet.is_read() && !packet.is_write());
                }
                Ok(Request::WriteMultipleRegisters { address, values }) => {
                    assert_eq!(packet.write_range(), Some((address, values.len() as u16)));
                    assert_eq!(packet.registers().unwrap().collect::<Vec<_>>(), *values);
                    assert!(packet.is_write() && !packet.is_read());
                }
                Ok(Request::WriteMultipleCoils { address, values }) => {
                    assert_eq!(packet.write_range(), Some((address, values.len() as u16)));
                    assert_eq!(packet.bits().unwrap().collect::<Vec<_>>(), *values);
                }
                Ok(Request::ReadWriteMultipleRegisters {
                    read_address,
                    read_quantity,
                    write_address,
                    values,
                }) => {
                    assert_eq!(packet.read_range(), Some((read_address, read_quantity.get())));
                    assert_eq!(packet.write_range(), Some((write_address, values.len() as u16)));
                    assert!(packet.is_write() && packet.is_read());
                }
                Ok(Request::WriteSingleCoil { value, .. }) => {
                    assert_eq!(packet.bits().unwrap().collect::<Vec<_>>(), [value]);
                }
                Ok(Request::MaskWriteRegister { and_mask, or_mask, .. }) => {
                    assert_eq!(packet.masks(), Some((and_mask, or_mask)));
                }
                Ok(Request::Diagnostics(diagnostic)) => {
                    assert_eq!(packet.sub_function(), Some(diagnostic.sub_function()));
                }
                Ok(Request::ReadDeviceIdentification { code, object }) => {
                    assert_eq!(packet.read_device_id_code(), Some(code.octet()));
                    assert_eq!(packet.device_id_object(), Some(object));
                }
                Ok(Request::ReadFileRecord(ranges)) => {
                    assert_eq!(packet.file_ranges().unwrap().collect::<Vec<_>>(), *ranges);
                }
                Ok(Request::WriteFileRecord(records)) => {
                    let range = packet.file_ranges().unwrap().next().unwrap();
                    assert_eq!((range.file, range.length), (records.as_slice()[0].file, 3));
                }
                _ => {}
            },
            Direction::Response => match Response::parse(packet.pdu())
                .unwrap_or(Response::ReadExceptionStatus(0))
            {
                Response::Exception { function, code: why } => {
                    assert!(packet.is_exception() && !packet.is_read() && !packet.is_write());
                    assert_eq!((code, packet.exception_code()), (function, Some(why)));
                }
                Response::ReadHoldingRegisters(values) | Response::ReadInputRegisters(values) => {
                    assert_eq!(packet.registers().unwrap().collect::<Vec<_>>(), *values);
                    assert_eq!(packet.quantity(), Some(values.len() as u16));
                }
                Response::ReadFifoQueue(values) => {
                    assert_eq!(packet.registers().unwrap().collect::<Vec<_>>(), *values);
                }
                Response::ReadCoils(bits) | Response::ReadDiscreteInputs(bits) => {
                    assert!(packet.bits().unwrap().eq(bits.iter()));
                }
                Response::ReadDeviceIdentification(page) => {
                    let objects: Vec<_> =
                        packet.device_id_objects().unwrap().map(|(id, value)| (id, value.to_vec())).collect();
                    assert_eq!(objects, page.objects());
                    assert_eq!(packet.conformity(), Some(page.conformity));
                }
                Response::ReportServerId(data) => assert_eq!(packet.server_id(), Some(&*data)),
                _ => {}
            },
        }
    }
}

#[test]
fn a_stream_of_all_of_them_in_pieces_is_the_same_adus() {
    let stream: Vec<u8> = lines().flat_map(|(_, octets, _)| octets).collect();
    for piece in [1, 7, 13, 300] {
        let (mut buffer, mut seen) = (Vec::new(), Vec::<TransactionId>::new());
        for octets in stream.chunks(piece) {
            buffer.extend_from_slice(octets);
            loop {
                match next_adu(&buffer) {
                    Framing::Whole { adu, consumed } => {
                        seen.push(adu.transaction);
                        buffer.drain(..consumed);
                    }
                    Framing::Short { .. } => break,
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!((seen.len(), buffer.len()), (90, 0), "in pieces of {piece}");
    }
}
