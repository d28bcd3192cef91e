"""Third parties: in: transactions and TLS connections that go outside; out: those new, or that answer unlike before.

The inventory has a party for each name called from inside: callers, endpoints, statuses, types and sizes of answers.
The one law: what a party is judged by is what it answered before, to whomever.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import ThirdPartiesSettings
from sensor.detection.detector import Batch, Strings, Table, nanoseconds
from sensor.detection.detectors.outside_uploads import ranges_of
from sensor.detection.evidence import address, detection_of, host_name
from sensor.limits import NS
from sensor.tls import TlsConnection

NEW = Rule(
    id="third-party-new", version=1, title="Call to a third party that was not called before", category="third-parties",
    kind=Kind.BEHAVIOUR, severity=Severity.LOW, owasp=("API10:2023",), attack=("T1071.001",),
)  # fmt: skip
CHANGED = Rule(
    id="third-party-changed", version=1, title="A third party answers unlike before", category="third-parties",
    kind=Kind.BEHAVIOUR, severity=Severity.LOW, owasp=("API10:2023",), attack=("T1195",),
)  # fmt: skip
NAMES_MAX = 256
"""Callers, endpoints and types that are counted of one third party."""


class Party(msgspec.Struct):
    """What is known of one third party; times are packet time in ns. `tls`: versions of connections to it."""

    first: int
    last: int = 0
    calls: int = 0
    answers: int = 0
    errors: int = 0
    credentials_in_clear: int = 0
    redirected: int = 0
    largest: int = 0
    callers: dict[str, int] = {}
    endpoints: dict[str, int] = {}
    types: dict[str, int] = {}
    tls: dict[str, int] = {}
    self_signed: int = 0


class ThirdParties:
    """See the file's head; settings: ThirdPartiesSettings. `parties` by name."""

    rules = (NEW, CHANGED)
    faults = 0

    def __init__(self, settings: ThirdPartiesSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.evicted = 0
        self.parties: dict[str, Party] = {}
        self._began = 0
        self._inside = ranges_of(settings.inside_networks, "detection.third_parties.inside_networks").reshape(-1, 4)

    def process(self, batch: Batch) -> list[Detection]:
        said: list[Detection] = []
        rows = batch.transactions
        if len(rows):
            outward = self._is_inside(rows, "client") & ~self._is_inside(rows, "server")
            for row in np.flatnonzero(outward).tolist():
                said += self._request(batch, row)
        for connection in batch.tls:
            said += self._connection(connection)
        return said

    def _is_inside(self, rows: Table, side: str) -> npt.NDArray[np.bool_]:
        hi, lo = rows[f"{side}_hi"], rows[f"{side}_lo"]
        inside = np.zeros(len(rows), np.bool_)
        for first_hi, first_lo, last_hi, last_lo in self._inside:
            inside |= ((hi > first_hi) | ((hi == first_hi) & (lo >= first_lo))) & (
                (hi < last_hi) | ((hi == last_hi) & (lo <= last_lo))
            )
        return inside

    def _lies_inside(self, text: str) -> bool:
        ip = ipaddress.ip_address(text)
        number = int(ip) | (0xFFFF << 32 if ip.version == 4 else 0)
        return any(
            first_hi << 64 | first_lo <= number <= last_hi << 64 | last_lo
            for first_hi, first_lo, last_hi, last_lo in self._inside.tolist()
        )

    def _party(self, name: str, now: int) -> tuple[Party, bool]:
        """The party, and whether it is new."""
        self._began = self._began or now
        party = self.parties.get(name)
        if party is not None:
            party.last, party.calls = now, party.calls + 1
            return party, False
        if len(self.parties) >= self.settings.parties_max:
            del self.parties[next(iter(self.parties))]
            self.evicted += 1
        party = self.parties[name] = Party(first=now, last=now, calls=1)
        return party, self.is_foreign(name) or now - self._began > nanoseconds(self.settings.known_seconds)

    def is_foreign(self, name: str) -> bool:
        """Whether parties are listed and this is none of them."""
        listed = self.settings.allowed
        return bool(listed) and not any(name == each or name.endswith(f".{each}") for each in listed)

    def _request(self, batch: Batch, row: int) -> list[Detection]:
        one, now = batch.transactions[row], int(batch.transactions["now"][row])
        name = host_name(self.strings.text(int(one["host"])).lower()) or address(one, "server")
        party, new = self._party(name, now)
        said = [self._said(NEW, batch, row, name, 1, {})] if new else []
        method, template = (self.strings.text(int(one[column])) for column in ("method", "endpoint"))
        _count(party.callers, address(one, "client"))
        _count(party.endpoints, f"{method} {template}")
        party.credentials_in_clear += int(one["user"] != 0)
        status = int(one["status_code"])
        if status:
            said += self._answer(batch, row, name, party, status)
        return said

    def _answer(self, batch: Batch, row: int, name: str, party: Party, status: int) -> list[Detection]:
        one = batch.transactions[row]
        kind = self.strings.text(int(one["response_content_type"])).partition(";")[0].strip().lower()
        size, redirects = int(one["response_body_len"]), status in (301, 302, 303, 307, 308)
        odd: dict[str, tuple[float, float]] = {}
        if party.answers >= self.settings.answers_min:
            if redirects and not party.redirected:
                odd["redirects"] = (1.0, 0.0)
            if status < 300 and kind and kind not in party.types:
                odd[f"type {kind}"] = (1.0, 0.0)
            least = max(self.settings.size_ratio_min * party.largest, self.settings.size_bytes_min)
            if size > least:
                odd["size"] = (float(size), float(least))
        party.answers += 1
        party.errors += int(status >= 500)
        party.redirected += int(redirects)
        party.largest = max(party.largest, size)
        if status < 300 and kind:
            _count(party.types, kind)
        return [
            self._said(CHANGED, batch, row, name, 1, {"unlike": what, "observed": observed, "usual": usual})
            for what, (observed, usual) in odd.items()
        ]

    def _said(
        self, rule: Rule, batch: Batch, row: int, name: str, count: int, details: dict[str, Any]
    ) -> Detection:
        one = batch.transactions[row]
        numbers = Numbers(observed=1.0, threshold=0.0, unit="calls", window_seconds=0.0)
        foreign = {"allowed": False} if rule is NEW and self.is_foreign(name) else {}
        return detection_of(
            one, self.strings, rule, Entity("server", name), numbers, count=count, run=f"{name}@{one['ts']}",
            first_ts=int(one["ts"]), severity=Severity.MEDIUM if foreign else None, details={**details, **foreign},
        )  # fmt: skip

    def _connection(self, row: TlsConnection) -> list[Detection]:
        if not self._lies_inside(row.orig_h) or self._lies_inside(row.resp_h):
            return []
        name = (row.server_name or row.resp_h).lower()
        party, new = self._party(name, row.end_now)
        _count(party.callers, row.orig_h)
        _count(party.tls, row.version or "unknown")
        party.self_signed += int(row.self_signed)
        if not new:
            return []
        ts = round(row.ts * NS)
        foreign = self.is_foreign(name)
        return [Detection(
            now=row.end_now, rule=NEW, entity=Entity("server", name),
            numbers=Numbers(observed=1.0, threshold=0.0, unit="calls", window_seconds=0.0), count=1,
            run=f"{name}@{ts}", first_ts=ts, last_ts=ts, client_ip=row.orig_h, client_port=row.orig_p,
            server_ip=row.resp_h, server_port=row.resp_p, community_id=row.community_id,
            severity=Severity.MEDIUM if foreign else None, details={"allowed": False} if foreign else {},
        )]  # fmt: skip

    def state(self) -> dict[str, npt.NDArray[Any]]:
        kept = msgspec.msgpack.encode((self._began, self.parties))
        return {"parties": np.frombuffer(kept, np.uint8)}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        try:
            kept = msgspec.msgpack.decode(saved["parties"].tobytes(), type=tuple[int, dict[str, Party]])
        except (KeyError, msgspec.DecodeError):
            return False
        self._began, self.parties = kept
        return True


def _count(counts: dict[str, int], name: str) -> None:
    """One more of this name, while there is room for names."""
    if name in counts or len(counts) < NAMES_MAX:
        counts[name] = counts.get(name, 0) + 1
