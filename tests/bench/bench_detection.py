"""What detection costs: in: made-up transactions and flows; out: nanoseconds per row, by detector and together.

Run `python -m tests.bench.bench_detection [--rows N] [--batch N] [--capture PCAP]`. The rows are drawn beforehand and
given in batches, so the figures are those of the detectors alone; the best of three passes counts. Of a capture, its
own batches are replayed with the caches swept before each, as the other stages sweep them; each batch's best of 15
passes counts. The one law: nothing here is a test.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sensor.config import DetectionSettings, FeatureSettings, Settings
from sensor.detection.detectors import DETECTORS
from sensor.detection.stage import DetectionStage
from sensor.features.stage import FeatureStage
from sensor.pipeline import Pipeline
from sensor.schema import FLOW, STREAM, TRANSACTION, ConnState, Proto, TransactionFlag
from sensor.structures.string_pool import StringPool

Rows = npt.NDArray[np.void]
SECOND = 1_000_000_000
PASSES = 3
REPLAYS = 15
SWEPT_BYTES = 6 << 20
"""Written before each replayed batch: more than the second-level cache holds."""


def make_transactions(rows: int, clients: int, endpoints: int, failing_part: float) -> Rows:
    """An API with `clients` clients on `endpoints` endpoints at 1,000 requests a second, 2 % logins."""
    random = np.random.default_rng(1)
    table = np.zeros(rows, TRANSACTION)
    table["now"] = table["ts"] = 1_800_000_000 * SECOND + np.arange(rows, dtype=np.int64) * (SECOND // 1_000)
    table["client_lo"] = (0xFFFF << 32) + random.integers(0, clients, rows).astype(np.uint64)
    table["server_lo"], table["server_port"], table["proto"] = (0xFFFF << 32) + 1, 80, Proto.TCP
    table["endpoint"], table["method"] = 10 + random.integers(0, endpoints, rows), 1
    table["user"] = table["client_lo"] * np.uint64(3)
    table["response_body_len"] = random.lognormal(7, 1.5, rows).astype(np.int64)
    table["records"], table["status_code"] = random.integers(-1, 50, rows), 200
    login = random.random(rows) < 0.02
    table["flags"] = np.where(login, TransactionFlag.LOGIN, 0)
    table["account"] = np.where(login, table["user"], 0)
    table["status_code"][login & (random.random(rows) < failing_part)] = 401
    return table


def make_flows(rows: int, clients: int, attempts_part: float) -> tuple[Rows, Rows]:
    """Ended flows of which `attempts_part` are attempts on any of 1,000 ports of 100 hosts."""
    random = np.random.default_rng(2)
    flows, streams = np.zeros(rows, FLOW), np.zeros(2 * rows, STREAM)
    flows["end_now"] = 1_800_000_000 * SECOND + np.arange(rows, dtype=np.int64) * (SECOND // 1_000)
    flows["orig_lo"] = (0xFFFF << 32) + random.integers(0, clients, rows).astype(np.uint64)
    flows["resp_lo"] = (0xFFFF << 40) + random.integers(0, 100, rows).astype(np.uint64)
    flows["proto"], flows["resp_port"] = Proto.TCP, random.integers(0, 1_000, rows)
    attempt = random.random(rows) < attempts_part
    flows["conn_state"] = np.where(attempt, ConnState.REJ, ConnState.SF)
    streams["payload_bytes"] = np.repeat(np.where(attempt, 0, 500), 2)
    return flows, streams


def best_ns_per_row(make_pass: Callable[[], Callable[[int, int], object]], rows: int, batch: int) -> float:
    """The best of some passes, each with detectors that know nothing yet."""
    best = float("inf")
    for _ in range(PASSES):
        process = make_pass()
        begun = time.process_time_ns()
        for start in range(0, rows, batch):
            process(start, min(start + batch, rows))
        best = min(best, (time.process_time_ns() - begun) / rows)
    return best


def replay(path: str) -> None:
    """Print what the transactions of a capture cost, by detector and together."""
    pool, codes = StringPool(131_072, 1 << 20), dict[int, int]()
    pipeline, batches = Pipeline(Settings(), [path]), []
    for batch in pipeline:
        hashes = pipeline._protocols.pool.tables.entries["hash"]
        transactions = batch.transactions.copy()
        for column in ("method", "endpoint", "host", "user_agent"):  # codes are given again later, to other strings
            texts = hashes[transactions[column]].tolist()
            transactions[column] = [codes.setdefault(text, len(codes) + 1) for text in texts]
        batches.append((transactions, batch.flows.copy(), batch.streams.copy(), batch.now))
    pool.tables.entries["hash"][list(codes.values())] = np.array(list(codes), np.uint64)
    rows, swept = sum(len(batch[0]) for batch in batches), np.zeros(SWEPT_BYTES, np.uint8)
    print(f"{rows} transactions of the capture in {len(batches)} batches, CPU ns per transaction")
    best = np.full(len(batches), np.iinfo(np.int64).max)
    for _ in range(REPLAYS):
        features = FeatureStage(FeatureSettings(), pool.tables)
        for i, batch in enumerate(batches):
            swept += 1
            begun = time.process_time_ns()
            features.process(batch[0])
            best[i] = min(best[i], time.process_time_ns() - begun)
    print(f"{best.sum() / rows:9.1f}  entities")
    for only in (*DETECTORS, None):
        best = np.full(len(batches), np.iinfo(np.int64).max)
        for _ in range(REPLAYS):
            stage, features = DetectionStage(settings_with(only), pool), FeatureStage(FeatureSettings(), pool.tables)
            for i, batch in enumerate(batches):
                entities = features.process(batch[0])
                swept += 1
                begun = time.process_time_ns()
                stage.process(*batch, entities, features.tables)
                best[i] = min(best[i], time.process_time_ns() - begun)
        print(f"{best.sum() / rows:9.1f}  {only or 'all detectors'}")


def settings_with(only: str | None) -> DetectionSettings:
    """Default settings, with one detector alone when it is named."""
    fields = {
        name: type(getattr(DetectionSettings(), name))(enabled=only in (None, name)) for name in DETECTORS
    }
    return DetectionSettings(**fields)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--capture")
    given = parser.parse_args()
    if given.capture:
        replay(given.capture)
    pool = StringPool(4_096, 1 << 20)
    pool.tables.entries["hash"] = np.random.default_rng(3).integers(0, 2**63, 4_096).astype(np.uint64)
    no_rows, no_flows, no_streams = np.zeros(0, TRANSACTION), np.zeros(0, FLOW), np.zeros(0, STREAM)

    def by_transaction(table: Rows, only: str | None) -> float:
        def make_pass() -> Callable[[int, int], object]:
            stage, features = DetectionStage(settings_with(only), pool), FeatureStage(FeatureSettings(), pool.tables)

            def judge(a: int, b: int) -> object:
                entities = features.process(table[a:b])
                now = int(table["now"][b - 1])
                return stage.process(table[a:b], no_flows, no_streams, now, entities, features.tables)

            return judge

        return best_ns_per_row(make_pass, given.rows, given.batch)

    def by_flow(flows: Rows, streams: Rows) -> float:
        def make_pass() -> Callable[[int, int], object]:
            stage, features = DetectionStage(settings_with(None), pool), FeatureStage(FeatureSettings(), pool.tables)
            nobody = features.process(no_rows)
            return lambda a, b: stage.process(
                no_rows, flows[a:b], streams[2 * a : 2 * b], int(flows["end_now"][b - 1]), nobody, features.tables
            )

        return best_ns_per_row(make_pass, given.rows, given.batch)

    ordinary = make_transactions(given.rows, 500, 20, 0.05)
    print(f"{given.rows} rows in batches of {given.batch}, CPU ns per row")
    for only in (*(name for name in DETECTORS if name != "port_scan"), None):
        print(f"{by_transaction(ordinary, only):9.1f}  transactions, {only or 'all detectors'}")
    print(f"{by_transaction(make_transactions(given.rows, 100_000, 2_000, 0.05), None):9.1f}  more pairs than are kept")
    print(f"{by_transaction(make_transactions(given.rows, 50, 20, 1.0), None):9.1f}  20 failed logins a second")
    print(f"{by_flow(*make_flows(given.rows, 500, 0.01)):9.1f}  flows, 1 % attempts")
    print(f"{by_flow(*make_flows(given.rows, 500, 1.0)):9.1f}  flows, all of them attempts by 500 scanners")


if __name__ == "__main__":
    main()
