#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Many bridges that need RTNL, while it is busy for seconds: each asks for it less and less often,
# and does no more than that. The kernel's trace events tell of every run of their works.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGES=20 DEVICES=6 TRIES=5

begin_trace
[[ -e /proc/net/pktgen ]] || modprobe pktgen || skip "this kernel has no pktgen"
echo 16384 >"$TRACE/buffer_size_kb"
echo 1 >"$TRACE/events/workqueue/workqueue_execute_start/enable"

# now: the time in hundredths of a second is in REPLY then
now() {
    read -r REPLY _ </proc/uptime
    REPLY=$((10#${REPLY/./}))
}

has_sent() {
    grep -q 'pkts-sofar: [1-9]' "/proc/net/pktgen/$1"
}
is_gone() {
    [[ ! -e /sys/class/net/$1 ]]
}

# hold_rtnl: it is held from when slow1 is gone to when the last one is. pktgen, as a device goes,
# waits for 1.25 seconds for the thread that sends there, which sleeps for longer; and devices that
# go together go one by one, under one hold.
hold_rtnl() {
    local number setting pktgen=/proc/net/pktgen
    for ((number = 1; number <= DEVICES; number++)); do
        echo "link add name slow$number group 7 up type dummy"
    done | links -
    for ((number = 1; number <= DEVICES; number++)); do
        echo "add_device slow$number" >$pktgen/kpktgend_0
        for setting in "count 0" "delay 9000000000" "dst_mac $NOBODY"; do echo "$setting" >$pktgen/slow$number; done
    done
    echo start >$pktgen/pgctrl &
    wait_until 20 has_sent slow$DEVICES
    ip link del group 7 &
    wait_until 20 is_gone slow1
    # For when the thread wakes up.
    echo stop >$pktgen/pgctrl
    echo reset >$pktgen/pgctrl &
}

# count_runs: so many runs of works of the module's while RTNL was held, and the bridges had reason
# to ask for it, are in RUNS then, and the time, in hundredths of a second, in TIME. Fails if it was
# not held as long as that.
count_runs() {
    local bridge number status=0
    hold_rtnl
    now
    TIME=-$REPLY
    echo >"$TRACE/trace"
    echo 1 >"$TRACE/tracing_on"
    for ((bridge = 1; bridge <= BRIDGES; bridge++)); do
        set_attribute many$bridge fdb_offload off
        set_attribute many$bridge fdb_offload auto
    done
    wait_until 20 is_gone slow$((DEVICES - 1))
    echo 0 >"$TRACE/tracing_on"
    now
    TIME=$((TIME + REPLY))
    ! is_gone slow$DEVICES || status=1
    wait
    RUNS=$(grep -c '\[maclearn\]' "$TRACE/trace") || true
    return $status
}

PARAMETERS=(auto_enable=1)
load_module
for ((number = 1; number <= BRIDGES; number++)); do
    echo "link add name many$number up type bridge ageing_time 0"
    echo "link add name port$number up master many$number type dummy"
done | links -
expect_attribute port$BRIDGES enabled 1

for ((try = 1; ; try++)); do
    if count_runs; then break; fi
    # A machine that is busy itself may not be done before it is free.
    ((try < TRIES)) || fail "RTNL was free too early, $TRIES times"
done
# Each is asked twice for a run of its maintenance work, which comes once a second else; and tries
# once at first, then after 10, 20, 40, ... ms, up to a second.
most=$((BRIDGES * (2 * TIME / 100 + 2 + 9 + 2)))
echo "$RUNS runs in $TIME hundredths of a second, $most at most"
((RUNS >= 2 * BRIDGES)) || fail "the trace does not tell of all runs"
((RUNS <= most)) || fail "more than that"
