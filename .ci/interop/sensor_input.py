"""Odd captures, written by scapy, counted by tshark and by the sensor.

Usage: python sensor_input.py SENSOR WORK [ARGS...]   SENSOR is fieldrange-sensor, or `fieldrange` with ARGS `sense`.

Every capture holds the same Modbus conversation (and, in some, the same over UDP), wrapped in another way. The sensor has to find as many
frames, connections and PDUs in it as tshark does, and to name the oddity where there is one.
"""

import gzip
import json
import struct
import subprocess
import sys
from pathlib import Path

from scapy.all import (
    ARP, CookedLinux, Dot1AD, Dot1Q, Ether, ICMP, ICMPv6EchoRequest, IP, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, LLC, Raw, SNAP, TCP, UDP, fragment, fragment6, raw,
)

work = Path(sys.argv[2])
command = [sys.argv[1], *sys.argv[3:]]
CLIENT, SERVER = "192.168.1.20", "192.168.1.101"
CLIENT6, SERVER6 = "fd00::20", "fd00::101"
READ = bytes.fromhex("000100000006010300000064")  # Read Holding Registers, 100 of them
ANSWER = bytes.fromhex("0001000000cb0103c8") + bytes(range(200))


def conversation(v6=False, rounds=5, extensions=None):
    """Handshake, requests, answers, end: packets from the IP header on."""

    def ip(from_client):
        ends = (CLIENT6, SERVER6) if v6 else (CLIENT, SERVER)
        source, target = ends if from_client else ends[::-1]
        if not v6:
            return IP(src=source, dst=target, id=7)
        header = IPv6(src=source, dst=target)
        return header / extensions if extensions is not None else header

    def tcp(from_client, flags, seq, ack, payload=b""):
        sport, dport = (50000, 502) if from_client else (502, 50000)
        segment = TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack)
        return ip(from_client) / segment / Raw(payload) if payload else ip(from_client) / segment

    packets = [tcp(True, "S", 1000, 0), tcp(False, "SA", 5000, 1001), tcp(True, "A", 1001, 5001)]
    seq, ack = 1001, 5001
    for number in range(rounds):
        tag = struct.pack(">H", number)
        packets.append(tcp(True, "PA", seq, ack, tag + READ[2:]))
        seq += len(READ)
        packets.append(tcp(False, "PA", ack, seq, tag + ANSWER[2:]))
        ack += len(ANSWER)
    packets += [tcp(True, "FA", seq, ack), tcp(False, "FA", ack, seq + 1), tcp(True, "A", seq + 1, ack + 1)]
    return packets


def ethernet(packets, *tags, kind=Ether):
    out = []
    for packet in packets:
        frame = kind(src="00:80:f4:00:00:01", dst="00:80:f4:00:00:02") if kind is Ether else kind()
        for tag in tags:
            frame = frame / tag.copy()
        out.append(frame / packet.copy())
    return out


def pcap(octets_of, order="<", nanos=False, link=1, snap=None):
    magic = 0xA1B23C4D if nanos else 0xA1B2C3D4
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, octets in enumerate(octets_of):
        kept = octets[:snap] if snap else octets
        stamp = number * (10_000_000 if nanos else 10_000)
        out += struct.pack(order + "IIII", 1_700_000_000, stamp, len(kept), len(octets)) + kept
    return out


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(order, frames):
    """Two sections; interfaces of two link types and resolutions; simple, obsolete and enhanced packet blocks; statistics."""
    section = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    resolution = struct.pack(order + "HH", 9, 1) + b"\x09\0\0\0" + bytes(4)
    ether = block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + resolution)
    bare = block(order, 1, struct.pack(order + "HHI", 101, 0, 0))
    half = len(frames) // 2
    out = section + ether + bare + block(order, 0x0BAD, b"unknown")
    for number, octets in enumerate(frames):
        if number == half:
            out += section + bare + ether
        ether_at, bare_at = (0, 1) if number < half else (1, 0)
        nanos = 1_700_000_000_000_000_000 + number * 10_000_000
        if number % 3 == 0:
            at = nanos // 1000
            head = struct.pack(order + "IIIII", bare_at, at >> 32, at & 0xFFFFFFFF, len(octets) - 14, len(octets) - 14)
            out += block(order, 6, head + octets[14:])
        elif number % 3 == 1:
            head = struct.pack(order + "HHIIII", ether_at, 0, nanos >> 32, nanos & 0xFFFFFFFF, len(octets), len(octets))
            out += block(order, 2, head + octets)
        else:
            head = struct.pack(order + "IIIII", ether_at, nanos >> 32, nanos & 0xFFFFFFFF, len(octets), len(octets))
            out += block(order, 6, head + octets)
    return out + block(order, 5, struct.pack(order + "III", 0, 0, 0) + struct.pack(order + "HHQ", 5, 8, 3) + bytes(4))


