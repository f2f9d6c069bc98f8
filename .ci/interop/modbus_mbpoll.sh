#!/bin/sh
# Reads and writes PLC-1 with mbpoll (libmodbus) and leaves it as it was.
#   .ci/interop/modbus_mbpoll.sh HOST PORT [UNIT]
set -eu
host=$1 port=$2 unit=${3:-1}
poll() { mbpoll -m tcp -p "$port" -a "$unit" -0 -1 -q "$@"; }

expect() { # name, expected line, command...
    name=$1 line=$2
    shift 2
    out=$("$@" 2>&1) || { echo "$name: mbpoll failed: $out"; exit 1; }
    # mbpoll separates reference and value by a tab or spaces.
    printf '%s\n' "$out" | tr -s '\t ' ' ' | grep -qxF "$line" || { echo "$name: expected '$line', got: $out"; exit 1; }
    echo "$name: ok"
}

expect "setpoint" "[40]: 100" poll -t 4 -r 40 -c 1 "$host"
expect "last holding register" "[46]: 7600" poll -t 4 -r 40 -c 7 "$host"
expect "mode" "[0]: 1" poll -t 0 -r 0 -c 5 "$host"
poll -t 3 -r 0 -c 16 "$host" >/dev/null && echo "inputs: ok"
poll -t 1 -r 0 -c 3 "$host" >/dev/null && echo "discretes: ok"
poll -t 4 -r 40 "$host" 110 >/dev/null
expect "written setpoint" "[40]: 110" poll -t 4 -r 40 -c 1 "$host"
poll -t 4 -r 40 "$host" 100 0 >/dev/null
expect "setpoint as it was" "[40]: 100" poll -t 4 -r 40 -c 1 "$host"
poll -t 0 -r 1 "$host" 1 >/dev/null
expect "written coil" "[1]: 1" poll -t 0 -r 1 -c 1 "$host"
poll -t 0 -r 1 "$host" 0 >/dev/null
expect "coil as it was" "[1]: 0" poll -t 0 -r 1 -c 1 "$host"
out=$(poll -t 4 -r 13 -c 1 "$host" 2>&1) && { echo "a gap was read: $out"; exit 1; }
printf '%s\n' "$out" | grep -q "Illegal data address" || { echo "a gap: $out"; exit 1; }
echo "a gap is refused: ok"
