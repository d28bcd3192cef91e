"""Unusual exports: in: transactions; out: detections of identities that export though neither they nor others do.

An endpoint is an export by its name (/export, /dump, /download ...) or by what it answers (CSV, a spreadsheet, an
archive). The one law: who has exported anything before is never told of, nor is one who is new, nor an endpoint that
others use.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Kind, Numbers, Rule, Severity
from sensor.config import UnusualExportsSettings
from sensor.detection.by_code import ByCode, each
from sensor.detection.by_row import ByRow, Columns
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.evidence import detection_of, identity_of
from sensor.detection.owners import Owners
from sensor.limits import NS
from sensor.structures.entity_table_kernels import Use

RULE = Rule(
    id="unusual-export",
    version=1,
    title="An identity exports for the first time, where hardly any other does",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.LOW,
    owasp=("API5:2023", "API6:2023"),
    attack=("T1213", "T1119"),
)
_NAMES = re.compile(
    r"(?:^|[/_.-])(?:exports?|dumps?|downloads?|backups?|extracts?|takeout|archives?|csv|xlsx|parquet)(?:$|[/_.-])",
    re.IGNORECASE,
)
_TYPES = re.compile(
    r"^(?:text/csv|application/(?:csv|zip|gzip|x-gzip|x-tar|x-7z-compressed|x-ndjson|sql|vnd\.ms-excel|"
    r"vnd\.openxmlformats-officedocument\.spreadsheetml\.sheet|vnd\.apache\.parquet|octet-stream))(?:$|[; ])",
    re.IGNORECASE,
)
_IDENTITY = np.dtype([("generation", "u4"), ("exports", "u4"), ("first_second", "u4")], align=True)
_ENDPOINT = np.dtype([("generation", "u4"), ("users", "u4")], align=True)


class UnusualExports:
    """See the file's head; settings: UnusualExportsSettings."""

    rules = (RULE,)
    faults = 0
    evicted = 0

    def __init__(self, settings: UnusualExportsSettings, strings: Strings) -> None:
        self.settings, self.strings = settings, strings
        self.identities, self.endpoints, self.pairs = ByRow(_IDENTITY), ByRow(_ENDPOINT), ByRow(np.uint32)
        columns = Columns(identities=self.identities, endpoints=self.endpoints, pairs=self.pairs)
        self.state, self.restore = columns.state, columns.restore
        self.owners = Owners("identity", self.identities)
        self.named = ByCode(strings, each(lambda text: bool(_NAMES.search(text))))
        self.typed = ByCode(strings, each(lambda text: bool(_TYPES.search(text))))

    def process(self, batch: Batch) -> list[Detection]:
        rows = batch.transactions
        if not len(rows):
            return []
        self._greet(batch)
        named, typed = self.named.passing(rows["endpoint"]), self.typed.passing(rows["response_content_type"])
        places = np.union1d(named, typed) if len(named) and len(typed) else named if len(named) else typed
        if not len(places):
            return []
        status, pairs = batch.status[places], batch.entities["identity_endpoint"][places]
        known = self.pairs.of(batch.tables.identity_endpoint)
        generations = batch.tables.identity_endpoint.generations
        fresh = places[(status >= 200) & (status < 300) & (known[pairs] != generations[pairs])]
        detections: list[Detection] = []
        for place in fresh.tolist():
            pair = int(batch.entities["identity_endpoint"][place])
            if known[pair] != generations[pair]:
                known[pair] = generations[pair]
                detections += self._first(batch, place)
        return detections

    def _greet(self, batch: Batch) -> None:
        """Note when identities that are new were first seen."""
        changed = self.owners.changed(batch)
        if not len(changed):
            return
        records, nows = self.identities.of(batch.tables.identity), batch.transactions["now"]
        seconds = nows // NS  # since 1970
        records["first_second"][changed] = seconds[0]
        theirs = np.flatnonzero(np.isin(batch.entities["identity"], changed))[::-1]
        records["first_second"][batch.entities["identity"][theirs]] = seconds[theirs]  # the earliest is written last

    def _first(self, batch: Batch, place: int) -> list[Detection]:
        """An identity uses an export for the first time."""
        row, entity, settings = batch.transactions[place], batch.entities[place], self.settings
        now = int(row["now"])
        endpoints = batch.tables.endpoint
        endpoint, identity = self.endpoints.of(endpoints)[entity["endpoint"]], int(entity["identity"])
        if endpoint["generation"] != endpoints.generations[entity["endpoint"]]:
            endpoint["generation"], endpoint["users"] = endpoints.generations[entity["endpoint"]], 0
        users = int(endpoint["users"])
        endpoint["users"] += 1
        records = self.identities.of(batch.tables.identity)
        mine = records[identity]
        mine["exports"] += 1
        before = (now - nanoseconds(settings.known_seconds)) // NS
        much = row["response_body_len"] >= settings.bytes_min or row["records"] >= settings.records_min
        if mine["exports"] > 1 or mine["first_second"] > before or not much:
            return []
        people = self._people(records[: int(batch.tables.identity.state[Use.ROWS])], before)
        most = settings.others_part_max * people
        if people < settings.people_min or users > most:
            return []
        numbers = Numbers(
            observed=float(users), threshold=round(most, 2), baseline=float(people),
            unit="other identities that use this export", window_seconds=settings.known_seconds,
        )  # fmt: skip
        who = identity_of(row, int(entity["identity_kind"]))
        details: dict[str, Any] = {
            "response_bytes": int(row["response_body_len"]), "records": int(row["records"]),
            "content_type": self.strings.text(int(row["response_content_type"])),
        }  # fmt: skip
        return [
            detection_of(
                row, self.strings, RULE, who, numbers, count=1, run=f"{who.value}@{now}", first_ts=int(row["ts"]),
                confidence=0.5, details=details,
            )
        ]  # fmt: skip

    @staticmethod
    def _people(records: npt.NDArray[Any], before: int) -> int:
        """How many identities are known since the second `before`, or longer."""
        return int(np.count_nonzero((records["generation"] > 0) & (records["first_second"] <= before)))
