#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: secure
# timeout: 1500
# With Secure Boot the kernel is locked down and has sig_enforce=1: it refuses the module unsigned,
# which doctor says, and takes it when it is signed with a key that the firmware knows.
. "${0%/*}/lib.sh"

[[ $(</sys/kernel/security/lockdown) == *"[integrity]"* ]]
[[ $(</sys/module/module/parameters/sig_enforce) == Y ]]
install_packages
said=$(modprobe maclearn 2>&1 || true)
[[ $said == *"rejected by service"* ]]
said=$(maclearn doctor || true)
refused="this kernel loads only modules that are signed, and the one that is installed is not"
[[ $said == *"$refused"* ]]

updates=/usr/lib/modules/$(uname -r)/updates
rm "$updates/maclearn.ko.xz"
cp /packages/maclearn.ko "$updates/"
depmod
[[ $(modinfo -F signer maclearn) == maclearn ]]
modprobe maclearn
add_hub br0
for host in 1 2; do
	add_host br0 "host$host" "10.0.0.$host/24"
	maclearn port set dev "host$host" enabled on
done
on host1 ping -q -c 3 -W 5 10.0.0.2
[[ $(maclearn entry show) == *"$(on host2 cat /sys/class/net/eth0/address)"* ]]

# A signature is for what was signed.
rmmod maclearn
sed -i 's/^version=0/version=9/; s/\x00version=0/\x00version=9/' "$updates/maclearn.ko"
fails cmp "$updates/maclearn.ko" /packages/maclearn.ko
fails insmod "$updates/maclearn.ko"
