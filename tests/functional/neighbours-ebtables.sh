#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Together with ebtables, old and new, and with a bridge firewall that translates MACs: what is
# dropped before the bridge has it is not learned, what is rewritten there is learned as rewritten.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3 sniffer
load_module
enable host1 host2 host3

for ebtables in ebtables-nft ebtables-legacy; do
    if ! $ebtables -t broute -L >"$LAB/tables"; then
        [[ $ebtables == ebtables-legacy ]] || fail "see above"
        echo "no $ebtables in this kernel"
        continue
    fi
    greet

    # ---- the nat table: before the bridge has a frame, and after its copy was filtered
    $ebtables -t nat -A PREROUTING -s $G12 -j DROP
    $ebtables -t nat -A POSTROUTING -o host2 -s $G13 -j DROP
    uncounted_exchange <<PLAN
$ONLY_OWNERS_GET
send host1 $G12 $G21 count 5
PLAN
    expect_attribute host1 n_macs 1
    uncounted_exchange <<PLAN
send host1 $G13 $G21 count 5
expect sniffer $G13 $G21 count 5
PLAN
    expect_attribute host1 n_macs 2
    $ebtables -t nat -F

    # ---- the filter table: what it forbids is forbidden for the owner, and it sees only copies
    # that survive
    $ebtables -A FORWARD -o host3 -d $G21 -j ACCEPT
    $ebtables -A FORWARD -o host2 -s $G13 -j DROP
    uncounted_exchange <<PLAN
$ONLY_OWNERS_GET
send host1 $G13 $G21 count 5
expect sniffer $G13 $G21 count 5
PLAN
    counters=$($ebtables -L FORWARD --Lc)
    [[ $counters =~ ACCEPT\ ,\ pcnt\ =\ ([0-9]+) ]]
    ((BASH_REMATCH[1] == 0)) || fail "$ebtables saw ${BASH_REMATCH[1]} copies that were suppressed"
    $ebtables -F FORWARD

    # ---- broute: what is routed is not bridged and not learned, so that nobody owns its source.
    $ebtables -t broute -A BROUTING -i host1 -s $G12 -j DROP
    uncounted_exchange <<PLAN
send host1 $G12 $G21 count 5
$ONLY_OWNERS_GET
send host2 $G21 $G12 count 5
expect host1 $G21 $G12 count 5
expect host3 $G21 $G12 count 5
expect sniffer $G21 $G12 count 5
PLAN
    $ebtables -t broute -F
done

# ---- MAC translation: host2 knows all of host1's guests by one address, and what it sends there is
# for G11.
greet
nft -f - <<EOF
table bridge translation {
    chain prerouting {
        type filter hook prerouting priority -300
        iifname host2 ether daddr $G41 ether daddr set $G11
        iifname host3 ether saddr $G32 ether saddr set $G42
    }
    chain postrouting {
        type filter hook postrouting priority 300
        oifname host2 ether saddr $G11 ether saddr set $G41
    }
}
EOF
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 5
expect host2 $G41 $G21 count 5
expect sniffer $G11 $G21 count 5
send host2 $G21 $G41 count 5
expect host1 $G21 $G11 count 5
expect sniffer $G21 $G11 count 5
send host3 $G32 $G21 count 5
expect host2 $G42 $G21 count 5
expect sniffer $G42 $G21 count 5
PLAN
exchange <<PLAN
send host1 $G12 $G42 count 5
expect host3 $G12 $G42 count 5
expect sniffer $G12 $G42 count 5
PLAN
expect_attribute host3 n_macs 2
