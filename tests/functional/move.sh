#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A guest moves from one nested host to another: no frame for it is lost once it has spoken from
# there.

source "${BASH_SOURCE%/*}/lib.sh"

readonly MOVES=20

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3

# moving: a plan in which the guest G21 goes to and fro, and is sent 25 frames at each place
moving() {
    local move
    for ((move = 0; move < MOVES; move++)); do
        echo "hello host$((2 + move % 2)) $G21"
        echo "send host1 $G11 $G21 count 25"
        echo "expect sniffer $G11 $G21 count 25"
    done
}

# Its old place gets its frames, too, until that forgets it.
exchange <<PLAN
hello host3 $G21
$(moving)
expect host2 $G11 $G21 count $((25 * MOVES))
expect host3 $G11 $G21 count $((25 * MOVES))
PLAN

# Exclusive: its new place alone.
set_attribute br flush 1
set_attribute br exclusive 1
exchange <<PLAN
$(moving)
expect host2 $G11 $G21 count $((25 * MOVES / 2))
expect host3 $G11 $G21 count $((25 * MOVES / 2))
PLAN

# A real guest pings at a high rate while its device is moved from one host's inner bridge to
# another's. Pings are lost at most in one row, at the move: from the first that is answered over
# the new place on all are.

# last_answer: the number of the last ping that was answered is in REPLY then
last_answer() {
    local line
    line=$(grep icmp_seq= "$LAB/pings" | tail -n 1)
    [[ $line =~ icmp_seq=([0-9]+) ]] && REPLY=${BASH_REMATCH[1]}
}

# answered NUMBER: so many pings have been sent, and the last of them answered
answered() {
    last_answer && ((REPLY >= $1))
}

# move_guest HOST
move_guest() {
    local line previous=0 gaps=0
    ip netns exec mover ping -n -c 1 -w 20 10.0.0.1 >/dev/null
    ip netns exec mover ping -n -i 0.002 10.0.0.1 >"$LAB/pings" &
    wait_until 20 answered 100
    links hosts <<<"link set dev mover master $1-inner"
    last_answer
    wait_until 20 answered $((REPLY + 150))
    kill -INT "$!"
    wait "$!" || true
    while read -r line; do
        [[ $line =~ icmp_seq=([0-9]+) ]] || continue
        ((BASH_REMATCH[1] == previous + 1)) || gaps=$((gaps + 1))
        previous=${BASH_REMATCH[1]}
    done <"$LAB/pings"
    ((gaps <= 1)) || fail "pings were lost at $gaps times"
}

add_guest host1 still 1
add_guest host2 mover 2
add_guest host3 other 3

for exclusive in 0 1; do
    set_attribute br flush 1
    set_attribute br exclusive "$exclusive"
    move_guest host3
    move_guest host2
done
