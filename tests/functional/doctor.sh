#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# maclearn doctor: each trap is found where it is one, and what it says to help does.

source "${BASH_SOURCE%/*}/lib.sh"

# helps WORDS: what helps against what is found with these words is in REPLY; it fails if nothing is
helps() {
    REPLY=$(maclearn -j doctor | jq -r --arg words "$1" '.[] | select(.what | contains($words)).helps // empty')
    [[ $REPLY ]]
}

# says WORDS: something with these words is found
says() {
    [[ $(maclearn doctor) == *"$1"* ]]
}

# finds WEIGHT WORDS: something with these words, of this weight
finds() {
    local found
    maclearn -j doctor >"$LAB/doctor"
    found=$(jq -r --arg words "$2" '.[] | select(.what | contains($words)).weight' "$LAB/doctor")
    [[ $found == "$1" ]] || fail "'$2' was not found, or as no $1: $(<"$LAB/doctor")"
}

# heals WEIGHT WORDS: that is found, and no more after what it says was done
heals() {
    finds "$@"
    helps "$2"
    eval "$REPLY" >"$LAB/helped"
    fails helps "$2"
}

make_hub host1 host2 host3

# ---- a module that the kernel did not take
finds problem "the module is not loaded"
echo "Loading of unsigned module is rejected" >/dev/kmsg
finds problem "the kernel's log says of a module: Loading of unsigned module is rejected"

load_module

# ---- ports that are left out, and all is well
heals problem "no port of br is enabled"
finds hint "br makes copies that are then suppressed, since these ports are not enabled: host2, host3"
enable host2
heals hint "br makes copies that are then suppressed, since these ports are not enabled: host3"
exchange <<PLAN
hello host1 $G11
hello host2 $G21
hello host3 $G31
PLAN
[[ $(maclearn doctor) == "Nothing was found." ]] || fail "$(maclearn doctor)"

# ---- another module than the one that runs
mkdir "$LAB/bin"
# shellcheck disable=SC2016 # expanded there
printf '%s\n' '#!/bin/bash' '[[ $2 == version ]] && echo 99.0' >"$LAB/bin/modinfo"
chmod +x "$LAB/bin/modinfo"
PATH=$LAB/bin:$PATH finds hint "the module that is installed, 99.0, is not the one that runs"
PATH=$LAB/bin:$PATH helps "is not the one that runs"
[[ $REPLY == "maclearn reload" ]]

# ---- settings of maclearn
maclearn bridge set dev br fdb_offload off
heals hint "since fdb_offload is off"
maclearn port set dev host2 learning off
heals hint "since learning is off"
maclearn port set dev host2 unknown_unicast suppress
finds hint "a guest behind host2 that is silent is not reached"
maclearn port set dev host2 unknown_unicast flood max_macs 1
exchange <<<"hello host2 $G22"
finds problem "host2 gets every copy (it fails open), since its max_macs 1 is reached"
helps "host2 gets every copy"
eval "$REPLY"
wait_until 20 fails helps "host2 gets every copy"
maclearn port set dev host2 max_macs 4096

# ---- a MAC that two ports own
exchange <<PLAN
hello host1 $G13
hello host2 $G13
PLAN
finds hint "1 MACs are owned by several ports"
helps "owned by several"
[[ $(eval "$REPLY" | cut -d" " -f3 | sort | xargs) == "host1 host2" ]]
maclearn entry del $G13 dev host1

# ---- an entry of a file that another port has now
maclearn entry add $G13 dev host1
fails says "static entries at several ports"
maclearn entry add $G13 dev host2
finds hint "1 MACs have static entries at several ports, $G13 at host1, host2"
helps "static entries at several ports"
eval "${REPLY/PORT/host1}"
fails says "static entries at several ports"
maclearn entry del $G13 dev host2

