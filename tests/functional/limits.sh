#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Limits: what a port does whose sources cannot all be learned, and how it recovers.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3

expect_attribute host1 max_macs 4096
expect_attribute host1 on_failure open
set_attribute host1 max_macs 4
set_attribute host1 unknown_unicast suppress
exchange <<PLAN
hello host1 ${G11}+4
hello host2 $G21
hello host3 $G31
send host2 $G21 ${G11}+4 count 10
expect host1 $G21 ${G11}+4 count 10
expect sniffer $G21 ${G11}+4 count 10
PLAN
expect_attribute host1 n_macs 4
expect_attribute host1 failing_open 0
expect_attribute host1 statistics/limit_hits 0

# ---- open: one MAC too many. Its frames pass, and what is sent to it arrives, since host1 gets
# every copy again.
readonly FIFTH=02:00:00:00:01:05
exchange <<PLAN
send host1 $FIFTH $G21 count 3
expect host2 $FIFTH $G21 count 3
expect sniffer $FIFTH $G21 count 3

send host2 $G21 $FIFTH count 10
expect host1 $G21 $FIFTH count 10
expect host3 $G21 $FIFTH count 10
expect sniffer $G21 $FIFTH count 10

send host2 $G21 $G31 count 20
expect host1 $G21 $G31 count 20
expect host3 $G21 $G31 count 20
expect sniffer $G21 $G31 count 20

send host2 $G21 ${G11}+4 count 10
expect host1 $G21 ${G11}+4 count 10
expect sniffer $G21 ${G11}+4 count 10
PLAN
expect_attribute host1 failing_open 1
expect_attribute host1 n_macs 4
expect_since host1 limit_hits 3
expect_since host1 passed_failing_open 30
expect_since host1 passed_owned 40

# A flush makes room.
set_attribute host1 flush 1
expect_attribute host1 failing_open 0
expect_attribute host1 n_macs 0
exchange <<PLAN
hello host1 $FIFTH
send host2 $G21 $FIFTH count 10
expect host1 $G21 $FIFTH count 10
expect sniffer $G21 $FIFTH count 10
send host2 $G21 $G31 count 10
expect host3 $G21 $G31 count 10
expect sniffer $G21 $G31 count 10
PLAN
expect_attribute host1 failing_open 0

# So does a higher limit.
set_attribute host1 max_macs 1
exchange <<<"hello host1 $G11"
expect_attribute host1 failing_open 1
set_attribute host1 max_macs 2
expect_attribute host1 failing_open 0
expect_attribute host1 n_macs 2

# A lower one takes nothing away.
set_attribute host1 max_macs 1
exchange <<PLAN
send host2 $G21 $G11 count 10
send host2 $G21 $FIFTH count 10
expect host1 $G21 $G11 count 10
expect host1 $G21 $FIFTH count 10
expect sniffer $G21 $G11 count 10
expect sniffer $G21 $FIFTH count 10
PLAN

# So does ageing: of the two, only one is heard.
set_attribute host1 max_macs 2
exchange <<PLAN
hello host1 $G13
hello host1 $FIFTH
PLAN
expect_attribute host1 failing_open 1
# Heard last, so that it is not the one that ages should the stream begin late.
exchange <<<"hello host1 $FIFTH"
stream --rate 20 <<<"stream host1 $FIFTH $NOBODY to host2"
set_attribute br ageing_time 2
wait_until 20 attribute_is host1 n_macs 1
wait_until 20 attribute_is host1 failing_open 0
end_stream
set_attribute br ageing_time 300
exchange <<<"hello host1 $G13"
wait_until 10 attribute_is host1 failing_open 0

# ---- closed: frames from one MAC too many are dropped, and nothing else changes.
set_attribute br flush 1
set_attribute host1 on_failure closed
expect_attribute host1 on_failure closed
set_attribute host1 max_macs 2
remember_statistics host1
uncounted_exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host3 $G31
send host1 $G13 $BROADCAST count 5
send host1 $G13 $G21 count 6

send host1 $G11 $BROADCAST count 7
expect host2 $G11 $BROADCAST count 7
expect host3 $G11 $BROADCAST count 7
expect sniffer $G11 $BROADCAST count 7

send host2 $G21 $G12 count 8
expect host1 $G21 $G12 count 8
expect sniffer $G21 $G12 count 8

send host2 $G21 $G13 count 9
expect host3 $G21 $G13 count 9
expect sniffer $G21 $G13 count 9

send host2 $G21 $G31 count 10
expect host3 $G21 $G31 count 10
expect sniffer $G21 $G31 count 10
PLAN
expect_attribute host1 failing_open 0
expect_attribute host1 n_macs 2
expect_since host1 limit_hits 11
expect_since host1 dropped_closed 11
expect_since host1 suppressed 19
set_attribute host1 flush 1
exchange <<PLAN
send host1 $G13 $BROADCAST count 5
expect host2 $G13 $BROADCAST count 5
expect host3 $G13 $BROADCAST count 5
expect sniffer $G13 $BROADCAST count 5
PLAN

# ---- the bridge's own limit holds for its ports together.
set_attribute host1 on_failure open
set_attribute host1 max_macs 0
set_attribute br flush 1
set_attribute br max_macs 3
exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
hello host2 $G22
send host1 $G11 $G31 count 10
expect host2 $G11 $G31 count 10
expect host3 $G11 $G31 count 10
expect sniffer $G11 $G31 count 10
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN
expect_attribute br n_macs 3
expect_attribute host1 failing_open 0
expect_attribute host2 failing_open 1
expect_attribute host3 failing_open 0
set_attribute br max_macs 0
expect_attribute host2 failing_open 0

# ---- many: the table grows while they are learned, and no frame for them is lost meanwhile.
readonly MANY=02:00:00:01:00:00+2000
set_attribute br flush 1
set_attribute host1 unknown_unicast flood
get_attribute br memory
small=$REPLY
exchange <<PLAN
hello host2 $G21
hello host3 $G31
hello host1 $MANY
send host2 $G21 $MANY
expect host1 $G21 $MANY
expect sniffer $G21 $MANY
allow host3 $G21 $MANY
PLAN
# A source that came while there was no room yet, and could not be kept either, is learned from one
# of its next frames.
all_are_learned() {
    exchange <<<"hello host1 $MANY"
    attribute_is host1 n_macs 2000
}
wait_until 20 all_are_learned
get_attribute br memory
((REPLY > small)) || fail "2000 MACs take $REPLY bytes, none took $small"
exchange <<PLAN
send host2 $G21 $MANY
expect host1 $G21 $MANY
expect sniffer $G21 $MANY
PLAN
set_attribute br flush 1
expect_attribute br n_macs 0
