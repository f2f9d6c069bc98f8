#!/usr/bin/env python3
"""Seeds for the fuzz targets from captures, in the form that each target cuts its input into:

    python3 sensor/fuzz/seeds.py CAPTURE... 

Reads classic pcap files (Ethernet or loopback, IPv4), writes into `corpus/` of this folder, of `base/wire/fuzz` and of `plcs/fuzz`. A seed is one
conversation's payloads, so that the fuzzer begins with whole ADUs and frames and right checksums. Bounded: at most
120 files per target, 4,096 octets each. Standard library only.
"""
import hashlib
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
WIRE = HERE.parent.parent / "base" / "wire" / "fuzz"
PLCS = HERE.parent.parent / "plcs" / "fuzz"
FILES_MAX, OCTETS_MAX = 120, 4096
PORTS = {502: 0, 20000: 1, 44818: 2}
written = {}


def write(folder, target, octets):
    if not octets or written.get(target, 0) >= FILES_MAX:
        return
    directory = folder / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    octets = octets[:OCTETS_MAX]
    path = directory / hashlib.sha256(octets).hexdigest()[:16]
    if not path.exists():
        path.write_bytes(octets)
        written[target] = written.get(target, 0) + 1


def packets(path):
    """(source, destination, source port, destination port, is TCP, payload) of a classic pcap."""
    octets = path.read_bytes()
    if len(octets) < 24 or octets[:4] not in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"):
        return
    order = "<" if octets[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    link = struct.unpack(order + "I", octets[20:24])[0]
    if link not in (0, 1):
        return
    at = 24
    while at + 16 <= len(octets):
        length = struct.unpack(order + "I", octets[at + 8 : at + 12])[0]
        frame = octets[at + 16 : at + 16 + length]
        at += 16 + length
        if link == 0:
            frame = bytes(12) + b"\x08\x00" + frame[4:]
        if frame[12:14] != b"\x08\x00" or len(frame) < 34 or frame[23] not in (6, 17):
            continue
        head = 14 + 4 * (frame[14] & 15)
        end = 14 + struct.unpack(">H", frame[16:18])[0]
        if len(frame) < head + 8:
            continue
        ports = struct.unpack(">HH", frame[head : head + 4])
        is_tcp = frame[23] == 6
        start = head + (4 * (frame[head + 12] >> 4) if is_tcp and len(frame) > head + 12 else 8)
        yield frame[26:30], frame[30:34], *ports, is_tcp, frame[start:end]


def conversations(path):
    """Payloads by connection, in order: (service's port, is TCP, [(to the server, payload)])."""
    all_of = {}
    for source, target, sport, dport, is_tcp, payload in packets(path):
        if not payload:
            continue
        to_server = dport in PORTS or (sport not in PORTS and dport < sport)
        key = (source, target, sport, dport) if to_server else (target, source, dport, sport)
        entry = all_of.setdefault((key, is_tcp), (key[3], is_tcp, []))
        if len(entry[2]) < 12:
            entry[2].append((to_server, payload))
    return list(all_of.values())[:8]


def fragments_of(payload):
    """Application fragments in DNP3 frames, those of one segment, without looking at checksums."""
    while len(payload) >= 10 and payload[:2] == b"\x05\x64":
        left, at, data = payload[2] - 5, 10, b""
        while left > 0:
            data += payload[at : at + min(left, 16)]
            at += min(left, 16) + 2
            left -= 16
        if len(data) > 2 and data[0] & 0xC0 == 0xC0:
            yield data[1:]
        payload = payload[at:]


def main():
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        if not path.is_file():
            continue
        if path.stat().st_size <= OCTETS_MAX:
            write(HERE, "capture", path.read_bytes())
        if path.stat().st_size > 20_000_000:
            continue
        for port, is_tcp, payloads in conversations(path):
            frames, fragments, asked = b"", b"", b""
            for to_server, payload in payloads:
                piece = payload[:511]
                choice = 1 | (0 if to_server else 2) | (0 if is_tcp else 8) | PORTS.get(port, 3) << 4
                frames += struct.pack(">BH", choice, len(piece)) + piece
                for cut in range(0, min(len(payload), 96), 48):
                    part = payload[cut : cut + 48]
                    more = cut + 48 < min(len(payload), 96)
                    fragments += struct.pack(">BHBBB", 4, cut, len(part), int(more), 0) + part
                if port == 502 and is_tcp:
                    write(WIRE, "framing", payload)
                    write(WIRE, "packet", payload[7:])
                    write(WIRE, "request" if to_server else "response", payload[7:])
                if port == 20000:
                    write(WIRE, "dnp3", payload)
                    if to_server:
                        for fragment in fragments_of(payload):
                            # As it stands; points change; time passes: events of the target `outstation`.
                            asked += bytes([5, min(len(fragment), 255)]) + fragment[:255] + b"\x09\x01\x07\x00\x0b\x50"
            if asked:
                write(PLCS, "outstation", b"\x00" + asked)
            write(HERE, "frames", frames)
            write(HERE, "fragments", fragments)
            for to_server in (True, False):
                one_way = b"".join(payload for way, payload in payloads if way == to_server)
                if one_way and port in (502, 20000):
                    write(HERE, "stream", bytes([int(port == 20000), 40, 4, 3, 1, 2, 0]) + one_way)
    for text in FILTERS:
        write(HERE, "filter", text.encode())
    for target in sorted(written):
        print(f"{target}: {written[target]} seeds")


LOG = "#separator \\x09\n#path\tmodbus\n#fields\tts\tid.orig_h\tunit\tfunc\n#types\ttime\taddr\tcount\tstring\n1.5\t10.0.0.1\t3\tREAD_COILS\n"
FILTERS = [
    'modbus.func == "READ_COILS"\n' + LOG,
    "id.orig_h in 10.0.0.0/8 and unit > 2\n" + LOG,
    'not (func contains "READ" or unit == 3)\n{"unit":3,"func":"READ_COILS","id.orig_h":"10.0.0.1"}',
    'func matches "^READ_" and unit in {1, 2, 3}\n' + LOG,
    'ts >= 1.0 and id.orig_h == fe80::1\n{"ts":1.5,"id.orig_h":"fe80::1"}',
]

if __name__ == "__main__":
    main()
