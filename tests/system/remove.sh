#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# An upgrade leaves switched off what was, and what was written into the file; packages that are
# purged leave nothing, and those that are removed only what was configured.
. "${0%/*}/lib.sh"

# content: all files, but for what dpkg, systemd and depmod keep
content() {
	find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \
		-o -path /var/lib/systemd -o -path /tmp -o -path "/usr/lib/modules/*/modules.*" \) -prune \
		-o -printf '%y %m %p %l\n' | sort
}
names=(maclearn "maclearn-modules-$(uname -r)")
# Where prometheus-node-exporter is, there are metrics.
metrics=/var/lib/prometheus/node-exporter
mkdir -p "$metrics"
content >/tmp/before
install_packages
echo '# mine' >>/etc/maclearn.toml
modprobe maclearn
systemctl restart maclearn-metrics.timer
wait_until 60 grep -qs maclearn_ "$metrics/maclearn.prom"

systemctl -q disable --now maclearn
systemctl -q mask --now maclearn-metrics.timer
dpkg -i /packages/next/maclearn_*.deb "/packages/next/maclearn-modules-$(uname -r)_"*.deb
fails systemctl -q is-enabled maclearn
fails systemctl -q is-active maclearn maclearn-metrics.timer
[[ $(systemctl is-enabled maclearn-metrics.timer) == masked ]]
systemctl -q unmask maclearn-metrics.timer
systemctl -q enable --now maclearn maclearn-metrics.timer

dpkg -r "${names[@]}"
fails systemctl -q is-active maclearn maclearn-metrics.timer
fails modinfo maclearn
[[ ! -e $metrics/maclearn.prom ]]
grep -q mine /etc/maclearn.toml
# It carries traffic, and is left to do so.
[[ -e /sys/module/maclearn ]]
dpkg --purge "${names[@]}"
content >/tmp/after
diff /tmp/before /tmp/after || fail "this was left, or taken away"
fails dpkg -s "${names[@]}"
