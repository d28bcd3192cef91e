"""Services that take no connections any more: in: flows that ended and transactions; out: hits, down and recovered.

A service is a TCP port of a host. Of each is known that it answered, and, in a Bloom filter, whom. The one law: what is
refused to those whom the service never answered says nothing of it: they may be scanners, or have no way through a
firewall.
"""

from enum import IntEnum

import numpy as np

from sensor._jit import F64s, I32s, I64s, U64s, inline_kernel, kernel, part_kernel
from sensor.schema import FLOW, STREAM, TRANSACTION, ConnState, EndReason, Proto, TcpFlag
from sensor.structures.entity_table_kernels import ENTITY, find, touch
from sensor.structures.entity_tables import ENTITIES
from sensor.structures.hashing import mix

_ZERO, _ONE = np.uint64(0), np.uint64(1)
WORDS = 16
"""Words of a service's filter: 1,024 bits."""

SERVICE = np.dtype(
    [
        ("answers", "i8"),
        ("answered_ts", "i8"),     # begin of the latest connection or request that was answered
        ("first_ts", "i8"),        # begin of the first attempt in vain since then
        ("reported_now", "i8"),
        ("run_now", "i8"),         # packet time at which it was told to be down, 0 while it is not
        ("clients", "u8"),         # bits of those who tried in vain
        ("failed", "i4"),          # attempts in vain, one behind the other
        ("refused", "i4"),         # of them, answered with a reset
        ("known", "i4"),           # bits set in its filter
    ],
    align=True,
)
HIT = np.dtype(
    [("hi", "u8"), ("lo", "u8"), ("port", "i8"), ("now", "i8"), ("first_ts", "i8"), ("last_ts", "i8"),
     ("run_now", "i8"), ("failed", "i8"), ("refused", "i8"), ("clients", "i8"), ("recovered", "i8")]
)  # fmt: skip


class Threshold(IntEnum):
    KNOWN = 0
    FAILED = 1
    LASTING_NS = 2
    REPORT_NS = 3
    ALONE_TIMES = 4


class Progress(IntEnum):
    ROW = 0
    HITS = 1
    FLOW = 2         # the next flow to look at
    TRANSACTION = 3  # the next transaction


@part_kernel
def _hit(hits, progress, entity, service, now, last_ts, recovered):
    hit = hits[progress[Progress.HITS]]
    progress[Progress.HITS] += 1
    hit["hi"], hit["lo"], hit["port"] = entity["key0"], entity["key1"], entity["key2"]
    hit["now"], hit["first_ts"], hit["last_ts"] = now, service["first_ts"], last_ts
    hit["run_now"], hit["failed"], hit["refused"] = service["run_now"], service["failed"], service["refused"]
    hit["recovered"] = recovered
    count, bits = 0, service["clients"]
    while bits != 0:
        bits &= bits - _ONE
        count += 1
    hit["clients"] = count


@inline_kernel
def _clear(service):
    service["failed"] = 0
    service["refused"] = 0
    service["clients"] = 0
    service["run_now"] = 0
    service["reported_now"] = 0


@part_kernel
def _row_of(table, slots, use, seeds, services, filters, hi, lo, port):
    """The service's row, cleared when it is new."""
    touched = touch(table, slots, use, seeds, hi, lo, port, _ZERO)
    if touched >= 0:
        return touched
    row = -1 - touched
    _clear(services[row])
    services[row]["answers"] = 0
    services[row]["answered_ts"] = 0
    services[row]["known"] = 0
    for i in range(row * WORDS, (row + 1) * WORDS):
        filters[i] = 0
    return row


@inline_kernel
def _place(row, client):
    """Word and bit of a client in the service's filter."""
    return row * WORDS + np.int64(client >> np.uint64(60)), _ONE << (client >> np.uint64(50) & np.uint64(63))


@part_kernel
def _answered(service, row, filters, client, begun, now, table, hits, progress):
    """The service answered a connection, or a request, that began at `begun`."""
    service["answers"] += 1
    service["answered_ts"] = max(service["answered_ts"], begun)
    word, bit = _place(row, client)
    if filters[word] & bit == 0:
        filters[word] |= bit
        service["known"] += 1
    if service["failed"] > 0 and begun > service["first_ts"]:
        if service["run_now"] != 0:
            _hit(hits, progress, table[row], service, now, begun, 1)
        _clear(service)


