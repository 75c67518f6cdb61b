#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# As mirror.sh, on a bridge that filters VLANs: what gets every copy gets it with the tag that a hub
# gives it, VLAN and priority, and of no other VLAN, whatever the bridge device is a member of.

source "${BASH_SOURCE%/*}/twins.sh"

readonly U1=02:00:00:00:08:01 U2=02:00:00:00:08:02 S1=$SNIFFER S2=02:00:00:00:09:02
make_twins "host1 host2 host3 host4 host5 host6" "uplink sniffer"
both_links <<<"link set dev br type bridge vlan_filtering 1"
# VLAN 1 is every port's, untagged. In VLAN 20 there is no filtered port that a frame could be kept
# from but host6.
both_bridge <<VLANS
vlan add dev br vid 10 self
vlan add dev host1 vid 10
vlan add dev host2 vid 10
vlan add dev host3 vid 10 pvid untagged
vlan add dev uplink vid 10
vlan add dev sniffer vid 10
vlan add dev host4 vid 20
vlan add dev host5 vid 20 pvid untagged
vlan add dev host6 vid 20
vlan add dev sniffer vid 20
VLANS

# all_own [TPID:]: each speaks in its VLAN
all_own() {
    OWNERS=''
    owns host1 $G11
    owns host2 $G21
    owns host5 $G43
    owns uplink $U1
    owns sniffer $S1
    owns host3 $G32
    owns host1 $G12 vlan 10
    owns host2 $G22 vlan 10
    owns uplink $U2 vlan 10
    owns sniffer $S2 vlan 10
    owns host4 $G42 vlan 20
    owns sniffer $S1 vlan 20
}
readonly ALL=12

# kinds [TPID:]: frames of every kind, tagged so
kinds() {
    cat <<PLAN
send host1 $G11 $G21
send host1 $G11 $U1
send host1 $G11 $S1
send host1 $G11 $NOBODY
send host1 $G11 $BROADCAST
send host1 $G11 $BRIDGE
send host1 $G11 $G21 gso 10
send host1 $G11 $G21 tag ${1}0:3
send host1 $G11 $NOBODY tag ${1}0:3
send host1 $G12 $G22 tag ${1}10
send host1 $G12 $G22 tag ${1}10:5
send host1 $G12 $G32 tag ${1}10:7
send host1 $G12 $U2 tag ${1}10:1
send host1 $G12 $S2 tag ${1}10:1
send host1 $G12 $NOBODY tag ${1}10:5
send host1 $G12 $BROADCAST tag ${1}10:5
send host1 $G12 $BRIDGE tag ${1}10:5
send host1 $G12 $G22 tag ${1}10:5 tag 30
send host1 $G12 $G32 tag ${1}10:6 tag 30:2
send host1 $G12 $G22 tag ${1}10 gso 10
send host1 $G12 $G22 tag ${1}10 udp $BRIDGE_IP
send host1 $G11 $G42 tag ${1}20
send host3 $G32 $G12
send host3 $G32 $U2
send host3 $G32 $G12 tag ${1}0:4
send host3 $G32 $BRIDGE
send host4 $G42 $G43 tag ${1}20:2
send host4 $G42 $NOBODY tag ${1}20
send host4 $G42 $BROADCAST tag ${1}20
send host4 $G42 $BRIDGE tag ${1}20
send host5 $G43 $G42
send host5 $G43 $BROADCAST
send uplink $U1 $G21
send uplink $U1 $S1
send uplink $U2 $G22 tag ${1}10:5
send uplink $U2 $NOBODY tag ${1}10:5
send uplink $U2 $G42 tag ${1}20
send sniffer $S2 $G22 tag ${1}10
send sniffer $S1 $G42 tag ${1}20:1
send br $BRIDGE $G21
send br $BRIDGE $U1
send br $BRIDGE $NOBODY
send br $BRIDGE $BROADCAST
send br $BRIDGE $G22 tag ${1}10:5
send br $BRIDGE $G32 tag ${1}10
send br $BRIDGE $S2 tag ${1}10:2
send br $BRIDGE $NOBODY tag ${1}10:5
send br $BRIDGE $G42 tag ${1}20
send br $BRIDGE $G21 gso 10
send br $BRIDGE $G22 tag ${1}10:5 gso 10
PLAN
}

# as_on_a_hub [WORD...]
tpid=
as_on_a_hub() {
    same <<<"$(printf '%s\n' "$@")
$(kinds "$tpid")"
}

