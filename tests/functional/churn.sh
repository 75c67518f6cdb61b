#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Ports and namespaces that come and go and settings that change, all while traffic runs: nothing
# that is owned is lost.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer

load_module
set_attribute br auto_enable 1
enable host1 host2 host3

# host1 and host2 talk all the time, through whatever is done here. The frames of a third one that
# comes and goes are for nobody.
stream --rate 100 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host2 $G21 $G11 to host1,sniffer
stream host3 $G31+50 $G11
PLAN

# 100 times a port comes, owning addresses, and goes: from the bridge, or altogether.
ports_come_and_go() {
    local cycle
    for ((cycle = 0; cycle < 50; cycle++)); do
        cat <<EOF
link set dev host3 nomaster
link set dev host3 master br
link add name extra up master br type dummy
link del dev extra
EOF
    done | links -
}

# Settings change all the time.
settings_change() {
    local cycle
    for ((cycle = 0; cycle < 100; cycle++)); do
        set_attribute host2 enabled $((cycle % 2))
        set_attribute br exclusive $((cycle % 2))
        set_attribute host1 max_macs $((1 + cycle % 3))
        set_attribute host1 learning $((cycle % 2))
        set_attribute br ageing_time $((cycle % 4))
        set_attribute host2 flush 1
    done
}

# 50 namespaces are made, five at a time, in which a bridge filters, and die as they are. Some send
# frames through it.
cat >"$LAB/namespace" <<'EOF'
set -eu
mount -t sysfs sysfs /sys
ip -batch - <<LINKS
link add name br up type bridge ageing_time 0
link add name a up master br type veth peer name host-a
link add name b up master br type veth peer name host-b
link add name c up master br type veth peer name host-c
link set dev host-a up
link set dev host-b up
link set dev host-c up
LINKS
for port in a b c; do
    echo 1 >"/sys/class/net/$port/maclearn/enabled"
    until [[ $(<"/sys/class/net/$port/brport/state") == 3 ]]; do sleep 0.1; done
    # The other end sends only from its own link event on.
    until [[ $(<"/sys/class/net/host-$port/operstate") == up ]]; do sleep 0.1; done
done
(($1 % 5 == 0)) || exit 0
"${FRAMES:-frames}" exchange >/dev/null <<PLAN
port a host-a
port b host-b
port c host-c
hello b 02:00:00:00:00:02
send a 02:00:00:00:00:01 02:00:00:00:00:02 count 5
expect b 02:00:00:00:00:01 02:00:00:00:00:02 count 5
PLAN
EOF
# namespaces_come_and_go FIRST: ten of them
namespaces_come_and_go() {
    local cycle
    for ((cycle = $1; cycle < $1 + 10; cycle++)); do
        unshare --net --mount "$BASH" "$LAB/namespace" "$cycle"
    done
}

ports_come_and_go &
ports=$!
settings_change &
settings=$!
namespaces=()
for first in 0 10 20 30 40; do
    namespaces_come_and_go $first &
    namespaces+=($!)
done
wait "$ports" || fail "ports: see above"
wait "$settings" || fail "settings: see above"
for worker in "${namespaces[@]}"; do
    wait "$worker" || fail "namespaces: see above"
done
end_stream

# After all that it filters.
enable host1 host2 host3
set_attribute br flush 1
set_attribute br exclusive 0
set_attribute host1 max_macs 0
set_attribute host1 learning 1
exchange <<PLAN
hello host2 $G21
hello host3 $G31
send host1 $G11 $G21 count 10
send host1 $G11 $G31 count 10
expect host2 $G11 $G21 count 10
expect host3 $G11 $G31 count 10
expect sniffer $G11 $G21 count 10
expect sniffer $G11 $G31 count 10
PLAN
