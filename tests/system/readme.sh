#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# What README says makes settings last: its file is read when the service is restarted, for ports
# that come later, and when the host boots.
. "${0%/*}/lib.sh"

add_lab() {
	add_hub br0
	for host in 1 2; do add_host br0 "host$host" "10.0.0.$host/24"; done
}
enabled() {
	is_attribute host1 enabled 1 && is_attribute host2 enabled 1
}

# names_the_line: what is wrong there is in the journal, which may take a moment
names_the_line() {
	local said
	said=$'\n'$(journalctl -q -u maclearn -o cat)$'\n'
	[[ $said == *$'\nError: /etc/maclearn.toml line '+([0-9])$': colour is no setting.\n'* ]]
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

	# A file that is wrong is not read, and what it said before holds; the service does not
	# start with it.
	good=$(mktemp)
	cp /etc/maclearn.toml "$good"
	echo 'colour = "blue"' >>/etc/maclearn.toml
	fails systemctl reload maclearn
	[[ $(systemctl is-active maclearn) == active ]]
	add_host br0 host4 10.0.0.4/24
	wait_until 20 is_attribute host4 enabled 1
	fails systemctl restart maclearn
	[[ $(systemctl is-active maclearn) == failed ]]
	wait_until 20 names_the_line
	sed 's/^enabled.*/&\nmax_macs = 9/' "$good" >/etc/maclearn.toml
	systemctl restart maclearn
	wait_until 20 is_attribute host4 max_macs 9
	cp "$good" /etc/maclearn.toml
	echo 'max_macs = 8' >>/etc/maclearn.toml
	systemctl reload maclearn
	wait_until 20 is_attribute host4 max_macs 8
	reboot_host
fi
add_lab
wait_until 20 enabled
