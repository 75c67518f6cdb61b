#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: compiling
# timeout: 2400
# The module is built and signed by DKMS, from the headers of Debian 13's kernel, and once more when
# the host gets a newer kernel: the service has the settings of the file in either.
. "${0%/*}/lib.sh"

# is_built RELEASE: for that kernel, and signed with DKMS's key
is_built() {
	[[ $(dkms status maclearn -k "$1") == *": installed"* ]]
	[[ $(modinfo -k "$1" -F vermagic maclearn) == "$1 "* ]]
	[[ $(modinfo -k "$1" -F signer maclearn) == *DKMS* ]]
}
newest() { printf '%s\n' /lib/modules/* | sort -V | tail -n 1 | sed 's,.*/,,'; }

case ${NATIVE:-}$BOOT in
yes1)
	dpkg -i /packages/maclearn_*.deb /packages/maclearn-dkms_*.deb
	is_built "$(newest)"
	cat >/etc/maclearn.toml <<-FILE
		[[port]]
		name = "host*"
		enabled = true
	FILE
	;;
yes2)
	dpkg -i /packages/kernel/linux-base_*.deb
	dpkg -i /packages/kernel/*.deb
	is_built "$(newest)"
	;;
*)
	[[ $(uname -r) == "$(newest)" ]]
	systemctl is-active maclearn
	[[ $(</sys/module/maclearn/version) == "$(modinfo -F version maclearn)" ]]
	add_hub br0
	for host in 1 2; do add_host br0 "host$host" "10.0.0.$host/24"; done
	for host in 1 2; do wait_until 20 is_attribute "host$host" enabled 1; done
	on host1 ping -q -c 3 -W 5 10.0.0.2
	[[ $(maclearn entry show) == *"$(on host2 cat /sys/class/net/eth0/address)"* ]]
	((BOOT == 2)) || reboot_host
	dpkg --purge maclearn-dkms
	fails modinfo maclearn
	;;
esac
