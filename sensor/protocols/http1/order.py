"""What was sent before what, by TCP's acknowledgements: in: requests and answers that wait; out: which of them cannot
belong together, and that a client does not wait.

The one law: an answer that the client had received when it asked is to an earlier request, whatever was lost.
"""

import numpy as np

from sensor._jit import inline_kernel


@inline_kernel
def sent_behind(t, flow, seq):
    """Whether all requests that may be answered were sent when everything before `seq` of the answers had been
    received, and more: what lies there answers none of them.
    """
    first = np.int64(flow["first"])
    return first >= 0 and t.links[first]["lost"] == 0 and t.links[first]["broken"] == 0 and t.links[first]["ack"] > seq


@inline_kernel
def lost_to_these(t, flow, link):
    """How many answers that were lost just before a response are surely to requests that may be answered."""
    return 1 if link["broken"] == 2 and not sent_behind(t, flow, link["seq"] - link["lost"]) else 0


@inline_kernel
def note_rolling(t, flow):
    """Look at what was asked while answers waited: a request that was sent behind some of the answers to those before
    it, but not behind all, tells that the client does not wait.
    """
    request, response = np.int64(flow["first"]), np.int64(flow["wait_first"])
    if request < 0 or response < 0:
        return
    begin, answers_end = t.links[request]["ack"], t.links[response]["seq"]
    if answers_end != begin:
        return
    asked, answered = 0, 0
    while request >= 0 and t.links[request]["ack"] == begin:
        asked += 1 + t.links[request]["lost"]
        request = np.int64(t.links[request]["next"])
    if request < 0:
        return
    end = t.links[request]["ack"]
    while response >= 0 and t.links[response]["seq"] == answers_end and answers_end < t.links[response]["end"] <= end:
        answers_end = t.links[response]["end"]
        answered += 1
        response = np.int64(t.links[response]["next"])
    if answers_end == end and answered < asked:
        flow["rolling"] = 1


@inline_kernel
def note_asked_between(t, flow, upto):
    """The answers up to `upto` are known, and the oldest request is not among those that they answer: one that was sent
    behind some of them, but behind it, tells that the client does not wait.
    """
    begin = t.links[np.int64(flow["first"])]["ack"]
    request = np.int64(t.links[np.int64(flow["first"])]["next"])
    while request >= 0 and t.links[request]["ack"] <= upto:
        if t.links[request]["ack"] > begin:
            flow["rolling"] = 1
            return
        request = np.int64(t.links[request]["next"])
