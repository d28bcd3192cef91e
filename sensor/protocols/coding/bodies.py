"""Undoing the codings of bodies: in: the transactions, contents and arena of a part; out: the same with plain bodies.

Libraries do the work, one call a body and layer, under a budget. The one law: what is done depends on the transactions
and on packet time alone, never on how they were cut into batches; a body that is left out loses its bytes, keeps its
flag and is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.counters import Counters
from sensor.limits import BODY_BYTES_MAX, BOMB_BYTES, BOMB_RATIO, DECODED_BYTES, RECORD_BYTES
from sensor.protocols.coding.decoders import decoders
from sensor.protocols.coding.records import Budget, Next, count_json, learn_ratio, next_coded, read_login
from sensor.protocols.http1.tables import HTTP_STREAM, NUMBERS, Scalar
from sensor.schema import Anomaly, ContentFlag
from sensor.structures.string_pool import PoolTables

Table = npt.NDArray[np.void]
Bytes = npt.NDArray[np.uint8]

CALL_NS = 8_000
"""What one body costs, beside its bytes: measured, and taken as it is so that the same bodies are always left out."""
BYTE_NS = 3.0
BURST_NS = 5_000_000
"""What may be saved up."""
TRANSACTION_NS = 50
"""What each transaction adds to the budget, however dense they are in packet time."""
ENDPOINTS_MAX = 4_096
"""Endpoints of whose answers it is known how many records they have for a coded byte; all begin anew beyond it."""


class _Side(NamedTuple):
    """What the two sides of a transaction differ in: names of columns, flags, whose budget it is."""

    offset: str
    length: str
    coding: str
    coded: int
    cut: int
    bomb: int
    anomaly: int
    budget: int


_REQUEST = _Side(
    "request_body_offset", "request_body_len", "request_coding", ContentFlag.REQUEST_CODED, ContentFlag.REQUEST_CUT,
    ContentFlag.REQUEST_BOMB, Anomaly.REQUEST_BOMB, Budget.REQUEST,
)  # fmt: skip
_RESPONSE = _Side(
    "response_body_offset", "response_body_len", "response_coding", ContentFlag.RESPONSE_CODED,
    ContentFlag.RESPONSE_CUT, ContentFlag.RESPONSE_BOMB, Anomaly.RESPONSE_BOMB, Budget.RESPONSE,
)  # fmt: skip


class _Plain(NamedTuple):
    """`content`: what a body holds; `used`: coded bytes it came from; `ratio`: plain bytes for one of those."""

    content: bytes
    used: int
    sound: bool
    ratio: float


class Count(IntEnum):
    DECODED = 0
    DECODED_BYTES = 1
    SHED = 2           # bodies left coded for want of budget
    UNSUPPORTED = 3    # ... because no library here undoes their coding
    DAMAGED = 4
    BOMBS = 5


class Bodies:
    """Decodes into the last DECODED_BYTES of the arena; `pool` holds the strings of the transactions. Answers to logins
    are read with `key`, that of the fingerprints.
    """

    def __init__(self, budget_ms_per_second: float, pool: PoolTables, key: bytes) -> None:
        self.counters = Counters(Count)
        self.wanted = (0, 0)
        self._decoders = decoders()
        self._pool = pool
        self._budget = np.zeros(len(Budget), np.float64)
        self._budget[Budget.PER_NS] = budget_ms_per_second / 1_000
        if budget_ms_per_second > 0:
            self._budget[Budget.PER_ROW] = TRANSACTION_NS
            self._budget[[Budget.REQUEST, Budget.RESPONSE, Budget.MOST]] = BURST_NS
        self._chosen = np.zeros(len(Next), np.int64)
        self._keys = np.zeros(8 * ENDPOINTS_MAX, np.uint64)
        self._ratios = np.zeros(8 * ENDPOINTS_MAX, np.float64)
        self._endpoints = 0
        self._stream = np.zeros(1, HTTP_STREAM)
        self._rows = 0
        self._numbers = np.zeros(NUMBERS, np.int64)
        self._numbers[Scalar.KEY_LOW : Scalar.KEY_HIGH + 1] = np.frombuffer(key, np.int64)

    def decode(self, transactions: Table, contents: Table, arena: Bytes) -> Iterator[int]:
        """Work through the rows; gives the row before which the part must be handed out, as often as room runs out,
        and the end of the rows.
        """
        begin = len(arena) - DECODED_BYTES
        place, row, chosen = begin, 0, self._chosen
        while row < len(transactions):
            row = next_coded(
                transactions, contents, row, self._rows, self._budget, self._pool.entries, self._pool.bytes,
                self._keys, self._ratios, chosen,
            )  # fmt: skip
            if row == len(transactions):
                break
            if place + 2 * BODY_BYTES_MAX > len(arena):
                yield row
                place = begin
            transaction, content = transactions[row], contents[row]
            if chosen[Next.REQUEST]:
                place += self._decode(_REQUEST, transaction, content, arena, place, False)
            if chosen[Next.RESPONSE]:
                kept = self._decode(_RESPONSE, transaction, content, arena, place, bool(chosen[Next.JSON]))
                if kept:
                    read_login(self._numbers, transactions, row, arena, place, place + kept)
                place += kept
            row += 1
        self.counters.values[Count.SHED] = chosen[Next.SHED]
        self._rows += len(transactions)
        yield len(transactions)

    def _decode(self, side: _Side, transaction: Any, content: Any, arena: Bytes, place: int, json: bool) -> int:
        """Put one body at arena[place:], and how long it is."""
        offset, length, total = int(content[side.offset]), int(content[side.length]), int(transaction[side.length])
        content[side.length] = 0
        wanted = self.wanted[side.budget]
        coded, coding = arena[offset : offset + length].tobytes(), int(content[side.coding])
        limit = max(wanted, RECORD_BYTES if json else 0)
        plain = self._undo(coded, coding, limit) if limit else None
        if plain is None:
            self.counters.values[Count.UNSUPPORTED] += 1
            return 0
        size = len(plain.content)
        self._budget[side.budget] -= CALL_NS + size * BYTE_NS
        self._count(plain)
        if size >= limit and self._is_bomb(plain, coded, coding, total, side):
            content["flags"] |= side.bomb
            transaction["anomalies"] |= np.uint64(side.anomaly)
            self.counters.values[Count.BOMBS] += 1
        arena[place : place + size] = np.frombuffer(plain.content, np.uint8)
        if json:
            transaction["records"] = self._records(arena, place, plain, total, int(transaction["endpoint"]))
        kept = min(size, wanted)
        content[side.offset], content[side.length] = place, kept
        if plain.sound and size:
            content["flags"] &= ~np.uint32(side.coded)
        if plain.used < total or kept < size:
            content["flags"] |= side.cut
        return kept

    def _undo(self, coded: bytes, coding: int, limit: int) -> _Plain | None:
        """The body behind all its codings, None when one of them is not known here."""
        chain = [self._decoders.get(coding >> shift & 15) for shift in (12, 8, 4, 0) if coding >> shift & 15]
        if not all(chain):
            return None
        content, used, sound, ratio = coded, len(coded), True, 1.0
        for number, decode in enumerate(filter(None, chain)):
            plain = decode(content, limit)
            used = plain.used if number == 0 else used
            content, sound = plain.content, sound and plain.sound
            ratio *= len(plain.content) / max(plain.used, 1)
        return _Plain(content, used, sound, ratio)

    def _is_bomb(self, plain: _Plain, coded: bytes, coding: int, total: int, side: _Side) -> bool:
        """Whether a body would decode to BOMB_BYTES at BOMB_RATIO: one that begins like that is looked into further."""
        for limit, ratio in ((BODY_BYTES_MAX, BOMB_RATIO / 8), (BOMB_BYTES, BOMB_RATIO)):
            if plain.ratio < ratio:
                return False
            if len(plain.content) < limit:
                plain = self._undo(coded, coding, limit) or plain
                self._budget[side.budget] -= len(plain.content) * BYTE_NS
        return plain.ratio >= BOMB_RATIO and max(len(plain.content), plain.ratio * total) >= BOMB_BYTES

    def _count(self, plain: _Plain) -> None:
        self.counters.values[Count.DECODED] += 1
        self.counters.values[Count.DECODED_BYTES] += len(plain.content)
        self.counters.values[Count.DAMAGED] += not plain.sound

    def _records(self, arena: Bytes, place: int, plain: _Plain, total: int, endpoint: int) -> int:
        """Records of a coded JSON body: in what was decoded, and in proportion to the coded bytes beyond it; -1 when
        nothing could be decoded.
        """
        if not plain.content:
            return -1
        records = int(count_json(self._stream, arena, place, place + len(plain.content)))
        if records > 1 and 0 < plain.used < total:
            records = min(round(records * total / plain.used), (1 << 31) - 1)
        if total and endpoint:
            if self._endpoints == ENDPOINTS_MAX:
                self._keys[:] = 0
                self._endpoints = 0
            key = self._pool.entries["hash"][endpoint]
            self._endpoints += int(learn_ratio(self._keys, self._ratios, key, records / total))
        return records
