"""Answers by server and endpoint: in: transactions and entities; out: counts by kind of error, a row for each error.

The one law: what a broken mirror hides is no error: an answer that is missing counts only where nothing was lost.
"""

import numpy as np

from sensor._jit import Bytes, F64s, I32s, I64s, inline_kernel, kernel, part_kernel
from sensor.schema import TRANSACTION, Anomaly, TransactionFlag
from sensor.structures.entity_tables import ENTITIES

DOWN = 5
"""Kinds below are 4xx, 5xx, 401, 403, 429; this is 502, 503, 504 or no answer."""
REQUESTS = DOWN + 1
WIDTH = 8
"""Counts of a row."""
NAME_SERVER, NAME_ENDPOINT = 1, 2
LOST = (
    Anomaly.REQUEST_GAP | Anomaly.RESPONSE_GAP | Anomaly.MIDSTREAM | Anomaly.PAIRING_AMBIGUOUS
    | Anomaly.REQUEST_RESET | Anomaly.REQUEST_UNFINISHED
)  # fmt: skip

USUAL = np.dtype([("generation", "u4"), ("requests", "f8"), ("errors", "f8", (REQUESTS,))], align=True)
"""Of a row: requests and errors by kind that make its usual shares."""
USUAL_WIDTH = USUAL.itemsize // 8
"""The same as float64, of which the first means nothing."""

ERROR = np.dtype(
    [
        ("place", "i4"),     # of the batch's transactions
        ("server", "i4"),
        ("endpoint", "i4"),
        ("client", "i4"),
        ("kind", "i4"),
        ("wants", "i4"),     # which of them failed often enough to be told of, and has no name yet
    ],
    align=True,
)


@inline_kernel
def _kind_of(status):
    if status == 401:
        return 2
    if status == 403:
        return 3
    if status == 429:
        return 4
    if status < 500:
        return 0 if status >= 400 else DOWN
    return 1 if status < 600 else DOWN


@inline_kernel
def _is_unanswered(transaction):
    """Whether a request had no answer, though nothing of it was lost."""
    flags = np.int64(transaction["flags"])
    seen = flags & TransactionFlag.REQUEST != 0 and flags & TransactionFlag.TOUCHED == 0
    return seen and transaction["anomalies"] & np.uint64(LOST) == 0


@part_kernel
def _note(cells, present, down_requests, named, row, kind, is_down, errors_min):
    """Count an error; whether the row is to be named now: only one with so many errors in the window, or without
    answers for longer, is ever told of.
    """
    base = present + row * WIDTH
    if kind != DOWN:
        cells[base + kind] += 1
    if is_down:
        cells[base + DOWN] += 1
    if named[row] != 0:
        return False
    if not is_down or (down_requests[row] == 0 and cells[base + DOWN] < 2):
        errors, step = 0, len(named) * WIDTH
        for first in range(row * WIDTH, len(cells), step):
            for i in range(first, first + DOWN):
                errors += cells[i]
        if errors < errors_min:
            return False
    named[row] = 1
    return True


@kernel
def count_answers(
    transactions: TRANSACTION, entities: ENTITIES, start: int, stop: int,
    servers: I32s, server_step: int, servers_down: I64s, servers_named: Bytes,
    endpoints: I32s, endpoint_step: int, endpoints_down: I64s, endpoints_named: Bytes,
    errors_min: int, errors: ERROR,
) -> int:  # fmt: skip
    """Count transactions from `start` to `stop` in the cells of their servers and endpoints, WIDTH a row for each step,
    the present one's from `server_step` and `endpoint_step` on; writes the errors to `errors`, which has room for all;
    returns how many.
    """
    found = 0
    for i in range(start, stop):
        server, endpoint = np.int64(entities[i]["server"]), np.int64(entities[i]["endpoint"])
        servers[server_step + server * WIDTH + REQUESTS] += 1
        endpoints[endpoint_step + endpoint * WIDTH + REQUESTS] += 1
        status = np.int64(transactions[i]["status_code"])
        if 0 < status < 400 or (status == 0 and not _is_unanswered(transactions[i])):
            continue
        kind, is_down = _kind_of(status), status == 0 or 502 <= status <= 504
        error = errors[found]
        error["place"] = i
        error["server"] = server
        error["endpoint"] = endpoint
        error["client"] = entities[i]["client"]
        error["kind"] = kind
        error["wants"] = 0
        if _note(servers, server_step, servers_down, servers_named, server, kind, is_down, errors_min):
            error["wants"] |= NAME_SERVER
        if _note(endpoints, endpoint_step, endpoints_down, endpoints_named, endpoint, kind, is_down, errors_min):
            error["wants"] |= NAME_ENDPOINT
        found += 1
    return found


@kernel
def look_back(
    cells: I32s, present: int, rows: int, down_requests: I64s, down_since: I64s, began: int, down_share: float,
    least: int, active: I32s, progress: I64s,
) -> int:  # fmt: skip
    """At the end of a step that begins at `present` in the cells: note which of the first `rows` rows answer no more.

    Writes those with requests to `active`, returns how many; progress[0] is how many rows were silent for `least`
    requests.
    """
    found = 0
    progress[0] = 0
    for row in range(rows):
        base = present + row * WIDTH
        requests = np.int64(cells[base + REQUESTS])
        if requests > 0:
            active[found] = row
            found += 1
            if cells[base + DOWN] < down_share * requests:
                down_requests[row] = 0
            else:
                if down_requests[row] == 0:
                    down_since[row] = began
                down_requests[row] += requests
        progress[0] += down_requests[row] >= least
    return found


@kernel
def grow_old(
    cells: I32s, oldest: int, rows: int, troubled: I64s, well_since: int, usual: F64s, keep: float
) -> None:
    """Let the step that begins at `oldest` in the cells become part of what is usual for the first `rows` rows, but not
    for those in trouble since `well_since`; its cells are empty then.
    """
    for row in range(rows):
        base = oldest + row * WIDTH
        if cells[base + REQUESTS] == 0:
            continue
        if troubled[row] < well_since:
            mine = row * USUAL_WIDTH + 1
            usual[mine] = usual[mine] * keep + cells[base + REQUESTS]
            for kind in range(REQUESTS):
                usual[mine + 1 + kind] = usual[mine + 1 + kind] * keep + cells[base + kind]
        for i in range(base, base + WIDTH):
            cells[i] = 0
