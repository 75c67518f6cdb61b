#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A million entries and a thousand ports over netlink: a dump is complete and quick, holds up nobody
# who learns, and says when entries moved under it; the command shows it in constant memory. Quick
# is what takes little of what the same machine needs for something else at the same time.

source "${BASH_SOURCE%/*}/lib.sh"

# With a few entries more the table would grow: its buckets are as full as they get, and so are a
# dump's buffers.
case $(uname -r) in
*-uml) entries=1049000 ports=1000 ;;
*-debug) entries=92000 ports=200 ;;
*) entries=30700 ports=50 ;;
esac

make_hub host1 host2
load_module
enable host1
set_attribute br ageing_time 0
set_attribute br max_macs 0
set_attribute host1 max_macs 0
set_attribute host2 max_macs 0

# ---- how much memory the command takes when it tells of many entries: as much as for few
# peak_of LINES: kilobytes that it has taken at most are in REPLY then. It is looked at when there
# are still 4000 of so many lines to write, more than what waits on the way holds.
peak_of() {
    REPLY=$(python3 - "$1" <<'PYTHON'
import re
import subprocess
import sys
import time
from pathlib import Path

lines = int(sys.argv[1])
begun = time.monotonic()
with subprocess.Popen(["maclearn", "entry", "show"], stdout=subprocess.PIPE, bufsize=0) as shower:
    told = 0
    while told < lines - 4000:
        some = shower.stdout.read(4096)
        assert some, f"{told} entries were told, not {lines}"
        told += some.count(b"\n")
    status = Path(f"/proc/{shower.pid}/status").read_text(encoding="utf-8")
    while some := shower.stdout.read(65536):
        told += some.count(b"\n")
assert told == lines and shower.returncode == 0, f"{told} entries were told, not {lines}"
print(f"{lines} entries told in {int((time.monotonic() - begun) * 1000)} ms", file=sys.stderr)
print(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
PYTHON
    )
}
readonly FEW=8000
netlink_client fill host1 $FEW >"$LAB/milliseconds"
peak_of $FEW
few=$REPLY
set_attribute br flush 1

# ---- a dump of many
# While it is filled the table grows, and two virtual processors that fight for its lock get on
# badly with a host that runs only one of them at a time.
read -r processors </sys/devices/virtual/workqueue/cpumask
on_processors 1
filling=$(netlink_client fill host1 $entries)
on_processors "$processors"
expect_attribute host1 n_macs $entries
# However a buffer's end falls on the buckets.
dumping=$(netlink_client dump $entries)
for ((bytes = 8000; bytes < 8640; bytes += 64)); do
    milliseconds=$(netlink_client dump --buffer $bytes $entries)
    ((milliseconds >= dumping)) || dumping=$milliseconds
done
echo "$filling ms to make $entries entries, $dumping ms to dump them"
((dumping < filling)) || fail "a dump takes longer than making what it finds"

peak_of $entries
echo "the command has $REPLY kB at most, $few kB with $FEW entries"
((REPLY < few + 300)) || fail "what it takes grows with the entries"

# ---- dumps while others learn and the table grows: what was there all the time is in each that
# does not say that it was interrupted. One that is repeated when all is quiet is complete.
set_attribute br flush 1
netlink_client fill host1 $((entries / 50))
netlink_client disturb host2 $((entries / 50)) >"$LAB/disturbed"
read -r whole interrupted made <"$LAB/disturbed"
echo "$whole dumps whole, $interrupted interrupted, and $made entries were made in the middle of them"
((interrupted > 0)) || fail "the table grew, and no dump says so"
((made > 2 * (whole + interrupted))) || fail "the dumps were too short for that"
get_attribute br n_macs
netlink_client dump "$REPLY" >"$LAB/milliseconds"
# Two bridges with different pasts are no change.
links - <<EOF
link add name second up type bridge
link add name far up master second type dummy
EOF
enable far
netlink_client fill far 100
netlink_client dump $((REPLY + 100)) >"$LAB/milliseconds"

# ---- settings of many ports
set_attribute br flush 1
echo 1 >/sys/kernel/rcu_expedited
links - <<<"link add name many up type bridge ageing_time 0"
for ((port = 0; port < ports; port++)); do
    echo "link add name many$port master many type dummy"
done | links -
python3 - "$ports" <<'PYTHON' || fail "see above"
import sys
import time

from family import connect, indices

PORTS = int(sys.argv[1])
ynl = connect()
many = indices()["many"]
ports = [port["ifindex"] for port in ynl.dump("port-get", {"bridge": many})]
assert ports == sorted(set(ports)), "a port was told twice, or out of order"
assert len(ports) == PORTS, f"{len(ports)} ports were told"
settings = {"enabled": 1, "unknown-unicast": "suppress", "max-macs": 7}


def milliseconds(ask):
    """what it takes to ask for each port"""
    begun = time.monotonic()
    for port in ports:
        ask(port)
    return int((time.monotonic() - begun) * 1000)


getting = milliseconds(lambda port: ynl.do("port-get", {"ifindex": port}))
setting = milliseconds(lambda port: ynl.do("port-set", {"ifindex": port, **settings}))
print(f"{getting} ms to get {len(ports)} ports one by one, {setting} ms to set them")
for port in ynl.dump("port-get", {"bridge": many}):
    assert {name: port[name] for name in settings} == settings, port
assert setting < 8 * getting, "setting ports takes long"
PYTHON
