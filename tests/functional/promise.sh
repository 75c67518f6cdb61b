#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The table "The promise and its exceptions" of Documentation/semantics.md, row by row, on a hub, on
# a learning bridge and with maclearn on the hub: at which ports does a frame for G21 arrive?

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 host4
readonly ALL="host2 host3 host4" NOWHERE="" LLDP=01:80:c2:00:00:0e PORTS=(host1 host2 host3 host4)
MODE=

# with_maclearn COMMAND...: only there
with_maclearn() {
    [[ $MODE != maclearn ]] || "$@"
}

# set_everywhere NAME VALUE: at all ports
set_everywhere() {
    local port
    for port in "${PORTS[@]}"; do set_attribute "$port" "$1" "$2"; done
}

# seen PORT MAC...: frames with these sources enter there
seen() {
    local at=$1 mac
    shift
    for mac; do echo "hello $at $mac"; done | uncounted_exchange
}

# frame_arrives FROM SOURCE DESTINATION AT-A-HUB AT-A-LEARNING-BRIDGE WITH-MACLEARN: at the ports
# that are named for what it is
frame_arrives() {
    local port at
    case $MODE in
    hub) at=$4 ;;
    learning) at=$5 ;;
    maclearn) at=$6 ;;
    esac
    {
        echo "send $1 $2 $3 count 3"
        for port in $at; do echo "expect $port $2 $3 count 3"; done
    } | uncounted_exchange
}

arrives() {
    frame_arrives host1 "$G11" "$G21" "$@"
}

link() {
    links hosts <<<"link set dev $1 $2"
    wait_until 20 is_in_state "$1" "$([[ $2 == up ]] && echo 3 || echo 0)"
}

# ---- the rows; the guest G21 is behind host2 at first

has_spoken() {
    seen host2 "$G21"
    arrives "$ALL" host2 host2
}

has_never_spoken() {
    arrives "$ALL" "$ALL" "$ALL"
}

moves_and_speaks() {
    seen host2 "$G21"
    seen host3 "$G21"
    arrives "$ALL" host3 "host2 host3"
}

moves_and_speaks_exclusive() {
    with_maclearn set_attribute br exclusive 1
    seen host2 "$G21"
    seen host3 "$G21"
    arrives "$ALL" host3 host3
    with_maclearn set_attribute br exclusive 0
}

moves_silently() {
    seen host2 "$G21"
    arrives "$ALL" host2 host2
}

moves_silently_from_a_port_without_link() {
    seen host2 "$G21"
    link host2 down
    arrives "host3 host4" "host3 host4" "host3 host4"
    link host2 up
}

old_place_left_after_a_newer_one() {
    seen host3 "$G21"
    seen host2 "$G21"
    link host2 down
    link host2 up
    with_maclearn wait_until 20 attribute_is host2 n_macs 0
    arrives "$ALL" "$ALL" "$ALL"
}

silent_guest_is_spoofed() {
    seen host3 "$G21"
    arrives "$ALL" host3 host3
}

speaking_guest_is_spoofed() {
    seen host2 "$G21"
    seen host3 "$G21"
    seen host2 "$G21"
    seen host3 "$G21"
    arrives "$ALL" host3 "host2 host3"
}

silent_for_long() {
    seen host2 "$G21"
    age
    arrives "$ALL" "$ALL" "$ALL"
}

silent_for_long_and_suppressed() {
    with_maclearn set_everywhere unknown_unicast suppress
    seen host2 "$G21"
    age
    arrives "$ALL" "$ALL" "$NOWHERE"
    with_maclearn set_everywhere unknown_unicast flood
}

port_does_not_learn() {
    bridge link set dev host2 learning off
    with_maclearn set_attribute host2 learning 0
    seen host2 "$G21"
    seen host3 "$G21"
    arrives "$ALL" host3 host3
    bridge link set dev host2 learning on
    with_maclearn set_attribute host2 learning 1
}

