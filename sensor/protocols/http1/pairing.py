"""Which request a response answers: in: both directions' messages with their stream offsets; out: finished transactions.

Without loss responses answer requests in order (RFC 9112, 9.3.2). After a loss TCP itself tells: a client that waits for its answer
has acknowledged everything before it, so the answer begins exactly where the request's acknowledgement points; and a server cannot
answer what it has not acknowledged. The one law: when that leaves a choice, nothing is paired.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.tables import OPEN_PER_FLOW_MAX, OPEN_STACK, WAITING_MAX, Count, Scalar
from sensor.schema import Anomaly, FlowFlag, TransactionFlag

_BOTH_HEADS = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
_DEGRADED = FlowFlag.EVICTED | FlowFlag.FAULT
_ALL = _BOTH_HEADS | TransactionFlag.REQUEST_DONE | TransactionFlag.RESPONSE_DONE


@part_kernel
def finish_row(t, message):
    """Hand an open transaction out and free its row."""
    row = t.open[message]
    flags = np.int64(row["flags"])
    if flags & TransactionFlag.REQUEST == 0:
        row["anomalies"] |= np.uint64(Anomaly.REQUEST_MISSING)
        t.numbers[Count.RESPONSES_UNPAIRED] += 1
    elif flags & TransactionFlag.RESPONSE == 0:
        row["anomalies"] |= np.uint64(Anomaly.RESPONSE_MISSING)
        t.numbers[Count.REQUESTS_UNANSWERED] += 1
    if t.flows[t.links[message]["flow"]]["flags"] & _DEGRADED != 0:
        row["flags"] = row["flags"] | TransactionFlag.TOUCHED
    row["now"] = t.numbers[Scalar.NOW]
    t.rows[t.numbers[Scalar.ROWS]] = row
    t.numbers[Scalar.ROWS] += 1
    t.numbers[Count.TRANSACTIONS] += 1
    row["flags"] = 0
    t.free[OPEN_STACK + t.numbers[Scalar.OPEN_FREE]] = message
    t.numbers[Scalar.OPEN_FREE] += 1


@inline_kernel
def detach(t, flow_row, message):
    """No stream may go on filling a row that is handed out."""
    for stream_row in (2 * flow_row, 2 * flow_row + 1):
        if t.http_streams[stream_row]["message"] == message:
            t.http_streams[stream_row]["message"] = -1


@inline_kernel
def finish_if_done(t, message):
    """Hand a paired transaction out once both of its messages are over."""
    if t.open[message]["flags"] & _ALL == _ALL:
        finish_row(t, message)


@part_kernel
def drop_first(t, flow_row):
    """Hand the oldest request out without a response."""
    flow = t.http_flows[flow_row]
    message = np.int64(flow["first"])
    flow["first"] = t.links[message]["next"]
    flow["queued"] -= 1
    if flow["first"] < 0:
        flow["last"] = -1
    detach(t, flow_row, message)
    finish_row(t, message)


@inline_kernel
def enqueue_request(t, flow_row, message):
    """A new request waits for its response."""
    flow = t.http_flows[flow_row]
    if flow["queued"] >= OPEN_PER_FLOW_MAX:
        drop_first(t, flow_row)
    t.links[message]["next"] = -1
    if flow["last"] >= 0:
        t.links[flow["last"]]["next"] = message
    else:
        flow["first"] = message
    flow["last"] = message
    flow["queued"] += 1


@inline_kernel
def _take(t, flow_row, message):
    """Take the request from the queue; older ones stay without a response."""
    flow = t.http_flows[flow_row]
    while flow["first"] != message:
        drop_first(t, flow_row)
    flow["first"] = t.links[message]["next"]
    flow["queued"] -= 1
    if flow["first"] < 0:
        flow["last"] = -1
        flow["loss"] = 0 if flow["waiting"] == 0 else flow["loss"]
    return message


@part_kernel
def _choose_after_loss(t, flow_row, seq, ack):
    """The one request that this response can answer, -1 when there is none, -2 when there are several."""
    flow = t.http_flows[flow_row]
    client_gap = t.http_streams[2 * flow_row + np.int64(flow["client"])]["gap_end"]
    exact = -1
    chosen = -1
    candidates = 0
    chosen_ack = np.int64(-1)
    message = np.int64(flow["first"])
    while message >= 0:
        link = t.links[message]
        if ack < 0 or link["head_end"] <= ack:
            if link["ack"] == seq:
                exact = message if exact == -1 else -2
            if link["ack"] <= seq:
                if link["ack"] > chosen_ack:
                    candidates = 0
                    chosen_ack = link["ack"]
                candidates += 1
                chosen = message
        message = np.int64(link["next"])
    if exact != -1:
        return exact
    if candidates == 0:
        return -1
    if candidates > 1 or client_gap > t.links[chosen]["head_end"]:
        return -2
    return chosen


@inline_kernel
def match(t, flow_row, seq, ack):
    """Request that the response beginning at `seq` and acknowledging `ack` answers, taken from the queue.

    -1: its request is not there; -2: it cannot be told; -3: its request may still come.
    """
    flow = t.http_flows[flow_row]
    if flow["client"] < 0:
        return -3
    client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
    if ack > client["delivered"] or client["delivered"] == 0:
        return -3
    message = np.int64(flow["first"])
    if flow["loss"] == 0:
        if message < 0 or (ack >= 0 and t.links[message]["head_end"] > ack):
            return -1
        return _take(t, flow_row, message)
    message = _choose_after_loss(t, flow_row, seq, ack)
    return message if message < 0 else _take(t, flow_row, message)


@inline_kernel
def _merge(t, flow_row, request, response):
    """Move a response that waited into its request's row."""
    row = t.open[request]
    other = t.open[response]
    row["status_code"] = other["status_code"]
    row["status_msg"] = other["status_msg"]
    row["response_content_type"] = other["response_content_type"]
    row["response_body_len"] = other["response_body_len"]
    row["response_body_max"] = other["response_body_max"]
    row["response_ts"] = other["response_ts"]
    row["response_end_ts"] = other["response_end_ts"]
    row["records"] = other["records"]
    row["anomalies"] |= other["anomalies"]
    row["flags"] = np.uint8(row["flags"] | other["flags"])
    for stream_row in (2 * flow_row, 2 * flow_row + 1):
        if t.http_streams[stream_row]["message"] == response:
            t.http_streams[stream_row]["message"] = request
    other["flags"] = 0
    t.free[OPEN_STACK + t.numbers[Scalar.OPEN_FREE]] = response
    t.numbers[Scalar.OPEN_FREE] += 1


