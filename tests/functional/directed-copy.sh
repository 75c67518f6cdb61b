#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the bridge's own forwarding database directs to a port is the only copy, and reaches it,
# whoever owns the destination here: at a backup port, by entries that the bridge does not tell of,
# and by what it has learned where the module sees no frame.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe LLDP=01:80:c2:00:00:0e DISABLED=0
# "vlan 10" where the bridge filters VLANs
vlan=

make_hub host1 host2 host3 host4
ip link set dev br address $BRIDGE
load_module
enable host1 host2 host3

# reaches PORT DESTINATION...: ten frames for each, from host4, do, and nothing else gets them
reaches() {
    local port=$1 destination
    shift
    for destination; do
        printf "send host4 $G41 %s count 10 $vlan\nexpect %s $G41 %s count 10 $vlan\n" \
            "$destination" "$port" "$destination"
    done | uncounted_exchange
}

# comes_from PORT SOURCE
comes_from() {
    uncounted_exchange <<<"hello $1 $2 $vlan"
}

# forget: what was learned so far
forget() {
    set_attribute br flush 1
    ip link set dev br type bridge fdb_flush
}

is_offloaded() {
    [[ $(bridge fdb get "$1" br br ${vlan:+"${vlan% *}" "${vlan#* }"} 2>/dev/null) == *"dev $2 "* ]]
}

# cut HOST: its port has no carrier
cut() {
    links hosts <<<"link set dev $1 down"
    wait_until 20 is_in_state "$1" $DISABLED
}

# restore HOST
restore() {
    links hosts <<<"link set dev $1 up"
    wait_for_ports "$1"
}

# redirected: the bridge sends what is for host1 to its backup port, although host3 owns it, too,
# and host2 suppresses what nobody owns
redirected() {
    cut host1
    uncounted_exchange <<PLAN
ignore host1
send host4 $G41 $G11 count 10 $vlan
expect host2 $G41 $G11 count 10 $vlan
PLAN
    restore host1
}

# ---- A backup port: of a static entry's port
backup() {
    local redirected
    bridge link set dev host1 backup_port host2
    set_attribute host2 unknown_unicast suppress
    # shellcheck disable=SC2086 # words
    bridge fdb add "$G11" dev host1 $vlan master static
    reaches host1 "$G11"
    redirected
    comes_from host3 "$G11"
    redirected
    # shellcheck disable=SC2086
    bridge fdb del "$G11" dev host1 $vlan master
    forget
    # and of what was offloaded, before the bridge notices and deletes it; then it makes copies
    enable host4
    comes_from host1 "$G11"
    wait_until 20 is_offloaded "$G11" host1
    links hosts <<<"link set dev host1 down"
    remember_statistics host2 host3
    uncounted_exchange <<PLAN
ignore host1
ignore host2
ignore host3
send host4 $G41 $G11 count 10 $vlan
PLAN
    since host2 passed_owned
    redirected=$REPLY
    since host3 passed_unknown
    ((redirected + REPLY == 10)) || fail "$redirected frames were redirected, $REPLY copied"
    wait_until 20 is_in_state host1 $DISABLED
    restore host1
    disable host4
    set_attribute host2 unknown_unicast flood
    bridge link set dev host1 nobackup_port
    forget
}

# ---- Entries that the bridge does not tell of. Nothing ages while this runs; the ports do not
# learn.
untold() {
    local port
    ip link set dev br type bridge ageing_time 30000
    for port in host1 host2 host3 host4; do bridge link set dev "$port" learning off; done
    # shellcheck disable=SC2086
    {
        comes_from host1 "$G11"
        bridge fdb replace "$G11" dev host2 $vlan master dynamic
        reaches host2 "$G11"
        bridge fdb del "$G11" dev host2 $vlan master

        # A claim of host1 that is no longer true goes.
        bridge fdb add "$G12" dev host1 $vlan master static
        reaches host1 "$G12"
        get_attribute host1 n_macs
        local macs=$REPLY
        bridge fdb replace "$G12" dev host2 $vlan master dynamic
        reaches host2 "$G12"
        wait_until 20 attribute_is host1 n_macs $((macs - 1))
        reaches host2 "$G12"
        bridge fdb del "$G12" dev host2 $vlan master
    }
    for port in host1 host2 host3 host4; do bridge link set dev "$port" learning on; done
    forget
}

# ---- A guest that the bridge has learned at its new port from an LLDP frame, which it keeps to
# itself
lldp() {
    comes_from host1 "$G11"
    reaches host1 "$G11"
    uncounted_exchange <<PLAN
send host2 $G11 $LLDP $vlan
PLAN
    reaches host2 "$G11"
    forget
}

# ---- What the bridge device sends to a port's own address goes there.
own() {
    local address
    address=$(<"/sys/class/net/host2/address")
    set_attribute host2 unknown_unicast suppress
    uncounted_exchange <<PLAN
port bridge br
send bridge $BRIDGE $address count 10 $vlan
expect host2 $BRIDGE $address count 10 $vlan
PLAN
    set_attribute host2 unknown_unicast flood
}

# ---- A hub asks nobody once it has no such entries any more: what others own is suppressed.
hub() {
    ip link set dev br type bridge ageing_time 0
    comes_from host1 "$G11"
    comes_from host4 "$G41"
    uncounted_exchange <<PLAN
send host4 $G41 $G11 count 10 $vlan
expect host1 $G41 $G11 count 10 $vlan
send host1 $G11 $G41 count 10 $vlan
expect host4 $G11 $G41 count 10 $vlan
PLAN
    forget
}

backup
untold
lldp
own
hub

ip link set dev br type bridge vlan_filtering 1 mcast_snooping 0
for port in host1 host2 host3 host4; do
    echo "vlan add dev $port vid 10"
done | bridge -batch -
bridge vlan add dev br vid 10 self
vlan="vlan 10"
backup
untold
lldp
own
hub
