"""What reading and indexing cost: in: capture files; out: nanoseconds of CPU a packet, best and median of five runs.

    python -m tests.bench.bench_capture FILE...

The file should be in the page cache and have more than 100,000 packets. No packet is decoded.
"""

from __future__ import annotations

import statistics
import sys
import time

from sensor.capture.stage import CaptureStage
from sensor.config import CaptureSettings

RUNS = 5


def seconds_and_frames(names: list[str]) -> tuple[float, int]:
    stage = CaptureStage(CaptureSettings(), names)
    start = time.process_time()
    frames = sum(len(block.frames) for block in stage.blocks())
    return time.process_time() - start, frames


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    runs = [seconds_and_frames(sys.argv[1:]) for _ in range(RUNS)]
    frames = runs[0][1]
    costs = [1e9 * seconds / frames for seconds, _ in runs]
    print(f"{frames} packets: best {min(costs):.1f}, median {statistics.median(costs):.1f} ns of CPU a packet")


if __name__ == "__main__":
    main()
