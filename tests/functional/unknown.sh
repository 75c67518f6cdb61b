#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Destinations that nobody owns: flooded or suppressed, as each port has it.

source "${BASH_SOURCE%/*}/lib.sh"

forget_all() {
    set_attribute br ageing_time 1
    wait_until 20 attribute_is br n_macs 0
    set_attribute br ageing_time 300
}

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3

# The default is to flood.
expect_attribute host2 unknown_unicast flood
exchange <<PLAN
send host1 $G11 $NOBODY count 10
expect host2 $G11 $NOBODY count 10
expect host3 $G11 $NOBODY count 10
expect sniffer $G11 $NOBODY count 10
PLAN
expect_since host2 passed_unknown 10
expect_since host3 passed_unknown 10

# Each port has its own policy.
set_attribute host2 unknown_unicast suppress
expect_attribute host2 unknown_unicast suppress
exchange <<PLAN
send host1 $G11 $NOBODY count 10
expect host3 $G11 $NOBODY count 10
expect sniffer $G11 $NOBODY count 10
send host1 $G11 $BROADCAST count 3
expect host2 $G11 $BROADCAST count 3
expect host3 $G11 $BROADCAST count 3
expect sniffer $G11 $BROADCAST count 3
PLAN
expect_since host2 suppressed 10

# A guest that has spoken is reached, whatever the policy.
exchange <<PLAN
hello host2 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# A silent guest is unknown again after the ageing time. Strict: its host gets nothing for it.
forget_all
exchange <<PLAN
send host1 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# Flooding: it is reached, and so is everybody else.
forget_all
set_attribute host2 unknown_unicast flood
exchange <<PLAN
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN

# And it is known as soon as it speaks.
exchange <<PLAN
hello host2 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN
