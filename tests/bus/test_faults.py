"""Real processes that are killed, and a line that goes dead: what was fsynced is stored exactly once, in order.

The long runs are tests/bench/faults.py.
"""

from __future__ import annotations

from tests.bench.faults import cut, kills


def test_kills_of_sensor_and_collector_at_random_points_lose_and_repeat_nothing(tmp_path):
    outcome = kills(tmp_path, count=6, seed=1, pause=(0.1, 0.6))
    assert outcome.good, outcome


def test_a_line_that_is_dead_for_a_while_loses_and_repeats_nothing(tmp_path):
    outcome = cut(tmp_path, seconds=2)
    assert outcome.good, outcome
