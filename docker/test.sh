#!/usr/bin/env bash
# The three compose files from nothing, each brought up with one command, and what analysts try in them:
#   bash docker/test.sh BINARY [WORKDIR]
# Installs an engine and compose from Debian if they are missing, starts an engine of its own (own socket, own data, own network
# namespace, all of it removed at the end), makes the images locally (nothing is pulled: the lab FROM scratch around BINARY, the
# tools from a debootstrap root file system, kept in $FIELDRANGE_CI_TOOLS for the next time), brings each compose file up and
# checks it. BINARY may be static or not: the libraries it needs go with it, and count in the image's size, of which at most
# 20 MB are allowed. Says SKIPPED where no engine can be started. Two and a quarter minutes, two and a half more the first time.
set -euo pipefail
[ $# -ge 1 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
made_work=''
[ $# -ge 2 ] || made_work=$(mktemp -d)
binary=$(realpath "$1") work=$(realpath "${2:-$made_work}")
tools=${FIELDRANGE_CI_TOOLS:-${TMPDIR:-/tmp}/fieldrange-ci-tools}
engine=$work/engine netns=fieldrange-docker-$$ daemon=''
project=fieldrangetest file=$here/compose.yaml
export DEBIAN_FRONTEND=noninteractive
part() { printf '\n--- %s (%s s)\n' "$1" "$SECONDS"; }
compose() { docker-compose -p "$project" -f "$file" "$@"; }
on() { compose exec -T "$@"; }
fail() {
    echo "docker: $*" >&2
    compose logs --tail=20 >&2 || true
    docker ps -a >&2 || true
    exit 1
}
skip() {
    echo "SKIPPED: the docker labs were NOT checked: $*"
    exit 0
}
[ "$(id -u)" = 0 ] || skip "this needs root"
missing=()
for pair in dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap mbpoll:mbpoll curl:curl ip:iproute2; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if ((${#missing[@]})); then
    # The package starts an engine for the whole machine where an init system runs; ours is another one.
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } || skip "cannot install ${missing[*]}"
fi

# Bridges, addresses and packet filter of the engine are in a network namespace, so that nothing of them stays, and no network of
# this machine can be in their way.
inside() { nsenter --net="/run/netns/$netns" "$@"; }
ip netns add "$netns" 2>/dev/null || skip "no right to make network namespaces"
mkdir -p "$engine"
export DOCKER_HOST=unix://$engine/docker.sock
cleanup() {
    [ -z "$daemon" ] || stop_engine
    # The engine mounts its own directory on itself.
    umount --lazy "$engine"/exec/netns/* "$engine"/data 2>/dev/null || true
    ip netns delete "$netns" || true
    rm -rf "$engine" "$work/lab-root" "$work/analyst" "$work/analyst-root" ${made_work:+"$made_work"} || true
}
trap cleanup EXIT
trap 'exit 1' INT TERM

stop_engine() {
    docker ps -aq | xargs -r docker rm -fv >/dev/null 2>&1 || true
    kill "$daemon" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$daemon" 2>/dev/null || break; sleep 0.2; done
    # What is in our namespace is the engine's or a container's.
    ip netns pids "$netns" | xargs -r kill -KILL 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=''
}
start_engine() { # options
    inside dockerd --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" -H "$DOCKER_HOST" "$@" >"$engine/log" 2>&1 &
    daemon=$!
    for _ in $(seq 75); do
        docker info >/dev/null 2>&1 && return 0
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    stop_engine
    return 1
}
inside ip link set lo up
start_engine || start_engine --storage-driver=vfs || skip "no engine starts: $(tail -1 "$engine/log")"
echo "engine $(docker version --format '{{.Server.Version}}'), $(docker info --format '{{.Driver}}')"

part "images"
# The lab's image: the program and, unless it is static, its libraries.
root=$work/lab-root
rm -rf "$root"
mkdir -p "$root"
# Records are written by user 1000, or by a root that has no right over files.
mkdir -m 1777 "$root/runs" "$root/tmp"
strip -o "$root/fieldrange" "$binary"
if ldd "$binary" >/dev/null 2>&1; then
    for library in $(ldd "$binary" | grep -oE '/[^ ]+'); do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
fi
tar -C "$root" -c . | docker import --change 'ENTRYPOINT ["/fieldrange"]' --change 'USER 1000:1000' - fieldrange >/dev/null
size=$(docker image inspect fieldrange --format '{{.Size}}')
echo "lab image: $(awk -v size="$size" 'BEGIN { printf "%.1f MB", size / 1e6 }'), at most 20 MB"
((size <= 20000000)) || fail "the lab's image is above 20 MB: $size octets. docker/README.md says how the program is built for it"

# The tools' image, as Dockerfile.analyst makes it from debian:bookworm-slim.
packages=$(sed -n '/no-install-recommends/,/rm -rf/p' "$here/Dockerfile.analyst" | sed '1d;$d' | tr -d '\\' | xargs | tr ' ' ,)
base=$tools/analyst-root-$(cksum <<<"$packages" | cut -d" " -f1).tar
if [ ! -s "$base" ]; then
    mkdir -p "$tools"
    made=$work/analyst-root
    debootstrap --variant=minbase --include="$packages" bookworm "$made" >"$work/debootstrap.txt" 2>&1 || skip "debootstrap: $(tail -1 "$work/debootstrap.txt")"
    rm -rf "$made"/var/cache/apt/* "$made"/var/lib/apt/lists/* "$made"/usr/share/doc "$made"/usr/share/man "$made"/usr/share/locale
    tar -C "$made" --exclude=./dev --exclude=./proc --exclude=./sys -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$made"
fi
docker import "$base" fieldrange-tools >/dev/null
mkdir -p "$work/analyst"
cp "$here/place.sh" "$work/analyst/place"
printf 'FROM fieldrange-tools\nCOPY place /usr/local/bin/place\nCMD ["/usr/local/bin/place"]\n' >"$work/analyst/Dockerfile"
docker build -q -t fieldrange-analyst "$work/analyst" >"$work/build.txt" 2>&1 || fail "$(tail -5 "$work/build.txt")"

# What each container may: it has no rights but the capabilities that its compose file names, and is root only for those.
check_rights() {
    docker ps -q | xargs docker inspect --format '{{.Name}} user={{.Config.User}} added={{.HostConfig.CapAdd}} dropped={{.HostConfig.CapDrop}} privileged={{.HostConfig.Privileged}} readonly={{.HostConfig.ReadonlyRootfs}} security={{.HostConfig.SecurityOpt}} network={{.HostConfig.NetworkMode}} mounts={{range .Mounts}}{{.Destination}} {{end}}health={{.State.Health.Status}}' |
        sed 's/CAP_//g' | sort >"$work/rights.txt"
    sed 's/ network=.*//' "$work/rights.txt"
    ! grep -vE ' (user=1000:1000 added=\[\]|user=(0:0)? added=\[(NET_ADMIN )?NET_RAW\]) dropped=\[ALL\] privileged=false readonly=true security=\[no-new-privileges:true\] ' "$work/rights.txt" ||
        fail "these have more rights than they need"
    ! grep -E 'network=host|\.sock|health=unhealthy' "$work/rights.txt" || fail "these are too near to this machine"
}
up() { # services that have to become healthy, of all that are up
    compose up -d --no-build >"$work/compose.txt" 2>&1 || fail "$(tail -5 "$work/compose.txt")"
    local healthy=0
    for _ in $(seq 150); do
        healthy=$(docker ps --filter health=healthy -q | wc -l)
        [ "$healthy" -ge "$1" ] && break
        sleep 0.4
    done
    docker ps --format 'table {{.Names}}\t{{.Status}}'
    [ "$healthy" = "$1" ] || fail "$healthy are healthy, and $1 should be"
}
down() { compose down -v --timeout 20 >"$work/compose.txt" 2>&1 || fail "$(tail -5 "$work/compose.txt")"; }
. "$here/checks.sh"
PY=python3

part "compose.yaml"
up 1
check_rights
inside_mbpoll() { inside mbpoll "$@"; }
MBPOLL=inside_mbpoll check_forwards
# The link from the container's log opens a seat, once.
link=$(compose logs lab | sed -n 's/.*play  *http:\/\/[^/]*//p' | tail -1)
enter() { inside curl -s -o "$work/console.txt" -w '%{http_code}' --max-time 10 -H 'Accept: application/json' --json '{}' "http://127.0.0.1:8600$link"; }
said=$(enter) && printf 'console: the link gives a seat: %s\n' "$said"
says '^200$'
said=$(enter) && printf 'console: the same link again: %s\n' "$said"
says '^4'
compose stop --timeout 60 >/dev/null 2>&1
docker ps -a --format '{{.Names}} {{.Status}}' | grep -q 'Exited (0)' || fail "the lab did not end well"
down

part "compose.analyst.yaml"
file=$here/compose.analyst.yaml
up 4
check_rights
KEY=$(compose logs lab | sed -n 's/.*key control //p' | tail -1)
# The whole network takes nmap two minutes and a half once nothing answers.
AFTER=192.168.1.101-103
all_checks
part "compose.analyst.yaml goes down"
down

# Two teams with the same addresses: what one writes, the other's controller and mirror port do not have.
file=$here/compose.teams.yaml
team() {
    export TEAM=$1
    project=fieldrangetest$1
}
modbus() { # write VALUE, or read: register 40 (the caustic soda setpoint) of PLC-1, from the team's engineer
    on engineer "$PY" -c '
import sys
from pymodbus.client import ModbusTcpClient
client = ModbusTcpClient("192.168.1.101")
assert client.connect()
answer = client.write_register(40, int(sys.argv[2])) if sys.argv[1] == "write" else client.read_holding_registers(40, 1)
assert not answer.isError(), answer
print(answer.registers[0] if sys.argv[1] == "read" else answer.value)' "$@"
}
for number in 1 2; do
    part "compose.teams.yaml, team $number"
    team $number
    up $((4 * number))
done
check_rights
declare -A keys
for number in 1 2; do
    team $number
    keys[$number]=$(compose logs lab | sed -n 's/.*key control //p' | tail -1)
    on analyst timeout 60 tshark -i eth1 -l -a duration:12 -Y 'modbus.func_code == 6 && tcp.dstport == 502' \
        -T fields -e ip.src -e ip.dst -e tcp.payload >"$work/team$number.txt" 2>"$work/team$number.err" &
    watches[number]=$!
    for _ in $(seq 50); do
        grep -q 'Capture started' "$work/team$number.err" && break
        sleep 0.2
    done
done
for number in 1 2; do
    team $number
    printf 'team %s: engineer writes %s\n' $number "$(modbus write $((100 + number)))"
done
for number in 1 2; do
    team $number
    said=$(modbus read)
    printf 'team %s: PLC-1 has %s\n' $number "$said"
    says "^$((100 + number))\$"
    KEY=${keys[$number]} rule GET rules/1
    says '^200 '
    KEY=${keys[$((3 - number))]} rule GET rules/1
    says '^401 '
done
for number in 1 2; do
    team $number
    wait "${watches[number]}" || true
    said=$(<"$work/team$number.txt")
    printf 'team %s: the mirror port showed\n%s\n' $number "$said"
    says "^192.168.1.240.192.168.1.101.*060028$(printf %04x $((100 + number)))\$"
    says_not "060028$(printf %04x $((103 - number)))"
done
for number in 1 2; do
    team $number
    down
done

part "docker labs: all checks passed"
