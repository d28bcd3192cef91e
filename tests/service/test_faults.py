"""Whole programs that are killed, held up, locked out, without room or at the wrong time: each alert is stored once.

The long runs are tests/bench/service_faults.py.
"""

from __future__ import annotations

import os

import pytest

from tests.bench import service_faults


def test_kills_at_random_points(tmp_path):
    outcome, consequences = service_faults.kills(tmp_path, count=3, seed=2, pause=(0.0, 2.0))
    assert outcome.good, outcome
    numbers = {int(part.split()[-1].replace(",", "")) for part in consequences.split(", ")[:3]}
    assert len(numbers) == 1, consequences
    assert consequences.endswith("breaks 0")


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
def test_a_disk_without_room_for_the_journal(tmp_path):
    outcome, besides = service_faults.full(tmp_path, seconds=2.0)
    assert outcome.good, outcome
    assert int(besides.split(",")[0].split()[-1].replace(",", "")) > 0, "alerts go on while it is full"
    assert not besides.endswith("journal-failing 0")


def test_a_collector_that_stands_still(tmp_path):
    outcome, besides = service_faults.slow(tmp_path, seconds=3.0)
    assert outcome.good, outcome
    assert "stored 0 meanwhile" not in besides


def test_a_key_that_is_not_allowed_until_it_is(tmp_path):
    outcome, besides = service_faults.key(tmp_path, seconds=1.0)
    assert outcome.good, outcome
    assert besides == "stored before its key was allowed 0"


def test_a_clock_that_steps(tmp_path):
    outcome, epochs = service_faults.clock(tmp_path)
    assert outcome.good, outcome
    assert epochs in ("epochs 4", "epochs 5"), "the last run may have nothing to tell"
