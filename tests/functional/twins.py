# SPDX-License-Identifier: GPL-2.0
"""twins.py: sends the same frames on two bridges called "br" that are set up alike, the hub in the
namespace "hub", its hosts in "hub-hosts", and the one in this namespace, its hosts in "hosts", and
compares all that arrives.

Plans come on standard input, each up to a line "end", and what is found is written in the same way.
It is a process for many plans, since to close a packet socket takes a grace period. A plan:
  ports PORT...                  of both bridges: frames are sent from the hosts' ends and compared
                                 there
  every PORT...                  these get every copy
  owner PORT MAC...              the port owns them; a MAC may have several owners
  open                           filtered ports may get what another port owns
  listen DEVICE...               in the bridge's namespace: what arrives there is compared as well
  promisc                        the socket on "br" wants all
  silent                         frames of others pass: counters are not compared
  send DEVICE SRC DST [count N] [tag [TPID:]VID[:PCP]]... [udp ADDRESS] [gso SEGMENTS] [size BYTES]
                                 from a host, or from a device in the bridge's namespace
  speak ADDRESS [SEGMENTS]       UDP datagrams from the bridge's host, so many in one buffer

At ports that get every copy, at the bridge device and the host's UDP socket all has to be the same
on both: bytes, tags, the virtio-net header, the type of packet, checksums known, and how often. A
filtered port gets of that what it owns and
what nobody owns. The bridge device's counters and those of the host's IP have to grow alike."""

import ctypes
import hashlib
import os
import socket
import struct
import sys
import time
from collections import Counter

SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 1, 1
PACKET_STATISTICS = 6
SO_RCVBUFFORCE = 33
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
UDP_SEGMENT = 103
CLONE_NEWNET = 0x40000000
VNET_HEADER = 10
NEEDS_CSUM, GSO_TCPV4 = 1, 1
MAGIC = b"maclearn"
UDP_PORT = 7000
BRIDGE_IP = "10.0.0.254"
LOCAL_EXPERIMENTAL = 0x88B5
BURST = 16
SEGMENT = 1000
# Differences that are told
REPORTED = 30

libc = ctypes.CDLL(None, use_errno=True)


def fail(text: str) -> None:
    sys.exit(f"twins: {text}")


def enter(namespace: int) -> None:
    if libc.setns(namespace, CLONE_NEWNET):
        fail(os.strerror(ctypes.get_errno()))


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol: int, destination: str, payload: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                         socket.inet_aton("10.0.0.1"), socket.inet_aton(destination))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


class Device:
    """A packet socket on a device of this namespace."""

    def __init__(self, name: str, is_host: bool, wants_all: bool):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        if is_host:
            self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        if wants_all:
            request = struct.pack("iHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
            self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
        self.socket.bind((name, 3))
        self.socket.setblocking(False)

    def send(self, frame: bytes) -> int:
        try:
            self.socket.send(frame)
        except OSError as error:
            return error.errno
        return 0

    def drain(self, arrived: Counter) -> None:
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(1 << 17, 64)
            except BlockingIOError:
                return
            except OSError:
                # That the device went down is told once.
                continue
            if MAGIC not in data:
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", control[0][2])
            tag = f"{tpid:04x}:{tci:04x}" if status & 0x10 else "-"
            kind, checked = address[2], status & 0x88
            frame = data[VNET_HEADER:]
            shown = frame[:32].hex() if len(frame) <= 128 else frame[:32].hex() + "#" + hashlib.md5(frame).hexdigest()
            what = f"{shown}#{hashlib.md5(frame).hexdigest()[:8]} {len(frame)} bytes vnet {data[:VNET_HEADER].hex()}"
            arrived[frame[:6], f"{what} tag {tag} type {kind} checksum {checked:x}"] += 1

    def lost(self) -> int:
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]


