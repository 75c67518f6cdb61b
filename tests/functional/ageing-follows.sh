#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# On a bridge that learns by itself its ageing time is followed, until one is set here. On a hub it
# is 300 seconds, but while a topology change shortens it.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2
load_module

# expect_following SECONDS: of the bridge's time, soon
expect_following() {
    expect_attribute br ageing bridge
    attribute_is br ageing_time "$1" || wait_until 20 attribute_is br ageing_time "$1"
}

# ---- followed, in seconds rounded up; a hub has none
expect_following 300
ip link set dev br type bridge ageing_time 1150
expect_following 12
ip link set dev br type bridge ageing_time 4294967295
expect_following 1000000
ip link set dev br type bridge ageing_time 0
expect_following 300

# ---- own, and followed once more
set_attribute br ageing_time 300
expect_attribute br ageing own
ip link set dev br type bridge ageing_time 1000
holds 2 attribute_is br ageing_time 300
set_attribute br ageing bridge
expect_following 10
set_attribute br ageing own
ip link set dev br type bridge ageing_time 2000
holds 2 attribute_is br ageing_time 10
set_attribute br ageing bridge
expect_following 20

# ---- and entries do age then: here those that the bridge itself has never had
enable host1
bridge link set dev host1 learning off
exchange <<<"hello host1 $G11"
expect_attribute host1 n_macs 1
ip link set dev br type bridge ageing_time 100
wait_until 20 attribute_is host1 n_macs 0
expect_attribute host1 statistics/aged 1
bridge link set dev host1 learning on

# ---- a topology change makes it twice the forward delay, on a hub as well
ip link set dev br type bridge ageing_time 0
expect_following 300
ip link set dev br type bridge stp_state 1 forward_delay 200 max_age 600
ip link set dev host2 down
ip link set dev host2 up
expect_following 4
expect_following 300

# ---- a parameter sets it, too
unload_module
PARAMETERS=(ageing_time=60)
load_module
expect_attribute br ageing own
expect_attribute br ageing_time 60
