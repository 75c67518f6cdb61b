# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For scripts that compare with a hub, frame by frame: two bridges "br" that are set up alike, one
# in the namespace "hub", where no port is enabled, its hosts in "hub-hosts", and one in the
# script's own.
#
#   make_twins "host1 host2" "sniffer"    the ports that are enabled on the twin, and those that get
#                                         every copy
#   on_both ip link set dev br ...        the same on both
#   both_links, both_bridge <<EOF         the same with the commands of ip and bridge from standard
#                                         input
#   both_hosts, both_nft <<EOF            with those of ip, where the hosts are; of nft
#   owns host1 $G11                       it speaks there, on the twin
#   mirrors 5                             soon the twin has offloaded so many MACs, and makes copies
#                                         for the ports that get every one
#   same <<PLAN                           all that is compared ("pydoc ./twins.py") is the same, and
#   send host1 $G11 $G21                  mirrors still holds
#   PLAN

source "${BASH_SOURCE%/*}/lib.sh"

# shellcheck disable=SC2034 # for the scripts
readonly BRIDGE=02:00:00:00:00:fe BRIDGE_IP=10.0.0.254

FILTERED=() EVERY=() OWNERS='' MIRRORED=0 MADE=10

on_both() {
    "$@"
    ip netns exec hub "$@"
}

# to_both HERE THERE: the same standard input to two commands
to_both() {
    local input here there
    # It has no zero byte, and ends where the input does.
    IFS= read -r -d '' input || true
    read -ra here <<<"$1"
    read -ra there <<<"$2"
    "${here[@]}" <<<"$input"
    "${there[@]}" <<<"$input"
}

both_links() { to_both "links -" "links hub"; }
both_bridge() { to_both "bridge -batch -" "bridge -n hub -batch -"; }
both_hosts() { to_both "links hosts" "links hub-hosts"; }
both_nft() { to_both "nft -f -" "ip netns exec hub nft -f -"; }

# same_text WHAT THERE HERE
same_text() {
    [[ $2 != "$3" ]] || return 0
    echo "$2" >"$LAB/there"
    echo "$3" >"$LAB/here"
    diff --unified=1 "$LAB/there" "$LAB/here" || fail "$1"
}

# same_counters FAMILY: those of its table "seen", on both
same_counters() {
    local here there
    here=$(nft list table "$1" seen)
    there=$(ip netns exec hub nft list table "$1" seen)
    same_text "a firewall counts other frames" "$there" "$here"
}

# wait_for_state STATE PORT...: of the spanning tree, on both
wait_for_state() {
    local port state=$1
    shift
    for port; do
        wait_until 20 is_in_state "$port" "$state"
        wait_until 20 hub_is_in_state "$port" "$state"
    done
}

hub_is_in_state() {
    local states=(disabled listening learning forwarding blocking)
    [[ $(bridge -n hub link show dev "$1") == *" state ${states[$2]} "* ]]
}

# join_ports PORT...: on both. The first port's MAC is 02:00:00:0c:00:11, at its host's end
# 02:00:00:0d:00:11.
join_ports() {
    local port commands=''
    for port; do
        ((++MADE))
        commands+="link add name $port address 02:00:00:0c:00:$MADE up master br type veth"
        commands+=" peer name $port address 02:00:00:0d:00:$MADE netns PEERS"$'\n'
    done
    links - <<<"${commands//PEERS/hosts}"
    links hub <<<"${commands//PEERS/hub-hosts}"
    for port; do
        echo "link set dev $port up"
    done | both_hosts
    wait_for_state $FORWARDING "$@"
    HUB_PORTS+=("$@")
}

