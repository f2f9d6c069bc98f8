#!/usr/bin/env bash
# The sensor on an interface, beside tcpdump on the same one in the same run:
#   bash .ci/interop/sensor_live.sh SENSOR REPEAT WORKDIR CAPTURE... 
# SENSOR is fieldrange-sensor, REPEAT the example of that name in the crate `sensor`. A veth pair is made in network
# namespaces of its own; tcpreplay sends 500,000 packets made of CAPTURE at one end, at each of several rates, and both
# listen at the other. Prints packets per second, and what each says it took and lost.
# Holds: every packet that was sent was taken or counted as dropped; root and all capabilities are gone and seccomp is
# on while it listens; SIGTERM ends it with complete logs; without the capability it says which one it needs.
# Needs root, iproute2, tcpdump and tcpreplay; says so and does nothing without. Bounded: about a minute.
set -euo pipefail
[ $# -ge 4 ] || { sed -n 2,3p "$0"; exit 2; }
sensor=$(realpath "$1") repeat=$2 work=$(realpath "$3")
shift 3
for tool in ip tcpdump tcpreplay; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: the live sensor was NOT checked: no $tool here"; exit 0; }
done
if [ "$(id -u)" != 0 ] || ! ip netns add "frprobe$$" 2>/dev/null; then
    echo "SKIPPED: the live sensor was NOT checked: this needs root and the right to make network namespaces"
    exit 0
fi
ip netns del "frprobe$$"
# The sensor gives up root before it writes: the way to its logs must be open.
chmod o+x "$work"
packets=${PACKETS:-500000}
here=frsend$$ there=frsense$$
fail() {
    echo "sensor_live: $*" >&2
    exit 1
}
cleanup() {
    ip netns del "$here" 2>/dev/null || true
    ip netns del "$there" 2>/dev/null || true
}
trap cleanup EXIT
cleanup
ip netns add "$here"
ip netns add "$there"
ip link add tap0 netns "$here" type veth peer name tap0 netns "$there"
for space in "$here" "$there"; do
    # Nobody but tcpreplay may speak.
    ip netns exec "$space" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 || true
    ip -n "$space" link set tap0 arp off multicast off mtu 9000 up
done
trace=$work/live.pcap
"$repeat" "$packets" 0 "$@" >"$trace"

said=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$sensor" -i lo --log-dir "$work" 2>&1) && fail "an ordinary user could listen"
grep -q CAP_NET_RAW <<<"$said" || fail "the capability is not named: $said"

printf '%-10s %10s %10s | %10s %10s | %10s %10s\n' rate sent "sent/s" sensor dropped tcpdump dropped
for rate in ${RATES:-50000 100000 200000 top}; do
    logs=$work/live-$rate
    rm -rf "$logs"
    ip netns exec "$there" timeout 60 "$sensor" -i tap0 --log-dir "$logs" --json >"$work/summary.json" 2>"$work/sensor.err" &
    sensor_job=$!
    ip netns exec "$there" timeout 60 tcpdump -i tap0 -n -B 16384 -w /dev/null 2>"$work/tcpdump.err" &
    tcpdump_job=$!
    for _ in $(seq 100); do
        grep -q listening "$work/sensor.err" && grep -q listening "$work/tcpdump.err" && break
        sleep 0.1
    done
    grep -q listening "$work/sensor.err" || fail "the sensor did not start: $(cat "$work/sensor.err")"
    pid=$(pgrep -P "$sensor_job")
    if [ "$rate" = top ]; then speed=(--topspeed); else speed=(--pps="$rate"); fi
    ip netns exec "$here" timeout 60 tcpreplay -q -K -i tap0 "${speed[@]}" "$trace" >"$work/replay.out" 2>&1 || fail "$(tail -3 "$work/replay.out")"
    status=$(cat "/proc/$pid/status")
    for line in 'Uid:[[:space:]]65534[[:space:]]65534' 'CapPrm:[[:space:]]0*$' 'NoNewPrivs:[[:space:]]1' 'Seccomp:[[:space:]]2'; do
        grep -qE "$line" <<<"$status" || fail "not confined, $line: $(grep -E 'Uid|Cap|NoNew|Seccomp' <<<"$status")"
    done
    sleep 0.5
    kill -TERM "$pid"
    kill -INT "$(pgrep -P "$tcpdump_job")"
    wait "$sensor_job" || fail "the sensor ended badly: $(cat "$work/sensor.err")"
    wait "$tcpdump_job" || true
    tail -1 "$logs/conn.log" | grep -q '^#close' || fail "conn.log is not complete"
    read -r frames dropped < <(jq -r '"\(.frames) \(.input.dropped)"' "$work/summary.json")
    sent=$(grep -oE 'Successful packets:[[:space:]]+[0-9]+' "$work/replay.out" | grep -oE '[0-9]+')
    pps=$(grep -oE '[0-9.]+ pps' "$work/replay.out" | head -1 | cut -d. -f1)
    took=$(grep -oE '^[0-9]+ packets captured' "$work/tcpdump.err" | grep -oE '^[0-9]+')
    lost=$(grep -oE '^[0-9]+ packets dropped by kernel' "$work/tcpdump.err" | grep -oE '^[0-9]+')
    printf '%-10s %10s %10s | %10s %10s | %10s %10s\n' "$rate" "$sent" "$pps" "$frames" "$dropped" "$took" "$lost"
    [ $((frames + dropped)) -ge "$sent" ] || fail "$sent sent, $frames taken, $dropped dropped: $((sent - frames - dropped)) unaccounted for"
done
cat "$work/sensor.err"
