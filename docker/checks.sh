# What analysts try from their places, word for word; sourced by docker/test.sh and .ci/interop/uplink.sh, which bring a lab up and define
#   on PLACE COMMAND...   runs a command as analyst, attacker (10.0.4.66) or engineer (192.168.1.240)
#   fail TEXT             ends with an error
#   $PY                   Python with scapy, pymodbus and requests, there
# shellcheck shell=bash

shown() { # place, command: prints it as a person would see it, and keeps what it said in $said
    printf '\n%s$ %s\n' "$1" "${*:2}"
    said=$(on "$@" 2>&1) || { printf '%s\n' "$said"; fail "this failed: ${*:2}"; }
    printf '%s\n' "$said" | head -"${LINES_SHOWN:-14}"
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

# The firewall between the enterprise and the plant: nothing but the historian's port, and that for one address.
check_denied() {
    LINES_SHOWN=8 shown attacker nmap -sS -Pn -n -p 502,102,443 --host-timeout 20s 192.168.1.101
    says_not '/tcp +open'
}

all_checks() {
    check_neighbours
    check_mirror
    check_discover
    check_scapy
    check_offload
    check_denied
}

# compose.yaml: real clients by port forwards of this machine's loopback.
check_forwards() {
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        mbpoll -m tcp -p 5020 -a 1 -0 -1 -q -t 4 -r 40 -c 1 127.0.0.1 >/dev/null 2>&1 && break
        sleep 0.3
    done
    mbpoll -m tcp -p 5020 -a 1 -0 -1 -q -t 4 -r 40 -c 1 127.0.0.1 | grep '^\[40\]' || fail "no answer through the forward"
}
