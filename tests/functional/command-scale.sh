#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The command with 1,000 ports that own many MACs: all of them are shown, the table in memory that does not grow with it,
# and top on a terminal of 80 columns draws what there is room for, goes to the end, and is left at once.

source "${BASH_SOURCE%/*}/lib.sh"

case $(uname -r) in
*-uml) ports=1000 entries=50 ;;
*) ports=100 entries=20 ;;
esac
many=()
for ((port = 0; port < ports; port++)); do many+=("many$port"); done

ip link add name br type bridge ageing_time 0
for port in "${many[@]}"; do echo "link add name $port master br type dummy"; done | links -
PARAMETERS=(auto_enable=1 fdb_offload=0)
load_module
netlink_client spread 1 "${many[@]}" >"$LAB/filled"

python3 - $ports <<'PYTHON' || fail "see above"
import fcntl
import os
import pty
import re
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
assert len(lines("entry")) == PORTS

pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvpe("maclearn", ["maclearn", "top", "sort", "port"], {**os.environ, "TERM": "xterm"})
said = ""


def expect(text):
    """Reads until this was drawn since the last time, and returns what was drawn before."""
    global said
    while text not in said:
        assert select.select([terminal], [], [], 60)[0], (text, said)
        said += os.read(terminal, 65536).decode()
    before, said = said.split(text, 1)
    return before


expect("SUPPR/s")
drawn = expect("q quit")
# No more than there is room for.
assert 0 < len(set(re.findall(r"many\d+", drawn))) <= 24, drawn
os.write(terminal, b"q")
expect("\x1b[?1049l")
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
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
