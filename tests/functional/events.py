# SPDX-License-Identifier: GPL-2.0
"""Writes what the family's multicast group says to standard output, a line an event; READY is
written to when it listens, and it ends with its standard input. Devices are named as they are when
it begins, but for ports that
join or leave, which are named as the event says."""

import os
import select
import socket
import sys

import family

SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>; not in Python

names = family.names()
ynl = family.connect()
# A storm has to fit in while something else runs.
ynl.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
ynl.ntf_subscribe("events")
with open(sys.argv[1], "w", encoding="ascii") as ready:
    ready.write("ready\n")

while True:
    readable, _, _ = select.select([ynl.sock, sys.stdin], [], [])
    ynl.check_ntf()
    while not ynl.async_msg_queue.empty():
        event = ynl.async_msg_queue.get()["msg"]
        device = event.get("ifname") or names.get(event.get("port", event["bridge"]))
        rest = [str(event[name]) for name in ("mac", "vlan", "lost") if name in event]
        print(event["event"], device, *rest, flush=True)
    if sys.stdin in readable and not os.read(sys.stdin.fileno(), 1):
        break
