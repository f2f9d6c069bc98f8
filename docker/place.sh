#!/bin/sh
# A place in the plant's networks: waits. With `mirror`, makes eth1 the lab's mirror port first: frames come as VXLAN to the interface
# on the mirror network, whatever the engine called it.
set -eu
if [ "${1:-}" = mirror ]; then
    under=$(ip -o -4 address show | awk '$4 ~ /^172\.31\.42\./ { print $2; exit }')
    gateway=$(ip route show default | awk '{ print $3; exit }')
    ip link set "$under" down
    ip link set "$under" name under0
    ip link set under0 up
    own=$(ip -o -4 address show | awk '$4 ~ /^10\.10\.5\./ { print $2; exit }')
    if [ "$own" != eth0 ]; then
        ip link set "$own" down
        ip link set "$own" name eth0
        ip link set eth0 up
    fi
    ip route show default | grep -q . || ip route add default via "${gateway:-10.10.5.1}"
    ip link add eth1 type vxlan id "${VNI:-42}" dstport 4789 dev under0
    ip link set eth1 up
fi
exec sleep infinity