@part_kernel
def resolve_waiting(t, flow_row, final):
    """Pair the responses that waited, now that more of the client's stream is known; all of them when `final`."""
    flow = t.http_flows[flow_row]
    while flow["wait_first"] >= 0:
        response = np.int64(flow["wait_first"])
        link = t.links[response]
        request = match(t, flow_row, link["seq"], link["ack"])
        if request == -3 and not final and flow["waiting"] <= WAITING_MAX:
            return
        flow["wait_first"] = link["next"]
        flow["waiting"] -= 1
        if flow["wait_first"] < 0:
            flow["wait_last"] = -1
        if request >= 0:
            _merge(t, flow_row, request, response)
            finish_if_done(t, request)
        else:
            if request == -2:
                t.open[response]["anomalies"] |= np.uint64(Anomaly.PAIRING_AMBIGUOUS)
            link["response"] = 0
            if final or t.open[response]["flags"] & TransactionFlag.RESPONSE_DONE != 0:
                detach(t, flow_row, response)
                finish_row(t, response)


@inline_kernel
def enqueue_waiting(t, flow_row, message):
    """A response waits for the client's stream to come as far as it acknowledged."""
    flow = t.http_flows[flow_row]
    t.links[message]["next"] = -1
    if flow["wait_last"] >= 0:
        t.links[flow["wait_last"]]["next"] = message
    else:
        flow["wait_first"] = message
    flow["wait_last"] = message
    flow["waiting"] += 1
