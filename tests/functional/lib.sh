# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The lab of the functional scripts. A script sources this file and is then in a network namespace
# and a mount namespace of its own, which go away with it, and all that it made with them.
#
#   make_hub host1 host2 sniffer    a hub-mode bridge "br" with these ports. Each is one end of a
#                                   veth pair; the other end has the same name, in the namespace
#                                   "hosts".
#   load_module                     maclearn is there from here on; it is unloaded when the script
#                                   ends
#   set_attribute host1 enabled 1
#   exchange <<PLAN                 frames are sent from the hosts' ends and counted there, and
#   send host1 $G11 $G21 count 9    anything else arriving than the plan expects is a failure
#   expect host2 $G11 $G21 count 9  ("frames exchange --help")
#   expect sniffer $G11 $G21 count 9
#   PLAN
#
# A guest of a nested host is a source MAC behind its port: G21 is host 2's guest 1.
#
# Starting a process is slow on an emulated CPU: what Bash can do itself, these functions leave to
# Bash.

set -Eeuo pipefail

if [[ -z ${LAB:-} ]]; then
    LAB=$(mktemp -d)
    export LAB
    exec unshare --mount --net --propagation private "$BASH" "$0" "$@"
fi

# family.py is found from anywhere, and the source stays as it is.
export PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1

# shellcheck disable=SC2034 # for the scripts
readonly G11=02:00:00:00:01:01 G12=02:00:00:00:01:02 G13=02:00:00:00:01:03 \
    G21=02:00:00:00:02:01 G22=02:00:00:00:02:02 G23=02:00:00:00:02:03 \
    G31=02:00:00:00:03:01 G32=02:00:00:00:03:02 G33=02:00:00:00:03:03 \
    G41=02:00:00:00:04:01 G42=02:00:00:00:04:02 G43=02:00:00:00:04:03 \
    SNIFFER=02:00:00:00:09:01 NOBODY=02:00:00:00:ff:01 BROADCAST=ff:ff:ff:ff:ff:ff \
    MULTICAST=01:00:5e:01:02:03

# The parts of a line of /sys/class/net/PORT/maclearn/statistics
readonly STATISTICS=(suppressed suppressed_bytes passed_owned passed_unknown passed_failing_open
    passed_multicast learned moved_in aged limit_hits dropped_closed)

HUB_PORTS=()
MODULE_LOADED=
STREAM_PID=
COUNT_PID=
MONITOR_PID=
TRACE=
declare -A BEFORE INNER_BRIDGES=()

# ---- failing -------------------------------------------------------------------------------------

fail() {
    trap - ERR
    echo "FAILED: $*" >&2
    local depth=0
    while caller "$depth" >&2; do ((++depth)); done
    exit 1
}

# Exit status 4 is a skipped script: only for what this kernel was built without.
skip() {
    echo "$*"
    exit 4
}

clean_up() {
    local status=$? pids
    trap - ERR
    set +e
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # one word each
    [[ -z $pids ]] || { kill $pids && wait; } 2>/dev/null
    if [[ $MODULE_LOADED ]] && ! unload_module && ((status == 0)); then
        status=1
    fi
    [[ ! $TRACE ]] || rmdir "$TRACE" || status=1
    umount --lazy "$LAB" && rmdir "$LAB"
    exit "$status"
}

trap 'fail "$BASH_COMMAND"' ERR
trap clean_up EXIT

# wait_until SECONDS COMMAND...: longer on a machine that is busy, where ten looks take more than a
# second
wait_until() {
    local looks=$(($1 * 10))
    shift
    until "$@"; do
        ((looks-- > 0)) || fail "waited in vain for: $*"
        sleep 0.1
    done
}

# holds SECONDS COMMAND...: it does, all the time
holds() {
    local deadline=$((SECONDS + $1))
    shift
    while ((SECONDS < deadline)); do
        "$@" || fail "did not hold: $*"
        sleep 0.1
    done
}

# fails COMMAND...: it does
fails() {
    if "$@" 2>/dev/null; then
        fail "succeeded: $*"
    fi
}

# br_netfilter is there only where a script loads it; another one may have.
if [[ -e /sys/module/br_netfilter ]]; then modprobe --remove --quiet br_netfilter || true; fi

# ---- the network ---------------------------------------------------------------------------------

