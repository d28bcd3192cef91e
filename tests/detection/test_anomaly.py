"""The anomaly model: an hour unlike all others is told, with the figures that made it; ordinary hours are not."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sensor.config import AnomalySettings, FeatureSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.anomaly import FIGURES, Anomaly
from sensor.errors import SettingError
from sensor.features.stage import FeatureStage
from tests.bench.months import Mix, Months

pytest.importorskip("sklearn")
MIX = Mix(identities=120, agents=4, exporters=1, partners=1, testers=2)
SETTINGS = AnomalySettings(enabled=True, hours_min=500)


class Sensor:
    def __init__(self, months: Months) -> None:
        self.months = months
        self.features = FeatureStage(FeatureSettings(), months.pool.tables)  # type: ignore[arg-type]
        self.detector = Anomaly(SETTINGS, months.pool)  # type: ignore[arg-type]

    def read(self, rows: np.ndarray, batch: int = 5_000) -> list:
        found = []
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            entities = self.features.process(part)
            now = int(part["now"][-1])
            found += self.detector.process(Batch(part, part[:0], part[:0], now, entities, self.features.tables))
        return found


def strange(months: Months, day: int) -> np.ndarray:
    """A day on which somebody ordinary changes thousands of things within an hour, most of them in vain."""
    rows = months.day(day)
    odd = np.repeat(rows[:1], 4_000)
    odd["now"] = odd["ts"] = rows["now"][len(rows) // 2] + np.arange(4_000) * 500_000_000
    odd["method"], odd["status_code"] = months.pool.code("DELETE"), 403
    odd["client_lo"], odd["subject"] = months.address[5], months.subject[5]
    both = np.concatenate([rows, odd])
    return both[np.argsort(both["now"], kind="stable")]


@pytest.fixture(scope="module")
def days() -> tuple[Months, list[np.ndarray]]:
    months = Months(3, MIX)
    return months, [*[months.day(day) for day in range(6)], strange(months, 6), months.day(7)]


def test_an_hour_unlike_all_others_is_told_with_what_made_it(days: tuple[Months, list[np.ndarray]]) -> None:
    months, tables = days
    sensor = Sensor(months)
    before = [one for table in tables[:6] for one in sensor.read(table)]
    found = [one for table in tables[6:] for one in sensor.read(table)]
    told = [one for one in found if one.entity.value == f"{int(months.subject[5]):016x}"]
    assert len(before) <= 6  # of some thousands of hours
    assert told
    assert told[0].numbers.observed > told[0].numbers.threshold
    assert set(told[0].details) <= set(FIGURES)
    assert {"refusals", "changes"} & set(told[0].details)


def test_batches_and_restarts_do_not_matter(days: tuple[Months, list[np.ndarray]]) -> None:
    months, tables = days
    whole, cut, resumed = Sensor(months), Sensor(months), Sensor(months)
    found = [one for table in tables for one in whole.read(table)]
    assert [one for table in tables for one in cut.read(table, 333)] == found
    first = Sensor(months)
    before = [one for table in tables[:5] for one in first.read(table)]
    assert resumed.features.restore({name: array.copy() for name, array in first.features.state().items()})
    assert resumed.detector.restore({name: array.copy() for name, array in first.detector.state().items()})
    assert before + [one for table in tables[5:] for one in resumed.read(table)] == found


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(SettingError, match=r"pip install tapir-sensor\[anomaly\]"):
        Anomaly(SETTINGS, Months(1, MIX).pool)  # type: ignore[arg-type]
