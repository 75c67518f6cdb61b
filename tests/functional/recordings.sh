#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the command shows on a terminal, as Documentation/recordings has it: the same lines, but for
# numbers. With RECORDINGS=DIRECTORY the pictures are left there (`make recordings`).

source "${BASH_SOURCE%/*}/lib.sh"

readonly PICTURES=../../Documentation/recordings
export SVG=../../scripts/terminal-svg

make_hub host1 host2 host3 host4 sniffer
ip link set dev br name br0
load_module
enable host1 host2 host3 host4
mkdir -p "${RECORDINGS:=$LAB/recordings}"

# record NAME COLUMNS ROWS COMMAND...: a terminal of that size, in which these are typed. One that
# takes the whole screen is ended with "q" when UNTIL, a pattern, is on it.
record() {
    python3 - "${@:2}" >"$LAB/bytes" <<'PYTHON'
import fcntl
import importlib.machinery
import os
import pty
import re
import select
import struct
import sys
import termios

loader = importlib.machinery.SourceFileLoader("svg", os.environ["SVG"])
screens = loader.load_module()
columns, rows = int(sys.argv[1]), int(sys.argv[2])


def shows(said, pattern):
    screen = screens.Terminal(columns, rows)
    screen.feed(said.decode(errors="replace"))
    return any(re.search(pattern, "".join(character for character, _ in line)) for line in screen.lines)


for command in sys.argv[3:]:
    sys.stdout.write(f"\x1b[1m# {command}\x1b[0m\r\n")
    sys.stdout.flush()
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows or 24, columns, 0, 0))
        os.execvpe("bash", ["bash", "-c", command], {**os.environ, "TERM": "xterm-256color"})
    said = b""
    while True:
        assert select.select([terminal], [], [], 60)[0], said
        try:
            read = os.read(terminal, 65536)
        except OSError:  # It has ended.
            break
        said += read
        if b"\x1b[?1049h" in said and b"\x1b[?1049l" not in said and shows(said, os.environ["UNTIL"]):
            os.write(terminal, b"q")
    sys.stdout.buffer.write(said)
    sys.stdout.flush()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, command
PYTHON
    "$SVG" "$2" "$3" <"$LAB/bytes" >"$RECORDINGS/$1.svg"
}

uncounted_exchange <<PLAN
hello host1 $G11
hello host1 $G12
hello host1 $G13
hello host2 $G21
hello host2 $G22
hello host3 $G31
hello host4 $G41
PLAN
wait_until 20 attribute_is br0 n_offloaded 7
uncounted_exchange <<PLAN
send host1 $G11 $G21 count 774
expect host2 $G11 $G21 count 774
expect sniffer $G11 $G21 count 774
send host2 $G21 $G11 count 387
expect host1 $G21 $G11 count 387
expect sniffer $G21 $G11 count 387
PLAN
record summary 132 0 maclearn

# A guest that has moved silently, and a limit
maclearn port set dev host4 max_macs 2
uncounted_exchange <<PLAN
hello host4 $G42
hello host4 $G43
PLAN
maclearn entry flush dev host2
uncounted_exchange <<<"hello host3 $G21"
record why 100 0 "maclearn why $G21 from host1" "maclearn entry del $G21 dev host3" "maclearn why $G21 from host1"
record doctor 100 0 "maclearn doctor"
maclearn port set dev host4 max_macs 4096
wait_until 20 attribute_is host4 failing_open 0

uncounted_exchange <<PLAN
hello host2 $G21
PLAN
wait_until 20 attribute_is br0 n_offloaded 8
stream --rate 400 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host2 $G21 $G11 to host1,sniffer
PLAN
UNTIL="^host2 .* [1-9][0-9]+ " record top 88 9 "maclearn top"
end_stream

# words FILE: what is drawn, without numbers
words() {
    sed -n 's/<[^>]*>//gp' "$1" | sed -E 's/srcversion [0-9A-F]+/srcversion N/; s/[0-9.]+[kMG]?/N/g; s/ +/ /g; s/ $//' | grep -v '^$'
}

for picture in "$RECORDINGS"/*.svg; do
    name=${picture##*/}
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$picture"
    [[ $RECORDINGS == "$LAB"/* ]] || continue
    words "$PICTURES/$name" >"$LAB/wanted"
    words "$picture" >"$LAB/drawn"
    diff -u "$LAB/wanted" "$LAB/drawn" || fail "$name is not current: make recordings"
done

# ---- for the picture of the dashboard: what `maclearn metrics` prints while things happen, two
# samples a second
[[ $RECORDINGS != "$LAB"/* ]] || exit 0
sample() {
    local number
    for ((number = 0; number < $1; number++)); do
        echo "# sample"
        maclearn metrics
        sleep 0.5
    done >>"$RECORDINGS/metrics"
}
sample 12
stream --rate 400 <<PLAN
stream host1 $G11 $G21 to host2,sniffer
stream host2 $G21 $G11 to host1,sniffer
PLAN
sample 16
# A storm of new guests, more than host4 may have
maclearn port set dev host4 max_macs 64
uncounted_exchange <<<"hello host4 02:00:00:00:04:01+80"
sample 8
maclearn port set dev host4 max_macs 4096
# Guests move from host4 to host3, and somebody asks for one whom nobody has.
uncounted_exchange <<PLAN
hello host3 02:00:00:00:04:01+40
ignore host2
ignore host1
ignore host3
ignore host4
ignore sniffer
send host1 $G11 $NOBODY count 3000
PLAN
sample 8
# They are forgotten where they were.
maclearn entry flush dev host4
sample 16
end_stream
