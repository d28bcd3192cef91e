"""Alerts as a subscriber gets them: topic and JSON of a message go in, a Message comes out, or it is counted why not.

Law: nothing that a peer sends raises here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from sensor.alert import SCHEMA_VERSION, Alert
from sensor.alert_log import Position
from sensor.bus.sequence import Gap


class _Head(msgspec.Struct):
    """What every version of the schema has."""

    schema_version: int
    sensor: str = "a sensor"


@dataclass(frozen=True, slots=True)
class Message:
    """One alert as it came: `body` is the JSON that was sent, newer fields included; `gap` what is missing before.

    `replayed`: it was missed on the stream, or published before this subscriber came, and asked for.
    """

    topic: str
    alert: Alert
    body: bytes
    gap: Gap | None
    replayed: bool = False

    @property
    def position(self) -> Position:
        """(epoch, sequence): what a cursor holds, by `alert.sensor`."""
        return self.alert.epoch, self.alert.sequence


class Messages:
    """Makes Messages; counts what is `malformed` and what is of an `other_schema`, of which `say_once` is told.

    `say_once` takes what it is about and a line.
    """

    def __init__(self, say_once: Callable[[str, str], None]) -> None:
        self.malformed = self.other_schema = 0
        self._say_once = say_once
        self._alerts = msgspec.json.Decoder(Alert)
        self._heads = msgspec.json.Decoder(_Head)

    def decode(self, topic: bytes, body: bytes, *, replayed: bool = False) -> Message | None:
        """None for what is not an alert that this version can read: counted."""
        try:
            head = self._heads.decode(body)
            if head.schema_version != SCHEMA_VERSION:
                self._refuse(head)
                return None
            return Message(topic.decode(), self._alerts.decode(body), body, None, replayed)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.malformed += 1
            return None

    def _refuse(self, head: _Head) -> None:
        self.other_schema += 1
        self._say_once(
            f"schema {head.sensor}",
            f"{head.sensor!r} sends alerts of schema {head.schema_version}, this program reads schema {SCHEMA_VERSION}:"
            f" update the older of the two; its alerts are skipped",
        )
