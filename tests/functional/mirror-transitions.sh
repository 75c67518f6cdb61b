#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bridge that makes no copies but for ports that get every one: whatever happens to it, while
# guests and its host talk, these ports and the owners of MACs get each frame, and once.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe U1=02:00:00:00:08:01 DISABLED=0
readonly FILTERED=(host1 host2 host3 host4 host5 host6)
# These are enabled and disabled during the talk. A port may get a frame twice in the moment in
# which it is.
readonly CHANGING=(host3 host4 host5 host6)

# make_sniffer: a device that is no port yet
make_sniffer() {
    ip link add name sniffer up type veth peer name sniffer netns hosts
    links hosts <<<"link set dev sniffer up"
}

make_hub "${FILTERED[@]}" uplink
ip link set dev br address $BRIDGE
make_sniffer
load_module
enable "${FILTERED[@]}"

# promiscuity [OPTION...]: of the bridge, where these options of ip say, is in REPLY then
promiscuity() {
    [[ $(ip "$@" -details link show dev br) =~ \ promiscuity\ ([0-9]+) ]]
    REPLY=${BASH_REMATCH[1]}
}

# is_mirroring NUMBER: so many MACs are offloaded, and the bridge device sees what it forwards; 0:
# nothing is left of it
is_mirroring() {
    attribute_is br n_offloaded "$1" || return
    promiscuity
    ((REPLY == ($1 > 0) + PROMISCUOUS))
}
PROMISCUOUS=0

# mirrors NUMBER: soon
mirrors() {
    wait_until 20 is_mirroring "$1"
}

speak() {
    uncounted_exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host2 $G21
hello host3 $G31
hello host4 $G41
hello uplink $U1
PLAN
}
readonly ALL=6

# each_once MAC PORT...: frames for it, of a guest and of the bridge's host, reach these ports,
# once, and no other
each_once() {
    local mac=$1 port plan
    plan="port bridge br
send host1 $G11 $mac count 10
send bridge $BRIDGE $mac count 10"
    shift
    for port; do
        [[ $port == bridge ]] || plan+=$'\n'"expect $port $BRIDGE $mac count 10"
        [[ $port == host1 ]] || plan+=$'\n'"expect $port $G11 $mac count 10"
    done
    uncounted_exchange <<<"$plan"
}

