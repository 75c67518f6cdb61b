#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: hosts
# drop-ins/proxmox: what its README says works as it stands there, and undoing it leaves nothing.
# What is of Proxmox VE is made here in the way of its PVE::Network: bridges, ports, names and
# flags. A node is a network namespace.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)
readonly G1=02:00:00:00:01:01

# bridge_add_interface BRIDGE PORT [TAG]
bridge_add_interface() {
	ip link set "$2" master "$1"
	[[ $(<"/sys/class/net/$1/bridge/vlan_filtering") == 1 ]] || return 0
	bridge vlan del dev "$2" vid 1-4094
	[[ ${3:-} ]] || bridge vlan add dev "$2" vid 2-4094
	bridge vlan add dev "$2" vid "${3:-1}" pvid untagged
}

# no_learning PORT: as bridge-disable-mac-learning
no_learning() {
	echo 0 >"/sys/class/net/$1/brport/unicast_flood"
	echo 0 >"/sys/class/net/$1/brport/learning"
}

# plug tap107i0 BRIDGE TAG FIREWALL: the NIC of a guest, which is a namespace; its port is in PORT
# then
plug() {
	local id=${1//[^0-9]/ }
	read -r id _ <<<"$id"
	[[ -e /run/netns/guest$id ]] || ip netns add "guest$id"
	ip link add name "$1" up type veth \
		peer name eth0 address "02:00:00:00:00:${id: -2}" netns "guest$id"
	ip -n "guest$id" link set eth0 up
	PORT=$1
	if [[ $4 == on ]]; then
		PORT=fwpr${id}p0
		ip link add name "fwbr${id}i0" up type bridge \
			ageing_time "$(bridge_setting "$2" ageing_time)" forward_delay 0
		ip link add name "fwln${id}i0" up type veth peer name "$PORT"
		ip link set "$PORT" up
		bridge_add_interface "$2" "$PORT" "$3"
		bridge_add_interface "fwbr${id}i0" "fwln${id}i0"
		bridge_add_interface "fwbr${id}i0" "$1"
	else
		bridge_add_interface "$2" "$1" "$3"
	fi
}

bridge_setting() {
	cat "/sys/class/net/$1/bridge/$2"
}

# unplug tap107i0
unplug() {
	local id=${1//[^0-9]/ }
	read -r id _ <<<"$id"
	ip link del "$1"
	[[ ! -e /sys/class/net/fwbr${id}i0 ]] ||
		{ ip link del "fwln${id}i0" && ip link del "fwbr${id}i0"; }
}

# g1, a guest of the nested hypervisor 107
nested_guest() {
	ip -n "$1" link add link eth0 name g1 address "$G1" type macvlan mode bridge
	ip -n "$1" address add "$2" dev g1
	ip -n "$1" link set g1 up
}

# What the README has of Proxmox VE
qm() {
	case $1 in
	stop) unplug "tap$2i0" ;;
	start) plug "tap$2i0" vmbr0 10 off ;;
	migrate)
		ip link set "tap$2i0" netns node2
		ip -n node2 link set "tap$2i0" up
		ip netns exec node2 bash -c "$(declare -f bridge_add_interface)
			bridge_add_interface vmbr0 tap$2i0 10"
		;;
	esac
}
ssh() {
	ip netns exec "$@"
}

show_when_settled

open_document drop-ins/proxmox/README.md
install_packages
cd /usr/share/doc/maclearn/drop-ins/proxmox
own_sections
# Bridges before and after that are hubs for reasons of their own
other() { printf '\niface %s inet manual\n\tbridge-ports none\n\tbridge-ageing 0\n' "$1"; }
{
	printf '%s\n' 'auto lo' 'iface lo inet loopback'
	other vmbr1
	cat interfaces
	other vmbr2
} >/etc/network/interfaces
mkdir -p /run/network /etc/iproute2/rt_tables.d
ip netns add outside
ip link add name eno1 type veth peer name eth0 netns outside
ip -n outside link set eth0 up
ifup vmbr0
plug tap107i0 vmbr0 10 off
plug tap108i0 vmbr0 "" on
plug veth109i0 vmbr0 10 on
nested_guest guest107 10.0.0.1/24
ip -n guest109 address add 10.0.0.9/24 dev eth0

