#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Many ports that own much leave, or change their VLAN, and the module is unloaded while many are
# there: none of that takes much longer than where they own nothing, so it does not go through all
# that the others own for each port.

source "${BASH_SOURCE%/*}/lib.sh"

case $(uname -r) in
*-uml) ports=100 entries=5000 ;;
*-debug) ports=60 entries=500 ;;
*) ports=40 entries=200 ;;
esac

# What a port's leaving waits for otherwise depends on the clock more than on the work.
echo 1 >/sys/kernel/rcu_expedited

many=()
for ((port = 0; port < ports; port++)); do many+=("many$port"); done

# for_all COMMAND: carries out an `ip` command for each of the ports, whose name is @ there
for_all() {
    local port
    for port in "${many[@]}"; do echo "${1//@/$port}"; done | links -
}

# milliseconds COMMAND...: the time that it computes, not that it waits, in REPLY
milliseconds() {
    local TIMEFORMAT='%3S' seconds
    { time "$@"; } 2>"$LAB/seconds"
    seconds=$(<"$LAB/seconds")
    REPLY=$((10#${seconds/./}))
}

# walk_20_times: goes through the whole table, whose unit of time changes
walk_20_times() {
    local time
    for ((time = 0; time < 10; time++)); do
        set_attribute br ageing_time 1000000
        set_attribute br ageing_time 300
    done
}

# compare WHAT COMMAND: a full table makes it take less than half of what it would take to go
# through it for each port. It has to be seen once in ten rounds: the machine does other work as
# well, which makes times longer, and none shorter.
compare() {
    local empty walks round
    for round in {1..10}; do
        prepare
        milliseconds "$2"
        empty=$REPLY
        prepare
        netlink_client spread "$entries" "${many[@]}"
        expect_attribute br n_macs $((ports * entries))
        milliseconds walk_20_times
        walks=$((ports * REPLY / 20))
        milliseconds "$2"
        echo "$1: $empty ms with an empty table, $REPLY ms with $((ports * entries)) MACs, a walk for each is $walks ms"
        ((REPLY > empty + walks / 2 + 50)) || return 0
    done
    fail "$1 takes longer the more MACs there are, $round times"
}

leave() {
    for_all "link set dev @ nomaster"
}

PVID=1
change_vlan() {
    PVID=$((6 - PVID))
    ip link set dev br type bridge vlan_default_pvid $PVID
}

# prepare: the module is loaded, and all are ports that are enabled and own nothing
prepare() {
    for_all "link set dev @ master br"
    [[ $MODULE_LOADED ]] || load_module
    set_attribute br max_macs 0
    # What the bridge is given is deleted there when it goes, and costs what that costs.
    set_attribute br fdb_offload off
    set_attribute br flush 1
    for port in "${many[@]}"; do set_attribute "$port" max_macs 0; done
    enable stays "${many[@]}"
    expect_attribute br n_macs 0
}

on_processors 1
links - <<EOF
link add name br up type bridge ageing_time 0
link add name stays master br type dummy
EOF
for_all "link add name @ type dummy"

compare "unloading with $ports ports" unload_module
compare "the change of the VLAN of $ports ports" change_vlan
compare "the leaving of $ports ports" leave
