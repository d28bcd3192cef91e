"""Which alerts are open: records go in, the last revision of each open alert comes out.

Law: bounded by limits.ALERTS_OPEN_MAX; the one that changed longest ago gives way.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from sensor.alert import State
from sensor.alert_log import Record
from sensor.limits import ALERTS_OPEN_MAX


class _Head(msgspec.Struct):
    alert_id: str
    state: State


class OpenAlerts:
    """`forgotten` counts those that gave way while they were open."""

    def __init__(self, earlier: list[Record]) -> None:
        self.forgotten = 0
        self._open: OrderedDict[str, Record] = OrderedDict()
        decoder = msgspec.json.Decoder(_Head)
        for record in earlier:
            try:
                head = decoder.decode(record.body)
            except msgspec.MsgspecError:  # another version of the schema, or no alert
                continue
            self.add(head.alert_id, head.state, record)

    def add(self, alert_id: str, state: State, record: Record) -> None:
        """Take in the next revision of an alert."""
        self._open.pop(alert_id, None)
        if state == State.CLOSED:
            return
        self._open[alert_id] = record
        if len(self._open) > ALERTS_OPEN_MAX:
            self._open.popitem(last=False)
            self.forgotten += 1

    def page(self, behind: str, topics: tuple[bytes, ...], bytes_max: int) -> tuple[list[Record], bool]:
        """Open alerts in the order of alert_id, those after `behind`; whether there are more."""
        found: list[Record] = []
        size = 0
        for alert_id in sorted(self._open):
            record = self._open[alert_id]
            if alert_id <= behind or not record.topic.startswith(topics):
                continue
            if size >= bytes_max:
                return found, True
            found.append(record)
            size += len(record.body)
        return found, False
