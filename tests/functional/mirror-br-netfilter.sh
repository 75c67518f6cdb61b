#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# As mirror.sh, with br_netfilter, by which IP's hooks and connection tracking see bridged frames:
# what these count and know is the same, too. And where NAT sends frames on to other stations.

# shellcheck disable=SC2034 # for mirror.sh
BESIDE_BR_NETFILTER=1
# shellcheck source=tests/functional/mirror.sh
source "${BASH_SOURCE%/*}/mirror.sh"

# ---- NAT: the bridge learns the station's MAC from the host's neighbours, the first time by way of
# the bridge device, which is no reason to take the frame for the host's own
on_both sysctl --quiet net.ipv4.ip_forward=1
both_links <<LINKS
neighbour add 10.0.0.21 lladdr $G31 dev br
neighbour add 10.0.0.22 lladdr $U1 dev br
neighbour add 10.0.0.23 lladdr $NOBODY dev br
neighbour add 10.0.0.24 lladdr $G33 dev br
LINKS
both_nft <<NFT
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat
        dnat to ip daddr map {
            10.0.1.21 : 10.0.0.21, 10.0.1.22 : 10.0.0.22, 10.0.1.23 : 10.0.0.23,
            10.0.1.24 : 10.0.0.24 }
    }
    chain postrouting {
        type nat hook postrouting priority srcnat
        ip daddr 10.0.0.22 snat to 10.0.0.200
    }
}
NFT
for round in 1 2; do
    same <<PLAN
open
$(for from in "host1 $G11" "host3 $G31" "uplink $U1" "sniffer $S1"; do
        for to in "$G21" "$NOBODY" "$BRIDGE" "$BROADCAST"; do
            for address in 21 22 23 24; do
                echo "send $from $to udp 10.0.1.$address"
            done
        done
    done)
PLAN
done

# ---- what connection tracking is not to see, as it does not see IPv6's neighbour discovery, is no
# more than that for the host: not something that it should have known
both_nft <<NFT
table ip raw {
    chain prerouting {
        type filter hook prerouting priority raw
        ip daddr 10.0.0.255 notrack
    }
}
NFT
same <<PLAN
open
send host1 $G11 $BROADCAST udp 10.0.0.255
send uplink $U1 $BROADCAST udp 10.0.0.255
PLAN
