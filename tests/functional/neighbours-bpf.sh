#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Together with BPF programs on ports and on the bridge: cls_bpf, tcx and generic XDP. What they
# drop, redirect and mirror before the bridge has it is learned as the bridge sees it, and what a
# program writes into skb->cb makes nobody lose a frame.

source "${BASH_SOURCE%/*}/lib.sh"

readonly BRIDGE=02:00:00:00:00:fe
readonly SELF="port bridge br"

make_hub host1 host2 host3 sniffer
ip link set dev br address $BRIDGE
mkdir "$LAB/bpf"
mount -t bpf bpf "$LAB/bpf"
# index DEVICE
index() {
    read -r REPLY <"/sys/class/net/$1/ifindex"
}
index host2 && host2=$REPLY
index host3 && host3=$REPLY
python3 bpf.py "$LAB/bpf" <<EOF
tc-ok tc ok
tc-drop tc drop
tc-scribble tc scribble
tc-to-host3 tc redirect $host3
tc-as-host2 tc receive $host2
tc-clone-to-host3 tc clone $host3
xdp-pass xdp pass
xdp-drop xdp drop
xdp-return xdp return
xdp-to-host3 xdp redirect $host3
EOF
load_module
enable host1 host2 host3

# attach WHERE PROGRAM DEVICE...
attach() {
    local device
    for device in "${@:3}"; do
        bpftool net attach "$1" pinned "$LAB/bpf/$2" dev "$device"
    done
}

# detach WHERE DEVICE...
detach() {
    local device
    for device in "${@:2}"; do
        bpftool net detach "$1" dev "$device"
    done
}

talk=$(
    cat <<PLAN
$SELF
send host1 $G11 $G21 count 20
expect host2 $G11 $G21 count 20
expect sniffer $G11 $G21 count 20
send host2 $G21 $G31 count 20
expect host3 $G21 $G31 count 20
expect sniffer $G21 $G31 count 20
send host3 $G31 $BRIDGE count 20
expect bridge $G31 $BRIDGE count 20
PLAN
)
# The bridge's own frames: their VLAN is tagged before a program at the bridge's egress has them.
own=$(
    cat <<PLAN
send bridge $BRIDGE $G31 count 20
expect host3 $BRIDGE $G31 count 20
expect sniffer $BRIDGE $G31 count 20
PLAN
)

# ---- programs that look and write everywhere, on a bridge that filters VLANs and on one that does
# not. What is taken for a tag would be of no VLAN that host3 owns anything in, and it gets nothing
# that is unknown.
set_attribute host3 unknown_unicast suppress
for filtering in 0 1; do
    ip link set dev br type bridge vlan_filtering $filtering
    greet
    uncounted_exchange <<<"$talk
$own"
    for device in host1 host2 br; do
        tc qdisc add dev "$device" clsact
        tc filter add dev "$device" ingress bpf direct-action pinned "$LAB/bpf/tc-scribble"
        tc filter add dev "$device" egress bpf direct-action pinned "$LAB/bpf/tc-scribble"
    done
    attach tcx_ingress tc-scribble host1 host2 br
    attach tcx_egress tc-scribble host1 host2 br
    attach xdpgeneric xdp-pass host1 host2 br
    uncounted_exchange <<PLAN
$talk
$own
allow host1 $BRIDGE $G31
allow host2 $BRIDGE $G31
PLAN
    # The bridge's goes first: with it no port's may change.
    detach xdpgeneric br host1 host2
    detach tcx_ingress host1 host2 br
    detach tcx_egress host1 host2 br
    for device in host1 host2 br; do tc qdisc del dev "$device" clsact; done
done
ip link set dev br type bridge vlan_filtering 0
set_attribute host3 unknown_unicast flood

# ---- on its way in: dropped, returned, sent past the bridge, handed to another port, mirrored
# goes_past WHERE PROGRAM PLAN: what host1 sends is not bridged, and not learned there
goes_past() {
    greet
    attach "$1" "$2" host1
    uncounted_exchange <<PLAN
send host1 $G12 $G21 count 5
$3
PLAN
    detach "$1" host1
    expect_attribute host1 n_macs 1
}
goes_past tcx_ingress tc-drop ""
goes_past tcx_ingress tc-to-host3 "expect host3 $G12 $G21 count 5"
goes_past xdpgeneric xdp-drop ""
goes_past xdpgeneric xdp-return "expect host1 $G12 $G21 count 5"
goes_past xdpgeneric xdp-to-host3 "expect host3 $G12 $G21 count 5"
goes_past tcx_ingress tc-as-host2 "expect sniffer $G12 $G21 count 5"
expect_attribute host2 n_macs 2
exchange <<PLAN
send host3 $G31 $G12 count 5
expect host2 $G31 $G12 count 5
expect sniffer $G31 $G12 count 5
PLAN
attach tcx_ingress tc-clone-to-host3 host1
uncounted_exchange <<PLAN
send host1 $G13 $G21 count 5
expect host2 $G13 $G21 count 5
expect host3 $G13 $G21 count 5
expect sniffer $G13 $G21 count 5
PLAN
detach tcx_ingress host1
expect_attribute host1 n_macs 2

# ---- on its way out: what was suppressed never comes to the program
greet
attach tcx_egress tc-clone-to-host3 host2
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
send host1 $G11 $G31 count 5
expect host3 $G11 $G31 count 5
expect sniffer $G11 $G31 count 5
PLAN
detach tcx_egress host2
attach tcx_egress tc-to-host3 host2
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 5
expect host3 $G11 $G21 count 5
expect sniffer $G11 $G21 count 5
PLAN
detach tcx_egress host2

# ---- on the bridge device: what it sends and what it gets
attach tcx_egress tc-to-host3 br
uncounted_exchange <<PLAN
$SELF
send bridge $BRIDGE $G21 count 5
expect host3 $BRIDGE $G21 count 5
PLAN
detach tcx_egress br
attach tcx_ingress tc-clone-to-host3 br
uncounted_exchange <<PLAN
$SELF
send host1 $G11 $BRIDGE count 5
expect bridge $G11 $BRIDGE count 5
expect host3 $G11 $BRIDGE count 5
$own
PLAN
detach tcx_ingress br
attach xdpgeneric xdp-drop br
uncounted_exchange <<PLAN
$SELF
send host3 $G31 $BRIDGE count 5
$own
PLAN
detach xdpgeneric br
