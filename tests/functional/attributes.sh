#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The attributes in sysfs: names, modes and defaults, and what a few of them do. (lifecycle.sh: when
# they are there.)

source "${BASH_SOURCE%/*}/lib.sh"

# Name, mode and default of each
readonly PORT_ATTRIBUTES="\
enabled 644 0
learning 644 1
unknown_unicast 644 flood
on_failure 644 open
max_macs 644 4096
n_macs 444 0
failing_open 444 0
limit_reached 444 0"
readonly BRIDGE_ATTRIBUTES="\
auto_enable 644 0
ageing_time 644 300
ageing 644 bridge
exclusive 644 0
max_macs 644 1048576
fdb_offload 644 auto
n_offloaded 444 0
default_learning 644 1
default_unknown_unicast 644 flood
default_on_failure 644 open
default_max_macs 644 4096
n_macs 444 0"

has_attributes() {
    [[ -d /sys/class/net/$1/maclearn ]]
}

# lists DEVICE ATTRIBUTES NAME...: those attributes, more of these names, the statistics, and
# nothing else
lists() {
    local device=$1 attributes=$2 directory=/sys/class/net/$1/maclearn name mode value
    local expected=("${@:3}" statistics)
    while read -r name mode value; do
        expected+=("$name")
        [[ $(stat -c %a "$directory/$name") == "$mode" ]] || fail "$device $name has another mode than $mode"
        expect_attribute "$device" "$name" "$value"
    done <<<"$attributes"
    [[ $(stat -c %a "$directory/flush") == 200 ]] || fail "$device flush has another mode than 200"
    [[ $(printf '%s\n' "${expected[@]}" | sort) == "$(ls "$directory")" ]] || fail "$(ls "$directory")"
    [[ $(printf '%s\n' "${STATISTICS[@]}" | sort) == "$(ls "$directory/statistics")" ]] ||
        fail "$(ls "$directory/statistics")"
    for name in "${STATISTICS[@]}"; do
        expect_attribute "$device" "statistics/$name" 0
    done
}

make_hub host1 host2 host3
fails has_attributes br
fails has_attributes host1

load_module
lists br "$BRIDGE_ATTRIBUTES" flush memory
lists host1 "$PORT_ATTRIBUTES" flush

# ---- renaming keeps everything
set_attribute host1 max_macs 7
ip link set dev host1 name renamed
fails has_attributes host1
expect_attribute renamed max_macs 7
set_attribute renamed max_macs 8
expect_attribute renamed max_macs 8
ip link set dev renamed name host1
expect_attribute host1 max_macs 8
ip link set dev br name hub
expect_attribute hub ageing_time 300
expect_attribute host1 max_macs 8
ip link set dev hub name br

# ---- nothing is learned while no port is enabled, and on all ports once one is
exchange <<<"hello host1 $G11"
expect_attribute br n_macs 0
enable host1
exchange <<PLAN
hello host2 $G21
hello host1 $G11
hello host1 $G12
PLAN
expect_attribute host1 n_macs 2
expect_attribute host2 n_macs 1
expect_attribute br n_macs 3
expect_attribute host1 statistics/learned 2
expect_attribute br statistics/learned 3

# ---- flush, of a port and of the bridge
set_attribute host1 flush 1
expect_attribute host1 n_macs 0
expect_attribute br n_macs 1
exchange <<<"hello host1 $G11"
set_attribute br flush 1
expect_attribute br n_macs 0
expect_attribute host2 n_macs 0

# ---- a port that does not learn: its guests are unknown
enable host2 host3
set_attribute host1 learning 0
expect_attribute host1 learning 0
exchange <<PLAN
hello host1 $G11
send host2 $G21 $G11 count 10
expect host1 $G21 $G11 count 10
expect host3 $G21 $G11 count 10
PLAN
expect_attribute host1 n_macs 0
set_attribute host1 learning 1
exchange <<PLAN
hello host1 $G11
send host2 $G21 $G11 count 10
expect host1 $G21 $G11 count 10
PLAN

# What it has learned before stays, until it ages.
set_attribute host1 learning 0
exchange <<PLAN
send host2 $G21 $G11 count 10
expect host1 $G21 $G11 count 10
PLAN
set_attribute br ageing_time 1
wait_until 20 attribute_is host1 n_macs 0
set_attribute br ageing_time 300
set_attribute host1 learning 1

# ---- the table's memory is told
get_attribute br memory
((REPLY > 0 && REPLY < 65536)) || fail "an empty table takes $REPLY bytes"

# ---- unloading takes everything away, and loading starts anew
unload_module
fails has_attributes br
fails has_attributes host1
hub_exchange <<<"send host1 $G11 $G21 count 10"
load_module
lists br "$BRIDGE_ATTRIBUTES" flush memory
lists host1 "$PORT_ATTRIBUTES" flush
