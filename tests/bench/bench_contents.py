#!/usr/bin/env python3
"""What keeping and searching the bytes of messages costs: bench_contents.py [CAPTURE].

Goes in: a capture (a generated one of a million packets without it). Comes out: CPU ns per packet of the protocols
stage by what is kept, of decoding, and ns per KiB of the search for personal data. The law: the best of some runs, the
kernels loaded before.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sensor.config import ProtocolSettings, Settings
from sensor.detection.sensitive.kinds import KINDS
from sensor.detection.sensitive.names import name_table
from sensor.detection.sensitive.news_kernel import Progress, find_news
from sensor.detection.sensitive.strings import IDLE_NAMES
from sensor.pipeline import Pipeline
from sensor.schema import CONTENT, TRANSACTION, Wanted
from sensor.structures.entity_tables import ENTITIES
from tests.bench import captures
from tests.bench.stages import Clock
from tests.bench.templates import record

RUNS = 3
WANTED = {
    "nothing": Wanted(),
    "heads": Wanted(True, 0, True, 0),
    "and request bodies": Wanted(True, 65_536, True, 0),
    "and 4 KiB of each response body": Wanted(True, 65_536, True, 4_096),
}
SETTINGS = {
    "without a budget": ProtocolSettings(response_bytes_per_second=0, decoding_ms_per_second=0),
    "with the default budgets": ProtocolSettings(),
}


def keeping(capture: Path, settings: ProtocolSettings, wanted: Wanted) -> float:
    """CPU ns per packet of the protocols stage."""
    best = float("inf")
    for _ in range(RUNS):
        clock, pipeline = Clock(), Pipeline(Settings(protocols=settings), [str(capture)])
        pipeline._protocols.keep(wanted)
        pipeline._protocols.process = clock.timed("protocols", pipeline._protocols.process)  # type: ignore[method-assign]
        for _batch in pipeline:
            pass
        best = min(best, clock.seconds["protocols"] / pipeline.counters()["capture"]["frames"] * 1e9)
    return best


def scanning() -> float:
    """CPU ns per KiB of JSON records."""
    chance = random.Random(1)
    body = np.frombuffer(json.dumps([record(chance) for _ in range(200)]).encode() + b" " * 64, np.uint8).copy()
    contents = np.zeros(100, CONTENT)
    contents["response_body_len"] = 4_096
    rows, counts = np.zeros(256, np.int64), np.zeros(256 * KINDS, np.uint32)
    progress = np.zeros(len(Progress), np.int64)
    names, digits = (*name_table(), np.zeros(IDLE_NAMES, np.uint64)), np.zeros(32, np.uint8)
    transactions, entities = np.zeros(100, TRANSACTION), np.zeros(100, ENTITIES)
    entities["endpoint"] = 1
    generations, owners, most = np.ones(2, np.uint32), np.ones(2, np.uint32), np.full(4 * KINDS, 1_000, np.uint32)
    best = float("inf")
    for _ in range(20):
        begun = time.process_time_ns()
        find_news(
            contents, body, transactions, entities, generations, owners, most, 0, *names, digits, rows, counts,
            progress, False,
        )  # fmt: skip
        best = min(best, (time.process_time_ns() - begun) / (len(contents) * 4))
    return best


def main() -> None:
    capture = Path(sys.argv[1]) if sys.argv[1:] else captures.capture(1_000_000)
    for budget, settings in SETTINGS.items():
        for name, wanted in WANTED.items():
            print(f"{keeping(capture, settings, wanted):8.1f} ns per packet, {name}, {budget}", flush=True)
    print(f"{scanning():8.1f} ns per KiB searched for personal data")


if __name__ == "__main__":
    main()