mount -t tmpfs tmpfs "$LAB"
mkdir "$LAB/run"
mount --bind "$LAB/run" /run
mkdir /run/netns
mount -t sysfs sysfs /sys

# No frames but those that a script sends.
quiet_ipv6() {
    if [[ -e /proc/sys/net/ipv6 ]]; then
        echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
        echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
    fi
}
export -f quiet_ipv6
quiet_ipv6

# add_namespaces NAME...
add_namespaces() {
    local name
    for name; do
        ip netns add "$name"
        ip netns exec "$name" "$BASH" -c quiet_ipv6
    done
}

# links NAMESPACE: carries out `ip` commands from standard input there; - is the script's own
# namespace
links() {
    if [[ $1 == - ]]; then
        ip -batch -
    else
        ip -n "$1" -batch -
    fi
}

# is_in_state PORT STATE: the port's spanning tree state
readonly FORWARDING=3
is_in_state() {
    read -r REPLY <"/sys/class/net/$1/brport/state"
    ((REPLY == $2))
}

# wait_for_ports PORT...: until they forward. The kernel notices a link that has come up a little
# later.
wait_for_ports() {
    local port
    for port; do
        wait_until 20 is_in_state "$port" $FORWARDING
    done
}

# add_ports BRIDGE PORT...
add_ports() {
    local bridge=$1 port
    shift
    for port; do
        echo "link add name $port up master $bridge type veth peer name $port netns hosts"
    done | links -
    for port; do
        echo "link set dev $port up"
    done | links hosts
    wait_for_ports "$@"
    HUB_PORTS+=("$@")
}

# make_hub PORT...
make_hub() {
    ip link add name br up type bridge ageing_time 0 mcast_snooping 0
    add_namespaces hosts
    add_ports br "$@"
}

# begin_monitor, end_monitor: what the FDB of the bridge "br" tells of meanwhile is in $LAB/monitor
# then
begin_monitor() {
    bridge monitor fdb >"$LAB/monitor" &
    MONITOR_PID=$!
    # It has begun to listen when it tells of this.
    wait_until 20 is_monitored
}

is_monitored() {
    bridge fdb replace 02:00:00:00:0f:01 dev br self local
    bridge fdb del 02:00:00:00:0f:01 dev br self
    grep -q "^Deleted 02:00:00:00:0f:01" "$LAB/monitor"
}

end_monitor() {
    # And it has told all when it tells of that.
    bridge fdb add 02:00:00:00:0f:02 dev br self local
    bridge fdb del 02:00:00:00:0f:02 dev br self
    wait_until 20 grep -q "^Deleted 02:00:00:00:0f:02" "$LAB/monitor"
    kill "$MONITOR_PID"
    wait "$MONITOR_PID" || true
}

# begin_trace: the folder TRACE is a trace of the script's own, which ends with it, without events
# yet and not running. What others have begun is not in there.
begin_trace() {
    local tracing=$LAB/tracing
    mkdir "$tracing"
    mount -t tracefs tracefs "$tracing" || skip "this kernel has no trace events"
    TRACE=$tracing/instances/maclearn
    mkdir "$TRACE"
    echo 0 >"$TRACE/tracing_on"
}

# add_guest PORT NAME NUMBER: a guest of the nested host behind PORT, which is a real one: an inner
# bridge with the guests' devices. The guest is a namespace, its address 10.0.0.NUMBER and its MAC
# 02:00:00:00:0a:NUMBER.
add_guest() {
    local port=$1 name=$2 number=$3 inner=$1-inner
    if [[ -z ${INNER_BRIDGES[$port]:-} ]]; then
        INNER_BRIDGES[$port]=$inner
        links hosts <<EOF
link add name $inner up type bridge mcast_snooping 0
link set dev $port master $inner
EOF
    fi
    add_namespaces "$name"
    links hosts <<<"link add name $name up master $inner type veth peer name eth0 netns $name"
    links "$name" <<EOF
link set dev eth0 address 02:00:00:00:0a:$(printf %02x "$number") up
address add 10.0.0.$number/24 dev eth0
EOF
}

