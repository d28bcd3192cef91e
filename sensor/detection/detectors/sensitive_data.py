"""Personal data and secrets in bodies: in: contents; out: findings about endpoints that give or take them.

Cards, accounts, national numbers, mail addresses, phones, keys, passwords, health and location are counted, never kept.
A finding says which kinds an endpoint gives out, when it first does, and again when one answer holds ten times as many
as any before. The one law: what an endpoint has shown is judged transaction by transaction, in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Rule, Severity
from sensor.config import SensitiveDataSettings
from sensor.detection.detector import Batch, Strings, sweep
from sensor.detection.findings import Case, endpoint_name, found
from sensor.detection.sensitive.kinds import KINDS
from sensor.detection.sensitive.kinds import Kind as Found
from sensor.detection.sensitive.names import name_table
from sensor.detection.sensitive.news_kernel import GROWTH, Progress, find_news
from sensor.detection.sensitive.strings import IDLE_NAMES
from sensor.schema import TransactionFlag, Wanted
from sensor.structures.entity_tables import SharedTable

PERSONAL = Rule(
    id="sensitive-data", version=1, title="Endpoint gives out or takes personal data", category="exposure",
    kind=Kind.POSTURE, severity=Severity.LOW, owasp=("API3:2023", "API8:2023"), attack=("T1530",),
)  # fmt: skip
SECRETS = Rule(
    id="secrets-in-answers", version=1, title="Endpoint gives out passwords or keys", category="exposure",
    kind=Kind.POSTURE, severity=Severity.HIGH, owasp=("API3:2023",), attack=("T1552",),
)  # fmt: skip
_HITS = 256
_SECRETS = (Found.PASSWORD, Found.KEY)
_PERSONAL = (
    Found.CARD, Found.IBAN, Found.NATIONAL_ID, Found.EMAIL, Found.PHONE, Found.HEALTH, Found.LOCATION,
)  # fmt: skip
_GRAVE = (Found.CARD, Found.IBAN, Found.NATIONAL_ID, Found.HEALTH)
"""Kinds whose loss has to be told to people or banks: of medium severity where no credential is asked for."""


class SensitiveData:
    """See the file's head; settings: SensitiveDataSettings."""

    rules = (PERSONAL, SECRETS)
    evicted = 0

    def __init__(self, settings: SensitiveDataSettings, strings: Strings) -> None:
        self.strings = strings
        self.wanted = Wanted(request_body=settings.body_bytes, response_body=settings.body_bytes)
        self.faults = 0
        self._names = name_table()
        self._idle = np.zeros(IDLE_NAMES, np.uint64)
        self._digits = np.zeros(32, np.uint8)
        self._hits = np.zeros(_HITS, np.int64)
        self._counts = np.zeros(_HITS * KINDS, np.uint32)
        self._progress = np.zeros(len(Progress), np.int64)
        self._most = np.zeros((0, 2, KINDS), np.uint32)  # in one message of each endpoint so far, by side
        self._owners = np.zeros(0, np.uint32)

    def process(self, batch: Batch) -> list[Detection]:
        said: list[Detection] = []
        if not len(batch.contents):
            return said
        self._resize(batch.tables.endpoint)
        self.faults += sweep(
            lambda start: self._scan(batch, start),
            len(batch.contents),
            self._progress,
            lambda hits: said.extend(self._judge(batch, hits)),
        )
        return said

    def _resize(self, endpoints: SharedTable) -> None:
        if len(self._owners) != endpoints.rows:
            self._most = np.zeros((endpoints.rows, 2, KINDS), np.uint32)
            self._owners = np.zeros(endpoints.rows, np.uint32)

    def _scan(self, batch: Batch, start: int) -> int:
        return find_news(
            batch.contents, batch.arena, batch.transactions, batch.entities, batch.tables.endpoint.generations,
            self._owners, self._most.reshape(-1), start, *self._names, self._idle, self._digits, self._hits,
            self._counts, self._progress, False,
        )  # fmt: skip

    def _judge(self, batch: Batch, hits: int) -> list[Detection]:
        said = []
        counts = self._counts.reshape(_HITS, KINDS)
        for hit in range(hits):
            row, side = int(self._hits[hit]) >> 1, int(self._hits[hit]) & 1
            endpoint = int(batch.entities[row]["endpoint"])
            generation = batch.tables.endpoint.generations[endpoint]
            if self._owners[endpoint] != generation:
                self._owners[endpoint] = generation
                self._most[endpoint] = 0
            most = self._most[endpoint, side]
            grown = counts[hit] >= np.maximum(GROWTH * most, 1)
            if grown.any():
                before = most.copy()
                np.maximum(most, counts[hit], out=most)
                said += self._say(batch, row, side, counts[hit], grown, before)
        return said

    def _say(
        self, batch: Batch, row: int, side: int, counts: npt.NDArray[np.uint32], grown: npt.NDArray[np.bool_],
        before: npt.NDArray[np.uint32],
    ) -> list[Detection]:  # fmt: skip
        said = []
        transaction = batch.transactions[row]
        for rule, kinds in ((PERSONAL, _PERSONAL), (SECRETS, _SECRETS)):
            if not any(grown[kind] for kind in kinds):
                continue
            amount = sum(int(counts[kind]) for kind in kinds)
            seen = bool(transaction["flags"] & TransactionFlag.REQUEST)  # else nobody knows who asked
            grave = rule is PERSONAL and seen and not transaction["user"] and any(counts[kind] for kind in _GRAVE)
            details: dict[str, Any] = {
                "side": ("request", "response")[side],
                "kinds": {kind.name.lower(): int(counts[kind]) for kind in kinds if counts[kind]},
                "new": [kind.name.lower() for kind in kinds if grown[kind] and not before[kind]],
                "authenticated": bool(transaction["user"]) if seen else None,
            }
            case = Case(row, 1, int(transaction["ts"]))
            entity = Entity("endpoint", endpoint_name(transaction, self.strings))
            said.append(
                found(
                    rule, entity, case, batch.transactions, self.strings, "values in one message", details,
                    Severity.MEDIUM if grave else None, float(amount),
                )
            )  # fmt: skip
        return said

    def state(self) -> dict[str, npt.NDArray[Any]]:
        known = np.flatnonzero(self._owners)
        return {
            "endpoints": known, "rows": np.array([len(self._owners)]), "generations": self._owners[known],
            "most": self._most[known].reshape(-1, 2 * KINDS),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, npt.NDArray[Any]]) -> bool:
        endpoints, most, rows = saved.get("endpoints"), saved.get("most"), saved.get("rows")
        generations = saved.get("generations")
        if endpoints is None or most is None or rows is None or generations is None:
            return False
        if most.shape != (len(endpoints), 2 * KINDS) or generations.shape != endpoints.shape or rows.shape != (1,):
            return False
        self._owners = np.zeros(int(rows[0]), np.uint32)
        self._most = np.zeros((len(self._owners), 2, KINDS), np.uint32)
        self._owners[endpoints] = generations
        self._most[endpoints] = most.reshape(-1, 2, KINDS)
        return True
