"""What the pipeline hands on: rows of one stretch of packet time, and what was found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Alert
from sensor.dns import NO_LOOKUPS, Lookups
from sensor.tls import TlsConnection
from sensor.websocket import WebSocketConnection

Rows = npt.NDArray[np.void]


class Batch(NamedTuple):
    """Rows of TRANSACTION, of FLOW that ended with two of STREAM each, alerts; `now` is packet time (ns) at its end.

    `contents` has a row of CONTENT for each transaction: what was kept of its bytes, in `arena`. `tls` and `websockets`
    are the TLS connections and WebSockets among the flows that ended, `dns` the lookups that were complete.
    """

    transactions: Rows
    flows: Rows
    streams: Rows
    alerts: list[Alert]
    now: int
    contents: Rows
    arena: npt.NDArray[np.uint8]
    tls: Sequence[TlsConnection] = ()
    websockets: Sequence[WebSocketConnection] = ()
    dns: Lookups = NO_LOOKUPS
