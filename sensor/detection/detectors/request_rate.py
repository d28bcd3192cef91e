"""Request rates: in: transactions; out: detections of clients, accounts and endpoints with too many requests.

Limits that the operator sets hold over a window: so many a minute, and a burst on top. Without any, a row is compared
with itself, five minutes in a row above three times its own average, and accounts and clients with all others in the
same minute. Who goes on asking while the answer is 429 is told of as well. The one law: what is told never became part
of the average that told it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Http, Kind, Numbers, Rule, Severity
from sensor.config import RequestRateSettings
from sensor.detection import carried
from sensor.detection.by_row import ByRow
from sensor.detection.carried import packed, refill, unpacked
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.detectors.request_rate_kernel import SURGE as SURGED
from sensor.detection.detectors.request_rate_kernel import USUAL, end_minute
from sensor.detection.evidence import address, http_of, identity_of
from sensor.detection.findings import endpoint_name
from sensor.detection.owners import Owners
from sensor.detection.owners_kernel import count_requests
from sensor.detection.ticking import Part, Ticks
from sensor.structures.entity_table_kernels import Use
from sensor.structures.entity_tables import IdentityKind, SharedTable


def _rule(name: str, title: str) -> Rule:
    return Rule(
        id=name, version=1, title=title, category="availability", kind=Kind.BEHAVIOUR, severity=Severity.MEDIUM,
        owasp=("API4:2023",), attack=("T1499",),
    )  # fmt: skip


LIMIT = _rule("request-rate-limit", "More requests than the limit that was set allows")
SURGE = _rule("request-rate-surge", "Requests stay above a multiple of their own average for minutes")
OUTLIER = _rule("request-rate-outlier", "Many times the requests that others make in the same minute")
LIMITED = _rule("rate-limit-ignored", "Goes on asking while the server answers that it is too much (429)")
_MINUTE = nanoseconds(60)
_MEMORY_MINUTES = 1_440
_TOO_MANY = 429
_LIMITED_OTHERS, _LIMITED_RATIO = 3, 4.0
"""Others who are limited in the same minute from which on one must be so many times more than half of them: a limiter
that refuses everybody is nobody's fault.
"""


class _Name(NamedTuple):
    """How alerts name a row: after which request that is."""

    entity: Entity
    server_ip: str
    client_ip: str | None
    http: Http
    is_address: bool = False  # an identity that is but an address: limits and surges of those are told of as clients'


class _Watch:
    """Rows of one table: requests by minute, what is usual, and how alerts name them."""

    def __init__(self, column: str, minutes: int) -> None:
        self.column, self.minutes = column, minutes
        self.usual = ByRow(USUAL)
        self.owners = Owners(column, self.usual)
        self.cells = np.zeros((minutes, 0), np.int32)
        self.place = 0
        self.saved: Mapping[str, npt.NDArray[Any]] = {}
        self.names: dict[int, _Name] = {}

    def begin(self, batch: Batch) -> list[int]:
        """Clear the rows that are somebody else's now; which those are."""
        if not self.cells.shape[1]:
            self.cells = np.zeros((self.minutes, self.owners.table(batch).rows), np.int32)
            refill({"cells": self.cells}, self.saved)
            self.saved = {}
        changed = self.owners.changed(batch)
        if len(changed):
            self.cells[:, changed] = 0
        rows: list[int] = changed.tolist()
        for row in rows if self.names else ():
            self.names.pop(row, None)
        return rows

    def state(self) -> dict[str, npt.NDArray[Any]]:
        usual = self.usual.state()
        cells = {"cells": self.cells[:, : len(usual)]} if self.cells.shape[1] else self.saved
        return {"usual": usual, **cells, "words": packed((self.place, self.names))}

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        words = unpacked(saved, "words", tuple[int, dict[int, _Name]])
        if words is None or "usual" not in saved or not self.usual.restore(saved["usual"]):
            return False
        if "cells" in saved and len(saved["cells"]) == self.minutes:
            self.place, self.names, self.saved = *words, {"cells": saved["cells"]}
        return True

    def step(self, used: int) -> None:
        """The present minute is over; the oldest one is forgotten. Rows from `used` on are nobody's."""
        self.place = (self.place + 1) % self.minutes
        self.cells[self.place, :used] = 0


