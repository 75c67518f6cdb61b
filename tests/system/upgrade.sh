#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# system: plain
# Packages of a higher version are installed, and their module comes into use, under traffic: no
# frame is lost to its owner, also where unknown destinations are suppressed, and what guests own is
# known as before, also of those that are silent.
. "${0%/*}/lib.sh"

version() { cat /sys/module/maclearn/version; }
# What guests own: the hosts' own devices send something now and then.
known() { maclearn entry show | sed -n '/^02:00:00:00:0/s/\( offloaded\)\? age .*//p' | sort; }
is_offloaded() { (($(attribute br0 n_offloaded) >= 5)); }
readonly G11=02:00:00:00:01:01 G12=02:00:00:00:01:02 G21=02:00:00:00:02:01 G22=02:00:00:00:02:02 \
	G31=02:00:00:00:03:01
readonly PORTS="port host1 host1:eth0
port host2 host2:eth0
port host3 host3:eth0"

install_packages
modprobe maclearn
add_hub br0
for host in 1 2 3; do add_host br0 "host$host" "10.0.0.$host/24"; done
cat >/etc/maclearn.toml <<FILE
[[bridge]]
name = "br0"
ageing = "own"
ageing_time = 3600

[[port]]
name = "host*"
enabled = true

[[port]]
name = "host2"
unknown_unicast = "suppress"
FILE
systemctl restart maclearn
frames exchange <<PLAN
$PORTS
hello host1 $G11
hello host1 $G12
hello host2 $G21
hello host2 $G22
hello host3 $G31
PLAN
before=$(known)
[[ $before == *"$G12"* && $before == *"$G22"* ]]
old=$(version)

mkfifo /tmp/ready
frames exchange --rate 50 --ready /tmp/ready --until /tmp/end >/tmp/streams <<PLAN &
$PORTS
stream host1 $G11 $G21 to host2
stream host3 $G31 $G21 to host2
stream host2 $G21 $G11 to host1
PLAN
streams=$!
read -r _ </tmp/ready
dpkg -i /packages/next/maclearn_*.deb "/packages/next/maclearn-modules-$(uname -r)_"*.deb |
	tee /tmp/said
grep -q '"maclearn reload" replaces it' /tmp/said
# The service of the new version runs, beside the module of the old one.
systemctl is-active maclearn
[[ $(version) == "$old" ]]
[[ $(known) == "$before" ]] || fail "known is $(known), and was $before"
maclearn reload
[[ $(version) != "$old" && $(version) == "$(modinfo -F version maclearn)" ]]
[[ $(maclearn -V) == *" $(version)" ]]
: >/tmp/end
wait "$streams" || fail "frames were lost: $(</tmp/streams)"
[[ $(known) == "$before" ]] || fail "known is $(known), and was $before"
wait_until 20 is_offloaded
for host in 1 2 3; do is_attribute "host$host" enabled 1; done
is_attribute host2 unknown_unicast suppress

# What silent guests own is where it was.
frames exchange <<PLAN
$PORTS
send host3 $G31 $G22 count 5
expect host2 $G31 $G22 count 5
send host3 $G31 $G12 count 5
expect host1 $G31 $G12 count 5
PLAN
