"""What the console's door refuses, and what is left when the program is killed in the middle of a run.

usage: console_door.py FIELDRANGE
Every route is asked with every role, of the own team and of another; then strange requests; then kill -9 and a new start.
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from console_client import Console, told

fieldrange = sys.argv[1]
wrong: list[str] = []


def expect(what: str, is_so: bool):
    if not is_so:
        wrong.append(what)
        print(f"WRONG: {what}")


data = tempfile.mkdtemp(prefix="console-door-")
console = Console(fieldrange, data, "--seed", "1", "--speed", "5")
solo = console.sit(console.links["play"])
facilitator = console.sit(console.links["facilitate"])
status, _ = console.ask(console.links["play"], content={}, headers={"Accept": "application/json"})
expect("a link opens its seat once", status == 410)

# ---- every route, every role, own team and another
other = told(console.ask("/facilitator/team", facilitator, {"name": "Other"}))["id"]
told(console.ask("/facilitator/start", facilitator, {"scenario": "first-shift", "team": other, "paused": True}))
sessions = {"solo": solo}
for role in ["operator", "analyst", "observer"]:
    sessions[role] = console.sit(told(console.ask("/facilitator/seat", facilitator, {"name": role, "role": role, "team": 1}))["link"])
reads = ["plant", "network", "analyst", "score", "report.html", "stream", "trend/AIT-202", "messages", "network.json", "logs", "logs/modbus", "frames/1", "calls", "span.pcapng", "span.pcap", "files/events.jsonl"]
call = {"interval": [1, 2], "entities": ["PLC-1"], "verdict": "fault", "confidence": "low"}
writes = {"act": {"command": "write NAOH.SP 100"}, "time": "pause", "calls": call}
asked = 0
for role, session in sessions.items():
    for path in reads:
        status, _ = console.ask(f"/team/{other}/{path}", session)
        expect(f"{role} reads {path} of another team: {status}", status == 403)
        status, _ = console.ask(f"/team/1/{path}")
        expect(f"nobody reads {path}: {status}", status == 401)
        status, _ = console.ask(f"/team/1/{path}", session)
        expect(f"{role} reads {path} of the own team: {status}", status in (200, 403, 404, 409, 425) and status < 500)
        asked += 3
    for path, content in writes.items():
        status, _ = console.ask(f"/team/{other}/{path}", session, content)
        expect(f"{role} writes {path} of another team: {status}", status == 403)
        asked += 1
    for path, content in [("start", {"scenario": "first-shift"}), ("team", {"name": "x"}), ("seat", {"name": "x", "role": "facilitator"}), ("link", {"seat": 1}), ("all", "stop"), ("say", {"kind": "message", "text": "x"}), ("shows", {"class": 1, "shows": "findings", "scores_hidden": False}), ("override", {"team": 1, "call": 1, "points": 1, "reason": "x"}), ("fork", {"team": 1}), ("inject", {"inject": 1, "what": "drop"}), ("ways-in/1", None)]:
        status, _ = console.ask(f"/facilitator/{path}", session, content)
        expect(f"{role} does {path}: {status}", status == 403)
        asked += 1
    for path in ["", "/state"]:
        expect(f"{role} looks at the facilitator's page", console.ask(f"/facilitator{path}", session)[0] == 403)
for role, may in [("operator", True), ("analyst", False), ("observer", False), ("solo", True)]:
    status, _ = console.ask("/team/1/act", sessions[role], {"command": "write NAOH.SP 100"})
    expect(f"{role} writes a setpoint: {status}", (status == 200) == may)
for role, may in [("operator", False), ("analyst", True), ("observer", False)]:
    status, _ = console.ask("/team/1/calls", sessions[role], call)
    expect(f"{role} makes a call: {status}", (status == 200) == may)
print(f"{asked} requests of the wrong team or role: every one refused as it should be, or named above")

# ---- strange requests
for path in ["/team/1/files/../../console.sqlite", "/team/1/files/%2e%2e/%2e%2e/console.sqlite", "/team/1/files//etc/passwd", "/team/1/logs/..%2f..%2frun", "/team/1/logs/%00", "/team/99999999999999999999/plant", "/team/-1/plant", "/team/1/frames/@1e9", "/team/1/frames/-1", "/team/1/trend/%0d%0aSet-Cookie:x", "/assets/..%2fmod.rs", "/enter/%0d%0a"]:
    status, text = console.ask(path, facilitator)
    expect(f"{path}: {status}", 400 <= status < 500 and "SQLite" not in text and "root:" not in text)
for content in [b"{", b"[]", b"null", b'"\xff"', b"{}" + b" " * 10, b'{"command":1}', b'{"command":"write NAOH.SP 1","more":1}', json.dumps({"command": "x" * 5000}).encode(), json.dumps({"command": "write NAOH.SP NaN"}).encode(), json.dumps({"command": "write NAOH.SP 1\r\nX: y"}).encode()]:
    status, _ = console.ask("/team/1/act", solo, content)
    expect(f"act {content[:40]!r}: {status}", 400 <= status < 500)
status, _ = console.ask("/team/1/act", solo, b"x" * (1 << 20))
expect(f"a body of 1 MiB: {status}", status == 413)
for heads in [{"Host": "evil.example"}, {"Host": "127.0.0.1:1"}]:
    status, _ = console.ask("/", None, headers=heads)
    expect(f"{heads}: {status}", status == 421)
cookie = {"Cookie": f"fieldrange_seat={solo}"}
expect("a cookie without an origin changes nothing", console.ask("/team/1/act", None, {"command": "write NAOH.SP 90"}, cookie)[0] == 403)
expect("nor with another's", console.ask("/team/1/act", None, {"command": "write NAOH.SP 90"}, cookie | {"Origin": "http://evil.example"})[0] == 403)
expect("with its own it does", console.ask("/team/1/act", None, {"command": "write NAOH.SP 100"}, cookie | {"Origin": f"http://{console.host}"})[0] == 200)
for octets in [b"\x00" * 64, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: " + b"a" * 100_000 + b"\r\n\r\n", b"GET /team/1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"]:
    answer = console.raw(octets)
    expect(f"{octets[:30]!r} gets {answer[:20]!r}", not answer or answer.split(b" ")[1][:1] == b"4")
slow = [socket.create_connection((console.host.split(":")[0], int(console.host.split(":")[1]))) for _ in range(200)]
for connection in slow:
    connection.sendall(b"GET / HTTP/1.1\r\n")
expect("two hundred slow clients keep nobody out", console.ask("/health")[0] == 200)
slow[0].settimeout(20)
try:
    expect("a head that does not end is cut off", slow[0].recv(1) in (b"", b"H"))
except ConnectionError:
    pass
except TimeoutError:
    expect("a head that does not end is cut off", False)
for connection in slow:
    connection.close()
print("strange requests: refused, nothing leaked, nobody kept out")

# ---- killed in the middle
made = told(console.ask("/team/1/calls", solo, call))["number"]
said = told(console.ask("/team/1/act", solo, {"command": "write NAOH.SP 101"}))
console.program.send_signal(signal.SIGKILL)
console.program.wait()
again = Console(fieldrange, data)
expect("the new start tells of the cut run", "whole up to" in again.said)
calls = told(again.ask("/team/1/calls", solo))
expect("the session still opens its seat, and the calls are there", [line["id"] for line in calls][-1] == made)
record = Path(data) / "first-shift-1-team-1"
manifest = json.loads((record / "run.json").read_text())
expect("its record says that it was cut off", "ended from outside" in manifest.get("ended_early", ""))
actions = [line for line in (record / "outside.jsonl").read_text().splitlines() if "write NAOH.SP 101" in line]
expect("what was acknowledged is in its record", len(actions) == 1)
for name in ["events.jsonl", "span.pcapng"]:
    cut = (record.with_suffix(".cut") / name).read_bytes()
    whole = (record / name).read_bytes()
    same = min(len(cut), len(whole))
    expect(f"{name} is the same as far as it had come", cut[:same] == whole[:same] and same > 1000)
expect("it verifies", subprocess.run([fieldrange, "verify", record], capture_output=True).returncode == 0)
facilitator = again.sit(again.links["facilitate"])
told(again.ask("/facilitator/fork", facilitator, {"team": 1}))
told(again.ask("/team/1/time", solo, {"step": 30}))
time.sleep(1)
told(again.ask("/team/1/time", solo, "end"))
for _ in range(240):
    state = told(again.ask("/facilitator/state", facilitator))["teams"][0]
    if state["phase"] in ("sealed", "failed"):
        break
    time.sleep(0.5)
expect(f"the run goes on and is sealed: {state['phase']} {state['reason']}", state["phase"] == "sealed")
expect("the whole of it replays", subprocess.run([fieldrange, "replay", state["record"]], capture_output=True).returncode == 0)
again.program.send_signal(signal.SIGINT)
again.program.communicate(timeout=120)
print("killed in the middle: classes, teams, seats, calls and actions are there, the record is whole, and the run went on")

# ---- a disk that fills up
disk = tempfile.mkdtemp(prefix="console-disk-")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode != 0:
    print("SKIPPED: a full disk was NOT tried: no small file system can be mounted here")
else:
    try:
        console = Console(fieldrange, f"{disk}/runs", "--speed", "10")
        facilitator = console.sit(console.links["facilitate"])

        def ended() -> dict:
            for _ in range(240):
                state = told(console.ask("/facilitator/state", facilitator))["teams"][0]
                if state["phase"] in ("sealed", "failed"):
                    break
                time.sleep(0.5)
            return state

        time.sleep(1)
        told(console.ask("/team/1/time", facilitator, "end"))
        earlier = ended()["record"]
        told(console.ask("/facilitator/start", facilitator, {"scenario": "ordinary-day", "team": 1, "pace": 10}))
        told(console.ask("/team/1/time", facilitator, {"step": 7200}))
        state = ended()
        print(f"a full disk: {state['phase']} at {state['clock']}: {state['reason']}")
        expect("a run on a full disk ends and says why", state["phase"] == "failed" and "could not be written" in (state["reason"] or "") and "free some space" in state["reason"])
        expect("the record before it is whole", subprocess.run([fieldrange, "verify", earlier], capture_output=True).returncode == 0)
        status, text = console.ask("/facilitator/team", facilitator, {"name": "y" * 50})
        expect(f"the console still answers: {status} {text}", status in (200, 500))
        console.program.send_signal(signal.SIGINT)
        console.program.communicate(timeout=120)
        # Room again: what was there is there, and the run that failed is made whole as far as it reached the disk.
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        again = Console(fieldrange, f"{disk}/runs")
        facilitator = again.sit(again.links["facilitate"])
        expect("the team is there again", told(again.ask("/facilitator/state", facilitator))["teams"][0]["name"] == "Team 1")
        again.program.send_signal(signal.SIGINT)
        again.program.communicate(timeout=120)
    finally:
        subprocess.run(["umount", "-l", disk], capture_output=True)
print(f"{len(wrong)} wrong")
sys.exit(1 if wrong else 0)
