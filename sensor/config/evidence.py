"""Settings of packet evidence. Law: a setting has a default, a unit and a line that says what it is for."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sensor.config.values import AtLeastOne, RingBytes, Seconds, SecondsOrNone


class EvidenceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The packets behind an alert of `tapir run`, as a capture. They hold whatever was on the wire, passwords and
    tokens among it: the one exception to keeping none, and therefore off.
    """

    enabled: bool = False
    """Keep recent packets, and cut those of each alert into a file of mode 0600."""
    folder: str = ""
    """Where these files are; in the state folder when empty."""
    ring_bytes: RingBytes = 64 << 20
    """Recent packets kept, in bytes: at 100 Mbit/s 64 MiB are five seconds."""
    ring_on_disk: bool = False
    """Keep recent packets in an unlinked file in that folder instead of in memory."""
    before_seconds: SecondsOrNone = 30.0
    """Packet time before the first packet of an alert from which on packets are its evidence."""
    after_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    """Packet time after a revision of an alert before its packets are cut: answers are still to come."""
    alert_bytes_max: AtLeastOne = 1 << 20
    """Bytes of one alert's file; the flow that decided comes first."""
    keep_seconds: Seconds = 7 * 86_400.0
    """Files older than this are removed."""
    bytes_max: AtLeastOne = 1 << 30
    """Bytes of all files; the oldest are removed beyond it."""
