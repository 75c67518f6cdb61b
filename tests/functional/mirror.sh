#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bridge that makes no copies although it has ports that get every one: these, the bridge device
# and the host's sockets get what a hub gives them, each frame once and unchanged, whatever the
# bridge and its ports are told.

source "${BASH_SOURCE%/*}/twins.sh"

readonly U1=02:00:00:00:08:01 U2=02:00:00:00:08:02 S1=$SNIFFER LLDP=01:80:c2:00:00:0e LISTENING=1 DISABLED=0 \
    G51=02:00:00:00:05:01
make_twins "host1 host2 host3 host4 host5 host6" "uplink sniffer"
[[ ! ${BESIDE_BR_NETFILTER:-} ]] || with_br_netfilter
all_own() {
    owns host1 $G11 $G12
    owns host2 $G21
    owns host3 $G31 $G33
    owns host4 $G41 $G33
    owns uplink $U1 $U2
    owns sniffer $S1
}
all_own
readonly ALL=8

# from a filtered port, from those that get every copy, and from the bridge device: to every kind of
# destination
readonly ALL_KINDS="
send host1 $G11 $G21 count 2
send host1 $G11 $G12
send host1 $G11 $U1
send host1 $G11 $S1
send host1 $G11 $NOBODY
send host1 $G11 $G33
send host1 $G11 $BROADCAST
send host1 $G11 $MULTICAST
send host1 $G11 $LLDP
send host1 $G11 $BRIDGE
send host1 $G11 02:00:00:0c:00:11
send host1 $G11 02:00:00:0c:00:12
send host1 $G11 02:00:00:0c:00:18
send host1 $G11 $BRIDGE udp $BRIDGE_IP
send host1 $G11 $G21 udp $BRIDGE_IP
send host1 $G11 $NOBODY udp $BRIDGE_IP
send host1 $G11 $BROADCAST udp 10.0.0.255
send host1 $G11 $G21 gso 10
send host1 $G11 $U1 gso 40
send host1 $G11 $NOBODY gso 3
send host2 $G21 $G11
send host2 $G21 $U2
send host2 $G21 $NOBODY
send host2 $G21 $BROADCAST
send host4 $G41 $G33
send uplink $U1 $G11
send uplink $U1 $U2
send uplink $U1 $S1
send uplink $U1 $NOBODY
send uplink $U1 $G33
send uplink $U1 $BROADCAST
send uplink $U1 $BRIDGE
send uplink $U1 $G21 udp $BRIDGE_IP
send uplink $U1 $G21 gso 10
send sniffer $S1 $G21
send sniffer $S1 $S1
send sniffer $S1 $U1
send sniffer $S1 $NOBODY
send sniffer $S1 $BRIDGE
send br $BRIDGE $G11
send br $BRIDGE $U1
send br $BRIDGE $S1
send br $BRIDGE $NOBODY
send br $BRIDGE $G33
send br $BRIDGE $BROADCAST
send br $BRIDGE $MULTICAST
send br $BRIDGE $G21 gso 10
"
# as_on_a_hub [WORD...]: with words of the plan's own, such as open
as_on_a_hub() {
    same <<<"$(printf '%s\n' "$@")
$ALL_KINDS"
}

mirrors $ALL
as_on_a_hub

# ---- ports that get their own frames back
# slave SETTING VALUE PORT...: on both
slave() {
    local port
    for port in "${@:3}"; do
        echo "link set dev $port type bridge_slave $1 $2"
    done | both_links
}
for ports in "host1" "sniffer" "uplink host2"; do
    # shellcheck disable=SC2086 # words
    slave hairpin on $ports
    as_on_a_hub
    # shellcheck disable=SC2086
    slave hairpin off $ports
done

# ---- ports that don't reach each other: two filtered ones; a filtered one and those that get every
# copy
for ports in "host1 host2" "host1 sniffer" "host1 uplink sniffer"; do
    # shellcheck disable=SC2086
    slave isolated on $ports
    as_on_a_hub
    # shellcheck disable=SC2086
    slave isolated off $ports
done

