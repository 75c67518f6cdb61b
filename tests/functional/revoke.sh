#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A MAC that is offloaded is deleted in the bridge's FDB before any frame goes on that shows another
# place of it. A guest appears elsewhere at the very moment that its entry is deleted: every answer
# to what it sends from there reaches it. And while its port changes between bridges, nothing is
# taken from the other one.

source "${BASH_SOURCE%/*}/lib.sh"

readonly ROUNDS=4

make_hub host1 host2 host3
load_module
enable host1 host2 host3

# offloaded_at PORT: the bridge forwards frames for the guest there
offloaded_at() {
    [[ $(bridge fdb get "$G21" br br 2>&1) == *"dev $1 "*extern_learn* ]]
}

settle_at() {
    set_attribute br flush 1
    uncounted_exchange <<<"hello $1 $G21"
    wait_until 20 offloaded_at "$1"
}

# Each frame of the guest is answered. Both streams are one thread, which sends the answer when the
# frame has passed.
talk() {
    stream --rate 500 <<PLAN
stream host3 $G21 $G11 to host1
stream host1 $G11 $G21 to host3
PLAN
}

# Two CPUs see it at its new place.
appear_twice() {
    local round other
    for ((round = 0; round < ROUNDS; round++)); do
        settle_at host2
        "${FRAMES:-frames}" send hosts:host3 "$G21" "$G11" --count 20 &
        other=$!
        talk
        wait $other
        end_stream
    done
}

# ---- it is known elsewhere
appear_twice

# ---- it is being forgotten elsewhere
for forget in "flush 1" "ageing_time 1"; do
    for ((round = 0; round < ROUNDS; round++)); do
        settle_at host2
        # shellcheck disable=SC2086 # a name and a value
        set_attribute br $forget &
        other=$!
        talk
        wait $other
        end_stream
        set_attribute br ageing_time 300
    done
done

# ---- with `exclusive`
set_attribute br exclusive 1
appear_twice
set_attribute br exclusive 0

# ---- the port that the guest appears at joins another bridge, which has an entry of its own for it
links - <<LINKS
link add name other up type bridge ageing_time 0 mcast_snooping 0
link add name host4 up master other type veth peer name host4 netns hosts
LINKS
bridge fdb add "$G21" dev host4 master extern_learn
"${FRAMES:-frames}" send hosts:host3 "$G21" "$G11" --count 1000000 &
sender=$!
for ((round = 0; round < ROUNDS; round++)); do
    set_attribute br flush 1
    "${FRAMES:-frames}" send hosts:host2 "$G21" "$G11"
    ip link set dev host3 master other
    ip link set dev host3 master br
    enable host3
done
kill $sender
wait $sender || true
[[ $(bridge fdb get "$G21" br other) == *"dev host4 "*extern_learn* ]] || fail "the other bridge's entry has gone"
