"""What keeping recent packets costs. In: a capture (`python -m tests.bench.bench_evidence CAPTURE`). Out: ns a packet
for the ring, and ms for one cut of an alert. Law: the blocks are those that capture hands on.
"""

from __future__ import annotations

import sys
import time

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings, DecodeSettings
from sensor.evidence.packets import Packets
from sensor.evidence.ring import PacketRing
from sensor.evidence.stage import decoder
from sensor.limits import BATCH_FRAMES
from tests.evidence.test_packets import alert_of


def main(path: str) -> None:
    ring = PacketRing(64 << 20)
    packets = spent = 0
    for block in CaptureStage(CaptureSettings(), [path]).blocks():
        began = time.perf_counter_ns()
        ring.keep(block.data, block.frames)
        spent += time.perf_counter_ns() - began
        packets += len(block.frames)
    print(f"ring: {spent / packets:.1f} ns a packet, {packets} packets")
    alert, decode = alert_of("hydra-basic", "brute-force-login"), decoder(DecodeSettings())
    found, looked = Packets(alert, 4 << 20), 0
    began = time.perf_counter_ns()
    for stretch in ring.between(0, 1 << 62):
        for place in range(0, len(stretch), BATCH_FRAMES):
            frames = stretch[place : place + BATCH_FRAMES]
            found.take(ring.data, frames, decode(ring.data, frames))
            looked += len(frames)
    print(f"cut: {(time.perf_counter_ns() - began) / 1e6:.1f} ms over {looked} packets")


if __name__ == "__main__":
    main(sys.argv[1])
