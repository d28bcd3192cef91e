"""A few kills of the collector and crashes of its database under load; tests/bench/store_kills.py does many."""

from __future__ import annotations

import pytest

from tests.bench.store_kills import faults


@pytest.mark.slow
def test_alerts_of_two_sensors_are_stored_once_and_handed_on_whatever_is_killed():
    outcome = faults(kills=3, crashes=2, seed=7)
    assert outcome.good, outcome
