# SPDX-License-Identifier: GPL-2.0
"""tap.py DEVICE SOURCE DESTINATION SEGMENTS: as a guest's network card does, sends one buffer of so
many TCP segments
from a tap that is a bridge port, once the port forwards."""

import fcntl
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
NEEDS_CSUM, GSO_TCPV4 = 1, 1
FORWARDING = "3"
SEGMENT_BYTES = 1000


def buffer(source: str, destination: str, segments: int) -> bytes:
    ethernet = bytes.fromhex((destination + source).replace(":", "")) + b"\x08\x00"
    length = 20 + 20 + segments * SEGMENT_BYTES
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    words = struct.unpack("!10H", ip)
    checksum = sum(words)
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    ip = ip[:10] + struct.pack("!H", ~checksum & 0xFFFF) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", 1000, 7000, 0, 0, 5 << 4, 0x10, 1000, 0, 0)
    header = struct.pack("=BBHHHH", NEEDS_CSUM, GSO_TCPV4, 14 + 20 + 20, SEGMENT_BYTES, 14 + 20, 16)
    return header + ethernet + ip + tcp + bytes(segments * SEGMENT_BYTES)


device, source, destination, segments = sys.argv[1:]
with open("/dev/net/tun", "r+b", buffering=0) as tap:
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    deadline = time.monotonic() + 60
    while open(f"/sys/class/net/{device}/brport/state").read().strip() != FORWARDING:
        if time.monotonic() > deadline:
            sys.exit(f"{device} does not forward")
        time.sleep(0.1)
    tap.write(buffer(source, destination, int(segments)))
