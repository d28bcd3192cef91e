"""Which transactions show something about a server that is worth a closer look: in: transactions and entities; out: a
few rows, with why.

The one law: an endpoint, a server or an answer is looked at a bounded number of times, counted transaction by
transaction, so that it costs nothing once it is known and does not depend on batches.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import I64s, U32s, inline_kernel, kernel
from sensor.schema import CONTENT, TRANSACTION, Anomaly, TransactionFlag
from sensor.structures.entity_tables import ENTITIES

SHOWN = np.dtype(
    [
        ("owner", "u4"),    # generation of the endpoint whose this is
        ("granted", "u4"),  # answers of 2xx to requests with a credential
        ("open", "u4"),     # ... without one
        ("refused", "u4"),  # requests without a credential that were refused
        ("looked", "u4"),   # times its path or answer was looked at
        ("errors", "u4"),   # times an error answer was
    ],
    align=True,
)
"""What an endpoint has shown so far."""
OPEN_LOOKS = 8
ERROR_LOOKS = 32
_CUT = np.uint64(Anomaly.REQUEST_GAP | Anomaly.HEAD_TOO_LARGE)
"""Of requests whose credentials may not have been seen."""
GRANTED_MIN = 20
"""Answers to those with a credential that make one of an endpoint that wants one."""


class Look(IntEnum):
    OPEN = 1        # something answered 2xx without a credential: what is it?
    ERROR = 2       # an error answer with a body: does it hold a stack trace?
    SERVER = 4      # a server's first answer: what does it say it is?
    MISSING = 8     # an answer without a credential where others need one


class Progress(IntEnum):
    ROW = 0
    HITS = 1


@inline_kernel
def _bit(condition, bit):
    return np.int64(bit) if condition else np.int64(0)


@kernel
def find_shown(
    transactions: TRANSACTION, entities: ENTITIES, contents: CONTENT, start: int,
    shown: SHOWN, generations: U32s, servers: U32s, server_generations: U32s,
    hits: I64s, progress: I64s,
) -> int:  # fmt: skip
    """Look at transactions from row `start` on; returns the row to go on with. A hit is 16 * row + Look bits."""
    progress[Progress.HITS] = 0
    for row in range(start, len(transactions)):
        progress[Progress.ROW] = row
        if progress[Progress.HITS] == len(hits):
            return row
        transaction = transactions[row]
        status = np.int64(transaction["status_code"])
        look = np.int64(0)
        server = np.int64(entities[row]["server"])
        if servers[server] != server_generations[server] and contents[row]["response_head_len"] > 0:
            servers[server] = server_generations[server]
            look |= np.int64(Look.SERVER)
        place = np.int64(entities[row]["endpoint"])
        if place > 0 and status != 0 and (transaction["user"] != 0 or transaction["anomalies"] & _CUT == 0):
            endpoint = shown[place]
            if endpoint["owner"] != generations[place]:
                endpoint["owner"] = generations[place]
                endpoint["granted"] = 0
                endpoint["open"] = 0
                endpoint["refused"] = 0
                endpoint["looked"] = 0
                endpoint["errors"] = 0
            anonymous = transaction["user"] == 0 and transaction["account"] == 0
            if status >= 400:
                if anonymous and (status == 401 or status == 403):
                    endpoint["refused"] += 1
                if contents[row]["response_body_len"] > 0 and endpoint["errors"] < ERROR_LOOKS:
                    endpoint["errors"] += 1
                    look |= np.int64(Look.ERROR)
            elif 200 <= status < 300:
                if not anonymous:
                    endpoint["granted"] += 1
                else:
                    endpoint["open"] += 1
                    if endpoint["looked"] < OPEN_LOOKS:
                        endpoint["looked"] += 1
                        look |= np.int64(Look.OPEN)
                    login = transaction["flags"] & (TransactionFlag.LOGIN | TransactionFlag.REFRESH) != 0
                    wanted = endpoint["granted"] >= GRANTED_MIN and endpoint["refused"] > 0
                    if wanted and not login and 20 * endpoint["open"] <= endpoint["granted"]:
                        look |= np.int64(Look.MISSING)
        if look != 0:
            hits[progress[Progress.HITS]] = 16 * row + look
            progress[Progress.HITS] += 1
    return len(transactions)
