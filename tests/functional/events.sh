#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Events: each kind once, in order; a storm is bounded and says how many were left out; nothing is
# told to another namespace.

source "${BASH_SOURCE%/*}/lib.sh"

# expect_events FILE <<LINES: these have happened since the last call, and nothing else
declare -A SEEN=()
expect_events() {
    local file=$1 wanted
    wanted=$(cat)
    wait_until 20 has_lines "$file" $((${SEEN[$file]:-0} + $(wc -l <<<"$wanted")))
    tail -n +$((${SEEN[$file]:-0} + 1)) "$file" >"$LAB/happened"
    echo "$wanted" >"$LAB/wanted"
    diff -u "$LAB/wanted" "$LAB/happened" || fail "other events than expected: see above"
    SEEN[$file]=$((${SEEN[$file]:-0} + $(wc -l <"$LAB/happened")))
}

has_lines() {
    (($(wc -l <"$1") >= $2))
}

make_hub host1 host2
load_module
# What joins later, for the listener to know its name.
links - <<<"link add name late up type dummy"
listen "$LAB/here"
add_namespaces elsewhere
links elsewhere <<EOF
link add name far up type bridge
link add name near up master far type dummy
EOF
listen "$LAB/there" ip netns exec elsewhere

# ---- settings
enable host1
set_attribute host1 max_macs 2
set_attribute host1 max_macs 2
set_attribute br exclusive 0
expect_events "$LAB/here" <<EOF
enabled host1
port-changed host1
port-changed host1
bridge-changed br
EOF

# ---- MACs: learned, seen at another port, too many, room again
exchange <<<"hello host1 $G11"
exchange <<<"hello host2 $G11"
exchange <<<"hello host1 $G12"
exchange <<<"hello host1 $G13"
exchange <<<"hello host1 $G13"
expect_events "$LAB/here" <<EOF
learned host1 $G11 0
moved-in host2 $G11 0
learned host1 $G12 0
limit-reached host1 $G13 0
failing-open host1
EOF
set_attribute host1 max_macs 100000
expect_events "$LAB/here" <<EOF
port-changed host1
learned host1 $G13 0
recovered host1
EOF
set_attribute host2 flush 1
expect_events "$LAB/here" <<<"deleted host2 $G11 0"

# ---- by request
python3 - "$G21" <<'PYTHON' || fail "see above"
import sys

from family import connect, indices

entry = {"port": indices()["host2"], "mac": sys.argv[1]}
connect().do("entry-new", {**entry, "static": 1})
connect().do("entry-del", entry)
PYTHON
expect_events "$LAB/here" <<EOF
added host2 $G21 0
deleted host2 $G21 0
EOF

# ---- ageing
set_attribute br ageing_time 1
wait_until 20 attribute_is host1 n_macs 0
set_attribute br ageing_time 300
wait_until 20 has_lines "$LAB/here" $((SEEN[$LAB/here] + 5))
tail -n +$((SEEN[$LAB/here] + 1)) "$LAB/here" | sort >"$LAB/happened"
printf '%s\n' "aged host1 $G11 0" "aged host1 $G12 0" "aged host1 $G13 0" "bridge-changed br" "bridge-changed br" >"$LAB/wanted"
diff -u "$LAB/wanted" "$LAB/happened" || fail "other events than expected: see above"
SEEN[$LAB/here]=$((SEEN[$LAB/here] + 5))

