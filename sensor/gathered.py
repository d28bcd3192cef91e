"""What waits with transactions to be judged: in: flows that ended or are told of while they live, TLS connections,
WebSockets and DNS lookups, of one block after another; out: all of them at once.

The one law: what is gathered is of its own, wherever it was taken from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.dns import NO_LOOKUPS, Lookups, joined_lookups
from sensor.schema import FLOW, STREAM
from sensor.structures.records import joined
from sensor.tls import TlsConnection
from sensor.websocket import WebSocketConnection

Rows = npt.NDArray[np.void]

NO_FLOWS = np.zeros(0, FLOW)
NO_STREAMS = np.zeros(0, STREAM)


class Ended(NamedTuple):
    """FLOW[n] and STREAM[2 n] of flows that ended, and as many of some that live; what was found in those that ended.
    """

    flows: Rows = NO_FLOWS
    streams: Rows = NO_STREAMS
    told: Rows = NO_FLOWS
    told_streams: Rows = NO_STREAMS
    tls: Sequence[TlsConnection] = ()
    websockets: Sequence[WebSocketConnection] = ()
    dns: Lookups = NO_LOOKUPS


@dataclass
class Gathered:
    """`blocks`: of how many blocks it is; `flows`: how many flows have ended; `now`: packet time at the end of them."""

    blocks: int = 0
    flows: int = 0
    now: int = 0
    _parts: list[Ended] = field(default_factory=list)

    def add(self, part: Ended, now: int) -> None:
        """Rows are not to be changed by anyone from now on; packet time is `now` at the end of the part."""
        self.now = max(self.now, now)
        self.flows += len(part.flows)
        self._parts.append(part)

    def take(self) -> Ended:
        """All of it; what comes afterwards is gathered anew."""
        parts, self._parts, self.blocks, self.flows = self._parts, [], 0, 0
        if len(parts) < 2:
            return parts[0] if parts else Ended()
        return Ended(
            _joined([part.flows for part in parts]),
            _joined([part.streams for part in parts]),
            _joined([part.told for part in parts]),
            _joined([part.told_streams for part in parts]),
            [row for part in parts for row in part.tls],
            [row for part in parts for row in part.websockets],
            joined_lookups([part.dns for part in parts if len(part.dns.rows)]),
        )


def _joined(tables: Sequence[Rows]) -> Rows:
    """One after the other; the one that has rows itself where no other has."""
    filled = [table for table in tables if len(table)]
    return joined(filled) if len(filled) > 1 else (filled or tables)[0]
