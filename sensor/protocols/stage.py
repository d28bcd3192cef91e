"""Protocols: in: chunks of ordered bytes; out: transactions, in the order in which they were finished, and what was
kept of their heads and bodies.

One batch of chunks may give several parts; the rows, strings and bytes of a part are good until the next one is asked
for.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor import limits
from sensor.config import ProtocolSettings
from sensor.counters import Counters
from sensor.errors import SettingError
from sensor.protocols.chunks import mark_open, read_chunks
from sensor.protocols.coding.bodies import Bodies
from sensor.protocols.http1.tables import (
    ARENA_BYTES,
    EXTENT_FIRST,
    FREE_ITEMS,
    HANDED_STACK,
    HOLD_BYTES,
    HOLDS_MAX,
    HTTP_FLOW,
    HTTP_STREAM,
    KEPT,
    LARGE_HOLDS_MAX,
    LINK,
    NUMBERS,
    OPEN_PER_FLOW_MAX,
    OPEN_STACK,
    ROWS_PER_CHUNK,
    SCRATCH_BYTES,
    TOKEN,
    TOKENS,
    TUNNEL,
    TUNNEL_HEAD_BYTES,
    TUNNELS,
    Count,
    Scalar,
    Tables,
)
from sensor.protocols.http2.tables import http2_tables
from sensor.protocols.tunnels import tunnels_of
from sensor.schema import CONTENT, TRANSACTION, FlowFlag, Wanted
from sensor.structures.string_pool import StringPool
from sensor.structures.string_pool_kernels import State as PoolState
from sensor.tunnel import Tunnel

_LOW = (1 << 64) - 1
_ROWS = 2 * limits.BATCH_FRAMES + ROWS_PER_CHUNK + OPEN_PER_FLOW_MAX + 64
"""Finished transactions that wait to be judged: as many as limits.BLOCKS_TOGETHER blocks usually have."""


def _stack(start: int, stop: int) -> npt.NDArray[np.int32]:
    """Everything from start to stop - 1, the first on top."""
    return np.arange(stop - 1, start - 1, -1, dtype=np.int32)


def networks(texts: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Four words for each network in CIDR notation: address hi and lo, mask hi and lo, IPv4 as ::ffff:a.b.c.d.

    Raises SettingError for what is none.
    """
    words = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise SettingError(f"protocols.trusted_proxies: {error}; expected a network as 10.0.0.0/8") from error
        mapped = network.version == 4
        address = int(network.network_address) | (0xFFFF << 32 if mapped else 0)
        mask = int(network.netmask) | ((1 << 128) - (1 << 32) if mapped else 0)
        words += [address >> 64, address & _LOW, mask >> 64, mask & _LOW]
    return np.array(words, np.uint64)


class Part(NamedTuple):
    """`transactions` TRANSACTION[n]; `contents` CONTENT[n], their bytes in `arena`, uint8; `last`: no more will come of
    these chunks.
    """

    transactions: npt.NDArray[np.void]
    contents: npt.NDArray[np.void]
    arena: npt.NDArray[np.uint8]
    last: bool


