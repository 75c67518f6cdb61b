#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A storm of new sources: each is learned, and where frames are handled nothing is allocated for it.
# The kernel's trace events tell of every allocation there, so that a storm is held beside as many
# frames from a source that is known.

source "${BASH_SOURCE%/*}/lib.sh"

[[ $(uname -r) != *-debug ]] || skip "a debug kernel's checks allocate, too"

readonly SOURCES=50000 FEW=5000

begin_trace
for event in kmalloc kmem_cache_alloc mm_page_alloc; do
    # In a softirq, as the format of a trace event has it
    echo 'common_flags & 0x10' >"$TRACE/events/kmem/$event/filter"
    echo 1 >"$TRACE/events/kmem/$event/enable"
done

# storm FRAMES MAC [ARGUMENT...]: sends so many frames from there; allocations in softirqs
# meanwhile, in thousandths of one a frame, are in REPLY then
storm() {
    local frames=$1 name value
    : >"$TRACE/trace"
    echo 1 >"$TRACE/tracing_on"
    "${FRAMES:-frames}" send hosts:host1 "$2" $BROADCAST "${@:3}"
    echo 0 >"$TRACE/tracing_on"
    cat "$TRACE"/per_cpu/cpu*/stats >"$LAB/stats"
    REPLY=0
    # Those that are in the buffer, and those that were overwritten
    while IFS=': ' read -r name value; do
        [[ $name != entries && $name != overrun ]] || REPLY=$((REPLY + value))
    done <"$LAB/stats"
    REPLY=$((REPLY * 1000 / frames))
}

# expect_as_if_known WHAT: the storm made no more than what comes from elsewhere now and then
expect_as_if_known() {
    echo "allocations for 1000 frames from $1: $REPLY"
    ((REPLY <= known + 5)) || fail "more than the $known for frames from a known source"
}

make_hub host1 host2
load_module
set_attribute br ageing_time 0
set_attribute br max_macs 0
set_attribute host1 max_macs 0
enable host1 host2

exchange <<<"hello host1 $G11"
storm $FEW $G11 --count $FEW
known=$REPLY
# The other port's copy is one.
((known >= 1000)) || fail "of 1000 frames the trace events tell of $known allocations"

readonly FIRST=02:00:01:00:00:00
storm $SOURCES $FIRST+$SOURCES
expect_as_if_known "new sources"
# A source that came while there was no room yet is learned from one of its next frames.
owns_all() {
    attribute_is host1 n_macs $((SOURCES + 1)) || {
        "${FRAMES:-frames}" send hosts:host1 $FIRST+$SOURCES $BROADCAST
        return 1
    }
}
wait_until 60 owns_all

set_attribute host1 max_macs 1
storm $FEW 02:00:02:00:00:00+$FEW
expect_as_if_known "sources beyond the limit"
expect_attribute host1 failing_open 1
set_attribute host1 max_macs 0

listen "$LAB/events"
storm $FEW 02:00:03:00:00:00+$FEW
expect_as_if_known "new sources that somebody is told of"
wait_until 20 grep -q "^learned host1 02:00:03:" "$LAB/events"
