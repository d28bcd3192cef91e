"""Which requests the responses that wait answer: in: both queues after a loss; out: pairs where only one possibility is
left.

Two ways tell. A client that is known to wait for all its answers asks anew, or closes, exactly where they ended. Of any
other client only counting does: each response answers a request that was asked, and acknowledged, before it, and lost
ones answered some as well. The one law: when that leaves a choice, nothing is paired.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.protocols.http1.contents import move_response
from sensor.protocols.http1.order import lost_to_these, note_rolling, sent_behind
from sensor.protocols.http1.outstanding import place_by_outstanding
from sensor.protocols.http1.pairing import (
    counts_only,
    detach,
    drop_first,
    finish_if_done,
    finish_row,
    match,
    take_first,
)
from sensor.protocols.http1.tables import OPEN_STACK, WAITING_MAX, Method, Scalar, State
from sensor.schema import Anomaly, TransactionFlag

_NEVER = 1 << 62


@inline_kernel
def _end_headless(t, flow_row, row, response):
    """The server is at the body of a response that has none, as it answers a HEAD: what comes next is a head."""
    stream = t.http_streams[2 * flow_row + 1 - np.int64(t.http_flows[flow_row]["client"])]
    if stream["message"] == response and (stream["state"] == State.LENGTH or stream["state"] == State.CLOSE):
        stream["message"] = -1
        stream["state"] = State.HEAD
        stream["json_flags"] = 0
        row["flags"] = np.uint16(row["flags"] | TransactionFlag.RESPONSE_DONE)
        row["response_end_ts"] = row["response_ts"]


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
    if t.links[request]["method"] == Method.HEAD:
        row["response_body_len"] = 0
        row["response_body_max"] = 0
        row["anomalies"] &= ~np.uint64(Anomaly.RESPONSE_LENGTH_BOUND)
        _end_headless(t, flow_row, row, response)
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
    flow = t.http_flows[flow_row]
    flow["answered"] = max(flow["answered"], link["ack"])
    if flow["least"] >= 0:
        flow["least"] += lost_to_these(t, flow, link) + (0 if sent_behind(t, flow, link["seq"]) else 1)
    link["response"] = 0
    if final or t.open[response]["flags"] & TransactionFlag.RESPONSE_DONE != 0:
        detach(t, flow_row, response)
        finish_row(t, response)


@inline_kernel
def _pair_last(t, flow_row, asked, answered, pairs, final):
    """Of the oldest requests and responses, pair the last `pairs`; the others belong to what was lost."""
    flow = t.http_flows[flow_row]
    for _ in range(answered - pairs):
        _leave(t, flow_row, final, Anomaly.PAIRING_AMBIGUOUS)
    for _ in range(asked - pairs):
        drop_first(t, flow_row)
    for _ in range(pairs):
        _pair(t, flow_row, take_first(t, flow))


@inline_kernel
def _is_next(link):
    """Whether nothing was lost just before the request."""
    return link["broken"] == 0 and link["lost"] == 0


@inline_kernel
def _pass(t, flow_row, count):
    """The oldest `count` requests, those known to be lost included, got answers that were lost."""
    flow = t.http_flows[flow_row]
    while count > 0:
        link = t.links[flow["first"]]
        lost = min(np.int64(link["lost"]), count)
        link["lost"] -= lost
        count -= lost
        if count > 0:
            drop_first(t, flow_row)
            count -= 1


@part_kernel
def _answer_next(t, flow_row, final):
    """The oldest response that waits answers the oldest request, which may be known to be lost."""
    flow = t.http_flows[flow_row]
    if t.links[flow["first"]]["lost"] > 0:
        t.links[flow["first"]]["lost"] -= 1
        _leave(t, flow_row, final, 0)
    else:
        _pair(t, flow_row, take_first(t, flow))


@inline_kernel
def _pair_each(t, flow_row, asked, answered, final):
    """Of `asked` requests each was answered, by the oldest `answered` responses and by one in each hole before them."""
    flow = t.http_flows[flow_row]
    for _ in range(answered):
        if t.links[flow["wait_first"]]["broken"] == 2:
            _pass(t, flow_row, 1)
            asked -= 1
        _answer_next(t, flow_row, final)
        asked -= 1
    _pass(t, flow_row, asked)


@inline_kernel
def _lost_behind(t, flow_row, last, following, acknowledged, answers_end):
    """How many requests, lost behind `last` and before `following`, the answers that were seen can answer; -1 when that
    is not known.

    `answers_end`: no answer was lost behind the one that `acknowledged`. Otherwise the count is to be of all requests
    that were sent before the client waited.
    """
    flow = t.http_flows[flow_row]
    if following >= 0:
        link = t.links[following]
        if link["broken"] == 0 and (link["lost"] == 0 or acknowledged == link["seq"]):
            return np.int64(link["lost"])
    elif flow["closing"] > 0:
        client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
        if client["broken"] == 0 and client["delivered"] == t.links[last]["end"] + 1:
            return np.int64(0)
    return np.int64(0) if answers_end and acknowledged == t.links[last]["end"] else np.int64(-1)


@part_kernel
def _settle(t, flow_row, final):
    """Pair what was asked between two advances of the client with what came before the second; False when that is open.

    A client that sends a batch and waits for all of its answers asks anew, or closes, exactly where they ended. So both
    lists are of one length: when there are as many requests as answers, with one for each hole among these, all pair,
    else those from the back as far as neither list is broken.
    """
    flow = t.http_flows[flow_row]
    following = np.int64(flow["first"])
    if following < 0:
        return False
    begin, last = t.links[following]["ack"], following
    if t.links[flow["wait_first"]]["seq"] == begin:  # what was lost before it are answers to requests before these
        t.links[flow["wait_first"]]["broken"] = 0
    asked, asked_unbroken, asked_least, asked_known = 0, 0, 0, True
    asked_whole = _is_next(t.links[following])
    answered_whole = t.links[flow["wait_first"]]["broken"] == 0
    while following >= 0 and t.links[following]["ack"] <= begin:
        asked_unbroken = asked_unbroken + 1 if _is_next(t.links[following]) else 1
        asked_least += 1 + t.links[following]["lost"]
        asked_known = asked_known and t.links[following]["broken"] == 0
        asked += 1
        last = following
        following = np.int64(t.links[following]["next"])
    end = flow["closing"] if flow["closing"] > 0 else _NEVER
    if following >= 0:
        end = t.links[following]["ack"]
    elif end == _NEVER and not final:
        return False
    answered, answered_unbroken, answered_least = 0, 0, 0
    answer_end, answer_ack = np.int64(0), np.int64(-1)
    response = np.int64(flow["wait_first"])
    while response >= 0 and t.links[response]["seq"] < end:
        broken = t.links[response]["broken"]
        answered_unbroken = 1 if broken != 0 else answered_unbroken + 1
        answered_least += 2 if broken == 2 else 1
        answered += 1
        answer_end, answer_ack = t.links[response]["end"], t.links[response]["ack"]
        response = np.int64(t.links[response]["next"])
    complete = answer_end == end
    if response >= 0:
        complete = complete or (t.links[response]["seq"] == end and t.links[response]["broken"] == 0)
    elif not complete and not final:
        return False
    lost_answers = 1 if not complete and 0 < answer_end < end and end != _NEVER else 0
    lost_last = _lost_behind(t, flow_row, last, following, answer_ack, lost_answers == 0)
    if asked_known and lost_last >= 0 and asked_least + lost_last == answered_least + lost_answers:
        _pair_each(t, flow_row, asked_least + lost_last, answered, final)
        flow["loss"] = 0
        return True
    all_asked = answer_ack == t.links[last]["end"] or (following >= 0 and _is_next(t.links[following]))
    sure = complete and all_asked
    if end == _NEVER:
        sure = all_asked and flow["ahead"] == 0 and asked == 1 and answered == 1
    asked_whole = asked_whole and asked_unbroken == asked and (following < 0 or _is_next(t.links[following]))
    answered_whole = answered_whole and answered_unbroken == answered
    if complete and ((asked_whole and answered > asked) or (answered_whole and asked > answered)):
        flow["rolling"] = 1  # it does not wait: which of these are answered later is open
        flow["least"] = max(np.int64(flow["least"]), 0)
        return False
    pairs = min(asked_unbroken, answered_unbroken) if sure else 0
    _pair_last(t, flow_row, asked, answered, pairs, final)
    flow["loss"] = 0 if sure else 1
    return True


@inline_kernel
def _place(t, flow_row):
    """Which of the requests, those known to be lost included, the oldest response that waits answers: 0 for the oldest;
    -1 when there is a choice.
    """
    flow = t.http_flows[flow_row]
    client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
    response = np.int64(flow["wait_first"])
    if flow["least"] < 0:
        return -1
    request, last, count, later = np.int64(flow["first"]), np.int64(-1), 0, 0
    if request >= 0 and t.links[request]["ack"] == t.links[response]["seq"] and _is_next(t.links[request]):
        return 0  # whatever was answered before it was asked earlier
    least = np.int64(flow["least"]) + lost_to_these(t, flow, t.links[response])
    most = _NEVER
    while response >= 0:
        link = t.links[response]
        while request >= 0 and t.links[request]["broken"] == 0 and t.links[request]["ack"] <= link["seq"]:
            if t.links[request]["head_end"] > link["ack"]:
                break
            count += t.links[request]["lost"] + 1
            last = request
            request = np.int64(t.links[request]["next"])
        known, possible = link["ack"] >= 0, count
        if request < 0:
            known = known and client["broken"] == 0 and link["ack"] <= client["delivered"]
        elif last < 0 or t.links[last]["end"] == 0 or link["ack"] > t.links[last]["end"]:
            known = known and t.links[request]["broken"] == 0
            possible += t.links[request]["lost"]
        if known:
            most = min(most, possible - 1 - later)
        response = np.int64(link["next"])
        if response >= 0:
            later += 2 if t.links[response]["broken"] == 2 else 1
    return least if least == most else -1


@part_kernel
def _count(t, flow_row, final):
    """Pair the oldest response that waits if counting leaves one request; False when it leaves more."""
    flow = t.http_flows[flow_row]
    place = _place(t, flow_row)
    if place < 0:
        place = place_by_outstanding(t, flow_row)
    for _ in range(-1 - place):
        _leave(t, flow_row, final, Anomaly.PAIRING_AMBIGUOUS)
    if place < -1:
        return True
    if place < 0:
        return final and _pair_at_end(t, flow_row)
    _pass(t, flow_row, place)
    flow["loss"] = 0
    _answer_next(t, flow_row, final)
    return True


@inline_kernel
def _pair_at_end(t, flow_row):
    """A client that was never seen to ask ahead closed where its answers ended, and the server had no more: the last
    response answers the last request, and so on backwards as far as nothing was lost.
    """
    flow = t.http_flows[flow_row]
    client = t.http_streams[2 * flow_row + np.int64(flow["client"])]
    server = t.http_streams[2 * flow_row + 1 - np.int64(flow["client"])]
    if flow["ahead"] != 0 or flow["rolling"] != 0 or flow["last"] < 0:
        return False
    if client["broken"] != 0 or server["broken"] != 0 or server["state"] != State.HEAD:
        return False
    if flow["closing"] == 0 or server["delivered"] != flow["closing"] + 1:
        return False
    if t.links[flow["wait_last"]]["ack"] != t.links[flow["last"]]["end"]:
        return False
    asked, asked_unbroken = 0, 0
    request = np.int64(flow["first"])
    while request >= 0:
        asked_unbroken = asked_unbroken + 1 if _is_next(t.links[request]) else 1
        asked += 1
        request = np.int64(t.links[request]["next"])
    answered, answered_unbroken = 0, 0
    response = np.int64(flow["wait_first"])
    while response >= 0:
        answered_unbroken = 1 if t.links[response]["broken"] != 0 else answered_unbroken + 1
        answered += 1
        response = np.int64(t.links[response]["next"])
    _pair_last(t, flow_row, asked, answered, min(asked_unbroken, answered_unbroken), True)
    return True


@inline_kernel
def _find_place(t, flow_row, final):
    """Settle what can be told of the responses that wait; False when nothing can."""
    if not counts_only(t.http_flows[flow_row]):
        if _settle(t, flow_row, final):
            return True
        if not counts_only(t.http_flows[flow_row]):
            return False
    return _count(t, flow_row, final)


@part_kernel
def resolve_waiting(t, flow_row, final):
    """Pair the responses that waited, now that more of the client's stream is known; all of them when `final`."""
    flow = t.http_flows[flow_row]
    while flow["wait_first"] >= 0:
        link = t.links[flow["wait_first"]]
        if flow["rolling"] == 0 and flow["ahead"] != 0:
            note_rolling(t, flow)
        request = match(t, flow_row, link["seq"], link["ack"], link["broken"])
        if request >= 0:
            _pair(t, flow_row, request)
        elif request == -1:
            _leave(t, flow_row, final, 0)
        elif flow["loss"] == 0 or not _find_place(t, flow_row, final):
            if not final and flow["waiting"] <= WAITING_MAX:
                return
            known = flow["loss"] == 0 or t.open[flow["wait_first"]]["anomalies"] & np.uint64(Anomaly.MIDSTREAM) != 0
            if flow["loss"] == 0:
                flow["loss"] = 1
                flow["least"] = 0 if counts_only(flow) else -1
            _leave(t, flow_row, final, 0 if known else Anomaly.PAIRING_AMBIGUOUS)
