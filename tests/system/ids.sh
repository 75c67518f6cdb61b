#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# drop-ins/ids: what its README says works as it stands there, the sniffer gets every frame and
# others no copies, and undoing it leaves nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)
readonly G11=02:00:00:00:01:01 G12=02:00:00:00:01:02 G21=02:00:00:00:02:01 G31=02:00:00:00:03:01 \
	NOBODY=02:00:00:00:ff:01 BRIDGE=02:00:00:00:00:fe

show_when_settled

# exchange [SNIFFER]: each frame reaches its owner, unknown ones all; the sniffer gets all of them,
# and nobody else.
exchange() {
	local port plan
	plan=$(
		for port in host1 host2 host3; do echo "port $port $port:eth0"; done
		[[ ! ${1:-} ]] || echo "port sniffer $1"
		echo "port bridge br0"
		echo "ignore bridge"
		cat <<-PLAN
			send host1 $G11 $G21 count 50
			expect host2 $G11 $G21 count 50
			send host2 $G21 $G12 count 50
			expect host1 $G21 $G12 count 50
			send host1 $G11 $NOBODY count 10
			expect host2 $G11 $NOBODY count 10
			expect host3 $G11 $NOBODY count 10
			send bridge $BRIDGE $G31 count 20
			expect host3 $BRIDGE $G31 count 20
		PLAN
		[[ ! ${1:-} ]] || cat <<-PLAN
			expect sniffer $G11 $G21 count 50
			expect sniffer $G21 $G12 count 50
			expect sniffer $G11 $NOBODY count 10
			expect sniffer $BRIDGE $G31 count 20
		PLAN
	)
	frames exchange <<<"$plan" >"$LAB/summary" || fail "frames: see above"
}

# Who is behind which port is known.
hello() {
	frames send host1:eth0 "$G11" ff:ff:ff:ff:ff:ff
	frames send host1:eth0 "$G12" ff:ff:ff:ff:ff:ff
	frames send host2:eth0 "$G21" ff:ff:ff:ff:ff:ff
	frames send host3:eth0 "$G31" ff:ff:ff:ff:ff:ff
}

offloads() {
	hello
	wait_until 20 is_attribute br0 n_offloaded 4
}

install_packages
cd drop-ins/ids
own_sections
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
add_hub br0
ip link set dev br0 address $BRIDGE
for host in 1 2 3; do
	add_host br0 "host$host" "10.0.0.$host/24"
	on "host$host" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
done
open_document drop-ins/ids/README.md
example "Set it up"
wait_until 60 settled
own_sections_hold
offloads
exchange

# ---- a program at the bridge
example "At the bridge"
# promiscuous: the program listens
listens() { [[ $(ip -d link show dev br0) == *"promiscuity 1 "* ]]; }
wait_until 60 listens
exchange
is_attribute br0 n_offloaded 4
# seen SOURCE DESTINATION NUMBER: so many frames are in the file
seen() {
	[[ $(tcpdump --count -r /tmp/br0.pcap "ether src $1 and ether dst $2" 2>/dev/null) == \
		"$3 packets" ]]
}
wait_until 20 seen $G11 $G21 50
wait_until 20 seen $G21 $G12 50
wait_until 20 seen $G11 $NOBODY 10
wait_until 20 seen $BRIDGE $G31 20

# ---- a port that is left out. Offloaded MACs are deleted before it joins.
example "A port that is left out"
hello
exchange ids-in
is_attribute br0 n_offloaded 0

# ---- a mirror, while the bridge makes no copies, beside a filter that is there before
tc qdisc add dev host2 clsact
tc filter add dev host2 ingress pref 100 matchall action pass
filters=$(tc filter show dev host2 ingress)
example "A mirror"
offloads
exchange ids-in
is_attribute br0 n_offloaded 4
[[ $(tc -s filter show dev host2 ingress pref 100) =~ Sent\ [0-9]+\ bytes\ ([0-9]+)\ pkt ]]
((BASH_REMATCH[1] >= 50)) || fail "the other filter has seen ${BASH_REMATCH[1]} frames"

example "Undo"
no_more_examples
[[ ! -e /sys/module/maclearn && ! -e /sys/class/net/ids-in ]]
for device in br0 host1 host3; do [[ ! $(tc qdisc show dev "$device" clsact) ]]; done
[[ $(tc filter show dev host2 ingress) == "$filters" ]]
own_sections_remain
has_ended() { ! listens; }
wait_until 20 has_ended
rm /tmp/br0.pcap