def fragments4(size, last_first=False):
    out = []
    for number, packet in enumerate(conversation()):
        packet[IP].id = number + 1
        pieces = fragment(packet, size) if len(packet) > size + 20 else [packet]
        out += reversed(pieces) if last_first else pieces
    return out


def fragments6():
    out = []
    for number, packet in enumerate(conversation(v6=True, extensions=IPv6ExtHdrFragment(id=0))):
        packet[IPv6ExtHdrFragment].id = number + 1
        out += fragment6(packet, 136) if len(packet) > 150 else [packet]
    return out


plain = [raw(frame) for frame in ethernet(conversation())]
captures = {}
for order, name in (("<", "little"), (">", "big")):
    for nanos in (False, True):
        captures[f"pcap-{name}-{'nano' if nanos else 'micro'}.pcap"] = pcap(plain, order, nanos)
    captures[f"pcapng-{name}.pcapng"] = pcapng(order, plain)
captures["packed.pcap.gz"] = gzip.compress(pcap(plain))
captures["packed-twice.pcapng.gz"] = gzip.compress(pcapng("<", plain)[:1000]) + gzip.compress(pcapng("<", plain)[1000:])
captures["vlan.pcap"] = pcap([raw(f) for f in ethernet(conversation(), Dot1Q(vlan=7))])
captures["qinq.pcap"] = pcap([raw(f) for f in ethernet(conversation(), Dot1AD(vlan=100), Dot1Q(vlan=7))])
captures["stacked.pcap"] = pcap([raw(f) for f in ethernet(conversation(), Dot1Q(vlan=100), Dot1Q(vlan=7))])
captures["snap.pcap"] = pcap(
    [
        raw(Ether(src="00:80:f4:00:00:01", dst="00:80:f4:00:00:02", type=len(p) + 8) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800) / p)
        for p in conversation()
    ]
)
captures["cooked.pcap"] = pcap([raw(f) for f in ethernet(conversation(), kind=CookedLinux)], link=113)
cooked_2 = b"\x08\x00\0\0\0\0\0\x02\0\x01\0\x06\0\x80\xf4\0\0\x01\0\0"
captures["cooked-2.pcap"] = pcap([cooked_2 + raw(p) for p in conversation()], link=276)
captures["loopback.pcap"] = pcap([struct.pack("<I", 2) + raw(p) for p in conversation()], link=0)
captures["loop-6.pcap"] = pcap([struct.pack(">I", 24) + raw(p) for p in conversation(v6=True)], link=108)
captures["raw-ip.pcap"] = pcap([raw(p) for p in conversation()], link=101)
captures["raw-ip-6.pcap"] = pcap([raw(p) for p in conversation(v6=True)], link=229)
captures["fragments.pcap"] = pcap([raw(f) for f in ethernet(fragments4(72))])
captures["fragments-last-first.pcap"] = pcap([raw(f) for f in ethernet(fragments4(72, last_first=True))])
captures["ipv6.pcap"] = pcap([raw(f) for f in ethernet(conversation(v6=True))])
captures["ipv6-extensions.pcap"] = pcap(
    [raw(f) for f in ethernet(conversation(v6=True, extensions=IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt()))]
)
captures["ipv6-fragments.pcap"] = pcap([raw(f) for f in ethernet(fragments6())])
captures["snapped.pcap"] = pcap(plain, snap=100)
padded = [octets + bytes(max(0, 60 - len(octets))) for octets in plain]
captures["padded.pcap"] = pcap(padded)
unfinished = []
for octets in plain:
    octets = bytearray(octets)
    octets[50:52] = b"\0\0"
    unfinished.append(bytes(octets))