class RequestRate:
    """See the file's head; settings: RequestRateSettings."""

    rules = (LIMIT, SURGE, OUTLIER, LIMITED)
    faults = 0
    evicted = 0

    def __init__(self, settings: RequestRateSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        minutes = max(1, round(settings.window_seconds / 60))
        self.limits = {
            "client": settings.client_per_minute_max, "identity": settings.identity_per_minute_max,
            "endpoint": settings.endpoint_per_minute_max,
        }  # fmt: skip
        self.watches = [_Watch(column, minutes) for column in self.limits]
        self.ticks = Ticks(_MINUTE, 60)
        self.room = np.zeros(0, np.int64)
        self.surged = np.zeros(0, SURGED)
        self.limited: dict[int, int] = {}  # answers of 429 in this minute by identity

    def state(self) -> dict[str, npt.NDArray[Any]]:
        state = {"ticks": self.ticks.current, "minute": packed(self.limited)}
        for watch in self.watches:
            state |= carried.under(watch.column, watch.state())
        return state

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        if "ticks" not in saved or not all(watch.restore(carried.of(watch.column, saved)) for watch in self.watches):
            return False
        self.ticks.current[:] = saved["ticks"]
        self.limited = unpacked(saved, "minute", dict[int, int]) or {}
        return True

    def process(self, batch: Batch) -> list[Detection]:
        for watch in self.watches:
            changed = watch.begin(batch)
            for row in changed if watch.column == "identity" and self.limited else ():
                self.limited.pop(row, None)
        detections: list[Detection] = []
        for part in self.ticks.parts(batch.transactions["now"], batch.now):
            if not part.tick:
                self._count(batch, part)
                self._count_limited(batch, part)
                continue
            detections += self._stand_out(batch, part.tick)
            for watch in self.watches:
                detections += self._minute(watch, watch.owners.table(batch), part.tick)
        return detections

    def _mark(self, watch: _Watch) -> int:
        """Requests of a minute from which on a row is given a name."""
        limit = self.limits[watch.column]
        least = min(self.settings.surge_per_minute_min, self.settings.outlier_per_minute_min) // 2
        return max(1, min(least, limit // 2) if limit else least)

    def _count(self, batch: Batch, part: Part) -> None:
        """Count a part of the rows; a row is named after the request that made it many, wherever rows are cut."""
        if len(self.room) < 3 * len(batch.entities):
            self.room = np.zeros(6 * len(batch.entities), np.int64)
        counts: list[Any] = [each for watch in self.watches for each in (watch.cells[watch.place], self._mark(watch))]
        found = count_requests(batch.entities, part.start, part.stop, *counts, self.room)  # type: ignore[call-arg]
        for place, column in (divmod(many, 4) for many in self.room[:found].tolist()):
            watch = self.watches[column]
            row = int(batch.entities[watch.column][place])
            if row not in watch.names and (watch.column != "endpoint" or row > 0):
                watch.names[row] = self._name(watch, batch, place)

    def _count_limited(self, batch: Batch, part: Part) -> None:
        """Answers of 429 by identity; it is named after the one that made them many."""
        failed = batch.failed
        limited = failed[batch.status[failed] == _TOO_MANY]
        for place in limited[(limited >= part.start) & (limited < part.stop)].tolist():
            row = int(batch.entities["identity"][place])
            self.limited[row] = self.limited.get(row, 0) + 1
            if self.limited[row] == self.settings.limited_per_minute_min:
                self.watches[1].names[row] = self._name(self.watches[1], batch, place)

    def _stand_out(self, batch: Batch, tick: int) -> list[Detection]:
        """At the end of a minute: identities far above all others in it, and those that were told to slow down."""
        watch, settings = self.watches[1], self.settings
        table = watch.owners.table(batch)
        used = table.reserved + int(table.state[Use.ROWS])
        last, usual = watch.cells[watch.place, :used], watch.usual.of(table)
        detections = []
        for row in np.flatnonzero(last >= settings.outlier_per_minute_min).tolist():
            requests, average = int(last[row]), float(usual["average"][row])
            others = np.delete(last, row)
            others = others[others > 0]
            if len(others) < settings.peers_min:
                continue
            name, most = watch.names.get(row), float(np.percentile(others, 95))
            threshold = settings.outlier_ratio_min * most * (2 if name and name.is_address else 1)
            if usual["minutes"][row] >= settings.known_minutes_min:
                threshold = max(threshold, settings.surge_ratio_min * average)
            if requests >= threshold:
                detections += self._detection(watch, row, OUTLIER, tick, requests, threshold, most)
        for row, answers in self.limited.items():
            if answers < settings.limited_per_minute_min:
                continue
            of_others = [each for other, each in self.limited.items() if other != row]
            most = float(np.median(of_others)) if len(of_others) >= _LIMITED_OTHERS else 0.0
            threshold = max(float(settings.limited_per_minute_min), _LIMITED_RATIO * most)
            if answers >= threshold:
                detections += self._detection(watch, row, LIMITED, tick, answers, threshold, most)
        self.limited.clear()
        return detections

    def _name(self, watch: _Watch, batch: Batch, place: int) -> _Name:
        transaction = batch.transactions[place]
        client, is_address = None, False
        if watch.column == "endpoint":
            entity = Entity("endpoint", endpoint_name(transaction, self.strings))
        else:
            kind = IdentityKind.CLIENT if watch.column == "client" else int(batch.entities["identity_kind"][place])
            entity, client = identity_of(transaction, kind), address(transaction, "client")
            is_address = watch.column == "identity" and kind == IdentityKind.CLIENT
        return _Name(entity, address(transaction, "server"), client, http_of(transaction, self.strings), is_address)

    def _minute(self, watch: _Watch, table: SharedTable, tick: int) -> list[Detection]:
        """At the end of a minute: who is above a limit, and who above its own average for long enough."""
        used = table.reserved + int(table.state[Use.ROWS])  # the other rows are nobody's
        usual, last = watch.usual.of(table)[:used], watch.cells[watch.place, :used]
        detections = []
        limit = self.limits[watch.column]
        if limit:
            allowed = limit * watch.minutes + self.settings.burst_max
            window = watch.cells[:, :used].sum(axis=0)
            for row in np.flatnonzero(window > allowed).tolist():
                detections += self._detection(watch, row, LIMIT, tick, int(window[row]), allowed, None)
        if len(self.surged) < used:
            self.surged = np.zeros(table.rows, SURGED)
        settings = self.settings
        found = end_minute(
            last, used, usual, settings.known_minutes_min, settings.surge_per_minute_min, settings.surge_ratio_min,
            settings.surge_minutes_min, _MEMORY_MINUTES, self.surged,
        )  # fmt: skip
        for row, requests, mean in self.surged[:found].tolist():
            threshold = max(settings.surge_per_minute_min, settings.surge_ratio_min * mean)
            detections += self._detection(watch, row, SURGE, tick, requests, threshold, mean)
        watch.step(used)
        return detections

    def _detection(
        self, watch: _Watch, row: int, rule: Rule, tick: int, requests: int, threshold: float, average: float | None
    ) -> list[Detection]:
        name = watch.names.get(row)
        if name is None or (name.is_address and rule in (LIMIT, SURGE)):
            return []
        entity, server, client, http, _ = name
        seconds = 60.0 * watch.minutes if rule is LIMIT else 60.0
        since = tick - (_MINUTE * self.settings.surge_minutes_min if rule is SURGE else nanoseconds(seconds))
        return [
            Detection(
                now=tick,
                rule=rule,
                entity=entity,
                numbers=Numbers(
                    observed=float(requests), threshold=round(threshold, 1), unit="requests", window_seconds=seconds,
                    baseline=None if average is None else round(average, 1),
                ),
                count=requests,
                run=f"{entity.value}/{since // nanoseconds(seconds)}",
                first_ts=since,
                last_ts=tick,
                server_ip=server,
                details={"minutes_above": int(watch.usual.state()["above"][row])} if rule is SURGE else {},
                client_ip=client,
                http=http,
            )
        ]  # fmt: skip
