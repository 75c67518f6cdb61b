#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bridge with more MACs than are offloaded: those are that were used last, as many as may be, and
# they stay so. Of those that are as old, or are all in use, it is always the same ones.

source "${BASH_SOURCE%/*}/lib.sh"

readonly MOST=65536 MACS=70000
# Those that are as old, of which only some fit, are offloaded in 256 steps of much the same size.
readonly STEP=$((2 * MACS / 256))
# One that does not fit leaves its place free.
readonly LEAST=$((MOST - STEP))
# Entries that may come and go where nothing does that has to do with them
readonly FEW=100

make_hub host1 host2 host3

# begin: nothing is known, and nothing is offloaded, since two ports are not enabled
begin() {
    load_module
    set_attribute br max_macs 0
    set_attribute host1 max_macs 0
    # On a slow machine this takes long.
    set_attribute br ageing_time 3600
    enable host1
}

# mac NUMBER: the one that `netlink fill` makes after so many others is in REPLY then
mac() {
    local digits
    printf -v digits '%08x' "$1"
    REPLY=02:01:${digits:0:2}:${digits:2:2}:${digits:4:2}:${digits:6:2}
}

# is_full: as many MACs are offloaded as may be, and no more
is_full() {
    get_attribute br n_offloaded
    ((REPLY >= LEAST && REPLY <= MOST))
}

# list FILE: the MACs that the bridge was given, in order
list() {
    bridge fdb show br br | grep extern_learn | cut -d ' ' -f 1 | LC_ALL=C sort >"$1"
}

# count_missing FILE: how many of its MACs the bridge was not given is in REPLY then
count_missing() {
    list "$LAB/given"
    REPLY=$(LC_ALL=C comm -13 "$LAB/given" "$1" | wc -l)
}

# expect_given FILE: the bridge was given all of its MACs
expect_given() {
    count_missing "$1"
    ((REPLY == 0)) || fail "$REPLY MACs of ${1##*/} are not offloaded"
}

# end_changes NUMBER: no more entries have come and gone since begin_monitor. If they are too many
# for the monitor, it still tells of thousands.
end_changes() {
    end_monitor
    REPLY=$(grep -c extern_learn "$LAB/monitor" || true)
    echo "$REPLY entries came and went"
    ((REPLY <= $1)) || fail "that is more than $1"
}

# stay_offloaded SECONDS: the same MACs, meanwhile
stay_offloaded() {
    list "$LAB/before"
    begin_monitor
    holds "$1" is_full
    end_changes $FEW
    count_missing "$LAB/before"
    ((REPLY <= FEW)) || fail "others are offloaded for $REPLY MACs"
}

# all_talk: all are in use, and speak in turns, each within ten seconds: it is not those offloaded
# that have spoken just now
readonly TURNS=7 FIRST=02:01:00:00:00:00
all_talk() {
    local turn talk
    begin
    netlink_client fill host1 $MACS >"$LAB/milliseconds"
    expect_attribute host1 n_macs $MACS
    for ((turn = 0; ; turn = (turn + 1) % TURNS)); do
        [[ ! -e $LAB/silence ]] || break
        mac $((turn * MACS / TURNS))
        sleep 0.8 &
        "${FRAMES:-frames}" send hosts:host1 "$REPLY+$((MACS / TURNS))" $FIRST
        wait $!
    done &
    talk=$!
    enable host2 host3
    wait_until 60 is_full
    stay_offloaded 12
    : >"$LAB/silence"
    wait $talk
    unload_module
}
# An emulated CPU is not quick enough for that.
if [[ $(uname -r) == *-uml ]]; then all_talk; fi

# ---- nobody speaks: who was seen later than others is offloaded, and nothing changes
begin
readonly LATER=10000
netlink_client fill host1 $MACS --age 120000 >"$LAB/milliseconds"
netlink_client fill host1 $LATER --age 60000 >"$LAB/milliseconds"
expect_attribute host1 n_macs $MACS
awk -v macs=$MACS 'BEGIN {
    for (; n < macs; n++) printf "02:01:00:%02x:%02x:%02x\n", n / 65536, n / 256 % 256, n % 256
}' >"$LAB/all"
head -n $LATER "$LAB/all" >"$LAB/later"
enable host2 host3
wait_until 60 is_full
expect_given "$LAB/later"
stay_offloaded 12

# ---- some that are not offloaded speak: soon they are, for others that were seen before
readonly SPEAKING=2000
LC_ALL=C comm -23 "$LAB/all" "$LAB/given" | sed -n "1,${SPEAKING}p" >"$LAB/speaking"
sed 's/^/hello host1 /' "$LAB/speaking" | uncounted_exchange
are_speaking_given() {
    count_missing "$LAB/speaking"
    ((REPLY == 0))
}
begun=$SECONDS
wait_until 15 are_speaking_given
echo "those that speak were offloaded after $((SECONDS - begun)) s"
is_full || fail "$REPLY are offloaded"
expect_given "$LAB/later"
count_missing "$LAB/before"
echo "$REPLY others are not any more"
((REPLY <= SPEAKING + STEP)) || fail "that is more than there need be"
