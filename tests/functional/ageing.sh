#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Entries that are not used are forgotten after the ageing time, and no others.

source "${BASH_SOURCE%/*}/lib.sh"

# An entry that is not used for T seconds may be found up to this much later: stamps and clock are
# counted in units of somewhat more than a second, and the sweep runs every second. Time is counted
# in looks: a busy machine is late with both.
readonly SLACK_MS=3100 LOOK_MS=50 SPARE_LOOKS=40
# How much the clock of an emulated machine may be late.
readonly LATE_MS=800

now_ms() {
    REPLY=$((${EPOCHREALTIME/./} / 1000))
}

# ages_after SECONDS: host1's only entry, spoken for since $begin at the earliest
ages_after() {
    local forgotten='' looks=$((($1 * 1000 + SLACK_MS) / LOOK_MS + SPARE_LOOKS))
    until [[ $forgotten ]]; do
        if attribute_is host1 n_macs 0; then forgotten=1; fi
        now_ms
        if [[ $forgotten ]] && ((REPLY < begin + $1 * 1000 - LATE_MS)); then
            fail "forgotten after $((REPLY - begin)) ms"
        fi
        ((looks-- > 0)) || fail "remembered for $((REPLY - begin)) ms"
        sleep 0.05
    done
}

make_hub host1 host2
load_module
expect_attribute br ageing_time 300
set_attribute br ageing_time 5
expect_attribute br ageing_time 5
enable host1 host2

now_ms && begin=$REPLY
exchange <<<"hello host1 $G11"
expect_attribute host1 n_macs 1
ages_after 5
expect_attribute host1 statistics/aged 1

# An entry in use stays. The last frame counts, not the first.
exchange <<<"hello host1 $G11"
stream --rate 20 <<<"stream host1 $G11 $NOBODY to host2"
holds 8 attribute_is host1 n_macs 1
end_stream
now_ms && begin=$REPLY
exchange <<<"hello host1 $G11"
set_attribute br ageing_time 2
ages_after 2
expect_attribute host1 statistics/aged 2

# 0: never.
set_attribute br ageing_time 0
exchange <<<"hello host1 $G11"
holds 4 attribute_is host1 n_macs 1

# A shorter time applies to what is there; ages start anew when there was none before.
now_ms && begin=$REPLY
set_attribute br ageing_time 1
ages_after 1
expect_attribute host1 statistics/aged 3
