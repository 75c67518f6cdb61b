#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The documents: their examples are run as they stand there and have to print what is shown, and
# they name the attributes, parameters and operations that there are, and no others.
# (scripts/documents sees that none is left out.)

# shellcheck disable=SC2218,SC2317 # maclearn is a function for one example only

source "${BASH_SOURCE%/*}/lib.sh"
source ../documents.sh

[[ $(</proc/sys/kernel/version) != *PREEMPT_RT* ]] || skip "on PREEMPT_RT nothing is mirrored, as is shown"

readonly SOURCE=$PWD/../..
readonly RST=$SOURCE/Documentation/networking/maclearn.rst
readonly ABI=$SOURCE/Documentation/ABI/testing/sysfs-class-net-maclearn
readonly SPEC=$SOURCE/Documentation/netlink/specs/maclearn.yaml
readonly ROUTER=02:00:00:00:08:01

# ---- the lab of the documents

# Where they say that the kernel's source and this repository are
mkdir "$LAB/linux" "$LAB/maclearn"
mount --bind /usr/src/linux-source-*/ "$LAB/linux"
mount --bind "$SOURCE" "$LAB/maclearn"
mount -t tmpfs tmpfs /usr/src
ln -s "$LAB/linux" "$LAB/maclearn" /usr/src
export COLUMNS=80

make_hub host1 host2 host3 uplink sniffer
ip link set dev br name br0
cd /sys/class/net

# As modprobe, but the lab unloads it in the end.
modprobe() {
    if [[ $MODULE_LOADED ]]; then return; fi
    MODULE_LOADED=1
    if [[ ${MACLEARN_KO:-} ]]; then
        insmod "$MACLEARN_KO"
    else
        command modprobe "$@"
    fi
}

# rejoin PORT
rejoin() {
    ip link set dev "$1" nomaster
    ip link set dev "$1" master br0
    wait_for_ports "$1"
}

# ---- Documentation/networking/maclearn.rst
open_document Documentation/networking/maclearn.rst
example "Nested hosts and a sniffer"
exchange <<PLAN
hello host1 $G12
hello host2 $G21
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect uplink $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
PLAN
example "Nested hosts and a sniffer"

exchange <<PLAN
hello uplink $ROUTER
send host1 $G11 $ROUTER count 5
expect uplink $G11 $ROUTER count 5
expect sniffer $G11 $ROUTER count 5
PLAN
example "An uplink"
example "An uplink"

example "Ports that come and go"
udev_answers() {
    udevadm control --ping 2>/dev/null
}
mkdir -p /run/udev/rules.d
grep '^ *ACTION==' "$RST" >/run/udev/rules.d/80-maclearn.rules
/usr/lib/systemd/systemd-udevd 2>/dev/null &
wait_until 20 udev_answers
ip link add name br1 type bridge
wait_until 20 attribute_is br1 auto_enable 1
kill $!
ip link del dev br1
example "Ports that come and go"
wait_for_ports sniffer

example "Unknown destinations"
exchange <<PLAN
send host1 $G11 $NOBODY count 10
expect host2 $G11 $NOBODY count 10
expect uplink $G11 $NOBODY count 10
expect sniffer $G11 $NOBODY count 10
PLAN
example "Unknown destinations"
exchange <<PLAN
hello uplink $ROUTER
send host1 $G11 $ROUTER count 5
expect host2 $G11 $ROUTER count 5
expect host3 $G11 $ROUTER count 5
expect uplink $G11 $ROUTER count 5
expect sniffer $G11 $ROUTER count 5
PLAN

exchange <<PLAN
hello host3 $G21
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
expect uplink $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
PLAN
example "An address behind two ports"
example "An address behind two ports"
exchange <<PLAN
hello host3 $G21
hello host2 $G21
PLAN
example "An address behind two ports"

example "Limits"
exchange <<PLAN
hello host3 $G31
hello host3 $G32
hello host3 $G33
PLAN
example "Limits"
exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
expect uplink $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
PLAN
example "Limits"
uncounted_exchange <<<"send host3 $G33 $G11"
example "Limits"

example "VLANs"
uncounted_exchange <<PLAN
hello host2 $G21 vlan 10
hello host3 $G31
PLAN
example "VLANs"

example "Static entries"

# An entry of each kind, and they arrive as they were.
entries() {
    maclearn -j entry show dev host1 | jq -c 'map({mac, vlan, static, old: (.age > 80)}) | sort'
}
exchange <<<"hello host1 $G11"
maclearn entry add $G12 dev host1 age 90
maclearn entry add $G13 dev host1 static
left=$(entries)
example "Live migration"
rejoin host1
example "Live migration"
[[ $(entries) == "$left" ]] || fail "$(entries) has arrived, $left had left"

