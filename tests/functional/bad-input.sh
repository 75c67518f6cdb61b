#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Values that an attribute does not take, and callers who may not set it: the documented error, and
# nothing changes.

source "${BASH_SOURCE%/*}/lib.sh"

make_hub host1
load_module
set_attribute host1 max_macs 77
set_attribute br ageing_time 77

cat >"$LAB/attributes.py" <<'EOF'
"""attributes.py MODE: tries bad values (MODE values) or good ones as somebody who may not set them (MODE denied)."""
import errno
import os
import sys

SWITCH = ([b"0", b"1"], [b"2", b"01", b"yes", b"Y", b"on", b"true"])


def number(greatest):
    good = [b"0", b"5", b"%d" % greatest]
    return (good, [b"%d" % (greatest + 1), b"%d" % 2**32, b"%d" % 2**64, b"five", b"5.0", b"1e3"])


def words(*good):
    return (list(good), [b"FLOOD", b"Open", b"0", b"1"] + [w[:-1] for w in good] + [w + b"s" for w in good])


TRIGGER = ([b"1"], [b"0", b"2", b"11"])
SETTINGS = {
    "/sys/class/net/host1/maclearn/": {
        "enabled": SWITCH,
        "learning": SWITCH,
        "unknown_unicast": words(b"flood", b"suppress"),
        "on_failure": words(b"open", b"closed"),
        "max_macs": number(2**20),
        "flush": TRIGGER,
    },
    "/sys/class/net/br/maclearn/": {
        "auto_enable": SWITCH,
        "ageing_time": number(10**6),
        "ageing": words(b"own", b"bridge"),
        "exclusive": SWITCH,
        "max_macs": number(2**24),
        "fdb_offload": words(b"off", b"auto", b"filtered"),
        "default_learning": SWITCH,
        "default_unknown_unicast": words(b"flood", b"suppress"),
        "default_on_failure": words(b"open", b"closed"),
        "default_max_macs": number(2**20),
        "flush": TRIGGER,
    },
}
READ_ONLY = ["n_macs", "statistics/suppressed", "statistics/learned"]
BAD_FOR_ALL = [
    b"", b" ", b"\n", b" 1", b"1 ", b"1x", b"x1", b"-1", b"+1", b"0x1", b"\0", b"1\0", b"\xff\xfe\x00\x01", b"1\n1",
    b"99999999999999999999", b"1" * 5000, b"flood" * 1000, b"%s%n",
]


def write(path, value):
    """The name of the error, or None."""
    try:
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, value)
        finally:
            os.close(file)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def snapshot():
    values = {}
    for folder, attributes in SETTINGS.items():
        for name in attributes:
            if name != "flush":
                with open(folder + name, "rb") as file:
                    values[folder + name] = file.read()
    return values


def expect(path, value, got, wanted):
    if got not in wanted:
        sys.exit(f"{path}: {value[:40]!r} gave {got}, not {wanted}")


tried = 0
before = snapshot()
for folder, attributes in SETTINGS.items():
    for name, (good, bad) in attributes.items():
        path = folder + name
        if sys.argv[1] == "denied":
            for value in good + [b"2"]:
                expect(path, value, write(path, value), sys.argv[2:])
                tried += 1
            continue
        for value in bad + BAD_FOR_ALL:
            # A write of nothing does not reach an attribute: it succeeds, and sets nothing.
            expect(path, value, write(path, value), ["EINVAL"] if value else ["EINVAL", None])
            tried += 1
        if snapshot() != before:
            sys.exit(f"{path} took a bad value")
        for value in good:
            for ending in [b"", b"\n"]:
                expect(path, value, write(path, value + ending), [None])
                tried += 1
                if name != "flush":
                    with open(path, "rb") as file:
                        if file.read() != value + b"\n":
                            sys.exit(f"{path} is not {value!r}")
        if name != "flush":
            write(path, before[path])
        if name == "ageing":
            # The time was the bridge's meanwhile.
            write(folder + "ageing_time", before[folder + "ageing_time"])
    for name in READ_ONLY:
        expect(folder + name, b"1", write(folder + name, b"1"), ["EACCES", "EPERM"])
        tried += 1
if snapshot() != before:
    sys.exit(f"not as it was: {snapshot()}, {before}")
print(tried, "tried")
EOF

# tries MODE: ... and some number of values was tried
tries() {
    local output
    output=$("$@") || fail "see above"
    [[ $output =~ ^[1-9][0-9]+\ tried$ ]] || fail "$output"
}

tries python3 "$LAB/attributes.py" values

# root of another user namespace, which does not own this network namespace
tries unshare --user --map-root-user python3 "$LAB/attributes.py" denied EPERM
# root without the capability
tries setpriv --bounding-set=-net_admin python3 "$LAB/attributes.py" denied EPERM
# somebody else: the file's mode forbids it already
tries setpriv --reuid 65534 --regid 65534 --clear-groups python3 "$LAB/attributes.py" denied EACCES

# root of a user namespace may set what is in its own network namespace.
cat >"$LAB/own-namespace" <<'EOF'
set -eu
mount -t sysfs sysfs /sys
ip link add name br type bridge
ip link add name port master br type dummy
echo 1 >/sys/class/net/port/maclearn/enabled
echo 9 >/sys/class/net/br/maclearn/ageing_time
[[ $(</sys/class/net/port/maclearn/enabled) == 1 && $(</sys/class/net/br/maclearn/ageing_time) == 9 ]]
EOF
unshare --user --map-root-user --net --mount "$BASH" "$LAB/own-namespace"
