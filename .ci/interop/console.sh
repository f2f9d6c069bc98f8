#!/usr/bin/env bash
# The console in headless Chromium: two exercises played to their debrief, the facilitator's page, contrast and names of every
# page by axe-core, no complaint in the browser's log, no request to another origin. Then, without a browser, what the door
# refuses, and a program that is killed in the middle of a run.
#   console.sh FIELDRANGE WORK
set -euo pipefail
fieldrange=$(realpath "$1")
work=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
"$python" "$here/console.py" "$fieldrange" "$work/console-pictures"
"$python" "$here/console_door.py" "$fieldrange"
