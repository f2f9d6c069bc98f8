#!/usr/bin/env python3
"""Polls all three controllers once a second with pymodbus until it gets SIGTERM, then says whether the plant kept running.

    python3 .ci/interop/modbus_watch.py HOST PLC1_PORT PLC2_PORT PLC3_PORT [LIMIT_S]

Watches two things: that each poll is answered, and that no scan stands still. Measurements carry noise, so a controller
that scans never shows one value for long; P-201 is computed by PLC-1's logic; TANK.LEVEL travels from PLC-3 to PLC-2
over the network. PLC-1 may miss a few polls, because the boundary table puts it into listen-only mode and restarts its
communications; at the end it must answer again. Exit code 0 where all of that holds.
"""
import signal
import sys
import threading
import time

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

# Name, unit, number of input registers, most polls in a row that may go unanswered.
CONTROLLERS = [("PLC-1", 1, 16, 3), ("PLC-2", 2, 7, 0), ("PLC-3", 3, 6, 0)]
# Controller, input register, most polls for which one value may stand: in a day of 1 s samples none stands for more than 6.
MOVING = {
    "FIT-101": ("PLC-1", 0, 10),
    "P-201": ("PLC-1", 13, 10),
    "FIT-301": ("PLC-2", 0, 10),
    "TANK.LEVEL": ("PLC-2", 6, 10),
    "LIT-401": ("PLC-3", 0, 10),
}
TANK_COMM = 2  # discrete input of PLC-2
TANK_TOLERANCE = 100  # mm between TANK.LEVEL and LIT-401
LEAST_POLLS = 20


def longest(values, same):
    """Length of the longest stretch of neighbours that are `same`; None is a poll without an answer."""
    best = run = 0
    last = None
    for value in values:
        run = run + 1 if run and same(last, value) else 1
        best, last = max(best, run), value
    return best


class Poller:
    def __init__(self, host, port, unit, count):
        self.client = ModbusTcpClient(host, port=port, timeout=2, retries=0)
        self.unit, self.count = unit, count

    def poll(self):
        """(input registers, discrete inputs), or None without an answer."""
        try:
            if not self.client.connected and not self.client.connect():
                return None
            registers = self.client.read_input_registers(0, count=self.count, device_id=self.unit)
            bits = self.client.read_discrete_inputs(0, count=3, device_id=self.unit)
        except (ModbusException, OSError):
            self.client.close()
            return None
        return None if registers.isError() or bits.isError() else (registers.registers, bits.bits[:3])


def problems(seen):
    for name, _, _, allowed in CONTROLLERS:
        polls = seen[name]
        if len(polls) < LEAST_POLLS:
            yield f"{name}: only {len(polls)} polls, at least {LEAST_POLLS} are needed to tell"
            continue
        missed = longest([poll is None for poll in polls], lambda last, now: last and now)
        missed = missed if None in polls else 0
        if missed > allowed:
            yield f"{name}: {missed} polls in a row without an answer, allowed are {allowed}"
        if None in polls[-2:]:
            yield f"{name}: does not answer at the end"
    for tag, (name, address, allowed) in MOVING.items():
        values = [poll[0][address] for poll in seen[name] if poll]
        stood = longest(values, lambda last, now: last == now)
        if stood > allowed:
            yield f"{tag}: stood at {max(set(values), key=values.count)} for {stood} polls of {name}, allowed are {allowed}"
    for mine, its in zip(seen["PLC-2"], seen["PLC-3"]):
        if mine and not mine[1][TANK_COMM]:
            yield "PLC-2 lost PLC-3"
            break
        if mine and its and abs(mine[0][6] - its[0][0]) > TANK_TOLERANCE:
            yield f"PLC-2 has a tank level of {mine[0][6]} mm, PLC-3 of {its[0][0]} mm"
            break


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    host, ports = sys.argv[1], [int(port) for port in sys.argv[2:5]]
    limit = float(sys.argv[5]) if len(sys.argv) == 6 else 600.0
    enough = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    pollers = {name: Poller(host, port, unit, count) for (name, unit, count, _), port in zip(CONTROLLERS, ports)}
    seen = {name: [] for name in pollers}
    due = time.monotonic()
    end = due + limit
    while not enough.wait(max(0.0, due - time.monotonic())) and due < end:
        due += 1.0
        for name, poller in pollers.items():
            seen[name].append(poller.poll())
    found = list(problems(seen))
    for name, polls in seen.items():
        answered = [poll for poll in polls if poll]
        moving = [tag for tag, (owner, _, _) in MOVING.items() if owner == name]
        print(f"{name}: {len(answered)} of {len(polls)} polls answered; different values:", ", ".join(
            f"{tag} {len({poll[0][MOVING[tag][1]] for poll in answered})}" for tag in moving))
    for problem in found:
        print(problem)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
