#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Allocations fail, one at a time: what is refused has changed nothing, what the kernel does anyway
# is done without maclearn, and in either case it can be done once more.

source "${BASH_SOURCE%/*}/lib.sh"

[[ -e /proc/self/fail-nth ]] || skip "this kernel injects no faults"
mkdir "$LAB/debug"
mount -t debugfs debugfs "$LAB/debug"

make_hub host1 host2
# A bridge whose address is set does not change it with its ports'.
links - <<EOF
link add name late address 02:00:00:00:dd:01 type dummy
link set dev br address 02:00:00:00:dd:00
EOF
load_module
enable host1 host2
exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
python3 faults.py "$LAB/debug" "${MACLEARN_KO:-$(modinfo --field filename maclearn)}" || fail "see above"

load_module
enable host1 host2
exchange <<PLAN
hello host1 $G11
hello host2 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
PLAN
