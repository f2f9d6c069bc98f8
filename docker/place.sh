#!/bin/sh
# A place in the plant's networks: waits. Before that, in this order:
#   mirror OWN        makes eth1 the lab's mirror port: frames come as VXLAN to the interface that has the address OWN
#   plant OWN PLANT   gives the interface that has the address OWN the plant's address PLANT instead, with its .1 as gateway
# The engine chooses the names of interfaces, so they are found by their addresses; what meets the plant is called eth0.
set -eu
interface_of() { ip -o -4 address show | awk -v own="$1" '{ split($4, it, "/"); if (it[1] == own) { print $2; exit } }'; }
rename() { # from, to: a rename needs the interface down, which forgets its routes
    [ "$1" != "$2" ] || return 0
    ip link set "$1" down
    ip link set "$1" name "$2"
    ip link set "$2" up
}
gateway=$(ip route show default | awk '{ print $3; exit }')
while [ $# -gt 0 ]; do
    case $1 in
    mirror)
        rename "$(interface_of "$2")" under0
        for other in $(ip -o link show | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' | grep '^eth'); do rename "$other" eth0; done
        ip link add eth1 type vxlan id "${VNI:-42}" dstport 4789 dev under0
        ip link set eth1 up
        shift 2
        ;;
    plant)
        at=$(interface_of "$2")
        ip address flush dev "$at"
        ip address add "$3/24" dev "$at"
        gateway=${3%.*}.1
        shift 3
        ;;
    *)
        echo "place: what is $1?" >&2
        exit 2
        ;;
    esac
done
ip route show default | grep -q . || [ -z "$gateway" ] || ip route add default via "$gateway"
exec sleep infinity
