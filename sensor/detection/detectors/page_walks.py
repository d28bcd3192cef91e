"""Page walks and grown answers: in: transactions with their entities; out: detections of identities that page through a
list far beyond what others do, and of endpoints whose answers are suddenly many times larger, for everybody.

A walk goes by page, by offset or by cursor, in steps that stay the same, with pauses of minutes at most. Whoever walks
as far every day, as an export does, is reported on the first day only; where three others walk as far, it is a role.
Of an endpoint that is new, and that no others page through, nobody knows who exports it every night: then a walk is of
low severity.
The one law: see the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor.alert import Detection, Entity, Kind, Numbers, Rule, Severity
from sensor.config import PageWalksSettings
from sensor.detection.detector import Batch, Strings, nanoseconds
from sensor.detection.detectors.page_walks_kernel import HIT, PAGERS, RECENT, SHELF, WALK, Progress, find_walks
from sensor.detection.evidence import address, community_id, http_of, identity_of
from sensor.detection.kept import KeptShared
from sensor.structures.entity_tables import EntityTables
from sensor.structures.log_histogram import BINS
from sensor.structures.shared_columns import SharedColumns

WALK_RULE = Rule(
    id="page-walk",
    version=1,
    title="Page walk: one identity pages through a list far beyond what others do",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API6:2023", "API4:2023"),
    attack=("T1213", "T1119"),
)
GROWTH_RULE = Rule(
    id="response-growth",
    version=1,
    title="Response growth: an endpoint answers many times larger than it used to",
    category="exfiltration",
    kind=Kind.BEHAVIOUR,
    severity=Severity.MEDIUM,
    owasp=("API3:2023", "API8:2023"),
)
Array = npt.NDArray[Any]


class PageWalks(KeptShared):
    """See the file's head; settings: PageWalksSettings."""

    rules = (WALK_RULE, GROWTH_RULE)

    def __init__(self, settings: PageWalksSettings, strings: Strings) -> None:
        super().__init__(HIT, len(Progress))
        self.settings, self.strings = settings, strings
        self.thresholds = np.array(
            [
                settings.pages_min, settings.others_ratio_min, nanoseconds(settings.pause_seconds),
                settings.growth_ratio_min, settings.growth_bytes_min, settings.growth_answers_min,
            ],
            np.float64,
        )  # fmt: skip

    def made(self, tables: EntityTables) -> SharedColumns:
        columns = SharedColumns(tables)
        columns.add("identity_endpoint", "walks", WALK)
        columns.add("endpoint", "shelves", SHELF)
        columns.add("endpoint", "walks_of", np.dtype(np.int32), BINS)
        columns.add("endpoint", "sizes_of", np.dtype(np.int32), BINS)
        return columns

    def find(self, batch: Batch, own: Mapping[str, Array], start: int) -> int:
        tables = batch.tables
        return find_walks(
            batch.transactions, batch.entities, start, tables.endpoint.generations,
            tables.identity_endpoint.generations, own["walks"], own["shelves"], own["walks_of"], own["sizes_of"],
            self.thresholds, self.hits, self.progress,
        )  # type: ignore[no-any-return]  # fmt: skip

    def detection(self, hit: Any, transaction: Any, entity: Any) -> Detection:
        http, growth = http_of(transaction, self.strings), bool(hit["is_growth"])
        is_new = not growth and hit["others"] < PAGERS and hit["known_ns"] < nanoseconds(self.settings.known_seconds)
        client, server = address(transaction, "client"), address(transaction, "server")
        endpoint = f"{server} {http.method} {http.endpoint}"
        if growth:
            whom = Entity("endpoint", f"{http.method} {http.host or server}{http.endpoint}")
            details = {"times_the_usual": round(float(hit["observed"]) / max(float(hit["baseline"]), 1.0), 1)}
        else:
            whom = identity_of(transaction, int(entity["identity_kind"]))
            details = {"response_bytes": int(hit["bytes"]), "others_who_page": int(hit["others"])}
        return Detection(
            now=int(transaction["now"]),
            rule=GROWTH_RULE if growth else WALK_RULE,
            entity=whom,
            numbers=Numbers(
                observed=float(hit["observed"]),
                threshold=round(float(hit["threshold"])),
                unit="response bytes" if growth else "pages in a row",
                window_seconds=self.settings.pause_seconds,
                baseline=float(hit["baseline"]),
            ),
            count=RECENT if growth else int(hit["observed"]),
            run=f"{endpoint}@{hit['run_now']}",
            first_ts=int(hit["first_ts"]),
            last_ts=int(transaction["response_end_ts"]) or int(transaction["ts"]),
            confidence=0.7,
            severity=Severity.LOW if is_new else None,
            client_ip=None if growth else client,
            client_port=None if growth else int(transaction["client_port"]),
            server_ip=server,
            server_port=int(transaction["server_port"]),
            community_id=community_id(transaction, "client", "server"),
            http=http,
            details=details,
        )
