#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Random messages to the generic netlink family: each is answered, none is taken that the
# specification does not allow, and a refused one changes nothing. MESSAGES is how many; SEED
# repeats a run.

source "${BASH_SOURCE%/*}/lib.sh"

# A debug kernel finds what a wrong message does to memory; emulation is slow.
if [[ -z ${MESSAGES:-} ]]; then
    case $(uname -r) in
    *-debug) MESSAGES=300000 ;;
    *-uml) MESSAGES=200000 ;;
    *) MESSAGES=20000 ;;
    esac
fi

links - <<EOF
link add name plain up type bridge ageing_time 0
link add name vlans up type bridge ageing_time 0 vlan_filtering 1
link add name empty up type bridge
EOF
for bridge in plain vlans; do
    for port in 1 2 3; do echo "link add name $bridge$port up master $bridge type dummy"; done
done | links -
load_module
# Many messages start or stop filtering, which waits for the hooks that run.
echo 1 >/sys/kernel/rcu_expedited
netlink_client fuzz --messages "$MESSAGES" ${SEED:+--seed "$SEED"} || fail "see above"
