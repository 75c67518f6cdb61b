#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Together with tc on ports and on the bridge: what a filter redirects, mirrors or rewrites before
# the bridge has it is learned as the bridge sees it; what it does to a copy later concerns that
# copy alone.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe
readonly SELF="port bridge br"

make_hub host1 host2 host3 sniffer
ip link set dev br address $BRIDGE
load_module
enable host1 host2 host3
exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
PLAN

# tc on all devices, and no filter
for device in br host1 host2 host3; do
    echo "qdisc add dev $device clsact"
done | tc -batch -

# filters DEVICE DIRECTION: the lines of standard input, one a filter, are all that there is
filters() {
    local line
    tc filter del dev "$1" "$2"
    while IFS= read -r line; do
        echo "filter add dev $1 $2 protocol all $line"
    done | tc -batch -
}

# ---- on its way in: dropped, handed to another port, sent past the bridge, sent by the bridge
# device itself
filters host1 ingress <<EOF
pref 1 flower src_mac $G12 action drop
pref 2 flower src_mac $G13 action mirred ingress redirect dev host2
pref 3 u32 match u32 0x02000000 0xffffffff at -8 match u16 0x0401 0xffff at -4 action mirred egress redirect dev host3
pref 4 flower src_mac $G42 action mirred egress redirect dev br
pref 5 matchall action ok
EOF
exchange <<<"$ONLY_OWNERS_GET"
uncounted_exchange <<PLAN
send host1 $G12 $G21 count 5
send host1 $G13 $G31 count 5
expect host3 $G13 $G31 count 5
expect sniffer $G13 $G31 count 5
send host1 $G41 $G21 count 5
expect host3 $G41 $G21 count 5
send host1 $G42 $G21 count 5
expect host2 $G42 $G21 count 5
expect sniffer $G42 $G21 count 5
PLAN
expect_attribute host1 n_macs 1
expect_attribute host2 n_macs 2
exchange <<PLAN
send host3 $G31 $G13 count 5
expect host2 $G31 $G13 count 5
expect sniffer $G31 $G13 count 5
PLAN

# ---- on its way in: mirrored, and both addresses rewritten
filters host1 ingress <<EOF
pref 1 flower dst_mac $NOBODY action pedit ex munge eth dst set $G21
pref 2 flower src_mac $G12 action pedit ex munge eth src set $G43
pref 3 flower dst_mac $G21 action mirred egress mirror dev host3
EOF
filters host2 ingress <<EOF
pref 1 flower dst_mac $G31 action mirred ingress mirror dev br
EOF
uncounted_exchange <<PLAN
$SELF
send host1 $G11 $NOBODY count 5
expect host2 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
send host1 $G12 $G31 count 5
expect host3 $G43 $G31 count 5
expect sniffer $G43 $G31 count 5
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect host3 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
send host2 $G21 $G31 count 20
expect host3 $G21 $G31 count 20
expect sniffer $G21 $G31 count 20
expect bridge $G21 $G31 count 20
PLAN
expect_attribute host1 n_macs 2
exchange <<PLAN
send host3 $G31 $G43 count 5
expect host1 $G31 $G43 count 5
expect sniffer $G31 $G43 count 5
PLAN
tc filter del dev host1 ingress
tc filter del dev host2 ingress

# ---- on its way out: what was suppressed never comes to the filter
filters host2 egress <<EOF
pref 1 flower dst_mac $G21 action mirred egress mirror dev host3 continue
pref 2 matchall action pedit ex munge eth src set $G42
EOF
filters host3 egress <<EOF
pref 1 bpf bytecode '1,6 0 0 4294967295,' action ok
EOF
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G42 $G21 count 5
expect host3 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
send host1 $G11 $G31 count 5
expect host3 $G11 $G31 count 5
expect sniffer $G11 $G31 count 5
PLAN
tc filter del dev host2 egress
tc filter del dev host3 egress

# ---- on the bridge device: what it sends and what it gets
filters br egress <<EOF
pref 1 flower dst_mac $G31 action pedit ex munge eth dst set $G21
pref 2 flower dst_mac $NOBODY action mirred egress redirect dev host3
pref 3 matchall action ok
EOF
filters br ingress <<EOF
pref 1 matchall action mirred egress mirror dev host3
EOF
uncounted_exchange <<PLAN
$SELF
send bridge $BRIDGE $G21 count 10
send bridge $BRIDGE $G31 count 10
expect host2 $BRIDGE $G21 count 20
expect sniffer $BRIDGE $G21 count 20
send bridge $BRIDGE $NOBODY count 10
expect host3 $BRIDGE $NOBODY count 10
send host1 $G11 $BRIDGE count 10
expect bridge $G11 $BRIDGE count 10
expect host3 $G11 $BRIDGE count 10
PLAN
tc filter del dev br egress
tc filter del dev br ingress

# ---- VLAN tags put on and taken off: a bridge that filters VLANs learns in that of the tag
ip link set dev br type bridge vlan_filtering 1
bridge -batch - <<EOF
vlan add dev host1 vid 10
vlan add dev host2 vid 10
vlan add dev host3 vid 10
vlan add dev sniffer vid 10
EOF
filters host1 ingress <<EOF
pref 1 flower src_mac $G12 action vlan push id 10
EOF
filters host2 egress <<EOF
pref 1 matchall action vlan pop
EOF
uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
hello host2 $G22 vlan 10
send host1 $G12 $G22 count 5
expect host2 $G12 $G22 count 5
expect sniffer $G12 $G22 count 5 vlan 10
send host3 $G31 $G12 count 5 vlan 10
expect host1 $G31 $G12 count 5 vlan 10
expect sniffer $G31 $G12 count 5 vlan 10
$ONLY_OWNERS_GET
PLAN
