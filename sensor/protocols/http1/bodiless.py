"""Messages whose body never comes although their head says how long it is: in: the stream's message; out: a message of
which nothing is to come.

The one law: who finds that out ends the message, so that what comes next on the stream is a head.
"""

import numpy as np

from sensor._jit import inline_kernel
from sensor.protocols.http1.tables import Method
from sensor.schema import Anomaly


@inline_kernel
def refuse_body(t, stream_row):
    """The request was answered before its body, which never came: `Expect: 100-continue` refused (RFC 9110, 10.1.1).

    It ended when the latest of its bytes came.
    """
    stream = t.http_streams[stream_row]
    row = t.open[stream["message"]]
    row["anomalies"] &= ~np.uint64(Anomaly.EARLY_RESPONSE)
    stream["latest"] = min(stream["latest"], row["response_ts"])  # what came since is not the request's
    stream["body"] = 0
    stream["remaining"] = 0


@inline_kernel
def drop_body(t, stream_row):
    """The response that waits for its request turns out to answer a HEAD."""
    stream = t.http_streams[stream_row]
    stream["body"] = 0
    stream["remaining"] = 0
    message = np.int64(stream["message"])
    if message >= 0:
        t.links[message]["end"] = 0
        t.links[message]["method"] = Method.HEAD
