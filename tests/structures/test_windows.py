"""Sliding windows: every verdict equals that of a twin that keeps all observations."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import I64s, U64s, kernel
from sensor.structures import windows
from sensor.structures.windows import NEVER
from tests.oracles.windows import more_than, targets_within


@kernel
def ring_push(times: I64s, base: int, size: int, cursor: int, now: int) -> int:
    return windows.ring_push(times, base, size, cursor, now)


@kernel
def count_within(times: I64s, base: int, size: int, since: int) -> int:
    return windows.count_within(times, base, size, since)


@kernel
def distinct_touch(
    targets: U64s, times: I64s, base: int, size: int, target: np.uint64, now: int, since: int
) -> int:
    return windows.distinct_touch(targets, times, base, size, target, now, since)


SIZE_MAX = 5
gaps = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 7)), min_size=1)


def sights(gaps_and_values):
    now = 1_000
    for gap, value in gaps_and_values:
        now += gap
        yield now, value


@settings(deadline=None)
@given(st.integers(0, SIZE_MAX - 1), st.integers(0, 100), gaps)
def test_more_than_n_in_a_window_is_exact(allowed, window, observed):
    size, cursor, past = allowed + 1, 0, []
    times = np.full(3 * size, NEVER, np.int64)
    for now, _ in sights(observed):
        past.append(now)
        cursor = ring_push(times, size, size, cursor, now)
        assert (now - times[size + cursor] <= window) == more_than(past, allowed, window)
        assert count_within(times, size, size, now - window) == min(size, sum(now - t <= window for t in past))
    assert set(times[:size]) | set(times[2 * size :]) == {NEVER}, "the neighbours' rings are untouched"


@settings(deadline=None)
@given(st.integers(1, SIZE_MAX), st.integers(0, 100), gaps)
def test_at_least_n_targets_in_a_window_is_exact(size, window, observed):
    targets, times, past = np.zeros(size, np.uint64), np.full(size, NEVER, np.int64), []
    for now, value in sights(observed):
        before = {target for time, target in past if now - time <= window}
        past.append((now, value))
        place = distinct_touch(targets, times, 0, size, np.uint64(value), now, now - window)
        assert targets[place if place >= 0 else -1 - place] == value
        if len(before) < size:
            assert (place < 0) == (value not in before)
        within = len(targets_within(past, window))
        assert (count_within(times, 0, size, now - window) == size) == (within >= size)
