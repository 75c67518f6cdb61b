# SPDX-License-Identifier: GPL-2.0
"""The maclearn family by way of the kernel's own client, tools/net/ynl of the kernel source."""

import glob
import os
import socket
import sys

sys.path.append(glob.glob("/usr/src/linux-source-*/tools/net/ynl/pyynl")[0])
from lib import NlError, YnlFamily  # noqa: E402, F401

SPEC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Documentation/netlink/specs/maclearn.yaml")


def connect():
    # scripts/netlink-generate sees whether the specification is valid, which takes longer than all
    # else here.
    return YnlFamily(SPEC, "")


def indices():
    return {name: index for index, name in socket.if_nameindex()}


def names():
    return dict(socket.if_nameindex())
