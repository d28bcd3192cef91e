"""Off hours: who takes much at an hour at which it never works is told of; busy days and night workers are not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.detection.tables import (
    START,
    real_alerts,
)
from tests.detection.watched import Watched

ALICE = 0xA11CE
HOUR, DAY = 3_600, 86_400
MONDAY = (4 - START // 10**9 // DAY % 7) % 7 * DAY - START // 10**9 % DAY + 7 * DAY
"""Seconds after START at which a Monday begins, UTC; 1970-01-01 was a Thursday."""


class Weeks(Watched):
    detector = "off_hours"

    def take(self, day: int, hour: float, number: int = 10, size: int = 50_000, **given: Any) -> Weeks:
        for n in range(number):
            values = {"user": ALICE, "subject": ALICE, "response_body_len": size} | given
            self.add(MONDAY + day * DAY + hour * HOUR + n, **values)
        return self

    def work(self, weeks: int = 4, hours: tuple[int, ...] = (9, 11, 14, 16)) -> Weeks:
        """Working days with some 2 MB each."""
        for day in (7 * week + day for week in range(weeks) for day in range(5)):
            for hour in hours:
                self.take(day, hour + 0.3)
        return self


@pytest.mark.parametrize("batch", [1, 13, 1 << 30])
def test_a_night_with_more_than_a_day(batch: int) -> None:
    weeks = Weeks().work().take(28, 3.2, 60)
    (one,) = weeks.found(batch)
    assert (one.rule.id, one.entity.value) == ("off-hours", f"{ALICE:016x}")
    assert (one.details["local_hour"], one.details["days_at_this_hour"], one.details["days_known"]) == (3, 0, 20)
    assert one.numbers.baseline == pytest.approx(2_000_000, rel=0.01)
    assert one.numbers.observed > 2_000_000
    assert [one] == weeks.found()


def test_hours_are_local() -> None:
    """From nine to five in Auckland is the night in London."""
    night = {"hours": (20, 22, 1, 3)}
    assert Weeks(time_zone="Pacific/Auckland").work(**night).take(29, 21.5, 60).found() == []
    (one,) = Weeks(time_zone="Pacific/Auckland").work(**night).take(29, 14.5, 60).found()
    assert one.details["time_zone"] == "Pacific/Auckland"


def test_a_busy_day_and_a_little_work_at_night() -> None:
    assert Weeks().work().take(28, 10.5, 600).take(29, 2, 20).found() == []


def test_a_first_saturday_and_a_saturday_night() -> None:
    assert Weeks().work().take(26, 11, 60).found() == []
    assert len(Weeks().work().take(26, 2, 60).found()) == 1


def test_who_exports_every_night_does_so_again() -> None:
    weeks = Weeks().work(hours=(2, 3))
    assert weeks.take(28, 2.5, 90).found() == []


def test_who_is_new_has_no_hours() -> None:
    assert Weeks().work(weeks=2).take(14, 3, 60).found() == []


def test_what_was_refused_was_not_taken() -> None:
    assert Weeks().work().take(28, 3, 60, status_code=403).found() == []


def test_a_night_that_comes_back_becomes_a_habit() -> None:
    weeks = Weeks().work()
    for day in range(28, 48):
        weeks.take(day, 3, 60)
    days = [(one.now - START) // (DAY * 10**9) - MONDAY // DAY for one in weeks.found()]
    assert days
    assert max(days) < 33


def test_hours_outlive_a_restart() -> None:
    weeks = Weeks().work().take(28, 3.2, 60)
    assert weeks.restarted(-45) == weeks.found() != []


def test_minutes_say_nothing_of_weeks() -> None:
    assert [alert for alert in real_alerts("09-bulk-exfil") if alert["rule_id"] == "off-hours"] == []
