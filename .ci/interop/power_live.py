#!/usr/bin/env python3
"""Opens the lines at bus 7 with yadnp3 and watches the grid with pymodbus.

    python power_live.py RTU_PORT GENERATION_PORT

RTU_PORT leads to RTU-7 (DNP3, link address 7), GENERATION_PORT to the generation controller (Modbus, unit 1). Fails unless the
commands are accepted, the frequency of unit G1 falls below the first stage of load shedding, and RTU-7 says that it shed load.
"""
import struct, sys, time

import opendnp3 as o
from pymodbus.client import ModbusTcpClient

# Points of RTU-7 and registers of GEN-1, from the site file.
LINE_7_5, LINE_7_8, SHED_STAGE_1 = 0, 1, 10
FREQUENCY_G1 = 2
FIRST_STAGE_HZ = 59.5


def fail(words):
    sys.exit(f"power: {words}")


def until(holds, within):
    end = time.time() + within
    while time.time() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False


class Listener(o.IChannelListener):
    def OnStateChange(self, state):
        pass


class Application(o.IMasterApplication):
    def __init__(self):
        super().__init__()

    def OnReceiveIIN(self, iin):
        pass

    def OnTaskStart(self, kind, task):
        pass

    def OnTaskComplete(self, info):
        pass

    def OnOpen(self):
        pass

    def OnClose(self):
        pass

    def AssignClassDuringStartup(self):
        return False

    def Now(self):
        return o.UTCTimestamp(int(time.time() * 1000))


class Handler(o.ISOEHandler):
    """Latest values by group and index."""

    def __init__(self):
        super().__init__()
        self.values = {}

    def BeginFragment(self, info):
        pass

    def EndFragment(self, info):
        pass

    def Process(self, info, values):
        kind = str(info.gv).split(".")[-1].split("Var")[0]
        for value in values:
            self.values[kind, value.index] = value.value.value


def main():
    rtu, generation = int(sys.argv[1]), int(sys.argv[2])
    client = ModbusTcpClient("127.0.0.1", port=generation, timeout=3)
    if not until(client.connect, 60):
        fail("the generation controller does not answer")

    def frequency():
        answer = client.read_input_registers(FREQUENCY_G1, count=2, device_id=1)
        if answer.isError():
            fail(f"pymodbus: {answer}")
        return struct.unpack(">f", struct.pack(">HH", *answer.registers))[0]

    manager = o.DNP3Manager(1)
    channel = manager.AddTCPClient("rtu-7", o.levels.NOTHING, o.ChannelRetry.Default(),
                                   [o.IPEndpoint("127.0.0.1", rtu)], "0.0.0.0", Listener())
    config = o.MasterStackConfig()
    config.link.LocalAddr, config.link.RemoteAddr = 1, 7
    config.master.responseTimeout = o.TimeDuration.Seconds(5)
    handler = Handler()
    master = channel.AddMaster("master", handler, Application(), config)
    master.Enable()
    if not until(lambda: ("Group1", SHED_STAGE_1) in handler.values, 30):
        fail(f"no integrity poll: {len(handler.values)} values, {sorted({kind for kind, _ in handler.values})}")
    print(f"yadnp3: {len(handler.values)} values of RTU-7 by an integrity poll")
    before = frequency()
    print(f"pymodbus: unit G1 at {before:.3f} Hz")
    if not 59.8 < before < 60.2 or handler.values["Group1", SHED_STAGE_1]:
        fail("the grid is not at rest")

    trip = o.ControlRelayOutputBlock(o.OperationType.PULSE_ON, o.TripCloseCode.TRIP)
    for index in LINE_7_5, LINE_7_8:
        results = []
        master.SelectAndOperate(trip, index, lambda result: results.extend(str(it.status) for it in result.to_list()))
        if not until(lambda: bool(results), 10) or not all("SUCCESS" in status for status in results):
            fail(f"select and operate of output {index}: {results or 'no answer'}")
        print(f"yadnp3: select and operate, trip of output {index}: {results[0].split('.')[-1]}")

    lowest = before
    end = time.time() + 15
    while time.time() < end:
        lowest = min(lowest, frequency())
        time.sleep(0.1)
    after = frequency()
    print(f"pymodbus: unit G1 fell to {lowest:.3f} Hz, {after:.3f} Hz 15 s later")
    if lowest >= FIRST_STAGE_HZ:
        fail(f"the frequency did not fall below {FIRST_STAGE_HZ} Hz")
    # Its events go to the front end, which is master 1 as well: everything is read again.
    master.ScanClasses(o.ClassField(True, True, True, True), handler)
    if not until(lambda: handler.values["Group1", SHED_STAGE_1], 10):
        fail("RTU-7 does not say that load was shed")
    print("yadnp3: RTU-7 says that the first stage of load shedding at bus 8 operated")
    manager.Shutdown()
    client.close()


main()
