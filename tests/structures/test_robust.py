"""What is usual for an entity: as numpy says, over the right days; a third of poisoned days moves it little."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import F64s, I32s, kernel
from sensor.structures.robust import DAYS_MAX, SAME_KIND_MIN, is_weekend, usual

SIZE = 28


@kernel
def usual_of(history: I32s, base: int, size: int, head: int, today: int, work: F64s, out: F64s) -> int:
    return usual(history, base, size, head, today, work, out)


@kernel
def weekend(day: int) -> bool:
    return is_weekend(day)


def usual_day(totals: dict[int, int], today: int) -> tuple[int, float, float]:
    """Days, centre and spread of these totals by day, kept in a ring between other rings."""
    history = np.full(3 * SIZE, 9_999, np.int32)
    history[SIZE : 2 * SIZE] = 0
    head = max(totals)
    for day, total in totals.items():
        if day > head - SIZE:
            history[SIZE + day % SIZE] = total
    out = np.zeros(2)
    return usual_of(history, SIZE, SIZE, head, today, np.zeros(DAYS_MAX), out), *out.tolist()


def slowly(totals: dict[int, int], today: int) -> tuple[int, float, float]:
    """The same in numpy."""
    kept = {day: total for day, total in totals.items() if max(totals) - SIZE < day < today and total > 0}
    alike = [total for day, total in kept.items() if weekend(day) == weekend(today)]
    logs = np.log1p(np.array(alike if len(alike) >= SAME_KIND_MIN else list(kept.values()), float))
    if not len(logs):
        return 0, 0.0, 0.0
    centre = float(np.median(logs))
    return len(logs), centre, 1.4826 * float(np.median(np.abs(logs - centre)))


def test_weekends() -> None:
    assert [day for day in range(20_454, 20_468) if weekend(day)] == [20_456, 20_457, 20_463, 20_464]  # January 2026


@given(st.dictionaries(st.integers(20_000, 20_060), st.integers(0, 5_000), min_size=1), st.integers(0, 1))
def test_as_numpy_has_it(totals: dict[int, int], later: int) -> None:
    today = max(totals) + later
    days, centre, spread = usual_day(totals, today)
    assert (days, pytest.approx(centre), pytest.approx(spread)) == slowly(totals, today)


def test_a_third_of_poisoned_days_moves_it_little() -> None:
    random = np.random.default_rng(1)
    clean = {20_000 + day: int(total) for day, total in enumerate(random.lognormal(4, 0.3, SIZE))}
    poisoned = clean | {day: 1_000_000 for day in list(clean)[::3]}
    assert usual_day(poisoned, 20_100)[1] - usual_day(clean, 20_100)[1] < 0.35


def test_a_slow_change_of_habit_is_followed() -> None:
    growing = {20_000 + day: int(100 * 1.01**day) for day in range(200)}
    assert usual_day(growing, 20_200)[1] == pytest.approx(np.log1p(100 * 1.01**186), abs=0.1)
