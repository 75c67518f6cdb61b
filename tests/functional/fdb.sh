#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The bridge's own forwarding database: a port owns what is configured there for it, so that a frame
# which the bridge forwards to that port is never suppressed.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3
PARAMETERS=(fdb_offload=0)

# directed PORT: the bridge forwards frames for G21 to it, whoever else sends from there
directed() {
    uncounted_exchange <<PLAN
hello host3 $G21
send host1 $G11 $G21 count 20
expect $1 $G11 $G21 count 20
PLAN
}

# flooded PORT...: they own G21
flooded() {
    {
        echo "send host1 $G11 $G21 count 20"
        printf "expect %s $G11 $G21 count 20\n" "$@"
    } | exchange
}

# The bridge has an entry for frames without a VLAN and one for each VLAN of the port.
readonly VIDS=2

# ---- what was there before the module
bridge fdb add "$G21" dev host2 master static
load_module
enable host1 host2 host3
expect_attribute host2 n_macs $VIDS
directed host2

# ---- learning the same, forgetting that, and a flush leave it
uncounted_exchange <<<"hello host2 $G21"
expect_attribute host2 n_macs $VIDS
set_attribute host2 flush 1
expect_attribute host2 n_macs $VIDS
directed host2

# ---- it goes where the bridge moves it
bridge fdb replace "$G21" dev host1 master static
expect_attribute host2 n_macs 0
# G11 is there, too.
expect_attribute host1 n_macs $((1 + VIDS))
bridge fdb replace "$G21" dev host2 master static
directed host2

# ---- and when the bridge deletes it. What the port has learned goes with it.
bridge fdb del "$G21" dev host2 master
expect_attribute host2 n_macs 0
flooded host3
bridge fdb add "$G21" dev host2 master static
exchange <<<"hello host2 $G21"
bridge fdb del "$G21" dev host2 master
expect_attribute host2 n_macs 0
flooded host3
exchange <<<"hello host2 $G21"
flooded host2 host3
set_attribute br flush 1

# ---- no limit keeps it out, but it counts
set_attribute host2 max_macs 1
bridge fdb add "$G21" dev host2 master static
expect_attribute host2 n_macs $VIDS
directed host2
exchange <<<"hello host2 $G22"
expect_attribute host2 n_macs $VIDS
expect_attribute host2 failing_open 1
bridge fdb del "$G21" dev host2 master
set_attribute host2 max_macs 0
wait_until 10 attribute_is host2 failing_open 0
set_attribute br flush 1

# ---- more entries than the table has room for, faster than it can grow
# The bridge makes a static entry of one that has just been made, and ages on a hub what it finds in
# between (br_fdb_cleanup()). Once in many thousands that deletes the entry.
ip link set dev br type bridge ageing_time 30000
for ((i = 0; i < 3000; i++)); do
    printf 'fdb add 02:00:00:01:%02x:%02x dev host2 master static\n' $((i >> 8)) $((i & 255))
done | bridge -batch -
wait_until 20 attribute_is host2 n_macs $((3000 * VIDS))
ip link set dev br type bridge ageing_time 0
uncounted_exchange <<PLAN
hello host3 02:00:00:01:00:00+3000
send host1 $G11 02:00:00:01:00:00+3000
expect host2 $G11 02:00:00:01:00:00+3000
PLAN
ip link set dev host2 nomaster
expect_attribute br n_macs 3001
ip link set dev host2 master br
set_attribute br flush 1

# ---- in VLANs, and only there
ip link set dev br type bridge vlan_filtering 1
bridge -batch - <<VLANS
vlan add dev host1 vid 10
vlan add dev host2 vid 10
vlan add dev host3 vid 10
fdb add $G21 dev host2 vlan 10 master static
VLANS
enable host2
wait_for_ports host2
expect_attribute host2 n_macs 1
uncounted_exchange <<PLAN
hello host3 $G21 vlan 10
hello host3 $G21
send host1 $G11 $G21 vlan 10 count 10
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 vlan 10 count 10
expect host3 $G11 $G21 count 20
PLAN
