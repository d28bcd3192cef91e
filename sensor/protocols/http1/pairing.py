"""Which request a response answers: in: both directions' messages with their stream offsets; out: finished
transactions.

Without loss responses answer requests in order (RFC 9112, 9.3.2). After a loss TCP itself tells: a client that waits
for its answer has acknowledged everything before it, so the answer begins exactly where the request's acknowledgement
points; and a server cannot answer what it has not acknowledged. A message before which others may have been lost is
`broken`; `loss` says that the order does not count, until such an exact place is found, or until counting leaves one
possibility (settle.py). The one law: when that leaves a choice, nothing is paired.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.answers import judge_login
from sensor.protocols.http1.contents import hand_out
from sensor.protocols.http1.order import note_asked_between
from sensor.protocols.http1.outstanding import note_burst_end, watch_answer
from sensor.protocols.http1.tables import OPEN_PER_FLOW_MAX, OPEN_STACK, WAITING_MAX, Count, Scalar, Waits
from sensor.schema import Anomaly, FlowFlag, TransactionFlag

_BOTH_HEADS = TransactionFlag.REQUEST | TransactionFlag.RESPONSE
_DEGRADED = FlowFlag.EVICTED | FlowFlag.FAULT
_EARLY_AND_LOST = np.uint64(Anomaly.EARLY_RESPONSE | Anomaly.REQUEST_GAP)
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
    if row["anomalies"] & _EARLY_AND_LOST == _EARLY_AND_LOST:  # the rest of the request may have been what was lost
        row["anomalies"] &= ~np.uint64(Anomaly.EARLY_RESPONSE)
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
def _lost_before(t, flow, link, whole):
    """How many requests were lost just before a broken one, which begins at link["seq"], `whole` being where they
    began; -1 when that is not sure.

    As many as responses wait, or were lost before these, that acknowledged no more, less those to requests known (this
    one too, if its end was acknowledged); all of them may be, while it is open how many requests were lost earlier. No
    request of this client is smaller than its smallest head without the target, five sixths of it when it asks ahead;
    but one with a body can be as large as several. What the server acknowledged by parts was sent by parts.
    """
    answers = -np.int64(flow["queued"])
    request = np.int64(flow["first"]) if flow["wait_first"] >= 0 else np.int64(-1)
    while request >= 0:
        answers -= t.links[request]["lost"] if t.links[request]["broken"] == 0 else WAITING_MAX
        request = np.int64(t.links[request]["next"])
    response, least, parts, part = np.int64(flow["wait_first"]), 1, 1, max(whole, np.int64(flow["answered"]))
    if flow["ahead"] != 0 and whole < flow["answered"] < link["seq"]:
        parts = 2
    while response >= 0 and t.links[response]["ack"] <= max(link["seq"], link["end"]):
        if part < t.links[response]["ack"] < link["seq"]:
            parts, part = parts + 1, np.int64(t.links[response]["ack"])
        answers += 2 if t.links[response]["broken"] == 2 else 1
        least = max(least, answers if t.links[response]["ack"] <= link["seq"] else answers - 1)
        response = np.int64(t.links[response]["next"])
    smallest = np.int64(flow["base"]) if flow["ahead"] == 0 else 5 * np.int64(flow["base"]) // 6
    most = (link["seq"] - whole) // max(smallest, 18)
    if flow["ahead"] != 0:
        return max(least, parts) if whole > 0 and most == max(least, parts) else -1
    sure = most <= least or flow["bodies"] != 0
    return least if whole > 0 and sure and parts <= least else -1


@inline_kernel
def _asks_ahead(flow):
    flow["ahead"] = 1
    if flow["waits"] == Waits.EACH:
        flow["waits"] = Waits.UNKNOWN


@inline_kernel
def _note_manner(t, flow_row, message):
    """What a new request tells of how the client asks; called while it is known who answers what."""
    flow = t.http_flows[flow_row]
    link = t.links[message]
    client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
    server = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]
    sound = flow["waiting"] == 0 and server["broken"] == 0
    if flow["last"] < 0:
        if link["broken"] != 0:
            unanswered = sound and link["ack"] == server["delivered"] and client["whole"] > 0
            if unanswered and flow["waits"] != Waits.ALL:
                _asks_ahead(flow)
        elif flow["answered"] > 0 and sound:
            if link["ack"] == server["delivered"]:
                flow["waits"] = Waits.ALL if flow["ahead"] != 0 or flow["waits"] == Waits.ALL else Waits.EACH
            elif 0 <= link["ack"] < server["delivered"]:
                flow["rolling"] = 1
        return
    before = t.links[flow["last"]]["ack"]
    if link["ack"] <= before:
        _asks_ahead(flow)
    elif sound and link["ack"] <= server["delivered"]:
        _asks_ahead(flow)
        flow["rolling"] = 1


@inline_kernel
def _note_lost(t, flow_row, message):
    """Find out how many requests were lost just before a broken one."""
    flow = t.http_flows[flow_row]
    link = t.links[message]
    if flow["queued"] == 0 and flow["loss"] == 0 and flow["wait_first"] >= 0 and link["broken"] == 2:
        answer = t.links[flow["wait_first"]]
        if answer["broken"] == 0 and answer["seq"] >= link["ack"] >= 0:  # what was lost was not answered when it asked
            _asks_ahead(flow)
    lost = _lost_before(t, flow, link, t.http_streams[2 * flow_row + np.int64(flow["client"])]["whole"])
    if lost > 0:
        link["lost"] = lost
        link["broken"] = 0


@inline_kernel
def _note_burst(flow, link, joined):
    """Count the requests that were sent at a time. A client that has `width` requests out at first never has more: when
    it sends as many at a time again, all before were answered.
    """
    if link["broken"] != 0:
        flow["burst"] = 1 if joined and flow["width"] == 0 else 0
        if flow["width"] == 0 and not joined:
            flow["width"] = -1
        flow["burst_ack"] = link["ack"]
        return
    if link["ack"] == flow["burst_ack"]:
        _asks_ahead(flow)
        if flow["burst"] > 0:
            flow["burst"] += 1 + link["lost"]
    else:
        if flow["width"] == 0 and link["lost"] > 0:
            flow["width"] = -1
        elif flow["width"] >= 0:
            flow["width"] = max(flow["width"], flow["burst"] + link["lost"])
        flow["burst"] = 1
        flow["burst_ack"] = link["ack"]
    if flow["waits"] == Waits.UNKNOWN and 0 < flow["width"] <= flow["burst"] and flow["rolling"] == 0:
        flow["waits"] = Waits.ALL if flow["ahead"] != 0 else Waits.EACH


@inline_kernel
def enqueue_request(t, flow_row, message):
    """A new request waits for its response."""
    flow = t.http_flows[flow_row]
    if flow["queued"] >= OPEN_PER_FLOW_MAX:
        lose_first(t, flow_row)
    if flow["loss"] == 0:
        _note_manner(t, flow_row, message)
    if flow["probe"] != 0:
        note_burst_end(flow, t.links[message])
    if t.links[message]["broken"] != 0:
        _note_lost(t, flow_row, message)
    _note_burst(flow, t.links[message], t.flows[np.int64(flow["flow"])]["flags"] & FlowFlag.MIDSTREAM != 0)
    t.links[message]["next"] = -1
    if flow["last"] >= 0:
        t.links[flow["last"]]["next"] = message
    else:
        flow["first"] = message
    flow["last"] = message
    flow["queued"] += 1


@inline_kernel
def take_first(t, flow):
    """Take the oldest request from the queue."""
    message = np.int64(flow["first"])
    flow["first"] = t.links[message]["next"]
    flow["queued"] -= 1
    if flow["first"] < 0:
        flow["last"] = -1
    return message


@inline_kernel
def counts_only(flow):
    """Whether after a loss nothing but counting tells which request is answered: it is not known that the client waits
    for all answers before it asks on. One that sends bodies, and was never seen to ask ahead, does (RFC 9112, 9.3.2).
    """
    waits = flow["waits"] != Waits.UNKNOWN or (flow["bodies"] != 0 and flow["ahead"] == 0)
    return flow["rolling"] != 0 or not waits


@inline_kernel
def _note_asked(flow, end, ack):
    """The answer to a request that ends at `end`, and behind which none was seen, acknowledges `ack`: more were asked,
    or only this one, so that the client began by waiting.
    """
    if end < ack:
        _asks_ahead(flow)
    elif end == ack and flow["waits"] == Waits.UNKNOWN and flow["ahead"] == 0 and flow["rolling"] == 0:
        flow["waits"] = Waits.EACH


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
    if flow["loss"] == 0 and (broken != 0 or (first >= 0 and t.links[first]["broken"] != 0)):
        whole = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]["whole"]
        if first >= 0 and flow["rolling"] == 0 and broken != 1:
            note_asked_between(t, flow, seq if broken == 0 else min(whole, seq))
        flow["loss"] = 1
        flow["least"] = 0 if counts_only(flow) else -1
    found = -1
    if first >= 0:
        link = t.links[first]
        if flow["loss"] == 0 and link["lost"] > 0:  # it answers one that was lost
            link["lost"] -= 1
            flow["answered"] = max(flow["answered"], ack)
            return -1
        if flow["loss"] != 0 and counts_only(flow):
            return -3
        begun = (link["broken"] == 0 and link["lost"] == 0) or flow["answered"] >= link["seq"]
        asked = not (ack >= 0 and link["head_end"] > ack)
        if asked and link["ack"] <= seq:
            if flow["loss"] != 0 and not (link["ack"] == seq and begun):
                return -3
            flow["loss"] = 0
            link["lost"] = 0
            found = take_first(t, flow)
            if flow["ahead"] != 0:
                watch_answer(t, flow, seq, np.int64(t.open[found]["trans_depth"]))
            if flow["first"] < 0 and t.links[found]["end"] > 0:
                _note_asked(flow, t.links[found]["end"], ack)
        elif flow["loss"] != 0 and not asked and link["ack"] == seq:
            flow["rolling"] = 1
            return -3
    elif client["broken"] != 0 or (flow["loss"] != 0 and counts_only(flow)):
        return -3
    flow["answered"] = max(flow["answered"], ack)
    return found


@part_kernel
def note_hole(t, stream_row, seq):
    """Answers were lost from `seq` on, where one of them begins: the first such place behind the last head counts."""
    stream = t.http_streams[stream_row]
    if np.int64(t.http_flows[stream_row >> 1]["client"]) == 1 - (stream_row & 1) and stream["broken"] != 2:
        stream["whole"] = seq


@inline_kernel
def enqueue_waiting(t, flow_row, message):
    """A response waits for the client's stream to come as far as it acknowledged."""
    flow = t.http_flows[flow_row]
    link = t.links[message]
    whole = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]["whole"]
    link["lost"] = link["seq"] - whole if link["broken"] == 2 and 0 < whole < link["seq"] else 0
    t.links[message]["next"] = -1
    if flow["wait_last"] >= 0:
        t.links[flow["wait_last"]]["next"] = message
    else:
        flow["wait_first"] = message
    flow["wait_last"] = message
    flow["waiting"] += 1
