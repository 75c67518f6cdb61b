#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# drop-ins/containerlab: what its README says works as it stands there, and undoing it leaves
# nothing; so do a lab of many hubs, and one that is started again.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)

show_when_settled

install_packages
cd drop-ins/containerlab
own_sections
open_document drop-ins/containerlab/README.md
example "Set it up"
example "Set it up"
example "Set it up"
own_sections_hold
example "A bridge inside a node"

# A frame between two nodes is spared the third.
for node in 1 2 3; do
	ip -n node$node address add 10.0.0.$node/24 dev eth1
	ip -n node$node link set eth1 up
	ip -n node$node link set eth2 up
done
pings() { [[ $(on node1 ping -q -c "$1" -i 0.2 -W 5 10.0.0.2) == *" 0% packet loss"* ]]; }
pings 3
are_given() { (($(attribute lab-core n_offloaded) >= 2)); }
wait_until 20 are_given
# received: unicast of the echo requests and replies that node 3 gets. ARP aside, nothing is sent
# otherwise.
received() { on node3 cat /sys/class/net/eth1/statistics/rx_bytes; }
before=$(received)
pings 20
(($(received) - before < 20 * 98)) ||
	fail "node3 got $(($(received) - before)) bytes of 20 pings that are not for it"

# A node that is started again has new ports, with the settings of those that were there.
ip netns del node3
wait_until 20 test ! -e /sys/class/net/eth3
ip netns add node3
ip link add name eth3 up master lab-core type veth peer name eth1 netns node3
wait_until 20 is_attribute eth3 enabled 1

# Many hubs, made and removed while the service follows
for network in $(seq 2 41); do
	echo "link add name vnet0_$network up type bridge ageing_time 0"
	for node in 1 2 3 4; do
		echo "link add name vunl0_${node}_$network up master vnet0_$network type dummy"
	done
done | ip -batch -
for network in $(seq 2 41); do
	for node in 1 2 3 4; do wait_until 60 is_attribute "vunl0_${node}_$network" enabled 1; done
done
is_attribute veth1a2b3c enabled 0
for network in $(seq 2 41); do
	for node in 1 2 3 4; do echo "link del dev vunl0_${node}_$network"; done
	echo "link del dev vnet0_$network"
done | ip -batch -
[[ $(systemctl is-active maclearn) == active ]]

example "Undo"
no_more_examples
[[ ! -e /sys/module/maclearn && ! -e /sys/class/net/lab-core/maclearn ]]
own_sections_remain
# What the tools made is as they made it.
[[ $(</sys/class/net/lab-core/bridge/ageing_time) == 0 && -e /sys/class/net/lab-core/brif/eth3 ]]
pings 3
