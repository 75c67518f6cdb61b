#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# Packages that are purged leave nothing, and those that are removed only what was configured.
. "${0%/*}/lib.sh"

# content: all files, but for what dpkg, systemd and depmod keep
content() {
	find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache -o -path /var/lib/systemd -o -path /tmp \
		-o -path "/usr/lib/modules/*/modules.*" \) -prune -o -printf '%y %m %p %l\n' | sort
}
names=(maclearn "maclearn-modules-$(uname -r)")
content >/tmp/before
install_packages
echo '# mine' >>/etc/maclearn.toml
modprobe maclearn

dpkg -r "${names[@]}"
fails systemctl is-active maclearn
fails modinfo maclearn
grep -q mine /etc/maclearn.toml
# It carries traffic, and is left to do so.
[[ -e /sys/module/maclearn ]]
dpkg --purge "${names[@]}"
content >/tmp/after
diff /tmp/before /tmp/after || fail "this was left, or taken away"
fails dpkg -s "${names[@]}"
