#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: hosts
# timeout: 1800
# drop-ins/evpn: what its README says works as it stands there, on this host and on a second one,
# which is a network namespace with an FRR of its own: guests become routes, move between the hosts
# and age, and undoing it leaves nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)
readonly G11=02:00:00:00:01:01 G12=02:00:00:00:01:02 G21=02:00:00:00:02:01 G22=02:00:00:00:02:02 \
	NESTED=02:00:00:00:07:01 ALL=ff:ff:ff:ff:ff:ff

# at HOST COMMAND...: of the two that the bridges are on
at() {
	if [[ $1 == here ]]; then "${@:2}"; else on "$@"; fi
}
# shell HOST COMMAND: of FRR
shell() {
	local which=()
	[[ $1 == here ]] || which=(-N "$1")
	vtysh "${which[@]}" -c "$2"
}
# route HOST MAC WORDS: what FRR there has for it begins so, - for nothing
route() {
	local found
	found=$(shell "$1" 'show evpn mac vni 10' 2>/dev/null |
		awk -v mac="$2" '$1 == mac { print $2, $3 }')
	[[ ${found:--} == "$3" ]]
}
expect_route() {
	wait_until 60 route "$@"
}
# says GUEST MAC [DESTINATION]
says() {
	frames send "$1:eth0" "$2" "${3:-$ALL}"
}
# guest HOST NAME ADDRESS MAC: at a port of the same name
guest() {
	ip netns add "$2"
	at "$1" ip link add name "$2" type veth peer name eth0 netns "$2"
	ip -n "$2" link set dev eth0 address "$4"
	on "$2" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n "$2" link set dev eth0 up
	ip -n "$2" address add "$3" dev eth0
	at "$1" ip link set dev "$2" master br0 up
}
pings() {
	local said
	said=$(on "$1" ping -q -c 5 -i 0.2 -W 10 "$2") || true
	[[ $said == *" 0% packet loss"* ]] || fail "$said"
}

install_packages
cd drop-ins/evpn
cp -a /etc/frr "$LAB/"
own_sections
sysctl -qw net.ipv6.conf.default.disable_ipv6=1

# ---- two hosts, connected
ip netns add there
ip link add name under type veth peer name under netns there
ip address add 192.0.2.1/24 dev under
ip link set dev under up
on there sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip -n there link set dev lo up
ip -n there address add 192.0.2.2/24 dev under
ip -n there link set dev under up

open_document drop-ins/evpn/README.md
example "Set it up"
wait_until 60 settled
own_sections_hold

# The same at the second: the commands that are about the network in its namespace, FRR from a
# folder of its own, and in place of services what they run.
mkdir /etc/frr/there
sed 's/^bgpd=no/bgpd=yes/; /^watchfrr_options/d' "$LAB/frr/daemons" >/etc/frr/there/daemons
echo 'watchfrr_options="--netns=there"' >>/etc/frr/there/daemons
: >/etc/frr/there/vtysh.conf
sed 's/LOCAL/192.0.2.2/; s/REMOTE/192.0.2.1/' frr.conf >/etc/frr/there/frr.conf
chown -R frr:frr /etc/frr/there
for command in "${BLOCK[@]}"; do
	command=${command:2}
	[[ $command == ip\ * || $command == bridge\ * ]] || continue
	# shellcheck disable=SC2086 # words, and an expansion of $local
	on there ${command/\$local/192.0.2.2}
done
ip netns exec there maclearn apply --follow /etc/maclearn.toml &
followers=$!
ip netns exec there maclearn-evpn vx10 &
followers+=" $!"
/usr/lib/frr/frrinit.sh start there >"$LAB/frrinit" 2>&1 || fail "$(<"$LAB/frrinit")"

# ---- guests that have spoken are routes
guest here host1 10.0.0.11/24 $G11
guest here host2 10.0.0.12/24 $G12
guest there host3 10.0.0.21/24 $G21
guest there host4 10.0.0.22/24 $G22
is_connected() { [[ $(shell here "show bgp l2vpn evpn summary json") == *Established* ]]; }
wait_until 120 is_connected
pings host1 10.0.0.21
expect_route here $G11 "local host1"
expect_route here $G21 "remote 192.0.2.2"
expect_route there $G11 "remote 192.0.2.1"
expect_route there $G21 "local host3"
example "Set it up"
pings host1 10.0.0.21

