#!/usr/bin/env bash
# What comes out of the sensor, read by programs that are not ours:
#   bash .ci/interop/sensor_outputs.sh SENSOR WORKDIR CAPTURE
# SENSOR is fieldrange-sensor, CAPTURE a pcap or pcapng with Modbus and findings of medium or above within its first
# 12,000 frames; no more are read (editcap comes with tshark). PYTHON is a Python with
# syslog-rfc5424-parser, zat, pandas, pySigma, pysigma-backend-splunk and pysigma-backend-elasticsearch (PyPI).
# Holds: zat and pandas read every Zeek log; jq reads EVE and ECS, and finds the fields that Suricata's and Elastic's have;
# pySigma parses and converts every rule; collectors for syslog (UDP, TCP, TLS), Elastic and Splunk get every record in
# order, though they are slow, are killed twice, and come back (two of them ask for the sensor's certificate); what waits when the sensor ends is sent by its next
# run; the logs are the same octets with and without collectors. Bounded: about a minute.
set -euo pipefail
[ $# -eq 3 ] || { sed -n 2,3p "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
sensor=$(realpath "$1") capture=$(realpath "$3")
mkdir -p "$2"
work=$(realpath "$2")/outputs
rm -rf "$work"
mkdir -p "$work"
python=${PYTHON:-python3}
fail() {
    echo "sensor_outputs: $*" >&2
    exit 1
}
collector=
stop() {
    if [ -n "$collector" ]; then
        kill -9 "$collector" 2>/dev/null || true
        wait "$collector" 2>/dev/null || true
        collector=
    fi
}
trap stop EXIT
port=$((20000 + $$ % 20000))
cd "$work"
editcap -F pcapng -r "$capture" sample.pcapng 1-12000
capture=$work/sample.pcapng

"$sensor" -r "$capture" --log-dir zeek >zeek.txt
cat zeek.txt
"$python" "$here/sensor_outputs.py" zeek zeek
"$python" "$here/sensor_outputs.py" sigma "$here/../../sensor/rules"

"$sensor" -r "$capture" --log-dir other --format eve,ecs,json >/dev/null
alerts=$(jq -s 'map(select(.event_type == "alert")) | length' other/eve.json)
[ "$alerts" = "$(wc -l <zeek/findings.jsonl)" ] || fail "eve.json has $alerts alerts"
jq -es 'all(.[]; (.timestamp | test("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}\\+0000$")) and .event_type)' other/eve.json >/dev/null ||
    fail "an event in eve.json has no timestamp or type"
jq -es 'map(select(.event_type == "alert")) | length > 0 and all(.[]; .src_ip and (.alert.signature_id | type == "number") and .alert.signature and .alert.severity)' \
    other/eve.json >/dev/null || fail "an alert lacks a field of Suricata's"
jq -es 'map(select(.event_type == "flow")) | length > 0 and all(.[]; .src_ip and .dest_ip and .proto and .flow.start and (.flow.bytes_toserver | type == "number"))' \
    other/eve.json >/dev/null || fail "a flow lacks a field of Suricata's"
jq -es 'map(select(.event_type == "modbus")) | length > 0 and all(.[]; .modbus.request.function_raw or .modbus.response.function_raw)' \
    other/eve.json >/dev/null || fail "a modbus event lacks a field of Suricata's"
jq -es 'all(.[]; ."@timestamp" and .ecs.version and .event.kind and .event.dataset) and (map(select(.event.kind == "alert")) | length > 0 and all(.[]; .rule.name and .related.ip and .threat.technique.id))' \
    other/ecs.json >/dev/null || fail "a document in ecs.json lacks a field of ECS"
echo "jq: $(wc -l <other/eve.json) events ($alerts alerts), $(wc -l <other/ecs.json) ECS documents"

openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj "/CN=EXERCISE authority" 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj "/CN=localhost" 2>/dev/null
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >san.txt
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tls.pem -days 2 -extfile san.txt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout sensor.key -out sensor.csr -subj "/CN=EXERCISE sensor" 2>/dev/null
openssl x509 -req -in sensor.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out sensor.pem -days 2 -extfile san.txt 2>/dev/null

# A collector of a kind, on the port; it is there when it listens.
collect() { # kind, file, further words
    local kind=$1 file=$2
    shift 2
    "$python" "$here/sensor_collectors.py" "$kind" "$port" "$file" "$@" 2>>"$file.err" &
    collector=$!
    for _ in $(seq 100); do
        if [ "$kind" = syslog-udp ]; then
            grep -q ":$(printf %04X "$port") " /proc/net/udp && return
        elif (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            return
        fi
        sleep 0.1
    done
    fail "the $kind collector does not listen: $(cat "$file.err")"
}

# Sends the capture's records to a collector that is slow, killed twice while it gets them, and back each time.
through() { # kind, destination, further words for the collector
    local kind=$1 to=$2 file=$1.jsonl sensing count slow=0.05 killed
    case $kind in elastic | splunk) slow=0.3 ;; esac
    shift 2
    SLOW=$slow collect "$kind" "$file" "$@"
    "$sensor" -r "$capture" --log-dir "logs-$kind" --to "$to" --wait 20s >"$kind.txt" &
    sensing=$!
    for _ in 1 2; do
        sleep 0.7
        stop
        killed=$(wc -l <"$file")
        sleep 0.3
        SLOW=$slow collect "$kind" "$file" "$@"
    done
    stop
    collect "$kind" "$file" "$@"
    wait "$sensing" || fail "$kind: the sensor failed"
    count=$(sed -n 's/^sent: \([0-9]*\) records.*/\1/p' "$kind.txt")
    [ "$killed" -lt "$count" ] || fail "$kind: everything was there before the collector was killed: nothing is proved"
    if grep -qE '^(waiting|lost|refused)' "$kind.txt"; then fail "$kind: $(cat "$kind.txt")"; fi
    stop
    "$python" "$here/sensor_outputs.py" sent "$file" "$count" "$kind"
    for log in zeek/*; do
        cmp -s "$log" "logs-$kind/$(basename "$log")" || fail "$kind: $log is not the same with a collector"
    done
}

export SPLUNK_HEC_TOKEN=not-a-real-token
through syslog-tcp "syslog+tcp://127.0.0.1:$port"
# These two ask the sensor who it is.
export CLIENTS=$work/ca.pem
through syslog-tls "syslog+tls://localhost:$port?ca=ca.pem&format=eve&cert=sensor.pem&key=sensor.key" tls.pem tls.key
through splunk "splunk+https://localhost:$port?ca=ca.pem&cert=sensor.pem&key=sensor.key" tls.pem tls.key
unset CLIENTS
through elastic "elastic+http://127.0.0.1:$port/plant-1"

# UDP says nothing of what arrives: no collector is killed here.
collect syslog-udp syslog-udp.jsonl
"$sensor" -r "$capture" --to "syslog+udp://127.0.0.1:$port?logs=findings,incidents,conn" --queue-dir queue-udp >udp.txt
sleep 1
stop
"$python" "$here/sensor_outputs.py" sent syslog-udp.jsonl "$(sed -n 's/^sent: \([0-9]*\) records.*/\1/p' udp.txt)" syslog-udp

# A collector that trusts nobody we know is not spoken to; what waits is sent by the next run that trusts it.
collect syslog-tls late.jsonl tls.pem tls.key
"$sensor" -r "$capture" --to "syslog+tls://localhost:$port?logs=findings" --queue-dir queue-late --wait 1s >late.txt
grep -q '^waiting: ' late.txt || fail "a certificate of an unknown authority was accepted: $(cat late.txt)"
"$sensor" -r "$capture" --to "syslog+tls://localhost:$port?logs=findings&ca=ca.pem" --queue-dir queue-late >late.txt
stop
"$python" "$here/sensor_outputs.py" sent late.jsonl $((2 * alerts)) "what waited"

status=0
"$sensor" -r "$capture" --strict --log-dir strict >/dev/null || status=$?
[ "$status" = 1 ] || fail "--strict gave $status with findings of medium or above"
first=$("$sensor" -r "$capture" --filter 'level >= medium' --to stdout 2>/dev/null | jq -r 'select(._path == "findings").level' | sort -u | head -1)
[ "$first" = high ] || [ "$first" = medium ] || [ "$first" = critical ] || fail "--filter let through: $first"
[ "$("$sensor" filter 'id.resp_p == 502' zeek/conn.log | grep -vc '^#')" = "$(grep -v '^#' zeek/conn.log | awk -F'\t' '$6 == 502' | wc -l)" ] ||
    fail "filter and awk do not agree"
[ "$("$sensor" inventory "$capture" --json | jq -s length)" = "$(grep -vc '^#' zeek/inventory.log)" ] || fail "inventory"
echo "outputs: all as they should be"