example "Set up"
[[ $(bridge_setting vmbr0 ageing_time) == 0 && $(bridge_setting vmbr0 vlan_filtering) == 1 ]]
[[ $(bridge_setting fwbr108i0 ageing_time) == 0 ]]
own_sections_hold

# g1 behind 107 talks to 109, both in VLAN 10: the uplink is spared, the sniffer sees it all, behind
# its firewall's bridge.
pings() { [[ $(on guest107 ping -q -c 20 -i 0.2 -W 5 -I g1 10.0.0.9) == *" 0% packet loss"* ]]; }
received() { on "$1" cat /sys/class/net/eth0/statistics/rx_packets; }
pings
suppressed=$(attribute eno1 statistics/suppressed)
outside=$(received outside) sniffed=$(received guest108)
pings
spared=$(($(attribute eno1 statistics/suppressed) - suppressed))
((spared >= 38)) || fail "the uplink was spared $spared copies of 20 pings"
(($(received outside) - outside < 20)) || fail "the uplink got what it was to be spared"
(($(received guest108) - sniffed >= 40)) ||
	fail "the sniffer saw $(($(received guest108) - sniffed)) of 40 frames"
[[ $(command maclearn entry show dev tap107i0 vlan 10 mac "$G1") == "$G1 "* ]]

# ifreload keeps the ports, and what is known behind them, also of one that is silent.
silent=02:00:00:00:01:03
command maclearn entry add $silent dev tap107i0 vlan 10 age 5
ifreload -a
[[ $(command maclearn entry show dev tap107i0 vlan 10 mac $silent) == "$silent "* ]]
is_attribute fwpr109p0 enabled 1

example "Stop, start, migrate"
wait_until 60 is_attribute tap107i0 enabled 1
ip -n guest107 link show g1 2>/dev/null || nested_guest guest107 10.0.0.1/24
pings

# A NIC's firewall is switched on: the port is another.
unplug tap107i0
plug tap107i0 vmbr0 10 on
wait_until 60 is_attribute fwpr107p0 enabled 1
is_attribute tap107i0 enabled 0
unplug tap107i0
plug tap107i0 vmbr0 10 off
wait_until 60 is_attribute tap107i0 enabled 1

# With bridge-disable-mac-learning the NIC's own MAC is reached, and what is behind it is not.
no_learning tap107i0
bridge fdb append "$(on guest107 cat /sys/class/net/eth0/address)" dev tap107i0 master static
nested_guest guest107 10.0.0.1/24
fails pings
ip -n guest107 address add 10.0.0.7/24 dev eth0
on guest107 ping -q -c 2 -W 5 -I eth0 10.0.0.9
unplug tap107i0
plug tap107i0 vmbr0 10 off
nested_guest guest107 10.0.0.1/24
wait_until 60 is_attribute tap107i0 enabled 1
pings

# Another node, with its own service
ip netns add node2
ip -n node2 link add name vmbr0 up type bridge ageing_time 0 vlan_filtering 1
ip netns exec node2 maclearn apply --follow /etc/maclearn.toml >"$LAB/node2" 2>&1 &
follower=$!
# Of a guest that is silent, too
command maclearn entry add 02:00:00:00:01:02 dev tap107i0 vlan 10 age 5
example "Stop, start, migrate"
[[ $(ip netns exec node2 cat /sys/class/net/tap107i0/maclearn/enabled) == 1 ]]
kill "$follower"
ip netns del node2

example "Undo"
[[ ! -e /sys/module/maclearn && ! -e /run/tap107i0 ]]
example "Undo"
[[ $(bridge_setting vmbr0 ageing_time) == 30000 ]]
[[ $(grep -cP '^\tbridge-ageing 0$' /etc/network/interfaces) == 2 ]]
own_sections_remain
no_more_examples
