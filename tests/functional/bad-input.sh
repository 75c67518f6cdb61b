#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What an attribute does not take: the documented error, and nothing changed.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1 host2
load_module
enable host2

# One interpreter tries all values: process starts are dear.
python3 - <<'PYTHON' || fail "see above"
import errno
import os
import sys

NUMBERS = [b"", b" ", b"-1", b"+1", b"0x1", b"1x", b"1 ", b" 1", b"1\n\n", b"1,2", b"1.0",
           b"99999999999999999999", b"\0", b"1\0", b"\xff\xfe", b"\x80" * 8, b"1" * 5000]
SWITCHES = NUMBERS + [b"2", b"01", b"on", b"yes", b"true"]
WORDS = NUMBERS + [b"0", b"1", b"FLOOD", b"Flood", b"floo", b"flood ", b"floods", b"OPEN", b"close"]
REFUSED = {
    "host1": {
        "enabled": SWITCHES,
        "learning": SWITCHES,
        "unknown_unicast": WORDS + [b"open", b"closed"],
        "on_failure": WORDS + [b"flood", b"suppress"],
        "max_macs": NUMBERS + [b"1048577", b"4294967296", b"4294967297"],
        "flush": SWITCHES + [b"0"],
    },
    "br": {
        "auto_enable": SWITCHES,
        "exclusive": SWITCHES,
        "ageing_time": NUMBERS + [b"1000001", b"4294967296"],
        "max_macs": NUMBERS + [b"16777217", b"4294967296"],
        "flush": SWITCHES + [b"0"],
    },
}
ACCEPTED = {
    "host1": {
        "enabled": [b"1", b"0\n", b"0"], "learning": [b"0", b"1\n"],
        "unknown_unicast": [b"suppress\n", b"flood"], "on_failure": [b"closed", b"open\n"],
        "max_macs": [b"0", b"1048576", b"4096\n"], "flush": [b"1", b"1\n"],
    },
    "br": {
        "auto_enable": [b"1", b"0"], "exclusive": [b"1", b"0"],
        "ageing_time": [b"0", b"1000000", b"300\n"], "max_macs": [b"0", b"16777216", b"1048576"],
        "flush": [b"1"],
    },
}
READ_ONLY = {"host1": ["n_macs", "failing_open", "statistics/suppressed"],
             "br": ["n_macs", "memory", "statistics/suppressed"]}


def path(device, name):
    return f"/sys/class/net/{device}/maclearn/{name}"


def write(device, name, value):
    """The error of writing a value, or 0."""
    fd = os.open(path(device, name), os.O_WRONLY)
    try:
        os.write(fd, value)
        return 0
    except OSError as error:
        return error.errno
    finally:
        os.close(fd)


def settings():
    """Every setting that can be read, of both ports and the bridge."""
    values = {}
    for device, names in (("host1", REFUSED["host1"]), ("host2", REFUSED["host1"]), ("br", REFUSED["br"])):
        for name in names:
            if name != "flush":
                with open(path(device, name), encoding="ascii") as file:
                    values[device, name] = file.read()
    return values


failures = []


def check(found, wanted, what):
    if found != wanted:
        failures.append(f"{what}: {errno.errorcode.get(found, found)}, not {errno.errorcode.get(wanted, wanted)}")


before = settings()
for device, names in REFUSED.items():
    for name, values in names.items():
        for value in values:
            if value:  # the kernel does not hand an empty write to anybody
                check(write(device, name, value), errno.EINVAL, f"{device} {name} {value[:24]!r}")
if settings() != before:
    failures.append("a refused value changed a setting")

for device, names in ACCEPTED.items():
    for name, values in names.items():
        for value in values:
            check(write(device, name, value), 0, f"{device} {name} {value!r}")
if settings() != before:
    failures.append("the last accepted values are not the defaults that were set")

for device, names in READ_ONLY.items():
    for name in names:
        check(os.stat(path(device, name)).st_mode & 0o777, 0o444, f"mode of {device} {name}")
for device in REFUSED:
    check(os.stat(path(device, "flush")).st_mode & 0o777, 0o200, f"mode of {device} flush")


def unprivileged(enter):
    """Tries to write every setting in a child that `enter` has taken the capability from."""
    child = os.fork()
    if child == 0:
        enter()
        wrong = [f"{device} {name}: {errno.errorcode.get(result, result)}"
                 for device, names in ACCEPTED.items() for name, values in names.items()
                 if (result := write(device, name, values[0])) != errno.EPERM]
        for line in wrong:
            print("without CAP_NET_ADMIN,", line, file=sys.stderr)
        os._exit(bool(wrong))
    check(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "without CAP_NET_ADMIN")


def enter_user_namespace():
    os.unshare(os.CLONE_NEWUSER)


if hasattr(os, "unshare"):
    unprivileged(enter_user_namespace)
else:
    failures.append("this Python cannot leave its user namespace")
if settings() != before:
    failures.append("without CAP_NET_ADMIN a setting was changed")

for line in failures:
    print(line, file=sys.stderr)
sys.exit(bool(failures))
PYTHON

# Root without the capability is refused as well.
capsh --drop=cap_net_admin -- -c 'echo 1 >/sys/class/net/host1/maclearn/enabled' 2>"$LAB/error" &&
    fail "enabled without CAP_NET_ADMIN"
grep -q 'Operation not permitted' "$LAB/error"
expect_attribute host1 enabled 0

# Whoever owns a namespace by a user namespace of its own may set everything in it.
unshare --user --map-root-user --net --mount "$BASH" -c '
    mount -t sysfs sysfs /sys
    ip link add name br up type bridge ageing_time 0
    ip link add name one up master br type dummy
    echo 1 >/sys/class/net/one/maclearn/enabled
    echo 10 >/sys/class/net/br/maclearn/ageing_time
    read -r enabled </sys/class/net/one/maclearn/enabled
    read -r seconds </sys/class/net/br/maclearn/ageing_time
    [[ $enabled == 1 && $seconds == 10 ]]'
