#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Together with connection tracking, the bridge's own and that of br_netfilter: fragments are put
# together before a frame is learned from, and the whole is taken apart again after its copy was
# filtered. And with NAT by br_netfilter, which gives a frame another MAC on its way.

source "${BASH_SOURCE%/*}/lib.sh"

readonly TRANSLATED=10.0.0.9

make_hub host1 host2 host3 sniffer
ip address add 10.0.0.254/24 dev br
add_guest host1 anna 1
add_guest host2 bert 2
add_guest host3 carl 3
# However slow the machine is, nobody probes, in frames of its own, an address that it has used
# before.
echo 600 >/proc/sys/net/ipv4/neigh/br/delay_first_probe_time
for guest in anna bert carl; do
    ip netns exec $guest "$BASH" -c "echo 600 >/proc/sys/net/ipv4/neigh/eth0/delay_first_probe_time"
done
load_module

# expect_private ADDRESS BYTES FRAMES: that anna's pings, with so many bytes in so many frames, and
# their answers are seen by host1, host2 and the sniffer, and by nobody else
expect_private() {
    local guest count=20
    for guest in anna bert carl; do ip -n "$guest" neigh flush nud all; done
    ip neigh flush nud all dev br
    [[ $1 != "$TRANSLATED" ]] || ip -n anna neigh replace $TRANSLATED lladdr $NOBODY dev eth0
    for guest in anna bert carl; do pings $guest 10.0.0.254 1; done
    pings anna "$1" 1
    begin_count host1 host2 host3 sniffer
    pings anna "$1" $count -s "$2"
    end_count
    counted host1 .unicast.frames
    ((REPLY == $3 * count)) || fail "host1 got $REPLY frames"
    counted host2 .unicast.frames
    ((REPLY == $3 * count)) || fail "host2 got $REPLY frames"
    counted sniffer .unicast.frames
    ((REPLY == 2 * $3 * count)) || fail "the sniffer got $REPLY frames"
    counted host3 .unicast.frames
    # A frame that was given its MAC may have gone through the bridge device, and what VLAN it came
    # in is forgotten.
    if [[ $1 == "$TRANSLATED" ]] && attribute_is br ../bridge/vlan_filtering 1; then
        ((REPLY <= $3 * count)) || fail "host3 got $REPLY frames"
    else
        ((REPLY == 0)) || fail "host3 got $REPLY frames"
    fi
}

# firewall FAMILY: tracks connections and lets only those through that anna begins; it sees no
# fragment
firewall() {
    nft -f - <<EOF
table $1 firewall {
    counter fragments { }
    counter whole { }
    chain forward {
        type filter hook forward priority 0
        ip frag-off & 0x3fff != 0 counter name fragments
        ip protocol icmp ip length > 3000 counter name whole
        ct state established accept
        ip protocol icmp ip saddr 10.0.0.1 accept
        ip protocol icmp drop
    }
}
EOF
}

# expect_whole FAMILY: there were fragments, and each was put together
expect_whole() {
    local output
    output=$(nft list counter "$1" firewall fragments)
    [[ $output == *"packets 0 "* ]] || fail "the firewall saw fragments: $output"
    output=$(nft reset counter "$1" firewall whole)
    [[ $output != *"packets 0 "* ]] || fail "the firewall saw no whole packet"
}

# with_fragments ADDRESS...: pings that come in three, on a bridge that filters VLANs and on one
# that does not
with_fragments() {
    local filtering address
    for filtering in 0 1; do
        ip link set dev br type bridge vlan_filtering $filtering
        for address; do
            expect_private "$address" 4000 3
        done
    done
}

enable host1 host2 host3
expect_private 10.0.0.2 56 1

# ---- the bridge's own
firewall bridge
with_fragments 10.0.0.2
expect_whole bridge
fails ip netns exec carl ping -n -q -c 1 -W 1 10.0.0.1
nft delete table bridge firewall

# ---- br_netfilter's, and an address that stands for another: its MAC is found when the frame is in
# the bridge
[[ -e /proc/sys/net/bridge ]] || modprobe br_netfilter
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
echo 1 >/proc/sys/net/ipv4/conf/br/forwarding
firewall ip
nft -f - <<EOF
table ip translation {
    chain prerouting {
        type nat hook prerouting priority -100
        ip daddr $TRANSLATED dnat to 10.0.0.2
    }
}
EOF
with_fragments 10.0.0.2 $TRANSLATED
expect_whole ip

# ---- where MACs are offloaded
ip link set dev br type bridge vlan_filtering 0
enable sniffer
for guest in anna bert carl; do pings $guest 10.0.0.254 1; done
offloads() {
    get_attribute br n_offloaded
    ((REPLY >= 3))
}
wait_until 20 offloads
pings anna 10.0.0.2 20 -s 4000
pings anna $TRANSLATED 20 -s 4000
