#!/usr/bin/env bash
# The captures as an independent dissector sees them:
#   bash .ci/interop/tshark.sh BINARY WORKDIR [SCENARIO...]
# A run that lies in WORKDIR/SCENARIO is taken as it is; the others are recorded there with seed 1. first-shift is read
# whole. Of the long scenarios tshark reads the first frames and those around the first and last frames of each step in
# truth.jsonl, each stretch on its own; FIELDRANGE_WHOLE_CAPTURES=1 reads every frame (some minutes).
# Holds: no malformed packet, no wrong checksum, DNP3's included, no warning about a DNP3 frame, no TCP analysis flag but those
# allowed below, and everybody whom the scenario names talks in the protocol that it should. Needs tshark with editcap and capinfos, jq.
set -euo pipefail
[ $# -ge 2 ] || { sed -n 2,3p "$0"; exit 2; }
binary=$1 work=$2
shift 2
scenarios=("$@")
((${#scenarios[@]})) || scenarios=(first-shift oldsmar night-tank ordinary-day breaker-sweep aurora switching-order far-tank
    rogue-station borrowed-badge)

fail() {
    echo "tshark: $*" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Flags of tcp.analysis that a scenario's attack steps or faults cause, as an extended regular expression of tshark's
# words, and why. On the control network of the water works none does: refused connections are reset, and lost peers are seen before
# they are sent to. The line to substation 9 loses two frames in a thousand, that to the regional dispatch one in fifty.
allowed_flags() {
    case $1 in
        breaker-sweep | aurora | switching-order | far-tank | rogue-station | address-list) echo 'retransmission|Duplicate ACK|segment\(s\) not captured|out-of-order' ;;
        *) echo '^$' ;;
    esac
}

# First frames of a scenario that are read.
head_frames() {
    case $1 in
        ordinary-day) echo 100000 ;;
        # Whole: its DNP3 frames are few and far between.
        far-tank) echo 400000 ;;
        *) echo 60000 ;;
    esac
}

# Who talks to whom in which protocol: source, destination, last layer. Besides these the station and the historian poll
# all controllers in every scenario, PLC-2 asks PLC-3, and the enterprise historian the OT historian.
talks() {
    case $1 in
        first-shift)
            echo "192.168.1.77 192.168.1.101 modbus"
            echo "192.168.1.77 192.168.1.102 modbus"
            ;;
        oldsmar)
            echo "203.0.113.40 192.168.1.20 vnc"
            echo "192.168.1.20 203.0.113.40 vnc"
            ;;
        night-tank)
            echo "192.168.1.88 192.168.1.102 modbus"
            echo "192.168.1.88 192.168.1.103 modbus"
            echo "192.168.1.103 192.168.1.88 modbus"
            ;;
        ordinary-day) ;;
        task-list) echo "192.168.1.61 192.168.1.102 modbus" ;;
        rogue-station)
            echo "192.168.1.66 192.168.1.103 dnp3"
            echo "192.168.1.66 192.168.1.102 modbus"
            echo "192.168.60.15 192.168.1.103 dnp3"
            ;;
        eager-scan)
            echo "192.168.1.93 192.168.1.103 modbus"
            echo "192.168.1.93 192.168.1.101 modbus"
            ;;
        quiet-reader | change-window) echo "192.168.1.30 192.168.1.102 modbus" ;;
        slow-creep) echo "192.168.1.30 192.168.1.101 modbus" ;;
        borrowed-badge) echo "192.168.1.30 192.168.1.102 modbus" ;;
        far-tank)
            echo "192.168.60.15 192.168.1.103 dnp3"
            echo "192.168.1.103 192.168.60.15 dnp3"
            echo "192.168.1.30 192.168.1.103 dnp3"
            ;;
        breaker-sweep | aurora | switching-order | address-list)
            for rtu in 105 107 109; do
                echo "192.168.10.15 192.168.$rtu.10 dnp3"
                echo "192.168.$rtu.10 192.168.10.15 dnp3"
            done
            echo "192.168.10.15 192.168.120.10 modbus"
            echo "192.168.120.10 192.168.10.15 modbus"
            if [ "$1" = aurora ]; then echo "192.168.10.30 192.168.109.10 dnp3"; fi
            if [ "$1" = address-list ]; then echo "192.168.10.30 192.168.105.10 dnp3"; fi
            if [ "$1" = breaker-sweep ]; then echo "192.168.10.30 192.168.10.15 vnc"; fi
            return
            ;;
        *) fail "no expectations for scenario $1" ;;
    esac
    for plc in 101 102 103; do
        for client in 10 20; do
            echo "192.168.1.$client 192.168.1.$plc modbus"
            echo "192.168.1.$plc 192.168.1.$client modbus"
        done
    done
    echo "192.168.1.102 192.168.1.103 modbus"
    echo "192.168.1.103 192.168.1.102 modbus"
    echo "10.0.4.10 192.168.1.10 tds"
    echo "192.168.1.10 10.0.4.10 tds"
}

