# What analysts try from their places, word for word; sourced by docker/test.sh and .ci/interop/uplink.sh, which bring a lab up and define
#   on PLACE COMMAND...   runs a command as analyst, attacker (10.0.4.66) or engineer (192.168.1.240)
#   fail TEXT             ends with an error
#   $PY                   Python with scapy, pymodbus and requests, there
#   $KEY                  key of zone `control` at the firewall's rule interface
# shellcheck shell=bash

shown() { # place, command: prints it as a person would see it, and keeps what it said in $said
    printf '\n%s$ %s\n' "$1" "${*:2}"
    said=$(on "$@" 2>&1) || { printf '%s\n' "$said"; fail "this failed: ${*:2}"; }
    printf '%s\n' "$said" | grep -v 'Running as user\|Capturing on\|Capture started\|-- File:' | head -"${LINES_SHOWN:-14}"
}
# A scan of a whole network: of what it said, the hosts with an open port and the last line.
scan() {
    printf '\nattacker$ nmap %s\n' "$*"
    said=$(on attacker timeout 200 nmap "$@" 2>&1) || { printf '%s\n' "$said"; fail "this failed: nmap $*"; }
    awk -v RS= -v ORS='\n\n' '/open/' <<<"$said"
    grep '^Nmap done' <<<"$said" || true
}
says() { grep -qE -- "$1" <<<"$said" || fail "it did not say: $1"; }
says_not() { ! grep -qE -- "$1" <<<"$said" || fail "it said: $1"; }

# Neighbours: every controller is a host of its own, and the firewall the gateway.
check_neighbours() {
    shown engineer ping -c 2 -i 0.2 192.168.1.101
    says ' 0% packet loss'
    shown engineer ping -c 2 -i 0.2 192.168.1.1
    says ' 0% packet loss'
    shown engineer ip neighbour show dev eth0
    says '192.168.1.101 .*00:80:f4:51:01:65'
    says '192.168.1.1 .*00:90:0b:10:01:05'
}

# The mirror port at the analyst's eth1.
check_mirror() {
    shown analyst timeout 20 tshark -i eth1 -c 40 -Y "tcp.port == 502 or tcp.port == 20000" -T fields -e ip.src -e ip.dst -e frame.protocols
    says '192.168.1.20.192.168.1.101.eth:ethertype:ip:tcp:mbtcp:modbus'
    says '192.168.1.101.192.168.1.20.eth:ethertype:ip:tcp:mbtcp:modbus'
}

check_discover() {
    shown engineer nmap --script modbus-discover -p 502 192.168.1.101
    says '502/tcp open +modbus'
    says 'sid 0x1'
    says 'Device identification:'
}

# A write made by hand: function 6, register 40 (the caustic soda setpoint), value 101.
check_scapy() {
    shown engineer "$PY" -c '
from scapy.all import *
from scapy.contrib.modbus import *
import socket
s = socket.create_connection(("192.168.1.101", 502), 5)
request = ModbusADURequest(transId=7, unitId=1) / ModbusPDU06WriteSingleRegisterRequest(registerAddr=40, registerValue=101)
s.sendall(bytes(request))
answer = ModbusADUResponse(s.recv(260))
print(answer.summary(), answer.funcCode, answer.registerAddr, answer.registerValue)
assert (answer.funcCode, answer.registerAddr, answer.registerValue) == (6, 40, 101)'
    says ' 6 40 101$'
}

# 600 requests in one call: the sender's kernel hands its card one segment of 7200 octets with an unfinished checksum.
check_offload() {
    shown engineer "$PY" -c '
import socket
s = socket.create_connection(("192.168.1.101", 502), 5)
s.settimeout(10)
s.sendall(b"".join(n.to_bytes(2, "big") + bytes([0, 0, 0, 6, 1, 3, 0, 40, 0, 1]) for n in range(600)))
answers, waiting = [], b""
while len(answers) < 600:
    waiting += s.recv(65536)
    while len(waiting) >= 6 and len(waiting) >= 6 + int.from_bytes(waiting[4:6], "big"):
        length = 6 + int.from_bytes(waiting[4:6], "big")
        answers.append(int.from_bytes(waiting[:2], "big"))
        waiting = waiting[length:]
assert answers == list(range(600))
print("600 requests in one call, 600 answers in order")'
    says '^600 requests'
}