class ProtocolStage:
    """Reads the chunks of `flows` (FLOW rows, which it tells whether they speak HTTP); `pool` holds the strings of its
    rows, `tunnels` what the chunks of the last call opened. Nothing is kept of messages before `keep` says what is
    wanted.
    """

    def __init__(
        self,
        settings: ProtocolSettings,
        flows: npt.NDArray[np.void],
        fingerprint_key: bytes,
        decodes_bodies: bool = True,
    ) -> None:
        """Without `decodes_bodies` they are handed on as they are, for somebody else to decode."""
        numbers = np.zeros(NUMBERS, np.int64)
        self.counters = Counters(Count, numbers)
        self.pool = StringPool()
        self.tunnels: list[Tunnel] = []
        self._decodes = settings.decoding_ms_per_second > 0
        self._decodes_here = decodes_bodies
        self._waits = False
        self._bodies = Bodies(settings.decoding_ms_per_second, self.pool.tables, fingerprint_key)
        self.coding = self._bodies.counters
        self._most = Wanted(True, settings.request_body_bytes, True, settings.response_body_bytes)
        self._response_rate = settings.response_bytes_per_second
        open_max = limits.TRANSACTIONS_OPEN_MAX
        holds = HOLDS_MAX * HOLD_BYTES + LARGE_HOLDS_MAX * limits.HEAD_BYTES_MAX
        extents = [_stack(*sizes) for sizes in pairwise(EXTENT_FIRST)]
        stacks = [_stack(0, HOLDS_MAX), _stack(HOLDS_MAX, OPEN_STACK), _stack(0, open_max), *extents]
        free = np.zeros(FREE_ITEMS, np.int32)
        free[:HANDED_STACK] = np.concatenate(stacks)
        self._tables = Tables(
            flows=flows,
            http_flows=np.zeros(len(flows) + limits.HTTP2_STREAMS_MAX, HTTP_FLOW),
            http_streams=np.zeros(2 * (len(flows) + limits.HTTP2_STREAMS_MAX), HTTP_STREAM),
            open=np.zeros(open_max, TRANSACTION),
            links=np.zeros(open_max, LINK),
            rows=np.zeros(_ROWS, TRANSACTION),
            kept=np.zeros(2 * open_max, KEPT),
            contents=np.zeros(_ROWS, CONTENT),
            arena=np.zeros(ARENA_BYTES, np.uint8),
            free=free,
            work=np.zeros(SCRATCH_BYTES + holds, np.uint8),
            numbers=numbers,
            pool=self.pool.tables,
            tokens=np.zeros(TOKENS, TOKEN),
            tunnels=np.zeros(TUNNELS, TUNNEL),
            tunnel_heads=np.zeros(TUNNELS * TUNNEL_HEAD_BYTES, np.uint8),
            proxies=networks(settings.trusted_proxies),
            h2=http2_tables(TUNNELS),
        )
        state = numbers
        state[Scalar.OPEN_FREE] = open_max
        state[Scalar.HOLD_FREE] = HOLDS_MAX
        state[Scalar.LARGE_FREE] = LARGE_HOLDS_MAX
        state[Scalar.EXTENTS_FREE : Scalar.EXTENTS_FREE + len(limits.EXTENTS)] = limits.EXTENTS
        state[Scalar.SHOW_SECRETS] = settings.show_secrets
        state[Scalar.SHOW_NAMES] = settings.show_names
        state[Scalar.KEY_LOW : Scalar.KEY_HIGH + 1] = np.frombuffer(fingerprint_key, np.int64)

    def keep(self, wanted: Wanted, every_response: bool = False) -> None:
        """From the next message on keep what `wanted` says of each, bodies as far as the settings allow; those of
        responses within a budget, unless `every_response` is wanted.
        """
        numbers, most = self._tables.numbers, self._most
        amounts = [min(int(some), int(bound)) for some, bound in zip(wanted, most, strict=True)]
        numbers[Scalar.REQUEST_HEAD : Scalar.RESPONSE_BODY + 1] = amounts
        numbers[Scalar.RESPONSE_RATE] = 0 if every_response else self._response_rate
        numbers[Scalar.RESPONSE_LEFT] = numbers[Scalar.RESPONSE_RATE]
        numbers[Scalar.CODED_RECORDS] = self._decodes
        numbers[Scalar.KEEP] = any(amounts) or self._decodes
        self._bodies.wanted = (amounts[1], amounts[3])

    def fills(self) -> dict[str, tuple[int, int]]:
        """Requests and responses in flight, and heads put together: how many there are, and how many there can be."""
        free = self._tables.numbers
        open_max = len(self._tables.open)
        return {
            "transactions_open": (open_max - int(free[Scalar.OPEN_FREE]), open_max),
            "holds": (HOLDS_MAX - int(free[Scalar.HOLD_FREE]), HOLDS_MAX),
        }

    def process(
        self,
        data: npt.NDArray[np.uint8],
        datagrams: npt.NDArray[np.uint8],
        pages: npt.NDArray[np.uint8],
        chunks: npt.NDArray[np.void],
        more: bool = False,
    ) -> Iterator[Part]:
        """Parts of the transactions that these chunks finish; ChunkSource says which buffer a chunk refers to.

        With `more` chunks to come at once, rows wait in here for theirs while there is room: a part is then not the
        last one.
        """
        row = 0
        self.tunnels = []
        while row < len(chunks):
            if not self._waits:
                self._make_room()
            row = self._read(data, datagrams, pages, chunks, row)
            self._waits = True
            if self._tables.numbers[Scalar.TUNNELS]:
                self.tunnels += tunnels_of(self._tables, self.pool)
                self._tables.numbers[Scalar.TUNNELS] = 0
            if row < len(chunks):
                yield from self._parts(last=False)
        if not more:
            yield from self._parts(last=True)

    def _parts(self, last: bool) -> Iterator[Part]:
        """The rows that wait, with their bodies decoded, in as many parts as have room for those."""
        count = int(self._tables.numbers[Scalar.ROWS]) if self._waits else 0
        rows, contents, self._waits = self._tables.rows[:count], self._tables.contents[:count], False
        if not self._tables.numbers[Scalar.KEEP] or not self._decodes_here:
            yield Part(rows, contents, self._tables.arena, last)
            return
        start = 0
        for stop in self._bodies.decode(rows, contents, self._tables.arena):
            yield Part(rows[start:stop], contents[start:stop], self._tables.arena, last and stop == len(rows))
            start = stop

    def _make_room(self) -> None:
        self._tables.numbers[Scalar.ROWS] = 0
        pool_state = self.pool.tables.state
        if self.pool.needs_sweep():
            mark_open(self._tables)
            self.pool.sweep()
        self._tables.numbers[Scalar.POOL_FLOOR] = min(limits.STRINGS_MAX // 4, pool_state[PoolState.FREE])

    def _read(
        self,
        data: npt.NDArray[np.uint8],
        datagrams: npt.NDArray[np.uint8],
        pages: npt.NDArray[np.uint8],
        chunks: npt.NDArray[np.void],
        row: int,
    ) -> int:
        try:
            return int(read_chunks(self._tables, data, datagrams, pages, chunks, row, len(chunks)))
        except IndexError:
            row = int(self._tables.numbers[Scalar.CURSOR])
            self.counters.values[Count.KERNEL_FAULT] += 1
            flow = int(chunks["stream"][row]) >> 1
            self._tables.flows["flags"][flow] |= FlowFlag.FAULT
            self._tables.http_flows["serial"][flow] = 0  # what follows is read as if the connection began here
            self._tables.http_streams["hold"][2 * flow : 2 * flow + 2] = 0
            return row + 1
