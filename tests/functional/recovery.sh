#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Sources that could not be learned, for a limit or while the table grew, are not forgotten: their
# port gets every copy until it owns them all, or until it does not matter any more. Every MAC here
# is another port's as well, so that its frames would be suppressed at a port that does not own it.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3
readonly TEN=02:00:00:01:00:00+10 MANY=02:00:00:01:00:00+900 TOO_MANY=02:00:00:01:00:00+3000
# So many sources are kept.
readonly MOST=1024

# reachable PORT MACS: every frame for them arrives there; other ports may get it
reachable() {
    uncounted_exchange <<PLAN
send host1 $G11 $2
expect $1 $G11 $2
$(printf "allow %s $G11 $2\n" host1 host2 host3 sniffer | grep -v "allow $1 ")
PLAN
}

# only_at PORT... MACS: they and the sniffer get every frame, and nobody else
only_at() {
    local macs=${*: -1}
    exchange <<PLAN
send host1 $G11 $macs
$(printf "expect %s $G11 $macs\n" "${@:1:$#-1}" sniffer)
PLAN
}

# owns PORT NUMBER MACS: so many, after these have spoken there. What comes while the table grows
# may be learned from a later frame.
owns() {
    uncounted_exchange <<<"hello $1 $3"
    attribute_is "$1" n_macs "$2"
}

