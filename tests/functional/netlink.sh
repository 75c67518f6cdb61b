#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The generic netlink family, driven by the kernel's own client (tools/net/ynl): what it says, what
# it changes, and what it refuses and why.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2 host3
links - <<EOF
link add name other up type bridge
link add name vlans up type bridge vlan_filtering 1
link add name trunk up master vlans type dummy
EOF
# What is offloaded changes by itself.
PARAMETERS=(fdb_offload=0)
load_module
enable host1 host2
exchange <<PLAN
hello host1 $G11+100
hello host2 $G21
send host1 $G11 $G21 count 3
expect host2 $G11 $G21 count 3
expect host3 $G11 $G21 count 3
PLAN

python3 - <<'PYTHON' || fail "see above"
import os
import socket
import sys

from family import NlError, connect, indices

G11, G21 = "02:00:00:00:01:01", "02:00:00:00:02:01"

ynl = connect()
index = indices()
failures = []


def check(what, found, wanted):
    if found != wanted:
        failures.append(f"{what}: {found!r}, not {wanted!r}")


def refused(what, operation, request, error, message=None, attribute=None):
    """The operation fails with this error, this text and this attribute, and changes nothing."""
    before = state()
    try:
        ynl.do(operation, request)
        failures.append(f"{what}: accepted")
    except NlError as refusal:
        check(what, os.strerror(-refusal.nl_msg.error), os.strerror(error))
        extack = refusal.nl_msg.extack or {}
        if message is not None:
            check(f"{what}, message", extack.get("msg"), message)
        if attribute is not None:
            check(f"{what}, attribute", extack.get("bad-attr", extack.get("miss-type")), attribute)
    check(f"{what}, afterwards", state(), before)


def state():
    entries = [{**entry, "age": 0} for entry in ynl.dump("entry-get", {})]
    return ynl.dump("port-get", {}), ynl.dump("bridge-get", {}), sorted(entries, key=str)


def entries(**wanted):
    return {(entry["mac"], entry["port"]) for entry in ynl.dump("entry-get", wanted)}


EINVAL, ENODEV, ENOENT, EPERM, ENOSPC, ERANGE = 22, 19, 2, 1, 28, 34
br, host1, host2, host3 = (index[name] for name in ("br", "host1", "host2", "host3"))

# Ports.
check("all ports", [port["ifindex"] for port in ynl.dump("port-get", {})],
      sorted([host1, host2, host3, index["trunk"]]))
check("a bridge's ports", len(ynl.dump("port-get", {"bridge": br})), 3)
check("a bridge without ports", ynl.dump("port-get", {"bridge": index["other"]}), [])
check("a port", ynl.do("port-get", {"ifindex": host3}), {
    "ifindex": host3, "bridge": br, "enabled": 0, "learning": 1, "unknown-unicast": "flood",
    "on-failure": "open", "max-macs": 4096, "n-macs": 0, "failing-open": 0, "limit-reached": 0})
check("its MACs", ynl.do("port-get", {"ifindex": host1})["n-macs"], 100)
ynl.do("port-set", {"ifindex": host3, "enabled": 1, "learning": 0, "unknown-unicast": "suppress",
                    "on-failure": "closed", "max-macs": 7})
check("a port that was set", ynl.do("port-get", {"ifindex": host3}), {
    "ifindex": host3, "bridge": br, "enabled": 1, "learning": 0, "unknown-unicast": "suppress",
    "on-failure": "closed", "max-macs": 7, "n-macs": 0, "failing-open": 0, "limit-reached": 0})
with open("/sys/class/net/host3/maclearn/unknown_unicast", encoding="ascii") as file:
    check("the same in sysfs", file.read(), "suppress\n")
ynl.do("port-set", {"ifindex": host3, "max-macs": 8})
check("one setting", ynl.do("port-get", {"ifindex": host3})["unknown-unicast"], "suppress")

refused("no port", "port-set", {"ifindex": index["lo"], "enabled": 1}, ENODEV, "no such port of a bridge", ".ifindex")
refused("no index", "port-set", {"enabled": 1}, EINVAL, attribute="ifindex")
refused("a switch of 2", "port-set", {"ifindex": host1, "max-macs": 1, "enabled": 2}, ERANGE, attribute=".enabled")
refused("too many MACs", "port-set", {"ifindex": host1, "max-macs": 2**20 + 1}, ERANGE, attribute=".max-macs")
refused("a read-only attribute", "port-set", {"ifindex": host1, "n-macs": 1}, EINVAL)

