#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the bridge forgets, for whatever reason, the module forgets as well: no copy is suppressed
# for it.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3
load_module
enable host1 host2 host3

# hears_again: frames for G11, which host1 alone owned, reach everybody
hears_again() {
    uncounted_exchange <<PLAN
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
PLAN
}

# is_in_fdb ADDRESS [VLAN]: the bridge has an entry of its own, or one that is offloaded
is_in_fdb() {
    bridge -json fdb show br br |
        jq -e "any(.[]; .mac == \"$1\" and (.vlan // 0) == ${2:-0} and .ifname == \"host1\")" >"$LAB/in-fdb"
}
is_not_in_fdb() {
    ! is_in_fdb "$@"
}

# forgets COMMAND...: what was learned at host1 goes with it
forgets() {
    uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
    wait_until 20 is_in_fdb $G11
    "$@"
    expect_attribute host1 n_macs 0
    hears_again
    # No more than was asked for.
    expect_attribute host2 n_macs "$OTHERS"
}
OTHERS=1

delete() {
    bridge fdb del $G11 dev host1 master
}
flush_port() {
    ip link set dev host1 type bridge_slave fdb_flush
}
flush_of_port() {
    bridge fdb flush dev host1 master
}
flush_bridge() {
    bridge fdb flush dev br nopermanent nostatic
}

# ---- deleted and flushed: entries that are offloaded to the bridge, a hub, and its own
for ageing_time in 0 30000; do
    ip link set dev br type bridge ageing_time "$ageing_time"
    OTHERS=1
    forgets delete
    forgets flush_port
    forgets flush_of_port
    OTHERS=0
    forgets flush_bridge
done

# ---- aged, although the module has a longer time of its own
set_attribute br ageing_time 300
ip link set dev br type bridge ageing_time 200
age() {
    wait_until 20 is_not_in_fdb $G11
    # The bridge tells of it a little later.
    wait_until 20 attribute_is host1 n_macs 0
    wait_until 20 attribute_is host2 n_macs 0
}
OTHERS=0
forgets age
ip link set dev br type bridge ageing_time 0

# ---- what the bridge has not taken in, although it learns there: it floods, and so it is
# has_suppressed NUMBER: at host2, of ten copies for G11
has_suppressed() {
    remember_statistics host2
    uncounted_exchange <<PLAN
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
allow host2 $G31 $G11
PLAN
    since host2 suppressed
    ((REPLY == $1))
}
ip link set dev br type bridge ageing_time 30000 fdb_max_learned 1
exchange <<PLAN
hello host3 $G31
hello host1 $G11
PLAN
is_not_in_fdb $G11
has_suppressed 0 || fail "what the bridge floods was suppressed"
# Where it does not learn the module knows better.
bridge link set dev host1 learning off
wait_until 20 has_suppressed 10
bridge link set dev host1 learning on
wait_until 20 has_suppressed 0
ip link set dev br type bridge ageing_time 0 fdb_max_learned 0
set_attribute br flush 1

# ---- a source that a locked port no longer lets in, and that goes on sending
bridge link set dev host1 locked on learning off
bridge fdb add $G12 dev host1 master static
stream --rate 100 <<PLAN
stream host1 $G12 $NOBODY to host2
PLAN
expect_attribute host1 n_macs 2
end_stream
uncounted_exchange <<PLAN
send host1 $G12 $NOBODY count 10
expect host2 $G12 $NOBODY count 10
expect host3 $G12 $NOBODY count 10
PLAN
bridge fdb del $G12 dev host1 master
uncounted_exchange <<PLAN
send host1 $G12 $NOBODY count 10
send host3 $G31 $G12 count 10
expect host1 $G31 $G12 count 10
expect host2 $G31 $G12 count 10
PLAN
expect_attribute host1 n_macs 0
bridge link set dev host1 locked off learning on

# ---- a VLAN that the port leaves, the bridge having been given the entries
ip link set dev br type bridge vlan_filtering 1
for port in host1 host2 host3; do
    echo "vlan add dev $port vid 10"
done | bridge -batch -
uncounted_exchange <<PLAN
hello host1 $G11 vlan 10
hello host1 $G12
PLAN
wait_until 20 is_in_fdb $G11 10
wait_until 20 is_in_fdb $G12 1
expect_attribute host1 n_macs 2
bridge vlan del dev host1 vid 10
expect_attribute host1 n_macs 1
uncounted_exchange <<PLAN
send host3 $G31 $G11 count 10 vlan 10
expect host2 $G31 $G11 count 10 vlan 10
PLAN
bridge vlan add dev host1 vid 10

# ---- and that it joins again at once
set_attribute br fdb_offload off
uncounted_exchange <<PLAN
hello host1 $G11 vlan 10
hello host1 $G12
PLAN
expect_attribute host1 n_macs 2
bridge -batch - <<EOF
vlan del dev host1 vid 10
vlan add dev host1 vid 10
EOF
expect_attribute host1 n_macs 1
set_attribute br fdb_offload auto

# ---- vlan_filtering switched: what was learned in the other mode never rules again
for filtering in 0 1 0; do
    set_attribute br flush 1
    uncounted_exchange <<<"hello host1 $G11"
    expect_attribute host1 n_macs 1
    ip link set dev br type bridge vlan_filtering $filtering
    expect_attribute host1 n_macs 0
    # The guest has moved, and is silent when the mode is the old one again.
    ip link set dev br type bridge vlan_filtering $((1 - filtering))
    hears_again
    ip link set dev br type bridge vlan_filtering $filtering
done
