"""Requests and misses by client: in: transactions and entities; out: counts, and a row for each miss.

The one law: a client's first miss is the first since it had none that counted.
"""

import numpy as np

from sensor._jit import I32s, U32s, inline_kernel, kernel
from sensor.schema import TRANSACTION, TransactionFlag
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.hashing import mix
from sensor.structures.string_pool_kernels import ENTRY

CLIENT = np.dtype([("generation", "u4"), ("first_ts", "i8")], align=True)
"""Of a client: when the misses that are counted began."""
MISS = np.dtype([("target", "u8"), ("client", "i4"), ("place", "i4"), ("is_suspect", "i4")], align=True)


@inline_kernel
def _is_missing(transaction, status, endpoint, granted, generations):
    """Whether a request asked for what is not there, as far as anyone can tell: many servers refuse whoever shows no
    credential before they look, so it is not there either what nobody was ever granted.
    """
    absent = status == 405 or status == 410 or status == 501 or status == 400
    stranger = transaction["user"] == 0 and transaction["flags"] & TransactionFlag.LOGIN == 0
    unknown = endpoint == 0 or granted[endpoint] != generations[endpoint]
    refused = (status == 401 or status == 403) and stranger and unknown
    return status == 404 or (absent and endpoint == 0) or refused


@kernel
def count_misses(
    transactions: TRANSACTION, entities: ENTITIES, strings: ENTRY, start: int, stop: int, requests: I32s,
    misses: I32s, misses_before: I32s, clients: CLIENT, suspect_misses: int, granted: U32s, generations: U32s,
    out: MISS,
) -> int:  # fmt: skip
    """Count transactions from `start` to `stop` by client, and write the misses to `out`, which has room for all;
    returns how many. `misses` are those of the present step, `misses_before` those of the longest span before it;
    `granted` has the generation of endpoints that somebody got something from.
    """
    found = 0
    for i in range(start, stop):
        client, endpoint = np.int64(entities[i]["client"]), np.int64(entities[i]["endpoint"])
        status = np.int64(transactions[i]["status_code"])
        requests[client] += 1
        if 200 <= status < 400:
            if endpoint != 0:
                granted[endpoint] = generations[endpoint]
            continue
        if not _is_missing(transactions[i], status, endpoint, granted, generations):
            continue
        before = np.int64(misses[client]) + np.int64(misses_before[client])
        if before == 0:
            clients[client]["first_ts"] = transactions[i]["ts"]
        misses[client] += 1
        miss = out[found]
        host = strings[np.int64(transactions[i]["host"])]["hash"]
        miss["target"] = mix(host, strings[np.int64(transactions[i]["uri"])]["hash"])
        miss["client"] = client
        miss["place"] = i
        miss["is_suspect"] = before + 1 >= suspect_misses
        found += 1
    return found
