#!/usr/bin/env bash
# The live lab on real networks, in network namespaces of this script's own:
#   PYTHON=python3 bash .ci/interop/uplink.sh BINARY WORKDIR
# Four bridges (enterprise, SOC, control, mirror) in a namespace `wire`; the lab is joined to the first three by AF_PACKET and sends
# its mirror port by the fourth as VXLAN. Analyst (SOC, eth1 = mirror), attacker (enterprise) and engineer (control) are
# namespaces with the lab's firewall as their gateway and no route to anything else. Then the tools that analysts have, word
# for word: checks.sh beside the docker labs. At last an interface is taken away and comes back, refusals are tried,
# the record is verified and replayed. A second lab runs a day at a thousand times the clock, so that a rule for 24 hours ends.
# Needs root, iproute2, iputils-ping, tshark, nmap, mbpoll; PYTHON with scapy 2, pymodbus 3, requests. Three minutes.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
binary=$(realpath "$1") work=$(realpath "$2") python=$(command -v "${PYTHON:-python3}")
for tool in ip ping tshark nmap mbpoll; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: uplinks were NOT checked: no $tool here"; exit 0; }
done
if [ "$(id -u)" != 0 ] || ! ip netns add "frprobe$$" 2>/dev/null; then
    echo "SKIPPED: uplinks were NOT checked: this needs root and the right to make network namespaces"
    exit 0
fi
ip netns del "frprobe$$"
record=$work/uplink
wire=frwire$$ lab=frlab$$ analyst=fran$$ attacker=frat$$ engineer=fren$$
pid='' talk=''
fail() {
    echo "uplink: $*" >&2
    if [ -s "$work/uplink.txt" ]; then tail -20 "$work/uplink.txt" >&2; fi
    exit 1
}
cleanup() {
    if [ -n "$talk" ]; then exec 3>&- || true; fi
    if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null || true; fi
    for space in $wire $lab $analyst $attacker $engineer; do
        for left in $(ip netns pids "$space" 2>/dev/null); do kill -KILL "$left" 2>/dev/null || true; done
        ip netns del "$space" 2>/dev/null || true
        rm -rf "/etc/netns/$space"
    done
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mkdir -p "$work"
rm -rf "$record" "$work/uplink-day"
for space in $wire $lab $analyst $attacker $engineer; do
    ip netns add "$space"
    ip -n "$space" link set lo up
    # No resolver: nothing that is asked here may be asked outside.
    mkdir -p "/etc/netns/$space"
    : >"/etc/netns/$space/resolv.conf"
done
cable() { # namespace, interface, network, address/prefix or nothing
    ip -n "$wire" link show "$3" >/dev/null 2>&1 || ip -n "$wire" link add "$3" type bridge
    ip -n "$wire" link set "$3" up
    ip link add "$2" netns "$1" type veth peer name "${1:2:2}-$3" netns "$wire"
    ip -n "$wire" link set "${1:2:2}-$3" master "$3" up
    ip -n "$1" link set "$2" up
    if [ -n "${4:-}" ]; then ip -n "$1" address add "$4" dev "$2"; fi
}
cable "$lab" ent0 enterprise
cable "$lab" soc0 soc
cable "$lab" ctl0 control
cable "$lab" mir0 mirror 172.31.42.2/24
cable "$analyst" soc0 soc 10.10.5.50/24
cable "$analyst" eth0 mirror 172.31.42.3/24
cable "$attacker" eth0 enterprise 10.0.4.66/24
cable "$engineer" eth0 control 192.168.1.240/24
ip -n "$analyst" route add default via 10.10.5.1
ip -n "$attacker" route add default via 10.0.4.1
ip -n "$engineer" route add default via 192.168.1.1
ip -n "$analyst" link add eth1 type vxlan id 42 dstport 4789 dev eth0
ip -n "$analyst" link set eth1 up

in_lab() { ip netns exec "$lab" "$binary" run ordinary-day --live "$@"; }
refused() { # what the message must say, options
    local said says=$1
    shift
    said=$(in_lab --out "$work/refused" "$@" </dev/null 2>&1) && fail "not refused: $*"
    grep -q -- "$says" <<<"$said" || fail "refused $* with other words: $said"
    [ ! -e "$work/refused" ] || fail "a record was begun although $* was refused"
    printf '%s\n' "$said" | head -2
}
echo "refusals:"
refused "no such interface" --attach eth9=control
refused "no zone" --attach ctl0=controll
refused "no Ethernet interface" --attach lo=control
ip -n "$lab" link add real0 type vxlan id 7 dstport 4789 dev mir0
ip -n "$lab" link set real0 up
refused "--network-is-mine real0" --attach real0=control
ip -n "$lab" link del real0
ip -n "$lab" address add 192.168.1.101/24 dev ctl0
refused "this machine's own address" --attach ctl0=control
ip -n "$lab" address del 192.168.1.101/24 dev ctl0
ip -n "$engineer" address add 192.168.1.102/24 dev eth0
refused "has it already" --attach ctl0=control
ip -n "$engineer" address del 192.168.1.102/24 dev eth0
refused "would leave the lab" --mirror-to 192.0.2.9

start() { # options
    rm -f "$work/uplink.in"
    mkfifo "$work/uplink.in"
    ip netns exec "$lab" "$binary" run ordinary-day --live "$@" --attach ent0=enterprise --attach soc0=soc --attach ctl0=control \
        --mirror-to 172.31.42.3 <"$work/uplink.in" >"$work/uplink.txt" 2>&1 &
    pid=$!
    exec 3>"$work/uplink.in"
    talk=3
    for ((i = 0; ; i++)); do
        kill -0 "$pid" 2>/dev/null || { pid=''; fail "the lab did not stay up"; }
        grep -q '^mirror' "$work/uplink.txt" && break
        ((i < 150)) || fail "the lab did not come up within half a minute"
        sleep 0.2
    done
    KEY=$(sed -n 's/^key control //p' "$work/uplink.txt")
}
start --out "$record"

say() { echo "$1" >&3; }
on() { # place, command
    local place=$1
    shift
    case $place in
    analyst) ip netns exec "$analyst" "$@" ;;
    attacker) ip netns exec "$attacker" "$@" ;;
    engineer) ip netns exec "$engineer" "$@" ;;
    esac
}
PY=$python
# The whole network takes nmap two minutes and a half once nothing answers: AFTER=192.168.1.0/24 asks for it.
AFTER=${AFTER:-192.168.1.96/28}
. "$root/docker/checks.sh"
all_checks

