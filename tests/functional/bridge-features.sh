#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What a bridge port can be told: the bridge behaves as without the module, save for the suppressed
# copies.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3

# ---- spanning tree states. Only a port that learns or forwards learns, and only one that forwards
# gets frames.
readonly DISABLED=0 LISTENING=1 LEARNING=2 BLOCKING=4

# The kernel enables a disabled port whose link has come up, and notices that up to a second later.
links_have_settled() {
    local look
    bridge link set dev host1 state $DISABLED
    for ((look = 0; look < 12; look++)); do
        is_in_state host1 $DISABLED || return 1
        sleep 0.1
    done
}

# learns_and_gets_nothing STATE
learns_and_gets_nothing() {
    bridge link set dev host1 state "$1"
    uncounted_exchange <<PLAN
send host1 $G11 $BROADCAST count 5
send host1 $G11 $G21 count 5
send host2 $G21 $G11 count 10
expect host3 $G21 $G11 count 10
expect sniffer $G21 $G11 count 10
PLAN
    expect_attribute host1 n_macs 0
}
wait_until 20 links_have_settled
learns_and_gets_nothing $DISABLED
learns_and_gets_nothing $LISTENING

bridge link set dev host1 state $LEARNING
uncounted_exchange <<PLAN
send host1 $G11 $BROADCAST count 5
send host2 $G21 $G11 count 10
expect host3 $G21 $G11 count 10
expect sniffer $G21 $G11 count 10
PLAN
expect_attribute host1 n_macs 1

bridge link set dev host1 state $FORWARDING
# kept_from_host3: frames for G11 are
kept_from_host3() {
    remember_statistics host3
    uncounted_exchange <<PLAN
allow host3 $G21 $G11
send host2 $G21 $G11 count 10
expect host1 $G21 $G11 count 10
expect sniffer $G21 $G11 count 10
PLAN
    since host3 suppressed
    ((REPLY == 10))
}
wait_until 20 kept_from_host3

# An owner that stops forwarding has forgotten what it owned.
bridge link set dev host1 state $LISTENING
wait_until 20 attribute_is host1 n_macs 0
uncounted_exchange <<PLAN
send host2 $G21 $G11 count 10
expect host3 $G21 $G11 count 10
expect sniffer $G21 $G11 count 10
PLAN
bridge link set dev host1 state $FORWARDING
set_attribute br flush 1

# ---- a locked port: only sources that the bridge's FDB has there are let in, and learned.
bridge link set dev host1 locked on
bridge fdb add $G11 dev host1 master static
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 10
send host1 $G12 $G21 count 20
send host1 $G12 $BROADCAST count 20
expect host2 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN
# That is two MACs: the bridge makes an entry for frames without a VLAN and one for the port's VLAN.
expect_attribute host1 n_macs 2
exchange <<PLAN
send host2 $G21 $G12 count 10
expect host1 $G21 $G12 count 10
expect host3 $G21 $G12 count 10
expect sniffer $G21 $G12 count 10
PLAN
# The static entry is the bridge's: it makes no copies for others.
uncounted_exchange <<PLAN
send host2 $G21 $G11 count 10
expect host1 $G21 $G11 count 10
PLAN
# Its frames may also go to the bridge alone.
set_attribute br flush 1
own_address=$(<"/sys/class/net/br/address")
uncounted_exchange <<PLAN
port bridge br
send host1 $G12 $own_address count 10
send host1 $G11 $own_address count 20
expect bridge $G11 $own_address count 20
PLAN
expect_attribute host1 n_macs 2
bridge link set dev host1 locked off
bridge fdb del $G11 dev host1 master
set_attribute br flush 1

# ---- isolated ports don't reach each other, whoever owns the destination.
bridge -batch - <<EOF
link set dev host1 isolated on
link set dev host2 isolated on
EOF
uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
send host1 $G11 $G21 count 10
send host1 $G11 $G31 count 10
send host3 $G31 $G11 count 10
send host1 $G11 $BROADCAST count 10
expect sniffer $G11 $G21 count 10
expect host3 $G11 $G31 count 10
expect sniffer $G11 $G31 count 10
expect host1 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
expect host3 $G11 $BROADCAST count 10
expect sniffer $G11 $BROADCAST count 10
PLAN
bridge -batch - <<EOF
link set dev host1 isolated off
link set dev host2 isolated off
EOF

# ---- hairpin: a port gets its own guests' frames back, and no longer those for others.
bridge link set dev host1 hairpin on
uncounted_exchange <<PLAN
hello host1 $G12
send host1 $G11 $G12 count 10
send host1 $G11 $G21 count 20
send host1 $G11 $BROADCAST count 5
expect host1 $G11 $G12 count 10
expect sniffer $G11 $G12 count 10
expect host2 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
expect host1 $G11 $BROADCAST count 5
expect host2 $G11 $BROADCAST count 5
expect host3 $G11 $BROADCAST count 5
expect sniffer $G11 $BROADCAST count 5
PLAN
bridge link set dev host1 hairpin off

# ---- a bridge that learns by itself, and has static entries, makes fewer copies. What it makes
# passes.
ip link set dev br type bridge ageing_time 30000
bridge fdb add $NOBODY dev host3 master static
uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10

send host1 $G11 $NOBODY count 10
expect host3 $G11 $NOBODY count 10

send host1 $G11 $G33 count 10
expect host2 $G11 $G33 count 10
expect host3 $G11 $G33 count 10
expect sniffer $G11 $G33 count 10
PLAN
# What the bridge forgets the module forgets.
bridge fdb flush dev br nopermanent nostatic
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# ---- blocking: the kernel's own spanning tree blocks one end of a loop. What comes in there is not
# learned.
links - <<EOF
link add name loop1 up type veth peer name loop2
link set dev loop2 up
link set dev br type bridge ageing_time 0 stp_state 1 forward_delay 200
link set dev loop1 master br
link set dev loop2 master br
EOF
wait_for_ports loop1
wait_until 20 is_in_state loop2 $BLOCKING
set_attribute loop2 enabled 1
set_attribute br flush 1
uncounted_exchange <<PLAN
port loop loop1
hello loop $G41
send loop $G42 $G11 count 10
PLAN
expect_attribute loop2 n_macs 0
