#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The ports that get every copy change while one CPU floods frames of the bridge device all the
# time, so that most changes are in the middle of a frame: a port that gets every copy all along
# gets each frame once, and one that is enabled and disabled meanwhile misses none.

source "${BASH_SOURCE%/*}/lib.sh"
source "${BASH_SOURCE%/*}/pktgen.sh"

readonly BRIDGE=02:00:00:00:00:fe UPLINK=out0 FILTERED=(in1 out{2..8}) CHANGING=(out{9..20})

ip link add name br up address $BRIDGE type bridge ageing_time 0 mcast_snooping 0
# The bridge floods to the port first that has joined last.
for port in $UPLINK "${FILTERED[@]}" "${CHANGING[@]}"; do
    echo "link add name $port up master br type dummy"
done | links -
wait_for_ports $UPLINK "${FILTERED[@]}" "${CHANGING[@]}"
load_module
# The list of these ports is changed by the other CPU.
taskset --pid --cpu-list 1 $$ >"$LAB/affinity"
readonly CPUMASK=/sys/devices/virtual/workqueue/cpumask
read -r usual <$CPUMASK
echo 2 >$CPUMASK
enable "${FILTERED[@]}" "${CHANGING[@]}"
feed 0 in1 1 $G11 $BROADCAST
start in1
wait_until 20 attribute_is br n_offloaded 1

sent $UPLINK && before=$REPLY
sent "${CHANGING[0]}" && before_changing=$REPLY
feed 0 br 0 $BRIDGE $NOBODY start_xmit
echo start >/proc/net/pktgen/pgctrl &
for port in "${CHANGING[@]}"; do
    disable "$port"
    # What was revoked then is offloaded once the list has the port.
    wait_until 20 attribute_is br n_offloaded 1
done
# Before the list is made anew
for ((turn = 0; turn < 200; turn++)); do
    enable "${CHANGING[0]}"
    disable "${CHANGING[0]}"
done
echo "$usual" >$CPUMASK
pktgen pgctrl stop
wait $!
wait_until 60 has_result br
[[ $RESULT =~ pkts-sofar:\ ([0-9]+) ]]
frames=${BASH_REMATCH[1]}
pktgen kpktgend_0 rem_device_all
wait_until 60 is_released br
sent $UPLINK
((frames > 1000)) || fail "$frames frames were sent"
((REPLY - before == frames)) || fail "$((REPLY - before)) came of $frames frames"
sent "${CHANGING[0]}"
echo "$frames frames, of which $((REPLY - before_changing)) came to ${CHANGING[0]}"
((REPLY - before_changing >= frames)) || fail "${CHANGING[0]} missed frames"