# what the bridge has at a guest's port is maclearn's
has_offloaded() { [[ $(at "$1" bridge fdb get "$2" br br0) == *" dev $3 "*extern_learn* ]]; }
has_offloaded here $G11 host1
has_offloaded there $G11 vx10

# ---- a port that joins leaves the others' MACs in the bridge's database: no route is withdrawn
bridge monitor fdb >"$LAB/fdb" &
followers+=" $!"
# marked MAC: what happened before is in the file
marked() {
	bridge fdb replace "$1" dev host1 master static
	grep -q "^$1 dev host1" "$LAB/fdb"
}
wait_until 60 marked 02:00:00:00:ff:01
guest here host5 10.0.0.15/24 02:00:00:00:05:01
wait_until 60 is_attribute host5 enabled 1
wait_until 60 marked 02:00:00:00:ff:02
[[ $(<"$LAB/fdb") != *"Deleted $G11"* ]]
for mac in 02:00:00:00:ff:01 02:00:00:00:ff:02; do bridge fdb del $mac dev host1 master; done

# ---- a guest of a nested host moves, from behind a port that stays: it speaks to a neighbour only
says host1 $NESTED $G12
expect_route here $NESTED "local host1"
expect_route there $NESTED "remote 192.0.2.1"
says host3 $NESTED $G22
expect_route there $NESTED "local host3"
expect_route here $NESTED "remote 192.0.2.2"
# and back, and within the host
says host1 $NESTED $G12
expect_route here $NESTED "local host1"
expect_route there $NESTED "remote 192.0.2.1"
says host2 $NESTED $G11
expect_route here $NESTED "local host2"
says host4 $NESTED $G21
expect_route there $NESTED "local host4"
expect_route here $NESTED "remote 192.0.2.2"

# ---- a guest is migrated: its port goes, and it speaks at the other host
ip link del dev host2
ip netns del host2
expect_route here $G12 -
guest there host2 10.0.0.12/24 $G12
says host2 $G12
expect_route there $G12 "local host2"
expect_route here $G12 "remote 192.0.2.2"
pings host1 10.0.0.12

# ---- requests for a known neighbour are answered at the host: this one does not answer any more
ip address add 10.0.0.1/24 dev br0
on host1 ping -q -c 1 -W 10 10.0.0.1 >/dev/null
ip -n there address add 10.0.0.2/24 dev br0
is_neighbour() { [[ $(ip -n there neigh show 10.0.0.11 dev br0) == *extern_learn* ]]; }
wait_until 60 is_neighbour
ip -n host1 link set dev eth0 arp off
ip -n host3 neigh flush all
on host3 ping -q -c 1 -W 1 10.0.0.11 >/dev/null || true
[[ $(ip -n host3 neigh show 10.0.0.11) == *$G11* ]] || fail "host3 was not told where host1 is"
ip -n host1 link set dev eth0 arp on
ip address del 10.0.0.1/24 dev br0
ip -n there address del 10.0.0.2/24 dev br0

# ---- who is silent for the ageing time is withdrawn
for host in here there; do at $host maclearn bridge set dev br0 ageing_time 2; done
for mac in $G11 $G21 $NESTED; do
	expect_route here "$mac" -
	expect_route there "$mac" -
done

# ---- what does not work, as the README says
for host in here there; do at $host maclearn bridge set dev br0 ageing_time 300; done
says host1 $G11
expect_route there $G11 "remote 192.0.2.1"
maclearn port set dev host1 enabled off
expect_route there $G11 -
maclearn port set dev host1 enabled on
says host1 $G11
expect_route there $G11 "remote 192.0.2.1"
bridge link set dev host1 neigh_suppress on
expect_route there $G11 -
bridge link set dev host1 neigh_suppress off
expect_route there $G11 "remote 192.0.2.1"

# ---- undone
# shellcheck disable=SC2086 # words
kill $followers
/usr/lib/frr/frrinit.sh stop there >/dev/null 2>&1
rm -r /etc/frr/there
example "Undo"
no_more_examples
[[ ! -e /sys/module/maclearn && ! -e /sys/class/net/br0 ]]
own_sections_remain
[[ ! -e /usr/local/sbin/maclearn-evpn && ! -e /etc/systemd/system/maclearn-evpn@.service ]]
diff -r "$LAB/frr" /etc/frr
fails pgrep -f maclearn-evpn
