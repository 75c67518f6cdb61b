#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Segmentation offloads: buffers of many segments between guests arrive whole, and are counted by
# segments.

source "${BASH_SOURCE%/*}/lib.sh"

readonly TRANSFER_BYTES=$((4 << 20))

make_hub host1 host2 host3 sniffer
add_guest host1 sender 1
add_guest host2 receiver 2
add_guest host3 other 3
# No frames but those of the transfer.
ip -n sender neigh add 10.0.0.2 lladdr 02:00:00:00:0a:02 dev eth0
ip -n receiver neigh add 10.0.0.1 lladdr 02:00:00:00:0a:01 dev eth0
head -c "$TRANSFER_BYTES" /dev/urandom >"$LAB/sent"

is_listening() {
    [[ $(ip netns exec receiver ss --no-header --listening --tcp 'sport = 7000') ]]
}

transfer() {
    local receiver
    ip netns exec receiver socat -u TCP4-LISTEN:7000 "CREATE:$LAB/received" &
    receiver=$!
    wait_until 20 is_listening
    ip netns exec sender socat -u "OPEN:$LAB/sent" TCP4:10.0.0.2:7000
    wait "$receiver"
    cmp "$LAB/sent" "$LAB/received" || fail "what was received differs"
}

# Until the last acknowledgement is through.
connections_are_closed() {
    [[ ! $(ip netns exec receiver ss --no-header --tcp state connected exclude time-wait) &&
        ! $(ip netns exec sender ss --no-header --tcp state connected exclude time-wait) ]]
}

# counted_transfer: and unicast frames, segments and bytes at the sniffer and at host3
counted_transfer() {
    begin_count host1 host2 host3 sniffer
    transfer
    wait_until 20 connections_are_closed
    end_count
    counted sniffer '.unicast.frames' && frames=$REPLY
    counted sniffer '.unicast.segments' && segments=$REPLY
    counted sniffer '.unicast.bytes' && bytes=$REPLY
    counted host3 '.unicast.segments' && uninvolved=$REPLY
    ((bytes > TRANSFER_BYTES)) || fail "the sniffer saw $bytes bytes"
    ((segments > frames)) || fail "no buffer had more than one segment: $frames frames, $segments segments"
}

# A hub
counted_transfer
((uninvolved == segments)) || fail "host3 got $uninvolved of $segments segments"

# The guests have to be known, also to their hosts.
load_module
enable host1 host2 host3
ip netns exec sender ping -n -c 1 -w 20 10.0.0.2 >/dev/null
expect_attribute host1 n_macs 1
expect_attribute host2 n_macs 1

remember_statistics host1 host2 host3
counted_transfer
((uninvolved == 0)) || fail "host3 got $uninvolved segments"
expect_since host3 suppressed "$segments"
expect_since host3 suppressed_bytes "$bytes"
expect_since host3 passed_owned 0
counted host1 '.unicast.segments'
expect_since host1 passed_owned "$REPLY"
counted host2 '.unicast.segments'
expect_since host2 passed_owned "$REPLY"

# Software segmentation before the bridge: more frames, and each is counted.
ip netns exec sender ethtool --offload eth0 tso off gso off
remember_statistics host3
begin_count sniffer
transfer
wait_until 20 connections_are_closed
end_count
counted sniffer '.unicast.segments'
expect_since host3 suppressed "$REPLY"

# ---- A buffer from a tap, whose segments nobody has counted yet when its first copies are
# suppressed: that for host1, the first port, is the last one.
set_attribute br fdb_offload off
enable sniffer
uncounted_exchange <<<"hello host1 $G11"
modprobe -q tun || [[ -e /dev/net/tun ]]
ip tuntap add dev tap mode tap vnet_hdr
ip link set dev tap master br up
remember_statistics host1 host2 host3 sniffer
python3 tap.py tap $G21 $G11 10
for port in host2 host3 sniffer; do
    expect_since "$port" suppressed 10
done
expect_since host1 passed_owned 10
ip link del dev tap