# with_br_netfilter: IP's hooks and connection tracking see bridged frames, on both. What they count
# and know then is compared as well.
WITH_IP_HOOKS=
with_br_netfilter() {
    modprobe --all br_netfilter nf_conntrack
    on_both sysctl --quiet net.bridge.bridge-nf-call-iptables=1 net.netfilter.nf_conntrack_acct=1
    # No connection is over while frames are sent on the one bridge and then on the other.
    local timeout
    for timeout in /proc/sys/net/netfilter/nf_conntrack_*timeout*; do
        timeout=${timeout##*/}
        [[ $timeout == *_loose ]] || on_both sysctl --quiet "net.netfilter.$timeout=36000"
    done
    both_nft <<NFT
$(
        echo "table ip seen {"
        for hook in prerouting input output; do
            # The host says by itself, at some time, which groups it has joined.
            echo "chain $hook { type filter hook $hook priority 0; ip protocol igmp accept; counter"
            for state in new established related invalid untracked; do
                echo "ct state $state counter"
            done
            echo "}"
        done
        echo "}"
    )
NFT
    WITH_IP_HOOKS=1
}

without_br_netfilter() {
    WITH_IP_HOOKS=
    on_both nft delete table ip seen
    modprobe --remove br_netfilter
}

# tracked: the connections that are known, without how long they will be, and without IGMP's
tracked() {
    sed -E '/ unknown +2 /d; s/^(\S+ +\S+ +\S+ +\S+ +)\S+ /\1/' /proc/net/nf_conntrack | sort
}
export -f tracked

same_connections() {
    local here there
    here=$(tracked)
    there=$(ip netns exec hub "$BASH" -c tracked)
    same_text "other connections are known" "$there" "$here"
}

# make_twins "PORT..." "PORT...": filtered, and those that get every copy
make_twins() {
    read -ra FILTERED <<<"$1"
    read -ra EVERY <<<"$2"
    add_namespaces hub hosts hub-hosts
    both_links <<COMMANDS
link set dev lo up
link add name br address $BRIDGE up type bridge ageing_time 0 mcast_snooping 0
address add $BRIDGE_IP/24 broadcast 10.0.0.255 dev br
COMMANDS
    load_module
    join_ports "${FILTERED[@]}" "${EVERY[@]}"
    enable "${FILTERED[@]}"
    coproc TWINS { exec python3 twins.py; }
}

# promiscuity [OPTION...]: of the bridge, where these options of ip say, is in REPLY then
promiscuity() {
    [[ $(ip "$@" -details link show dev br) =~ \ promiscuity\ ([0-9]+) ]]
    REPLY=${BASH_REMATCH[1]}
}

# is_mirroring NUMBER: so many MACs are offloaded although ports get every copy; 0: nothing is left
# of it
is_mirroring() {
    local others
    attribute_is br n_offloaded "$1" || return
    promiscuity -n hub
    others=$REPLY
    promiscuity
    ((REPLY == others + ($1 > 0)))
}

# mirrors NUMBER
mirrors() {
    MIRRORED=$1
    wait_until 20 is_mirroring "$MIRRORED"
}

# owns PORT MAC... [vlan VID]
owns() {
    local port=$1 address vlan='' greetings=''
    shift
    if [[ " $* " == *" vlan "* ]]; then
        vlan="vlan ${!#}"
        set -- "${@:1:$#-2}"
    fi
    for address; do greetings+="hello $port $address $vlan"$'\n'; done
    uncounted_exchange <<<"$greetings"
    OWNERS+="owner $port $*"$'\n'
}

# same: the plan on standard input
same() {
    local plan line differences=''
    IFS= read -r -d '' plan || true
    printf '%s\n' "ports ${FILTERED[*]} ${EVERY[*]}" "every ${EVERY[*]}" "$OWNERS$plan" end >&"${TWINS[1]}"
    while true; do
        IFS= read -r line <&"${TWINS[0]}" || fail "twins.py: see above"
        [[ $line != end ]] || break
        differences+=$line$'\n'
    done
    [[ ! $differences ]] || fail "different from the hub:"$'\n'"$differences"
    if [[ $WITH_IP_HOOKS ]]; then
        same_counters ip
        same_connections
    fi
    is_mirroring "$MIRRORED" || fail "nothing is mirrored any more"
}