# Bridges.
check("bridges", [bridge["ifindex"] for bridge in ynl.dump("bridge-get", {})], sorted([br, index["other"], index["vlans"]]))
ynl.do("bridge-set", {"ifindex": br, "ageing-time": 1000, "exclusive": 1, "auto-enable": 1, "max-macs": 1000})
bridge = ynl.do("bridge-get", {"ifindex": br})
check("its memory", bridge.pop("memory") > 64, True)
check("a bridge that was set", bridge, {
    "ifindex": br, "auto-enable": 1, "ageing-time": 1000, "exclusive": 1, "max-macs": 1000, "n-macs": 101,
    "fdb-offload": "off", "n-offloaded": 0, "ageing": "own",
    "default-learning": 1, "default-unknown-unicast": "flood", "default-on-failure": "open", "default-max-macs": 4096})
ynl.do("bridge-set", {"ifindex": br, "exclusive": 0, "ageing": "bridge"})
check("whose ageing time it is", ynl.do("bridge-get", {"ifindex": br})["ageing"], "bridge")
refused("no bridge", "bridge-set", {"ifindex": host1, "exclusive": 1}, ENODEV, "no such bridge", ".ifindex")
refused("an ageing time too long", "bridge-set", {"ifindex": br, "ageing-time": 1000001}, ERANGE,
        attribute=".ageing-time")

# Entries.
check("all entries", len(entries()), 101)
check("a port's entries", entries(port=host2), {(G21, host2)})
check("a MAC's entries", entries(mac=G11), {(G11, host1)})
check("a VLAN's entries", entries(bridge=br, vlan=7), set())
check("an age", 0 <= ynl.dump("entry-get", {"mac": G11})[0]["age"] < 600000, True)
ynl.do("entry-new", {"port": host2, "mac": G11, "static": 1})
check("two owners", entries(mac=G11), {(G11, host1), (G11, host2)})
check("configured entries", entries(static=1), {(G11, host2)})
ynl.do("entry-new", {"port": host2, "mac": "02:00:00:00:02:77", "age": 90000})
check("an entry with an age", 80000 < ynl.dump("entry-get", {"mac": "02:00:00:00:02:77"})[0]["age"] < 120000, True)
ynl.do("entry-flush", {"port": host2})
check("after a flush", entries(port=host2), {(G11, host2)})
ynl.do("entry-del", {"port": host2, "mac": G11})
check("after deleting", entries(port=host2), set())
ynl.do("entry-flush", {"bridge": br, "mac": G11})
check("after flushing one", len(entries()), 99)

refused("a group address", "entry-new", {"port": host1, "mac": "03:00:00:00:00:01"}, EINVAL,
        "not the address of a station", ".mac")
refused("no address", "entry-new", {"port": host1, "mac": "00:00:00:00:00:00"}, EINVAL,
        "not the address of a station", ".mac")
refused("a MAC too short", "entry-new", {"port": host1, "mac": "02:00:00:00:01"}, ERANGE, attribute=".mac")
refused("a VLAN on a plain bridge", "entry-new", {"port": host1, "mac": G11, "vlan": 5}, EINVAL,
        "the bridge does not filter VLANs, so the entry has none", ".vlan")
refused("a VLAN too high", "entry-new", {"port": host1, "mac": G11, "vlan": 4095}, ERANGE, attribute=".vlan")
refused("an age for good", "entry-new", {"port": host1, "mac": G11, "static": 1, "age": 5}, EINVAL,
        "a configured entry has no age", ".age")
refused("no MAC", "entry-new", {"port": host1}, EINVAL, attribute="mac")
with open("/sys/class/net/host2/address", encoding="ascii") as file:
    refused("the bridge's own address", "entry-new", {"port": host1, "mac": file.read().strip()}, EINVAL,
            "the address is one of the bridge's own")
refused("an entry that is not there", "entry-del", {"port": host1, "mac": G11}, ENOENT,
        "the port does not own that MAC", ".mac")