# What the document says that somebody does meanwhile. That it listens is seen by something else,
# which is left out.
listens() {
    command maclearn port set dev sniffer max_macs 4095
    [[ -s $LAB/events ]]
}
has_heard() {
    grep -q "^$1 " "$LAB/events"
}
maclearn() {
    if [[ $1 != monitor ]]; then
        command maclearn "$@"
        return
    fi
    command maclearn monitor >"$LAB/events" &
    wait_until 20 listens
    command maclearn entry add 02:00:00:00:01:07 dev host1
    wait_until 20 has_heard added
    command maclearn entry del 02:00:00:00:01:07 dev host1
    wait_until 20 has_heard deleted
    kill $!
    grep -v sniffer "$LAB/events"
}
example "Listening to events"
unset -f maclearn
example "Listening to events"

example "Why a port still gets copies"
example "Why a port still gets copies"
example "Why a port still gets copies"
example "Why a port still gets copies"

example "The bridge's own entries"

maclearn entry flush br br0
maclearn entry flush br br0 static
example "No copies at all"
uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
example "No copies at all"
example "No copies at all"
example "No copies at all"
wait_for_ports uplink sniffer
no_more_examples

# ---- README.md
open_document README.md
ip link del dev sniffer
add_ports br0 host4 sniffer
ip link set dev uplink nomaster
for port in host1 host2 host3 host4 sniffer; do rejoin "$port"; done
HUB_PORTS=(host1 host2 host3 host4 sniffer)
# What is loaded and enabled by the example was so before, for it to show something.
enable host1 host2 host3 host4
disable sniffer
uncounted_exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host1 $G13
hello host2 $G21
hello host2 $G22
hello host2 $G23
hello host3 $G31
hello host3 $G32
hello host3 $G33
hello host4 $G41
hello host4 $G42
hello host4 $G43
PLAN
wait_until 20 attribute_is br0 n_offloaded 12
maclearn statistics reset dev br0
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 774
expect host2 $G11 $G21 count 774
expect sniffer $G11 $G21 count 774
send host2 $G21 $G11 count 387
expect host1 $G21 $G11 count 387
expect sniffer $G21 $G11 count 387
PLAN
example "Install it, and three commands"
ip link del dev uplink
add_ports br0 uplink
wait_until 20 attribute_is br0 n_offloaded 12
example "Enable the uplinks, too"
example "When something is odd"
ip link set dev host4 nomaster
HUB_PORTS=(host1 host2 host3 uplink sniffer)
# Its file does the same.
sed -n '/^\[\[port\]\]$/,/^enabled/p' "$SOURCE/README.md" >"$LAB/readme.toml"
disable host1
maclearn apply "$LAB/readme.toml"
expect_attribute host1 enabled 1

# ---- Documentation/from-esxi.md
open_document Documentation/from-esxi.md
ip link set dev uplink nomaster
for port in host1 host2 host3; do rejoin "$port"; done
uncounted_exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
example "Step by step"
example "Step by step"
example "Step by step"
example "Step by step"
maclearn bridge set dev br0 ageing_time 300

# has_learned PORT MAC: that it owns MAC alone, when that has spoken there
has_learned() {
    uncounted_exchange <<<"hello $1 $2"
    attribute_is "$1" n_macs 1
}

# ---- Documentation/separate-guests.md
readonly SEPARATE=$SOURCE/Documentation/separate-guests.md
ip link set dev host3 nomaster
ip link set dev sniffer nomaster
ip link set dev uplink master br0
wait_for_ports uplink
disable uplink
HUB_PORTS=(host1 host2 uplink)

# host1_gets_nothing <PLAN: of frames for g21 or for nobody, whatever host1 sends with the address
# of g21; the plan is part of that
host1_gets_nothing() {
    uncounted_exchange <<PLAN
send uplink $ROUTER $G21 count 5
expect host2 $ROUTER $G21 count 5
send uplink $ROUTER $NOBODY count 5
$(cat)
send host1 $G21 $BROADCAST
expect host2 $G21 $BROADCAST
expect uplink $G21 $BROADCAST
send uplink $ROUTER $G21 count 5
expect host2 $ROUTER $G21 count 5
PLAN
}

for ageing_time in 0 300; do
    # On a hub and on a bridge that learns, where maclearn, and that bridge, have learned what is
    # not so.
    ip link set dev br0 type bridge ageing_time "$ageing_time"
    rejoin host1
    rejoin host2
    enable host1 host2
    maclearn entry flush br br0
    # What was learned at a port before it left is forgotten by and by, with what it learns
    # meanwhile.
    wait_until 20 has_learned host1 "$G21"
    open_document Documentation/separate-guests.md
    example "Guests that must not see each other's frames"
    example "Guests that must not see each other's frames"
    example "Guests that must not see each other's frames"
    host1_gets_nothing <<PLAN