@inline_kernel
def _is_enough(service, limits):
    """Whether so many were refused, or went unanswered, that the service is down: several clients, or the only one."""
    bits = service["clients"]
    alone = bits & (bits - _ONE) == 0
    if alone and service["known"] > 1:
        return False
    return service["failed"] >= limits[Threshold.FAILED] * (limits[Threshold.ALONE_TIMES] if alone else 1.0)


@part_kernel
def _failed(flow, service, row, filters, client, table, limits, hits, progress):
    """A connection was refused, or nobody answered."""
    word, bit = _place(row, client)
    begun, now = np.int64(flow["start_ts"]), np.int64(flow["end_now"])
    if service["answers"] < limits[Threshold.KNOWN] or filters[word] & bit == 0 or begun <= service["answered_ts"]:
        return
    if service["failed"] == 0:
        service["first_ts"] = begun
    service["failed"] += 1
    service["refused"] += flow["conn_state"] == ConnState.REJ
    service["clients"] |= _ONE << (client >> np.uint64(50) & np.uint64(63))
    lasted = begun - np.int64(service["first_ts"])
    if not _is_enough(service, limits) or lasted < limits[Threshold.LASTING_NS]:
        return
    if now - service["reported_now"] >= limits[Threshold.REPORT_NS]:
        if service["run_now"] == 0:
            service["run_now"] = now
        service["reported_now"] = now
        _hit(hits, progress, table[row], service, now, begun, 0)


@inline_kernel
def _outcome(flow, originator, responder):
    """1 when a connection was answered, -1 when it was tried in vain, 0 when that cannot be told."""
    if flow["proto"] != Proto.TCP:
        return 0
    if responder["payload_bytes"] > 0 or np.int64(responder["tcp_flags"]) & TcpFlag.SYN != 0:
        return 1
    if np.int64(originator["tcp_flags"]) & TcpFlag.SYN == 0 or flow["end_reason"] == EndReason.EVICTED:
        return 0
    waited = flow["end_reason"] != EndReason.CAPTURE_END
    return -1 if flow["conn_state"] == ConnState.REJ or (flow["conn_state"] == ConnState.S0 and waited) else 0


@kernel
def find_refusals(
    flows: FLOW, streams: STREAM, transactions: TRANSACTION, entities: ENTITIES, start: int,
    table: ENTITY, slots: U64s, use: I64s, seeds: U64s, services: SERVICE, filters: U64s, service_of: I32s,
    limits: F64s, hits: HIT, progress: I64s,
) -> int:  # fmt: skip
    """Look at flows and transactions, those that came first first, from the `start`th on; returns the one to go on
    with. `service_of` is 1 + the service of each row of the servers' table.
    """
    progress[Progress.HITS] = 0
    for step in range(start, len(flows) + len(transactions)):
        progress[Progress.ROW] = step
        if progress[Progress.HITS] == len(hits):
            return step
        f, t = progress[Progress.FLOW], progress[Progress.TRANSACTION]
        if t < len(transactions) and (f == len(flows) or transactions[t]["now"] <= flows[f]["end_now"]):
            progress[Progress.TRANSACTION] += 1
            transaction = transactions[t]
            if transaction["status_code"] == 0:
                continue
            hi, lo, port = transaction["server_hi"], transaction["server_lo"], np.uint64(transaction["server_port"])
            server = np.int64(entities[t]["server"])
            row = np.int64(service_of[server]) - 1
            if row < 0 or table[row]["key1"] != lo or table[row]["key0"] != hi or table[row]["key2"] != port:
                row = _row_of(table, slots, use, seeds, services, filters, hi, lo, port)
                service_of[server] = row + 1
            client = mix(transaction["peer_hi"], transaction["peer_lo"])
            now, begun = np.int64(transaction["now"]), np.int64(transaction["ts"])
            _answered(services[row], row, filters, client, begun, now, table, hits, progress)
            continue
        progress[Progress.FLOW] += 1
        flow = flows[f]
        outcome = _outcome(flow, streams[2 * f], streams[2 * f + 1])
        if outcome == 0:
            continue
        hi, lo, port = flow["resp_hi"], flow["resp_lo"], np.uint64(flow["resp_port"])
        client = mix(flow["orig_hi"], flow["orig_lo"])
        if outcome > 0:
            row = _row_of(table, slots, use, seeds, services, filters, hi, lo, port)
            begun, now = np.int64(flow["start_ts"]), np.int64(flow["end_now"])
            _answered(services[row], row, filters, client, begun, now, table, hits, progress)
            continue
        row = find(table, slots, seeds, hi, lo, port, _ZERO)
        if row >= 0:
            _failed(flow, services[row], row, filters, client, table, limits, hits, progress)
    return len(flows) + len(transactions)
