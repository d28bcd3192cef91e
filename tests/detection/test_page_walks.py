"""Page walks by number, offset and cursor; endpoints that answer more than they did; and those who only browse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sensor.config import FeatureSettings, PageWalksSettings
from sensor.detection.detector import Batch
from sensor.detection.detectors.page_walks import PageWalks
from sensor.features.stage import FeatureStage
from tests.detection.tables import Pool, join, transaction

DAY = 86_400


class Sensor:
    """Entities, and this one detector."""

    def __init__(self) -> None:
        self.pool = Pool()
        self.features = FeatureStage(FeatureSettings(), self.pool.tables)  # type: ignore[arg-type]
        self.detector = PageWalks(PageWalksSettings(), self.pool)  # type: ignore[arg-type]

    def read(self, rows: list[np.ndarray], batch: int = 1_000) -> list[Any]:
        found = []
        table = join(sorted(rows, key=lambda row: int(row["now"][0])))
        for start in range(0, len(table), batch):
            part = table[start : start + batch]
            entities = self.features.process(part)
            found += self.detector.process(
                Batch(part, part[:0], part[:0], int(part["now"][-1]), entities, self.features.tables)
            )
        return found

    def pages(self, at: float, who: int, numbers: list[int], **given: Any) -> list[np.ndarray]:
        """One identity asks for these pages, a second apart."""
        values = {"endpoint": "/orders", "client": f"10.0.0.{who}", "subject": 1_000 + who, "user": who} | given
        return [transaction(self.pool, at + i, page=page, **values) for i, page in enumerate(numbers)]

    def browsers(self, at: float = 0, clients: int = 12) -> list[np.ndarray]:
        """Others look at the first pages, some at the same one again and again."""
        return [
            row
            for who in range(1, clients + 1)
            for row in self.pages(at + 10 * who, who, [1, 2, 3, 1, 1, 2][: 1 + who % 6])
        ]


@pytest.mark.parametrize(
    "numbers",
    [list(range(1, 60)), list(range(0, 6_000, 100)), [-2] * 60],
    ids=["page", "offset", "cursor"],
)
@pytest.mark.parametrize("batch", [1_000, 1])
def test_a_walk_is_found_once_and_again_when_it_has_grown(numbers: list[int], batch: int) -> None:
    sensor = Sensor()
    found = sensor.read([*sensor.browsers(), *sensor.pages(500, 99, numbers)], batch)
    assert [one.rule.id for one in found] == ["page-walk"] * 3
    assert {one.entity.kind for one in found} == {"user"}
    assert found[0].numbers.observed == 20
    assert found[0].details["others_who_page"] > 3
    assert len({one.run for one in found}) == 1


@pytest.mark.parametrize("apart", [4, 7])
def test_a_walk_between_ordinary_looks_at_the_list(apart: int) -> None:
    """By one's own account, who goes on with the day's work."""
    sensor = Sensor()
    pages = [each for page in range(1, 60) for each in ([page, 2 + page % 3] if page % apart == 0 else [page])]
    found = sensor.read([*sensor.browsers(), *sensor.pages(500, 99, pages)])
    assert {one.rule.id for one in found} == {"page-walk"}
    assert len({one.run for one in found}) == 1


@pytest.mark.parametrize("lost", [7, 4, 3])
def test_a_walk_of_which_pages_were_lost(lost: int) -> None:
    sensor = Sensor()
    pages = [page for page in range(60) if page % lost]
    found = sensor.read([*sensor.browsers(), *sensor.pages(500, 99, pages)])
    assert {one.rule.id for one in found} == {"page-walk"}
    assert len({one.run for one in found}) == 1


@pytest.mark.parametrize(
    "numbers",
    [[1, 2, 3] * 30, [1] * 90, list(range(90, 1, -1)), [1, 5, 6, 20, 21, 40] * 15],
    ids=["first pages", "the same", "backwards", "here and there"],
)
def test_browsing_is_no_walk(numbers: list[int]) -> None:
    sensor = Sensor()
    assert sensor.read([*sensor.browsers(), *sensor.pages(500, 99, numbers)]) == []


def test_a_pause_ends_it() -> None:
    sensor = Sensor()
    rows = [row for part in range(6) for row in sensor.pages(2_000 * part, 99, list(range(15 * part, 15 * part + 15)))]
    assert sensor.read([*sensor.browsers(), *rows]) == []


def test_whoever_walks_every_day_is_reported_once() -> None:
    sensor = Sensor()
    nights = []
    for day in range(4):
        walk = sensor.pages(day * DAY + 500, 99, list(range(30)))
        nights.append(len(sensor.read([*sensor.browsers(day * DAY), *walk])))
    assert nights == [2, 0, 0, 0] or nights == [1, 0, 0, 0]
    assert sensor.read(sensor.pages(5 * DAY, 99, list(range(200))))


def test_what_many_walk_is_a_role() -> None:
    sensor = Sensor()
    walks = [row for who in range(50, 60) for row in sensor.pages(1_000 + 100 * who, who, list(range(30)))]
    accused = {one.client_ip for one in sensor.read([*sensor.browsers(), *walks])}
    assert accused == {"10.0.0.50", "10.0.0.51", "10.0.0.52"}


def test_memory_outlives_a_restart() -> None:
    first, second = Sensor(), Sensor()
    first.read([*first.browsers(), *first.pages(500, 99, list(range(30)))])
    assert second.features.restore({name: array.copy() for name, array in first.features.state().items()})
    assert second.detector.restore({name: array.copy() for name, array in first.detector.state().items()})
    assert second.read(second.pages(DAY + 500, 99, list(range(30)))) == []


def answers(sensor: Sensor, at: float, size: int, clients: int, count: int) -> list[np.ndarray]:
    """`clients` ask for the same thing in turn, a second apart."""
    return [
        transaction(
            sensor.pool, at + i, f"10.0.0.{1 + i % clients}", endpoint="/report", response_body_len=size, page=-1
        )
        for i in range(count)
    ]


def test_an_endpoint_that_answers_forty_times_more_to_all_is_found() -> None:
    sensor = Sensor()
    assert sensor.read(answers(sensor, 0, 1_000, 9, 200)) == []
    (found,) = sensor.read(answers(sensor, 300, 40_000, 9, 100))
    assert (found.rule.id, found.entity.kind) == ("response-growth", "endpoint")
    assert found.entity.value == "GET api.test/report"
    assert found.client_ip is None
    assert found.details["times_the_usual"] > 30


def test_one_client_that_asks_for_more_is_not_the_endpoint() -> None:
    sensor = Sensor()
    sensor.read(answers(sensor, 0, 1_000, 9, 200))
    assert sensor.read(answers(sensor, 300, 40_000, 1, 100)) == []


def test_now_and_then_a_large_answer_is_nothing() -> None:
    sensor = Sensor()
    rows = answers(sensor, 0, 1_000, 9, 400)
    for row in rows[100::4]:
        row["response_body_len"] = 40_000
    assert sensor.read(rows) == []
