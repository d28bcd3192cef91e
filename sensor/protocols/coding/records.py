"""Choosing which coded bodies are decoded, and counting records: in: the rows of a part; out: the next row worth a call
of a library, and what is known of the others.

The one law: the count of a decoded body is that of the same body sent in plain, as http1/records.py has it; one that is
left out is given the records that its endpoint's decoded answers had for each coded byte.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import Bytes, F64s, I64s, U64s, inline_kernel, kernel
from sensor.protocols.http1.answers import ANSWER_BYTES_MAX, read_answer
from sensor.protocols.http1.records import count_records, records_of, start_records
from sensor.protocols.http1.tables import HTTP_STREAM
from sensor.protocols.http1.words import find_folded, folded
from sensor.schema import CONTENT, TRANSACTION, ContentFlag, TransactionFlag
from sensor.structures.string_pool_kernels import ENTRY

_CODED = ContentFlag.REQUEST_CODED | ContentFlag.RESPONSE_CODED
_JSON = folded("json")


class Budget(IntEnum):
    """`budget[...]`: nanoseconds of work that the bodies of each side may still take."""

    REQUEST = 0
    RESPONSE = 1
    NOW = 2         # packet time when they were filled last, 0 before
    ROWS = 3        # transactions of the run until then
    PER_NS = 4      # what a nanosecond of packet time adds
    PER_ROW = 5     # what a transaction adds
    MOST = 6


class Next(IntEnum):
    """`chosen[...]`: what is to be done with the row."""

    REQUEST = 0     # 1 when the request's body is to be decoded
    RESPONSE = 1
    JSON = 2        # 1 when the response's records are to be counted
    SHED = 3        # bodies left out so far


@inline_kernel
def _fill(budget, now, rows):
    gained = 0.0
    if budget[Budget.NOW] > 0:
        gained = max(now - budget[Budget.NOW], 0.0) * budget[Budget.PER_NS]
        gained += (rows - budget[Budget.ROWS]) * budget[Budget.PER_ROW]
    budget[Budget.REQUEST] = min(budget[Budget.REQUEST] + gained, budget[Budget.MOST])
    budget[Budget.RESPONSE] = min(budget[Budget.RESPONSE] + gained, budget[Budget.MOST])
    budget[Budget.NOW] = max(now, budget[Budget.NOW])
    budget[Budget.ROWS] = rows


@inline_kernel
def _slot(keys, key):
    """Where a key is, or would be."""
    mask = len(keys) - 1
    slot = np.int64(key & np.uint64(mask))
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def next_coded(
    transactions: TRANSACTION, contents: CONTENT, start: int, rows_before: int, budget: F64s,
    entries: ENTRY, strings: Bytes, keys: U64s, ratios: F64s, chosen: I64s,
) -> int:  # fmt: skip
    """The first row from `start` on with a body to be decoded, or the number of rows; what is left out on the way has
    its bytes taken away. `ratios` are records per coded byte of the endpoints whose hashes are `keys`.
    """
    for row in range(start, len(contents)):
        content = contents[row]
        if content["flags"] & _CODED == 0:
            continue
        transaction = transactions[row]
        _fill(budget, np.float64(transaction["now"]), np.float64(rows_before + row))
        kind = entries[np.int64(transaction["response_content_type"])]
        begin, size = np.int64(kind["start"]), np.int64(kind["length"])
        coded = content["flags"] & ContentFlag.RESPONSE_CODED != 0
        chosen[Next.JSON] = coded and size > 0 and find_folded(strings, begin, begin + size, _JSON) >= 0
        chosen[Next.REQUEST] = content["flags"] & ContentFlag.REQUEST_CODED != 0 and budget[Budget.REQUEST] > 0
        chosen[Next.RESPONSE] = coded and budget[Budget.RESPONSE] > 0
        if content["flags"] & ContentFlag.REQUEST_CODED != 0 and chosen[Next.REQUEST] == 0:
            content["request_body_len"] = 0
            chosen[Next.SHED] += 1
        if coded and chosen[Next.RESPONSE] == 0:
            content["response_body_len"] = 0
            chosen[Next.SHED] += 1
            slot = _slot(keys, entries[np.int64(transaction["endpoint"])]["hash"])
            if chosen[Next.JSON] != 0 and keys[slot] != 0:
                transaction["records"] = np.int64(ratios[slot] * transaction["response_body_len"] + 0.5)
        if chosen[Next.REQUEST] != 0 or chosen[Next.RESPONSE] != 0:
            return row
    return len(contents)


@kernel
def read_login(numbers: I64s, transactions: TRANSACTION, row: int, data: Bytes, start: int, stop: int) -> int:
    """Look at the decoded answer of a row, data[start:stop], if it answers a login or a refresh; 1 when it does.
    `numbers` holds the key of fingerprints.
    """
    transaction = transactions[row]
    asked = transaction["flags"] & (TransactionFlag.LOGIN | TransactionFlag.REFRESH) != 0
    status = np.int64(transaction["status_code"])
    basic = transaction["account"] != 0 and transaction["account"] == transaction["user"]
    if not asked or basic or not (200 <= status < 300 or 400 <= status < 500):
        return 0
    read_answer(numbers, data, start, min(stop, start + ANSWER_BYTES_MAX), transaction)
    return 1


@kernel
def learn_ratio(keys: U64s, ratios: F64s, key: np.uint64, ratio: float) -> int:
    """Note the records per coded byte of an endpoint's answer; 1 when the endpoint is new."""
    slot = _slot(keys, key)
    if keys[slot] != 0:
        ratios[slot] += (ratio - ratios[slot]) / 8
        return 0
    keys[slot] = key
    ratios[slot] = ratio
    return 1


@kernel
def count_json(stream: HTTP_STREAM, data: Bytes, start: int, stop: int) -> int:
    """Records in data[start:stop]; stream[0] is used for counting."""
    start_records(stream[0], True)
    count_records(stream[0], data, start, stop)
    return records_of(stream[0], stop - start)
