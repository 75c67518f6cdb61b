#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a fleet of lab hosts costs: tables of Markdown, for Documentation/scale.md.

Sizes come from what `make bench` measured. How often guests fall silent, come and move is
simulated: one day of some hosts, each like any other, whose guests speak at random moments. The
same arguments print the same.
"""

import argparse
import json
import math
import random
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
RESULTS = SOURCE / "Documentation/performance/results.json"
DOCUMENT = SOURCE / "Documentation/scale.md"
# Between these lines the document has the tables.
BEGIN, END = "<!-- tests/scale/fleet.py -->\n", "<!-- end -->\n"

# Samples of `maclearn metrics`: one of the module, and these of each bridge and port
# (tests/functional/metrics.sh).
BRIDGE_SAMPLES, PORT_SAMPLES = 5, 16
# Most MACs of a bridge that are offloaded to its FDB.
MOST_OFFLOADED = 65536

HOUR = 3600
DAY = 24 * HOUR
# Seconds between two frames of a guest, on average, and the share of such guests. Others never
# pause for long.
QUIET = [(600, 0.15), (HOUR, 0.05)]


class Guest:
    """A MAC, from when it first speaks until its nested host is rebuilt."""

    def __init__(self, chance, born, gone, ageing_time):
        self.learned = self.aged = 0
        # When it is in the table: [from, until]
        self.known = []
        mean = quietness(chance)
        if mean is None:
            self.known = [(born, forgotten(gone, ageing_time))]
            self.learned, self.aged = 1, int(self.known[0][1] < DAY)
            return
        since = last = born
        while last < gone:
            following = last + chance.expovariate(1 / mean)
            if following >= gone or ageing_time and following - last > ageing_time:
                end = forgotten(last, ageing_time)
                self.known.append((since, end))
                self.learned += 1
                self.aged += end < DAY
                since = following
            last = following


def quietness(chance):
    """seconds between two frames of a guest; nothing for one that never pauses for long"""
    place = chance.random()
    for mean, share in QUIET:
        if place < share:
            return mean
        place -= share
    return None


def forgotten(last, ageing_time):
    return min(last + ageing_time, DAY) if ageing_time else DAY


class Host:
    """A day of one host."""

    def __init__(self, seed, options, ageing_time):
        chance = random.Random(seed)
        self.silence = self.rebuilt = self.moved = 0
        changes = []
        for _ in range(options.nested):
            born = 0
            while born < DAY:
                gone = born + chance.expovariate(1 / (options.rebuilt * HOUR))
                # Each guest has chances of its own, so that another ageing time is about the same
                # day.
                seeds = [chance.random() for _ in range(options.guests)]
                guests = [Guest(random.Random(seed), born, min(gone, DAY), ageing_time) for seed in seeds]
                for guest in guests:
                    # It comes and goes once. All that is more was silence.
                    ends = int(gone + ageing_time < DAY) if ageing_time else 0
                    self.rebuilt += int(born > 0) + min(ends, guest.aged)
                    self.silence += guest.learned - 1 + max(guest.aged - ends, 0)
                    changes += [change for since, until in guest.known for change in ((since, 1), (until, -1))]
                born = gone
            # All of its guests are told of at the host where it arrives, and withdrawn where it
            # was.
            when = chance.expovariate(1 / (options.moved * HOUR))
            while when < DAY:
                self.moved += 2 * options.guests
                when += chance.expovariate(1 / (options.moved * HOUR))
        self.most = now = 0
        for when, change in sorted(changes):
            now += change
            if when < DAY:
                self.most = max(self.most, now)


class Measured:
    """What `make bench` found."""

    def __init__(self, results):
        cells = {(cell["peer"], cell["work"], cell["ports"], cell["macs"]): cell["instructions"]
                 for cell in results["cells"]}
        self.frame = {peer: {ports: cells[peer, "unicast", ports, 64] for ports in (16, 64)}
                      for peer in ("hub", "maclearn", "maclearn-offloaded")}
        memory = {memory["peer"]: memory for memory in results["memory"]}
        self.fdb_bytes = memory["learning"]["bytes"] / memory["learning"]["macs"]
        # What the table says of itself, with few MACs and with many.
        few, many = memory["maclearn-exclusive"], memory["maclearn-offloaded"]
        most = memory["maclearn"]
        self.tables = [(table["macs"], table["reported_bytes"]) for table in (few, many, most)]

    def table_bytes(self, macs):
        """between two sizes that were measured"""
        (few, least), (many, most) = self.tables[:2] if macs < self.tables[1][0] else self.tables[1:]
        return least + (most - least) * max(macs - few, 0) / (many - few)

    def frame_instructions(self, peer, ports):
        frame = self.frame[peer]
        return frame[16] + (frame[64] - frame[16]) * (ports - 16) / 48


def size(count):
    for unit in ("bytes", "KB", "MB"):
        if count < 1000 or unit == "MB":
            return f"{short(count)} {unit}"
        count /= 1000
    return None


def short(value):
    """two digits, or all before the point"""
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2g}"


def table(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def memory_table(options, measured):
    local = options.nested * options.guests
    rows = []
    for hosts in sorted({1, 10, 100, options.hosts}):
        macs = local * hosts
        rows.append([f"{hosts:,}", f"{macs:,}", size(measured.table_bytes(macs)), size(measured.fdb_bytes * macs),
                     f"{min(local, MOST_OFFLOADED):,}"])
    return table(["hosts in a VNI", "MACs in it", "maclearn's table", "the bridge's FDB", "offloaded"], rows)


def frame_table(options, measured):
    ports = options.nested + 1
    rows = [[name, f"{measured.frame_instructions(peer, ports):,.0f}"]
            for name, peer in (("hub", "hub"), ("maclearn, `fdb_offload off`", "maclearn"),
                               ("maclearn, offloaded", "maclearn-offloaded"))]
    return table([f"a frame of known unicast, {ports} ports", "instructions"], rows)


def update_table(options):
    rows = []
    for ageing_time in (300, 1800, 7200, 0):
        hosts = [Host(seed, options, ageing_time) for seed in range(options.simulated)]
        silence, rebuilt, moved = (sum(getattr(host, name) for host in hosts) / len(hosts) / 24
                                   for name in ("silence", "rebuilt", "moved"))
        rate = (silence + rebuilt + moved) / HOUR
        rows.append([str(ageing_time) if ageing_time else "0 (never)", short(silence), short(rebuilt), short(moved),
                     short(rate * 10), short(rate * options.hosts), f"{max(host.most for host in hosts):,}"])
    return table(["`ageing_time`", "silent", "rebuilt", "moved", "10 hosts", f"{options.hosts:,} hosts", "most MACs"], rows)


def metrics_table(options):
    host = 1 + BRIDGE_SAMPLES + PORT_SAMPLES * (options.nested + 1)
    fleet = host * options.hosts
    rows = [[f"{interval} s", f"{host:,}", f"{fleet:,}", f"{fleet / interval:,.0f}"] for interval in (15, 30, 60, 300)]
    return table(["metrics every", "series of a host", "of the fleet", "samples a second"], rows)


def check_silence(options, ageing_time=300):
    """the simulation agrees with what can be computed for guests that are never rebuilt"""
    options = argparse.Namespace(**{**vars(options), "rebuilt": 1e9})
    silence = sum(Host(seed, options, ageing_time).silence for seed in range(options.simulated)) / options.simulated
    macs = options.nested * options.guests
    computed = sum(2 * macs * share * DAY / mean * math.exp(-ageing_time / mean) for mean, share in QUIET)
    if abs(silence / computed - 1) > 0.1:
        sys.exit(f"{silence:.0f} updates a day for silence, not {computed:.0f}")


def tables(options):
    measured = Measured(json.loads(RESULTS.read_text(encoding="utf-8")))
    return "\n".join([memory_table(options, measured), frame_table(options, measured), update_table(options),
                      metrics_table(options)])


def main():
    parser = argparse.ArgumentParser(description="What a fleet of lab hosts costs.")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--nested", type=int, default=40, help="nested hosts of each, every one a port")
    parser.add_argument("--guests", type=int, default=11, help="MACs of a nested host, its own included")
    parser.add_argument("--rebuilt", type=float, default=8, help="hours until a nested host is rebuilt, on average")
    parser.add_argument("--moved", type=float, default=24, help="hours until it moves to another host, on average")
    parser.add_argument("--simulated", type=int, default=10, help="hosts to simulate")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--write", action="store_true", help="put the tables into Documentation/scale.md")
    which.add_argument("--check", action="store_true", help="fail if the document has other ones")
    options = parser.parse_args()
    if options.check:
        check_silence(options)
    made = tables(options)
    if not options.write and not options.check:
        print(made, end="")
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = f"{head}{BEGIN}\n{made}\n{END}{tail}"
    if options.write:
        DOCUMENT.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit(f"{DOCUMENT}: its tables are not what this prints: run {sys.argv[0]} --write")


if __name__ == "__main__":
    main()
