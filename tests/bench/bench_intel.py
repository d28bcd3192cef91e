"""What threat intelligence costs: in: nothing; out: ns a transaction without feeds, with a small one, with a million.

    python -m tests.bench.bench_intel

Rows are like those of a busy API: 500 clients, 20 hosts, 100 user agents, none of them listed. The one law: the same
rows are given to each.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from sensor.config import ThreatIntelSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.threat_intel import ThreatIntel
from sensor.features.stage import FeatureStage
from sensor.intel.compiled import Compiled, Status, compiled, write, write_status
from sensor.intel.indicator import Indicator, Kind
from sensor.intel.networks import NETWORK4
from tests.detection.tables import FEW, NO_FLOWS, NO_STREAMS, START, Pool, join, transaction

ROWS, ROUNDS = 2_048, 200


def many(count: int) -> Compiled:
    """So many /24 networks, and half as many names."""
    chance = np.random.default_rng(3)
    rows = np.zeros(count, NETWORK4)
    rows["start"] = (chance.choice(1 << 23, count, replace=False).astype(np.uint32) + (1 << 23)) << 8
    rows["end"], rows["confidence"] = rows["start"] + 255, -1
    names = compiled([Indicator(Kind.DOMAIN, f"h{n}.example.org") for n in range(count // 2)])
    return names._replace(four=rows)


def rows_of(pool: Pool) -> np.ndarray:
    return join([
        transaction(
            pool, n / 1000, f"10.0.{n % 500 // 250}.{n % 250 + 1}", host=f"api{n % 20}.test", uri=f"/x/{n}",
            user_agent=f"client/{n % 100}",
        )
        for n in range(ROWS)
    ])  # fmt: skip


def cost_ns(feed: Compiled | None) -> tuple[float, float]:
    """(ns a transaction, seconds to load)"""
    pool = Pool()
    rows = rows_of(pool)
    with tempfile.TemporaryDirectory() as folder:
        if feed is not None:
            write(Path(folder), "bench", feed)
            write_status(Path(folder), Status(name="bench", updated=START / 1e9))
        began = time.perf_counter()
        detector = ThreatIntel(ThreatIntelSettings(folder=folder if feed is not None else ""), pool)
        loaded = time.perf_counter() - began
        features = FeatureStage(FEW, pool.tables)
        entities = features.process(rows)
        batch = Batch(rows, NO_FLOWS, NO_STREAMS, int(rows["now"][-1]), entities, features.tables)
        detector.process(batch)
        began = time.perf_counter()
        for _ in range(ROUNDS):
            detector.process(batch)
        return (time.perf_counter() - began) / ROUNDS / ROWS * 1e9, loaded


def main() -> None:
    print("| feed | ns a transaction | s to load |\n|---|---|---|")
    for name, feed in (("none", None), ("1,000 networks, 500 names", many(1_000)),
                       ("1,000,000 networks, 500,000 names", many(1_000_000))):  # fmt: skip
        cost, loaded = cost_ns(feed)
        print(f"| {name} | {cost:.0f} | {loaded:.2f} |")


if __name__ == "__main__":
    main()
