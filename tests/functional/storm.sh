#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A storm of new sources: each is learned, and where frames are handled nothing is allocated for it. The kernel's trace
# events tell of every allocation there, so that a storm is held beside as many frames from a source that is known.

source "${BASH_SOURCE%/*}/lib.sh"

[[ $(uname -r) != *-debug ]] || skip "a debug kernel's checks allocate, too"

readonly SOURCES=50000 FEW=5000 TRIES=5

readonly TRACING=$LAB/tracing
mkdir "$TRACING"
mount -t tracefs tracefs "$TRACING" || skip "this kernel has no trace events"
echo 0 >"$TRACING/tracing_on"
for event in kmalloc kmem_cache_alloc mm_page_alloc; do
    # In a softirq, as the format of a trace event has it
    echo 'common_flags & 0x10' >"$TRACING/events/kmem/$event/filter"
    echo 1 >"$TRACING/events/kmem/$event/enable"
done

# storm FRAMES MAC [ARGUMENT...]: sends so many frames from there; allocations in softirqs meanwhile, in thousandths of
# one a frame, are in REPLY then
storm() {
    local frames=$1 name value
    : >"$TRACING/trace"
    echo 1 >"$TRACING/tracing_on"
    "${FRAMES:-frames}" send hosts:host1 "$2" $BROADCAST "${@:3}"
    echo 0 >"$TRACING/tracing_on"
    cat "$TRACING"/per_cpu/cpu*/stats >"$LAB/stats"
    REPLY=0
    # Those that are in the buffer, and those that were overwritten
    while IFS=': ' read -r name value; do
        [[ $name != entries && $name != overrun ]] || REPLY=$((REPLY + value))
    done <"$LAB/stats"
    REPLY=$((REPLY * 1000 / frames))
}

# expect_as_if_known WHAT FRAMES MAC: a storm from that many sources, which are new to the port and for which the table
# has to grow, made none of its own for each: up to one in ten frames may be what softirqs do beside them. On a busy
# machine that is more: the best of some tries counts.
expect_as_if_known() {
    local try
    for ((try = 0; try < TRIES; try++)); do
        set_attribute host1 flush 1
        wait_until 60 attribute_is br memory "$EMPTY"
        storm "$2" "$3+$2"
        echo "allocations for 1000 frames from $1: $REPLY"
        ((REPLY > known + 100)) || return 0
    done
    fail "more than the $known for frames from a known source"
}

make_hub host1 host2
load_module
set_attribute br ageing_time 0
set_attribute br max_macs 0
set_attribute host1 max_macs 0
# Only what the module itself does is to be seen.
set_attribute br fdb_offload off
enable host1 host2
get_attribute br memory
readonly EMPTY=$REPLY

exchange <<<"hello host1 $G11"
storm $FEW $G11 --count $FEW
known=$REPLY
# The other port's copy is one.
((known >= 1000)) || fail "of 1000 frames the trace events tell of $known allocations"

readonly FIRST=02:00:01:00:00:00
expect_as_if_known "new sources" $SOURCES $FIRST
# A source that came while there was no room yet is learned from one of its next frames.
owns_all() {
    attribute_is host1 n_macs $SOURCES || {
        "${FRAMES:-frames}" send hosts:host1 $FIRST+$SOURCES $BROADCAST
        return 1
    }
}
wait_until 60 owns_all

set_attribute host1 max_macs 1
expect_as_if_known "sources beyond the limit" $FEW 02:00:02:00:00:00
expect_attribute host1 failing_open 1
set_attribute host1 max_macs 0

listen "$LAB/events"
expect_as_if_known "new sources that somebody is told of" $FEW 02:00:03:00:00:00
wait_until 20 grep -q "^learned host1 02:00:03:" "$LAB/events"
