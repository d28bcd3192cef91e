"""Beats inside one stream of packets: in: the sums that a stream keeps of the times between its packets; out: how many
beats it has, and their period.

With gaps that are nearly nothing (a packet and its acknowledgement) or nearly one period, the sum's square over the sum
of squares is the number of the long ones, and the sum of squares over the sum their length. The one law: no packet is
kept for this.
"""

import numpy as np

from sensor._jit import inline_kernel

BEATS_MIN = 20
_LONGEST, _PACKETS = 1.35, 4
"""Times the period that no gap exceeds (at random it is two to four times), and packets of a beat at most."""
_PERIOD_NS, _HELLO_BYTES, _RECORD_BYTES, _HEAD_BYTES, _GROWN_BYTES = 1e9, 1_200, 29, 40, 160
"""The shortest period; what a TLS handshake sends, an empty record, and what more a stream must have carried."""


@inline_kernel
def beats_of(stream):
    """(beats, period in ns) of a row of STREAM; 0 beats when it has no steady ones."""
    total, squares = np.float64(stream["gap_sum"]), np.float64(stream["gap_sumsq"])
    if squares <= 0.0:
        return 0.0, 0.0
    beats, period = total * total / squares, squares / total
    if beats < BEATS_MIN or period < _PERIOD_NS or np.float64(stream["gap_max"]) > _LONGEST * period:
        return 0.0, period
    return (0.0 if np.float64(stream["packets"]) > _PACKETS * beats + 8.0 else beats), period


@inline_kernel
def carries_beats(stream, beats):
    """Whether messages beat, and not the probes that keep a connection alive: by the payload, whether it would do for
    so many, or has grown since the stream was found to beat.
    """
    payload = np.float64(stream["payload_bytes"])
    messages = payload / max(np.float64(stream["size_max"]) - _HEAD_BYTES, 1.0)
    if 2.0 * messages >= beats or payload - _HELLO_BYTES >= _RECORD_BYTES * beats:
        return True
    told = np.float64(stream["told_bytes"])
    return told > 0.0 and payload - told >= _GROWN_BYTES
