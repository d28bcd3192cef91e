"""Unusual exports: the first of one who never exported is told of; habits, and what others do as well, are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.config import UnusualExportsSettings
from sensor.detection.stage import DetectionStage
from tests.detection.tables import (
    NO_FLOWS,
    NO_STREAMS,
    Pool,
    alone,
    features_of,
    join,
    real_alerts,
    run_transactions,
    transaction,
)

DAY = 86_400
INSIDER = 7


class Site:
    """Sixty people who use things, day after day."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.rows: list[np.ndarray] = []

    def use(self, seconds: float, who: int, path: str = "/things", **given: Any) -> Site:
        values = {"user": 0x100 + who, "subject": 0x100 + who, "endpoint": path, "uri": path} | given
        self.rows.append(transaction(self.pool, seconds, f"10.0.0.{who}", **values))
        return self

    def live(self, people: int = 60, days: int = 2) -> Site:
        for day in range(days):
            for who in range(people):
                self.use(day * DAY + 100 * who, who)
        return self

    def export(self, seconds: float, who: int = INSIDER, path: str = "/customers/export", **given: Any) -> Site:
        return self.use(seconds, who, path, **({"response_body_len": 900_000} | given))

    def stage(self) -> DetectionStage:
        return DetectionStage(alone(unusual_exports=UnusualExportsSettings()), self.pool)

    def found(self, batch: int = 1 << 30) -> list[Any]:
        self.rows.sort(key=lambda row: int(row["now"][0]))
        return run_transactions(self.stage(), join(self.rows), batch)


@pytest.mark.parametrize("batch", [1, 17, 1 << 30])
@pytest.mark.parametrize(
    ("path", "kind"), [("/customers/export", "application/json"), ("/customers/all", "text/csv; charset=utf-8")]
)
def test_the_first_export_of_one_who_never_did(path: str, kind: str, batch: int) -> None:
    site = Site().live().export(2 * DAY, path=path, response_content_type=kind)
    site.export(2 * DAY + 5, path=path, response_content_type=kind)
    (one,) = site.found(batch)
    assert (one.rule.id, one.entity.value, one.client_ip) == ("unusual-export", f"{0x107:016x}", "10.0.0.7")
    assert (one.numbers.observed, one.numbers.baseline) == (0, 60)
    assert one.details["response_bytes"] == 900_000
    assert site.found() == [one]


def test_who_exports_anyway() -> None:
    site = Site().live()
    for night in range(3):
        site.export(night * DAY + 80_000, path="/orders/export")
    assert site.export(3 * DAY).found() == []


def test_what_others_export_as_well() -> None:
    site = Site().live()
    for who in range(20, 23):
        site.export(50_000 + who, who)
    assert site.export(2 * DAY).found() == []


@pytest.mark.parametrize(
    "given", [{"response_body_len": 2_000}, {"status_code": 403}, {"path": "/customers/{id}"}, {"path": "/exporters"}]
)
def test_what_is_no_export(given: dict[str, Any]) -> None:
    assert Site().live().export(2 * DAY, **given).found() == []


def test_many_records_are_one_however_small() -> None:
    assert len(Site().live().export(2 * DAY, response_body_len=9_000, records=400).found()) == 1


def test_who_is_new_and_where_few_are_known() -> None:
    assert Site().live().export(2 * DAY, who=99).found() == []
    assert Site().live(people=20).export(2 * DAY).found() == []
    assert Site().live(days=1).export(9_000).found() == []


def test_it_outlives_a_restart() -> None:
    site = Site().live()
    before, after = site.stage(), site.stage()
    features = features_of(before)
    assert run_transactions(before, join(sorted(site.rows, key=lambda row: int(row["now"][0])))) == []
    saved = {name: each.copy() for name, each in before.memories["detection.unusual_exports"].state().items()}
    assert after.memories["detection.unusual_exports"].restore(saved)
    part = Site()
    part.pool, part.rows = site.pool, []
    rows = part.export(2 * DAY).rows[0].copy()
    entities = features.process(rows)
    found = after.process(rows, NO_FLOWS, NO_STREAMS, int(rows["now"][-1]), entities, features.tables)
    assert [one.rule.id for one in found] == ["unusual-export"]


def test_a_nightly_export_in_real_traffic() -> None:
    assert [alert for alert in real_alerts("01a-benign") if alert["rule_id"] == "unusual-export"] == []
