#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The same MAC behind several ports: all of them get its frames, or with `exclusive` the newest.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 host4 sniffer
load_module
enable host1 host2 host3 host4

remember_statistics host1 host2 host4
exchange <<PLAN
hello host1 $G11
hello host2 $G11
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN
expect_attribute host1 n_macs 1
expect_attribute host2 n_macs 1
expect_attribute br n_macs 3
expect_since host1 moved_in 0
expect_since host2 moved_in 1

# A third one, and the first forgets.
exchange <<PLAN
hello host4 $G11
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect host4 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN
set_attribute host1 flush 1
expect_attribute host1 n_macs 0
expect_attribute host2 n_macs 1
expect_attribute host4 n_macs 1
exchange <<PLAN
send host3 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect host4 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN

# One owner speaks, the other is silent until it ages.
set_attribute br ageing_time 1
stream --rate 20 <<PLAN
stream host2 $G11 $G31 to host3
PLAN
wait_until 20 attribute_is host4 n_macs 0
expect_attribute host2 n_macs 1
end_stream
set_attribute br ageing_time 300
exchange <<PLAN
hello host2 $G11
send host3 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN

# Exclusive: who has spoken last has it alone.
set_attribute br exclusive 1
expect_attribute br exclusive 1
exchange <<PLAN
hello host1 $G11
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN
expect_attribute host1 n_macs 1
expect_attribute host2 n_macs 0
exchange <<PLAN
hello host2 $G11
send host3 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN
expect_attribute host1 n_macs 0

# And sharing again.
set_attribute br exclusive 0
exchange <<PLAN
hello host1 $G11
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
expect sniffer $G31 $G11 count 10
PLAN

# What is shared when it becomes exclusive is taken by who speaks, be it the first owner or another.
for speaker in host1 host2; do
    silent=host1
    [[ $speaker == host2 ]] || silent=host2
    set_attribute br exclusive 0
    exchange <<-PLAN
	hello $silent $G11
	hello $speaker $G11
	PLAN
    expect_attribute $silent n_macs 1
    expect_attribute $speaker n_macs 1
    set_attribute br exclusive 1
    stream --rate 20 <<-PLAN
	stream $speaker $G11 $G31 to host3
	PLAN
    wait_until 20 attribute_is $silent n_macs 0
    expect_attribute $speaker n_macs 1
    end_stream
done
