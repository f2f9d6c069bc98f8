"""Many live labs at once, each with its scenario, its sensor and one browser stream: do they keep real time, in how much memory?

usage: labs.py FIELDRANGE [LABS [SECONDS]]
Starts one console, LABS teams (25) with an observer each, `oldsmar` for all of them from the same seed, and one stream per team.
After SECONDS (60) it prints, for each lab, the lateness within which 99 % of its events were delivered, and the memory of the
program. Exits with 1 where a lab is later than 50 ms or the memory is above 1.5 GB.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

fieldrange = sys.argv[1]
labs = int(sys.argv[2]) if len(sys.argv) > 2 else 25
seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 60
data = tempfile.mkdtemp(prefix="labs-")
program = subprocess.Popen([fieldrange, "--empty", "--port", "0", "--data", data], stdout=subprocess.PIPE, text=True, bufsize=1)
link = address = ""
for line in program.stdout:
    if found := re.search(r"console on (\S+)", line):
        address = found[1]
    if found := re.match(r"facilitate\s+http://[^/]+(\S+)", line):
        link = found[1]
    if line.startswith("Each link"):
        break


def ask(path: str, session: str = "", content=None):
    request = urllib.request.Request(address + path, data=None if content is None else json.dumps(content).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Accept", "application/json")
    if session:
        request.add_header("Authorization", f"Bearer {session}")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


events = [0] * labs


def watch(number: int, team: int, session: str):
    request = urllib.request.Request(f"{address}/team/{team}/stream")
    request.add_header("Authorization", f"Bearer {session}")
    try:
        with urllib.request.urlopen(request, timeout=120) as stream:
            for line in stream:
                events[number] += line.startswith(b"data:")
    except OSError:
        pass


facilitator = ask(link, content={})["session"]
seats = []
for number in range(labs):
    team = ask("/facilitator/team", facilitator, {"name": f"Team {number + 1}"})["id"]
    seat = ask("/facilitator/seat", facilitator, {"name": f"Observer {number + 1}", "role": "observer", "team": team})
    seats.append((team, ask(seat["link"], content={})["session"]))
ask("/facilitator/start", facilitator, {"scenario": "oldsmar", "seed": 1})
for number, (team, session) in enumerate(seats):
    threading.Thread(target=watch, args=(number, team, session), daemon=True).start()
time.sleep(seconds)
teams = ask("/facilitator/state", facilitator)["teams"]
status = open(f"/proc/{program.pid}/status").read()
memory_mb = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
late = [team["lag_p99_ms"] for team in teams]
virtual = [team["t"] for team in teams]
ask("/facilitator/all", facilitator, {"time": "end"})
program.send_signal(signal.SIGKILL)
worst = max(1e9 if value is None else value for value in late)
print(f"{labs} labs, {seconds} s: 99 % of events within {worst:.0f} ms in the slowest lab, {sorted(1e9 if v is None else v for v in late)[labs // 2]:.0f} ms in the middle one")
print(f"plant time {min(virtual):.0f} to {max(virtual):.0f} s; events of a stream {min(events)} to {max(events)}; memory at most {memory_mb:.0f} MB in all")
sys.exit(0 if worst <= 50 and memory_mb <= 1536 else 1)