# talk <<PLAN: a plan's streams, RATE frames a second of each, on a CPU that another talk does not
# use
TALKS=() RATE=100
talk() {
    local ready cpu=$((${#TALKS[@]} % $(nproc)))
    mkfifo "$LAB/talk.ready"
    {
        for port in "${HUB_PORTS[@]}"; do echo "port $port hosts:$port"; done
        printf 'repeat %s\n' "${CHANGING[@]}"
        cat
    } | taskset --cpu-list $cpu "${FRAMES:-frames}" exchange --rate "$RATE" --ready "$LAB/talk.ready" \
        --until "$LAB/talk.end" >"$LAB/talk.$cpu" &
    TALKS+=($!)
    read -r ready <"$LAB/talk.ready"
    [[ $ready == ready ]]
    rm "$LAB/talk.ready"
}

end_talks() {
    local pid
    : >"$LAB/talk.end"
    for pid in "${TALKS[@]}"; do wait "$pid" || fail "the streams: see above"; done
    TALKS=()
    rm "$LAB/talk.end"
}

# set_room BYTES: what a socket may have to receive from now on, which is the first namespace's to
# say: bridge asks for a megabyte
set_room() {
    nsenter --target 1 --net "$BASH" -c "echo $1 >/proc/sys/net/core/rmem_max"
}

# begin_revoked, end_revoked: how many entries of speak, but those of host2, were revoked meanwhile
# is in REPLY then
begin_revoked() {
    # A thousand entries come and go while others have the processors.
    read -r USUAL_ROOM </proc/sys/net/core/rmem_max
    set_room 33554432
    begin_monitor
}
end_revoked() {
    end_monitor
    set_room "$USUAL_ROOM"
    REPLY=$(grep -c "^Deleted 02:00:00:00:0[13478]:.*extern_learn" "$LAB/monitor" || true)
}

speak
mirrors $ALL
talk <<PLAN
port bridge br
stream host1 $G11 $G21 to host2,uplink
stream host1 $G11 $G12 to uplink
stream host3 $G31 $U1 to uplink
stream host1 $G11 $NOBODY to host2,host3,host5,host6,uplink
stream bridge $BRIDGE $G21 to host2,uplink
PLAN
talk <<PLAN
port bridge br
stream host2 $G21 $G11 to host1,uplink
stream uplink $U1 $G21 to host2
stream uplink $U1 $G11 to host1
stream bridge $BRIDGE $U1 to uplink
stream bridge $BRIDGE $NOBODY to host1,host2,host3,host5,host6,uplink
PLAN

# members_change leave|deleted: ports come and go, guests move, and links are lost
members_change() {
    # ---- a port that gets every copy comes and goes
    ip link set dev sniffer master br
    wait_for_ports sniffer
    HUB_PORTS+=(sniffer)
    each_once $G21 host2 uplink sniffer
    mirrors $ALL
    each_once $G21 host2 uplink sniffer
    each_once $U1 uplink sniffer
    # Its device is deleted, or it leaves.
    if [[ $1 == deleted ]]; then
        ip link del dev sniffer
        make_sniffer
    else
        ip link set dev sniffer nomaster
    fi
    unset 'HUB_PORTS[-1]'
    each_once $G21 host2 uplink
    mirrors $ALL

    # ---- a port gets every copy from the first on, and none that is not its own from the first on
    disable host3
    each_once $G21 host2 uplink host3
    mirrors $ALL
    each_once $G21 host2 uplink host3
    each_once $G31 host3 uplink
    enable host3
    each_once $NOBODY "${HUB_PORTS[@]}"
    each_once $G21 host2 uplink
    mirrors $ALL
    each_once $G31 host3 uplink

    # ---- a guest moves; another sends with the MAC of one behind the uplink
    uncounted_exchange <<<"hello host5 $G41"
    each_once $G41 host4 host5 uplink
    mirrors $((ALL - 1))
    set_attribute host4 flush 1
    mirrors $ALL
    each_once $G41 host5 uplink
    uncounted_exchange <<<"hello host5 $U1"
    each_once $U1 uplink host5
    set_attribute host5 flush 1
    speak
    mirrors $ALL
    each_once $U1 uplink
    each_once $G41 host4 uplink

    # ---- an owner can't receive: all others get its frames
    links hosts <<<"link set dev host4 down"
    wait_until 20 is_in_state host4 $DISABLED
    mirrors $((ALL - 1))
    each_once $G41 host1 host2 host3 host5 host6 uplink
    links hosts <<<"link set dev host4 up"
    wait_for_ports host4
    speak
    mirrors $ALL

}

# settings_change: and what the module says of a port
settings_change() {
    # ---- a port fails open
    set_attribute host6 max_macs 1
    uncounted_exchange <<<"hello host6 02:00:00:00:06:01+2"
    mirrors 0
    each_once $G21 host2 host6 uplink
    set_attribute host6 max_macs 0
    set_attribute host6 flush 1
    mirrors $ALL
    each_once $G21 host2 uplink

    # ---- others want to see all as well
    ip link set dev br promisc on
    PROMISCUOUS=1
    mirrors $ALL
    each_once $G21 host2 uplink bridge
    ip link set dev br promisc off
    PROMISCUOUS=0

    # ---- settings; off takes effect at once
    set_attribute br fdb_offload filtered
    mirrors 0
    each_once $G21 host2 uplink
    set_attribute br fdb_offload auto
    mirrors $ALL
    set_attribute br fdb_offload off
    expect_attribute br n_offloaded 0
    each_once $G21 host2 uplink
    mirrors 0
    set_attribute br fdb_offload auto
    mirrors $ALL
    disable "${CHANGING[@]}"
    mirrors 0
    each_once $G21 host2 host3 host4 host5 host6 uplink
    enable "${CHANGING[@]}"
    mirrors $ALL
    set_attribute br flush 1
    speak
    mirrors $ALL
}
members_change leave
settings_change
ip link set dev br type bridge vlan_filtering 1
speak
mirrors $ALL
members_change deleted
ip link set dev br type bridge vlan_filtering 0
speak
mirrors $ALL

# ---- where a copy that is made for a port would be another than the one that the bridge makes, it
# makes them all
ip link set dev sniffer master br
wait_for_ports sniffer
for setting in proxy_arp neigh_suppress vlan_tunnel; do
    ip link set dev sniffer type bridge_slave $setting on
    wait_until 20 attribute_is br n_offloaded 0
    each_once $G21 host2 uplink
    ip link set dev sniffer type bridge_slave $setting off
    mirrors $ALL
done
ip link set dev sniffer nomaster

# ---- the module goes and comes back
for ((round = 0; round < 2; round++)); do
    unload_module
    promiscuity
    ((REPLY == 0)) || fail "the bridge is promiscuous still"
    [[ $(bridge fdb show br br) != *extern_learn* ]] || fail "entries are left of the unloaded module"
    load_module
    enable "${FILTERED[@]}"
    speak
    mirrors $ALL
done
end_talks

# ---- a port that joins and is enabled at once has nothing revoked, although others are being
# offloaded all the time
set_attribute br auto_enable 1
set_attribute host2 max_macs 0
begin_revoked
(
    # What is told of that fits in the monitor's room, also if it does not run meanwhile.
    for ((round = 0; round < 30; round++)); do
        netlink_client fill host2 1000
        set_attribute host2 flush 1
    done
) >"$LAB/milliseconds" &
filling=$!
joins=0
while kill -0 "$filling" 2>"$LAB/kill"; do
    ip link set dev sniffer master br
    ip link set dev sniffer nomaster
    ((++joins))
done
wait "$filling"
end_revoked
((REPLY == 0)) || fail "$REPLY entries were revoked by $joins ports that joined"
set_attribute br auto_enable 0
set_attribute host2 max_macs 4096
speak
mirrors $ALL
# One that is to get every copy has each revoked once.
begin_revoked
for ((joins = 0; joins < 5; joins++)); do
    ip link set dev sniffer master br
    mirrors $ALL
    ip link set dev sniffer nomaster
    mirrors $ALL
done
end_revoked
((REPLY <= joins * (ALL - 1))) || fail "$REPLY entries were revoked by $joins ports that joined"

# ---- the ports that get every copy change while the bridge device sends: those that remain get
# each copy once
RATE=2000
talk <<PLAN
port bridge br
stream bridge $BRIDGE $G21 to host2,uplink
stream bridge $BRIDGE $U1 to uplink
PLAN
talk <<PLAN
port bridge br
stream bridge $BRIDGE $G11 to host1,uplink
stream bridge $BRIDGE $NOBODY to host1,host2,host6,uplink
PLAN
for ((round = 0; round < 10; round++)); do
    disable host3
    mirrors $ALL
    ip link set dev sniffer master br
    mirrors $ALL
    enable host3
    mirrors $ALL
    disable host4 host5
    ip link set dev sniffer nomaster
    mirrors $ALL
    enable host4 host5
done
end_talks
mirrors $ALL

# ---- no port is enabled any more
disable "${FILTERED[@]}"
mirrors 0
each_once $G21 host1 host2 host3 host4 host5 host6 uplink
enable "${FILTERED[@]}"
speak
mirrors $ALL

# ---- the bridge goes down and up, and then for good, and so does a namespace
ip link set dev br down
ip link set dev br up
wait_for_ports "${HUB_PORTS[@]}"
speak
mirrors $ALL
each_once $G21 host2 uplink
ip link del dev br

add_namespaces inner
links inner <<<"link add name br up type bridge ageing_time 0 mcast_snooping 0"
for port in "${HUB_PORTS[@]}"; do echo "link set dev $port netns inner"; done | links -
for port in "${HUB_PORTS[@]}"; do echo "link set dev $port up master br"; done | links inner
# in_inner COMMAND: with the devices that are there
in_inner() {
    ip netns exec inner "$BASH" -euc "$1"
}
forwards() {
    # shellcheck disable=SC2016 # expanded there
    in_inner '! grep -qvx 3 /sys/class/net/br/brif/*/state'
}
wait_until 20 forwards
# shellcheck disable=SC2016
in_inner 'for ((n = 1; n <= 6; n++)); do echo 1 >/sys/class/net/host$n/maclearn/enabled; done'
speak
has_all() {
    (($(in_inner 'cat /sys/class/net/br/maclearn/n_offloaded') == ALL))
}
wait_until 20 has_all
promiscuity -n inner
((REPLY == 1)) || fail "nothing is mirrored there"
ip netns del inner
is_gone() {
    [[ ! $(ip -n hosts link show dev host1 2>/dev/null) ]]
}
wait_until 60 is_gone
