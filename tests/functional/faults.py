# SPDX-License-Identifier: GPL-2.0
"""Does one thing after the other, each again and again, and lets the first, the second, the third
and so on of the allocations fail that the kernel makes for it. What is refused has changed nothing,
and what is not refused is done.

faults.py DEBUGFS MODULE does so with the bridge "br", whose ports "host1" and "host2" are enabled,
and a device "late";
then the module is unloaded, and loaded from that file."""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Callable

from family import NlError, connect, indices, names

# <linux/sockios.h>, <asm/unistd_64.h>
SIOCSIFHWADDR, SIOCBRADDIF, SIOCBRDELIF = 0x8924, 0x89A2, 0x89A3
FINIT_MODULE, DELETE_MODULE = 313, 176

# How often one thing is done at most: of more allocations some are passed over.
MOST = 100
DEVICES = ("ifindex", "bridge", "port")
COUNTS = {"n-macs", "failing-open", "limit-reached", "memory", "n-offloaded"}
NEW_ADDRESS, OLD_ADDRESS = "02:00:00:00:dd:02", "02:00:00:00:dd:01"


class Faults:
    """Lets one allocation of this thread fail."""

    def __init__(self, debugfs):
        for name, value in (("ignore-gfp-wait", "N"), ("verbose", "0")):
            with open(f"{debugfs}/failslab/{name}", "w", encoding="ascii") as file:
                file.write(value)
        self.left = 0
        self.nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

    def run(self, nth, action):
        """Whether the nth allocation was made, and so failed, and the error that `action` ended
        with."""
        error = None
        os.pwrite(self.nth, b"%d" % nth, 0)
        try:
            action()
        except (OSError, NlError) as refusal:
            error = refusal
        self.left = int(os.pread(self.nth, 16, 0))
        os.pwrite(self.nth, b"0", 0)
        return self.left == 0, error

    def count(self, action):
        """Allocations that are made for it, none of which fails."""
        many = 1 << 30
        _, error = self.run(many, action)
        assert not error, error
        return many - self.left


def attribute(device, name):
    with open(f"/sys/class/net/{device}/maclearn/{name}", encoding="ascii") as file:
        return file.read().strip()


def set_attribute(device, name, value):
    # Not buffered: it is written once.
    with open(f"/sys/class/net/{device}/{name}", "wb", buffering=0) as file:
        file.write(value.encode())


def wait_until(condition, what):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def directories():
    """The directory of each device."""
    found = defaultdict(set)
    for device in os.listdir("/sys/class/net"):
        for path, _, files in os.walk(f"/sys/class/net/{device}/maclearn"):
            found[device].add(f"{path}: {sorted(files)}")
    return found


def state():
    """The same, with settings and configured entries."""
    found = directories()
    name_of = names()
    ynl = connect()
    for get, what in (("port-get", {}), ("bridge-get", {}), ("entry-get", {"static": 1})):
        for each in ynl.dump(get, what):
            settings = {kind: value for kind, value in each.items() if kind not in COUNTS}
            settings |= {kind: name_of.get(each[kind]) for kind in DEVICES if kind in each}
            found[settings.get("ifindex", settings.get("port"))].add(f"{get} {settings}")
    return found


@dataclass
class Operation:
    """Something to do, how to undo it, what has to hold when it was done, what to see to before,
    and how to look."""

    name: str
    do: Callable
    undo: Callable = lambda: None
    holds: Callable = lambda: None
    prepare: Callable = lambda: None
    state: Callable = state
    # The kernel does it, and what the module has no memory for is then as if it were not loaded.
    is_kernels: bool = False
    # Where to begin among the allocations.
    begin: float = 0


def dump_whole(what):
    """A dump that does not fail has all."""
    count = len(connect().dump(what, {}))

    def dump():
        found = len(ynl.dump(what, {}))
        assert found == count, f"{found} of {count}"

    ynl = connect()
    return dump


def directs_nothing():
    """The bridge has a port that gets every copy, whether the module knows it or not."""
    until = time.monotonic() + (1.5 if "late" not in directories() else 0)
    while True:
        assert attribute("br", "n_offloaded") == "0", "the bridge forwards frames past a port"
        if time.monotonic() >= until:
            return
        time.sleep(0.02)


