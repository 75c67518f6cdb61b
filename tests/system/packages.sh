#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# From nothing to a filter that works, without a compiler and without a reboot.
. "${0%/*}/lib.sh"

fails command -v cc gcc clang rustc make
install_packages
said=$(maclearn 2>&1 || true)
[[ $said == *"the module is not loaded"* ]]

modprobe maclearn
add_hub br0
for host in 1 2 3; do add_host br0 "host$host" "10.0.0.$host/24"; done
cat >/etc/maclearn.toml <<FILE
[[bridge]]
name = "br0"
fdb_offload = "off"

[[port]]
name = "host*"
enabled = true
FILE
systemctl restart maclearn
for host in 1 2 3; do is_attribute "host$host" enabled 1; done

# host3 is spared the copies of what host1 and host2 send each other.
pings() { on host1 ping -q -c 20 -i 0.2 -W 5 10.0.0.2 | grep -q ' 0% packet loss'; }
suppressed() { attribute host3 statistics/suppressed; }
pings
before=$(suppressed)
pings
spared=$(($(suppressed) - before))
((spared >= 38)) || fail "host3 was spared $spared copies of 20 pings"
maclearn entry show | grep -q "$(on host2 cat /sys/class/net/eth0/address)"
