#!/usr/bin/env python3
"""Sends testdata/modbus-boundary.tsv over real sockets, then a dozen requests made by scapy, and checks every answer.

    python3 .ci/interop/modbus_boundary.py HOST PORT [UNIT]

The server is PLC-1 as it starts, for example `cargo run -p plcs --example serve -- 5020`, or a forward of
`fieldrange run --live --forward 5020=192.168.1.101:502`. Needs scapy. Exit code 0 where every answer is as expected.
"""
import pathlib
import re
import socket
import sys

from scapy.contrib import modbus as scapy_modbus
from scapy.packet import Raw

TABLE = pathlib.Path(__file__).resolve().parents[2] / "testdata" / "modbus-boundary.tsv"
PROBE = bytes.fromhex("010100000006ff0300280001")
PROBE_ANSWER = bytes.fromhex("010100000005ff03020064")
LIMIT_S = 5.0


def receive(stream, enough):
    """Octets until `enough` says so, the server closes (True), or the limit has passed."""
    octets = b""
    while not enough(octets):
        try:
            piece = stream.recv(4096)
        except (TimeoutError, ConnectionResetError) as error:
            return octets, isinstance(error, ConnectionResetError)
        if not piece:
            return octets, True
        octets += piece
    return octets, False


def pattern(text):
    """The regular expression of an expectation, in hexadecimal, and whether the server closes after it."""
    if text in ("silence", "close"):
        return "", text == "close"
    closes = text.endswith(" close")
    body = text.removesuffix(" close").lower()
    return re.sub(r"\?\?", "[0-9a-f]{2}", body).replace("*", "(?:[0-9a-f]{2})*"), closes


def check_row(address, request, expected):
    """None, or what went wrong."""
    wanted, closes = pattern(expected)
    with socket.create_connection(address, timeout=LIMIT_S) as stream:
        stream.sendall(request)
        if closes:
            octets, closed = receive(stream, lambda _: False)
            if not closed:
                return f"not closed, got {octets.hex()}"
        else:
            # Answers keep the order of requests: what comes before the probe's answer belongs to the row.
            stream.sendall(PROBE)
            octets, closed = receive(stream, lambda octets: octets.endswith(PROBE_ANSWER))
            if closed or not octets.endswith(PROBE_ANSWER):
                return f"no answer to the probe, closed {closed}, got {octets.hex()}"
            octets = octets[: -len(PROBE_ANSWER)]
    if not re.fullmatch(wanted, octets.hex()):
        return f"expected {expected}, got {octets.hex()}"
    return None


def table_rows():
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if line.startswith("#") or line.startswith("name\t"):
            continue
        name, request, expected, source = line.split("\t")
        yield number, name, bytes.fromhex(request), expected, source


