"""Volumes by role: who takes far more in a minute than others of the role; roles of few and busy people are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.detection.tables import join, real_alerts, transaction
from tests.detection.watched import Watched

USER, BATCH = 11, 12
INSIDER = 7
EXPORT = {"endpoint": "/export", "uri": "/export", "response_body_len": 900_000, "records": -1}


class Office(Watched):
    """Thirty people of one role who read some records, minute by minute."""

    detector = "role_volumes"

    def read(self, seconds: float, who: int, role: int = USER, **given: Any) -> Office:
        values = {"user": 0x100 + who, "subject": 0x100 + who, "role": role, "response_body_len": 2_000, "records": 20}
        self.add(seconds, f"10.0.0.{who}", **(values | given))
        return self

    def work(self, people: int = 30, minutes: int = 3, pages: int = 4, **given: Any) -> Office:
        for minute in range(minutes):
            for who in range(people):
                for page in range(pages):
                    self.read(60 * minute + who + page / 8, who, **given)
        return self

    def sorted(self) -> np.ndarray:
        end = transaction(self.pool, 1_000, "10.0.0.250", endpoint="/quiet", uri="/quiet")
        return join([super().sorted(), end])


@pytest.mark.parametrize("batch", [1, 17, 1 << 30])
def test_one_export_of_somebody_who_is_no_exporter(batch: int) -> None:
    hits = Office().work().read(130, INSIDER, **EXPORT).found(batch)
    assert [(hit.rule.id, hit.entity.value, hit.client_ip) for hit in hits] == [
        ("bulk-above-role", f"{0x100 + INSIDER:016x}", "10.0.0.7")
    ]
    assert hits[0].numbers.unit == "response bytes a minute"
    assert hits[0].numbers.observed == 900_000 + 4 * 2_000
    assert hits[0].details == {"others_of_the_role": 30}


def test_many_small_pages_in_a_minute() -> None:
    office = Office().work()
    for page in range(30):
        office.read(120 + page, INSIDER, endpoint="/customers", records=100)
    assert [(hit.numbers.unit, hit.numbers.observed) for hit in office.found()] == [("records a minute", 3_080)]


@pytest.mark.parametrize(
    "given",
    [
        {"role": BATCH},  # nobody else has that role
        {"role": 0},  # nor is there one
        {"response_body_len": 300_000},  # not so much
        {"status_code": 403},  # it was refused
    ],
)
def test_what_is_not_told(given: dict[str, Any]) -> None:
    assert Office().work().read(130, INSIDER, **(EXPORT | given)).found() == []


def test_a_role_whose_people_take_much() -> None:
    office = Office().work(records=300)
    assert office.read(130, INSIDER, records=2_000).found() == []


def test_a_role_of_few() -> None:
    assert Office().work(people=10).read(130, INSIDER, **EXPORT).found() == []


def test_a_restart_costs_nothing() -> None:
    office = Office().work().read(130, INSIDER, **EXPORT)
    at = int(np.searchsorted(office.sorted()["now"], office.rows[-1]["now"][0])) + 1
    assert [hit.entity.value for hit in office.restarted(at)] == [f"{0x100 + INSIDER:016x}"]
    memory = office.stage().memories["detection.role_volumes"]
    assert not memory.restore({"roles": memory.state()["roles"]})


def test_real_traffic_has_none() -> None:
    assert "bulk-above-role" not in {alert["rule_id"] for alert in real_alerts("01a-benign")}