echo "an interface goes away and comes back:"
ip -n "$wire" link del la-control
sleep 1
cable "$lab" ctl0 control
for ((i = 0; i < 60; i++)); do
    grep -q 'ctl0: there again' "$work/uplink.txt" && break
    sleep 0.2
done
grep 'uplink ctl0' "$work/uplink.txt" || fail "nothing was reported of the interface"
grep -q 'ctl0: there again' "$work/uplink.txt" || fail "the interface was not taken again"
on engineer mbpoll -m tcp -a 1 -0 -1 -q -o 2 -t 4 -r 40 -c 1 192.168.1.101 >/dev/null || fail "no answer after the interface came back"

say stop
for ((i = 0; i < 300; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
done
wait "$pid" || fail "the lab did not end well"
pid=''
tail -6 "$work/uplink.txt"
timeout 60 "$binary" verify "$record" || fail "the live record is not whole"
timeout 300 "$binary" replay "$record" || fail "the live record does not replay to the same octets"

echo "the console's own lab on the same networks:"
rm -rf "$work/uplink-console"
timeout 120 ip netns exec "$lab" "$python" "$here/uplink_console.py" "$binary" "$work/uplink-console" "$engineer" || fail "uplinks of the console's own lab"
rm -rf "$work/uplink-console"

echo "a rule for 24 hours, at a thousand times the clock on the wall:"
start --out "$work/uplink-day" --minutes 1600
check_expiry
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
pid=''
rm -rf "$work/uplink-day"
echo "real networks: all checks passed"
