"""Log histograms: bins are in order and narrow, and their statistics are those of the members' bins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor._jit import I32s, kernel
from sensor.structures import log_histogram
from sensor.structures.log_histogram import BINS, LOGS, MIDDLES
from tests.oracles.windows import median_and_mad


@kernel
def bin_of(quantity: int) -> int:
    return log_histogram.bin_of(quantity)


@kernel
def quantile_bin(counts: I32s, base: int, members: int, part: float) -> int:
    return log_histogram.quantile_bin(counts, base, members, part)


@kernel
def spread(counts: I32s, base: int, members: int, median: int) -> float:
    return log_histogram.spread(counts, base, members, median)


amounts = st.integers(0, 1 << 47)


@settings(deadline=None)
@given(amounts, amounts)
def test_bins_keep_the_order(a, b):
    low, high = sorted((a, b))
    assert 0 <= bin_of(low) <= bin_of(high) < BINS


@settings(deadline=None)
@given(amounts)
def test_a_bin_s_middle_is_within_an_eighth_of_its_members(amount):
    assert abs(MIDDLES[bin_of(amount)] - amount) <= amount / 8


@pytest.mark.parametrize("amount", [1 << 48, (1 << 63) - 1])
def test_what_is_too_large_falls_into_the_last_bin(amount):
    assert bin_of(amount) == BINS - 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 10_000_000), min_size=1))
def test_median_and_deviation_are_those_of_the_slow_twin(members):
    counts = np.zeros(3 * BINS, np.int32)
    for member in members:
        counts[BINS + bin_of(member)] += 1
    median = quantile_bin(counts, BINS, len(members), 0.5)
    expected_median, expected_mad = median_and_mad([LOGS[bin_of(member)] for member in members])
    assert LOGS[median] == expected_median
    assert math.isclose(spread(counts, BINS, len(members), median), expected_mad, abs_tol=1e-12)
    assert quantile_bin(counts, BINS, len(members), 1.0) == bin_of(max(members))
