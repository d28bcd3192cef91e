"""Rows looked at one by one: asked for together they are those that asking one by one lets through."""

from __future__ import annotations

import random

import numpy as np
import pytest

from sensor.detection.allowance import Allowance


@pytest.mark.parametrize("seed", range(5))
def test_many_at_once_are_the_same_as_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    together, alone = Allowance(), Allowance()
    now, refused = 1_700_000_000_000_000_000, 0
    for _ in range(60):
        places = np.array(sorted(chance.sample(range(1_000), chance.randint(1, 400))))
        nows = now + np.arange(1, len(places) + 1) * chance.choice((1_000, 100_000))
        one_by_one = [int(place) for place, at in zip(places, nows, strict=True) if alone.affords(int(place), int(at))]
        found = together.afforded(places, nows)
        assert len(set(found) ^ set(one_by_one)) <= 2  # a look is not earned at the very same row when sums are rounded
        now = int(nows[-1])
        together.passed(1_000)
        alone.passed(1_000)
        refused = together.refused
    assert refused > 500
    assert refused == pytest.approx(alone.refused, abs=2)
    assert together.state()[0] == pytest.approx(alone.state()[0], abs=1)
