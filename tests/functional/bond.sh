#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A nested host with a real bond of two NICs, one active and one for backup, whose guest says
# nothing but its answers. Once the bond and the bridge have noticed that a link is cut no ping is
# lost: so it is on a hub and on a bridge that learns, and so with the module.

source "${BASH_SOURCE%/*}/lib.sh"

readonly DISABLED=0

make_hub host1 nic1 nic2
add_guest host1 caller 1
links hosts <<EOF
link add name bond0 up type bond mode active-backup miimon 10
link add name bond-inner up type bridge mcast_snooping 0
link set dev bond0 master bond-inner
link set dev nic1 down
link set dev nic2 down
link set dev nic1 master bond0
link set dev nic2 master bond0
EOF
add_namespaces silent
links hosts <<<"link add name silent up master bond-inner type veth peer name eth0 netns silent"
links silent <<EOF
link set dev eth0 address 02:00:00:00:0a:02 up
address add 10.0.0.2/24 dev eth0
EOF
# Nobody asks for an address.
ip -n caller neighbour add 10.0.0.2 dev eth0 lladdr 02:00:00:00:0a:02 nud permanent
ip -n silent neighbour add 10.0.0.1 dev eth0 lladdr 02:00:00:00:0a:01 nud permanent

is_active() {
    [[ $(ip netns exec hosts cat /sys/class/net/bond0/bonding/active_slave) == "$1" ]]
}

# pings_arrive: all that are sent, and answered
pings_arrive() {
    ip netns exec caller ping -n -q -c 20 -i 0.01 -W 2 10.0.0.2 >"$LAB/pings" || true
    grep -q ' 20 received' "$LAB/pings"
}

# make_active NIC
make_active() {
    links hosts <<<"link set dev bond0 type bond active_slave $1"
    is_active "$1"
}

# fail_over FROM TO: FROM's link is cut
fail_over() {
    local from=$1 to=$2
    links hosts <<EOF
link set dev $from up
link set dev $to up
EOF
    wait_for_ports "$from" "$to"
    wait_until 20 make_active "$from"
    # Now it is learned there, and has spoken for the last time.
    ip netns exec silent ping -n -q -c 1 -W 20 10.0.0.1 >/dev/null
    pings_arrive || fail "lost pings: $(<"$LAB/pings")"
    links hosts <<<"link set dev $from down"
    wait_until 20 is_active "$to"
    wait_until 20 is_in_state "$from" "$DISABLED"
    # Whoever had RTNL then has told the module.
    ip link set dev lo up
    pings_arrive || fail "lost pings: $(<"$LAB/pings")"
}

for ageing_time in 0 30000; do
    ip link set dev br type bridge ageing_time "$ageing_time"
    for enabled in "" "host1 nic2" "host1 nic1 nic2"; do
        if [[ $enabled ]]; then
            load_module
            # shellcheck disable=SC2086 # one word each
            enable $enabled
        fi
        fail_over nic1 nic2
        if [[ $enabled ]]; then unload_module; fi
    done
done
