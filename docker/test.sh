#!/usr/bin/env bash
# Both compose files from nothing, and what analysts try in them:
#   bash docker/test.sh BINARY [WORKDIR]
# Installs an engine and compose from Debian if they are missing, starts an engine of its own (own socket, own data, all of it
# removed at the end), makes the images locally (nothing is pulled: the lab FROM scratch around BINARY, the tools from a
# debootstrap root file system, kept in $FIELDRANGE_CI_TOOLS for the next time), brings each compose file up and checks it.
# BINARY may be static or not: the libraries it needs go with it. Says SKIPPED where no engine can be started.
set -euo pipefail
[ $# -ge 1 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "$1") work=$(realpath "${2:-$(mktemp -d)}")
tools=${FIELDRANGE_CI_TOOLS:-${TMPDIR:-/tmp}/fieldrange-ci-tools}
engine=$work/engine daemon=''
export DEBIAN_FRONTEND=noninteractive
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
for pair in dockerd:docker.io docker-compose:docker-compose debootstrap:debootstrap; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if ((${#missing[@]})); then
    apt-get update -qq && apt-get install -y -qq "${missing[@]}" >/dev/null || skip "cannot install ${missing[*]}"
fi

mkdir -p "$engine"
export DOCKER_HOST=unix://$engine/docker.sock
cleanup() {
    compose down -v --timeout 5 >/dev/null 2>&1 || true
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null || true
        for _ in $(seq 50); do kill -0 "$daemon" 2>/dev/null || break; sleep 0.2; done
        kill -KILL "$daemon" 2>/dev/null || true
    fi
    umount "$engine"/exec/netns/* 2>/dev/null || true
    rm -rf "$engine" || true
}
file=$here/compose.yaml
compose() { docker-compose -p fieldrangetest -f "$file" "$@"; }
trap cleanup EXIT
trap 'exit 1' INT TERM

start_engine() { # options
    dockerd --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/pid" -H "$DOCKER_HOST" "$@" >"$engine/log" 2>&1 &
    daemon=$!
    for _ in $(seq 75); do
        docker info >/dev/null 2>&1 && return 0
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.2
    done
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=''
    return 1
}
start_engine || start_engine --storage-driver=vfs || skip "no engine starts: $(tail -1 "$engine/log")"
echo "engine $(docker version --format '{{.Server.Version}}'), $(docker info --format '{{.Driver}}')"

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
echo "lab image: $(docker image inspect fieldrange --format '{{.Size}}' | awk '{ printf "%.1f MB\n", $1 / 1e6 }')"

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
docker build -q -t fieldrange-analyst "$work/analyst" >/dev/null

echo "compose.yaml:"
compose up -d --no-build >"$work/compose.txt" 2>&1 || fail "$(tail -5 "$work/compose.txt")"
. "$here/checks.sh"
check_forwards
compose stop --timeout 60 >/dev/null 2>&1
docker ps -a --filter label=com.docker.compose.project=fieldrangetest --format '{{.Names}} {{.Status}}' | grep -q 'Exited (0)' || fail "the lab did not end well"
compose down -v >/dev/null 2>&1

echo "compose.analyst.yaml:"
file=$here/compose.analyst.yaml
compose up -d --no-build >"$work/compose.txt" 2>&1 || fail "$(tail -5 "$work/compose.txt")"
for _ in $(seq 150); do
    healthy=$(docker ps --filter health=healthy -q | wc -l)
    [ "$healthy" -ge 4 ] && break
    sleep 0.4
done
docker ps --format 'table {{.Names}}\t{{.Status}}'
[ "$healthy" -ge 4 ] || fail "not all are healthy"
for name in $(docker ps -q); do
    docker inspect "$name" --format '{{.Name}} privileged={{.HostConfig.Privileged}} readonly={{.HostConfig.ReadonlyRootfs}} network={{.HostConfig.NetworkMode}} caps={{.HostConfig.CapAdd}} mounts={{range .Mounts}}{{.Destination}} {{end}}'
done
on() { compose exec -T "$@"; }
KEY=$(compose logs lab | sed -n 's/.*key control //p' | tail -1)
PY=python3
# The whole network takes nmap two minutes once nothing answers; .ci/interop/uplink.sh does that.
AFTER=192.168.1.101-103
all_checks
compose down -v --timeout 20 >/dev/null 2>&1

echo "docker labs: all checks passed"
