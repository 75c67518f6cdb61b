#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# VLANs: a bridge that filters them learns and filters in each by itself; one that doesn't looks at
# MACs alone.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 host4 sniffer
ip link set dev br type bridge vlan_filtering 1
# host1 and host4 send VLAN 10 untagged, host3 VLAN 20; host2 and the sniffer get both tagged.
bridge -batch - <<EOF
vlan del dev host1 vid 1
vlan del dev host2 vid 1
vlan del dev host3 vid 1
vlan del dev host4 vid 1
vlan del dev sniffer vid 1
vlan add dev host1 vid 10 pvid untagged
vlan add dev host1 vid 20
vlan add dev host2 vid 10
vlan add dev host2 vid 20
vlan add dev host3 vid 20 pvid untagged
vlan add dev host4 vid 10 pvid untagged
vlan add dev sniffer vid 10
vlan add dev sniffer vid 20
EOF
load_module

# The same MAC is behind host2 in VLAN 10 and behind host3 in VLAN 20.
talk=$(
    cat <<PLAN
hello host2 $G21 vlan 10
hello host3 $G21
hello host4 $G41
send host1 $G11 $G21 count 10
send host1 $G11 $G21 count 20 vlan 20
send host2 $G21 $G41 count 30 vlan 10
PLAN
)
owners_get=$(
    cat <<PLAN
expect host2 $G11 $G21 count 10 vlan 10
expect host3 $G11 $G21 count 20
expect host4 $G21 $G41 count 30

expect sniffer $G11 $G21 count 10 vlan 10
expect sniffer $G11 $G21 count 20 vlan 20
expect sniffer $G21 $G41 count 30 vlan 10
PLAN
)

# Without filtering every member of the VLAN gets them, too.
uncounted_exchange <<PLAN
$talk
$owners_get
expect host4 $G11 $G21 count 10
expect host2 $G11 $G21 count 20 vlan 20
expect host1 $G21 $G41 count 30
PLAN

enable host1 host2 host3 host4
remember_statistics host1 host2 host3 host4
uncounted_exchange <<PLAN
$talk
$owners_get
PLAN
expect_since host1 suppressed 30
expect_since host2 suppressed 20
expect_since host3 suppressed 0
expect_since host4 suppressed 10
expect_since host2 passed_owned 10
expect_since host3 passed_owned 20
expect_since host4 passed_owned 30
expect_attribute br n_macs 5

# A priority tag (VLAN 0) is the PVID.
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 10 vlan 0
expect host2 $G11 $G21 count 10 vlan 10
expect sniffer $G11 $G21 count 10 vlan 10
PLAN

# A source in a VLAN that the port is not in is not learned, nor an untagged one when there is no
# PVID.
set_attribute br flush 1
uncounted_exchange <<PLAN
hello host4 $G42 vlan 20
hello host2 $G22
PLAN
expect_attribute br n_macs 0
uncounted_exchange <<PLAN
send host1 $G11 $G42 count 10 vlan 20
expect host2 $G11 $G42 count 10 vlan 20
expect host3 $G11 $G42 count 10
expect sniffer $G11 $G42 count 10 vlan 20
PLAN

# A VLAN that goes away from a port, and comes back: what was learned there goes with it.
uncounted_exchange <<PLAN
hello host2 $G22 vlan 20
send host3 $G31 $G22 count 10
expect host2 $G31 $G22 count 10 vlan 20
expect sniffer $G31 $G22 count 10 vlan 20
PLAN
expect_attribute host2 n_macs 1
bridge vlan del dev host2 vid 20
wait_until 20 attribute_is host2 n_macs 0
uncounted_exchange <<PLAN
send host3 $G31 $G22 count 10
expect host1 $G31 $G22 count 10 vlan 20
expect sniffer $G31 $G22 count 10 vlan 20
PLAN
bridge vlan add dev host2 vid 20
uncounted_exchange <<PLAN
send host3 $G31 $G22 count 10
expect host1 $G31 $G22 count 10 vlan 20
expect host2 $G31 $G22 count 10 vlan 20
expect sniffer $G31 $G22 count 10 vlan 20
PLAN

# A bridge that doesn't filter VLANs carries tagged frames like any others, one MAC being one MAC.
ip link set dev br type bridge vlan_filtering 0
set_attribute br flush 1
exchange <<PLAN
hello host2 $G21 vlan 30
send host1 $G11 $G21 count 10 vlan 30
send host1 $G11 $G21 count 20 vlan 40
send host1 $G11 $G21 count 30
send host1 $G11 $G21 count 40 vlan 50.60
expect host2 $G11 $G21 count 10 vlan 30
expect host2 $G11 $G21 count 20 vlan 40
expect host2 $G11 $G21 count 30
expect host2 $G11 $G21 count 40 vlan 50.60
expect sniffer $G11 $G21 count 10 vlan 30
expect sniffer $G11 $G21 count 20 vlan 40
expect sniffer $G11 $G21 count 30
expect sniffer $G11 $G21 count 40 vlan 50.60
PLAN
expect_attribute br n_macs 2