def operations(path):
    ynl = connect()
    listener = connect()
    listener.ntf_subscribe("events")
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    index = indices()

    def reconnect():
        """Without answers to what was refused."""
        nonlocal ynl
        ynl = connect()

    def request(what, **values):
        return lambda: ynl.do(what, {name.replace("_", "-"): value for name, value in values.items()})

    def port(command, name):
        return lambda: fcntl.ioctl(control, command, struct.pack("16si20x", b"br", index[name]))

    def address(value):
        octets = bytes.fromhex(value.replace(":", ""))
        return lambda: fcntl.ioctl(control, SIOCSIFHWADDR, struct.pack("16sH6s16x", b"late", 1, octets))

    def is_directed():
        return attribute("br", "n_offloaded") != "0"

    def refusal_of(what):
        """What is said when that is refused for NEW_ADDRESS."""
        try:
            ynl.do(what, {"port": index["host1"], "mac": NEW_ADDRESS})
        except NlError as refusal:
            return refusal.nl_msg.extack["msg"]
        return None

    def is_own():
        own, gone = "the address is one of the bridge's own", "the port does not own that MAC"
        said = refusal_of("entry-new")
        assert said in (None, own), said
        if said is None:
            said = refusal_of("entry-del")
            # What becomes the bridge's own in between is forgotten then, and refused from then on.
            assert said is None or (said == gone and refusal_of("entry-new") == own), said
        return said is not None

    first = index["host1"]
    yield Operation(
        "a port joins",
        port(SIOCBRADDIF, "late"),
        port(SIOCBRDELIF, "late"),
        directs_nothing,
        lambda: wait_until(is_directed, "the bridge to direct frames"),
        is_kernels=True,
    )
    set_attribute("br", "maclearn/auto_enable", "1")
    yield Operation(
        "a port joins and is enabled",
        port(SIOCBRADDIF, "late"),
        port(SIOCBRDELIF, "late"),
        is_kernels=True,
    )
    port(SIOCBRADDIF, "late")()
    yield Operation(
        "a port's address changes",
        address(NEW_ADDRESS),
        address(OLD_ADDRESS),
        lambda: wait_until(is_own, "a new address of the bridge's"),
    )
    port(SIOCBRDELIF, "late")()
    set_attribute("br", "maclearn/auto_enable", "0")
    # From here on nothing is offloaded, by a work that knows nothing of these allocations.
    set_attribute("br", "maclearn/fdb_offload", "off")
    for name in ("host1", "host2"):
        request("port-set", ifindex=index[name], enabled=0)()
    yield Operation(
        "the first port is enabled",
        request("port-set", ifindex=first, enabled=1),
        request("port-set", ifindex=first, enabled=0),
    )
    set_attribute("br", "bridge/vlan_filtering", "1")
    yield Operation(
        "the first port of a bridge that filters VLANs is enabled",
        lambda: set_attribute("host1", "maclearn/enabled", "1"),
        lambda: set_attribute("host1", "maclearn/enabled", "0"),
    )
    set_attribute("br", "bridge/vlan_filtering", "0")
    request("port-set", ifindex=first, enabled=1)()
    yield Operation(
        "a bridge begins to filter VLANs",
        lambda: set_attribute("br", "bridge/vlan_filtering", "1"),
        lambda: set_attribute("br", "bridge/vlan_filtering", "0"),
        is_kernels=True,
    )
    yield Operation("a port is asked for", request("port-get", ifindex=first), prepare=reconnect)
    ynl.do("entry-new", {"port": first, "mac": "02:00:00:00:aa:01", "static": 1})
    for what in ("port-get", "bridge-get", "stats-get", "entry-get"):
        yield Operation(f"dump of {what}", dump_whole(what))
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    yield Operation("a network namespace comes", lambda: os.unshare(os.CLONE_NEWNET), lambda: os.setns(home))
    yield Operation("a port leaves", port(SIOCBRDELIF, "host2"), port(SIOCBRADDIF, "host2"), is_kernels=True)

    libc = ctypes.CDLL(None, use_errno=True)
    module = os.open(path, os.O_RDONLY)

    def call(*arguments):
        if libc.syscall(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def unload():
        call(DELETE_MODULE, b"maclearn", os.O_NONBLOCK)

    def takes_in():
        """A port that joins is taken in, and so is the bridge, whatever there was no memory for
        before."""
        port(SIOCBRADDIF, "late")()
        assert {"br", "late"} <= directories().keys(), "the bridge or a port that joined is not known"
        port(SIOCBRDELIF, "late")()

    listener.sock.close()
    unload()
    yield Operation(
        "the module is loaded",
        lambda: call(FINIT_MODULE, module, b"", 0),
        unload,
        takes_in,
        state=directories,
        is_kernels=True,
        # The kernel complains loudly when it has no memory for a module's code.
        begin=0.25,
    )


def expect(found, *wanted):
    """Each device as in one of these states."""
    for device in found.keys() | wanted[0].keys():
        lines = [state.get(device, set()) for state in wanted]
        own = found.get(device, set())
        assert own in lines, "\n  ".join([f"{device} is not as it should be:", *sorted(own ^ lines[0])])


def try_all(faults, operation):
    before = operation.state()
    operation.prepare()
    count = faults.count(operation.do)
    after = operation.state()
    operation.holds()
    operation.undo()
    expect(operation.state(), before)
    tried, refused = 0, 0
    for nth in range(1 + int(count * operation.begin), count + 1, -(-count // MOST)):
        operation.prepare()
        has_failed, error = faults.run(nth, operation.do)
        tried += 1
        found = operation.state()
        if error:
            refused += 1
            assert has_failed, f"refused, and no allocation had failed: {error}"
            # The answer may be what there was no memory for.
            is_unanswered = isinstance(error, OSError) and error.errno == errno.ENOBUFS
            expect(found, before, after if is_unanswered else before)
        else:
            expect(found, after, before if operation.is_kernels and has_failed else after)
            operation.holds()
        if not error or found != before:
            operation.undo()
            expect(operation.state(), before)
    print(f"{operation.name}: {tried} of {count} allocations failed, {refused} times it was refused", flush=True)
    assert tried, "that was no test"


def main():
    faults = Faults(sys.argv[1])
    for operation in operations(sys.argv[2]):
        try:
            try_all(faults, operation)
        except AssertionError as error:
            raise SystemExit(f"{operation.name}: {error}") from error


main()