# has_answers GUEST NUMBER: so many pings of this guest have been answered; how many is in ANSWERS
# then
has_answers() {
    ANSWERS=$(ip netns exec "$1" cat /proc/net/snmp | awk '
        $1 == "Icmp:" && column { print $column }
        $1 == "Icmp:" { for (i = 1; i <= NF; i++) if ($i == "InEchoReps") column = i }')
    ((ANSWERS >= $2))
}

# pings GUEST ADDRESS COUNT [OPTION...]: all of them are answered, however late
pings() {
    local output before
    has_answers "$1" 0
    before=$ANSWERS
    output=$(ip netns exec "$1" ping -n -q -i 0.01 -c "$3" -W 20 "${@:4}" "$2")
    # ping waits for the last ones no longer than for those before.
    [[ $output == *" $3 received"* ]] || {
        echo "$output"
        [[ $output != *duplicates* ]]
        wait_until 20 has_answers "$1" $((before + $3))
    }
}

# begin_count PORT...: counts all that arrives at the hosts' ends of these ports until end_count.
begin_count() {
    local ready
    rm -f "$LAB/count.end"
    mkfifo "$LAB/count.ready"
    "${FRAMES:-frames}" count --ready "$LAB/count.ready" --until "$LAB/count.end" \
        "${@/#/hosts:}" >"$LAB/count" &
    COUNT_PID=$!
    read -r ready <"$LAB/count.ready"
    [[ $ready == ready ]]
    rm "$LAB/count.ready"
}

end_count() {
    : >"$LAB/count.end"
    wait "$COUNT_PID" || fail "frames count: see above"
}

# counted PORT FILTER: a number of what was counted there, picked by a jq filter, is in REPLY then
counted() {
    REPLY=$(jq ".\"hosts:$1\" | $2" "$LAB/count")
}

# ---- the module ----------------------------------------------------------------------------------

# The module's parameters, NAME=VALUE each
PARAMETERS=()

load_module() {
    if [[ ${MACLEARN_KO:-} ]]; then
        insmod "$MACLEARN_KO" "${PARAMETERS[@]}" || return
    else
        modprobe maclearn "${PARAMETERS[@]}" || return
    fi
    MODULE_LOADED=1
}

unload_module() {
    MODULE_LOADED=
    rmmod maclearn
}

# set_attribute DEVICE NAME VALUE
set_attribute() {
    printf '%s\n' "$3" >"/sys/class/net/$1/maclearn/$2"
}

# get_attribute DEVICE NAME: its value is in REPLY then
get_attribute() {
    read -r REPLY <"/sys/class/net/$1/maclearn/$2"
}

# attribute_is DEVICE NAME VALUE
attribute_is() {
    get_attribute "$1" "$2"
    [[ $REPLY == "$3" ]]
}

# expect_attribute DEVICE NAME VALUE
expect_attribute() {
    attribute_is "$@" || fail "$1 $2 is '$REPLY', not '$3'"
}

enable() {
    local port
    for port; do
        set_attribute "$port" enabled 1
    done
}

disable() {
    local port
    for port; do
        set_attribute "$port" enabled 0
    done
}

# on_processors MASK: what the script does, and the maintenance work, runs there. Two virtual
# processors that fight for a lock get on badly with a host that runs only one of them at a time.
on_processors() {
    taskset --pid "$1" $$ >"$LAB/taskset"
    echo "$1" >/sys/devices/virtual/workqueue/cpumask
}

# netlink_client ARGUMENT...: a client of the generic netlink family ("netlink --help")
netlink_client() {
    "${NETLINK:-netlink}" "$@"
}

# listen FILE [COMMAND...]: what happens from now on is written there; COMMAND runs the listener
# elsewhere
listen() {
    local file=$1 ready
    shift
    mkfifo "$file.ready"
    : >"$file"
    tail -f /dev/null --pid $$ | "$@" python3 events.py "$file.ready" >"$file" &
    read -r ready <"$file.ready"
    [[ $ready == ready ]]
}

# ---- statistics ----------------------------------------------------------------------------------

# remember_statistics PORT...
remember_statistics() {
    local port name
    for port; do
        for name in "${STATISTICS[@]}"; do
            get_attribute "$port" "statistics/$name"
            BEFORE[$port.$name]=$REPLY
        done
    done
}

# since PORT NAME: how much it has grown since remember_statistics is in REPLY then
since() {
    get_attribute "$1" "statistics/$2"
    REPLY=$((REPLY - BEFORE[$1.$2]))
}

# expect_since PORT NAME NUMBER
expect_since() {
    since "$1" "$2"
    ((REPLY == $3)) || fail "$1 statistics/$2 grew by $REPLY, not by $3"
}

# ---- frames --------------------------------------------------------------------------------------

# run_plan OPTION...: carries out the plan on standard input. `frames` prints a line for each port.
run_plan() {
    local plan port declared=
    IFS= read -r -d '' plan || true
    for port in "${HUB_PORTS[@]}"; do
        declared+="port $port hosts:$port"$'\n'
    done
    "${FRAMES:-frames}" exchange "$@" <<<"$declared$plan" >"$LAB/summary" || fail "frames: see above"
}

# greet: what is known is forgotten, but for a guest of each of three hosts
greet() {
    set_attribute br flush 1
    exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
PLAN
}

# A plan in which these guests talk, and the sniffer gets it all
# shellcheck disable=SC2034 # for the scripts
readonly ONLY_OWNERS_GET="\
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
send host2 $G21 $G31 count 20
expect host3 $G21 $G31 count 20
expect sniffer $G21 $G31 count 20"

# What a plain hub makes of a plan: every frame at every other port. (Hellos aside, `expect` is not
# looked at.)
hub_exchange() {
    run_plan --hub
}

# makes_copies NUMBER: so many ports being enabled, the bridge makes all copies that a hub does,
# since it is not told where MACs are. Where some are not enabled it may be told if there are four
# that are.
makes_copies() {
    local offload
    read -r offload <"/sys/class/net/${HUB_PORTS[0]}/master/maclearn/fdb_offload"
    [[ $offload == off ]] || (($1 < ${#HUB_PORTS[@]})) && [[ $1 -lt 4 || $offload == filtered ]]
}

# The plan, and its expectations met exactly. What the module says of each enabled port has to agree
# with what was counted at the other end of the wire: suppressed is what a hub would have delivered
# less what arrived, or at most that where the bridge need not make all copies.
exchange() {
    local port name unicast unicast_bytes multicast hub hub_bytes passed enabled=()
    for port in "${HUB_PORTS[@]}"; do
        if attribute_is "$port" enabled 1; then enabled+=("$port"); fi
    done
    remember_statistics "${enabled[@]}"
    run_plan
    while read -r port unicast unicast_bytes hub hub_bytes multicast; do
        [[ " ${enabled[*]} " == *" $port "* ]] || continue
        if makes_copies "${#enabled[@]}"; then
            expect_since "$port" suppressed $((hub - unicast))
            expect_since "$port" suppressed_bytes $((hub_bytes - unicast_bytes))
        else
            since "$port" suppressed
            ((REPLY <= hub - unicast)) || fail "$port says that $REPLY copies were suppressed, of $((hub - unicast))"
        fi
        expect_since "$port" passed_multicast "$multicast"
        passed=0
        for name in passed_owned passed_unknown passed_failing_open; do
            since "$port" "$name"
            passed=$((passed + REPLY))
        done
        ((passed == unicast)) || fail "$port says that $passed frames passed, $unicast arrived"
    done <"$LAB/summary"
}

# Where a hub's delivery is not the measure (a learning bridge, VLANs, a port that is not
# forwarding): only the plan's own expectations.
uncounted_exchange() {
    run_plan
}

# stream OPTION...: begins to carry out a plan of streams, which go on until end_stream.
stream() {
    rm -f "$LAB/stream.end"
    mkfifo "$LAB/stream.ready"
    local plan port ready declared=
    IFS= read -r -d '' plan || true
    for port in "${HUB_PORTS[@]}"; do
        declared+="port $port hosts:$port"$'\n'
    done
    "${FRAMES:-frames}" exchange --ready "$LAB/stream.ready" --until "$LAB/stream.end" "$@" \
        <<<"$declared$plan" >"$LAB/stream.summary" &
    STREAM_PID=$!
    read -r ready <"$LAB/stream.ready"
    [[ $ready == ready ]]
    rm "$LAB/stream.ready"
}

# Every frame of the streams has to have reached the ports that it was for.
end_stream() {
    : >"$LAB/stream.end"
    wait "$STREAM_PID" || fail "the streams: see above"
}