# ---- settings of the bridge
bridge link set dev host2 neigh_suppress on
finds hint "br is not given what is behind host2, since it has neigh_suppress"
bridge link set dev host2 neigh_suppress off
bridge link set dev host2 flood off
heals hint "host2 gets only what the fdb of br directs there"
bridge link set dev host2 locked on
heals hint "only what the fdb of br has at host2 can send there"
maclearn bridge set dev br ageing_time 60
ip link set dev br type bridge ageing_time 30000
heals hint "br learns by itself and forgets after 300 s, maclearn after 60 s"
# A bridge that learns knows what is behind such a port.
bridge link set dev host2 flood off
fails helps "since flood is off"
bridge link set dev host2 flood on
ip link set dev br type bridge ageing_time 0

# ---- multiple spanning trees, with which nothing is filtered
for port in host1 host2 host3; do bridge vlan del dev "$port" vid 1; done
bridge vlan del dev br vid 1 self
ip link set dev br type bridge mst_enabled 1
fails says mst_enabled
ip link set dev br type bridge vlan_filtering 1
for port in host1 host2 host3; do bridge vlan add dev "$port" vid 1 pvid untagged; done
finds problem "every port of br gets every copy, since it has mst_enabled and filters VLANs"
helps "mst_enabled"
eval "$REPLY" | grep -q "mst_enabled 1" || fail "$REPLY"
maclearn | grep -q "^br .* copies made for every port, mst_enabled$" || fail "$(maclearn)"
maclearn why $G21 br br vlan 1 | grep -q "host3 gets copy since the bridge has mst_enabled" ||
    fail "$(maclearn why $G21 br br vlan 1)"
for port in host1 host2 host3; do bridge vlan del dev "$port" vid 1; done
ip link set dev br type bridge vlan_filtering 0 mst_enabled 0
for port in host1 host2 host3; do bridge vlan add dev "$port" vid 1 pvid untagged; done
fails says mst_enabled

# ---- a sniffer that misses everything
maclearn entry flush dev host3
maclearn statistics reset dev host3
exchange <<PLAN
hello host1 $G11
hello host2 $G21
PLAN
fails says "nobody has spoken"
maclearn bridge set dev br fdb_offload off
exchange <<PLAN
send host1 $G11 $G21 count 3
expect host2 $G11 $G21 count 3
PLAN
# It has no command: who followed it would be told to enable the port again.
finds hint "nobody has spoken behind host3"
fails helps "nobody has spoken"
maclearn bridge set dev br fdb_offload auto

# ---- firewalls
nft -f - <<EOF
table bridge mine {
    chain drops {
        ether daddr $NOBODY drop
    }
    chain forward {
        type filter hook forward priority 0
    }
    chain input {
        type filter hook input priority 0; policy drop
    }
}
table ip filter {
    chain forward {
        type filter hook forward priority 0; policy drop
    }
}
EOF
fails says "the chain"
nft add rule bridge mine forward jump drops
finds hint "the chain bridge mine forward drops some frames between ports"
helps "the chain bridge mine"
eval "$REPLY" >"$LAB/chain"
grep -q "jump drops" "$LAB/chain"
nft flush chain bridge mine forward
nft add chain bridge mine forward '{ policy drop; }'
finds hint "the chain bridge mine forward drops frames that no rule accepts"
# Who may not ask is told nothing.
[[ $(setpriv --reuid 65534 --clear-groups maclearn doctor) != *chain* ]]
nft delete table bridge mine

[[ -e /proc/sys/net/bridge ]] || modprobe br_netfilter
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
# It may be the guests' firewall: it is shown, and stays as it is.
finds hint "pass iptables (bridge-nf-call-iptables), and the chain ip filter forward drops some"
helps "pass iptables"
eval "$REPLY" >"$LAB/rules" || fail "$REPLY"
grep -q "policy drop" "$LAB/rules"
[[ $(cat /proc/sys/net/bridge/bridge-nf-call-{ip,ip6,arp}tables | xargs) == "1 1 1" ]] || fail "a firewall was disarmed"
echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables
fails says "pass iptables"
ip link set dev br type bridge nf_call_iptables 1
finds hint "the chain ip filter forward drops some"
nft delete table ip filter
fails says "pass iptables"
