"""The console's own lab on real networks: the same uplinks, what the facilitator is shown of them, and the keys.

usage: uplink_console.py FIELDRANGE DATA ENGINEER
To be run in the lab's network namespace of uplink.sh; ENGINEER is the namespace of a client in the control zone.
"""

import json
import subprocess
import sys
import urllib.request

from console_client import Console, told

fieldrange, data, engineer = sys.argv[1:]


def read_register() -> bool:
    """Whether a client on the real network is answered by a controller of the lab."""
    asks = ["mbpoll", "-m", "tcp", "-a", "1", "-0", "-1", "-q", "-o", "2", "-t", "4", "-r", "40", "-c", "1", "192.168.1.101"]
    return subprocess.run(["ip", "netns", "exec", engineer, *asks], stdout=subprocess.DEVNULL, timeout=30).returncode == 0


console = Console(fieldrange, data, "--scenario", "ordinary-day", "--attach", "ctl0=control", "--mirror-to", "172.31.42.3", "--forward", "18080=10.0.1.1:80")
facilitator = console.sit(console.links["facilitate"])
assert read_register(), "no answer from the console's lab"
shown = told(console.ask("/facilitator/ways-in/1", facilitator))
print("\n".join(shown["ways_in"]))
assert any(line.startswith("uplink ctl0 <-> zone control") for line in shown["ways_in"]), shown
assert not any(key in console.said for key in shown["keys"].values()), "a key stands on the console's terminal"
asked = urllib.request.Request("http://127.0.0.1:18080/api/v1/rules", headers={"Authorization": f"Bearer {shown['keys']['soc']}"})
with urllib.request.urlopen(asked, timeout=10) as answer:
    assert json.load(answer), "the rule interface does not know the key"

# Its next run gets the same ways in; without one there are none.
told(console.ask("/team/1/time", facilitator, "end"))
for _ in range(600):
    state = told(console.ask("/facilitator/state", facilitator))["teams"][0]
    if state["phase"] == "sealed":
        break
    subprocess.run(["sleep", "0.2"], check=True)
assert not told(console.ask("/facilitator/ways-in/1", facilitator))["ways_in"], "ways in to a run that is over"
assert not read_register(), "a controller of a run that is over answers"
told(console.ask("/facilitator/start", facilitator, {"scenario": "ordinary-day", "team": 1}))
assert read_register(), "no answer from the lab that came after"
console.program.kill()
console.program.wait()
print("the console's own lab: uplink, mirror, forward and keys, in two runs")
