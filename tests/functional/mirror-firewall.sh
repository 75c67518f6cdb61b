#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# As mirror.sh, where a firewall rewrites addresses: a group's to a station's, a station's to a
# group's or to another station's, and to the bridge's own. What gets every copy gets what it gets
# on a hub.

source "${BASH_SOURCE%/*}/twins.sh"

readonly U1=02:00:00:00:08:01 S1=$SNIFFER
make_twins "host1 host2 host3 host4 host5 host6" "uplink sniffer"
owns host1 $G11
owns host2 $G21
owns host3 $G31 $G33
owns host4 $G41 $G33
owns uplink $U1
owns sniffer $S1
readonly ALL=6
mirrors $ALL

readonly DESTINATIONS="$BROADCAST $MULTICAST $G21 $G31 $G33 $U1 $S1 $NOBODY $BRIDGE"

# as_on_a_hub: with all kinds of frames. What was for a group passes at filtered ports.
as_on_a_hub() {
    same <<<"open
$(
        for from in "host1 $G11" "uplink $U1" "sniffer $S1" "br $BRIDGE"; do
            for destination in $DESTINATIONS; do echo "send $from $destination"; done
        done
        echo "send host1 $G11 $BROADCAST udp 10.0.0.255"
        echo "send host1 $G11 $MULTICAST gso 10"
        echo "send host1 $G11 $G21 gso 10"
        echo "send br $BRIDGE $G21 gso 10"
    )"
}

# rewritten HOOK FROM TO [MATCH...]: by a rule of the bridge family there
rewritten() {
    both_nft <<NFT
table bridge rewriter {
    chain every { type filter hook $1 priority -300; ${*:4} ether daddr $2 ether daddr set $3; }
}
NFT
    as_on_a_hub
    on_both nft delete table bridge rewriter
}

# ---- as a frame comes in
for to in $G21 $G33 $U1 $S1 $NOBODY $BRIDGE; do
    rewritten prerouting $BROADCAST "$to"
done
rewritten prerouting $MULTICAST $G21
rewritten prerouting $MULTICAST $U1
for to in $BROADCAST $MULTICAST $G31 $U1 $NOBODY $BRIDGE; do
    rewritten prerouting $G21 "$to"
done
rewritten prerouting $U1 $MULTICAST
rewritten prerouting $NOBODY $G21
rewritten prerouting $BRIDGE $G21

# ---- as a copy leaves through a port that gets every one: the bridge has decided by then where it
# goes
for hook in forward output postrouting; do
    for port in uplink sniffer; do
        rewritten $hook $G21 $MULTICAST oifname $port
        rewritten $hook $MULTICAST $G21 oifname $port
        rewritten $hook $G21 $U1 oifname $port
    done
done
