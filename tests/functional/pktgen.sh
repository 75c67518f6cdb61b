# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The kernel's packet generator, after lib.sh, for a machine with two CPUs.

(($(nproc) > 1)) || skip "one CPU"
modprobe -q pktgen || [[ -e /proc/net/pktgen ]] || skip "this kernel has no pktgen"

pktgen() {
    echo "$2" >"/proc/net/pktgen/$1"
}

# feed CPU PORT FRAMES SOURCE DESTINATION [MODE]: this CPU will, as if the port had received them,
# or was told to send them (start_xmit)
feed() {
    local setting
    pktgen "kpktgend_$1" "add_device $2"
    for setting in "xmit_mode ${6:-netif_receive}" "count $3" "src_mac $4" "dst_mac $5" \
        "dst 10.0.0.2" "pkt_size 60" "clone_skb 0" "delay 0"; do
        pktgen "$2" "$setting"
    done
}

# has_result PORT: it is in RESULT then
has_result() {
    RESULT=$(<"/proc/net/pktgen/$1")
    [[ $RESULT == *" usec, "*pps* ]]
}

is_released() {
    [[ ! -e /proc/net/pktgen/$1 ]]
}

# start PORT...: lets the CPUs do it; frames a second that these ports had together are in REPLY
# then
start() {
    local port rate=0
    pktgen pgctrl start
    for port; do
        # On a busy machine pktgen may not have begun yet when it says that it has ended, nor let go
        # of a port when it says so.
        wait_until 60 has_result "$port"
        [[ $RESULT =~ \ ([0-9]+)pps ]]
        rate=$((rate + BASH_REMATCH[1]))
    done
    pktgen kpktgend_0 rem_device_all
    pktgen kpktgend_1 rem_device_all
    for port; do wait_until 60 is_released "$port"; done
    REPLY=$rate
}

# sent PORT: how many frames it was given is in REPLY then
sent() {
    read -r REPLY <"/sys/class/net/$1/statistics/tx_packets"
}
