//! The logs of functions 22, 23 and 43/14: a row per PDU, or per object that a device tells.

use wire::modbus::{FunctionCode, Packet};

use super::{Pdu, count, link_id, prefix};
use crate::log::{Log, LogWriter};
use crate::row::Field;
use crate::sink::LogSink;

/// The logs of functions 22, 23 and 43/14. `link` is absent where the request was not seen.
pub(super) fn row<S: LogSink>(
    words: &mut Vec<u16>,
    log: &mut LogWriter<S>,
    pdu: &Pdu<'_>,
    link: Option<u32>,
) {
    let packet = pdu.packet;
    let link = match link {
        Some(link) => link_id(pdu.id, link, false),
        None if packet.function() == Some(FunctionCode::ENCAPSULATED_INTERFACE) => {
            link_id(pdu.id, u32::from(pdu.transaction), true)
        }
        None => String::new(),
    };
    let start = sided(pdu, &link);
    match packet.function() {
        Some(FunctionCode::MASK_WRITE_REGISTER) if log.wants(Log::ModbusMaskWriteRegister) => {
            let Some((and_mask, or_mask)) = packet.masks() else { return };
            let own = [
                count(packet.address().map(|address| address.0)),
                count(Some(and_mask)),
                count(Some(or_mask)),
            ];
            log.row(Log::ModbusMaskWriteRegister, &[start.as_slice(), &own].concat());
        }
        Some(FunctionCode::READ_WRITE_MULTIPLE_REGISTERS)
            if log.wants(Log::ModbusReadWriteMultipleRegisters) =>
        {
            words.clear();
            let Some(registers) = packet.registers() else { return };
            words.extend(registers);
            let own = if packet.is_response() {
                let unset = Field::Unset;
                [unset, unset, unset, unset, Field::Counts(words)]
            } else {
                [
                    count(packet.write_range().map(|(address, _)| address.0)),
                    Field::Counts(words),
                    count(packet.address().map(|address| address.0)),
                    count(packet.quantity()),
                    Field::Unset,
                ]
            };
            log.row(Log::ModbusReadWriteMultipleRegisters, &[start.as_slice(), &own].concat());
        }
        Some(FunctionCode::ENCAPSULATED_INTERFACE) if log.wants(Log::ModbusReadDeviceIdentification) => {
            device_identification(log, packet, &start);
        }
        _ => {}
    }
}

/// The columns that these logs share.
fn sided<'a>(pdu: &Pdu<'a>, link: &'a str) -> [Field<'a>; 16] {
    let [ts, uid, orig_h, orig_p, resp_h, resp_p] = prefix(pdu.at, pdu.id);
    let is_orig = !pdu.packet.is_response();
    let ends = [orig_h, orig_p, resp_h, resp_p];
    let [source_h, source_p, target_h, target_p] =
        if is_orig { ends } else { [resp_h, resp_p, orig_h, orig_p] };
    [
        ts,
        uid,
        orig_h,
        orig_p,
        resp_h,
        resp_p,
        Field::Bool(is_orig),
        source_h,
        source_p,
        target_h,
        target_p,
        Field::Text(link),
        Field::Count(pdu.transaction.into()),
        Field::Count(pdu.unit.into()),
        Field::Text(pdu.name),
        Field::Text(if is_orig { "REQUEST" } else { "RESPONSE" }),
    ]
}

/// A row per request, and per object of an answer.
fn device_identification<S: LogSink>(log: &mut LogWriter<S>, packet: &Packet<'_>, start: &[Field<'_>; 16]) {
    let Some(code) = packet.read_device_id_code() else { return };
    let (unset, mei) = (Field::Unset, Field::Text("READ-DEVICE-IDENTIFICATION"));
    let code = Field::Count(code.into());
    if !packet.is_response() {
        let Some(object) = packet.device_id_object() else { return };
        let number = format!("0x{:02x}", object.0);
        // ICSNPP names the object by the list of read codes; so do we.
        let name = match object.0 {
            0 => "Basic Device Identification",
            1 => "Regular Device Identification",
            2 => "Extended Device Identification",
            3 => "Specific Device Identification",
            _ => "Unknown",
        };
        let own = [mei, unset, unset, code, Field::Text(&number), Field::Text(name), unset];
        log.row(Log::ModbusReadDeviceIdentification, &[start.as_slice(), &own].concat());
        return;
    }
    let (Some(objects), Some(conformity)) = (packet.device_id_objects(), packet.conformity()) else { return };
    let conformity_number = format!("0x{conformity:02x}");
    let conformity_name = match conformity {
        0x01 => "Basic Identification (Stream)",
        0x02 => "Regular Identification (Stream)",
        0x04 => "Extended Identification (Stream)",
        0x81 => "Basic Identification (Stream, Individual)",
        0x82 => "Regular Identification (Stream, Individual)",
        0x83 => "Extended Identification (Stream, Individual)",
        _ => "Unknown",
    };
    for (object, value) in objects {
        let number = format!("0x{:02x}", object.0);
        let name = match object.0 {
            0 => "VendorName",
            1 => "ProductCode",
            2 => "MajorMinorVersion",
            3 => "VendorURL",
            4 => "ProductName",
            5 => "ModelName",
            6 => "UserApplicationName",
            _ => "Unknown",
        };
        let own = [
            mei,
            Field::Text(&conformity_number),
            Field::Text(conformity_name),
            code,
            Field::Text(&number),
            Field::Text(name),
            Field::Octets(value),
        ];
        log.row(Log::ModbusReadDeviceIdentification, &[start.as_slice(), &own].concat());
    }
}
