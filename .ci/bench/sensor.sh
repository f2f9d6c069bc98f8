#!/usr/bin/env bash
# How fast the sensor is, on one core, beside tshark in the same run:
#   bash .ci/bench/sensor.sh SENSOR REPEAT WORKDIR [PACKETS]
# SENSOR is fieldrange-sensor, REPEAT the example of that name in the crate `sensor`. Long traces (1,000,000 packets) are
# made of shared captures by repetition with new addresses, and read by: the sensor without rules and logs; with all rules
# and all logs, everything learnt as normal, and everything judged as new; and tshark with six fields. Prints packets per
# second of CPU time and peak memory; the best of three runs of each, in turn, as other work on the machine disturbs them.
# Holds: at most 64 MiB. The speeds are printed, not asserted: they say as much about the machine.
set -euo pipefail
[ $# -ge 3 ] || { sed -n 2,3p "$0"; exit 2; }
sensor=$1 repeat=$2 work=$3 packets=${4:-1000000}
captures=$(dirname "$0")/../../../shared/captures
[ -d "$captures" ] || { echo "no ../shared/captures here: the sensor's speed was NOT measured"; exit 0; }
core=$(($(nproc) - 1))
declare -A from=(
    [modbus]="$captures/zeek/modbusBig.pcap $captures/iti/modbus/ModbusTCP.pcap $captures/iti/modbus/modbus_test.pcap"
    [dnp3]="$captures/icsnpp/icsnpp-dnp3/testing/traces/dnp3_example.pcap $captures/zeek/dnp3.pcap"
)
# CPU seconds and KiB of the best of three.
best() {
    local n
    for n in 1 2 3; do
        rm -rf "$work/logs"
        /usr/bin/time -f '%U %S %M' -o "$work/time" taskset -c "$core" "$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
        tail -1 "$work/time"
    done | awk '{ cpu = $1 + $2; if (!least || cpu < least) least = cpu; if ($3 > kib) kib = $3 } END { print least, kib }'
}
row() {
    local name=$1 cpu kib
    shift
    read -r cpu kib < <(best "$@")
    awk -v name="$name" -v cpu="$cpu" -v kib="$kib" -v packets="$packets" 'BEGIN {
        printf "  %-42s %8.2f s %9.0f packets/s %7.1f MiB\n", name, cpu, packets / cpu, kib / 1024 }'
    case $name in
        tshark*) ;;
        *) [ "$kib" -le 65536 ] || { echo "more than 64 MiB: $name" >&2; exit 1; } ;;
    esac
}
for kind in modbus dnp3; do
    # shellcheck disable=SC2086
    "$repeat" "$packets" 0 ${from[$kind]} >"$work/$kind.pcap"
    echo "$kind, $packets packets:"
    row "sensor, no rules, no logs" "$sensor" -r "$work/$kind.pcap" --no-rules --logs none --log-dir "$work/logs"
    row "sensor, rules and logs, all learnt" "$sensor" -r "$work/$kind.pcap" --learn 30d --log-dir "$work/logs"
    row "sensor, rules and logs, by default" "$sensor" -r "$work/$kind.pcap" --log-dir "$work/logs"
    if [ -z "${NO_TSHARK:-}" ]; then
        row "tshark, six fields" tshark -n -r "$work/$kind.pcap" -T fields -e frame.number -e ip.src -e ip.dst -e tcp.srcport \
            -e modbus.func_code -e dnp3.al.func
    fi
    rm -f "$work/$kind.pcap"
done
