"""Cost of the outputs: `python -m tests.bench.bench_export [rows]` prints CPU microseconds a row, gathering
included.

JSON lines of transactions are to stay under 1.1 us a row on a real capture. Here every row is on a connection of its
own, the dearest case.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from sensor.export import texts
from sensor.export.writers import NO_STREAMS, open_writer
from sensor.schema import Proto
from tests.export.rows import ListPool, random_flows, random_transactions

BATCH_ROWS = 800
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
FIXED = ["GET", "api.shop.test", "/api/v1/customers/{id}/orders", AGENT, "application/json", "OK", "bearer"]
CODED = ("method", "host", "endpoint", "user_agent", "response_content_type", "status_msg", "auth_scheme")
URIS = 50_000


class FlatPool(ListPool):
    """The same strings, gathered by a kernel as the sensor's own pool does it."""

    def __init__(self, strings: list[str]) -> None:
        super().__init__(strings)
        self._offsets, self._data = super().gather(range(len(self.strings)))

    def gather(self, codes: Any) -> tuple[Any, Any]:
        numbers = codes.astype(np.int64)
        lengths = self._offsets[numbers + 1] - self._offsets[numbers]
        offsets, data = np.empty(len(codes) + 1, np.int64), np.empty(int(lengths.sum()), np.uint8)
        texts.gather_texts(numbers, len(codes), self._offsets, self._data, offsets, data)
        return offsets, data


def api_transactions(n: int) -> Any:
    """Rows as an API has them: few hosts and agents, many URIs, nothing odd."""
    rows = random_transactions(1, n)
    random = np.random.default_rng(2)
    rows["ts"] = 1_700_000_000 * 10**9 + np.arange(n) * 100_000 - random.integers(0, 50_000, n) * 1_000
    for field in ("host", "uri", "referrer", "request_content_type"):
        rows[field] = 0
    for code, field in enumerate(CODED, 1):
        rows[field] = code
    rows["uri"] = len(FIXED) + 1 + random.integers(0, URIS, n)
    rows["anomalies"], rows["flags"], rows["tunnel"] = 0, 15, 0
    rows["proto"] = Proto.TCP
    return rows


def measure(name: str, path: Path, rows: Any, streams: Any, pool: ListPool) -> None:
    writer = open_writer(str(path), name, ordered=True)
    per_row = len(streams) // len(rows)
    start = time.process_time()
    for first in range(0, len(rows), BATCH_ROWS):
        part = slice(first, first + BATCH_ROWS)
        pairs = streams[first * per_row : (first + BATCH_ROWS) * per_row] if per_row else NO_STREAMS
        writer.write(rows[part], pairs, pool)
    writer.close()
    spent = (time.process_time() - start) / len(rows)
    size = path.stat().st_size / len(rows)
    print(f"{name:14}{path.suffix:10}{1e6 * spent:6.2f} us a row{size:8.0f} bytes a row")


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    pool = FlatPool(FIXED + [f"/api/v1/customers/{i}/orders?page={i % 7}&limit=50" for i in range(URIS)])
    transactions, (flows, streams) = api_transactions(n), random_flows(1, n)
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("jsonl", "parquet"):
            measure("transactions", Path(folder) / f"t.{ending}", transactions, NO_STREAMS, pool)
            measure("flows", Path(folder) / f"f.{ending}", flows, streams, pool)


if __name__ == "__main__":
    main()
