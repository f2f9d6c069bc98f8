#!/usr/bin/env bash
# The power system, live, under other people's masters and clients:
#   PYTHON=python3 bash .ci/interop/power_live.sh BINARY WORKDIR
# Starts `switching-order` live, with RTU-7 (DNP3) and the generation controller (Modbus) forwarded to free ports of
# 127.0.0.1. yadnp3 opens the breakers of the lines at bus 7, so that unit G2 is cut off; pymodbus reads the frequency of unit
# G1 from the generation controller before and after, and yadnp3 reads that load shedding acted. Then the lab is stopped by
# SIGINT, its record verified and replayed, and its DNP3 read by tshark. PYTHON needs yadnp3 and
# pymodbus 3. Below a minute. The record stays in WORKDIR/power.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 work=$2 python=${PYTHON:-python3}
record=$work/power
lab=''
fail() {
    echo "power: $*" >&2
    if [ -s "$work/power.txt" ]; then tail -20 "$work/power.txt" >&2; fi
    exit 1
}
cleanup() {
    if [ -n "$lab" ]; then kill -KILL "$lab" 2>/dev/null || true; fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mkdir -p "$work"
rm -rf "$record"
ports=$("$python" -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in sockets))')
read -r rtu generation <<<"$ports"
"$binary" run switching-order --live --speed 1 --out "$record" \
    --forward "$rtu=192.168.107.10:20000" --forward "$generation=192.168.120.10:502" </dev/null >"$work/power.txt" 2>&1 &
lab=$!
timeout 180 "$python" "$here/power_live.py" "$rtu" "$generation" || fail "the grid did not answer as it should"
kill -INT "$lab"
for ((i = 0; i < 300; i++)); do
    kill -0 "$lab" 2>/dev/null || break
    sleep 0.2
done
wait "$lab" || fail "the lab did not end well"
lab=''
timeout 60 "$binary" verify "$record" || fail "the live record is not whole"
timeout 300 "$binary" replay "$record" || fail "the live record does not replay to the same octets"
malformed=$(tshark -r "$record/span.pcapng" -Y "dnp3 && (_ws.malformed || _ws.expert.severity >= 0x400000)" 2>"$work/tshark.txt") ||
    fail "tshark: $(cat "$work/tshark.txt")"
[ -z "$malformed" ] || fail "DNP3 frames that tshark does not like:"$'\n'"$(head -20 <<<"$malformed")"
echo "no malformed DNP3 frame in tshark"
