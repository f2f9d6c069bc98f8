#!/usr/bin/env bash
# The live lab under independent Modbus clients:
#   PYTHON=python3 bash .ci/interop/modbus.sh BINARY WORKDIR
# Starts `ordinary-day` live at the speed of the wall clock, all three controllers forwarded to free ports of 127.0.0.1,
# lets pymodbus, mbpoll, raw sockets and scapy at PLC-1 while pymodbus watches that the plant keeps running, stops it by
# SIGINT, and then asks its record: whole, the same when replayed, and the uplink a host of its own in the capture.
# Needs pymodbus 3, scapy 2, mbpoll, tshark. About a minute. The record stays in WORKDIR/live.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 work=$2 python=${PYTHON:-python3}
record=$work/live
uplink=192.168.1.250 uplink_mac=$(sed -n '/^name = "uplink"/,/^mac/s/^mac = "\(.*\)"/\1/p' "$here/../../base/site/sites/waterworks.toml")
lab='' watch=''

fail() {
    echo "modbus: $*" >&2
    if [ -s "$work/live.txt" ]; then
        echo "modbus: the lab said:" >&2
        tail -20 "$work/live.txt" >&2
    fi
    exit 1
}
gone() { # pid, seconds: waits until the process has ended
    for ((i = 0; i < $2 * 5; i++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.2
    done
    return 1
}
cleanup() {
    if [ -n "$watch" ]; then kill -KILL "$watch" 2>/dev/null || true; fi
    if [ -n "$lab" ]; then kill -KILL "$lab" 2>/dev/null || true; fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM
answers() { mbpoll -m tcp -p "$1" -a "$2" -0 -1 -q -o 1 -t 4 -r 0 -c 1 127.0.0.1 >/dev/null 2>&1; }
# tshark as root warns about it; whatever else it says matters only when it fails.
capture() { tshark -r "$record/span.pcapng" "$@" 2>"$work/tshark.txt" || fail "tshark: $(cat "$work/tshark.txt")"; }

[ -n "$uplink_mac" ] || fail "the site file names no uplink"
mkdir -p "$work"
rm -rf "$record"
ports=$("$python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(s.getsockname()[1] for s in sockets))')
read -r one two three <<<"$ports"

"$binary" run ordinary-day --live --speed 1 --out "$record" \
    --forward "$one=192.168.1.101:502" --forward "$two=192.168.1.102:502" --forward "$three=192.168.1.103:502" \
    </dev/null >"$work/live.txt" 2>&1 &
lab=$!
for ((i = 0; ; i++)); do
    kill -0 "$lab" 2>/dev/null || { lab=''; fail "the lab did not stay up"; }
    if answers "$one" 1 && answers "$two" 2 && answers "$three" 3; then break; fi
    ((i < 60)) || fail "no answer through the forwards within a minute"
    sleep 0.5
done

"$python" "$here/modbus_watch.py" 127.0.0.1 "$one" "$two" "$three" 480 >"$work/watch.txt" 2>&1 &
watch=$!
echo "pymodbus:"
timeout 90 "$python" "$here/modbus_clients.py" 127.0.0.1 "$one" || fail "pymodbus did not get what it expects from PLC-1"
echo "mbpoll:"
timeout 60 sh "$here/modbus_mbpoll.sh" 127.0.0.1 "$one" || fail "mbpoll did not get what it expects from PLC-1"
echo "malformed and boundary requests from raw sockets and scapy:"
timeout 240 "$python" "$here/modbus_boundary.py" 127.0.0.1 "$one" || fail "a boundary request was not answered as specified"
echo "pymodbus again:"
timeout 90 "$python" "$here/modbus_clients.py" 127.0.0.1 "$one" || fail "PLC-1 is not as it was before the boundary requests"
sleep 3

kill -TERM "$watch" 2>/dev/null || true
gone "$watch" 15 || fail "the watcher does not come to an end"
result=0
wait "$watch" || result=$?
watch=''
echo "the plant meanwhile:"
cat "$work/watch.txt"
[ "$result" -eq 0 ] || fail "the plant did not keep running (exit code $result)"

kill -0 "$lab" 2>/dev/null || { lab=''; fail "the lab ended by itself"; }
kill -INT "$lab"
gone "$lab" 60 || fail "the lab did not stop within a minute of SIGINT"
result=0
wait "$lab" || result=$?
lab=''
[ "$result" -eq 0 ] || fail "the lab ended with exit code $result after SIGINT"
cat "$work/live.txt"

echo "the record:"
timeout 60 "$binary" verify "$record" || fail "the live record is not whole"
timeout 300 "$binary" replay "$record" || fail "the live record does not replay to the same octets"
awk -F, 'NR == 1 { next } NR > 2 && $1 != last + 1 { print "process.csv jumps from " last " s to " $1 " s"; bad = 1 } { last = $1 } END { exit bad || NR < 30 }' \
    "$record/process.csv" || fail "process.csv does not go on second by second"

hosts=$(capture -Y "ip.addr == $uplink" -T fields -e ip.src -e eth.src -e ip.dst | sort -u)
from() { awk -v a="$uplink" -v m="$uplink_mac" -v b="$1" '$1 == a && $2 == m && $3 == b { found = 1 } END { exit !found }' <<<"$hosts"; }
for plc in 101 102 103; do
    from "192.168.1.$plc" || fail "the capture shows no $uplink ($uplink_mac) that talks to 192.168.1.$plc"
done
others=$(capture -Y "(ip.src == $uplink && eth.src != $uplink_mac) || (eth.src == $uplink_mac && ip && ip.src != $uplink)" -T fields -e frame.number | head -5)
[ -z "$others" ] || fail "address and MAC of the uplink are not one host's, see frames" $others
echo "the uplink is $uplink at $uplink_mac, a host of its own"

flags=$(capture -Y "tcp.analysis.flags")
[ -z "$flags" ] || fail "TCP analysis flags in the live capture:"$'\n'"$(head -20 <<<"$flags")"
malformed=$(capture -Y "_ws.malformed && ip.src != $uplink")
[ -z "$malformed" ] || fail "malformed packets of a host of the lab:"$'\n'"$(head -20 <<<"$malformed")"
# The operator station polls PLC-1 each second; listen-only mode and the restarts of the table cost it a poll or two.
gap=$(capture -Y "mbtcp && ip.src == 192.168.1.101 && ip.dst == 192.168.1.20" -T fields -e frame.time_relative |
    awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { if (NR < 20) gap = 999; printf "%.3f\n", gap }')
awk -v gap="$gap" 'BEGIN { exit !(gap < 4) }' || fail "PLC-1 left the operator station without an answer for $gap s"
echo "PLC-1 never left the operator station without an answer for longer than $gap s"