class Twin:
    """A bridge and what arrives at its devices."""

    def __init__(self, bridge: int, hosts: int):
        self.bridge, self.hosts = bridge, hosts
        self.opened: dict[tuple, Device] = {}
        enter(bridge)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # With this the packets have no number of their own.
        self.udp.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        self.udp.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SEGMENT)
        self.udp.bind(("0.0.0.0", UDP_PORT))
        self.udp.setblocking(False)

    def device(self, name: str, is_host: bool, wants_all: bool) -> Device:
        enter(self.hosts if is_host else self.bridge)
        key = socket.if_nametoindex(name), is_host, wants_all
        if key not in self.opened:
            self.opened[key] = Device(name, is_host, wants_all)
        return self.opened[key]

    def begin(self, plan: "Plan") -> None:
        self.devices = {port: self.device(port, True, False) for port in plan.ports}
        for name in ["br", *plan.listen]:
            self.devices[name] = self.device(name, False, plan.promisc and name == "br")
        self.errors: list[int] = []
        self.arrived = {name: Counter() for name in [*self.devices, "udp"]}
        # What came between two plans
        self.collect()
        for counter in self.arrived.values():
            counter.clear()
        self.before = self.counters()

    def end(self) -> None:
        for key in [key for key in self.opened if key[2]]:
            self.opened.pop(key).socket.close()

    def counters(self) -> dict[str, int]:
        """Of the bridge device and the host."""
        enter(self.bridge)
        counters = {}
        with open("/proc/thread-self/net/dev", encoding="ascii") as file:
            for line in file:
                name, colon, rest = line.partition(":")
                if colon and name.strip() == "br":
                    names = "rx_bytes rx_packets rx_errs rx_drop rx_fifo rx_frame rx_compressed multicast " \
                            "tx_bytes tx_packets tx_errs tx_drop tx_fifo tx_colls tx_carrier tx_compressed"
                    counters |= dict(zip(names.split(), map(int, rest.split())))
        with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            lines = file.read().splitlines()
        for head, values in zip(lines[::2], lines[1::2]):
            protocol = head.split(":")[0]
            if protocol in ("Ip", "Udp"):
                pairs = zip(head.split()[1:], values.split()[1:])
                counters |= {protocol + name: int(value) for name, value in pairs}
        return counters

    def collect(self) -> None:
        wait_until_empty()
        for name, device in self.devices.items():
            device.drain(self.arrived[name])
        while True:
            try:
                data, address = self.udp.recvfrom(1 << 16)
            except BlockingIOError:
                break
            self.arrived["udp"][b"", f"{address} {data.hex()}"] += 1

    def carry_out(self, plan: "Plan") -> None:
        self.begin(plan)
        unseen = 0
        for order in plan.sends:
            if order[0] == "speak":
                data, destination = order[1:]
                self.udp.sendto(data, (destination, UDP_PORT))
            else:
                device, frame = order[1:]
                self.errors.append(self.devices[device].send(frame))
            unseen += 1
            if unseen == BURST:
                self.collect()
                unseen = 0
        self.collect()
        for name, device in self.devices.items():
            if lost := device.lost():
                fail(f"{name}: {lost} frames arrived and were not seen")
        after = self.counters()
        self.grown = {name: after[name] - self.before[name] for name in after}
        self.end()


