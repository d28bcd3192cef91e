"""How much of the traffic was seen lately, and what was lost so far."""

from __future__ import annotations

from enum import IntEnum

import pytest

from sensor.counters import Counters
from sensor.limits import NS
from sensor.losses import Losses

START = 1_700_000_000 * NS


class Some(IntEnum):
    FRAMES = 0
    DROPPED = 1


def test_only_what_says_that_something_was_lost_is_told() -> None:
    counters = Counters(Some)
    losses = Losses({"live": counters})
    counters.values[:] = 10, 0
    assert losses.so_far == {}
    counters.values[Some.DROPPED] = 3
    assert losses.so_far == {"live.dropped": 3}


def test_before_anything_came_all_was_seen() -> None:
    losses = Losses({})
    losses.note(0, 0, START)
    assert losses.seen == 1


def test_a_tenth_dropped_is_nine_tenths_seen_for_a_minute() -> None:
    losses = Losses({})
    losses.note(0, 1_000, START)
    losses.note(100, 2_000, START + NS // 2)
    assert losses.seen == pytest.approx(0.9)
    received = 2_000
    for second in range(1, 60):
        received += 1_000
        losses.note(100, received, START + second * NS)
        assert losses.seen < 1
    assert losses.seen == pytest.approx(1 - 100 / 60_000)
    losses.note(100, received + 1_000, START + 62 * NS)
    assert losses.seen == 1
