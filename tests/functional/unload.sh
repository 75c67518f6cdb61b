#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The module goes from a bridge with many ports, whose frames are directed: every port gets what it
# would on a hub from the time that the first one is no longer filtered, also for a guest that moves
# there at that moment.

source "${BASH_SOURCE%/*}/lib.sh"

readonly PORTS=100

ports=()
for ((number = 1; number <= PORTS; number++)); do ports+=("host$number"); done
make_hub "${ports[@]}"

is_gone() {
    [[ ! -e /sys/class/net/$1/maclearn ]]
}

# Unloading takes the ports in their order.
readonly first=host1 other=host2 last=host$PORTS
load_module
enable "${ports[@]}"
uncounted_exchange <<PLAN
hello $other $G11
hello $last $G21
PLAN
wait_until 20 attribute_is br n_offloaded 2
unload_module &
unloading=$!
until is_gone $first; do sleep 0.01; done
uncounted_exchange <<PLAN
hello $first $G21
send $other $G11 $G21 count 20
expect $first $G11 $G21 count 20
$(printf "ignore %s\n" "${ports[@]:2}")
PLAN
wait $unloading
MODULE_LOADED=
