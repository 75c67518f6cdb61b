#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bridge all of whose ports are filtered is told where MACs are, and makes no copies. Whatever
# happens then, no frame is lost that its owner, or a port that gets every copy, would have got.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3
ip link add name sniffer up type veth peer name sniffer netns hosts
links hosts <<<"link set dev sniffer up"
load_module
enable host1 host2 host3

# offloaded MAC VLAN PORT...: these are the entries that the bridge was given, no more
offloaded() {
    local given wanted
    given=$(bridge -json fdb show br br |
        jq -r '.[] | select(.flags | index("extern_learn") and index("offload")) | "\(.mac) \(.vlan // 0) \(.ifname)"' | sort)
    wanted=$( (($# == 0)) || printf '%s %s %s\n' "$@" | sort)
    [[ $given == "$wanted" ]]
}

# expect_offloaded MAC VLAN PORT...: soon
expect_offloaded() {
    wait_until 20 offloaded "$@"
    attribute_is br n_offloaded $(($# / 3)) || wait_until 20 attribute_is br n_offloaded $(($# / 3))
}

# expect_given_back: everything, and now
expect_given_back() {
    expect_attribute br n_offloaded 0
    offloaded || fail "the bridge still has an entry"
}

readonly ALL=("$G11" 0 host1 "$G21" 0 host2 "$G31" 0 host3)

speak() {
    uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
PLAN
}

# ---- known MACs: the owner gets its frames, and there are no copies to suppress
speak
expect_offloaded "${ALL[@]}"
remember_statistics host2 host3
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 50
expect host2 $G11 $G21 count 50
send host1 $G11 $BROADCAST count 5
expect host2 $G11 $BROADCAST count 5
expect host3 $G11 $BROADCAST count 5
send host1 $G11 $NOBODY count 7
expect host2 $G11 $NOBODY count 7
expect host3 $G11 $NOBODY count 7
PLAN
expect_since host2 passed_owned 50
expect_since host3 suppressed 0
expect_since host3 passed_unknown 7

# Frames of the bridge device go the same way.
uncounted_exchange <<PLAN
port bridge br
send bridge 02:00:00:00:0b:01 $G21 count 10
expect host2 02:00:00:00:0b:01 $G21 count 10
PLAN

# ---- switched off, and on
set_attribute br fdb_offload off
expect_given_back
exchange <<PLAN
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
PLAN
set_attribute br fdb_offload auto
expect_offloaded "${ALL[@]}"

# ---- a port that is not enabled gets every copy from the first on, and while it is there
readonly ROUNDS=5
for ((round = 0; round < ROUNDS; round++)); do
    disable host3
    expect_given_back
    exchange <<PLAN
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect host3 $G11 $G21 count 20
PLAN
    enable host3
    expect_offloaded "${ALL[@]}"

    HUB_PORTS+=(sniffer)
    ip link set dev sniffer master br
    expect_given_back
    wait_for_ports sniffer
    exchange <<PLAN
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
PLAN
    ip link set dev sniffer nomaster
    unset 'HUB_PORTS[-1]'
    expect_offloaded "${ALL[@]}"
done

# A port that joins filtered is no reason to revoke anything.
set_attribute br auto_enable 1
ip link set dev sniffer master br
offloaded "${ALL[@]}" || fail "entries were revoked"
set_attribute br auto_enable 0
ip link set dev sniffer nomaster

# ---- a guest that moves gets its frames at its new place at once, and at its old one until that
# forgets it
readonly MOVES=10
for ((move = 0; move < MOVES; move++)); do
    at=$((2 + move % 2)) to=$((3 - move % 2))
    set_attribute br flush 1
    uncounted_exchange <<PLAN
hello host1 $G11
hello host$at $G21
PLAN
    expect_offloaded "$G11" 0 host1 "$G21" 0 "host$at"
    exchange <<PLAN
hello host$to $G21
send host1 $G11 $G21 count 20
expect host$at $G11 $G21 count 20
expect host$to $G11 $G21 count 20
PLAN
    offloaded "$G11" 0 host1 || expect_offloaded "$G11" 0 host1
done

# Exclusive: at its new place alone.
set_attribute br exclusive 1
set_attribute br flush 1
speak
expect_offloaded "${ALL[@]}"
exchange <<PLAN
hello host3 $G21
send host1 $G11 $G21 count 20
expect host3 $G11 $G21 count 20
PLAN
expect_offloaded "$G11" 0 host1 "$G21" 0 host3 "$G31" 0 host3
set_attribute br exclusive 0

# ---- a MAC that its port forgets is for all again
set_attribute host3 flush 1
offloaded "$G11" 0 host1 || fail "entries of a flushed port are left"
exchange <<PLAN
send host1 $G11 $G31 count 10
expect host2 $G11 $G31 count 10
expect host3 $G11 $G31 count 10
PLAN
set_attribute br ageing_time 1
expect_offloaded
exchange <<PLAN
send host3 $G31 $G11 count 10
expect host1 $G31 $G11 count 10
expect host2 $G31 $G11 count 10
PLAN
set_attribute br ageing_time 300
speak
expect_offloaded "${ALL[@]}"

# ---- a port that fails open gets the frames for every MAC that it has sent from, and then all
set_attribute host3 max_macs 1
uncounted_exchange <<PLAN
hello host3 $G21
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
PLAN
expect_attribute host3 failing_open 1
expect_offloaded
exchange <<PLAN
send host1 $G11 $G21 count 10
send host2 $G21 $G11 count 10
expect host2 $G11 $G21 count 10
expect host3 $G11 $G21 count 10
expect host1 $G21 $G11 count 10
expect host3 $G21 $G11 count 10
PLAN
# With room for it, it owns that as well.
set_attribute host3 max_macs 0
expect_offloaded "$G11" 0 host1 "$G31" 0 host3
set_attribute host3 flush 1
speak
expect_offloaded "${ALL[@]}"

# ---- where an entry would do more than spare copies there is none: for a port's own MACs, where it
# would let a source through a locked port, deliver what is not flooded there, or have the bridge
# answer for it
readonly BUT_HOST3=("$G11" 0 host1 "$G21" 0 host2)
without_host3() {
    ip link set dev host3 type bridge_slave "$1" "$2"
    expect_offloaded "${BUT_HOST3[@]}"
    ip link set dev host3 type bridge_slave "$1" "$3"
    expect_offloaded "${ALL[@]}"
}
without_host3 locked on off
without_host3 flood off on
without_host3 neigh_suppress on off
without_host3 proxy_arp_wifi on off

# for all, where it would answer for them or keep the bridge from learning.
given_up() {
    expect_offloaded
    "$@"
    expect_offloaded "${ALL[@]}"
}
ip link set dev host3 type bridge_slave proxy_arp on
given_up ip link set dev host3 type bridge_slave proxy_arp off
ip link set dev br type bridge ageing_time 30000
given_up ip link set dev br type bridge ageing_time 0

# ---- an entry that somebody deletes is forgotten, and given again when its guest has spoken; one
# that somebody configures is theirs
bridge fdb del "$G21" dev host2 master
expect_attribute host2 n_macs 0
expect_offloaded "$G11" 0 host1 "$G31" 0 host3
speak
expect_offloaded "${ALL[@]}"
bridge fdb replace "$G21" dev host2 master static
exchange <<PLAN
hello host3 $G22
PLAN
wait_until 20 attribute_is br n_offloaded 3
unload_module
offloaded "$G21" 0 host2 || offloaded || fail "entries are left of the unloaded module"
[[ $(bridge fdb show br br) == *"$G21 dev host2 "*static* ]] || fail "the configured entry has gone"
bridge fdb del "$G21" dev host2 master

# ---- a dynamic entry of somebody's, which no driver is told of, is not replaced either (a hub
# would forget it at once)
load_module
enable host1 host2 host3
for port in host1 host2 host3; do bridge link set dev $port learning off; done
ip link set dev br type bridge ageing_time 30000
bridge fdb add "$G21" dev host3 master dynamic
speak
expect_offloaded "$G11" 0 host1 "$G31" 0 host3
[[ $(bridge fdb show br br) == *"$G21 dev host3 "* ]] || fail "the dynamic entry has gone"
bridge fdb del "$G21" dev host3 master
ip link set dev br type bridge ageing_time 0
for port in host1 host2 host3; do bridge link set dev $port learning on; done
unload_module

# ---- all of it at once, while two guests talk
load_module
enable host1 host2 host3
stream --rate 200 <<PLAN
stream host1 $G11 $G21 to host2
stream host2 $G21 $G11 to host1
PLAN
for ((round = 0; round < ROUNDS; round++)); do
    expect_offloaded "$G11" 0 host1 "$G21" 0 host2
    ip link set dev sniffer master br
    ip link set dev sniffer nomaster
    disable host3
    enable host3
    set_attribute br flush 1
    set_attribute br fdb_offload off
    set_attribute br fdb_offload auto
done
expect_offloaded "$G11" 0 host1 "$G21" 0 host2
unload_module
offloaded || fail "entries are left of the unloaded module"
load_module
enable host1 host2 host3
end_stream
unload_module

# ---- in VLANs
ip link set dev br type bridge vlan_filtering 1
bridge -batch - <<VLANS
vlan add dev host1 vid 10
vlan add dev host2 vid 10
vlan add dev host3 vid 20 pvid untagged
VLANS
load_module
enable host1 host2 host3
uncounted_exchange <<PLAN
hello host1 $G11 vlan 10
hello host2 $G21 vlan 10
hello host2 $G21
hello host3 $G21
PLAN
expect_offloaded "$G11" 10 host1 "$G21" 10 host2 "$G21" 1 host2 "$G21" 20 host3
uncounted_exchange <<PLAN
send host1 $G11 $G21 vlan 10 count 10
expect host2 $G11 $G21 vlan 10 count 10
send host1 $G11 $G21 count 10
expect host2 $G11 $G21 count 10
PLAN
