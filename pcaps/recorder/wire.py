"""An unruly cable between the clients and the server, with a mirror port. Runs as root: wire.py FILE SEED KEY=VALUE ...

Goes in: the faults, each as a share of frames or a number. Comes out: a pcap of what the mirror port showed.

    network_loss, network_swap    the hosts suffer it, and send again
    mirror_loss, mirror_copy      only the mirror suffers it: frames missing, frames twice
    vlan                          the mirror port is a trunk: frames carry this 802.1Q id

Beside FILE a file `.lost` gets one byte for each message head that the mirror did not show.

The law: which frames suffer depends on SEED and on their order alone; the pcap is written in the order of the mirror.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
DEVICE = "wire0"


def open_tap(namespace: str) -> int:
    """A file descriptor for the tap device `wire0`, made inside a namespace of `ip netns`."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/var/run/netns/{namespace}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(there, 0):
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
        tap = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TAP | IFF_NO_PI))
    finally:
        libc.setns(home, 0)
        os.close(home)
        os.close(there)
    return tap


class Mirror:
    """Writes frames to a classic pcap, with its own faults."""

    def __init__(self, path: str, faults: dict[str, float], chance: random.Random) -> None:
        self.file = open(path, "wb", buffering=0)  # noqa: SIM115 - open until the process is told to end
        self.lost_heads = open(path.removesuffix(".pcap") + ".lost", "wb", buffering=0)  # noqa: SIM115
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self.faults, self.chance = faults, chance

    def show(self, frame: bytes) -> None:
        if self.chance.random() < self.faults.get("mirror_loss", 0):
            if frame[66:70] in (b"GET ", b"POST", b"HTTP"):  # behind Ethernet, IPv4 and TCP with its time stamps
                self.lost_heads.write(b"x")
            return
        if vlan := int(self.faults.get("vlan", 0)):
            frame = frame[:12] + struct.pack(">HH", 0x8100, vlan) + frame[12:]
        for _ in range(1 + (self.chance.random() < self.faults.get("mirror_copy", 0))):
            now = time.time_ns() // 1000
            self.file.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(frame), len(frame)) + frame)


def carry(ends: list[int], mirror: Mirror, faults: dict[str, float], chance: random.Random) -> None:
    """Frames from one end to the other, until the process is killed. A swapped frame leaves after its successor."""
    held: dict[int, bytes] = {}
    while True:
        readable, _, _ = select.select(ends, [], [], 0.02)
        for end in readable or list(held):
            frames = [os.read(end, 65536)] if readable else []
            if frames and end not in held and chance.random() < faults.get("network_swap", 0):
                held[end] = frames[0]
                continue
            if end in held:
                frames.append(held.pop(end))
            for frame in frames:
                if chance.random() >= faults.get("network_loss", 0):
                    mirror.show(frame)
                    os.write(ends[1 - ends.index(end)], frame)


def main(path: str, seed: str, left: str, right: str, *settings: str) -> None:
    faults = {key: float(value) for key, value in (setting.split("=") for setting in settings)}
    ends = [open_tap(left), open_tap(right)]
    carry(ends, Mirror(path, faults, random.Random(int(seed))), faults, random.Random(int(seed) + 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
