#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Programs that manage the bridge's own forwarding database, beside what maclearn gives it: an EVPN
# daemon, with a VXLAN port and the bridge answering ARP, and a manager of virtual machines. What
# they add is theirs.

source "${BASH_SOURCE%/*}/lib.sh"

readonly REMOTE=02:00:00:00:0b:01 REMOTE_IP=10.0.0.9

make_hub host1 host2
add_guest host1 guest1 1
add_guest host2 guest2 2
readonly GUEST1=02:00:00:00:0a:01 GUEST2=02:00:00:00:0a:02
ip link add name vxlan up type vxlan id 7 dstport 4789 local 192.0.2.1 nolearning
ip link set dev vxlan master br
ip link set dev vxlan type bridge_slave neigh_suppress on
load_module
enable host1 host2 vxlan

# entry_is MAC WORDS: what the bridge has for the MAC, - for nothing
entry_is() {
    local entry
    entry=$(bridge fdb get "$1" br br 2>/dev/null) || entry=-
    # shellcheck disable=SC2053 # a pattern
    [[ $entry == *$2* ]]
}

expect_entry() {
    wait_until 20 entry_is "$@"
}

# knows GUEST ADDRESS MAC: it has been answered
knows() {
    [[ $(ip -n "$1" neigh show "$2") == *"lladdr $3"* ]]
}

# asks GUEST ADDRESS MAC: it asks, and is answered
asks() {
    ip -n "$1" neigh flush all
    ip netns exec "$1" ping -n -c 1 -w 1 "$2" >/dev/null || true
    knows "$@" || fail "$1 was not told where $2 is"
}

# ---- EVPN: the daemon puts what is remote at the VXLAN port, and the bridge answers for it. The
# port's setting keeps no other port's MACs from being offloaded, and so from being advertised; ARP
# is answered as without.
ip neigh add $REMOTE_IP lladdr $REMOTE dev br nud permanent
bridge fdb add $REMOTE dev vxlan master extern_learn
for offload in off auto; do
    set_attribute br fdb_offload $offload
    asks guest1 10.0.0.2 $GUEST2
    asks guest2 $REMOTE_IP $REMOTE
    [[ $offload == off ]] || { expect_entry $GUEST1 "dev host1*extern_learn" && expect_entry $GUEST2 "dev host2*extern_learn"; }
    asks guest1 10.0.0.2 $GUEST2
    asks guest2 $REMOTE_IP $REMOTE
done
entry_is $REMOTE "dev vxlan*extern_learn" || fail "the daemon's entry has gone"

# What comes from behind the VXLAN port is not offloaded there.
bridge fdb del $REMOTE dev vxlan master
ip neigh del $REMOTE_IP dev br
ip link set dev vxlan type bridge_slave neigh_suppress off
ip link set dev vxlan nomaster

# ---- A manager of virtual machines adds a static entry as the machine starts, and wants there to
# be none. The kernel refuses that for a MAC that the bridge has, learned by itself on a bridge that
# learns or given by maclearn.
ip link add name learner up type bridge mcast_snooping 0
ip link add name guests up master learner type veth peer name guests netns hosts
links hosts <<<"link set dev guests up"
wait_for_ports guests
"${FRAMES:-frames}" send hosts:guests "$G21" "$BROADCAST"
wait_until 20 bridge fdb get "$G21" br learner
add="fdb add $G21 dev guests master static"
# shellcheck disable=SC2086 # words
[[ $(bridge $add 2>&1) == *"File exists"* ]] || fail "a bridge that learns takes: $add"

expect_entry $GUEST2 "dev host2*extern_learn"
[[ $(bridge fdb add $GUEST2 dev host2 master static 2>&1) == *"File exists"* ]] || fail "the kernel takes an entry that it has"
# To replace it works on both, here or at another port, and it is the manager's from then on.
bridge fdb replace "$G21" dev guests master static
for port in host2 host1; do
    bridge fdb replace $GUEST2 dev $port master static
    for change in "fdb_offload off" "fdb_offload auto" "flush 1"; do
        # shellcheck disable=SC2086 # a name and a value
        set_attribute br $change
    done
    "${FRAMES:-frames}" send hosts:host1 $GUEST2 "$BROADCAST" --count 5
    "${FRAMES:-frames}" send hosts:host2 $GUEST2 "$BROADCAST" --count 5
    entry_is $GUEST2 "dev $port*static" || fail "the manager's entry at $port has gone"
done
bridge fdb del $GUEST2 dev host1 master

# ---- A `dynamic` or `extern_learn` entry for an offloaded MAC at the same port changes nothing in
# the kernel, which tells of nothing: it goes with the one that was there.
for kind in extern_learn dynamic; do
    "${FRAMES:-frames}" send hosts:host2 $GUEST2 "$BROADCAST"
    set_attribute br fdb_offload auto
    expect_entry $GUEST2 "dev host2*extern_learn"
    bridge fdb replace $GUEST2 dev host2 master $kind
    set_attribute br fdb_offload off
    entry_is $GUEST2 - || fail "it was told of: maclearn.rst says otherwise"
done
unload_module
