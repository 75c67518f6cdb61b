#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Bridges as container engines make them: what Documentation/container-hosts.md says of those that
# learn, that are hubs, that are promiscuous, and of hairpin ports, is so, and its examples print
# what is shown.

source "${BASH_SOURCE%/*}/lib.sh"
source ../documents.sh

make_hub veth1 veth2 veth3
ip link set dev br name cni0 type bridge ageing_time 300
load_module

# received: frames that the bridge device has handed to the host
received() {
    REPLY=$(</sys/class/net/cni0/statistics/rx_packets)
}

open_document Documentation/container-hosts.md

# ---- it learns: what it does not know is flooded, and a container with more MACs than it may have
# can't send with them
example "A bridge that learns"
uncounted_exchange <<PLAN
hello veth1 $G11
hello veth2 $G21
send veth1 $G11 $G21 count 5
expect veth2 $G11 $G21 count 5
send veth1 $G11 $NOBODY count 5
expect veth2 $G11 $NOBODY count 5
expect veth3 $G11 $NOBODY count 5
PLAN
set_attribute veth2 max_macs 1
uncounted_exchange <<<"send veth2 $G22 $G11"
expect_attribute veth2 statistics/dropped_closed 1
# One that was silent for the ageing time is reached.
maclearn entry flush dev veth2
ip link set dev veth2 type bridge_slave fdb_flush
uncounted_exchange <<PLAN
send veth1 $G11 $G21 count 5
expect veth2 $G11 $G21 count 5
expect veth3 $G11 $G21 count 5
PLAN
# The file gives the same to those that come later.
sed -n '/^\[\[port\]\]$/,/^on_failure/p' ../../Documentation/container-hosts.md >"$LAB/containers.toml"
ip link set dev veth2 nomaster
ip link set dev veth2 master cni0
wait_for_ports veth2
maclearn apply "$LAB/containers.toml"
[[ $(maclearn port show dev veth2) == "veth2 master cni0 enabled on learning on unknown_unicast flood on_failure closed \
max_macs 8 "* ]] || fail "$(maclearn port show dev veth2)"

# ---- it is a hub
example "A bridge that is a hub"
uncounted_exchange <<<"hello veth2 $G21"
example "A bridge that is a hub"
exchange <<PLAN
send veth1 $G11 $G21 count 5
expect veth2 $G11 $G21 count 5
expect veth3 $G11 $G21 count 5
PLAN

# ---- the host sees every frame, though no copy is made of any
example "A bridge that is promiscuous"
for port in veth1 veth2 veth3; do maclearn statistics reset dev $port; done
exchange <<PLAN
send veth1 $G11 $G21 count 20
expect veth2 $G11 $G21 count 20
PLAN
example "A bridge that is promiscuous"
received
before=$REPLY
ip link set dev cni0 promisc off
exchange <<PLAN
send veth1 $G11 $G21 count 20
expect veth2 $G11 $G21 count 20
PLAN
received
((REPLY == before)) || fail "the host has seen $((REPLY - before)) frames, and the bridge is not promiscuous"

# ---- a hairpin port gets back what is for its own, as without maclearn, and nothing else
bridge link set dev veth1 hairpin on
disable veth1 veth2 veth3
uncounted_exchange <<PLAN
send veth1 $G11 $G21 count 3
expect veth1 $G11 $G21 count 3
expect veth2 $G11 $G21 count 3
expect veth3 $G11 $G21 count 3
PLAN
enable veth1 veth2 veth3
uncounted_exchange <<PLAN
hello veth1 $G11
hello veth1 $G12
hello veth2 $G21
PLAN
for offload in off auto; do
    maclearn bridge set dev cni0 fdb_offload $offload
    if [[ $offload == auto ]]; then wait_until 20 attribute_is cni0 n_offloaded 3; fi
    uncounted_exchange <<PLAN
send veth1 $G11 $G12 count 3
expect veth1 $G11 $G12 count 3
send veth1 $G11 $G21 count 3
expect veth2 $G11 $G21 count 3
PLAN
done
bridge link set dev veth1 hairpin off
uncounted_exchange <<<"send veth1 $G11 $G12 count 3"
example "Hairpin ports"
no_more_examples