limit_open() {
    with_maclearn set_attribute host2 max_macs 1
    seen host2 "$G22" "$G21"
    seen host3 "$G31"
    arrives "$ALL" host2 "$ALL"
    frame_arrives host1 "$G11" "$G31" "$ALL" host3 "host2 host3"
    with_maclearn set_attribute host2 max_macs 0
    with_maclearn wait_until 20 attribute_is host2 failing_open 0
}

limit_closed() {
    with_maclearn set_attribute host2 max_macs 1
    with_maclearn set_attribute host2 on_failure closed
    seen host1 "$G11"
    seen host2 "$G22"
    frame_arrives host2 "$G21" "$G11" "host1 host3 host4" host1 "$NOWHERE"
    with_maclearn set_attribute host2 max_macs 0
    with_maclearn set_attribute host2 on_failure open
}

speaks_to_link_local_groups_only() {
    seen host2 "$G21"
    frame_arrives host3 "$G21" "$LLDP" "$NOWHERE" "$NOWHERE" "$NOWHERE"
    arrives "$ALL" host3 host2
}

has_a_backup_port() {
    bridge link set dev host2 backup_port host3
    seen host2 "$G21"
    link host2 down
    arrives "host3 host4" host3 "host3 host4"
    link host2 up
    bridge link set dev host2 nobackup_port
}

user_says_where() {
    seen host2 "$G21"
    bridge fdb replace "$G21" dev host3 master extern_learn
    arrives host3 host3 host3
    bridge fdb del "$G21" dev host3 master
}

multiple_spanning_trees() {
    local port
    bridge vlan del dev br vid 1 self
    for port in "${PORTS[@]}"; do bridge vlan del dev "$port" vid 1; done
    ip link set dev br type bridge mst_enabled 1 vlan_filtering 1
    for port in "${PORTS[@]}"; do bridge vlan add dev "$port" vid 1 pvid untagged; done
    seen host2 "$G21"
    arrives "$ALL" host2 "$ALL"
    for port in "${PORTS[@]}"; do bridge vlan del dev "$port" vid 1; done
    ip link set dev br type bridge vlan_filtering 0 mst_enabled 0
    for port in "${PORTS[@]}"; do bridge vlan add dev "$port" vid 1 pvid untagged; done
}

vlan_is_blocked_at_a_port() {
    ip link set dev br type bridge vlan_filtering 1
    bridge vlan set dev host3 vid 1 state blocking
    seen host3 "$G21"
    arrives "host2 host4" "host2 host4" "$NOWHERE"
    bridge vlan set dev host3 vid 1 state forwarding
    ip link set dev br type bridge vlan_filtering 0
}

firewall_drops_in_its_forward_chain() {
    nft -f - <<'NFT'
table bridge guard {
    chain forward {
        type filter hook forward priority 0
        iifname host3 drop
    }
}
NFT
    seen host3 "$G21"
    nft delete table bridge guard
    arrives "$ALL" host3 host3
}

readonly ROWS=(has_spoken has_never_spoken moves_and_speaks moves_and_speaks_exclusive moves_silently
    moves_silently_from_a_port_without_link old_place_left_after_a_newer_one silent_guest_is_spoofed
    speaking_guest_is_spoofed silent_for_long silent_for_long_and_suppressed port_does_not_learn limit_open limit_closed
    speaks_to_link_local_groups_only has_a_backup_port user_says_where multiple_spanning_trees
    vlan_is_blocked_at_a_port firewall_drops_in_its_forward_chain)

# age: all that was seen is forgotten, as if it were too long ago
age() {
    echo 1 >/sys/class/net/br/bridge/flush
    with_maclearn set_attribute br flush 1
}

# ---- on each
for MODE in hub learning maclearn; do
    case $MODE in
    hub) ip link set dev br type bridge ageing_time 0 ;;
    learning) ip link set dev br type bridge ageing_time 30000 ;;
    maclearn)
        ip link set dev br type bridge ageing_time 0
        load_module
        enable "${PORTS[@]}"
        ;;
    esac
    for row in "${ROWS[@]}"; do
        age
        echo "$MODE: $row"
        "$row"
    done
done
