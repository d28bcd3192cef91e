"""A ring of periods always holds exactly what a list of all amounts says lies in the window."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor._jit import I32s, I64s, kernel
from sensor.structures.sliding import ring_sum, slide


@kernel
def add_all(ring: I32s, size: int, periods: I64s, amounts: I64s, totals: I64s, sums: I64s, since: int) -> None:
    head = total = 0
    for i in range(len(periods)):
        if periods[i] > head:
            total -= slide(ring, 3, size, head, periods[i])
            head = periods[i]
        ring[3 + head % size] += amounts[i]
        total += amounts[i]
        totals[i] = total
        sums[i] = ring_sum(ring, 3, size, head, head - since)


OBSERVATIONS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1_000)), min_size=1, max_size=60)


@given(OBSERVATIONS, st.integers(1, 12), st.integers(0, 5))
def test_totals_are_those_of_the_window(steps: list[tuple[int, int]], size: int, since: int) -> None:
    """Steps forward of any length; some of them 0."""
    periods = np.cumsum([step for step, _ in steps]) + 100
    amounts = np.array([amount for _, amount in steps])
    totals, sums = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.int64)
    add_all(np.zeros(size + 6, np.int32), size, periods, amounts, totals, sums, since)
    for i, period in enumerate(periods):
        age = period - periods[: i + 1]
        assert totals[i] == amounts[: i + 1][age < size].sum()
        assert sums[i] == amounts[: i + 1][age <= min(since, size - 1)].sum()
