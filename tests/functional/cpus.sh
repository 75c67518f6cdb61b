#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Known unicast that two CPUs forward at the same time scales as it does on a plain hub, where
# copies are suppressed and where they are mirrored to a port that is not enabled: the packet path
# has no lock and no cache line that every frame writes to.
#
# Clocks of virtual machines are unsteady, and their CPUs are shared: of several rounds the best one
# counts, and only a plain loss is a failure, and only if it stays after many more rounds.

source "${BASH_SOURCE%/*}/lib.sh"
source "${BASH_SOURCE%/*}/pktgen.sh"

readonly ROUNDS=5 MOST_ROUNDS=40
# (These count what they send for each CPU.)
readonly PORTS=(in0 in1 out2 out3 out4 out5) SNIFFER_PORT=sniffer
# Of the hub's scaling
readonly LEAST_PERCENT=65

[[ ! -e /proc/lockdep ]] || skip "a debug kernel's own locks decide"

# measure WHAT: the best frames a second so far, with one CPU and with two, are in BEST[WHAT-1] and
# BEST[WHAT-2]
declare -A BEST=()
measure() {
    feed 0 in0 "$frames" $G11 $G31
    start in0
    ((REPLY <= ${BEST[$1-1]:-0})) || BEST[$1-1]=$REPLY
    feed 0 in0 "$frames" $G11 $G31
    feed 1 in1 "$frames" $G21 $G31
    start in0 in1
    ((REPLY <= ${BEST[$1-2]:-0})) || BEST[$1-2]=$REPLY
}

ip link add name br up type bridge ageing_time 0 mcast_snooping 0
for port in "${PORTS[@]}" "$SNIFFER_PORT"; do
    echo "link add name $port up master br type dummy"
done | links -
wait_for_ports "${PORTS[@]}" "$SNIFFER_PORT"
load_module

# A fifth of a second
feed 0 in0 1000 $G11 $G31
start in0
frames=$((REPLY / 5))

# make_known: the guests speak
make_known() {
    feed 0 in0 1 $G11 $BROADCAST
    start in0
    feed 0 in1 1 $G21 $BROADCAST
    start in1
    feed 0 out2 1 $G31 $BROADCAST
    start out2
}

# compare: the scaling of both, in percent, is in HUB and MACLEARN then; whether maclearn's will do
compare() {
    # More than twice is luck.
    HUB=$((100 * ${BEST[hub-2]} / ${BEST[hub-1]}))
    ((HUB <= 200)) || HUB=200
    MACLEARN=$((100 * ${BEST[maclearn-2]} / ${BEST[maclearn-1]}))
    ((MACLEARN * 100 >= HUB * LEAST_PERCENT && ${BEST[maclearn-1]} >= ${BEST[hub-1]}))
}

# one_round: measures a hub, and maclearn
one_round() {
    local port owner other every
    sent out3
    other=$REPLY
    measure hub
    sent out3
    ((REPLY - other == 3 * frames)) || fail "the hub gave $((REPLY - other)) frames to out3"

    enable "${PORTS[@]}"
    make_known
    wait_until 20 attribute_is br n_offloaded "$OFFLOADED"
    sent out2 && owner=$REPLY
    sent out3 && other=$REPLY
    sent "$SNIFFER_PORT" && every=$REPLY
    measure maclearn
    sent out2
    ((REPLY - owner == 3 * frames)) || fail "$((REPLY - owner)) frames reached the owner"
    sent out3
    ((REPLY == other)) || fail "$((REPLY - other)) frames reached another filtered port"
    sent "$SNIFFER_PORT"
    ((REPLY - every == 3 * frames)) || fail "$((REPLY - every)) frames reached the port that is not enabled"
    attribute_is br n_offloaded "$OFFLOADED" || fail "$REPLY MACs are offloaded, not $OFFLOADED"
    disable "${PORTS[@]}"
}

# scales WHAT OFFLOAD NUMBER: with fdb_offload OFFLOAD, by which so many MACs are offloaded
scales() {
    local round what
    BEST=()
    OFFLOADED=$3
    set_attribute br fdb_offload "$2"
    for ((round = 0; round < MOST_ROUNDS; round++)); do
        one_round
        ((round + 1 < ROUNDS)) || ! compare || break
    done
    for what in hub maclearn; do
        echo "$1, $what: ${BEST[$what-1]} frames/s with one CPU, ${BEST[$what-2]} with two"
    done
    echo "scaling: hub $HUB %, maclearn $MACLEARN %, after $((round < MOST_ROUNDS ? round + 1 : MOST_ROUNDS)) rounds"
    compare || fail "maclearn scales worse than a hub, or is slower than one"
}
scales suppressed off 0
scales mirrored auto 3
