#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Four nested hosts and a sniffer: each port gets exactly the frames for the MACs behind it.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 host4 sniffer
load_module

talk=$(
    cat <<PLAN
hello host1 $G11
hello host1 $G12
hello host2 $G21
hello host2 $G22
hello host3 $G31
hello host4 $G41
send host1 $G11 $G21 count 100
send host2 $G21 $G11 count 100
send host1 $G12 $G22 count 10 size 1514
send host3 $G31 $G41 count 10
send host4 $G41 $BROADCAST count 5
send host3 $G31 $MULTICAST count 5
send sniffer $SNIFFER $G31 count 7
PLAN
)

# Nobody filters yet: a hub.
hub_exchange <<<"$talk"

enable host1 host2 host3 host4
exchange <<PLAN
$talk
expect host2 $G11 $G21 count 100
expect host1 $G21 $G11 count 100
expect host2 $G12 $G22 count 10
expect host4 $G31 $G41 count 10
expect host3 $SNIFFER $G31 count 7

expect sniffer $G11 $G21 count 100
expect sniffer $G21 $G11 count 100
expect sniffer $G12 $G22 count 10
expect sniffer $G31 $G41 count 10

expect host1 $G41 $BROADCAST count 5
expect host2 $G41 $BROADCAST count 5
expect host3 $G41 $BROADCAST count 5
expect sniffer $G41 $BROADCAST count 5
expect host1 $G31 $MULTICAST count 5
expect host2 $G31 $MULTICAST count 5
expect host4 $G31 $MULTICAST count 5
expect sniffer $G31 $MULTICAST count 5
PLAN
expect_since host2 passed_owned 110
expect_since host1 passed_owned 100
expect_since host3 passed_owned 7
expect_since host4 passed_owned 10
expect_attribute host1 n_macs 2
expect_attribute host2 n_macs 2
expect_attribute sniffer n_macs 1

# A port that is disabled gets every copy again, the others go on.
disable host4
exchange <<PLAN
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect host4 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
PLAN

disable host1 host2 host3
hub_exchange <<<"$talk"
