"""Network namespaces for tests: in: a name; out: two ends of a cable, each in a namespace of its own.

Needs root and iproute2; a test that uses it says so when they are missing. The one law: everything it made is gone
afterwards, and nothing leaves the machine.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and iproute2"
)


_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_NETWORK = 0x40000000


class Cable(NamedTuple):
    """`near`: the interface in namespace `near_space`; `far` in `far_space`."""

    near_space: str
    near: str
    far_space: str
    far: str


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def cable(name: str) -> Iterator[Cable]:
    """A veth pair between two new namespaces, both ends up, 10.77.0.1 and 10.77.0.2, silent by themselves."""
    made = Cable(f"{name}-n", "near0", f"{name}-f", "far0")
    try:
        for space in (made.near_space, made.far_space):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        rewire(made)
        yield made
    finally:
        for space in (made.near_space, made.far_space):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)


@contextmanager
def inside(space: str) -> Iterator[None]:
    """This thread is in the namespace; sockets opened there stay there."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{space}", os.O_RDONLY)
    try:
        if _LIBC.setns(other, _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), space)
        yield
    finally:
        _LIBC.setns(own, _NEW_NETWORK)
        os.close(own)
        os.close(other)


def rewire(wire: Cable) -> None:
    """Lay the cable, or lay it again when it was taken away."""
    ip("link", "add", wire.near, "netns", wire.near_space, "type", "veth", "peer", wire.far, "netns", wire.far_space)
    for space, end, address in ((wire.near_space, wire.near, "1"), (wire.far_space, wire.far, "2")):
        ip("-n", space, "addr", "add", f"10.77.0.{address}/24", "dev", end)
        ip("-n", space, "link", "set", end, "addrgenmode", "none")  # no IPv6 address, so none is announced
        ip("-n", space, "link", "set", end, "up")
