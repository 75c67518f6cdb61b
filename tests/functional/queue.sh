#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A firewall that queues frames to user space, from where they go on in a process, with softirqs on:
# new sources are learned and known frames arrive, beside traffic that is not queued, on two CPUs.

source "${BASH_SOURCE%/*}/lib.sh"

# As many new sources as fit in a table without its growing
readonly NEW=400 LOWEST=-2147483648

modprobe -q nfnetlink_queue || [[ -e /proc/net/netfilter/nfnetlink_queue ]] ||
    skip "the kernel has no queues to user space (NETFILTER_NETLINK_QUEUE)"

ACCEPT_PID=

# begin_accept: what is queued goes on until end_accept
begin_accept() {
    local ready
    rm -f "$LAB/accept.end"
    mkfifo "$LAB/accept.ready"
    "${FRAMES:-frames}" accept 0 --ready "$LAB/accept.ready" --until "$LAB/accept.end" &
    ACCEPT_PID=$!
    read -r ready <"$LAB/accept.ready"
    [[ $ready == ready ]]
    rm "$LAB/accept.ready"
}

end_accept() {
    : >"$LAB/accept.end"
    wait "$ACCEPT_PID" || fail "frames accept: see above"
}

# arrived PORT: how many frames have, at the host's end, is in REPLY then
arrived() {
    REPLY=$(ip -n hosts -json -stats link show dev "$1" | jq '.[].stats64.rx.packets')
}

# remember_arrived
declare -A ARRIVED=()
remember_arrived() {
    local port
    for port in "${HUB_PORTS[@]}"; do
        arrived "$port"
        ARRIVED[$port]=$REPLY
    done
}

# have_arrived PORT NUMBER
have_arrived() {
    arrived "$1"
    ((REPLY - ARRIVED[$1] >= $2))
}