# ---- ports that get frames for groups as unicast, which there are none for while there is no
# querier; frames for a station whose content is for a group are its own
readonly GROUP_FOR_ONE="
send br $BRIDGE $G21 udp 224.1.2.3
send br $BRIDGE $S1 udp 224.1.2.3
send br $BRIDGE $NOBODY udp 224.1.2.3
send host1 $G11 $G21 udp 224.1.2.3
send host1 $G11 $NOBODY udp 224.1.2.3
"
same <<<"$GROUP_FOR_ONE"
slave mcast_to_unicast on host2 sniffer
same <<<"$GROUP_FOR_ONE"
slave mcast_to_unicast off host2 sniffer

# ---- ports that don't forward, or have no carrier
# is_back PORT: it forwards again, and what it owns has been learned again
is_back() {
    wait_for_state $FORWARDING "$1"
    case $1 in
    host2) owns host2 $G21 ;;
    sniffer) owns sniffer $S1 ;;
    esac
    mirrors $ALL
}
for port in sniffer host2; do
    both_bridge <<<"link set dev $port state $LISTENING"
    mirrors $((ALL - 1))
    as_on_a_hub open
    both_bridge <<<"link set dev $port state $FORWARDING"
    is_back $port
done
both_bridge <<<"link set dev sniffer backup_port uplink"
for port in sniffer host2; do
    both_hosts <<<"link set dev $port down"
    wait_for_state $DISABLED $port
    mirrors $((ALL - 1))
    as_on_a_hub open
    both_hosts <<<"link set dev $port up"
    is_back $port
done
both_bridge <<<"link set dev sniffer nobackup_port"

# ---- a port that is not flooded to, whether it owns the destination or gets every copy
slave flood off sniffer
mirrors $((ALL - 1))
as_on_a_hub
slave flood off host2
mirrors $((ALL - 2))
as_on_a_hub
slave flood on sniffer host2
mirrors $ALL

# ---- a locked port: what it is not to let in nobody gets. A user's entry lets it in, and is for
# its port alone.
slave locked on host1
mirrors $((ALL - 2))
as_on_a_hub
both_bridge <<FDB
fdb add $G11 dev host1 master static
FDB
as_on_a_hub
both_bridge <<FDB
fdb del $G11 dev host1 master
link set dev host1 locked off
FDB
owns host1 $G11
mirrors $ALL

# ---- users' entries: for filtered ports, for one that gets every copy, and for the bridge itself,
# whichever device is named for it; frames for them from everywhere, from their own port too
readonly USERS="02:00:00:00:0e:05 dev host3 master static
02:00:00:00:0e:06 dev host6 master extern_learn
02:00:00:00:0e:08 dev uplink master static
02:00:00:00:0e:fe dev br self local
02:00:00:00:0e:fd dev br self local extern_learn
02:00:00:00:0e:15 dev host3 master permanent
02:00:00:00:0e:18 dev uplink master permanent"
# users_entries add|del
users_entries() {
    local entry
    while read -r entry; do
        [[ $1 == add ]] || entry=${entry% static} entry=${entry% extern_learn} entry=${entry% local} entry=${entry% permanent}
        echo "fdb $1 $entry"
    done <<<"$USERS" | both_bridge
}
OWNERS+="owner host3 02:00:00:00:0e:05
owner host6 02:00:00:00:0e:06
"
# for_users [WORD]
for_users() {
    same <<<"${1:-}
$(for from in "host1 $G11" "host3 $G31" "uplink $U1" "sniffer $S1" "br $BRIDGE"; do
        while read -r address _; do
            echo "send $from $address"
            [[ $from == br* ]] || echo "send $from $address udp $BRIDGE_IP"
        done <<<"$USERS"
    done)"
}
users_entries add
for_users
for_users promisc
# The module is told of entries that were there before it.
unload_module
load_module
enable "${FILTERED[@]}"
all_own
mirrors $ALL
for_users
users_entries del
for_users open

