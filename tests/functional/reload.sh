#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loading, enabling and unloading 100 times while guests talk: nothing is lost, and it filters every
# time.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer

# The frames of the third are for nobody.
stream --rate 100 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host2 $G21 $G11 to host1,sniffer
stream host3 $G31+50 $G11
PLAN
for ((cycle = 0; cycle < 100; cycle++)); do
    load_module
    enable host1 host2 host3
    unload_module
done
end_stream

for ((cycle = 0; cycle < 3; cycle++)); do
    load_module
    enable host1 host2 host3
    exchange <<PLAN
hello host2 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect sniffer $G11 $G21 count 10
PLAN
    unload_module
done