send host1 $G21 $ROUTER count 5
expect uplink $G21 $ROUTER count 5
PLAN
    no_more_examples
done

# The bridge alone, as in a kernel without the module: flood off, and static entries at each port.
maclearn entry flush br br0 static
disable host1 host2
bridge fdb add $G11 dev host1 master static sticky
bridge fdb add $G21 dev host2 master static sticky
for port in host1 host2; do bridge link set dev "$port" flood off; done
host1_gets_nothing </dev/null
for port in host1 host2; do bridge link set dev "$port" flood on; done
bridge fdb del $G11 dev host1 master
bridge fdb del $G21 dev host2 master
maclearn entry add $G11 dev host1 static
maclearn entry add $G21 dev host2 static
enable host1 host2

# A port that comes back has what the file says, and nothing without its entry.
# shellcheck disable=SC2016 # marks of Markdown
sed -n '/^```toml$/,/^```$/{/^```/!p}' "$SEPARATE" >"$LAB/separate.toml"
rejoin host2
maclearn apply "$LAB/separate.toml"
expect_attribute host2 enabled 1
expect_attribute host2 learning 0
uncounted_exchange <<PLAN
send uplink $ROUTER $G21 count 5
expect host2 $ROUTER $G21 count 5
PLAN
maclearn entry del $G21 dev host2
uncounted_exchange <<<"send uplink $ROUTER $G21 count 5"
maclearn entry add $G21 dev host2 static

# The bridge's own static entry stays where it is only if it is sticky.
bridge link set dev host1 learning on
for entry in "static host1" "static sticky host2"; do
    # shellcheck disable=SC2086 # words
    bridge fdb replace $G31 dev host2 master ${entry% *}
    uncounted_exchange <<<"hello host1 $G31"
    [[ $(bridge fdb get $G31 br br0) == *" dev ${entry##* } "* ]] || fail "$(bridge fdb get $G31 br br0): $entry"
done

# ---- names

# terms HEADING: what is explained under it
terms() {
    awk -v heading="$1" '
        /^(-+|=+)$/ { inside = previous == heading }
        { previous = $0 }
        inside && match($0, /^``[^`]*``(, ``[^`]*``)*/) { print substr($0, 1, RLENGTH) }' "$RST" | tr -d '`,' | tr ' ' '\n'
}

# same WHAT DOCUMENTED REAL
same() {
    sort <<<"$2" >"$LAB/documented"
    sort <<<"$3" >"$LAB/real"
    diff -u "$LAB/documented" "$LAB/real" || fail "$1: see above"
}

# files DIRECTORY [OPTION...]: the files there
files() {
    find "$1" "${@:2}" -type f -printf '%P\n'
}

for directory in host1/maclearn/statistics br0/maclearn/statistics; do
    same "$directory" "$(terms "Statistics")" "$(ls "$directory")"
done
same "port attributes" "$(terms "Port attributes")" "$(files host1/maclearn -maxdepth 1)"
same "bridge attributes" "$(terms "Bridge attributes")" "$(files br0/maclearn -maxdepth 1)"
same "module parameters" "$(terms "Module parameters")" "$(modinfo -F parm "${MACLEARN_KO:-maclearn}" | cut -d: -f1)"
# shellcheck disable=SC2154 # set by an example
same "operations" "$(terms "Operations")" "$($ynl --list-msgs | cut -d ' ' -f 1)"
same "events" "$(terms "Events")" "$(
    sed -n '/name: event$/,/type: const/ { s/^        name: //p; /type: const/q }' "$SPEC"
)"

# attributes_of OPERATION REQUEST_OR_REPLY: what the specification lists there, but for the device
attributes_of() {
    python3 - "$SPEC" "$@" <<'PYTHON'
import sys

import yaml

with open(sys.argv[1]) as file:
    operations = yaml.safe_load(file)["operations"]["list"]
[operation] = [operation for operation in operations if operation["name"] == sys.argv[2]]
for attribute in operation["do"][sys.argv[3]]["attributes"]:
    if attribute not in ("ifindex", "bridge"):
        print(attribute.replace("-", "_"))
PYTHON
}

# Netlink sets and tells what sysfs does, and nothing else.
for kind in port:host1 bridge:br0; do
    directory=${kind#*:}/maclearn kind=${kind%:*}
    same "$kind-set" "$(attributes_of "$kind-set" request)" "$(files "$directory" -maxdepth 1 -perm 644)"
    same "$kind-get" "$(attributes_of "$kind-get" reply)" "$(files "$directory" -maxdepth 1 -perm -444)"
done

# abi DEVICE: what the ABI description names of it
abi() {
    sed -n "s|^What:.*/sys/class/net/<$1>/maclearn/||p" "$ABI"
}
same "ABI of ports" "$(abi port)" "$(files host1/maclearn)"
same "ABI of bridges" "$(abi bridge)" "$(files br0/maclearn)"