# ---- the host's own traffic, and ports that take no large buffers or frames
both_links <<LINKS
neighbour add 10.0.0.2 lladdr $G21 dev br
neighbour add 10.0.0.3 lladdr $U1 dev br
neighbour add 10.0.0.4 lladdr $NOBODY dev br
LINKS
on_both ethtool --offload uplink tso off gso off
readonly HOST_SPEAKS="
speak 10.0.0.2
speak 10.0.0.2 20
speak 10.0.0.3 20
speak 10.0.0.4 20
speak 10.0.0.255
$ALL_KINDS
"
same <<<"$HOST_SPEAKS"
# What waits or comes twice in a queueing discipline, and buffers that are segmented before the
# bridge has them
on_both tc qdisc add dev br root netem duplicate 100%
on_both ethtool --offload br tso off gso off
same <<<"$HOST_SPEAKS"
on_both ethtool --offload br tso on gso on
on_both tc qdisc del dev br root
both_links <<<"link set dev sniffer mtu 600"
same <<PLAN
send host1 $G11 $G21 size 614
send host1 $G11 $G21 size 615
send host1 $G11 $G21 size 1514
send host1 $G11 $G21 gso 10
send br $BRIDGE $G21 size 600
PLAN
on_both ethtool --offload uplink tso on gso on
both_links <<<"link set dev sniffer mtu 1500"

# ---- others who want all that passes the bridge device: tcpdump, a user, guests behind macvlan
# devices; and a firewall that counts
both_nft <<NFT
$(
    echo "table bridge seen {"
    for hook in prerouting input forward output postrouting; do
        echo "chain $hook { type filter hook $hook priority 0"
        case $hook in
        prerouting | input) echo "counter" ;;
        *) echo "oifname sniffer counter; oifname uplink counter; oifname uplink ct state new counter" ;;
        esac
        echo "}"
    done
    echo "}"
)
NFT
as_on_a_hub
same_counters bridge
as_on_a_hub promisc
same_counters bridge
both_links <<<"link set dev br promisc on"
as_on_a_hub
same_counters bridge
both_links <<LINKS
link set dev br promisc off
link add name guest address $G51 link br type macvlan mode bridge
link set dev guest up
link add name br.10 link br up type vlan id 10
LINKS
# (A macvlan device gets broadcasts from a work of its own, some time later.)
same <<PLAN
listen guest br.10
send host1 $G11 $G51
send uplink $U1 $G51
send guest $G51 $G11
send guest $G51 $U1
send guest $G51 $NOBODY
send host1 $G11 $BRIDGE tag 10
send host1 $G11 $G21 tag 10:5
send host1 $G11 $NOBODY tag 10:5
send br.10 $BRIDGE $G21
send br.10 $BRIDGE $NOBODY
${ALL_KINDS//$BROADCAST/$MULTICAST}
PLAN
same_counters bridge
on_both nft delete table bridge seen
both_links <<LINKS
link del dev guest
link del dev br.10
LINKS

# ---- br_netfilter comes and goes: IP's hooks see bridged frames as well
if [[ ! ${BESIDE_BR_NETFILTER:-} ]]; then
    with_br_netfilter
    as_on_a_hub
    without_br_netfilter
    as_on_a_hub
fi

# ---- multicast snooping; with a querier the bridge does more than to flood or to direct a frame,
# and makes the copies (Who has become a querier waits first for a response's time.)
on_both ip link set dev br type bridge mcast_snooping 1 mcast_query_response_interval 100
mirrors $ALL
as_on_a_hub silent
on_both ip link set dev br type bridge mcast_querier 1
mirrors 0
as_on_a_hub silent
on_both ip link set dev br type bridge mcast_querier 0 mcast_snooping 0
mirrors $ALL
as_on_a_hub

# ---- one port that gets every copy, and four
both_links <<<"link set dev uplink nomaster"
EVERY=(sniffer)
OWNERS=$(sed /uplink/d <<<"$OWNERS")$'\n'
mirrors $((ALL - 2))
same <<<"$(sed '/send uplink/d' <<<"$ALL_KINDS")"
both_links <<<"link set dev uplink master br"
join_ports tap3 tap4
wait_for_state $FORWARDING uplink
EVERY=(uplink sniffer tap3 tap4)
owns uplink $U1 $U2
mirrors $ALL
as_on_a_hub