refused("nothing named to flush", "entry-flush", {}, EINVAL, attribute="bridge")
refused("a port of another bridge", "entry-flush", {"bridge": index["other"], "port": host1}, EINVAL,
        "not a port of that bridge", ".port")
ynl.do("port-set", {"ifindex": host3, "max-macs": 1})
ynl.do("entry-new", {"port": host3, "mac": "02:00:00:00:03:01", "static": 1})
refused("more than the port may", "entry-new", {"port": host3, "mac": "02:00:00:00:03:02"}, ENOSPC,
        "the port owns as many MACs as it may")

ynl.do("bridge-set", {"ifindex": br, "max-macs": 1})
refused("more than the bridge may", "entry-new", {"port": host1, "mac": "02:00:00:00:03:02"}, ENOSPC,
        "the bridge owns as many MACs as it may")
ynl.do("bridge-set", {"ifindex": br, "max-macs": 0})
trunk = index["trunk"]
refused("no VLAN on a bridge that filters them", "entry-new", {"port": trunk, "mac": G11, "static": 1}, EINVAL,
        "the bridge filters VLANs, so the entry needs one")
refused("a learned entry on a bridge without enabled port", "entry-new", {"port": trunk, "mac": G11, "vlan": 5},
        EINVAL, "no port of the bridge is enabled")
ynl.do("entry-new", {"port": trunk, "mac": G11, "vlan": 5, "static": 1})
check("entries of all bridges", {entry["bridge"] for entry in ynl.dump("entry-get", {})}, {br, index["vlans"]})
for what, operation, request, error, message, attribute in (
        ("of another bridge", "entry-get", {"bridge": index["other"], "port": host1}, EINVAL,
         "not a port of that bridge", ".port"),
        ("of no port", "entry-get", {"port": index["lo"]}, ENODEV, "no such port of a bridge", ".port"),
        ("of no bridge", "port-get", {"bridge": host1}, ENODEV, "no such bridge", ".bridge")):
    try:
        ynl.dump(operation, request)
        failures.append(f"a dump {what}: accepted")
    except NlError as refusal:
        extack = refusal.nl_msg.extack or {}
        check(f"a dump {what}", (-refusal.nl_msg.error, extack.get("msg")), (error, message))

# Statistics.
check("statistics", ynl.do("stats-get", {"ifindex": host2})["passed-owned"], 3)
check("statistics of all ports", len(ynl.dump("stats-get", {})), 4)
check("sums", ynl.do("stats-get", {"ifindex": br})["learned"], 101)
ynl.do("stats-reset", {"ifindex": host2})
check("after a reset", ynl.do("stats-get", {"ifindex": host2})["passed-owned"], 0)
check("of one port only", ynl.do("stats-get", {"ifindex": host1})["learned"], 100)
refused("no statistics", "stats-get", {"ifindex": index["lo"]}, ENODEV, "no such bridge or port of a bridge", ".ifindex")

# Without the capability: look, but do not touch.
child = os.fork()
if child == 0:
    os.unshare(os.CLONE_NEWUSER)
    ynl = connect()
    failures.clear()
    for operation, request in (("port-set", {"ifindex": host1, "enabled": 0}),
                               ("bridge-set", {"ifindex": br, "exclusive": 1}),
                               ("entry-new", {"port": host1, "mac": G11, "static": 1}),
                               ("entry-del", {"port": host3, "mac": "02:00:00:00:03:01"}),
                               ("entry-flush", {"bridge": br}),
                               ("stats-reset", {"ifindex": br})):
        refused(f"{operation} without CAP_NET_ADMIN", operation, request, EPERM)
    for line in failures:
        print(line, file=sys.stderr)
    os._exit(bool(failures))
check("without CAP_NET_ADMIN", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

# Another namespace, owned by a user namespace of its own: nothing of this one, all of its own.
child = os.fork()
if child == 0:
    os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
    ynl = connect()
    failures.clear()
    check("another namespace", state(), ([], [], []))
    refused("a port of another namespace", "port-set", {"ifindex": host1, "enabled": 0}, ENODEV)
    for line in failures:
        print(line, file=sys.stderr)
    os._exit(bool(failures))
check("another namespace", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

for line in failures:
    print(line, file=sys.stderr)
sys.exit(bool(failures))
PYTHON
