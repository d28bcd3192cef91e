"""How many requests a client that asks ahead has out: in: requests, and answers of which it is known what they answer;
out: which request an answer belongs to when only that can tell.

A client that keeps as many requests out as it may sends the next ones as soon as it has an answer: the last of those
that acknowledge the answers up to some offset is always as many requests behind the one that is answered next. The one
law: this is believed only when it was so several times in a row, or from the first answer on, and when nothing
contradicts it.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel

_TIMES = 2


@inline_kernel
def watch_answer(t, flow, seq, depth):
    """The answer that begins at `seq` is known to answer request number `depth`; none behind that may be lost."""
    if flow["probe"] == 0:
        request = np.int64(flow["first"])
        while request >= 0 and t.links[request]["broken"] == 0 and t.links[request]["lost"] == 0:
            request = np.int64(t.links[request]["next"])
        if request < 0:
            flow["probe"] = seq
            flow["probe_depth"] = depth


@inline_kernel
def note_burst_end(flow, link):
    """A request begins, so the one before it may be the last that had been sent when the watched answer came."""
    if link["broken"] != 0 or link["lost"] != 0:
        flow["probe"] = 0
    elif link["ack"] > flow["probe"]:
        if flow["burst_ack"] == flow["probe"]:
            out = np.int64(flow["depth"]) - flow["probe_depth"]
            first = _TIMES if flow["rolling"] != 0 and flow["probe_depth"] == 1 else 1
            flow["out_times"] = min(np.int64(flow["out_times"]) + 1, 100) if out == flow["out"] else first
            flow["out"] = out
        flow["probe"] = 0


@inline_kernel
def _is_possible(t, flow, response, place, least):
    """Whether this response can answer the request at `place`: it had been received, and at least so many answers came
    before.
    """
    if place < least:
        return False
    request = np.int64(flow["first"])
    while request >= 0:
        place -= t.links[request]["lost"]
        if place <= 0:
            return place < 0 or t.links[request]["head_end"] <= t.links[response]["ack"]
        place -= 1
        request = np.int64(t.links[request]["next"])
    return False


@inline_kernel
def _place_of(t, flow, response, before):
    """At which place the request is that a response answers, and how many requests up to there are known; `before`: the
    place is that of so many requests earlier. Place -1: nothing tells.
    """
    request, place, known, counted = np.int64(flow["first"]), -1, 0, True
    while request >= 0 and t.links[request]["ack"] <= t.links[response]["seq"]:
        link = t.links[request]
        place += 1 + link["lost"]
        known = known + 1 + link["lost"] if link["broken"] == 0 else 1
        counted = counted and link["broken"] == 0
        request = np.int64(link["next"])
        if link["ack"] == t.links[response]["seq"] and request >= 0 and t.links[request]["ack"] > link["ack"]:
            back = flow["out"] - 1 + before
            sent_all = t.links[request]["broken"] == 0 and t.links[request]["lost"] == 0
            return (place - back if sent_all and known > back else -1), counted
    return -1, counted


@part_kernel
def place_by_outstanding(t, flow_row):
    """Which of the requests, those known to be lost included, the oldest response that waits answers: 0 for the oldest;
    -1 when unknown; -1 - n when nothing will tell of the oldest n responses, but of the one behind them.

    The requests that acknowledged all before an answer tell which it is, and so which those before and without a hole
    are.
    """
    flow = t.http_flows[flow_row]
    if flow["out_times"] < _TIMES:
        return -1
    response, index, whole_from, least = np.int64(flow["wait_first"]), 0, 0, max(np.int64(flow["least"]), 0)
    begin = response
    while response >= 0:
        if t.links[response]["broken"] != 0:
            whole_from, begin = index, response
            least += 1 if t.links[response]["broken"] == 2 else 0
        place, counted = _place_of(t, flow, response, index - whole_from)
        if place >= 0:
            possible = _is_possible(t, flow, begin, place, least + whole_from if counted else 0)
            return (place if whole_from == 0 else -1 - whole_from) if possible else -1
        index += 1
        response = np.int64(t.links[response]["next"])
    return -1
