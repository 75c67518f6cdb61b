#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Of a frame for a group the bridge makes a copy for each member behind a port with
# mcast_to_unicast, addressed to that member alone: nobody else gets it, so it passes, whoever owns
# the address.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe

# group NAMESPACE COMMAND DEVICE MAC
group() {
    local namespace=$1
    shift
    if [[ $namespace == . ]]; then
        python3 group.py "$@"
    else
        ip netns exec "$namespace" python3 group.py "$@"
    fi
}

# arrived: how many frames have, at host2's end, is in REPLY then
arrived() {
    REPLY=$(ip -n hosts -json -stats link show dev host2 | jq '.[].stats64.rx.packets')
}

has_arrived() {
    arrived
    ((REPLY == ARRIVED + 1))
}

# gets_it NAMESPACE DEVICE MAC: a frame for the group from there arrives at host2, once
gets_it() {
    arrived
    ARRIVED=$REPLY
    remember_statistics host2
    group "$1" send "$2" "$3"
    wait_until 20 has_arrived
    expect_since host2 passed_multicast 1
    expect_since host2 suppressed 0
}

make_hub host1 host2 host3
ip link set dev br address $BRIDGE
load_module
# All copies are made, with or without entries of the bridge's own.
set_attribute br fdb_offload off
enable host1 host2 host3
# Without somebody who asks for members, what is for a group is flooded. The bridge asks, and
# believes after a while that it is alone.
ip link set dev br type bridge mcast_query_response_interval 10
ip link set dev br type bridge mcast_snooping 1 mcast_querier 1
bridge link set dev host2 mcast_to_unicast on
group hosts join host2 $G21
# Nobody but the member gets it then.
is_directed() {
    local before
    remember_statistics host3
    arrived
    before=$REPLY
    group hosts send host1 $G11
    arrived
    since host3 passed_multicast
    ((REPLY == 0)) || return 1
    arrived
    ((REPLY > before))
}
wait_until 20 is_directed
gets_it hosts host1 $G11
gets_it . br $BRIDGE

# ---- the member's address was seen elsewhere, last
set_attribute br exclusive 1
exchange <<<"hello host3 $G21"
expect_attribute host2 n_macs 0
gets_it hosts host1 $G11
gets_it . br $BRIDGE
set_attribute br exclusive 0

# ---- nobody has seen it
set_attribute br flush 1
set_attribute host2 unknown_unicast suppress
gets_it hosts host1 $G11
gets_it . br $BRIDGE

# ---- what is for the member itself is another's still
exchange <<<"hello host3 $G21"
exchange <<PLAN
send host1 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
PLAN
