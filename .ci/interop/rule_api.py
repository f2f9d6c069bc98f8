"""What a playbook does at the rule interface, with Python's requests: rule_api.py URL ZONE=KEY...

Adds a deny rule for twelve hours, sees it in force, waits until the lab's clock is past it, and sees it gone. Prints what was
asked and answered."""
import sys
import time

import requests

url = sys.argv[1]
keys = dict(word.split("=", 1) for word in sys.argv[2:])


def ask(method, path, status, zone="control", **more):
    answer = requests.request(method, url + path, headers={"Authorization": f"Bearer {keys[zone]}"}, timeout=20, **more)
    assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}, expected {status}"
    return answer.json()


RULE = {
    "name": "no-writes-from-enterprise",
    "source": "zone:enterprise",
    "destination": "192.168.1.101",
    "action": "deny",
    "modbus": {"functions": [5, 6, 15, 16], "addresses": ["0-99"]},
    "duration": "12h",
    "comment": "case 7: containment",
}
added = ask("POST", "/api/v1/rules", 201, json=RULE)
print("added", added)
assert ask("GET", "/api/v1/rules", 200)["rules"][0]["id"] == added["id"], "it is not in front"
assert ask("POST", "/api/v1/rules", 409, json=RULE)
assert ask("DELETE", f"/api/v1/rules/{added['id']}", 403, zone="dmz")
print("sessions", len(ask("GET", "/api/v1/sessions", 200)["sessions"]))
print("asset", ask("GET", "/api/v1/assets/plc-1", 200))
print("ticket", ask("POST", "/api/v1/tickets", 201, json={"title": "Odd writes", "severity": "high", "assets": ["plc-1"]}))
begun = time.monotonic()
while True:
    answer = requests.get(f"{url}/api/v1/rules/{added['id']}", headers={"X-API-Key": keys["control"]}, timeout=20)
    if answer.status_code == 404:
        break
    assert answer.status_code == 200, answer.text
    assert time.monotonic() - begun < 300, "the rule did not expire"
    time.sleep(0.5)
print(f"a rule for 12 h was gone after {time.monotonic() - begun:.0f} s here: {answer.json()}")
