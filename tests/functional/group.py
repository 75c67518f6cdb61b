# SPDX-License-Identifier: GPL-2.0
"""group.py join DEVICE MAC: becomes a member of 239.1.1.1.
group.py send DEVICE MAC: sends it a frame."""
import socket
import struct
import sys

command, device, mac = sys.argv[1:]
group = socket.inet_aton("239.1.1.1")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)


def header(protocol, length):
    fields = struct.pack("!BBHHHBB", 0x46, 0, 24 + length, 0, 0, 1, protocol)
    addresses = bytes([10, 0, 0, 1]) + group
    alert = b"\x94\x04\0\0"
    return fields + checksum(fields + b"\0\0" + addresses + alert) + addresses + alert


if command == "join":
    report = b"\x16\0\0\0" + group
    payload = header(2, 8) + report[:2] + checksum(report) + report[4:]
else:
    payload = header(17, 8) + struct.pack("!HHHH", 9, 9, 8, 0)
source = bytes.fromhex(mac.replace(":", ""))
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((device, 0x800))
sender.send((b"\x01\0\x5e\x01\x01\x01" + source + b"\x08\0" + payload).ljust(60, b"\0"))
