#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# What README says makes settings last: its file is read when the service is restarted, for ports that come later, and when
# the host boots.
. "${0%/*}/lib.sh"

add_lab() {
	add_hub br0
	for host in 1 2; do add_host br0 "host$host" "10.0.0.$host/24"; done
}
enabled() {
	is_attribute host1 enabled 1 && is_attribute host2 enabled 1
}

if ((BOOT == 1)); then
	cd /packages || exit
	# shellcheck disable=SC2046 # as it stands there
	apt install ./maclearn_*.deb ./maclearn-modules-$(uname -r)_*.deb
	sed -n '/^\[\[port\]\]$/,/^enabled/p' /src/maclearn/README.md >/etc/maclearn.toml
	grep -q . /etc/maclearn.toml
	modprobe maclearn
	add_lab
	maclearn apply /etc/maclearn.toml check
	systemctl restart maclearn
	enabled
	add_host br0 host3 10.0.0.3/24
	wait_until 20 is_attribute host3 enabled 1
	reboot_host
fi
add_lab
wait_until 20 enabled
