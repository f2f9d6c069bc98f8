"""Whether the sensor's memory stays flat over a long mixture of ordinary traffic and flood.

Usage: python sensor_memory.py SENSOR REPEAT WORK [PACKETS]

Half of the packets are shared captures, repeated with new addresses; half are SYNs from a million hosts, noise on the ports of Modbus and
DNP3, ARP scans, fragments without their rest, and streams that wait behind a hole. They come on a pipe, and resident memory is read at
each tenth of the way. Holds: from the middle to the end it grows by at most a tenth (the last tables fill), and there are never more than
128 MiB: every table is full then.
"""

import json
import subprocess
import sys
from pathlib import Path

sensor, repeat, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
packets = int(sys.argv[4]) if len(sys.argv) > 4 else 2_000_000
captures = Path(__file__).resolve().parents[3] / "shared" / "captures"
if not captures.exists():
    print("no ../shared/captures here: the sensor's memory was NOT measured")
    sys.exit(0)
sources = ["zeek/modbusBig.pcap", "icsnpp/icsnpp-dnp3/testing/traces/dnp3_example.pcap", "iti/modbus/ModbusTCP.pcap"]
# What comes out is not what is measured, and fifty million rows are many: connections, oddities and findings are written.
command = [sensor, "-r", "-", "--json", "--logs", "conn,weird,findings,incidents,inventory", "--log-dir", work / "logs"]
taker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False)
maker = subprocess.Popen([repeat, str(packets), "50", *(captures / source for source in sources)], stdout=subprocess.PIPE)


def resident():
    for line in Path(f"/proc/{taker.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


# About 170 octets each: the exact number does not matter, tenths are of octets.
seen, marks, step = 0, [], packets * 17
while chunk := maker.stdout.read(1 << 20):
    taker.stdin.write(chunk)
    seen += len(chunk)
    if seen // step > len(marks):
        marks.append(resident())
        print(f"{seen >> 20:8} MiB in, {marks[-1]:8} KiB resident", flush=True)
last = resident()
taker.stdin.close()
summary = json.loads(taker.stdout.read())
if taker.wait() != 0 or summary["frames"] != packets:
    sys.exit(f"{summary['frames']} of {packets} packets were read")
print({name: summary[name] for name in ("frames", "connections", "evicted", "hosts", "weirds", "bad_checksums", "input")})
middle = marks[len(marks) // 2 - 1]
print(f"resident: {middle} KiB in the middle, {last} KiB at the end")
if last > middle * 1.1 or max(marks) > 131072:
    sys.exit("memory grows")
