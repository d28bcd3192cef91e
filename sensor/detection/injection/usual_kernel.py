"""What answers of an endpoint are usually like: in: transactions and their entities; out: a row for each endpoint.

Size and latency as logarithms to base 2 with their mean deviations, and how many were errors of the server. The one
law: rows are learnt in order, each once, so that a row is judged by those before it alone.
"""

import numpy as np

from sensor._jit import U32s, kernel
from sensor.schema import TRANSACTION
from sensor.structures.entity_tables import ENTITIES

USUAL = np.dtype(
    [
        ("generation", "u4"),
        ("answers", "u4"),
        ("errors", "u4"),      # of them with status 500 or above
        ("size", "f4"),        # mean of log2(1 + response body bytes)
        ("size_spread", "f4"), # mean absolute deviation from it
        ("wait", "f4"),        # mean of log2(1 + microseconds between request and response)
        ("wait_spread", "f4"),
    ],
    align=True,
)


@kernel
def learn(
    transactions: TRANSACTION, entities: ENTITIES, start: int, stop: int, generations: U32s, usual: USUAL
) -> None:
    """Add the answers of rows start to stop - 1 to what is usual for their endpoints."""
    for i in range(start, stop):
        row = transactions[i]
        if row["status_code"] == 0 or row["response_ts"] == 0:
            continue
        endpoint = np.int64(entities[i]["endpoint"])
        case = usual[endpoint]
        if np.int64(case["generation"]) != np.int64(generations[endpoint]):
            case["generation"] = generations[endpoint]
            case["answers"] = 0
            case["errors"] = 0
            case["size_spread"] = 0.0
            case["wait_spread"] = 0.0
            case["size"] = 0.0
            case["wait"] = 0.0
        case["answers"] += 1
        if row["status_code"] >= 500:
            case["errors"] += 1
        share = max(1.0 / np.float64(case["answers"]), 1.0 / 64)
        size = np.log2(1.0 + max(np.float64(row["response_body_len"]), 0.0))
        wait = np.log2(1.0 + max(np.float64(row["response_ts"] - row["request_end_ts"]), 0.0) / 1000)
        case["size_spread"] += share * (abs(size - case["size"]) - case["size_spread"])
        case["size"] += share * (size - case["size"])
        case["wait_spread"] += share * (abs(wait - case["wait"]) - case["wait_spread"])
        case["wait"] += share * (wait - case["wait"])