# Writes a rule through the firewall's interface at 10.0.1.1, from the analyst's place; prints status and what was said.
rule() { # method, path, JSON
    printf '\nanalyst$ python: requests.request("%s", "http://10.0.1.1/api/v1/%s", headers={"Authorization": "Bearer KEY"}%s)\n' \
        "$1" "$2" "${3:+, json=$3}"
    said=$(on analyst "$PY" -c '
import json, requests, sys
method, path, body = sys.argv[1:4]
answer = requests.request(method, "http://10.0.1.1/api/v1/" + path, headers={"Authorization": "Bearer " + sys.argv[4]},
                          json=json.loads(body) if body else None, timeout=20)
print(answer.status_code, answer.text)' "$1" "$2" "${3:-}" "$KEY" 2>&1) || fail "this failed: $1 $2: $said"
    printf '%s\n' "$said" | head -5
}
rule_id() { sed -n 's/.*"id":\([0-9]*\).*/\1/p' <<<"$said" | head -1; }

# The enterprise sees the plant while a flat rule lets it, and nothing after the allow-list alone is left: the site's own
# rules, of which one lets 10.0.4.10, and nobody else, to the historian's port 1433.
check_allow_list() {
    local flat
    rule POST rules '{"name": "flat", "source": "zone:enterprise", "destination": "zone:control", "action": "allow", "comment": "before the allow-list"}'
    says '^201 '
    flat=$(rule_id)
    scan -sS -Pn -p 502,102,443 192.168.1.0/24 --script banner
    says '502/tcp open'
    [ "$(grep -c '502/tcp open' <<<"$said")" = 3 ] || fail "three controllers listen on 502"
    # pymodbus polls through the firewall.
    shown attacker "$PY" -c '
import time
from pymodbus.client import ModbusTcpClient
client = ModbusTcpClient("192.168.1.101")
assert client.connect()
for poll in range(5):
    try:
        answer = client.read_holding_registers(40, count=1, slave=1)
    except TypeError:
        answer = client.read_holding_registers(40, count=1, device_id=1)
    assert not answer.isError(), answer
    print("poll", poll, "NAOH.SP", answer.registers[0])
    time.sleep(0.2)
client.close()'
    says 'poll 4 NAOH.SP [0-9]+'
    rule DELETE "rules/$flat"
    says '^200 '
    scan -sS -Pn -p 502,102,443 "${AFTER:-192.168.1.0/24}" --script banner
    says_not '/tcp +open'
    says 'IP addresses? '
}

# A SYN from 10.0.4.10 reaches port 1433: the answer crosses the mirror, on its way to the virtual historian that has that
# address. From the attacker's own address it does not.
check_probe_1433() {
    local heard=${TMPDIR:-/tmp}/probe.$$ watch
    printf '\nattacker$ python: sendp(Ether(dst=getmacbyip("10.0.4.1")) / IP(src="10.0.4.10", dst="192.168.1.10") / TCP(sport=51433, dport=1433, flags="S"))\n'
    printf 'analyst$ tshark -i eth1 -Y "tcp.port == 51433" -T fields -e ip.src -e tcp.srcport -e ip.dst -e tcp.dstport -e tcp.flags.str\n'
    on analyst timeout 60 tshark -i eth1 -l -a duration:25 -Y 'tcp.port == 51433' \
        -T fields -e ip.src -e tcp.srcport -e ip.dst -e tcp.dstport -e tcp.flags.str >"$heard" 2>"$heard.err" &
    watch=$!
    for _ in $(seq 50); do
        grep -q 'Capture started' "$heard.err" && break
        sleep 0.2
    done
    on attacker "$PY" -c '
from scapy.all import *
gateway = getmacbyip("10.0.4.1")
sendp(Ether(dst=gateway) / IP(src="10.0.4.10", dst="192.168.1.10") / TCP(sport=51433, dport=1433, flags="S"), iface="eth0", verbose=False)' ||
        fail "scapy could not send"
    wait "$watch" || true
    said=$(cat "$heard")
    rm -f "$heard" "$heard.err"
    printf '%s\n' "$said" | head -4
    says '192.168.1.10.1433.10.0.4.10.51433.*A..S'
    LINES_SHOWN=8 shown attacker nmap -sS -Pn -n --max-retries 1 -p 1433 192.168.1.10
    says '1433/tcp filtered'
}

# A rule for 24 hours, which the virtual clock ends. `say` tells the lab its speed.
check_expiry() {
    local id
    rule POST rules '{"name": "contain", "source": "10.0.4.10", "destination": "192.168.1.10", "action": "deny", "duration": "24h", "comment": "case 7"}'
    says '^201 .*"expires"'
    id=$(rule_id)
    rule GET "rules/$id"
    says '^200 '
    printf '\nlab: speed 1000\n'
    # 87 s where the machine keeps that speed; a slower one is waited for.
    local round
    for ((round = 0; round < 24; round++)); do
        say "speed 1000"
        sleep 18
        say "speed 1"
        sleep 0.5
        rule GET "rules/$id" >/dev/null
        if grep -q '^404 ' <<<"$said"; then break; fi
    done
    rule GET "rules/$id"
    says '^404 '
}

all_checks() {
    check_neighbours
    check_mirror
    check_discover
    check_scapy
    check_offload
    check_allow_list
    check_probe_1433
}

# compose.yaml: real clients by port forwards of this machine's loopback.
check_forwards() {
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        "${MBPOLL:-mbpoll}" -m tcp -p 5020 -a 1 -0 -1 -q -t 4 -r 40 -c 1 127.0.0.1 >/dev/null 2>&1 && break
        sleep 0.3
    done
    "${MBPOLL:-mbpoll}" -m tcp -p 5020 -a 1 -0 -1 -q -t 4 -r 40 -c 1 127.0.0.1 | grep '^\[40\]' || fail "no answer through the forward"
}
