"""Which request a response answers: in: both directions' messages with their stream offsets; out: finished
transactions.

Without loss responses answer requests in order (RFC 9112, 9.3.2). After a loss TCP itself tells: a client that waits
for its answer has acknowledged everything before it, so the answer begins exactly where the request's acknowledgement
points; and a server cannot answer what it has not acknowledged. A message before which others may have been lost is
`broken`; `loss` says that the order does not count, until such an exact place is found. The one law: when that leaves a
choice, nothing is paired.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.answers import judge_login
from sensor.protocols.http1.contents import hand_out, move_response
from sensor.protocols.http1.tables import OPEN_PER_FLOW_MAX, OPEN_STACK, WAITING_MAX, Count, Scalar
from sensor.schema import Anomaly, FlowFlag, TransactionFlag

_BOTH_HEADS = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
_DEGRADED = FlowFlag.EVICTED | FlowFlag.FAULT
_NEVER = 1 << 62
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
    if flags & TransactionFlag.LOGIN != 0:
        judge_login(row)
    row["now"] = t.numbers[Scalar.NOW]
    t.rows[t.numbers[Scalar.ROWS]] = row
    hand_out(t, message, row, t.numbers[Scalar.ROWS])
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
def lose_first(t, flow_row):
    """Hand the oldest request out for want of room: which response comes next is not known any more."""
    drop_first(t, flow_row)
    first = np.int64(t.http_flows[flow_row]["first"])
    if first >= 0:
        t.links[first]["broken"] = 1


@inline_kernel
def enqueue_request(t, flow_row, message):
    """A new request waits for its response; note whether the client asks ahead of the answers."""
    flow = t.http_flows[flow_row]
    if flow["queued"] >= OPEN_PER_FLOW_MAX:
        lose_first(t, flow_row)
    t.links[message]["next"] = -1
    if flow["last"] >= 0:
        ack = t.links[message]["ack"]
        server = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]
        flow["ahead"] = 1
        sound = flow["loss"] == 0 and flow["waiting"] == 0 and server["broken"] == 0 and t.links[message]["broken"] == 0
        if sound and t.links[flow["last"]]["ack"] < ack <= server["delivered"]:
            flow["rolling"] = 1
        t.links[flow["last"]]["next"] = message
    else:
        flow["first"] = message
    flow["last"] = message
    flow["queued"] += 1


@inline_kernel
def _take_first(t, flow):
    """Take the oldest request from the queue."""
    message = np.int64(flow["first"])
    flow["first"] = t.links[message]["next"]
    flow["queued"] -= 1
    if flow["first"] < 0:
        flow["last"] = -1
    return message


@part_kernel
def match(t, flow_row, seq, ack, broken):
    """Request that the response beginning at `seq` and acknowledging `ack` answers, taken from the queue.

    `broken`: messages may have been lost just before it. -1: its request is not there; -3: that is not known yet.
    """
    flow = t.http_flows[flow_row]
    if flow["client"] < 0:
        return -3
    client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
    if ack > client["delivered"] or client["delivered"] == 0:
        return -3
    first = np.int64(flow["first"])
    if flow["loss"] != 0 or broken != 0 or (first >= 0 and t.links[first]["broken"] != 0):
        flow["loss"] = 1
    found = -1
    if first >= 0:
        link = t.links[first]
        begun = link["broken"] == 0 or flow["answered"] >= link["seq"]
        if not (ack >= 0 and link["head_end"] > ack) and link["ack"] <= seq:
            if flow["loss"] != 0 and not (link["ack"] == seq and begun and flow["rolling"] == 0):
                return -3
            flow["loss"] = 0
            found = _take_first(t, flow)
    flow["answered"] = max(flow["answered"], ack)
    return found


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
    row["response_missing_bytes"] = other["response_missing_bytes"]
    row["response_ts"] = other["response_ts"]
    row["response_end_ts"] = other["response_end_ts"]
    row["records"] = other["records"]
    row["response_messages"] = other["response_messages"]
    row["grpc_status"] = other["grpc_status"]
    row["anomalies"] |= other["anomalies"]
    row["flags"] = np.uint16(row["flags"] | other["flags"])
    row["issued"] = other["issued"]
    for stream_row in (2 * flow_row, 2 * flow_row + 1):
        if t.http_streams[stream_row]["message"] == response:
            t.http_streams[stream_row]["message"] = request
    move_response(t, request, response)
    other["flags"] = 0
    t.free[OPEN_STACK + t.numbers[Scalar.OPEN_FREE]] = response
    t.numbers[Scalar.OPEN_FREE] += 1


@inline_kernel
def _take_waiting(t, flow):
    """Take the oldest of the responses that wait."""
    response = np.int64(flow["wait_first"])
    flow["wait_first"] = t.links[response]["next"]
    flow["waiting"] -= 1
    if flow["wait_first"] < 0:
        flow["wait_last"] = -1
    return response


@part_kernel
def _pair(t, flow_row, request):
    """The oldest response that waits answers `request`."""
    _merge(t, flow_row, request, _take_waiting(t, t.http_flows[flow_row]))
    finish_if_done(t, request)


@part_kernel
def _leave(t, flow_row, final, anomalies):
    """The oldest response that waits answers no request that was seen."""
    response = _take_waiting(t, t.http_flows[flow_row])
    link = t.links[response]
    t.open[response]["anomalies"] |= np.uint64(anomalies)
    t.http_flows[flow_row]["answered"] = max(t.http_flows[flow_row]["answered"], link["ack"])
    link["response"] = 0
    if final or t.open[response]["flags"] & TransactionFlag.RESPONSE_DONE != 0:
        detach(t, flow_row, response)
        finish_row(t, response)


@part_kernel
def _settle(t, flow_row, final):
    """Pair what was asked between two advances of the client with what came before the second; False when that is open.

    A client that sends a batch and waits for all of its answers asks anew, or closes, exactly where they ended. So both
    lists are of one length, and pair from the back as far as neither is broken.
    """
    flow = t.http_flows[flow_row]
    following = np.int64(flow["first"])
    if following < 0:
        return False
    begin, last = t.links[following]["ack"], following
    asked, asked_unbroken = 0, 0
    asked_whole = t.links[following]["broken"] == 0
    answered_whole = t.links[flow["wait_first"]]["broken"] == 0
    while following >= 0 and t.links[following]["ack"] <= begin:
        asked_unbroken = 1 if t.links[following]["broken"] != 0 else asked_unbroken + 1
        asked += 1
        last = following
        following = np.int64(t.links[following]["next"])
    end = flow["closing"] if flow["closing"] > 0 else _NEVER
    if following >= 0:
        end = t.links[following]["ack"]
    elif end == _NEVER and not final:
        return False
    answered, answered_unbroken = 0, 0
    answer_end, answer_ack = np.int64(0), np.int64(-1)
    response = np.int64(flow["wait_first"])
    while response >= 0 and t.links[response]["seq"] < end:
        answered_unbroken = 1 if t.links[response]["broken"] != 0 else answered_unbroken + 1
        answered += 1
        answer_end, answer_ack = t.links[response]["end"], t.links[response]["ack"]
        response = np.int64(t.links[response]["next"])
    complete = answer_end == end
    if response >= 0:
        complete = complete or (t.links[response]["seq"] == end and t.links[response]["broken"] == 0)
    elif not complete and not final:
        return False
    all_asked = answer_ack == t.links[last]["end"] or (following >= 0 and t.links[following]["broken"] == 0)
    sure = complete and all_asked and flow["rolling"] == 0
    if end == _NEVER:
        sure = all_asked and flow["ahead"] == 0 and asked == 1 and answered == 1
    asked_whole = asked_whole and asked_unbroken == asked
    answered_whole = answered_whole and answered_unbroken == answered
    if complete and ((asked_whole and answered > asked) or (answered_whole and asked > answered)):
        flow["rolling"] = 1
        sure = False
    pairs = min(asked_unbroken, answered_unbroken) if sure else 0
    for _ in range(answered - pairs):
        _leave(t, flow_row, final, Anomaly.PAIRING_AMBIGUOUS)
    for _ in range(asked - pairs):
        drop_first(t, flow_row)
    for _ in range(pairs):
        _pair(t, flow_row, _take_first(t, flow))
    flow["loss"] = 0 if sure else 1
    return True


@part_kernel
def resolve_waiting(t, flow_row, final):
    """Pair the responses that waited, now that more of the client's stream is known; all of them when `final`."""
    flow = t.http_flows[flow_row]
    while flow["wait_first"] >= 0:
        link = t.links[flow["wait_first"]]
        request = match(t, flow_row, link["seq"], link["ack"], link["broken"])
        if request >= 0:
            _pair(t, flow_row, request)
        elif request == -1:
            _leave(t, flow_row, final, 0)
        elif flow["loss"] == 0 or not _settle(t, flow_row, final):
            if not final and flow["waiting"] <= WAITING_MAX:
                return
            flow["loss"] = 1
            _leave(t, flow_row, final, 0)


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