# ---- a storm: no more messages than there is room for, and the number of those left out
readonly STORM=8000
set_attribute br max_macs 0
expect_events "$LAB/here" <<<"bridge-changed br"
# What comes while the table grows may be learned from a later frame.
all_are_learned() {
    uncounted_exchange <<<"hello host1 02:00:00:01:00:00+$STORM"
    attribute_is host1 n_macs $STORM
}
wait_until 60 all_are_learned
# told KIND: how many of this kind were told of since the last check, or left out, is in REPLY then
told() {
    REPLY=$(tail -n +$((SEEN[$LAB/here] + 1)) "$LAB/here" |
        awk -v kind="$1" '$1 == kind { sum++ } $1 == "lost" { sum += $3 } END { print sum + 0 }')
}
told_all() {
    told "$1"
    ((REPLY == STORM))
}
wait_until 20 told_all learned
SEEN[$LAB/here]=$(wc -l <"$LAB/here")
set_attribute host1 flush 1
wait_until 20 told_all deleted
tail -n +$((SEEN[$LAB/here] + 1)) "$LAB/here" >"$LAB/happened"
grep -q '^lost br [1-9]' "$LAB/happened" || fail "nothing was left out of $STORM at once"
(($(wc -l <"$LAB/happened") < STORM / 2)) || fail "$(wc -l <"$LAB/happened") messages in a storm"
SEEN[$LAB/here]=$(wc -l <"$LAB/here")

# ---- a port that joins enabled, and leaves
set_attribute br auto_enable 1
links - <<<"link set dev late master br"
netlink_client fill late 1 >"$LAB/filled"
expect_events "$LAB/here" <<EOF
bridge-changed br
port-joined late
enabled late
added late 02:01:00:00:00:00 0
EOF
links - <<<"link set dev late nomaster"
# Which comes first is up to the machine: that the port can't receive may be noted before it has
# left.
has_left() {
    [[ $(tail -n +$((SEEN[$LAB/here] + 1)) "$LAB/here" | sort) == \
        "deleted late 02:01:00:00:00:00 0"$'\n'"disabled late"$'\n'"port-left late" ]]
}
wait_until 20 has_left
SEEN[$LAB/here]=$(wc -l <"$LAB/here")

# ---- ports that join and leave are told by the name that they have then, also where the device
# goes
set_attribute br auto_enable 0
links - <<EOF
link set dev late master br
link set dev late name later
link set dev later nomaster
link set dev later master br
link del dev later
EOF
expect_events "$LAB/here" <<EOF
bridge-changed br
port-joined late
port-left later
port-joined later
port-left later
EOF
# ... or goes to another namespace, or that of its peer dies
add_namespaces doomed
links doomed <<EOF
link add name far up type bridge
link add name near up master far type dummy
EOF
links - <<EOF
link add name moved master br type dummy
link add name peered master br type veth peer name peer netns doomed
link set dev moved netns doomed
netns del doomed
EOF
expect_events "$LAB/here" <<EOF
port-joined moved
port-joined peered
port-left moved
port-left peered
EOF

# ---- what a port owned before is not told as forgotten at the port that the device is by now: the
# second to leave waits for its turn
links - <<EOF
link add name first master br type dummy
link add name again master br type dummy
EOF
enable first again
maclearn entry add $G11 dev first dynamic
maclearn entry add $G21 dev again dynamic
links - <<EOF
link set dev first nomaster
link set dev again nomaster
link set dev again master br
EOF
heard() {
    tail -n +$((SEEN[$LAB/here] + 1)) "$LAB/here"
}
has_forgotten_both() {
    (($(heard | grep -c "^deleted ") == 2))
}
wait_until 20 has_forgotten_both
all=$(heard)
[[ $all == *"port-left again"*"port-joined again"* ]]
# The listener has no names for these two.
[[ ${all##*port-joined again} != *"deleted None"* ]] || fail "told as forgotten where it is a port anew: $all"
links - <<EOF
link del dev first
link del dev again
EOF
has_left_again() {
    [[ $(heard) == *"port-joined again"*"port-left again" ]]
}
wait_until 20 has_left_again
SEEN[$LAB/here]=$(wc -l <"$LAB/here")

# ---- elsewhere: only what happens there
[[ ! -s $LAB/there ]] || fail "told in another namespace: $(<"$LAB/there")"
ip netns exec elsewhere "$BASH" -c 'mount -t sysfs sysfs /sys && echo 1 >/sys/class/net/near/maclearn/enabled'
expect_events "$LAB/there" <<<"enabled near"
links elsewhere <<<"link del dev far"
expect_events "$LAB/there" <<EOF
disabled near
port-left near
EOF
disable host1
expect_events "$LAB/here" <<<"disabled host1"
