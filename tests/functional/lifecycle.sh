#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bridges and ports come and go, before and after loading: their attributes are there while they
# are.

source "${BASH_SOURCE%/*}/lib.sh"

has_attributes() {
    [[ -e /sys/class/net/$1/maclearn/n_macs ]]
}

expect_attributes() {
    local device
    for device; do
        has_attributes "$device" || fail "$device has no attributes"
    done
}

expect_no_attributes() {
    local device
    for device; do
        ! has_attributes "$device" || fail "$device has attributes"
    done
}

conversation() {
    exchange <<PLAN
hello $1 $G11
hello $2 $G21
send $1 $G11 $G21 count 10
expect $2 $G11 $G21 count 10
PLAN
}

# What exists before loading is picked up.
make_hub host1 host2 host3
ip link add plain type dummy
load_module
expect_attributes br host1 host2 host3
expect_no_attributes plain lo
expect_attribute host1 enabled 0
expect_attribute host1 learning 1
expect_attribute host1 unknown_unicast flood
expect_attribute host1 on_failure open
expect_attribute host1 max_macs 4096
expect_attribute host1 n_macs 0
expect_attribute host1 failing_open 0
expect_attribute br ageing_time 300
expect_attribute br auto_enable 0
expect_attribute br exclusive 0
expect_attribute br max_macs 1048576
expect_attribute br n_macs 0
for name in "${STATISTICS[@]}"; do
    expect_attribute host1 "statistics/$name" 0
    expect_attribute br "statistics/$name" 0
done

# What is made later has them too, and a port loses them when it leaves.
enable host1 host2 host3
conversation host1 host2
add_ports br host4
expect_attributes host4
expect_attribute host4 enabled 0
ip link set plain master br
expect_attributes plain
ip link set plain nomaster
expect_no_attributes plain

# A port that comes back is a new one.
set_attribute host4 unknown_unicast suppress
enable host4
ip link set host4 nomaster
expect_no_attributes host4
ip link set host4 master br
expect_attribute host4 enabled 0
expect_attribute host4 unknown_unicast flood

# With auto_enable, ports that join are enabled, those that are there stay as they are.
set_attribute br auto_enable 1
expect_attribute host4 enabled 0
ip link set plain master br
expect_attribute plain enabled 1
ip link del plain
set_attribute br auto_enable 0

# A MAC goes with the port that owned it.
hello=$(printf 'hello host3 %s\n' "$G31")
exchange <<<"$hello"
get_attribute br n_macs
before=$REPLY
ip link set host3 nomaster
expect_attribute br n_macs $((before - 1))
ip link set host3 master br

# Renaming keeps settings and what was learned.
ip link set host1 name renamed
expect_attribute renamed enabled 1
expect_attribute renamed n_macs 1
expect_no_attributes host1
ip link set renamed name host1

# A port that moves to another namespace leaves the bridge, and joins the one it finds there.
add_namespaces away
links away <<<"link add name br up type bridge ageing_time 0"
ip link set host3 netns away
expect_no_attributes host3
ip -n away link set host3 master br up
[[ $(ip netns exec away cat /sys/class/net/host3/maclearn/enabled) == 0 ]]
ip -n away link set host3 nomaster
ip -n away link set host3 netns 1
HUB_PORTS=(host1 host2)
conversation host1 host2

# A bridge that goes takes nothing of another one.
links - <<LINKS
link add name br2 up type bridge ageing_time 0
link add name other master br2 type dummy
LINKS
expect_attributes br2 other
enable other
ip link del br2
expect_no_attributes other br2
expect_attribute host1 enabled 1
conversation host1 host2

# The last port that is disabled ends the learning.
disable host1 host2
expect_attribute br n_macs 0

# Unloading takes all attributes along.
unload_module
expect_no_attributes br host1 host2 other
