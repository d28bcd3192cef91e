"""What public Sigma rules cost: in: a folder of rules and captures; out: microseconds of a batch's judging for each
transaction, of the Sigma detector alone.

    python -m tests.bench.bench_sigma ../shared/sigma CAPTURE... [--profile]

The one law: the first batch is not counted, as the database of literals is made ready with it.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time

import msgspec

from sensor.config import DetectionSettings, Settings
from sensor.detection.detector import Batch
from sensor.pipeline import Pipeline


def judge(rules: str, captures: list[str], profile: cProfile.Profile | None) -> tuple[int, int, float]:
    """(batches, transactions, CPU seconds) of the Sigma detector behind its first batch."""
    others = {name: {"enabled": False} for name in DetectionSettings.__struct_fields__ if name != "sigma"}
    detection = msgspec.convert({**others, "sigma": {"rules": [rules]}}, DetectionSettings)
    pipeline = Pipeline(Settings(detection=detection), captures)
    sigma = pipeline._detection.detectors["sigma"]
    judged, seen = sigma.process, [-1, 0, 0.0]

    def timed(batch: Batch) -> object:
        if profile and seen[0] >= 0:
            profile.enable()
        began = time.process_time()
        found = judged(batch)
        if seen[0] >= 0:
            seen[1] += len(batch.transactions)
            seen[2] += time.process_time() - began
        seen[0] += bool(len(batch.transactions))
        if profile:
            profile.disable()
        return found

    sigma.process = timed  # type: ignore[assignment,method-assign]
    for _ in pipeline:
        pass
    return int(seen[0]), int(seen[1]), seen[2]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rules")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    batches, transactions, seconds = judge(given.rules, given.captures, profile)
    each = 1e6 * seconds / max(transactions, 1)
    print(f"{transactions} transactions in {batches} batches: {seconds:.3f} s of CPU, {each:.2f} us each")
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