class Plan:
    def __init__(self, lines: list[str]):
        self.ports: list[str] = []
        self.every: set[str] = set()
        self.owners: dict[bytes, set[str]] = {}
        self.listen: list[str] = []
        self.sends: list[tuple] = []
        self.open = self.promisc = self.silent = False
        for line in lines:
            words = line.split("#")[0].split()
            if not words:
                continue
            verb, rest = words[0], words[1:]
            if verb == "ports":
                self.ports += rest
            elif verb == "every":
                self.every |= set(rest)
            elif verb == "owner":
                for address in rest[1:]:
                    self.owners.setdefault(mac(address), set()).add(rest[0])
            elif verb == "listen":
                self.listen += rest
            elif verb in ("open", "promisc", "silent"):
                setattr(self, verb, True)
            elif verb == "speak":
                datagram = (MAGIC + struct.pack("!I", len(self.sends))).ljust(SEGMENT, b"\0")
                self.sends.append(("speak", datagram * int((rest + ["1"])[1]), rest[0]))
            elif verb == "send":
                self.send(rest)
            else:
                fail(f"there is no order '{verb}'")

    def send(self, words: list[str]) -> None:
        device, source, destination = words[:3]
        count, tags, udp, gso, size = 1, [], None, 0, 60
        for option, value in zip(words[3::2], words[4::2], strict=True):
            if option == "count":
                count = int(value)
            elif option == "tag":
                parts = value.split(":")
                tpid = int(parts.pop(0), 16) if len(parts) > 1 and len(parts[0]) == 4 else 0x8100
                pcp = int(parts[1]) if len(parts) > 1 else 0
                tags.append(struct.pack("!HH", tpid, pcp << 13 | int(parts[0])))
            elif option == "udp":
                udp = value
            elif option == "gso":
                gso = int(value)
            elif option == "size":
                size = int(value)
            else:
                fail(f"there is no '{option}'")
        for _ in range(count):
            number = MAGIC + struct.pack("!I", len(self.sends))
            header = mac(destination) + mac(source) + b"".join(tags)
            vnet = bytes(VNET_HEADER)
            if gso:
                data = number + bytes(gso * SEGMENT - len(number))
                tcp = struct.pack("!HHIIBBHHH", 1000, 7000, 0, 0, 5 << 4, 0x10, 1000, 0, 0) + data
                packet = ipv4(6, "10.0.0.2", tcp)
                vnet = struct.pack("=BBHHHH", NEEDS_CSUM, GSO_TCPV4, len(header) + 42, SEGMENT, len(header) + 22, 16)
                payload = struct.pack("!H", 0x0800) + packet
            elif udp:
                datagram = struct.pack("!HHHH", 9, UDP_PORT, 8 + len(number), 0) + number
                payload = struct.pack("!H", 0x0800) + ipv4(17, udp, datagram)
            else:
                payload = struct.pack("!H", LOCAL_EXPERIMENTAL) + number
            frame = (header + payload).ljust(size, b"\0")
            self.sends.append(("send", device, vnet + frame))


def wait_until_empty() -> None:
    """Until what this CPU sent has arrived: tests/frames/src/backlog.rs says why."""
    deadline = time.monotonic() + 60
    while True:
        with open("/proc/net/softnet_stat", encoding="ascii") as file:
            for line in file:
                fields = [int(field, 16) for field in line.split()]
                if fields[12] == CPU and fields[13] + fields[14] > 0:
                    break
            else:
                return
        if time.monotonic() > deadline:
            fail("frames stay under way")
        os.sched_yield()


def compare(plan: Plan, hub: Twin, twin: Twin) -> list[str]:
    differences = []
    if hub.errors != twin.errors:
        differences.append(f"sending failed otherwise: {hub.errors} {twin.errors}")
    for name, arrived in hub.arrived.items():
        is_filtered = name in plan.ports and name not in plan.every
        expected = arrived
        if is_filtered:
            expected = Counter({
                key: count for key, count in arrived.items()
                if name in plan.owners.get(key[0], {name})
            })
        for key in sorted(expected.keys() | twin.arrived[name].keys()):
            there, here = expected[key], twin.arrived[name][key]
            if is_filtered and plan.open and there <= here <= arrived[key]:
                continue
            if there != here:
                differences.append(f"{name}: {here} of {there}: {key[1]}")
    if not plan.silent:
        for name, grown in hub.grown.items():
            if twin.grown[name] != grown:
                differences.append(f"{name} grew by {twin.grown[name]}, on the hub by {grown}")
    return differences


if __name__ == "__main__":
    libc.sched_getcpu.restype = ctypes.c_int
    CPU = libc.sched_getcpu()
    os.sched_setaffinity(0, {CPU})
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    hub_here, hub_hosts, hosts = (
        os.open(f"/run/netns/{name}", os.O_RDONLY) for name in ("hub", "hub-hosts", "hosts"))
    twins = [Twin(hub_here, hub_hosts), Twin(here, hosts)]
    lines = []
    for line in sys.stdin:
        if line != "end\n":
            lines.append(line)
            continue
        plan = Plan(lines)
        for twin in twins:
            twin.carry_out(plan)
        differences = compare(plan, *twins)
        print(*differences[:REPORTED], "end", sep="\n", flush=True)
        lines.clear()
