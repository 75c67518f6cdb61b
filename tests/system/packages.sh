#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# timeout: 1500
# From nothing to a filter that works, without a compiler and without a reboot; it has the settings
# of the file when ports come, leave and come again, when the module is loaded anew, and when the
# host boots anew.
. "${0%/*}/lib.sh"

# host3 is spared the copies of what host1 and host2 send each other.
host3_is_spared() {
	local before
	pings
	before=$(attribute host3 statistics/suppressed)
	pings
	(($(attribute host3 statistics/suppressed) - before >= 38)) ||
		fail "host3 got copies of 20 pings"
}
pings() { [[ $(on host1 ping -q -c 20 -i 0.2 -W 5 10.0.0.2) == *" 0% packet loss"* ]]; }

if ((BOOT == 2)); then
	# Nobody has loaded the module, or told a port anything, since the host booted.
	systemctl is-active maclearn
	is_attribute br0 fdb_offload off
	is_attribute up0 enabled 1
	[[ $(</sys/class/net/br0/bridge/ageing_time) == 0 ]]
	for host in 1 2 3; do add_host br0 "host$host" "10.0.0.$host/24"; done
	for host in 1 2 3; do wait_until 20 is_attribute "host$host" enabled 1; done
	is_attribute host3 max_macs 64
	host3_is_spared
	exit
fi

fails command -v cc gcc clang rustc make
install_packages
said=$(maclearn 2>&1 || true)
[[ $said == *"the module is not loaded"* ]]

modprobe maclearn
cat >/etc/network/interfaces <<FILE
auto up0
iface up0 inet manual
	pre-up ip link add up0 type dummy

auto br0
iface br0 inet manual
	bridge_ports up0
	bridge_ageing 0
	bridge_fd 0
FILE
ifup up0 br0
for host in 1 2 3; do add_host br0 "host$host" "10.0.0.$host/24"; done
cat >/etc/maclearn.toml <<FILE
[[bridge]]
name = "br0"
fdb_offload = "off"

[[port]]
name = ["host*", "up0"]
enabled = true

[[port]]
name = "host3"
max_macs = 64
FILE
systemctl restart maclearn
for port in host1 host2 host3 up0; do is_attribute "$port" enabled 1; done
is_attribute host3 max_macs 64
host3_is_spared
[[ $(maclearn entry show) == *"$(on host2 cat /sys/class/net/eth0/address)"* ]]

# A port that comes, and one that leaves and comes again
add_host br0 host4 10.0.0.4/24
wait_until 20 is_attribute host4 enabled 1
ip link set host3 nomaster
ip link set host3 master br0
wait_until 20 is_attribute host3 enabled 1
is_attribute host3 max_macs 64

# The module is loaded anew: by the command, and by hand.
maclearn reload
is_attribute host3 max_macs 64
host3_is_spared
rmmod maclearn
modprobe maclearn
wait_until 20 is_attribute host3 enabled 1
wait_until 20 is_attribute br0 fdb_offload off
is_attribute host3 max_macs 64

reboot_host
