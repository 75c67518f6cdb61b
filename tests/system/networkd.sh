#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# drop-ins/networkd: what its README says works as it stands there, also after a boot, and undoing
# it leaves nothing.
. "${0%/*}/lib.sh"
. "${0%/*}/../documents.sh"
readonly STATE=/var/lib/networkd-test
LAB=$(mktemp -d)
cd drop-ins/networkd

has_joined() {
	for port; do [[ -e /sys/class/net/br0/brif/$port ]] || return; done
}
is_filtered() {
	for port; do is_attribute "$port" enabled 1 || return; done
}

# skip_examples HEADING NUMBER: those that ran before the last boot
skip_examples() {
	local number
	for ((number = 0; number < $2; number++)); do next_block; done
	[[ $HEADING == "$1" ]]
}

if ((BOOT == 1)); then
	mkdir "$STATE"
	install_packages
	cp -a /etc/maclearn.toml "$STATE/"
	# Devices that are there from boot on
	for port in host1 host2; do
		printf '[NetDev]\nName=%s\nKind=veth\n[Peer]\nName=far-%s\n' "$port" "$port" \
			>"/etc/systemd/network/05-$port.netdev"
	done
	# The host's own network, by which it is online
	printf '[NetDev]\nName=own0\nKind=dummy\n' >/etc/systemd/network/05-own0.netdev
	printf '[Match]\nName=own0\n[Network]\nAddress=192.0.2.1/24\nLinkLocalAddressing=no\n' \
		>/etc/systemd/network/05-own0.network
	find /etc/systemd/network /etc/udev/rules.d /etc/modules-load.d | sort >"$STATE/before"

	open_document drop-ins/networkd/README.md
	example "The service"
	wait_until 60 has_joined host1 host2
	wait_until 60 is_filtered host1 host2
	example "The service"
	example "The service"
	reboot_host
fi

open_document drop-ins/networkd/README.md
skip_examples "The service" 3
if ((BOOT == 2)); then
	# By the service
	wait_until 120 has_joined host1 host2
	wait_until 60 is_filtered host1 host2
	is_attribute br0 auto_enable 0
	# The host is online without its nested hosts.
	systemctl start systemd-networkd-wait-online
	# Ports were filtered when they joined: the service was ready before networkd began.
	ready() { systemctl show -P "$2" "$1"; }
	(($(ready maclearn ActiveEnterTimestampMonotonic) <
		$(ready systemd-networkd ExecMainStartTimestampMonotonic)))
	example "A udev rule"
	example "A udev rule"
	is_attribute br0 auto_enable 1
	reboot_host
fi

# By the rule
wait_until 120 has_joined host1 host2
fails systemctl -q is-active maclearn
wait_until 60 is_attribute br0 auto_enable 1
wait_until 60 is_filtered host1 host2
skip_examples "A udev rule" 2
example "Undo"
no_more_examples
diff "$STATE/maclearn.toml" /etc/maclearn.toml
systemctl -q is-enabled maclearn
systemctl -q is-active maclearn
[[ ! -e /sys/class/net/br0 && ! -e /sys/module/maclearn ]]
find /etc/systemd/network /etc/udev/rules.d /etc/modules-load.d | sort | diff "$STATE/before" -