record() { # scenario
    mkdir -p "$work"
    if [ ! -f "$work/$1/span.pcapng" ]; then
        "$binary" simulate "$1" --seed 1 --out "$work/$1" >"$scratch/simulate.txt" 2>&1 ||
            fail "$1 cannot be recorded: $(tail -5 "$scratch/simulate.txt")"
    fi
}

# Stretches of a run that are read, FIRST-LAST per line: ascending, apart.
stretches() { # scenario, number of its frames
    jq -r '.frames | select(length > 0) | "\(min) \(max)"' "$work/$1/truth.jsonl" |
        awk -v head="$(head_frames "$1")" -v frames="$2" '
            function stretch(first, last) { print (first < 1 ? 1 : first), (last > frames ? frames : last) }
            BEGIN { stretch(1, head) }
            { stretch($1 - 1000, $1 + 5000); stretch($2 - 1000, $2 + 1000) }' |
        sort -n | awk '
            NR == 1 { first = $1; last = $2; next }
            $1 > last + 1 { print first "-" last; first = $1; last = $2; next }
            $2 > last { last = $2 }
            END { print first "-" last }'
}

# One row per frame: number, source, destination, layers, then what is wrong with it in tshark's words, comma-separated.
dissect() { # capture
    tshark -r "$1" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields \
        -e frame.number -e ip.src -e ip.dst -e frame.protocols -e tcp.analysis.flags -e _ws.malformed \
        -e ip.checksum.status -e tcp.checksum.status -e _ws.expert.message -e dnp3.data_chunk.CRC.incorrect \
        -e _ws.expert.severity -e tcp.port -e tcp.len 2>"$scratch/tshark.txt" ||
        fail "tshark on $1: $(cat "$scratch/tshark.txt")"
}

# Rows of `dissect` that must not be there: NUMBER REASON WORDS.
wrong() { # regular expression of allowed flags
    awk -F'\t' -v allowed="$1" '
        $6 != "" { print $1 "\tmalformed\t" $9; next }
        $10 != "" { print $1 "\tDNP3 block\t" $9; next }
        # With a wrong header, or a wrong checksum of it, tshark takes a frame for no DNP3 at all.
        $12 ~ /(^|,)20000(,|$)/ && $13 > 0 && $4 !~ /dnp3/ && $5 == "" { print $1 "\tDNP3 header\t" $9; next }
        $7 ~ /0/ || $8 ~ /0/ { print $1 "\tchecksum\t" $9; next }
        $4 ~ /dnp3/ && $5 == "" {
            # 6291456 is a warning, 8388608 an error.
            count = split($11, severities, ",")
            for (n = 1; n <= count; n++) if (severities[n] >= 6291456) { print $1 "\texpert\t" $9; next }
        }
        $5 != "" && $9 !~ allowed { print $1 "\ttcp.analysis\t" $9 }'
}

# Damage that must be seen, or this script proves nothing: four frames missing, then one octet in a hundred altered.
# Takes the first frames of an undamaged capture.
control() { # capture
    editcap -r "$1" "$scratch/sound.pcapng" 1-2000
    editcap "$scratch/sound.pcapng" "$scratch/gap.pcapng" 1000-1003
    editcap --seed 7 -E 0.01 "$scratch/sound.pcapng" "$scratch/damaged.pcapng" 2>/dev/null
    dissect "$scratch/gap.pcapng" | wrong '^$' | cut -f2 | grep -qx tcp.analysis || fail "missing frames are not noticed"
    dissect "$scratch/damaged.pcapng" | wrong '^$' | cut -f2 | sort -u >"$scratch/reasons.txt"
    for reason in malformed checksum tcp.analysis; do
        grep -qx "$reason" "$scratch/reasons.txt" || fail "$reason is not noticed in a damaged capture"
    done
    echo "damaged captures are noticed"
}

