"""Low and slow: months of a small API in compressed time; somebody reads a little of everything, under every limit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sensor.config import DetectionSettings, ObjectEnumerationSettings, Settings, SlowExfiltrationSettings
from sensor.detection.detectors.slow_exfiltration import SlowExfiltration
from sensor.detection.time_zone import offsets_ns
from sensor.errors import SettingError
from sensor.features.stage import FeatureStage
from tests.bench.months import ROWS_MAX, START_DAY, Leak, Mix, Months, judge

SMALL = Mix(identities=250, agents=8, exporters=3, partners=2, testers=4)
FOUND_BY = "slow-exfiltration"
ALONE = Settings(detection=DetectionSettings(object_enumeration=ObjectEnumerationSettings(enabled=False)))
"""Without the detector that finds some of these walks earlier."""


class Sensor:
    """The entities and this one detector, over days of a Months."""

    def __init__(self, months: Months, **settings: object) -> None:
        self.months = months
        self.features = FeatureStage(Settings().features, months.pool.tables)  # type: ignore[arg-type]
        self.detector = SlowExfiltration(SlowExfiltrationSettings(**settings), months.pool)  # type: ignore[arg-type]

    def read(self, first: int, days: int, rows_max: int = ROWS_MAX) -> list:
        found = []
        for number in range(first, days):
            rows = self.months.day(number)
            for start in range(0, len(rows), rows_max):
                part = rows[start : start + rows_max]
                entities = self.features.process(part)
                batch = (part, None, None, int(part["now"][-1]), entities, self.features.tables)
                found += self.detector.process(_Batch(*batch))
        return found


class _Batch:
    def __init__(self, transactions, flows, streams, now, entities, tables) -> None:  # type: ignore[no-untyped-def]
        self.transactions, self.now, self.entities, self.tables = transactions, now, entities, tables


@pytest.mark.parametrize("seed", [11, 12])
def test_an_insider_is_found_within_a_day_after_two_clean_weeks(seed: int) -> None:
    judged = judge(Months(seed, SMALL, Leak(14)), 16, ALONE)
    assert judged.found_by == FOUND_BY
    assert judged.found_hours is not None
    assert judged.found_hours < 24
    assert FOUND_BY not in judged.wrong


@pytest.mark.parametrize("insider", [True, False])
def test_from_a_cold_start_he_is_found_before_a_twentieth_is_read(insider: bool) -> None:
    judged = judge(Months(13, SMALL, Leak(0, insider=insider, sequential=True)), 5, ALONE)
    assert judged.found_by == FOUND_BY
    assert judged.coverage < 0.05


def test_its_benign_twin_accuses_nobody() -> None:
    """The same people and months, and nobody who leaks."""
    judged = judge(Months(11, SMALL), 60)
    assert not judged.wrong.keys() & {FOUND_BY, "unusual-volume"}
    assert judged.wrong_per_week(SMALL, 60) <= 2  # of 250 identities: one or two page through all at night


def test_the_alert_explains_itself() -> None:
    (found, *_) = Sensor(Months(11, SMALL, Leak(14))).read(0, 15)
    assert found.entity.kind == "user"
    assert found.numbers.unit == "new objects"
    assert found.numbers.observed >= found.numbers.threshold > found.numbers.baseline
    details = found.details
    assert details["compared_with"] == "its own earlier days"
    assert details["objects_read"] < details["objects_known"]
    assert details["coverage_percent"] == pytest.approx(100 * details["objects_read"] / details["objects_known"], 0.01)
    assert details["all_read_in_days"] > 1


def test_batches_do_not_matter() -> None:
    months = Months(12, SMALL, Leak(6))
    whole, cut = Sensor(months).read(0, 9), Sensor(months).read(0, 9, rows_max=777)
    assert whole == cut
    assert whole


def test_a_restart_costs_nothing() -> None:
    months = Months(11, SMALL, Leak(14))
    whole = Sensor(months).read(0, 16)
    first, second = Sensor(months), Sensor(months)
    before = first.read(0, 14)
    assert second.features.restore({name: array.copy() for name, array in first.features.state().items()})
    assert second.detector.restore({name: array.copy() for name, array in first.detector.state().items()})
    assert before + second.read(14, 16) == whole


def test_memory_of_other_entity_tables_is_not_used() -> None:
    """Rows mean nothing without the tables that they are rows of."""
    months = Months(11, SMALL, Leak(14))
    first, second = Sensor(months), Sensor(months)
    first.read(0, 3)
    assert second.detector.restore(first.detector.state())
    second.read(3, 4)
    assert not second.detector.columns.arrays["takers"]["days"].any()


def test_heavy_cells_go_to_those_who_read_most() -> None:
    """Agents and the leak contend for them; what is demoted is counted, and the leak is found all the same."""
    months = Months(11, replace(SMALL, agents=12), Leak(10))
    sensor = Sensor(months, cells_max=32)
    found = sensor.read(0, 13)
    assert sensor.detector.evicted > 0
    assert {one.rule.id for one in found} == {FOUND_BY}
    assert len({one.client_ip for one in found}) == 1


def test_days_are_local() -> None:
    first, offsets = offsets_ns("Europe/Berlin")
    hours = offsets // 3_600_000_000_000
    assert hours[START_DAY - first[0]] == 1
    assert hours[START_DAY + 181 - first[0]] == 2
    assert offsets_ns("UTC")[1].tolist() == [0]
    with pytest.raises(SettingError, match=r'time_zone "Mars/Olympus": no such zone'):
        offsets_ns("Mars/Olympus")


def test_rows_of_zero_are_nobody() -> None:
    sensor = Sensor(Months(1, SMALL))
    rows = np.zeros(3, sensor.months.day(0).dtype)
    entities = sensor.features.process(rows)
    assert sensor.detector.process(_Batch(rows, None, None, 0, entities, sensor.features.tables)) == []
