#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command with 1,000 ports that own many MACs: all of them are shown, the table in memory that
# does not grow with it, and top on a terminal of 80 columns and 24 lines draws what there is room
# for, then only what has changed, and is left at once.

source "${BASH_SOURCE%/*}/lib.sh"

case $(uname -r) in
*-uml) ports=1000 entries=50 ;;
*) ports=100 entries=20 ;;
esac
many=()
for ((port = 0; port < ports; port++)); do many+=("many$port"); done

ip link add name br type bridge ageing_time 0
PARAMETERS=(auto_enable=1 fdb_offload=0)
load_module
# They join in another order than that of their indices, in which they are told of.
for port in "${many[@]}"; do echo "link add name $port type dummy"; done | links -
for ((port = ports; port-- > 0; )); do echo "link set dev many$port master br"; done | links -
netlink_client spread 1 "${many[@]}" >"$LAB/filled"

SVG=../../scripts/terminal-svg python3 - $ports <<'PYTHON' || fail "see above"
import fcntl
import importlib.machinery
import os
import pty
import select
import struct
import subprocess
import sys
import termios

PORTS = int(sys.argv[1])


def lines(*words):
    done = subprocess.run(["maclearn", *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


assert len(lines()) == PORTS + 2, lines()[:3]
assert sum(" enabled " in line for line in lines("port")) == PORTS
assert [line.split()[0] for line in lines("port") if line.startswith("many")] == [f"many{n}" for n in range(PORTS)]
assert len(lines("entry")) == PORTS

screens = importlib.machinery.SourceFileLoader("svg", os.environ["SVG"]).load_module()
# Ends each time that it has drawn, whether or not anything was new.
DRAWN = b"\x1b[?25l"


def top(kind, *words):
    """Begins it on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.execvpe("maclearn", ["maclearn", "top", *words], {**os.environ, "TERM": kind})
    return pid, terminal


def read_until(terminal, is_enough):
    """What it writes until that is enough."""
    said = b""
    while not is_enough(said):
        assert select.select([terminal], [], [], 60)[0], said
        said += os.read(terminal, 65536)
    return said


def rows(said):
    screen = screens.Terminal(80, 24)
    screen.feed(said.decode())
    return ["".join(character for character, _ in line).rstrip() for line in screen.lines]


pid, terminal = top("xterm", "sort", "port", "delay", "0.1")
# The first has no rates, which follow from two.
said = read_until(terminal, lambda said: said.count(DRAWN) >= 3)
screen = rows(said)
assert len(screen) == 24 and all(len(row) <= 80 for row in screen), screen
assert screen[0] == f"maclearn: {PORTS} ports, by port" and screen[1].startswith("PORT  "), screen
assert all(row.startswith("many") and len(row) == 80 for row in screen[2:23]), screen
assert screen[23].startswith("q quit ") and screen[23].endswith(" o u f"), screen

# ---- nothing is drawn while nothing changes, and of what changes no more than that
said = read_until(terminal, lambda said: said.count(DRAWN) >= 5)
assert len(said) < 40 * said.count(DRAWN), said
subprocess.run(["maclearn", "port", "set", "dev", "many0", "enabled", "off"], check=True)
said = read_until(terminal, lambda said: b"many0" in said and said.endswith(DRAWN))
assert said.count(b"many") == 1 and len(said) < 40 * said.count(DRAWN) + 200, said
subprocess.run(["maclearn", "port", "set", "dev", "many0", "enabled", "on"], check=True)

os.write(terminal, b"q")
read_until(terminal, lambda said: b"\x1b[?1049l" in said)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

# ---- a terminal that knows no way to draw gets a line
pid, terminal = top("dumb")
said = read_until(terminal, lambda said: b"\n" in said)
assert said == b'Error: top needs a terminal that is not "dumb", try "maclearn statistics".\r\n', said
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 255
PYTHON

netlink_client spread "$entries" "${many[@]}" >"$LAB/filled"
get_attribute br n_macs
python3 - "$REPLY" <<'PYTHON' || fail "see above"
import os
import subprocess
import sys

# Of 1024 bytes each
MIB = 1024


def peak(*words):
    """The most memory that it had, in KiB, and how many lines it has printed."""
    with subprocess.Popen(["maclearn", *words], stdout=subprocess.PIPE) as process:
        count = sum(1 for _ in process.stdout)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    assert status == 0, words
    return usage.ru_maxrss, count


one, count = peak("entry", "show", "dev", "many0")
all_of_them, total = peak("entry", "show")
assert total == int(sys.argv[1]) and total > 15 * count, (count, total)
assert all_of_them < one + MIB, f"{all_of_them} KiB for {total} entries, {one} KiB for {count}"
PYTHON