# One octet altered in the header of a DNP3 frame and one in a block of another must be seen for themselves: TCP's own
# checksum, which then is wrong too, is left out of the rows.
control_dnp3() { # capture
    local at
    cp "$1" "$scratch/altered.pcapng"
    mapfile -t at < <(LC_ALL=C grep -obUaP '\x05\x64[\x0a-\xff]\xc4' "$1" | cut -d: -f1 | head -40)
    printf '\xee' | dd of="$scratch/altered.pcapng" bs=1 seek="$((at[20] + 8))" conv=notrunc status=none
    printf '\xee' | dd of="$scratch/altered.pcapng" bs=1 seek="$((at[30] + 11))" conv=notrunc status=none
    dissect "$scratch/altered.pcapng" | awk -F'\t' -v OFS='\t' '{ $7 = $8 = ""; print }' | wrong '.' | cut -f2 | sort >"$scratch/reasons.txt"
    printf 'DNP3 block\nDNP3 header\n' | cmp -s - "$scratch/reasons.txt" ||
        fail "two damaged DNP3 frames are not noticed: $(tr '\n' ';' <"$scratch/reasons.txt")"
    echo "damaged DNP3 frames are noticed"
}

check() { # scenario
    local scenario=$1 capture=$work/$1/span.pcapng frames read=0 begin=$SECONDS
    record "$scenario"
    frames=$(capinfos -TrMc "$capture" | cut -f2)
    if [ "$scenario" = first-shift ] || [ -n "${FIELDRANGE_WHOLE_CAPTURES:-}" ]; then
        dissect "$capture" >"$scratch/rows.tsv"
    else
        # Each stretch alone: frames left out between two would look like lost ones.
        : >"$scratch/rows.tsv"
        for stretch in $(stretches "$scenario" "$frames"); do
            editcap -r "$capture" "$scratch/stretch.pcapng" "$stretch"
            dissect "$scratch/stretch.pcapng" |
                awk -F'\t' -v OFS='\t' -v before="$((${stretch%-*} - 1))" '{ $1 += before; print }' >>"$scratch/rows.tsv"
        done
    fi
    read=$(wc -l <"$scratch/rows.tsv")
    ((read >= 50000 || read == frames)) || fail "$scenario: only $read of $frames frames were read"
    wrong "$(allowed_flags "$scenario")" <"$scratch/rows.tsv" >"$scratch/wrong.tsv"
    if [ -s "$scratch/wrong.tsv" ]; then
        head -20 "$scratch/wrong.tsv" >&2
        fail "$scenario: $(wc -l <"$scratch/wrong.tsv") frames of $capture are not as they should be"
    fi
    cut -f2-4 "$scratch/rows.tsv" | sort -u >"$scratch/talks.tsv"
    talks "$scenario" | sort -u >"$scratch/expected.txt"
    while read -r source destination protocol; do
        awk -F'\t' -v s="$source" -v d="$destination" -v p=":$protocol\$" '$1 == s && $2 == d && $3 ~ p { found = 1 } END { exit !found }' \
            "$scratch/talks.tsv" || fail "$scenario: no $protocol from $source to $destination in the $read frames read"
    done <"$scratch/expected.txt"
    echo "$scenario: $read of $frames frames read, $(wc -l <"$scratch/expected.txt") conversations as expected, $((SECONDS - begin)) s"
}

# Several go side by side, each in a process of its own.
if ((${#scenarios[@]} > 1)); then
    printf '%s\n' "${scenarios[@]}" | xargs -P "$(nproc)" -I '{}' bash "$0" "$binary" "$work" '{}'
    exit
fi
for scenario in "${scenarios[@]}"; do
    check "$scenario"
    if [ "$scenario" = aurora ]; then control_dnp3 "$work/aurora/span.pcapng"; fi
    if [ "$scenario" = first-shift ]; then
        control "$work/first-shift/span.pcapng"
        echo "who speaks on port 502 of first-shift:"
        tshark -r "$work/first-shift/span.pcapng" -Y "tcp.port == 502" -T fields -e ip.src -e ip.dst -e frame.protocols \
            2>/dev/null | sort | uniq -c | grep modbus
    fi
done
