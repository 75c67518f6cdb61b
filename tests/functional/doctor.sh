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

# with_file TEXT COMMAND...: where /etc/maclearn.toml says that
with_file() {
    mkdir -p "$LAB/etc"
    echo "$1" >"$LAB/etc/maclearn.toml"
    # shellcheck disable=SC2016 # expanded there
    unshare --mount --propagation private "$BASH" -euc 'mount --bind "$LAB/etc" /etc; "$@"' bash "${@:2}"
}

# bad_file: the doctor tells where it is wrong, and what it says shows the same
bad_file() {
    with_file $'[[port]]\nname = "*"\ncolour = "blue"' maclearn -j doctor >"$LAB/doctor"
    jq -e '.[] | select(.what | startswith("/etc/maclearn.toml line 3: colour is no setting: ")).weight == "problem"' \
        "$LAB/doctor" >"$LAB/found" || fail "$(<"$LAB/doctor")"
    with_file "[port" maclearn doctor | grep "^problem /etc/maclearn.toml line 1: " >"$LAB/found" ||
        fail "$(with_file "[port" maclearn doctor)"
    with_file "" maclearn doctor >"$LAB/doctor"
    ! grep maclearn.toml "$LAB/doctor" || fail "nothing is wrong there"
}

# pass_iptables 0|1: whether packets between ports do
pass_iptables() {
    local what
    for what in ip ip6 arp; do echo "$1" >/proc/sys/net/bridge/bridge-nf-call-${what}tables; done
}

# What another script has loaded begins with that.
[[ ! -e /proc/sys/net/bridge ]] || pass_iptables 0
make_hub host1 host2 host3

# ---- a module that the kernel did not take
finds problem "the module is not loaded"
echo "Loading of unsigned module is rejected" >/dev/kmsg
finds problem "the kernel's log says of a module: Loading of unsigned module is rejected"
bad_file

# ---- a kernel that there is no module for
# on RELEASE COMMAND...: where the kernel is of that release; one of 7.2.1 has the module
on() {
    echo "$1" >"$LAB/release"
    # shellcheck disable=SC2016 # expanded there
    unshare --mount --propagation private "$BASH" -euc '
        mount --bind "$LAB/modules" /lib/modules
        mount --bind "$LAB/sources" /usr/src
        mount --bind "$LAB/release" /proc/sys/kernel/osrelease
        "$@"' bash "${@:2}"
}
# told RELEASE WORDS HELPS: a problem with these words is found there, and that helps
told() {
    on "$1" maclearn -j doctor >"$LAB/doctor"
    jq -e --arg words "$2" --arg helps "$3" \
        '.[0] | .weight == "problem" and (.what | contains($words)) and (.helps // "") == $helps' \
        "$LAB/doctor" >"$LAB/found" || fail "on $1: $(<"$LAB/doctor")"
}
mkdir -p "$LAB"/modules/{7.2.1,7.3.4} "$LAB/sources"
told 7.3.4 "there is no module for this kernel, 7.3.4" \
    "make deb KERNELS=7.3.4; apt install ./maclearn-modules-7.3.4_*.deb"
told 7.4.1 "this kernel, 7.4.1, is not supported yet: the module is for Linux 6.12, 7.2, 7.3" \
    "apt list 'linux-image-6.12.*' 'linux-image-7.2.*' 'linux-image-7.3.*'"
echo "updates/maclearn.ko.xz:" >"$LAB/modules/7.2.1/modules.dep"
told 7.3.4 "Or boot a kernel that has one: 7.2.1" "make deb KERNELS=7.3.4; apt install ./maclearn-modules-7.3.4_*.deb"
mkdir "$LAB/sources/maclearn-1.2"
told 7.3.4 "the module was not built for this kernel, 7.3.4. Or boot a kernel that has one: 7.2.1" \
    "apt install linux-headers-7.3.4; dkms install maclearn/1.2 -k 7.3.4"
told 7.4.1 "Boot one of these, such as one that has it: 7.2.1" ""
told 7.2.1 "the module is not loaded" "modprobe maclearn"

load_module

# ---- the file of the service
bad_file

# ---- ports that are left out, and all is well
# A bridge that learns makes no copies to be spared, unless it learns at no port; nor does one with
# two ports.
finds problem "no port of br is enabled"
ip link set dev br type bridge ageing_time 30000
fails says "no port of br"
maclearn | grep "^br .* copies made of what the bridge has not learned by itself, none is enabled$" >"$LAB/found" ||
    fail "$(maclearn)"
for port in host1 host2 host3; do bridge link set dev "$port" learning off; done
finds problem "no port of br is enabled"
for port in host1 host2 host3; do bridge link set dev "$port" learning on; done
ip link set dev br type bridge ageing_time 0
ip link set dev host3 nomaster
fails says "no port of br"
ip link set dev host3 master br
wait_for_ports host3
# What is pasted does not blind a sniffer, wherever that is: the first port may be its.
helps "no port of br is enabled"
[[ $REPLY == "maclearn port set dev PORT enabled on" ]] || fail "$REPLY"
eval "${REPLY/PORT/host3}"
fails says "no port of br"
finds hint "br makes copies that are then suppressed, since these ports are not enabled: host1, host2"
fails helps "br makes copies"
enable host2
finds hint "br makes copies that are then suppressed, since these ports are not enabled: host1"
fails helps "br makes copies"
uncounted_exchange <<<"hello host1 $G11"
heals hint "br makes copies that are then suppressed, since these ports are not enabled: host1"
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
finds hint "what is behind host2 is not offloaded to br, since host2 has neigh_suppress"
bridge link set dev host2 neigh_suppress off
bridge link set dev host2 flood off
heals hint "host2 gets only what the fdb of br forwards there"
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
eval "$REPLY" | grep "mst_enabled 1" >"$LAB/found" || fail "$REPLY"
maclearn | grep "^br .* copies made for every port, mst_enabled$" >"$LAB/found" || fail "$(maclearn)"
maclearn why $G21 br br vlan 1 | grep "host3 gets copy since the bridge has mst_enabled" >"$LAB/found" ||
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
exchange <<<"hello host3 $G31"

# ---- firewalls: one that lets everything pass, wherever frames come by
accepts() {
    nft -f - <<EOF
table bridge mine {
    map kinds {
        type ether_type : verdict
        elements = { arp : accept, ip : jump checks }
    }
    chain checks {
        ether daddr $NOBODY counter accept
        limit rate 5/second log return
    }
    chain unused {
        drop
    }
    chain prerouting {
        type filter hook prerouting priority 0
        ether type vmap @kinds
    }
    chain input {
        type filter hook input priority 0
        ether type vmap { ip6 : goto checks }
    }
    chain forward {
        type filter hook forward priority 0; policy accept
        iifname host1 jump { ether daddr { $G11, $G21 } accept; }
    }
    chain output {
        type filter hook output priority 0
    }
    chain postrouting {
        type filter hook postrouting priority 0
    }
}
table netdev mine {
    chain ingress {
        type filter hook ingress devices = { host1, host2 } priority 0
        ether type { ip, arp } accept
    }
    chain egress {
        type filter hook egress devices = { host2, br } priority 0
    }
    chain other {
        type filter hook ingress device lo priority 0; policy drop
    }
}
table inet mine {
    chain ingress {
        type filter hook ingress device host3 priority 0
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
}
accepts
[[ $(maclearn doctor) == "Nothing was found." ]] || fail "$(maclearn doctor)"
# Who drops at one of the places, and what is said of that
while read -r family table name where; do
    chain="$family $table $name"
    nft add rule "$chain" ether daddr $NOBODY drop
    finds hint "the chain $chain drops some frames $where"
    helps "the chain $chain"
    eval "$REPLY" >"$LAB/chain"
    grep -q drop "$LAB/chain" || fail "$REPLY: $(<"$LAB/chain")"
    nft flush chain "$chain"
    fails says "the chain"
done <<EOF
bridge mine prerouting that enter a bridge
bridge mine input for this host
bridge mine forward between ports
bridge mine output from this host
bridge mine postrouting that leave a bridge
netdev mine ingress that come in at host1, host2
netdev mine egress that leave through br, host2
inet mine ingress that come in at host3
EOF
nft add chain bridge mine forward '{ policy drop; }'
finds hint "the chain bridge mine forward drops frames between ports, but for what a rule accepts"
# Who may not ask is told so.
setpriv --reuid 65534 --clear-groups maclearn doctor >"$LAB/doctor"
grep -qx "hint what firewalls drop was not looked at: only root may" "$LAB/doctor" || fail "$(<"$LAB/doctor")"
! grep chain "$LAB/doctor" || fail "it was looked at"
nft add table bridge mine '{ flags dormant; }'
fails says "the chain"
nft delete table bridge mine
nft delete table netdev mine
nft delete table inet mine
nft delete table ip filter

# ---- what drops is found behind maps, and what is not followed is said
accepts
nft add element bridge mine kinds '{ ip6 : drop }'
finds hint "the chain bridge mine prerouting drops some frames that enter a bridge"
nft delete element bridge mine kinds '{ ip6 }'
fails says "the chain"
nft add rule bridge mine forward ether type vmap '{ ip6 : goto unused }'
finds hint "the chain bridge mine forward drops some frames between ports"
nft flush chain bridge mine forward
nft add rule bridge mine checks queue num 5
finds hint "what the chain bridge mine prerouting does with frames that enter a bridge is not known: queue in checks"
helps "what the chain bridge mine prerouting"
eval "$REPLY" | grep "queue to 5" >"$LAB/found" || fail "$REPLY"
nft delete table bridge mine
fails says "the chain"

# ---- of the older tables those are asked for that are there: none is made
# has_table FUNCTION: one of ebtables is there, whose hook this is
has_table() {
    nft list hooks bridge | grep "$1" >"$LAB/found"
}
fails has_table ebt_
ebtables-legacy -t filter -A FORWARD -d $NOBODY -j mark --mark-set 1 --mark-target DROP
finds hint "the chain ebtables-legacy filter FORWARD drops some frames between ports"
# One that fails
printf '%s\n' '#!/bin/bash' 'echo "no rules today" >&2; exit 3' >"$LAB/bin/ebtables-legacy"
chmod +x "$LAB/bin/ebtables-legacy"
PATH=$LAB/bin:$PATH finds hint "what the table ebtables-legacy filter does with frames of all bridges is not known: \
ebtables-legacy: exit status: 3, no rules today"
rm "$LAB/bin/ebtables-legacy"
ebtables-legacy -t filter -F
fails says ebtables
fails has_table ebt_broute
# What leaves a bridge that way goes on as if its port were none.
nft add table bridge mine
nft add chain bridge mine prerouting '{ type filter hook prerouting priority 0; }'
nft add rule bridge mine prerouting ether daddr $NOBODY meta broute set 1
finds hint "what the chain bridge mine prerouting does with frames that enter a bridge is not known: meta broute"
nft delete table bridge mine
fails says "the chain"

[[ -e /proc/sys/net/bridge ]] || modprobe br_netfilter
pass_iptables 1
# It may be the guests' firewall: it is shown, and stays as it is.
finds hint "ports of br pass iptables (bridge-nf-call-iptables), and the chain ip filter forward drops them, but for what"
helps "pass iptables"
eval "$REPLY" >"$LAB/rules" || fail "$REPLY"
grep -q "policy drop" "$LAB/rules"
[[ $(cat /proc/sys/net/bridge/bridge-nf-call-{ip,ip6,arp}tables | xargs) == "1 1 1" ]] || fail "a firewall was disarmed"
echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
echo 0 >/proc/sys/net/bridge/bridge-nf-call-ip6tables
fails says "pass iptables"
# One bridge with it says nothing of another, and IPv6 nothing of IPv4.
ip link set dev br type bridge nf_call_ip6tables 1
ip link add other type bridge nf_call_iptables 1
fails says "pass iptables"
ip link del other
ip link set dev br type bridge nf_call_ip6tables 0 nf_call_iptables 1
finds hint "the chain ip filter forward drops them"
nft delete table ip filter
fails says "pass iptables"
nft add table ip mine
nft add chain ip mine prerouting '{ type filter hook prerouting priority raw; policy drop; }'
finds hint "the chain ip mine prerouting drops them"
