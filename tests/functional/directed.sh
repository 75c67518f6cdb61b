#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Why a bridge with a port that gets every copy has to make the copies: what the bridge forwards to
# one port, or does not flood, is shown to a module only where that would be too late or too early.
# These are the kernel's ways, without maclearn, that Documentation/design.md argues from.

source "${BASH_SOURCE%/*}/lib.sh"

readonly COUNT=10

make_hub host1 host2 sniffer
nft -f - <<'RULES'
table bridge seen {
    counter entering { }
    counter leaving { }
    chain enter { type filter hook prerouting priority 0; ether saddr & ff:ff:ff:00:00:00 == 02:00:00:00:00:00 counter name entering; }
    chain leave { type filter hook forward priority 0; ether saddr & ff:ff:ff:00:00:00 == 02:00:00:00:00:00 counter name leaving; }
}
RULES
bridge fdb add "$G21" dev host2 master static

# seen ENTERING LEAVING PORT: what the hooks see of frames that enter through the port, for what
# host2 owns
seen() {
    local hook frames
    nft reset counters table bridge seen >/dev/null
    uncounted_exchange
    for hook in "entering $1" "leaving $2"; do
        read -r hook frames <<<"$hook"
        REPLY=$(nft --json list counter bridge seen "$hook" | jq '.nftables[].counter.packets | values')
        ((REPLY == frames)) || fail "the hook for what is $hook saw $REPLY frames, not $frames"
    done
}

# ---- A directed frame is seen as it leaves through the owner's port. A hook could make the
# sniffer's copy there.
seen $COUNT $COUNT <<PLAN
send host1 $G11 $G21 count $COUNT
expect host2 $G11 $G21 count $COUNT
PLAN

# But a frame that came from there leaves nowhere, and a hub copies it to the sniffer.
seen $COUNT 0 <<PLAN
send host2 $G22 $G21 count $COUNT
PLAN

# Nor does one between isolated ports,
bridge link set dev host1 isolated on
bridge link set dev host2 isolated on
seen $COUNT 0 <<PLAN
send host1 $G11 $G21 count $COUNT
PLAN
bridge link set dev host1 isolated off
bridge link set dev host2 isolated off

# or for a port that does not forward.
bridge link set dev host2 state 1
seen $COUNT 0 <<PLAN
send host1 $G11 $G21 count $COUNT
PLAN
bridge link set dev host2 state 3
bridge fdb del "$G21" dev host2 master

# ---- With flooding off at all ports but the sniffer's, its copy is where a hook could make the
# owner's. There is none of what the sniffer's port, an uplink perhaps, sends itself.
bridge link set dev host1 flood off
bridge link set dev host2 flood off
seen $COUNT $COUNT <<PLAN
send host1 $G11 $G21 count $COUNT
expect sniffer $G11 $G21 count $COUNT
PLAN
seen $COUNT 0 <<PLAN
send sniffer $SNIFFER $G21 count $COUNT
PLAN
bridge link set dev host1 flood on
bridge link set dev host2 flood on

# ---- As it enters, every frame is seen, also those that the bridge goes on to refuse: from a
# locked port,
bridge link set dev host1 locked on
seen $COUNT 0 <<PLAN
send host1 $G11 $G21 count $COUNT
PLAN
bridge link set dev host1 locked off

# and in a VLAN that the port is not in.
ip link set dev br type bridge vlan_filtering 1
seen $COUNT 0 <<PLAN
send host1 $G11 $G21 vlan 10 count $COUNT
PLAN
