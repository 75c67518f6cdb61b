#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Together with the neighbours: br_netfilter and iptables, an nftables bridge firewall, ebtables,
# IGMP snooping.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 host4 sniffer
load_module

# ---- An nftables bridge firewall: its forward chain sees the copies that survive and no others,
# however early it is; what its prerouting chain drops is not learned.
nft -f - <<EOF
table bridge firewall {
    chain prerouting {
        type filter hook prerouting priority -300
        ether saddr $G12 drop
    }
    chain earliest {
        type filter hook forward priority -2000000000
        counter name copies
    }
    chain forward {
        type filter hook forward priority 0
        oifname host4 ether saddr $G11 drop
    }
    counter copies { }
}
EOF

# expect_copies NUMBER: that many since the last time
expect_copies() {
    local output
    output=$(nft reset counter bridge firewall copies)
    [[ $output =~ packets\ ([0-9]+) ]]
    ((BASH_REMATCH[1] == $1)) || fail "the firewall saw ${BASH_REMATCH[1]} copies, not $1"
}

# A hub makes four copies of each, and the firewall takes one.
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 100
expect host2 $G11 $G21 count 100
expect host3 $G11 $G21 count 100
expect sniffer $G11 $G21 count 100
PLAN
expect_copies 400

enable host1 host2 host3 host4
uncounted_exchange <<PLAN
hello host2 $G21
hello host4 $G41
hello host1 $G12
PLAN
expect_copies 8
expect_attribute host1 n_macs 0
exchange <<PLAN
send host1 $G11 $G21 count 100
expect host2 $G11 $G21 count 100
expect sniffer $G11 $G21 count 100
PLAN
expect_copies 200

# What the firewall forbids is forbidden for the owner, too.
uncounted_exchange <<PLAN
send host1 $G11 $G41 count 10
expect sniffer $G11 $G41 count 10
PLAN
expect_copies 20
nft delete table bridge firewall

# ---- ebtables
ebtables-nft -A FORWARD -o host2 -s $G13 -j DROP
uncounted_exchange <<PLAN
send host1 $G13 $G21 count 10
expect sniffer $G13 $G21 count 10
PLAN
ebtables-nft -F FORWARD

# ---- IGMP snooping: a group that host2 has joined goes to host2, others to all; unicast is
# filtered as before.
readonly GROUP=01:00:00:00:00:42
for snooping in 1 0; do
    ip link set dev br type bridge mcast_snooping "$snooping"
    members=(host2 host3 host4 sniffer)
    if ((snooping)); then
        bridge mdb add dev br port host2 grp $GROUP permanent
        members=(host2)
    fi
    uncounted_exchange <<PLAN
$(printf "expect %s $G11 $GROUP count 10\n" "${members[@]}")
send host1 $G11 $GROUP count 10
send host1 $G11 $MULTICAST count 10
expect host2 $G11 $MULTICAST count 10
expect host3 $G11 $MULTICAST count 10
expect host4 $G11 $MULTICAST count 10
expect sniffer $G11 $MULTICAST count 10
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN
    if ((snooping)); then
        bridge mdb del dev br port host2 grp $GROUP permanent
    fi
done

# ---- br_netfilter: IP frames pass through iptables on their way.
[[ -e /proc/sys/net/bridge ]] || modprobe br_netfilter
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
add_guest host1 anna 1
add_guest host2 bert 2
add_guest host3 carl 3
iptables -A FORWARD -p icmp
iptables -A FORWARD -p icmp -s 10.0.0.3 -d 10.0.0.2 -j DROP

# expect_only_host1_and_host2: that ping between these arrives there and at the sniffer, and nowhere
# else
expect_only_host1_and_host2() {
    local guest
    # Nobody probes, in frames of its own, an address that it has used before.
    for guest in anna bert carl; do ip -n "$guest" neigh flush all; done
    pings anna 10.0.0.2 1
    begin_count host1 host2 host3 host4 sniffer
    pings anna 10.0.0.2 20
    end_count
    counted sniffer '.unicast.frames'
    ((REPLY >= 40)) || fail "the sniffer got $REPLY frames"
    counted host1 '.unicast.frames'
    ((REPLY >= 20)) || fail "host1 got $REPLY frames"
    counted host2 '.unicast.frames'
    ((REPLY >= 20)) || fail "host2 got $REPLY frames"
    counted host3 '.unicast.frames'
    ((REPLY == 0)) || fail "host3 got $REPLY frames"
    counted host4 '.unicast.frames'
    ((REPLY == 0)) || fail "host4 got $REPLY frames"
}
expect_only_host1_and_host2

# iptables sees each frame once for each copy that survives: 21 pings and their answers, for two
# ports each.
iptables_output=$(iptables -L FORWARD 1 -v -n -x)
[[ $iptables_output =~ ^\ *([0-9]+) ]]
((BASH_REMATCH[1] >= 80)) || fail "iptables saw ${BASH_REMATCH[1]} frames"

# And what it forbids is forbidden.
pings carl 10.0.0.1 1
fails ip netns exec carl ping -n -q -c 1 -W 1 10.0.0.2

# The same where the bridge takes the VLAN tag off before the copy is filtered.
ip link set dev br type bridge vlan_filtering 1
expect_only_host1_and_host2
echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
expect_only_host1_and_host2
