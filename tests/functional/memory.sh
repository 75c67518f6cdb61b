#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Memory is charged to the memory cgroup of whoever made the bridge, whoever sends the frames that
# make its table grow. At that cgroup's limit the port fails open, and nothing is killed.

source "${BASH_SOURCE%/*}/lib.sh"

mkdir "$LAB/cgroups"
mount -t cgroup2 cgroup2 "$LAB/cgroups"
read -r controllers <"$LAB/cgroups/cgroup.controllers"
[[ " $controllers " == *" memory "* ]] || skip "this kernel has no memory cgroups"
echo +memory >"$LAB/cgroups/cgroup.subtree_control"
readonly CGROUP=$LAB/cgroups/maclearn
mkdir "$CGROUP"

# charged: bytes that are charged to the cgroup are in REPLY then
charged() {
    read -r REPLY <"$CGROUP/memory.current"
}

IFS=: read -r _ _ home </proc/self/cgroup
load_module
echo $$ >"$CGROUP/cgroup.procs"
make_hub host1 host2
echo $$ >"$LAB/cgroups$home/cgroup.procs"
set_attribute br ageing_time 0
set_attribute br max_macs 0
set_attribute host1 max_macs 0
enable host1

# ---- the table as it grows
charged
before=$REPLY
readonly MANY=70000
learn() {
    "${FRAMES:-frames}" send hosts:host1 "$1" $BROADCAST
}
owns_many() {
    learn 02:00:00:01:00:00+$MANY
    attribute_is host1 n_macs $MANY
}
wait_until 120 owns_many
get_attribute br memory
table=$REPLY
charged
grown=$((REPLY - before))
((table > 1000000 && grown > table * 3 / 4)) || fail "a table of $table bytes, and $grown more are charged"

# ---- no room in the cgroup: the port fails open, and a request is refused
charged
echo $((REPLY + 500000)) >"$CGROUP/memory.max"
fails_open() {
    learn 02:00:00:10:00:00+$MANY
    attribute_is host1 limit_reached 1
}
wait_until 60 fails_open
expect_attribute host1 failing_open 1
get_attribute br memory
((REPLY < table + 500000)) || fail "the table has grown to $REPLY bytes"
python3 - <<'PYTHON' || fail "see above"
from family import NlError, connect, indices

ynl = connect()
for number in range(1000):
    try:
        ynl.do("entry-new", {"port": indices()["host1"], "mac": f"02:00:00:20:{number >> 8:02x}:{number & 255:02x}"})
    except NlError as refusal:
        assert refusal.nl_msg.error == -12, refusal
        assert refusal.nl_msg.extack["msg"] == "the table can't grow", refusal
        break
else:
    raise SystemExit("all of 1000 entries were made in a full table")
PYTHON
grep -q '^oom_kill 0$' "$CGROUP/memory.events" || fail "something was killed: $(<"$CGROUP/memory.events")"

# ---- room again
echo max >"$CGROUP/memory.max"
wait_until 20 attribute_is host1 limit_reached 0
owns_more() {
    learn 02:00:00:10:00:00+$MANY
    get_attribute host1 n_macs
    ((REPLY >= 2 * MANY))
}
wait_until 120 owns_more
# More sources could not be learned than can be kept, and nothing ages.
expect_attribute host1 failing_open 1
set_attribute host1 flush 1
expect_attribute host1 failing_open 0

# ---- what goes is charged no more
ip link del dev br
is_released() {
    charged
    ((REPLY < before + table / 4))
}
wait_until 20 is_released
