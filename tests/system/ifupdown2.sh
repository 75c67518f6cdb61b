#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: hosts
# drop-ins/ifupdown2: what its README says works as it stands there, and undoing it leaves nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
LAB=$(mktemp -d)

show_when_settled

open_document drop-ins/ifupdown2/README.md
install_packages
# Where the package has it
cd /usr/share/doc/maclearn/drop-ins/ifupdown2
own_sections
printf '%s\n' 'auto lo' 'iface lo inet loopback' 'source /etc/network/interfaces.d/*' \
	>/etc/network/interfaces
mkdir -p /run/network
for port in host1 host2 host3 vnet7; do
	ip link add name "$port" up type veth peer name "guest-$port"
done
find /etc -path /etc/systemd -prune -o -path /etc/iproute2 -prune -o -print | sort >"$LAB/before"

example "The service"
[[ $(</sys/class/net/br0/bridge/ageing_time) == 0 ]]
ip link set vnet7 master br0
command maclearn entry add 02:00:00:00:01:01 dev host1 static
example "The service"
is_attribute host1 n_macs 1
own_sections_hold

# Without the line, ifreload cuts off what others have attached.
interfaces=/etc/network/interfaces.d/br0
cp "$interfaces" "$LAB/"
sed -i '/condone/d' "$interfaces"
ifreload -a
[[ ! -e /sys/class/net/vnet7/brport ]]
cp "$LAB/br0" "$interfaces"

example "Without the service"
ip link set vnet7 master br0
is_attribute vnet7 enabled 0
ifreload -a
is_attribute vnet7 enabled 1
rmmod maclearn
# The script does not keep the network from coming up.
ifreload -a
modprobe maclearn
ifreload -a
is_attribute host1 enabled 1
example "Without the service"
is_attribute vnet7 enabled 1
fails maclearn port set dev guest-vnet7 enabled on
sed -i 's/dev host1/dev guest-host1/' "$interfaces"
said=$(ifreload -a 2>&1)
[[ $said == *"warning: br0: post-up "*" failed"* ]]
sed -i 's/dev guest-host1/dev host1/' "$interfaces"

example "Undo"
[[ ! -e /sys/module/maclearn ]]
[[ $(</sys/class/net/br0/bridge/ageing_time) == 30000 ]]
rm "$interfaces"
find /etc -path /etc/systemd -prune -o -path /etc/iproute2 -prune -o -print |
	sort | diff "$LAB/before" -
own_sections_remain
no_more_examples
