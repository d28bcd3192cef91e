"""Nanoseconds per packet of the decode stage by kind of traffic, and the seconds its kernel takes to compile.

    python tests/bench/bench_decode.py [--compile]

Each kind is one batch of limits.BATCH_FRAMES frames, decoded again and again; the best round counts. With --compile the
kernel is compiled anew, in a cache folder of its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

ROUNDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true", help="compile the kernel anew and time it")
    with tempfile.TemporaryDirectory() as folder:
        if parser.parse_args().compile:
            os.environ["TAPIR_CACHE"] = folder
        import sensor._jit  # noqa: F401 (numba's own import is not the kernel's)

        start, used = time.perf_counter(), time.process_time()
        from sensor.decode.stage import DecodeStage  # noqa: F401

        print(f"kernel ready after {time.perf_counter() - start:.2f} s, {time.process_time() - used:.2f} s of CPU")
        print(f"{'traffic':<28}{'ns/packet':>10}")
        for name, nanoseconds in measure():
            print(f"{name:<28}{nanoseconds:>10.1f}")


def measure() -> list[tuple[str, float]]:
    """Name and nanoseconds per packet of each kind of traffic."""
    from sensor.config import DecodeSettings
    from sensor.decode.stage import DecodeStage
    from sensor.limits import BATCH_FRAMES
    from tests.decode.frames import Frame, batch

    figures = []
    for name, packets in traffic().items():
        frames = [packets[i % len(packets)] for i in range(BATCH_FRAMES)]
        block, index = batch(Frame(frame, len(frame)) for frame in frames)
        stage, best = DecodeStage(DecodeSettings()), float("inf")
        for _ in range(ROUNDS):
            start = time.perf_counter()
            stage.process(block, index)
            best = min(best, time.perf_counter() - start)
        figures.append((name, best / BATCH_FRAMES * 1e9))
    return figures


def traffic() -> dict[str, list[bytes]]:
    from scapy.layers.inet import IP, TCP, UDP, fragment
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import GRE, Dot1Q
    from scapy.layers.vxlan import VXLAN

    from tests.decode.frames import ETHER

    sizes = range(100, 1400, 20)
    tcp = TCP(options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))])
    heads = {
        "Ethernet IPv4 TCP": ETHER / IP() / tcp,
        "Ethernet VLAN IPv4 TCP": ETHER / Dot1Q(vlan=5) / IP() / tcp,
        "Ethernet IPv6 TCP": ETHER / IPv6() / tcp,
        "Ethernet IPv4 UDP": ETHER / IP() / UDP(sport=5000, dport=5001),
        "VXLAN IPv4 TCP": ETHER / IP() / UDP(dport=4789) / VXLAN(vni=5) / ETHER / IP() / tcp,
        "GRE IPv4 TCP": ETHER / IP() / GRE() / IP() / tcp,
    }
    kinds = {name: [bytes(head / bytes(size)) for size in sizes] for name, head in heads.items()}
    kinds["IPv4 fragments of 1,480"] = [
        bytes(ETHER / part) for i in range(100) for part in fragment(IP(id=i) / UDP() / bytes(5000), 1480)
    ]
    kinds["IPv4 fragments, never whole"] = [
        bytes(ETHER / IP(id=i, frag=1, flags="MF") / bytes(64)) for i in range(8192)
    ]
    return kinds


if __name__ == "__main__":
    main()