def scapy_cases(unit):
    """(name, request by scapy, class that scapy must see in the answer, its fields)."""
    m = scapy_modbus

    def adu(pdu, **header):
        return m.ModbusADURequest(transId=0x5CA9, unitId=unit, **header) / pdu

    yield "coils", adu(m.ModbusPDU01ReadCoilsRequest(startAddr=0, quantity=5)), m.ModbusPDU01ReadCoilsResponse, {"coilStatus": [0x19]}
    yield "no coils", adu(m.ModbusPDU01ReadCoilsRequest(startAddr=0, quantity=0)), m.ModbusPDU01ReadCoilsError, {"exceptCode": 3}
    yield "setpoints", adu(m.ModbusPDU03ReadHoldingRegistersRequest(startAddr=40, quantity=2)), m.ModbusPDU03ReadHoldingRegistersResponse, {"registerVal": [100, 0]}
    yield "126 registers", adu(m.ModbusPDU03ReadHoldingRegistersRequest(startAddr=0, quantity=126)), m.ModbusPDU03ReadHoldingRegistersError, {"exceptCode": 3}
    yield "inputs past the end", adu(m.ModbusPDU04ReadInputRegistersRequest(startAddr=15, quantity=2)), m.ModbusPDU04ReadInputRegistersError, {"exceptCode": 2}
    yield "coil value", adu(m.ModbusPDU05WriteSingleCoilRequest(outputAddr=0, outputValue=0x1234)), m.ModbusPDU05WriteSingleCoilError, {"exceptCode": 3}
    yield "register", adu(m.ModbusPDU06WriteSingleRegisterRequest(registerAddr=40, registerValue=100)), m.ModbusPDU06WriteSingleRegisterResponse, {"registerAddr": 40, "registerValue": 100}
    yield "coils with a wrong count", adu(m.ModbusPDU0FWriteMultipleCoilsRequest(startAddr=0, quantityOutput=2000, byteCount=1, outputsValue=[0])), m.ModbusPDU0FWriteMultipleCoilsError, {"exceptCode": 3}
    yield "registers", adu(m.ModbusPDU10WriteMultipleRegistersRequest(startAddr=40, outputsValue=[100])), m.ModbusPDU10WriteMultipleRegistersResponse, {"startAddr": 40, "quantityRegisters": 1}
    yield "mask", adu(m.ModbusPDU16MaskWriteRegisterRequest(refAddr=40, andMask=0xFFFF, orMask=0)), m.ModbusPDU16MaskWriteRegisterResponse, {"refAddr": 40, "andMask": 0xFFFF, "orMask": 0}
    yield "read and write", adu(m.ModbusPDU17ReadWriteMultipleRegistersRequest(readStartingAddr=40, readQuantityRegisters=1, writeStartingAddr=40, writeRegistersValue=[100])), m.ModbusPDU17ReadWriteMultipleRegistersResponse, {"registerVal": [100]}
    yield "identity", adu(m.ModbusPDU2B0EReadDeviceIdentificationRequest(readCode=1, objectId=0)), m.ModbusPDU2B0EReadDeviceIdentificationResponse, {"conformityLevel": 0x82, "objCount": 3}
    yield "an octet too many", adu(m.ModbusPDU03ReadHoldingRegistersRequest(startAddr=40, quantity=1) / Raw(b"\0")), m.ModbusPDU03ReadHoldingRegistersError, {"exceptCode": 3}
    yield "exception status", adu(m.ModbusPDU07ReadExceptionStatusRequest()), m.ModbusPDU07ReadExceptionStatusResponse, {}


def check_scapy(address, request, answer_class, fields):
    with socket.create_connection(address, timeout=LIMIT_S) as stream:
        stream.sendall(bytes(request))
        whole = lambda octets: len(octets) >= 6 and len(octets) >= 6 + int.from_bytes(octets[4:6], "big")
        octets, _ = receive(stream, whole)
    answer = scapy_modbus.ModbusADUResponse(octets)
    if answer_class not in answer:
        return f"scapy sees no {answer_class.__name__} in {octets.hex()}"
    layer = answer[answer_class]
    got = {name: getattr(layer, name) for name in fields}
    return None if got == fields and answer.transId == 0x5CA9 else f"expected {fields}, scapy sees {got}"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    address, unit = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]) if len(sys.argv) == 4 else 1
    if unit != 1:
        sys.exit("the table is written for unit 1, PLC-1")
    rows = wrong = 0
    for number, name, request, expected, source in table_rows():
        rows += 1
        problem = check_row(address, request, expected)
        if problem:
            wrong += 1
            print(f"{TABLE.name}:{number}: {name} ({source}): {problem}")
    for name, request, answer_class, fields in scapy_cases(unit):
        rows += 1
        problem = check_scapy(address, request, answer_class, fields)
        if problem:
            wrong += 1
            print(f"scapy: {name}: {problem}")
    print(f"{rows - wrong} of {rows} as expected")
    sys.exit(1 if wrong or rows < 60 else 0)


if __name__ == "__main__":
    main()
