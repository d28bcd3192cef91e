"""Which messages hold more than their endpoint has shown: in: transactions with bodies; out: rows, and counts by kind.

An endpoint is told when it first gives out or takes a kind, and again when one message holds ten times as many as any
before. The one law: a message that is left out holds nothing that would be told.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, I64s, U32s, U64s, inline_kernel, kernel, part_kernel
from sensor.detection.sensitive.kinds import KINDS, Kind
from sensor.detection.sensitive.scan import count_kinds
from sensor.schema import CONTENT, TRANSACTION, TransactionFlag
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.prefetch import AHEAD, prefetch

GROWTH = 10
_ASKED_BYTES = 512
_ISSUING = int(TransactionFlag.LOGIN | TransactionFlag.REFRESH)


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _leave_out(counts, base, side, flags):
    """Take away what is no news: numbers of another sort, what is sent to log in or given to do so, and how to reach
    the one who sends it.
    """
    if 2 * counts[base + Kind.CARD] < counts[base + Kind.CARD_LIKE]:
        counts[base + Kind.CARD] = np.uint32(0)
    counts[base + Kind.CARD_LIKE] = np.uint32(0)
    counts[base + Kind.TOKEN] = np.uint32(0)
    if side == 0 or flags & _ISSUING != 0:
        counts[base + Kind.PASSWORD] = np.uint32(0)
    if side == 0:
        for kind in (Kind.KEY, Kind.EMAIL, Kind.PHONE, Kind.LOCATION):
            counts[base + kind] = np.uint32(0)


@part_kernel
def _is_news(counts, base, most, place, owned):
    """Whether a kind is new or has grown; `most` at `place` is what one message held so far."""
    for k in range(KINDS):
        before = np.int64(most[place + k]) if owned else 0
        if counts[base + k] >= max(GROWTH * before, 1):
            return True
    return False


@inline_kernel
def _ask(arena, offset, length):
    """Ask for the first bytes of a body."""
    for place in range(offset, offset + min(length, _ASKED_BYTES), 64):
        prefetch(arena, place)


@kernel
def find_news(
    contents: CONTENT, arena: Bytes, transactions: TRANSACTION, entities: ENTITIES, generations: U32s, owners: U32s,
    most: U32s, start: int, hashes: U64s, kinds: Bytes, idle: U64s, digits: Bytes, rows: I64s, counts: U32s,
    progress: I64s, every: bool,
) -> int:  # fmt: skip
    """Look at bodies from row `start` on; returns the row to go on with. `every` body is told with all it holds, if it
    is to be, whether that is news or not.

    Hit number h is of the request (side 0) or response (side 1) of row rows[h] >> 1, its side rows[h] & 1, and holds
    counts[KINDS * h + kind] of each kind. most[KINDS * (2 * endpoint + side) + kind] is what one message of the
    endpoint held so far, while owners[endpoint] is its generation. `hashes` and `kinds` are those of name_table();
    `idle` uint64[IDLE_NAMES] remembers names that say nothing.
    """
    hits = 0
    for row in range(start, len(contents)):
        progress[Progress.ROW] = row
        progress[Progress.HITS] = hits
        if hits + 2 > len(rows):
            return row
        if row + AHEAD < len(contents):
            later = contents[row + AHEAD]
            _ask(arena, np.int64(later["request_body_offset"]), np.int64(later["request_body_len"]))
            _ask(arena, np.int64(later["response_body_offset"]), np.int64(later["response_body_len"]))
        content = contents[row]
        endpoint = np.int64(entities[row]["endpoint"])
        if not every and (endpoint <= 0 or transactions[row]["status_code"] >= 400):
            continue
        owned = not every and owners[endpoint] == generations[endpoint]
        for side in range(2):
            offset = content["request_body_offset"] if side == 0 else content["response_body_offset"]
            length = np.int64(content["request_body_len"] if side == 0 else content["response_body_len"])
            if length == 0:
                continue
            base = KINDS * hits
            for k in range(KINDS):
                counts[base + k] = np.uint32(0)
            count_kinds(arena, offset, offset + length, hashes, kinds, idle, digits, counts, base)
            if not every:
                _leave_out(counts, base, side, np.int64(transactions[row]["flags"]))
            if _is_news(counts, base, most, KINDS * (2 * endpoint + side), owned):
                rows[hits] = 2 * row + side
                hits += 1
    progress[Progress.HITS] = hits
    return len(contents)
