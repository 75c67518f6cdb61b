#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "Why is my guest not reachable?": in each situation of that page g21 is not reached, its examples
# say so as shown, and what it says to do helps.

source "${BASH_SOURCE%/*}/lib.sh"
source ../documents.sh

make_hub host1 host2 host3 sniffer
ip link set dev br name br0
load_module
enable host1 host2 host3

# As the tree names the leaves
readonly ELSEWHERE="1. Another port owns it" DIRECTED="2. The bridge sends it elsewhere" NOBODYS="3. Nobody owns it" \
    LINK="4. The port can't receive" VLAN="5. The VLAN" SETTINGS="6. The bridge's own settings" \
    HOST="7. The host has that MAC" SENDS="8. The guest can't send" OTHER="9. It is not maclearn"

# Frames from g11 arrive at g21, or at the sniffer alone, or at ports of which host2 is none
reached() {
    uncounted_exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
PLAN
}

# arrives PORT...: at these and at no others
arrives() {
    local port plan="send host1 $G11 $G21 count 5"
    for port; do plan+=$'\n'"expect $port $G11 $G21 count 5"; done
    uncounted_exchange <<<"$plan"
}

speaks() {
    uncounted_exchange <<<"hello $1 $G21"
}

forget() {
    maclearn entry flush br br0
}

open_document Documentation/not-reachable.md
example "Ask twice"

speaks host3
arrives host3 sniffer
example "$ELSEWHERE"
example "$ELSEWHERE"
arrives host2 host3 sniffer

# Every port is enabled.
ip link set dev sniffer nomaster
is_given() {
    [[ $(bridge fdb show br br0) == *"$G21 dev $1 "*extern_learn* ]]
}
speaks host3
wait_until 20 is_given host3
arrives host3
example "$DIRECTED"
example "$DIRECTED"
arrives host2 host3
bridge fdb add $G21 dev host3 master static
arrives host3
example "$DIRECTED"
arrives host2 host3
ip link set dev sniffer master br0
wait_for_ports sniffer

set_attribute host2 unknown_unicast suppress
arrives host3 sniffer
example "$NOBODYS"
example "$NOBODYS"
reached
maclearn entry del $G21 dev host2
set_attribute host2 learning 0
speaks host2
arrives host3 sniffer
example "$NOBODYS"
speaks host2
reached
set_attribute host2 unknown_unicast flood

ip link set dev host2 down
arrives host3 sniffer
example "$LINK"
wait_for_ports host2
arrives host2 host3 sniffer

# tagged PORT...: as arrives, in VLAN 10
tagged() {
    local port plan="send host1 $G11 $G21 vlan 10"
    for port; do plan+=$'\n'"expect $port $G11 $G21 vlan 10"; done
    uncounted_exchange <<<"$plan"
}
ip link set dev br0 type bridge vlan_filtering 1
for port in host1 host3; do bridge vlan add dev "$port" vid 10; done
tagged host3
example "$VLAN"
tagged host2 host3
ip link set dev br0 type bridge vlan_filtering 0

speaks host2
reached
bridge link set dev host1 isolated on
bridge link set dev host2 isolated on
arrives sniffer
example "$SETTINGS"
reached
bridge link set dev host1 isolated off
example "$SETTINGS"
reached

forget
mac=$(</sys/class/net/host3/address)
ip link set dev host3 address $G21
arrives
example "$HOST"
ip link set dev host3 address "$mac"
forget

set_attribute host2 max_macs 1
set_attribute host2 on_failure closed
uncounted_exchange <<PLAN
hello host2 $G22
send host2 $G21 $G11
PLAN
example "$SENDS"
uncounted_exchange <<PLAN
hello host1 $G11
send host2 $G21 $G11
expect host1 $G21 $G11
expect sniffer $G21 $G11
PLAN

maclearn statistics reset dev host2
reached
example "$OTHER"
example "$OTHER"
reached
no_more_examples

# The tree has a branch for each leaf, and no other; and its reasons are those that the command has.
readonly PAGE=../../Documentation/not-reachable.md
leaves=$(grep -o '^## [0-9].*' $PAGE | cut -c 4-)
branches=$(sed -n '/^doctor$/,/^```$/s/.*\.\.\.* \([0-9]\. .*\)/\1/p' $PAGE | sort -u)
[[ $leaves == "$branches" ]] || fail "the tree has the branches"$'\n'"$branches"$'\n'"and the leaves"$'\n'"$leaves"
