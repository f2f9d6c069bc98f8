#!/usr/bin/env python3
"""Reads and writes PLC-1 with pymodbus, by every function that pymodbus has a call for, and leaves it as it was.

    python3 .ci/interop/modbus_clients.py HOST PORT [UNIT]

Needs pymodbus 3.16. Exit code 0 where every answer is as expected.
"""
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.pdu.file_message import FileRecord

NAOH_SP, NAOH_MAN, CL2_SP, LIC_SP = 40, 41, 43, 45
NAOH_MODE, TRIP_ENABLED = 0, 1


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    unit = int(sys.argv[3]) if len(sys.argv) == 4 else 1
    client = ModbusTcpClient(sys.argv[1], port=int(sys.argv[2]), timeout=3, retries=0)
    if not client.connect():
        sys.exit("cannot connect")
    failures = []
    count = 0

    def check(name, got, wanted):
        nonlocal count
        count += 1
        if got != wanted:
            failures.append(f"{name}: expected {wanted!r}, got {got!r}")

    def answered(name, response):
        nonlocal count
        count += 1
        if response.isError():
            failures.append(f"{name}: {response}")
        return response

    on = {"device_id": unit}
    # Setpoints, in every way there is to write one.
    before = answered("holding", client.read_holding_registers(NAOH_SP, count=7, **on)).registers
    answered("write register", client.write_register(NAOH_SP, 90, **on))
    check("written by 6", client.read_holding_registers(NAOH_SP, **on).registers, [90])
    answered("write registers", client.write_registers(NAOH_SP, [95, before[1]], **on))
    check("written by 16", client.read_holding_registers(NAOH_SP, count=2, **on).registers, [95, before[1]])
    answered("mask write", client.mask_write_register(address=NAOH_SP, and_mask=0xFFF0, or_mask=0x0004, **on))
    check("written by 22", client.read_holding_registers(NAOH_SP, **on).registers, [(95 & 0xFFF0) | 4])
    both = answered("read and write", client.readwrite_registers(
        read_address=NAOH_SP, read_count=7, write_address=NAOH_SP, values=before[:1], **on))
    check("23 writes before it reads", both.registers, before)
    # Modes.
    coils = answered("coils", client.read_coils(0, count=5, **on)).bits[:5]
    answered("write coil", client.write_coil(TRIP_ENABLED, True, **on))
    check("written by 5", client.read_coils(TRIP_ENABLED, **on).bits[0], True)
    answered("write coils", client.write_coils(0, coils, **on))
    check("written by 15", client.read_coils(0, count=5, **on).bits[:5], coils)
    # What only the device writes.
    check("inputs", len(answered("inputs", client.read_input_registers(0, count=16, **on)).registers), 16)
    check("discretes", len(answered("discretes", client.read_discrete_inputs(0, count=3, **on)).bits) >= 3, True)
    flow = client.read_input_registers(0, **on).registers[0]
    answered("write to a copy of an input", client.write_register(0, 0, **on))
    again = client.read_holding_registers(0, **on).registers[0]
    check("the copy is refreshed", abs(again - flow) < 2000, True)
    # Who it is.
    identity = answered("device id", client.read_device_information(read_code=2, object_id=0, **on)).information
    check("vendor", identity.get(0), b"Halvard Automation")
    check("product", identity.get(1), b"HA-340")
    check("application", identity.get(6), b"PLC-1")
    server = answered("report server id", client.report_device_id(**on))
    # pymodbus takes the last octet for the run indicator, wherever the device's own additional octets stand.
    check("server id", bytes(server.identifier), b"\x01\xffHA-340 PLC-")
    # Diagnostics.
    echo = answered("return query data", client.diag_query_data(b"\x12\x34", **on))
    check("echo", bytes(echo.message) if isinstance(echo.message, (bytes, bytearray)) else echo.message, b"\x12\x34")
    answered("clear counters", client.diag_clear_counters(**on))
    messages = answered("bus messages", client.diag_read_bus_message_count(**on))
    check("messages are counted", isinstance(messages.message, int) and messages.message >= 1, True)
    answered("diagnostic register", client.diag_read_diagnostic_register(**on))
    answered("exception status", client.read_exception_status(**on))
    answered("event counter", client.diag_get_comm_event_counter(**on))
    answered("event log", client.diag_get_comm_event_log(**on))
    # Files and the alarm queue.
    record = FileRecord(file_number=4, record_number=7, record_data=b"\x00\x01\x02\x03")
    answered("write file", client.write_file_record([record], **on))
    wanted = FileRecord(file_number=4, record_number=7, record_length=4)
    files = answered("read file", client.read_file_record([wanted], **on))
    check("file", bytes(files.records[0].record_data), b"\x00\x01\x02\x03")
    answered("FIFO", client.read_fifo_queue(address=0x0400, **on))
    # Refusals.
    for name, response, code in [
        ("past the end", client.read_holding_registers(47, **on), 2),
        ("a gap", client.read_holding_registers(13, **on), 2),
        ("no such coil", client.write_coil(5, True, **on), 2),
    ]:
        check(name, (response.isError(), getattr(response, "exception_code", None)), (True, code))
    check("left as it was", client.read_holding_registers(NAOH_SP, count=7, **on).registers, before)
    check("modes as they were", client.read_coils(0, count=5, **on).bits[:5], coils)
    client.close()
    for failure in failures:
        print(failure)
    print(f"{count - len(failures)} of {count} as expected")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
