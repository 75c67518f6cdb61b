#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the command says of a bridge with ports that are not enabled: that frames are mirrored to
# them, or why not.

source "${BASH_SOURCE%/*}/lib.sh"

# tells WORDS: the bridge's line ends with that
tells() {
    [[ $(maclearn | grep "^br ") == *" copies $1" ]]
}

# doctor_says TEXT [COMMAND]: it finds that, all of it and nothing else, and that helps
doctor_says() {
    local found
    found=$(maclearn -j doctor | jq -r '.[] | .what, (.helps // empty)')
    [[ $found == "$1${2:+$'\n'$2}" ]] || fail "the doctor says $found"
}

readonly MADE="br makes copies that are then suppressed, since these ports are not enabled:" \
    MEANT="Leave out only who has to see everything"

make_hub host1 host2 host3 host4 sniffer
load_module
enable host1 host2 host3
wait_until 20 tells "made and suppressed, not enabled: host4, sniffer; fewer than 4 ports are"
doctor_says "$MADE host4, sniffer; fewer than 4 ports are. $MEANT"

# ---- it mirrors: to the sniffer alone are copies made
enable host4
exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
hello host4 $G41
PLAN
if [[ $(</proc/sys/kernel/version) == *PREEMPT_RT* ]]; then
    wait_until 20 tells "made and suppressed, not enabled: sniffer; the kernel is PREEMPT_RT"
    exit 0
fi
readonly MIRRORED="not made for what is offloaded, mirrored to: sniffer"
mirrors() {
    attribute_is br n_offloaded 4 && tells "$MIRRORED"
}
wait_until 20 mirrors
maclearn statistics reset dev br
exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
PLAN
tells "$MIRRORED"
[[ $(maclearn | grep "^br ") == *" enabled 4 macs 4 offloaded 4 spared 100.0% never_made 10 "* ]] || fail "$(maclearn)"
maclearn metrics >"$LAB/metrics"
grep -qxF 'maclearn_bridge_never_made_per_frame{bridge="br"} 2' "$LAB/metrics" || fail "$(<"$LAB/metrics")"
gets=$(maclearn -j why $G21 from host1 | jq -r '[.[].ports[] | select(.gets).ifname] | join(" ")')
[[ $gets == "host2 sniffer" ]] || fail "$gets get it"
maclearn why $G21 from host1 | grep -qx "    sniffer gets copy since it is not enabled, and what is offloaded is mirrored to it"
# The bridge device is promiscuous, and all is well.
[[ $(ip -d link show dev br) == *"promiscuity 1 "* ]]
[[ $(maclearn doctor) == "Nothing was found." ]] || fail "$(maclearn doctor)"
# What somebody has put into the bridge's database is not mirrored.
bridge fdb add $NOBODY dev host2 master static
[[ $(maclearn why $NOBODY from host1) == *"sniffer gets nothing since the bridge's fdb sends it to host2 only"* ]]
exchange <<PLAN
send host1 $G11 $NOBODY
expect host2 $G11 $NOBODY
PLAN
bridge fdb del $NOBODY dev host2 master

# ---- who has spoken is no sniffer
maclearn entry add $SNIFFER dev sniffer dynamic
doctor_says "sniffer gets a copy of every frame, since it is not enabled. $MEANT" "maclearn port set dev sniffer enabled on"
maclearn entry flush dev sniffer

# ---- a sniffer's port that was enabled misses everything, which was suppressed nowhere
maclearn entry flush dev host4
maclearn statistics reset dev host4
silent="nobody has spoken behind host4, which is enabled. If a sniffer is there, and only then, leave it out, since it \
misses what is for others"
wait_until 20 attribute_is br n_offloaded 3
doctor_says "$silent"
exchange <<<"hello host4 $G41"
wait_until 20 mirrors

# ---- why it does not mirror, although so many ports are enabled
# not_mirrored WHY: that is told, and it is so
not_mirrored() {
    tells "made and suppressed, not enabled: sniffer; $1"
}
maclearn bridge set dev br fdb_offload filtered
[[ $(maclearn bridge show dev br) == *" fdb_offload filtered "* ]]
wait_until 20 not_mirrored "fdb_offload is filtered"
doctor_says "$MADE sniffer; fdb_offload is filtered. $MEANT" "maclearn bridge set dev br fdb_offload auto"
maclearn bridge set dev br fdb_offload off
wait_until 20 tells "made and suppressed, fdb_offload is off"
doctor_says "br makes copies that are then suppressed, since fdb_offload is off" \
    "maclearn bridge set dev br fdb_offload auto"
maclearn bridge set dev br fdb_offload auto
wait_until 20 mirrors
bridge link set dev sniffer neigh_suppress on
wait_until 20 not_mirrored "sniffer has neigh_suppress"
doctor_says "$MADE sniffer; sniffer has neigh_suppress. $MEANT"
bridge link set dev sniffer neigh_suppress off
bridge link set dev host1 vlan_tunnel on
wait_until 20 not_mirrored "host1 has vlan_tunnel"
bridge link set dev host1 vlan_tunnel off
wait_until 20 mirrors
ip link set dev br type bridge mcast_snooping 1 mcast_querier 1
wait_until 20 not_mirrored "there is a multicast querier"
doctor_says "$MADE sniffer; there is a multicast querier. $MEANT" "ip link set dev br type bridge mcast_snooping 0"
ip link set dev br type bridge mcast_snooping 0
wait_until 20 mirrors
