#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Frames that the bridge device itself sends, and frames to the bridge's own address.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe
readonly SELF="port bridge br"

make_hub host1 host2 host3 sniffer
ip link set dev br address $BRIDGE
load_module
enable host1 host2 host3

exchange <<PLAN
$SELF
hello host2 $G21
send bridge $BRIDGE $G21 count 10
expect host2 $BRIDGE $G21 count 10
expect sniffer $BRIDGE $G21 count 10

send bridge $BRIDGE $NOBODY count 20
expect host1 $BRIDGE $NOBODY count 20
expect host2 $BRIDGE $NOBODY count 20
expect host3 $BRIDGE $NOBODY count 20
expect sniffer $BRIDGE $NOBODY count 20

send bridge $BRIDGE $BROADCAST count 5
expect host1 $BRIDGE $BROADCAST count 5
expect host2 $BRIDGE $BROADCAST count 5
expect host3 $BRIDGE $BROADCAST count 5
expect sniffer $BRIDGE $BROADCAST count 5
PLAN
expect_since host1 suppressed 10
expect_since host2 passed_owned 10

set_attribute host1 unknown_unicast suppress
exchange <<PLAN
$SELF
send bridge $BRIDGE $NOBODY count 20
expect host2 $BRIDGE $NOBODY count 20
expect host3 $BRIDGE $NOBODY count 20
expect sniffer $BRIDGE $NOBODY count 20
PLAN

# To the bridge: up to the host, and to no port, as without the module.
uncounted_exchange <<PLAN
$SELF
send host1 $G11 $BRIDGE count 10
expect bridge $G11 $BRIDGE count 10
send host1 $G11 $BROADCAST count 5
expect bridge $G11 $BROADCAST count 5
expect host2 $G11 $BROADCAST count 5
expect host3 $G11 $BROADCAST count 5
expect sniffer $G11 $BROADCAST count 5
PLAN

# Who has the bridge's address, or a port's, for a source is not learned.
set_attribute br flush 1
port_address=$(<"/sys/class/net/host3/address")
uncounted_exchange <<PLAN
hello host1 $BRIDGE
hello host1 $port_address
PLAN
expect_attribute br n_macs 0

# An address that becomes a port's own is forgotten, and one that no longer is can be learned.
exchange <<<"hello host1 $G12"
expect_attribute br n_macs 1
ip link set dev host3 address $G12
expect_attribute br n_macs 0
uncounted_exchange <<PLAN
hello host1 $G12
hello host1 $port_address
PLAN
expect_attribute br n_macs 1
ip link set dev host3 address "$port_address"
expect_attribute br n_macs 0
uncounted_exchange <<PLAN
$SELF
send host2 $G21 $BRIDGE count 10
expect bridge $G21 $BRIDGE count 10
PLAN

# VLANs: the MAC is behind host2 in VLAN 10, and behind host3 in VLAN 1, which is untagged.
ip link set dev br type bridge vlan_filtering 1
bridge -batch - <<EOF
vlan add dev br vid 10 self
vlan add dev host1 vid 10 pvid untagged
vlan add dev host2 vid 10
vlan add dev host3 vid 10 untagged
EOF
remember_statistics host1 host2 host3
uncounted_exchange <<PLAN
$SELF
hello host2 $G21 vlan 10
hello host3 $G21
send bridge $BRIDGE $G21 count 10 vlan 10
expect host2 $BRIDGE $G21 count 10 vlan 10
send bridge $BRIDGE $G21 count 20
expect host3 $BRIDGE $G21 count 20
expect sniffer $BRIDGE $G21 count 20
send host1 $G11 $BRIDGE count 30
expect bridge $G11 $BRIDGE count 30 vlan 10
PLAN
expect_since host1 suppressed 30
expect_since host2 suppressed 20
expect_since host3 suppressed 10

# What looks tagged is not for the bridge, and is in VLAN 1, if the one who sends it says that it is
# something else.
remember_statistics host1 host2 host3
python3 - ${G21//:/} ${BRIDGE//:/} <<'EOF'
import socket, sys

ETH_P_IP = 0x0800
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
    sender.bind(("br", ETH_P_IP))
    header = bytes.fromhex(sys.argv[1] + sys.argv[2] + "8100" + "000a" + "88b5")
    for _ in range(10):
        sender.send(header.ljust(64, b"\0"))
EOF
expect_since host1 suppressed 10
expect_since host2 suppressed 10
expect_since host3 passed_owned 10

# An address that becomes a port's own is forgotten in every VLAN, with each of its owners, and no
# other is.
set_attribute br flush 1
uncounted_exchange <<PLAN
hello host2 $G12 vlan 10
hello host3 $G12
hello host1 $G12
hello host1 $G13
PLAN
expect_attribute br n_macs 4
ip link add name late address $G12 type dummy
ip link set dev late master br
expect_attribute br n_macs 1
expect_attribute host1 n_macs 1
