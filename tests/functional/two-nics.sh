#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A nested host with two NICs on the same bridge, one active and one for backup.

source "${BASH_SOURCE%/*}/lib.sh"

# host2 has the ports nic1 and nic2.
make_hub host1 nic1 nic2 host3 sniffer
load_module
enable host1 nic1 nic2 host3

exchange <<PLAN
hello nic1 $G21
hello nic1 $G22
send host1 $G11 $G21 count 10
expect nic1 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# Fail-over with both links up. The guest that has spoken since is reached over the new one, the
# silent one over the old one, which the host still listens on in this case.
exchange <<PLAN
hello nic2 $G21
send host1 $G11 $G21 count 10
send host1 $G11 $G22 count 20
expect nic1 $G11 $G21 count 10
expect nic2 $G11 $G21 count 10
expect nic1 $G11 $G22 count 20
expect sniffer $G11 $G21 count 10
expect sniffer $G11 $G22 count 20
PLAN

# What it broadcasts over one comes back over the other: the MAC is behind both, and nothing is
# lost.
exchange <<PLAN
hello nic1 $G21
hello nic2 $G21
send nic1 $G21 $BROADCAST count 5
expect nic2 $G21 $BROADCAST count 5
expect host1 $G21 $BROADCAST count 5
expect host3 $G21 $BROADCAST count 5
expect sniffer $G21 $BROADCAST count 5
send host1 $G11 $G21 count 10
expect nic1 $G11 $G21 count 10
expect nic2 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# Fail-over because the active link is down: all guests speak over the other one.
links hosts <<<"link set dev nic1 down"
uncounted_exchange <<PLAN
ignore nic1
hello nic2 $G21
hello nic2 $G22
send host1 $G11 $G21 count 10
send host1 $G11 $G22 count 10
expect nic2 $G11 $G21 count 10
expect nic2 $G11 $G22 count 10
expect sniffer $G11 $G21 count 10
expect sniffer $G11 $G22 count 10
PLAN

# And back, with the newest port taking all.
links hosts <<<"link set dev nic1 up"
wait_for_ports nic1
set_attribute br exclusive 1
set_attribute br flush 1
exchange <<PLAN
hello nic2 $G21
hello nic1 $G21
send host1 $G11 $G21 count 10
expect nic1 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
hello nic2 $G22
hello nic1 $G22
hello nic2 $G22
send host1 $G11 $G22 count 10
expect nic2 $G11 $G22 count 10
expect sniffer $G11 $G22 count 10
PLAN
