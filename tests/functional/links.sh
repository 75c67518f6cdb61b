#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A port that can't receive keeps nothing from the others: its link is down, it is taken down, or
# its spanning tree state is not forwarding. A guest that has moved meanwhile, and says nothing,
# gets its frames.

source "${BASH_SOURCE%/*}/lib.sh"

readonly DISABLED=0 LISTENING=1 LEARNING=2

make_hub host1 host2 host3 sniffer
load_module

# reaches PORT...: frames for G11 do, from host3
reaches() {
    {
        echo "ignore host1"
        echo "send host3 $G31 $G11 count 10"
        printf "expect %s $G31 $G11 count 10\n" "$@"
    } | uncounted_exchange
}

# is_kept_from_host2: frames for G11 are
is_kept_from_host2() {
    remember_statistics host2
    uncounted_exchange <<PLAN
ignore host1
ignore sniffer
allow host2 $G31 $G11
send host3 $G31 $G11 count 10
PLAN
    since host2 passed_unknown
    ((REPLY == 0))
}

# Whoever had RTNL when the state of a port changed has released it, and told maclearn.
settle() {
    ip link set dev lo up
}

lose_carrier() {
    links hosts <<<"link set dev host1 down"
    wait_until 20 is_in_state host1 $DISABLED
    settle
}
regain_carrier() {
    links hosts <<<"link set dev host1 up"
}
take_down() {
    ip link set dev host1 down
}
bring_up() {
    ip link set dev host1 up
}
stop_forwarding() {
    bridge link set dev host1 state $LISTENING
    # The kernel tells of that a little later.
    wait_until 20 attribute_is host1 n_macs "$KEPT"
}
forward() {
    bridge link set dev host1 state $FORWARDING
}
no_more_bridge() {
    ip link set dev br down
    settle
    ip link set dev br up
    wait_for_ports host2 host3
}
same_bridge() {
    :
}

# round LOSE REGAIN PORT...: G11 is behind host1, which can't receive from LOSE to REGAIN; meanwhile
# the frames for G11 go to the ports named
KEPT=0
round() {
    local lose=$1 regain=$2
    shift 2
    wait_for_ports host1
    uncounted_exchange <<<"hello host1 $G11"
    wait_until 20 is_kept_from_host2
    "$lose"
    reaches "$@"
    wait_until 20 attribute_is host1 n_macs "$KEPT"
    reaches "$@"
    "$regain"
    wait_for_ports host1
}

# ---- a hub that makes copies, and one that is given entries
for filtered in "host1 host2 host3" sniffer; do
    # shellcheck disable=SC2086 # one word each
    enable $filtered
    round lose_carrier regain_carrier host2 sniffer
    round take_down bring_up host2 sniffer
    round no_more_bridge same_bridge host1 host2 sniffer
    round stop_forwarding forward host2 sniffer
done
disable sniffer

# ---- what is learned on the way to forwarding is lost with the link, should that go before the
# port has forwarded
uncounted_exchange <<<"hello host1 $G11"
bridge link set dev host1 state $LEARNING
wait_until 20 attribute_is host1 n_macs 0
# What comes while the rest is still being forgotten may go with it.
learns() {
    uncounted_exchange <<<"send host1 $G11 $BROADCAST"
    attribute_is host1 n_macs 1
}
wait_until 20 learns
lose_carrier
wait_until 20 attribute_is host1 n_macs 0
regain_carrier
wait_for_ports host1
reaches host2 sniffer

# ---- a bridge that learns. (Itself it goes on sending to a port that does not forward.)
ip link set dev br type bridge ageing_time 30000
round lose_carrier regain_carrier host2 sniffer
round take_down bring_up host2 sniffer
ip link set dev br type bridge ageing_time 0

# ---- what is configured stays, suppresses nothing meanwhile, and does so again
python3 - <<PYTHON
from family import connect, indices

connect().do("entry-new", {"port": indices()["host1"], "mac": "$G11", "static": 1})
PYTHON
KEPT=1
round lose_carrier regain_carrier host2 sniffer
round stop_forwarding forward host2 sniffer
wait_until 20 is_kept_from_host2
unload_module

# ---- the kernel's spanning tree
ip link set dev br type bridge stp_state 1 forward_delay 200
load_module
enable host1 host2 host3
KEPT=0
round lose_carrier regain_carrier host2 sniffer