# The bridge device sends VLAN 1 untagged, has VLAN 10 tagged, and is no member of 20.
all_own
mirrors $ALL
as_on_a_hub
as_on_a_hub promisc
# The host's own buffers, which are segmented before the bridge has them where a port takes none
both_links <<LINKS
neighbour add 10.0.0.2 lladdr $G21 dev br
neighbour add 10.0.0.3 lladdr $U1 dev br
LINKS
# own_buffers [WORD]
own_buffers() {
    same <<PLAN
${1:-}
speak 10.0.0.2 20
speak 10.0.0.3 20
PLAN
}
own_buffers
on_both ethtool --offload host6 tso off gso off tx-udp-segmentation off
own_buffers open
on_both ethtool --offload host6 tso on gso on tx-udp-segmentation on

# A sniffer that has every VLAN untagged, and one that gets its own frames back
both_bridge <<VLANS
vlan add dev sniffer vid 10 untagged
vlan add dev sniffer vid 20 untagged
link set dev sniffer hairpin on
VLANS
as_on_a_hub
both_bridge <<VLANS
vlan add dev sniffer vid 1
vlan add dev sniffer vid 10
vlan add dev sniffer vid 20
link set dev sniffer hairpin off
VLANS
as_on_a_hub open

# The bridge device: in VLAN 1 tagged, in 10 untagged; a member of none; and of all
both_bridge <<VLANS
vlan add dev br vid 1 self pvid
vlan add dev br vid 10 self untagged
VLANS
mirrors $ALL
as_on_a_hub
both_bridge <<VLANS
vlan del dev br vid 1 self
vlan del dev br vid 10 self
VLANS
as_on_a_hub
as_on_a_hub promisc
both_bridge <<VLANS
vlan add dev br vid 1 self pvid untagged
vlan add dev br vid 10 self
vlan add dev br vid 20 self
VLANS
both_links <<LINKS
link add name br.10 link br up type vlan id 10
link add name br.20 link br up type vlan id 20
address add 10.0.1.254/24 dev br.10
LINKS
as_on_a_hub "listen br.10 br.20"
both_links <<LINKS
link del dev br.10
link del dev br.20
LINKS

# A port that gets every copy, but not of a VLAN that it is no member of
both_bridge <<VLANS
vlan del dev sniffer vid 20
vlan del dev uplink vid 1
VLANS
mirrors $((ALL - 2))
as_on_a_hub open
both_bridge <<VLANS
vlan add dev sniffer vid 20
vlan add dev uplink vid 1 pvid untagged
VLANS
owns uplink $U1
owns sniffer $S1 vlan 20

# An owner that is no longer in the VLAN
both_bridge <<<"vlan del dev host2 vid 10"
mirrors $((ALL - 1))
as_on_a_hub open
both_bridge <<<"vlan add dev host2 vid 10"
owns host2 $G22 vlan 10
mirrors $ALL
as_on_a_hub

# Service tags: others are part of what a frame carries
both_links <<<"link set dev br type bridge vlan_protocol 802.1ad"
mirrors $ALL
same <<PLAN
send host1 $G11 $G21 tag 10:5
send uplink $U1 $G21 tag 10:5
send br $BRIDGE $G21 tag 10:5
PLAN
tpid=88a8:
as_on_a_hub

# ---- A member of a group that the bridge directs to it, as unicast, in a VLAN that has a querier.
# (Where it snoops by VLAN it can't be asked whether there is one.)
both_links <<<"link set dev br type bridge mcast_snooping 1 mcast_vlan_snooping 1"
both_bridge <<VLANS
vlan global set vid 10 dev br mcast_query_response_interval 10 mcast_querier 1
link set dev host3 mcast_to_unicast on
VLANS
ip netns exec hosts python3 group.py join host3 $G32
ip netns exec hub-hosts python3 group.py join host3 $G32
# are_directed: the member gets what both bridges send to the group there, and host2 gets nothing
both_links <<<"link add name br.10 link br up type vlan protocol 802.1ad id 10"
direct() {
    cd /sys/class/net
    cat host{2,3}/statistics/tx_packets
    (cd "$OLDPWD" && python3 group.py send br.10 "$1")
    cat host{2,3}/statistics/tx_packets
}
export -f direct
are_directed() {
    local sent twin
    for twin in "" "ip netns exec hub"; do
        # shellcheck disable=SC2086 # words
        $twin "$BASH" -c "direct $BRIDGE" >"$LAB/sent"
        mapfile -t sent <"$LAB/sent"
        ((sent[2] == sent[0] && sent[3] > sent[1])) || return 1
    done
}
wait_until 20 are_directed
both_links <<<"link del dev br.10"
mirrors $ALL
same <<PLAN
silent
send br $BRIDGE 01:00:5e:01:01:01 tag ${tpid}10:5 udp 239.1.1.1
send br $BRIDGE $G32 tag ${tpid}10 udp 239.1.1.1
send br $BRIDGE $G22 tag ${tpid}10:5
PLAN
