"""The memory that the workers and their crew share: in: how many workers; out: its tables.

The one law: one side writes while the other waits for it, so nothing here needs a lock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.schema import CHUNK, CONTENT, FLOW, STREAM, TRANSACTION
from sensor.structures.shared_memory import shared_zeros
from sensor.structures.string_pool import PoolTables, StringPool
from sensor.workers.exchange_kernel import TEXT, Out

Rows = npt.NDArray[Any]

PAYLOAD_BYTES = limits.READ_BUFFER_BYTES
"""Bytes of chunks dealt at a time."""
HAND_CHUNKS = 4 * limits.BATCH_FRAMES
"""Chunks dealt to one worker at a time."""
ROWS_MAX = PAYLOAD_BYTES // 14 + limits.TRANSACTIONS_OPEN_MAX + limits.HTTP2_STREAMS_MAX
"""Transactions that one deal can finish: no request takes fewer bytes, beside all that were open."""
ARENA_BYTES = 96 << 20
"""Bytes kept of these: what a parser can hold open, and a deal's payload."""
TEXTS_MAX, TEXT_BYTES_MAX = 1 << 19, 64 << 20
MERGED_ROWS = limits.BATCH_FRAMES
"""Transactions judged at a time."""
COUNTERS_MAX = 256


class Board(NamedTuple):
    """Of arrays that workers have parts of, the first part is worker 0's, and so on. The last DECODED_BYTES of `arena`
    are the crew's.
    """

    dealt: Rows
    places: Rows
    counts: Rows
    payload: Rows
    rows: Rows
    contents: Rows
    arena: Rows
    texts: Rows
    text_bytes: Rows
    keys: Rows
    out: Rows
    counters: Rows
    merged: Rows
    merged_contents: Rows
    ended: Rows
    ended_streams: Rows
    told: Rows
    told_streams: Rows

    def part(self, table: str, worker: int) -> Rows:
        """The part of a table that is this worker's."""
        array: Rows = getattr(self, table)
        size = len(array) // len(self.counts)
        return array[worker * size : (worker + 1) * size]


def board(workers: int, flows_max: int) -> Board:
    """A board for so many workers, and flows that end or are told of in one batch."""
    return Board(
        dealt=shared_zeros(workers * HAND_CHUNKS, CHUNK),
        places=shared_zeros(workers * HAND_CHUNKS, np.int64),
        counts=shared_zeros(workers, np.int64),
        payload=shared_zeros(PAYLOAD_BYTES, np.uint8),
        rows=shared_zeros(workers * ROWS_MAX, TRANSACTION),
        contents=shared_zeros(workers * ROWS_MAX, CONTENT),
        arena=shared_zeros(workers * ARENA_BYTES + limits.DECODED_BYTES, np.uint8),
        texts=shared_zeros(workers * TEXTS_MAX, TEXT),
        text_bytes=shared_zeros(workers * TEXT_BYTES_MAX, np.uint8),
        keys=shared_zeros(workers * ROWS_MAX, np.int64),
        out=shared_zeros(workers * len(Out), np.int64),
        counters=shared_zeros(workers * COUNTERS_MAX, np.int64),
        merged=shared_zeros(MERGED_ROWS, TRANSACTION),
        merged_contents=shared_zeros(MERGED_ROWS, CONTENT),
        ended=shared_zeros(flows_max, FLOW),
        ended_streams=shared_zeros(2 * flows_max, STREAM),
        told=shared_zeros(flows_max, FLOW),
        told_streams=shared_zeros(2 * flows_max, STREAM),
    )


def shared_pool() -> StringPool:
    """An empty string pool whose texts every worker can read."""
    pool = StringPool()
    empty = pool.tables
    pool.tables = PoolTables(*(shared_zeros(len(table), table.dtype) for table in empty))
    pool.tables.entries["next"] = empty.entries["next"]
    pool.tables.state[:] = empty.state
    return pool
