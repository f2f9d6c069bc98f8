#!/usr/bin/env bash
# What Fieldrange exports, in other people's readers: GIFT, Moodle XML, ctfcli, xAPI, STIX, Navigator, JWT, pandas, tshark.
# Usage: exports.sh FIELDRANGE WORKDIR. Their packages go into an environment of their own: several pin old versions.
set -euo pipefail
fieldrange=$1
work=$2/exports
tools=${FIELDRANGE_CI_TOOLS:-${TMPDIR:-/tmp}/fieldrange-ci-tools}
if ! "$tools/exports/bin/python" -c 'import pygiftparser, moodle_xml_parser, ctfcli, tincan, stix2, stix2validator, mitreattack, jwt, jwcrypto, openbadgeslib, pandas' 2>/dev/null; then
    python3 -m venv "$tools/exports"
    "$tools/exports/bin/pip" install -q 'pygiftparser==1.1' 'moodle-xml-parser==0.3.*' 'ctfcli==0.1.*' 'tincan==1.*' 'stix2==3.*' \
        'stix2-validator==3.*' 'mitreattack-python==6.*' 'pyjwt==2.*' 'jwcrypto==1.*' 'openbadgeslib==4.*' 'pandas==3.*'
fi
rm -rf "$work" && mkdir -p "$work"

"$fieldrange" quiz --domain all --export gift --out "$work/gift"
"$fieldrange" quiz --domain all --export moodle-xml --out "$work/moodle"
"$fieldrange" quiz --domain all --export ctfd --out "$work/ctfd"
"$fieldrange" quiz --domain all --solve --json >"$work/solved.json"
"$fieldrange" key event "$work/event.key"
"$fieldrange" simulate first-shift --seed 3 --out "$work/run" >/dev/null
"$fieldrange" simulate first-shift --seed 3 --out "$work/again" >/dev/null
for person in ann bob; do
    "$fieldrange" quiz --domain protocols --export ctfd --out "$work/ctfd-$person" --event-key "$work/event.key" --for "$person"
done
"$tools/exports/bin/python" .ci/interop/exports.py answers "$work"
"$fieldrange" quiz --domain protocols --answers "$work/answers.txt" --export xapi --out "$work/xapi" --for ann
"$fieldrange" quiz --domain protocols --answers "$work/answers.txt" --event-key "$work/event.key" --for ann >"$work/flags.txt"

calls=$work/calls.jsonl
"$fieldrange" export "$work/run" --as csv --calls "$calls" --for ann --out "$work/results.csv"
"$fieldrange" export "$work/run" --as json --calls "$calls" --for ann --out "$work/results.json"
"$fieldrange" export "$work/run" --as navigator --out "$work/covered.json"
"$fieldrange" export "$work/run" --as navigator --calls "$calls" --for ann --out "$work/caught.json"
"$fieldrange" export "$work/run" --as stix --out "$work/bundle.json"
"$fieldrange" export "$work/again" --as stix | cmp - "$work/bundle.json"
"$fieldrange" key issuer "$work/badge.jwk"
"$fieldrange" export "$work/run" --as badge --calls "$calls" --for ann --key "$work/badge.jwk" --date 2026-03-02 --out "$work/ann.jwt"
"$fieldrange" export "$work/run" --as badge --calls /dev/null --for bob --key "$work/badge.jwk" && exit 1
[ "$(stat -c %a "$work/badge.jwk" "$work/event.key" | tr '\n' ' ')" = "600 600 " ]
"$fieldrange" key issuer "$work/badge.jwk" 2>/dev/null && exit 1

"$fieldrange" dataset --scenario first-shift --scenario breaker-sweep --train 1-2 --test 3-3 --blind --out "$work/data"
"$fieldrange" dataset --scenario first-shift --train 1-2 --test 2-3 --out "$work/never" 2>/dev/null && exit 1
"$fieldrange" verify "$work/data/test/first-shift-3"

# The sensor's findings in four forms: each is scored, and a form loses nothing but what it has no field for.
"$fieldrange" sense -r "$work/run/span.pcapng" --log-dir "$work/logs" --format zeek,eve >/dev/null
for alerts in run/findings.jsonl logs/eve.json logs/notice.log; do
    "$fieldrange" judge --alerts "$work/$alerts" "$work/run" --json >"$work/judged-$(basename "$alerts").json"
    "$fieldrange" judge --alerts "$work/$alerts" "$work/run"
done
"$tools/exports/bin/python" .ci/interop/exports.py alerts "$work"
"$fieldrange" judge --alerts "$work/alerts.csv" "$work/run" --json >"$work/judged-alerts.csv.json"
"$tools/exports/bin/python" .ci/interop/exports.py check "$work"
