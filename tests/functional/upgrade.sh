#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# maclearn reload under traffic: no frame is lost, also where unknown destinations are suppressed, and all settings and MACs
# are there afterwards, also those of guests that are silent.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3
set_attribute host2 unknown_unicast suppress
set_attribute br ageing_time 1000

exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host2 $G21
hello host2 $G22
hello host3 $G31
PLAN
known() { maclearn entry show | sed 's/ age .*//' | sort; }
before=$(known)
settings=$(maclearn port show | sed 's/ limit_reached//')
[[ $before == *"$G22"* ]] || fail "G22 is not known: $before"

stream --rate 100 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host3 $G31 $G21 to host2,sniffer
PLAN
for ((round = 0; round < 5; round++)); do maclearn reload; done
end_stream

[[ $(known) == "$before" ]] || fail "known is $(known), not $before"
[[ $(maclearn port show) == "$settings" ]] || fail "settings are $(maclearn port show), not $settings"
expect_attribute br ageing_time 1000
[[ ! -e /run/maclearn.saved ]] || fail "what was saved was left"

# Settings and MACs are there as if it had never gone.
exchange <<PLAN
send host3 $G31 $G22 count 5
expect host2 $G31 $G22 count 5
expect sniffer $G31 $G22 count 5
PLAN

# What can't be saved is not unloaded.
mkdir /run/maclearn.saved
! maclearn reload 2>"$LAB/said" || fail "reloaded without saving"
[[ $(known) == "$before" ]] || fail "unloaded without saving"
