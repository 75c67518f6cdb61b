#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A VXLAN tunnel as a port: guests of another site are behind it. It filters, and owns, as any other
# port does.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 sniffer
[[ -e /sys/module/vxlan ]] || modprobe vxlan

# The tunnel's other end is in the namespace of the hosts, and is called the same.
links - <<EOF
link add name under up type veth peer name under netns hosts
link set dev under address 02:00:00:00:ee:01
address add 192.168.0.1/24 dev under
neigh replace 192.168.0.2 lladdr 02:00:00:00:ee:02 nud permanent dev under
EOF
links hosts <<EOF
link set dev under address 02:00:00:00:ee:02 up
address add 192.168.0.2/24 dev under
neigh replace 192.168.0.1 lladdr 02:00:00:00:ee:01 nud permanent dev under
EOF
# tunnel NAMESPACE LOCAL REMOTE OPTION...
tunnel() {
    links "$1" <<<"link add name tunnel up ${*:4} type vxlan id 5 dstport 4789 dev under local $2 remote $3"
}
tunnel - 192.168.0.1 192.168.0.2 master br
tunnel hosts 192.168.0.2 192.168.0.1
wait_for_ports tunnel
HUB_PORTS+=(tunnel)
load_module

talk=$(
    cat <<PLAN
hello host1 $G11
hello host2 $G21
hello tunnel $G31
send host1 $G11 $G21 count 20
send host1 $G11 $G31 count 20
send tunnel $G31 $G11 count 20
send tunnel $G32 $BROADCAST count 5
send host1 $G11 $G32 count 20
PLAN
)
hub_exchange <<<"$talk"

# ---- it filters
enable host1 host2 tunnel
exchange <<PLAN
$talk
expect host2 $G11 $G21 count 20
expect tunnel $G11 $G31 count 20
expect tunnel $G11 $G32 count 20
expect host1 $G31 $G11 count 20
expect host1 $G32 $BROADCAST count 5
expect host2 $G32 $BROADCAST count 5
expect sniffer $G32 $BROADCAST count 5
expect sniffer $G11 $G21 count 20
expect sniffer $G11 $G31 count 20
expect sniffer $G31 $G11 count 20
expect sniffer $G11 $G32 count 20
PLAN
expect_since tunnel suppressed 20
expect_attribute tunnel n_macs 2

# ---- a guest moves to the other site and back
exchange <<PLAN
send tunnel $G21 $G11 count 5
expect host1 $G21 $G11 count 5
expect sniffer $G21 $G11 count 5
send host1 $G11 $G21 count 5
expect tunnel $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
send host2 $G31 $G11 count 5
expect host1 $G31 $G11 count 5
expect sniffer $G31 $G11 count 5
send host1 $G11 $G31 count 5
expect tunnel $G11 $G31 count 5
expect host2 $G11 $G31 count 5
expect sniffer $G11 $G31 count 5
PLAN

# ---- tagged frames keep their tags through the tunnel, and each VLAN its owners
set_attribute br flush 1
ip link set dev br type bridge vlan_filtering 1
for port in host1 host2 tunnel sniffer; do
    echo "vlan add dev $port vid 10"
done | bridge -batch -
exchange <<PLAN
hello host1 $G11 vlan 10
hello host2 $G31 vlan 10
hello tunnel $G31
send host1 $G11 $G31 count 5 vlan 10
expect host2 $G11 $G31 count 5 vlan 10
expect sniffer $G11 $G31 count 5 vlan 10
send host1 $G11 $G31 count 5
expect tunnel $G11 $G31 count 5
expect sniffer $G11 $G31 count 5
PLAN
ip link set dev br type bridge vlan_filtering 0

# ---- the bridge forwards frames into the tunnel, and floods no more
set_attribute br flush 1
enable sniffer
exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello tunnel $G31
PLAN
wait_until 20 attribute_is br n_offloaded 3
exchange <<PLAN
send host1 $G11 $G31 count 20
expect tunnel $G11 $G31 count 20
send tunnel $G31 $G21 count 20
expect host2 $G31 $G21 count 20
send host2 $G31 $G11 count 5
expect host1 $G31 $G11 count 5
send host1 $G11 $G31 count 5
expect tunnel $G11 $G31 count 5
expect host2 $G11 $G31 count 5
PLAN
