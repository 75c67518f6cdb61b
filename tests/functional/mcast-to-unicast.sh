#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Of a frame for a group the bridge makes a copy for each member behind a port with
# mcast_to_unicast, addressed to that member alone: nobody else gets it, so it passes, whoever owns
# the address.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe

# group DEVICE COMMAND...: sends from there, in the namespace that this runs in
cat >"$LAB/group.py" <<'PYTHON'
"""group.py join DEVICE MAC: becomes a member of 239.1.1.1.
group.py send DEVICE MAC: sends it a frame."""
import socket
import struct
import sys

command, device, mac = sys.argv[1:]
group = socket.inet_aton("239.1.1.1")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


def header(protocol, length):
    fields = struct.pack("!BBHHHBB", 0x46, 0, 24 + length, 0, 0, 1, protocol)
    addresses = bytes([10, 0, 0, 1]) + group
    alert = b"\x94\x04\0\0"
    return fields + checksum(fields + b"\0\0" + addresses + alert) + addresses + alert


if command == "join":
    report = b"\x16\0\0\0" + group
    payload = header(2, 8) + report[:2] + checksum(report) + report[4:]
else:
    payload = header(17, 8) + struct.pack("!HHHH", 9, 9, 8, 0)
source = bytes.fromhex(mac.replace(":", ""))
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((device, 0x800))
sender.send((b"\x01\0\x5e\x01\x01\x01" + source + b"\x08\0" + payload).ljust(60, b"\0"))
PYTHON

# group NAMESPACE COMMAND DEVICE MAC
group() {
    local namespace=$1
    shift
    if [[ $namespace == . ]]; then
        python3 "$LAB/group.py" "$@"
    else
        ip netns exec "$namespace" python3 "$LAB/group.py" "$@"
    fi
}

# arrived: how many frames have, at host2's end, is in REPLY then
arrived() {
    REPLY=$(ip -n hosts -json -stats link show dev host2 | jq '.[].stats64.rx.packets')
}

has_arrived() {
    arrived
    ((REPLY == ARRIVED + 1))
}

# gets_it NAMESPACE DEVICE MAC: a frame for the group from there arrives at host2, once
gets_it() {
    arrived
    ARRIVED=$REPLY
    remember_statistics host2
    group "$1" send "$2" "$3"
    wait_until 20 has_arrived
    expect_since host2 passed_multicast 1
    expect_since host2 suppressed 0
}

make_hub host1 host2 host3
ip link set dev br address $BRIDGE
load_module
# All copies are made, with or without entries of the bridge's own.
set_attribute br fdb_offload off
enable host1 host2 host3
# Without somebody who asks for members, what is for a group is flooded. The bridge asks, and
# believes after a while that it is alone.
ip link set dev br type bridge mcast_query_response_interval 10
ip link set dev br type bridge mcast_snooping 1 mcast_querier 1
bridge link set dev host2 mcast_to_unicast on
group hosts join host2 $G21
# Nobody but the member gets it then.
is_directed() {
    local before
    remember_statistics host3
    arrived
    before=$REPLY
    group hosts send host1 $G11
    arrived
    since host3 passed_multicast
    ((REPLY == 0)) || return 1
    arrived
    ((REPLY > before))
}
wait_until 20 is_directed
gets_it hosts host1 $G11
gets_it . br $BRIDGE

# ---- the member's address was seen elsewhere, last
set_attribute br exclusive 1
exchange <<<"hello host3 $G21"
expect_attribute host2 n_macs 0
gets_it hosts host1 $G11
gets_it . br $BRIDGE
set_attribute br exclusive 0

# ---- nobody has seen it
set_attribute br flush 1
set_attribute host2 unknown_unicast suppress
gets_it hosts host1 $G11
gets_it . br $BRIDGE

# ---- what is for the member itself is another's still
exchange <<<"hello host3 $G21"
exchange <<PLAN
send host1 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
PLAN
