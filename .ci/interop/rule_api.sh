#!/usr/bin/env bash
# The firewall's rule interface under other people's clients:
#   PYTHON=python3 bash .ci/interop/rule_api.sh BINARY WORKDIR
# Starts `ordinary-day` live with 10.0.1.1:80 forwarded to a free port of 127.0.0.1. schemathesis asks everything that the served
# OpenAPI document speaks of, at the speed of life; then, a thousand times as fast, requests adds a deny rule for 12 h (the day has 24), which the
# lab's clock lets expire. Both labs are stopped and their records verified and replayed. PYTHON needs requests and schemathesis 4.
# Two to four minutes. The records stay in WORKDIR/rules-1 and WORKDIR/rules-1000.
set -euo pipefail
[ $# -eq 2 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 work=$2 python=${PYTHON:-python3}
lab=''
fail() {
    echo "rule interface: $*" >&2
    if [ -s "$work/rules.txt" ]; then tail -20 "$work/rules.txt" >&2; fi
    exit 1
}
cleanup() {
    if [ -n "$lab" ]; then kill -KILL "$lab" 2>/dev/null || true; fi
}
trap cleanup EXIT
trap 'exit 1' INT TERM
mkdir -p "$work"

begin() {
    record=$work/rules-$1
    rm -rf "$record"
    "$binary" run ordinary-day --live --speed "$1" --out "$record" --forward 0=10.0.1.1:80 </dev/null >"$work/rules.txt" 2>&1 &
    lab=$!
    for ((i = 0; i < 300; i++)); do
        if [ "$(grep -c '^key ' "$work/rules.txt")" -ge 7 ]; then break; fi
        sleep 0.1
    done
    url=http://$(sed -n 's/^forward \([^ ]*\) .*/\1/p' "$work/rules.txt")
    mapfile -t keys < <(sed -n 's/^key \([^ ]*\) \(.*\)/\1=\2/p' "$work/rules.txt")
    [ "${#keys[@]}" -ge 7 ] || fail "the lab did not come up"
}

finish() {
    kill -INT "$lab"
    for ((i = 0; i < 300; i++)); do
        kill -0 "$lab" 2>/dev/null || break
        sleep 0.2
    done
    wait "$lab" || fail "the lab did not end well"
    lab=''
    timeout 60 "$binary" verify "$record" || fail "the live record is not whole"
    timeout 600 "$binary" replay "$record" || fail "the live record does not replay to the same octets"
}

begin 1
control=$(printf '%s\n' "${keys[@]}" | sed -n 's/^control=//p')
schemathesis=$(cd "$(dirname "$(command -v "$python")")" && pwd)/schemathesis
(cd "$work" && timeout 300 "$schemathesis" run "$url/openapi.json" -H "Authorization: Bearer $control" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,unsupported_method,negative_data_rejection \
    --phases examples,coverage,fuzzing,stateful --max-examples 40 --seed 1 --workers 1 --no-color) || fail "schemathesis found something"
finish
begin 1000
timeout 400 "$python" "$here/rule_api.py" "$url" "${keys[@]}" || fail "the playbook did not get what it asked for"
finish