# expect_arrived PORT=NUMBER...: so many since remember_arrived, and no more
expect_arrived() {
    local expected port number
    for expected; do
        wait_until 60 have_arrived "${expected%=*}" "${expected#*=}"
    done
    for expected; do
        port=${expected%=*} number=${expected#*=}
        arrived "$port"
        ((REPLY - ARRIVED[$port] == number)) || fail "$port got $((REPLY - ARRIVED[$port])) frames, not $number"
    done
}

# send_from PORT SOURCE DESTINATION [COUNT]
send_from() {
    "${FRAMES:-frames}" send "hosts:$1" "$2" "$3" --count "${4:-1}"
}

# queue HOOK PRIORITY MATCH...: frames that match are queued at that point
queue() {
    local hook=$1 priority=$2
    shift 2
    nft -f - <<RULES
table bridge queueing {
    chain queueing { type filter hook $hook priority $priority; $* queue num 0; }
}
RULES
}

stop_queueing() {
    nft delete table bridge queueing
}

# waits NUMBER: so many frames are in the queue
waits() {
    [[ $(awk '$1 == 0 { print $3 }' /proc/net/netfilter/nfnetlink_queue) == "$1" ]]
}

# while_waiting COMMAND...: frames that are in the queue meanwhile arrive afterwards
while_waiting() {
    kill -STOP "$ACCEPT_PID"
    remember_arrived
    send_from host1 $G11 $BROADCAST 20
    wait_until 20 waits 20
    "$@"
    kill -CONT "$ACCEPT_PID"
    expect_arrived host2=20 host3=20 sniffer=20
}

make_hub host1 host2 host3 sniffer
load_module
# All copies are made, with or without entries of the bridge's own.
enable host1 host2 host3
begin_accept

# ---- Behind the port whose frames are queued new sources speak, and at the same time behind
# another. What is for a known MAC reaches its port and the sniffer.
new_sources() {
    local jobs=()
    uncounted_exchange <<<"hello host3 $G31"
    set_attribute host1 flush 1
    set_attribute host2 flush 1
    remember_arrived
    send_from host1 "02:00:00:01:00:00+$NEW" $G31 &
    jobs+=($!)
    send_from host2 "02:00:00:02:00:00+$NEW" $G31 &
    jobs+=($!)
    wait "${jobs[@]}"
    expect_arrived host3=$((2 * NEW)) sniffer=$((2 * NEW)) host1=0 host2=0
    # What came while the table grew is learned a little later.
    wait_until 20 attribute_is host1 n_macs "$NEW"
    wait_until 20 attribute_is host2 n_macs "$NEW"
}

for cpus in 0 3; do
    # Where the kernel can, it spreads what arrives over two CPUs.
    for port in "${HUB_PORTS[@]}"; do
        file=/sys/class/net/$port/queues/rx-0/rps_cpus
        [[ ! -e $file ]] || echo "$cpus" >"$file"
    done
    queue prerouting 0 iifname host1
    new_sources
    stop_queueing
    queue forward 0 iifname host1
    new_sources
    stop_queueing
    queue postrouting 0 oifname host3
    new_sources
    stop_queueing
done

# ---- What waits in a queue is not lost when a setting is changed, or a port or another bridge
# goes: no hook is unregistered
queue prerouting 0 iifname host1
links - <<LINKS
link add name br2 up type bridge ageing_time 0
link add name tap2 up master br2 type dummy
LINKS
enable tap2
while_waiting disable host1 host2 host3
while_waiting enable host1 host2 host3
while_waiting ip link set dev br type bridge vlan_filtering 1
while_waiting ip link set dev br type bridge vlan_filtering 0
while_waiting ip link del dev tap2
while_waiting ip link del dev br2
stop_queueing
uncounted_exchange <<<"hello host3 $G31"

# ---- What goes up to the host, and what the host sends
readonly BRIDGE=02:00:00:00:00:fe
ip link set dev br address $BRIDGE
for direction in input output; do
    queue $direction 0 meta protocol != arp
    remember_arrived
    send_from host1 $G11 $BRIDGE 100
    "${FRAMES:-frames}" send br $BRIDGE $G31 --count 100
    expect_arrived host3=100 sniffer=100 host1=0 host2=0
    stop_queueing
done

# ---- A locked port's source is learned where its frame goes up: there in a process
ip link set dev br type bridge ageing_time 30000
bridge link set dev host1 locked on
bridge fdb replace $G12 dev host1 master dynamic
set_attribute host1 flush 1
queue input $LOWEST iifname host1
send_from host1 $G12 $BRIDGE
wait_until 20 attribute_is host1 n_macs 1

# ... and goes up all the same, and is learned nowhere, if the port has ceased to be one that the
# module knows, or that bridge's, since the frame was tagged
nft -f - <<RULES
table netdev seen {
    chain seen { type filter hook ingress device br priority 0; ether saddr $G12 counter; }
}
RULES
# has_seen NUMBER: so many frames from there have come to the host
has_seen() {
    [[ $(nft list table netdev seen) == *"counter packets $1 "* ]]
}
has_seen 0
# goes_up_after COMMAND...
goes_up_after() {
    set_attribute host1 flush 1
    kill -STOP "$ACCEPT_PID"
    send_from host1 $G12 $BRIDGE
    wait_until 20 waits 1
    "$@"
    kill -CONT "$ACCEPT_PID"
    wait_until 20 has_seen $((++seen))
}
seen=0
goes_up_after disable host1 host2 host3
expect_attribute host1 n_macs 0
enable host1 host2 host3
ip link add name br2 up type bridge ageing_time 0
set_attribute br2 auto_enable 1
goes_up_after ip link set dev host1 master br2
expect_attribute host1 enabled 1
expect_attribute host1 n_macs 0
stop_queueing
nft delete table netdev seen
ip link set dev host1 master br
ip link del dev br2
wait_for_ports host1
enable host1
ip link set dev br type bridge ageing_time 0

# ---- A hook before the module's own in the forward chain: copies come to the module's one by one,
# in a process
queue forward $LOWEST iifname host1
for moved in host2 host3; do
    set_attribute br flush 1
    uncounted_exchange <<<"hello $moved $G21"
    remember_arrived
    send_from host1 $G11 $G21 100
    if [[ $moved == host2 ]]; then
        expect_arrived host2=100 sniffer=100 host3=0
    else
        expect_arrived host3=100 sniffer=100 host2=0
    fi
done
stop_queueing

# ---- br_netfilter and iptables
[[ -e /proc/sys/net/bridge ]] || modprobe br_netfilter
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
add_guest host1 anna 1
add_guest host2 bert 2
for chain in PREROUTING FORWARD POSTROUTING; do
    iptables -t mangle -A $chain -p icmp -j NFQUEUE --queue-num 0
    set_attribute br flush 1
    pings anna 10.0.0.2 50
    iptables -t mangle -F
done
echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
end_accept