captures["unfinished.pcap"] = pcap(unfinished)
wrong = []
for octets in plain:
    octets = bytearray(octets)
    octets[51] ^= 0x55
    wrong.append(bytes(octets))
captures["wrong-checksums.pcap"] = pcap(wrong)
others = ethernet(
    [
        ARP(op=1, psrc=CLIENT, pdst=SERVER),
        ARP(op=2, psrc=SERVER, pdst=CLIENT),
        IP(src=CLIENT, dst=SERVER) / ICMP() / Raw(b"x" * 20),
        IPv6(src=CLIENT6, dst=SERVER6) / ICMPv6EchoRequest(data=b"x" * 20),
        IP(src=CLIENT, dst=SERVER) / UDP(sport=40000, dport=502) / Raw(READ),
    ]
)
captures["others.pcap"] = pcap([raw(f) for f in others])

# What has to stand in weird.log, and nothing else may.
weirds = {
    "unfinished.pcap": {"unfinished_checksums"},
    "wrong-checksums.pcap": {"bad_TCP_checksum"},
    "pcapng-little.pcapng": {"frames_dropped"},
    "pcapng-big.pcapng": {"frames_dropped"},
    "packed-twice.pcapng.gz": {"frames_dropped"},
}


def tshark(path, *args):
    options = ["-o", "ip.defragment:TRUE", "-o", "ipv6.defragment:TRUE", "-o", "tcp.check_checksum:FALSE"]
    done = subprocess.run(["tshark", "-n", "-r", path, *options, *args], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


failed = []
for name, octets in captures.items():
    path = work / name
    path.write_bytes(octets)
    # Blocks of other kinds are lines, too.
    frames = len(tshark(path, "-Y", "eth || sll || null || ip || ipv6"))
    # One function code per PDU; an answer cut short still shows its header.
    pdus = sum(len(line.split(",")) for line in tshark(path, "-Y", "mbtcp || mbudp", "-T", "fields", "-e", "modbus.func_code") if line)
    logs = work / (name + ".logs")
    done = subprocess.run([*command, "-r", path, "--json", "--log-dir", logs], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        failed.append(f"{name}: {done.stderr.strip()}")
        continue
    summary = json.loads(done.stdout)
    found = set()
    if (logs / "weird.log").exists():
        found = {line.split("\t")[6] for line in (logs / "weird.log").read_text().splitlines() if not line.startswith("#")}
    print(f"{name:28} frames {frames:4} {summary['frames']:4}   PDUs {pdus:3} {summary['modbus_pdus']:3}   {' '.join(sorted(found))}")
    # Of an answer that the capture cuts short no PDU is whole.
    expected = pdus if name != "snapped.pcap" else 5
    if summary["frames"] != frames or summary["modbus_pdus"] != expected:
        failed.append(f"{name}: {summary['frames']} frames and {summary['modbus_pdus']} PDUs, not {frames} and {expected}")
    if found != weirds.get(name, set()):
        failed.append(f"{name}: weird.log has {sorted(found)}, not {sorted(weirds.get(name, set()))}")
if failed:
    sys.exit("\n".join(failed))
print(f"{len(captures)} captures: tshark and the sensor agree")
