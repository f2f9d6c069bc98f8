#!/usr/bin/env bash
# DNP3 masters and outstations of other people against ours, on 127.0.0.1:
#   PYTHON=python3 bash .ci/interop/dnp3.sh OUTSTATION MASTER [TABLE]
# OUTSTATION and MASTER are the examples `outstation` of plcs and `dnp3_master` of clients. PYTHON needs yadnp3, dnp3py and
# py1815. Writes what was tried and answered to TABLE, by default testdata/dnp3-peers.md. About half a minute.
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
timeout 300 "${PYTHON:-python3}" "$here/dnp3_peers.py" "$1" "$2" "${3:-$here/../../testdata/dnp3-peers.md}"
