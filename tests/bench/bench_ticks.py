"""What quiet days cost: in: two made-up days of 15,000 requests; out: CPU seconds for the second, and by detector.

Run `python -m tests.bench.bench_ticks [--rows N]`. Packet time jumps from one request to the next across what detectors
do every few seconds: this is most of what little traffic costs. The one law: nothing here is a test.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from sensor.config import DetectionSettings, FeatureSettings
from sensor.detection.stage import DetectionStage
from sensor.features.stage import FeatureStage
from sensor.schema import FLOW, STREAM, TRANSACTION, Proto
from sensor.structures.string_pool import StringPool
from tests.bench.bench_detection import SECOND, Rows

BATCH = 1_000


def make_days(rows: int, days: int) -> Rows:
    """1,000 people of an API with 40 endpoints, by day mostly."""
    random = np.random.default_rng(1)
    hours = 8 + 10 * random.beta(2, 2, rows * days)
    night = random.random(rows * days) < 0.05
    hours[night] = 24 * random.random(np.count_nonzero(night))
    table = np.zeros(rows * days, TRANSACTION)
    seconds = np.sort(np.repeat(np.arange(days) * 86_400, rows) + 3_600 * hours)
    table["now"] = table["ts"] = 1_800_000_000 * SECOND + (seconds * SECOND).astype(np.int64)
    table["client_lo"] = (0xFFFF << 32) + random.integers(0, 1_000, rows * days).astype(np.uint64)
    table["server_lo"], table["server_port"], table["proto"] = (0xFFFF << 32) + 1, 80, Proto.TCP
    table["endpoint"], table["method"] = 10 + random.integers(0, 40, rows * days), 1
    table["user"] = table["client_lo"] * np.uint64(3)
    table["status_code"] = np.where(random.random(rows * days) < 0.01, 404, 200)
    table["response_body_len"], table["records"], table["flags"] = 1_000, -1, 3
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=15_000, help="requests a day")
    rows = parser.parse_args().rows
    pool = StringPool(4_096, 1 << 20)
    pool.tables.entries["hash"] = np.random.default_rng(3).integers(0, 2**63, 4_096).astype(np.uint64)
    stage, features = DetectionStage(DetectionSettings(), pool), FeatureStage(FeatureSettings(), pool.tables)
    table, no_flows, no_streams = make_days(rows, 2), np.zeros(0, FLOW), np.zeros(0, STREAM)
    before, begun = dict(stage.spent_ns), 0
    for start in range(0, 2 * rows, BATCH):
        if not begun and start >= rows:
            before, begun = dict(stage.spent_ns), time.process_time_ns()
        part = table[start : start + BATCH]
        entities = features.process(part)
        stage.process(part, no_flows, no_streams, int(part["now"][-1]), entities, features.tables)
    print(f"{(time.process_time_ns() - begun) / 1e9:8.3f}  CPU seconds a day of {rows} requests")
    spent = {name: ns - before[name] for name, ns in stage.spent_ns.items()}
    for name in sorted(spent, key=lambda each: -spent[each])[:8]:
        print(f"{spent[name] / 1e9:8.3f}  {name}")


if __name__ == "__main__":
    main()
