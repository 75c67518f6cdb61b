#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Root of a user namespace may do everything in a network namespace that this owns, over netlink,
# and sees and reaches nothing of others, whose devices may have the same indices.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2
load_module
enable host1
exchange <<<"hello host1 $G11"

cat >"$LAB/owner" <<'EOF'
set -eu
ip -batch - <<LINKS
link add name br index $1 up type bridge ageing_time 0
link add name inner index $2 up master br type dummy
LINKS
python3 - "$2" <<'PYTHON'
import select
import sys

from family import NlError, connect, indices

ynl, listener = connect(), connect()
listener.ntf_subscribe("events")
br, inner = indices()["br"], indices()["inner"]
assert inner == int(sys.argv[1]), inner
assert [port["ifindex"] for port in ynl.dump("port-get", {})] == [inner]
assert [bridge["ifindex"] for bridge in ynl.dump("bridge-get", {})] == [br]
assert ynl.dump("entry-get", {}) == []
assert ynl.do("port-get", {"ifindex": inner})["enabled"] == 0

entry = {"port": inner, "mac": "02:00:00:00:07:01"}
ynl.do("port-set", {"ifindex": inner, "enabled": 1, "max-macs": 5})
ynl.do("bridge-set", {"ifindex": br, "exclusive": 1, "ageing-time": 77})
ynl.do("entry-new", {**entry, "static": 1})
ynl.do("entry-del", entry)
ynl.do("entry-new", entry)
ynl.do("entry-flush", {"bridge": br})
ynl.do("stats-reset", {"ifindex": inner})
assert ynl.do("port-get", {"ifindex": inner})["max-macs"] == 5
assert ynl.do("bridge-get", {"ifindex": br})["ageing-time"] == 77
assert ynl.dump("entry-get", {}) == []

events = []
while len(events) < 7:
    assert select.select([listener.sock], [], [], 20)[0], events
    listener.check_ntf()
    while not listener.async_msg_queue.empty():
        event = listener.async_msg_queue.get()["msg"]
        assert event["bridge"] == br and event.get("port", inner) == inner, event
        events.append(event["event"])
assert events == ["enabled", "port-changed", "bridge-changed", "added", "deleted", "added", "deleted"], events
PYTHON
EOF
# The same indices as those of the hub.
read -r br <"/sys/class/net/br/ifindex"
read -r host1 <"/sys/class/net/host1/ifindex"
unshare --user --map-root-user --net "$BASH" "$LAB/owner" "$br" "$host1" || fail "see above"

expect_attribute host1 enabled 1
expect_attribute host1 max_macs 4096
expect_attribute host1 n_macs 1
expect_attribute br ageing_time 300
expect_attribute br exclusive 0
