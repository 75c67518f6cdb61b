# SPDX-License-Identifier: GPL-2.0
"""bpf.py DIRECTORY < PROGRAMS: loads BPF programs and leaves them pinned in DIRECTORY, of a BPF
file system.

A line for each program: NAME, tc or xdp, what it does, and the index of a device where it needs
one.
"""

import ctypes
import os
import struct
import sys

BPF_PROG_LOAD, BPF_OBJ_PIN = 5, 6
TYPES = {"tc": 3, "xdp": 6}
SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]

R0, R1, R2, R3 = range(4)
CLONE_REDIRECT, REDIRECT = 13, 23
INGRESS = 1
# Of struct __sk_buff: u32 cb[5], data, data_end
CB, DATA, DATA_END = 48, 76, 80


def instruction(code, to=0, source=0, offset=0, number=0):
    return struct.pack("<BBhi", code, source << 4 | to, offset, number)


def move(register, number):
    return instruction(0xB7, register, number=number)


def call(function):
    return instruction(0x85, number=function)


EXIT = instruction(0x95)


def verdict(number):
    return move(R0, number) + EXIT


def scribble(number):
    """Writes all that a program may write of skb->cb, and reads where the frame's data are."""
    stores = b"".join(instruction(0x63, R1, R2, CB + 4 * word) for word in range(5))
    looks = instruction(0x61, R2, R1, DATA) + instruction(0x61, R3, R1, DATA_END)
    return move(R2, 0x5A5A5A5A) + stores + looks + verdict(number)


def redirect(device, flags):
    return move(R1, device) + move(R2, flags) + call(REDIRECT) + EXIT


def clone(device, flags, number):
    return move(R2, device) + move(R3, flags) + call(CLONE_REDIRECT) + verdict(number)


TCX_NEXT, TC_OK, TC_DROP = -1, 0, 2
XDP_DROP, XDP_PASS, XDP_TX = 1, 2, 3
PROGRAMS = {
    ("tc", "ok"): lambda: verdict(TC_OK),
    ("tc", "drop"): lambda: verdict(TC_DROP),
    ("tc", "scribble"): lambda: scribble(TCX_NEXT),
    ("tc", "redirect"): lambda device: redirect(device, 0),
    ("tc", "receive"): lambda device: redirect(device, INGRESS),
    ("tc", "clone"): lambda device: clone(device, 0, TCX_NEXT),
    ("xdp", "pass"): lambda: verdict(XDP_PASS),
    ("xdp", "drop"): lambda: verdict(XDP_DROP),
    ("xdp", "return"): lambda: verdict(XDP_TX),
    ("xdp", "redirect"): lambda device: redirect(device, 0),
}

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYS_BPF, command, buffer, 128)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def load(kind, code):
    program = ctypes.create_string_buffer(code)
    license = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(1 << 16)
    attributes = struct.pack(
        "<IIQQIIQ", TYPES[kind], len(code) // 8, ctypes.addressof(program), ctypes.addressof(license),
        1, len(log), ctypes.addressof(log),
    )
    try:
        return bpf(BPF_PROG_LOAD, attributes)
    except OSError:
        print(log.value.decode(), file=sys.stderr)
        raise


for line in sys.stdin:
    name, kind, action, *devices = line.split()
    code = PROGRAMS[kind, action](*map(int, devices))
    path = ctypes.create_string_buffer(f"{sys.argv[1]}/{name}".encode())
    bpf(BPF_OBJ_PIN, struct.pack("<QI", ctypes.addressof(path), load(kind, code)))