# at_limit MACS: host2 owns G21, which is as many as it may, and has sent from these, which are
# host3's, as is G31
at_limit() {
    set_attribute host2 max_macs 1
    exchange <<<"hello host3 $G31"
    wait_until 20 owns host3 $((1 + ${1#*+})) "$1"
    uncounted_exchange <<PLAN
hello host2 $G21
hello host2 $1
PLAN
    expect_attribute host2 failing_open 1
    expect_attribute host2 limit_reached 1
    expect_attribute host2 n_macs 1
}

# recovered: host2 gets no more than it should
recovered() {
    expect_attribute host2 failing_open 0
    expect_attribute host2 limit_reached 0
    only_at host3 $G31
}

# begin_anew: nothing is known, and host2 has no limit
begin_anew() {
    set_attribute host2 max_macs 0
    set_attribute br flush 1
    expect_attribute br n_macs 0
    expect_attribute host2 failing_open 0
    expect_attribute host2 limit_reached 0
}

# request OPERATION MAC: asks for it by netlink, for host2
request() {
    python3 - "$@" <<'PYTHON' || fail "see above"
import sys

from family import connect, indices

connect().do(sys.argv[1], {"port": indices()["host2"], "mac": sys.argv[2]})
PYTHON
}

# ---- host2 fails, and the guests that were behind it speak from host3, once, while the table has
# to grow
exchange <<<"hello host2 $MANY"
wait_until 20 attribute_is host2 n_macs 900
uncounted_exchange <<PLAN
hello host3 $MANY
send host1 $G11 $MANY
expect host2 $G11 $MANY
expect host3 $G11 $MANY
expect sniffer $G11 $MANY
PLAN
wait_until 20 attribute_is host3 n_macs 900
wait_until 20 attribute_is host3 failing_open 0
expect_attribute host3 limit_reached 0
only_at host2 host3 $MANY
begin_anew

# ---- a higher limit: what was seen before it is owned at once, as far as it goes
at_limit $TEN
reachable host2 $TEN
remember_statistics host2
set_attribute host2 max_macs 8
expect_attribute host2 n_macs 8
expect_attribute host2 failing_open 1
expect_attribute host2 limit_reached 1
reachable host2 $TEN
set_attribute host2 max_macs 11
expect_attribute host2 n_macs 11
expect_since host2 learned 10
expect_since host2 moved_in 10
recovered
only_at host2 host3 $TEN
begin_anew

# ---- the limit stays, and what could not be learned ages
at_limit $TEN
stream --rate 20 <<<"stream host2 $G21 $NOBODY to sniffer"
set_attribute br ageing_time 1
wait_until 20 attribute_is host2 failing_open 0
wait_until 20 attribute_is host2 n_macs 1
expect_attribute host2 limit_reached 0
end_stream
set_attribute br ageing_time 300
begin_anew

# ---- more than can be kept: every copy, until they have aged
at_limit $TOO_MANY
set_attribute host2 max_macs 0
# The table has to grow for them.
wait_until 20 attribute_is host2 n_macs $((1 + MOST))
expect_attribute host2 failing_open 1
expect_attribute host2 limit_reached 0
reachable host2 $TOO_MANY
set_attribute br ageing_time 1
wait_until 20 attribute_is host2 failing_open 0
wait_until 20 attribute_is host3 n_macs 0
set_attribute br ageing_time 300
exchange <<<"hello host3 $G31"
recovered

# ... or, where nothing ages, until they are flushed
set_attribute br ageing_time 0
at_limit $TOO_MANY
set_attribute host2 max_macs 0
holds 2 attribute_is host2 failing_open 1
reachable host2 $TOO_MANY
set_attribute host3 flush 1
expect_attribute host2 failing_open 1
set_attribute host2 flush 1
exchange <<<"hello host3 $G31"
recovered
set_attribute br ageing_time 300
begin_anew

# ---- what is flushed or deleted is not learned later
at_limit $TEN
set_attribute host2 flush 1
recovered
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 0
begin_anew
at_limit $TEN
request entry-del 02:00:00:01:00:03
request entry-flush 02:00:00:01:00:04
expect_attribute host2 failing_open 1
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 9
recovered
only_at host3 02:00:00:01:00:03+2
begin_anew

# ---- a port that fails closed has dropped the frames, so nothing is learned from them
set_attribute host2 on_failure closed
set_attribute host2 max_macs 1
uncounted_exchange <<PLAN
hello host3 $TEN
hello host2 $G21
send host2 $TEN $BROADCAST
PLAN
expect_attribute host2 failing_open 0
expect_attribute host2 limit_reached 1
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 1
only_at host3 $TEN
set_attribute host2 on_failure open
begin_anew
at_limit $TEN
set_attribute host2 on_failure closed
expect_attribute host2 failing_open 0
only_at host3 $TEN
set_attribute host2 on_failure open
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 1
begin_anew

# ---- exclusive: the port where a MAC was seen last takes it, also when it could be learned only
# later

# seen_before SECONDS MAC: its owner was
seen_before() {
    python3 - "$@" <<'PYTHON'
import sys

from family import connect

[entry] = connect().dump("entry-get", {"mac": sys.argv[2]})
sys.exit(entry["age"] < int(sys.argv[1]) * 1000)
PYTHON
}
set_attribute br exclusive 1
exchange <<<"hello host3 $TEN"
wait_until 20 seen_before 2 "${TEN%+*}"
set_attribute host2 max_macs 1
uncounted_exchange <<PLAN
hello host2 $G21
hello host2 $TEN
PLAN
expect_attribute host2 n_macs 1
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 11
expect_attribute host3 n_macs 0
only_at host2 $TEN
begin_anew

# ... but not from a port where it was seen after that
at_limit $TEN
wait_until 20 seen_before 2 "$G21"
exchange <<<"hello host3 $TEN"
set_attribute host2 max_macs 0
expect_attribute host2 n_macs 1
expect_attribute host3 n_macs 11
recovered
only_at host3 $TEN
set_attribute br exclusive 0
begin_anew

# ---- a port that is not enabled fails without its showing in what it gets: the kernel's log says
# so, once said: how often is in REPLY then
said() {
    REPLY=$(dmesg | grep -c "interface $(</sys/class/net/host2/ifindex): sources are not learned")
}
disable host2
at_limit $TEN
wait_until 20 said
uncounted_exchange <<<"hello host2 $TEN"
said
((REPLY == 1)) || fail "said $REPLY times"
enable host2
begin_anew

# ---- a port that leaves takes with it what could not be learned; who gets its number is another
at_limit $TEN
ip link set dev host2 nomaster
# What it used last is nobody's any more, wherever it was seen before: G31 is left. Nothing waits,
# so that the bridge can be given that.
wait_until 20 attribute_is br n_macs 1
enable sniffer
wait_until 20 attribute_is br n_offloaded 1
disable sniffer
links - <<<"link add name late up master br type veth peer name late netns hosts"
set_attribute sniffer max_macs 5
expect_attribute late n_macs 0
ip link set dev late nomaster
ip link set dev host2 master br
enable host2
wait_for_ports host2
expect_attribute host2 n_macs 0
recovered
