"""TLS probing: in: TLS connections that ended; out: detections of clients that try what a server would agree to.

Scanners of ciphers and versions say hello in ever other ways and then have nothing to say. Counted are the different
hellos of one client to one server that no data followed. The one law: connections that carried data count for nothing,
so that an office behind one address, with as many programs as people, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import TlsProbingSettings
from sensor.detection.carried import packed, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds, worth_saying
from sensor.limits import NS
from sensor.tls import TlsConnection

RULE = Rule(
    id="tls-probing",
    version=1,
    title="One client tries versions and ciphers of a TLS server",
    category="scanning",
    kind=Kind.ATTACK,
    severity=Severity.MEDIUM,
    owasp=("API8:2023",),
    attack=("T1595.002",),
)
_HELLOS_MAX = 256
"""Of a client and a server that are remembered, the latest."""
_NO_DATA_BYTES = 128
"""The end of a handshake of TLS 1.3 and a farewell are as long at most, in records that look like data."""


class Tries(msgspec.Struct):
    """Of one client at one server: hellos without data by their fingerprint, with the packet time of the last."""

    hellos: dict[str, int] = msgspec.field(default_factory=dict)
    connections: int = 0
    refused: int = 0
    first_ts: int = 0
    last_now: int = 0
    told_now: int = 0
    told_count: int = 0


class TlsProbing:
    """See the file's head; settings: TlsProbingSettings."""

    rules = (RULE,)
    faults = 0

    def __init__(self, settings: TlsProbingSettings, strings: Strings) -> None:
        self.settings = settings
        self.evicted = 0
        self._window_ns = nanoseconds(settings.window_seconds)
        self._pairs: dict[str, Tries] = {}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"pairs": packed(self._pairs)}

    def restore(self, saved: Mapping[str, npt.NDArray[np.uint8]]) -> bool:
        pairs = unpacked(saved, "pairs", dict[str, Tries])
        self._pairs = pairs if pairs is not None else {}
        return pairs is not None

    def process(self, batch: Batch) -> list[Detection]:
        return [hit for row in batch.tls if (hit := self._note(row)) is not None]

    def _note(self, row: TlsConnection) -> Detection | None:
        """One connection; what is to be told of its client."""
        hello = row.ja4 or row.ja3
        if not hello or row.orig_record_bytes > _NO_DATA_BYTES:
            return None
        key = f"{row.orig_h} {row.resp_h} {row.resp_p}"
        tries = self._pairs.pop(key, None)
        if tries is None or row.end_now - tries.last_now > self._window_ns:
            tries = Tries(first_ts=round(row.ts * NS))
        self._pairs[key] = tries
        if len(self._pairs) > self.settings.pairs_max:
            del self._pairs[next(iter(self._pairs))]
            self.evicted += 1
        tries.last_now = row.end_now
        tries.connections += 1
        tries.refused += not row.established
        tries.hellos.pop(hello, None)
        tries.hellos[hello] = row.end_now
        since = row.end_now - self._window_ns
        while next(iter(tries.hellos.values())) < since or len(tries.hellos) > _HELLOS_MAX:
            del tries.hellos[next(iter(tries.hellos))]
        tried = len(tries.hellos)
        if tried < self.settings.hellos_min or not worth_saying(row.end_now, tried, tries.told_now, tries.told_count):
            return None
        tries.told_now, tries.told_count = row.end_now, tried
        return self._detection(row, tries, tried)

    def _detection(self, row: TlsConnection, tries: Tries, tried: int) -> Detection:
        return Detection(
            now=row.end_now,
            rule=RULE,
            entity=Entity("client", row.orig_h),
            numbers=Numbers(
                observed=float(tried), threshold=float(self.settings.hellos_min), unit="different hellos without data",
                window_seconds=self.settings.window_seconds,
            ),
            count=tries.connections,
            run=f"{row.resp_h} {row.resp_p} {tries.first_ts}",
            first_ts=tries.first_ts,
            last_ts=max(round(row.ts * NS), tries.first_ts),
            client_ip=row.orig_h,
            client_port=row.orig_p,
            server_ip=row.resp_h,
            server_port=row.resp_p,
            community_id=row.community_id,
            details={"connections": tries.connections, "refused": tries.refused},
        )  # fmt: skip
