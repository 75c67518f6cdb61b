#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loading, unloading, joining, leaving and dying namespaces while frames are on their way: nothing is lost
# that is owned.

source "${BASH_SOURCE%/*}/lib.sh"

readonly LOADS=100 JOINS=100 NAMESPACES=50

make_hub host1 host2 host3
ip link add guest type dummy

load_module
stream <<PLAN
hello host1 $G11
hello host2 $G21
stream host1 $G11 $G21 to host2
stream host2 $G21 $G11 to host1
stream host3 $G31 $BROADCAST to host1,host2
PLAN

# Load, enable, unload.
for ((i = 0; i < LOADS; i++)); do
    if ((i > 0)); then load_module; fi
    enable host1 host2 host3
    unload_module
done

# A port that joins and leaves, enabled and learning. Its MAC is the bridge's while it is a port.
load_module
enable host1 host2 host3
set_attribute br auto_enable 1
for ((i = 0; i < JOINS; i++)); do
    ip link set guest master br up
    ip link set guest nomaster
done
expect_attribute host1 enabled 1

# Namespaces with a bridge of their own that die with their ports enabled.
for ((i = 0; i < NAMESPACES; i++)); do
    unshare --net "$BASH" -c '
        ip link add name br up type bridge ageing_time 0 &&
            ip link add name one up master br type dummy &&
            mount -t sysfs sysfs /sys && echo 1 >/sys/class/net/one/maclearn/enabled && umount /sys'
done
end_stream
